"""Tests of the firmware law copies."""

"""The version, readable without importing anything."""

VERSION = "3.0.0.dev0"

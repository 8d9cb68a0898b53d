"""Figures about the daemon, for Prometheus."""

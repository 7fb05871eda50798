"""Shared by the Python suites."""

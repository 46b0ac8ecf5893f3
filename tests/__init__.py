"""Tests that cross the distributions."""

"""Whole programs under WASI."""

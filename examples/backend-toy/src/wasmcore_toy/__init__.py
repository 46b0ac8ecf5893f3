"""A backend of wasmcore to read."""

__version__ = "0.1.0"

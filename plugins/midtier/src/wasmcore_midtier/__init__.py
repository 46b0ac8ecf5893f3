"""The middle compiler of wasmcore."""

__version__ = "0.1.0"

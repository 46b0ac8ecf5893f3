"""The x86-64 target of wasmcore."""

__version__ = "0.1.0"

"""WASI preview 1 for wasmcore: the imports of module `wasi_snapshot_preview1`."""

from wasmcore.errors import Exit

__all__ = ["Exit", "__version__"]
__version__ = "0.1.0"

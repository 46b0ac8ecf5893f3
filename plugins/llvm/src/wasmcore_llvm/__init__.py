"""The LLVM backend of wasmcore: resolved streams through LLVM to machine code."""

__version__ = "0.1.0"

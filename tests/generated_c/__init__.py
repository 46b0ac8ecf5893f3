"""C programs from a generator, compiled to WebAssembly and natively; their results are compared."""

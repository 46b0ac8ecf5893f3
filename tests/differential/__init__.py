"""Random programs on wasmcore and on wasmtime."""

"""The contract between wasmcore and its plugins: everything a backend, target or host module may import."""

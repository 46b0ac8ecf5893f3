"""The official test suite, on every backend."""

"""`python -m wasmcore`."""

from wasmcore.cli import console

console()

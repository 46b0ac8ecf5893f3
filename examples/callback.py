"""Give WebAssembly a Python function to call: an object's method, here the `append` of a list."""

from pathlib import Path

import wasmcore

sequence: list[int] = []
module = wasmcore.Module(Path(__file__).with_name("collatz.wasm"))
instance = wasmcore.Instance(module, {"env": {"visit": sequence.append}})
steps = instance.exports.collatz(6)
print(f"{steps} steps: {sequence}")

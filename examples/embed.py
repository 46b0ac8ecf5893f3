"""Call a WebAssembly function from Python."""

from pathlib import Path

import wasmcore

instance = wasmcore.Instance(wasmcore.Module(Path(__file__).with_name("gcd.wasm")))
print(instance.exports.gcd(6, 27))

"""Look at an image that WebAssembly drew as a numpy array: the array is the memory itself, nothing is copied."""

from pathlib import Path

import numpy

import wasmcore

instance = wasmcore.Instance(wasmcore.Module(Path(__file__).with_name("mandelbrot.wasm")))
exports = instance.exports
address = exports.render(-0.75, 0.0, 0.01)
width, height = exports.width(), exports.height()
image = numpy.asarray(exports.memory)[address : address + width * height].reshape(height, width)
for row in image[::12, ::4]:
    print("".join(" .:-=+*#%@"[min(int(count).bit_length(), 9)] for count in row).rstrip())

image[:] = 0
assert not any(exports.memory.view()[address : address + width * height])

"""What the collector calls: nothing as long as nobody needs it, since what the handler of a signal raises there is lost."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc, wasmcore
spin = '(module (memory 1) (table 2 funcref) (func (export "f")) (elem (i32.const 0) 0))'
for _ in range(3):
    wasmcore.Instance(wasmcore.Module(spin, engine=wasmcore.Engine({backend!r}, cache=False))).exports.f()
print(len(gc.callbacks))
wasmcore.Global("externref", object(), mutable=True)
wasmcore.Global("externref", object(), mutable=True)
print(len(gc.callbacks))
"""


def test_the_collector_calls_nothing_where_no_objects_are_held(backend: str) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(backend=backend)], capture_output=True, text=True, check=True, timeout=100)
    assert done.stdout.split() == ["0", "1"]

"""Subinterpreters are refused, in one line, whatever the main interpreter did before."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters

if {used}:
    import wasmcore
    wasmcore.Instance(wasmcore.Module('(module (func (export "f")))')).exports.f()
inner = '''
import sys
sys.path[:] = {{path!r}}
import wasmcore
for use in {uses!r}:
    try:
        exec(use)
    except wasmcore.PluginError as error:
        print("refused:", error, flush=True)
'''.format(path=sys.path)
create = interpreters.create
subinterpreter = create("{kind}") if sys.version_info >= (3, 13) else create(isolated={kind!r} == "isolated")
print(interpreters.run_string(subinterpreter, inner))
interpreters.destroy(subinterpreter)
"""
USES = (
    "wasmcore.Module(b'')",
    "wasmcore.validate(b'')",
    "wasmcore.Memory(1)",
    "wasmcore.Engine()",
    "wasmcore.Func([], [], print)",
    "wasmcore.backends()",
    "wasmcore.wat2wasm('(module)')",
    "from wasmcore import Linker",
)


@pytest.mark.parametrize("kind", ["isolated", "legacy"])
@pytest.mark.parametrize("used", [False, True])
def test_subinterpreters_are_refused(used: bool, kind: str) -> None:
    program = PROGRAM.format(uses=USES, used=used, kind=kind)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=100, check=False)
    refusal = "refused: WebAssembly code runs only in the main interpreter of a process, not in subinterpreters"
    assert done.stdout.splitlines() == [refusal] * len(USES) + ["None"], done.stdout + done.stderr
    assert done.returncode == 0 and not done.stderr

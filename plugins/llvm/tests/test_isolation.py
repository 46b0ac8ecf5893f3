"""LLVM works in processes of its own: the program's never has it, whatever it asks for."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest
from test_libraries import needs_libllvm

SCRIPT = """
    import sys
    import wasmcore
    text = '(module (func $inner (param i32) (result i32) (i32.div_u (i32.const 7) (local.get 0))) ' \\
        '(func (export "f") (param i32) (result i32) (call $inner (local.get 0))))'
    library, name = sys.argv[1:]
    for lazy in (False, True):
        engine = wasmcore.Engine("llvm", lazy=lazy, cache=False, options={"library": library})
        module = wasmcore.Module(text, engine=engine)
        f = wasmcore.Instance(module).exports.f
        assert f(2) == 3
        try:
            f(0)
        except wasmcore.Trap as trap:
            assert [frame.function_index for frame in trap.frames] == [0, 1] and all(frame.offset for frame in trap.frames)
        module.serialize()
    with open("/proc/self/maps") as maps:
        assert name not in maps.read()
    assert "llvmlite" not in sys.modules
    from wasmcore.compile.worker_pool import shared_pool
    (process,) = shared_pool()._processes
    with open(f"/proc/{process.pid}/maps") as maps:
        assert name in maps.read()
    print("well")
"""


@pytest.mark.parametrize(("library", "name"), [("llvmlite", "llvmlite"), pytest.param("libllvm", "libLLVM", marks=needs_libllvm)])
def test_the_process_of_the_program_never_has_llvm(library: str, name: str) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", textwrap.dedent(SCRIPT), library, name]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("well\n", "")

"""A backend that ends its process, hangs, takes memory or returns garbage where a function says so, at levels above one that it says.

A function does so by its first constant: `FAULTY`, plus the number of a fault times 16, plus the highest level that works.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import Any

from wasmcore import _registry
from wasmcore.plugin.hooks import hookimpl

FAULTY = 0x7AB00000
LEVELS = ("O2", "O0", "O1")
NONE_WORKS = 15
"""In place of a level."""


def _crash(compiled: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSEGV)


def _exit(compiled: Any) -> Any:
    os._exit(3)


def _spin(compiled: Any) -> Any:
    while True:
        pass


def _sleep(compiled: Any) -> Any:
    time.sleep(1000)


def _stop(compiled: Any) -> Any:
    os.kill(os.getpid(), signal.SIGSTOP)


def _take_memory(compiled: Any) -> Any:
    return bytearray(1 << 30)


def _raise(compiled: Any) -> Any:
    raise ZeroDivisionError("a fault of the compiler")


def _nothing(compiled: Any) -> Any:
    return None


def _of_another_function(compiled: Any) -> Any:
    return compiled._replace(functions=(99).to_bytes(4, "little") + compiled.functions[4:])


def _beyond_the_code(compiled: Any) -> Any:
    return compiled._replace(code=compiled.code[: len(compiled.code) // 2])


def _wild_traps(compiled: Any) -> Any:
    return compiled._replace(traps=b"\xff" * 8)


def _half_a_table(compiled: Any) -> Any:
    return compiled._replace(functions=compiled.functions[:-1])


def _noise(compiled: Any) -> Any:
    for descriptor in range(3, 20):
        try:
            os.write(descriptor, b"\x05\0\0\0\0\0\0\0noise" * 3)
        except OSError:
            pass
    return compiled


def _close_pipes(compiled: Any) -> Any:
    os.closerange(0, 20)
    time.sleep(1000)


def _unpicklable(compiled: Any) -> Any:
    return lambda: compiled


def _not_installed(compiled: Any) -> Any:
    raise ImportError("no compiler in here")


FAULTS = (
    _crash,
    _exit,
    _spin,
    _sleep,
    _stop,
    _take_memory,
    _raise,
    _nothing,
    _of_another_function,
    _beyond_the_code,
    _wild_traps,
    _half_a_table,
    _noise,
    _close_pipes,
    _unpicklable,
)
"""What a lower level can make good."""
HOPELESS = (_not_installed,)



class Faulty:
    """`wasmcore.plugin.hooks.IsolatedBackend`."""

    name = "faulty"
    version = "1"
    contract = (2, 0)
    options = {"level": LEVELS, "fallback": ("singlepass", "none")}
    unit_size = 1 << 12
    lazy = False

    def __init__(self) -> None:
        self._inner = _registry.backend("singlepass")
        self.targets = self._inner.targets
        self.features = self._inner.features

    def compile(self, unit: Any) -> Any:
        """What singlepass makes of it, or a fault."""
        compiled = self._inner.compile(unit._replace(options=()))._replace(backend=self.name, backend_version=self.version)
        level = int(dict(unit.options).get("level", "O2")[1])
        for stream in unit.streams:
            words = memoryview(stream).cast("q")
            faults = [word >> 32 for word in words[8:] if word & 0xFFFF == 0x41 and word >> 52 == FAULTY >> 20]
            for fault in faults[:1]:
                works = fault & 15
                if works == NONE_WORKS or level > works:
                    compiled = (*FAULTS, *HOPELESS)[(fault >> 4) & 255](compiled)
        return compiled

    def lower(self, unit: Any) -> Any:
        """O2, O1, O0, then singlepass."""
        options = dict(unit.options)
        level = int(options.get("level", "O2")[1])
        if level:
            return self.name, unit._replace(options=tuple(sorted({**options, "level": f"O{level - 1}"}.items())))
        return None if options.get("fallback") == "none" else ("singlepass", unit._replace(options=()))


@hookimpl
def wasmcore_backend() -> Any:
    """The backend; in the process of the program it must not compile."""
    if "worker_pool" not in " ".join(sys.orig_argv):
        Faulty.compile = _never  # type: ignore[method-assign]
    return Faulty()


def _never(self: Any, unit: Any) -> Any:
    raise AssertionError("compiled in the process of the program")

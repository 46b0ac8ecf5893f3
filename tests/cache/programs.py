"""A module that caches take even of the fastest backend, and processes that use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from wasmcore.compile.engine import WORTH_CACHING

FUNCTIONS = 100
PER_FUNCTION = 60


def leb(number: int) -> bytes:
    """A number as unsigned LEB128."""
    result = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        result.append(low | (0x80 if number else 0))
        if not number:
            return bytes(result)


def section(number: int, content: bytes) -> bytes:
    """A section with its head."""
    return bytes([number]) + leb(len(content)) + content


def module(salt: int = 0) -> bytes:
    """`f<n>(x)` is x times n plus a constant for each multiple of 50, `divide(x)` traps for 0, and `all(x)` sums all of them."""
    body = b"\x20\x00"
    bodies = []
    for number in range(FUNCTIONS):
        steps = b"".join(b"\x41" + signed(number + step + salt) + b"\x6a\x41\x01\x6c" for step in range(PER_FUNCTION))
        bodies.append(b"\x00" + body + b"\x41" + signed(number) + b"\x6c" + steps + b"\x0b")
    bodies.append(b"\x00\x41\x07" + body + b"\x6d\x0b")
    total = b"\x00\x41\x00" + b"".join(body + b"\x10" + leb(number) + b"\x6a" for number in range(FUNCTIONS)) + b"\x0b"
    bodies.append(total)
    code = leb(len(bodies)) + b"".join(leb(len(each)) + each for each in bodies)
    exports = [(b"f%d" % number, number) for number in range(0, FUNCTIONS, 50)] + [(b"divide", FUNCTIONS), (b"all", FUNCTIONS + 1)]
    listing = leb(len(exports)) + b"".join(leb(len(name)) + name + b"\x00" + leb(index) for name, index in exports)
    padding = b"\x03pad" + bytes(WORTH_CACHING)
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            section(1, b"\x01\x60\x01\x7f\x01\x7f"),
            section(3, leb(len(bodies)) + bytes(len(bodies))),
            section(5, b"\x01\x00\x01"),
            section(7, listing),
            section(10, code),
            section(0, padding),
        )
    )


def signed(number: int) -> bytes:
    """A number as signed LEB128."""
    result = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        done = number == (-1 if low & 0x40 else 0)
        result.append(low if done else low | 0x80)
        if done:
            return bytes(result)


def value(number: int, x: int, salt: int = 0) -> int:
    """What `f<number>(x)` is."""
    result = x * number + sum(number + step + salt for step in range(PER_FUNCTION))
    return (result + (1 << 31)) % (1 << 32) - (1 << 31)


def expected(x: int, salt: int = 0) -> int:
    """What `all(x)` is."""
    result = sum(value(number, x, salt) for number in range(FUNCTIONS))
    return (result + (1 << 31)) % (1 << 32) - (1 << 31)


SCRIPT = """
import sys, wasmcore
from wasmcore.compile import module_code
counts = [0]
compile = module_code.ModuleCode._compile_one
def counted(self, index):
    counts[0] += 1
    return compile(self, index)
module_code.ModuleCode._compile_one = counted
backend, lazy, file, x = sys.argv[1:5]
engine = wasmcore.Engine(backend, lazy=lazy == "lazy")
module = wasmcore.Module(file, engine=engine)
result = wasmcore.Instance(module).exports.all(int(x))
print(result, counts[0], any(saved is not None and saved.hit for _, saved in module._known.values()))
"""


def start(backend: str, lazy: bool, file: Path, x: int, folder: Path | None, **environment: str) -> subprocess.Popen[str]:
    """A process that calls `all(x)` and prints the result, how many functions it compiled one by one, and whether the cache had some."""
    variables = {**os.environ, "WASMCORE_CACHE": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment}
    if folder is not None:
        variables["WASMCORE_CACHE_DIR"] = str(folder)
    command = [sys.executable, "-W", "error", "-c", SCRIPT, backend, "lazy" if lazy else "whole", str(file), str(x)]
    return subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result(process: subprocess.Popen[str]) -> tuple[int, int, bool]:
    """What such a process printed; it must end well and silently."""
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, ""), errors
    number, compiled, hit = output.split()
    return int(number), int(compiled), hit == "True"

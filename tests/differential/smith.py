"""Modules of wasm-smith, by number: `python -m tests.differential.smith NUMBER` prints one as text.

They always end (a global holds fuel, and without fuel they trap), make NaNs canonical, and export all they define.
"""

from __future__ import annotations

import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from random import Random

from .host import importing
from .wasm_tools import ToolError, wasm_tools

SEED_BYTES = 8192
UNLUCKY = "not of the correct format"
"""What wasm-smith says of one seed in ten: no module can be made from it."""
ALWAYS = {
    "canonicalize-nans": "true",
    "export-everything": "true",
    "memory-max-size-required": "true",
    "table-max-size-required": "true",
    "max-memory32-bytes": 1 << 20,
    "max-memory64-bytes": 1 << 20,
    "max-table-elements": 1000,
    "fuel": 500,
    "compact-imports-enabled": "false",
    "custom-descriptors-enabled": "false",
    "exceptions-enabled": "false",
    "gc-enabled": "false",
    "relaxed-simd-enabled": "false",
    "threads-enabled": "false",
}
"""What is the same for all modules: only what both engines have, and give the same results for, in sizes that both can reserve."""
SOMETIMES = (
    "custom-page-sizes-enabled",
    "extended-const-enabled",
    "memory64-enabled",
    "multi-value-enabled",
    "reference-types-enabled",
    "simd-enabled",
    "tail-call-enabled",
    "wide-arithmetic-enabled",
)
"""Features that a module without imports may do without."""
THINGS = (
    ("funcs", 4, 12),
    ("globals", 2, 8),
    ("memories", 1, 4),
    ("tables", 1, 4),
    ("data-segments", 1, 6),
    ("element-segments", 1, 6),
)
"""What a module has several of: how many it has to have at most, and may have at most."""


@lru_cache
def _importing() -> Path:
    """A module that imports all that the host has, in a file that is there until the process ends."""
    path = Path(_folder().name, "importing.wasm")
    path.write_bytes(importing())
    return path


@lru_cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


def options(random: Random) -> dict[str, object]:
    """What a module is made of: each kind of thing in another number, with imports or some of the features."""
    chosen: dict[str, object] = dict(ALWAYS)
    if random.random() < 0.5:
        chosen["available-imports"] = _importing()
    else:
        chosen["max-imports"] = 0
        for feature in SOMETIMES:
            chosen[feature] = "true" if random.random() < 0.8 else "false"
    for thing, least, most in THINGS:
        chosen[f"min-{thing}"] = random.randint(0, least)
        chosen[f"max-{thing}"] = random.randint(least, most)
    chosen["max-instructions"] = random.choice((50, 100, 300))
    return chosen


def module(number: int) -> bytes:
    """The module of a number, the same wherever the same wasm-smith is."""
    random = Random(number)
    while True:
        flags = [f"--{name}={value}" for name, value in options(random).items()]
        try:
            return wasm_tools("smith", "--ensure-termination", *flags, given=random.randbytes(SEED_BYTES))
        except ToolError as error:
            if UNLUCKY not in str(error):
                raise


if __name__ == "__main__":
    print(wasm_tools("print", given=module(int(sys.argv[1]))).decode())

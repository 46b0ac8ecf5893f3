"""What LLVM is told about the target, and what holds for all of a process."""

from __future__ import annotations

from typing import Final

TRIPLES: Final = {"x86_64": "x86_64-unknown-linux-gnu"}
PROCESSORS: Final = {"x86_64": "x86-64"}
BASE_LINE: Final = {"x86_64": frozenset(("sse3", "ssse3", "sse4.1"))}
"""Features of the processor that are always assumed."""
_LLVM_NAMES: Final = {"bmi1": "bmi"}
"""LLVM's names of features, where they are others."""
_TUNING: Final = {"x86_64": ("-slow-3ops-lea",)}
"""What processors since 2019 are good at, against what LLVM takes for a base line."""

PROCESS_OPTIONS: Final = (
    "-phi-node-folding-threshold=0",  # selects in place of branches make dispatch loops of interpreters mispredict
    "-enable-shrink-wrap=false",  # whoever walks the stack finds every frame
    "-unroll-runtime=false",  # the producer's compiler has done it
    "-disable-lsr",  # loop strength reduction: a tenth of the time to compile, and the code is no better for it
    "-use-unknown-locations=Enable",  # an instruction that has lost its place does not get that of the one before
    "-pre-RA-sched=list-burr",  # by register pressure; the order of a stack machine's code says little
)


def feature_text(target: str, features: frozenset[str]) -> str:
    """Features as LLVM writes them."""
    return ",".join([*(f"+{_LLVM_NAMES.get(name, name)}" for name in sorted(features | BASE_LINE[target])), *_TUNING[target]])


def with_target(text: str, target: str, layout: str) -> str:
    """A module's text that begins with what it is for."""
    return f'target triple = "{TRIPLES[target]}"\ntarget datalayout = "{layout}"\n{text}'

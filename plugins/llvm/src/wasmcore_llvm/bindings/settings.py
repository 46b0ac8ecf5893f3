"""What LLVM is told about the target, and what holds for all of a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from wasmcore_llvm.target import LlvmTarget

PROCESS_OPTIONS: Final = (
    "-phi-node-folding-threshold=0",  # selects in place of branches make dispatch loops of interpreters mispredict
    "-enable-shrink-wrap=false",  # whoever walks the stack finds every frame
    "-unroll-runtime=false",  # the producer's compiler has done it
    "-disable-lsr",  # loop strength reduction: a tenth of the time to compile, and the code is no better for it
    "-use-unknown-locations=Enable",  # an instruction that has lost its place does not get that of the one before
    "-pre-RA-sched=list-burr",  # by register pressure; the order of a stack machine's code says little
)


def feature_text(target: LlvmTarget, features: frozenset[str]) -> str:
    """Features as LLVM writes them."""
    return ",".join([*(f"+{target.FEATURE_NAMES.get(name, name)}" for name in sorted(features | target.BASE_LINE)), *target.TUNING])


def with_target(text: str, target: LlvmTarget, layout: str) -> str:
    """A module's text that begins with what it is for."""
    return f'target triple = "{target.TRIPLE}"\ntarget datalayout = "{layout}"\n{text}'

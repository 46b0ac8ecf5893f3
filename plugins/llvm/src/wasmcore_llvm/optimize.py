"""LLVM itself: text in, an object file out. The interpreter lock is released meanwhile."""

from __future__ import annotations

from typing import Final

import llvmlite
import llvmlite.binding as llvm

from wasmcore.errors import PluginError
from wasmcore.plugin.unit import CompileUnit

TRIPLES: Final = {"x86_64": "x86_64-unknown-linux-gnu"}
BASE_LINE: Final = {"x86_64": frozenset(("sse3", "ssse3", "sse4.1"))}
"""Features of the processor that are always assumed."""
_LLVM_NAMES: Final = {"bmi1": "bmi"}
"""LLVM's names of features, where they are others."""
_TUNING: Final = {"x86_64": ("-slow-3ops-lea",)}
"""What processors since 2019 are good at, against what LLVM takes for a base line."""
LEVELS: Final = ("O2", "O0", "O1", "O3")

_OPTIONS: Final = (
    "-phi-node-folding-threshold=0",  # selects in place of branches make dispatch loops of interpreters mispredict
    "-enable-shrink-wrap=false",  # whoever walks the stack finds every frame
    "-unroll-runtime=false",  # the producer's compiler has done it
    "-disable-lsr",  # loop strength reduction: a tenth of the time to compile, and the code is no better for it
    "-use-unknown-locations=Enable",  # an instruction that has lost its place does not get that of the one before
    "-pre-RA-sched=list-hybrid",  # by latency and register pressure; the order of a stack machine's code says little
)

_machines: dict[tuple[str, str, int], llvm.TargetMachine] = {}


def _initialize() -> None:
    """Once per process: LLVM's options are global."""
    if not _machines:
        try:
            llvm.initialize_all_targets()
        except OSError as error:
            raise ImportError(f"LLVM can not be loaded: {error}") from None
        llvm.initialize_all_asmprinters()
        llvm.initialize_native_asmparser()
        for option in _OPTIONS:
            llvm.set_option("wasmcore", option)


def features_of(unit: CompileUnit) -> frozenset[str]:
    """Features of the processor, beside the base line, that the code of a unit uses."""
    return frozenset() if dict(unit.options).get("portable") == "yes" else unit.features


def level_of(unit: CompileUnit) -> str:
    """The unit's level."""
    return dict(unit.options).get("level", LEVELS[0])


def _machine(target: str, features: frozenset[str], level: int) -> llvm.TargetMachine:
    _initialize()
    text = ",".join([*(f"+{_LLVM_NAMES.get(name, name)}" for name in sorted(features | BASE_LINE[target])), *_TUNING[target]])
    key = (target, text, level)
    machine = _machines.get(key)
    if machine is None:
        triple = TRIPLES[target]
        machine = llvm.Target.from_triple(triple).create_target_machine(
            cpu="x86-64", features=text, opt=level, reloc="pic", codemodel="small", jit=False
        )
        _machines[key] = machine
    return machine


def object_file(text: str, target: str, features: frozenset[str], level: str) -> bytes:
    """An ELF object made from LLVM's text."""
    number = int(level[1])
    machine = _machine(target, features, number)
    head = f'target triple = "{TRIPLES[target]}"\ntarget datalayout = "{machine.target_data}"\n'
    with llvm.create_context() as context:
        try:
            module = llvm.parse_assembly(head + text, context)
        except RuntimeError as error:
            raise PluginError(f"LLVM {llvmlite.__version__} refuses the code made for it: {error}") from None
        with module:
            _optimize(module, machine, number)
            return bytes(machine.emit_object(module))


def _optimize(module: llvm.ModuleRef, machine: llvm.TargetMachine, level: int) -> None:
    if level == 0:
        return
    tuning = llvm.create_pipeline_tuning_options(speed_level=level)
    tuning.loop_vectorization = level >= 2
    tuning.slp_vectorization = False
    tuning.loop_interleaving = False
    tuning.loop_unrolling = level >= 2
    builder = llvm.create_pass_builder(machine, tuning)
    passes = builder.getModulePassManager()
    passes.run(module, builder)

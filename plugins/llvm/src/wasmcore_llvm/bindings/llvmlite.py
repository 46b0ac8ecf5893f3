"""LLVM by llvmlite, which every installation has. The interpreter lock is released meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import llvmlite
import llvmlite.binding as llvm

from wasmcore.errors import PluginError
from wasmcore_llvm.bindings.settings import PROCESS_OPTIONS, feature_text, with_target

if TYPE_CHECKING:
    from wasmcore_llvm.target import LlvmTarget

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
        for option in PROCESS_OPTIONS:
            llvm.set_option("wasmcore", option)


def _machine(target: LlvmTarget, features: frozenset[str], level: int) -> llvm.TargetMachine:
    _initialize()
    key = (target.TRIPLE, feature_text(target, features), level)
    machine = _machines.get(key)
    if machine is None:
        machine = llvm.Target.from_triple(target.TRIPLE).create_target_machine(
            cpu=target.PROCESSOR, features=key[1], opt=level, reloc="pic", codemodel="small", jit=False
        )
        _machines[key] = machine
    return machine


def object_file(text: str, target: LlvmTarget, features: frozenset[str], level: str) -> bytes:
    """An ELF object made from LLVM's text."""
    number = int(level[1])
    machine = _machine(target, features, number)
    with llvm.create_context() as context:
        try:
            module = llvm.parse_assembly(with_target(text, target, str(machine.target_data)), context)
        except RuntimeError as error:
            raise PluginError(f"LLVM (llvmlite {llvmlite.__version__}) refuses the code made for it: {error}") from None
        with module:
            _optimize(module, machine, number)
            return bytes(machine.emit_object(module))


def _optimize(module: llvm.ModuleRef, machine: llvm.TargetMachine, level: int) -> None:
    """By LLVM's own pipelines: llvmlite does not have the passes to put another one together."""
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

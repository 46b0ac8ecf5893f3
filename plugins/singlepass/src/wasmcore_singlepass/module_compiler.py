"""A compile unit through the compiler and the target's encoder."""

from __future__ import annotations

from wasmcore.errors import NotCompiledError, PluginError
from wasmcore.plugin.code import CompiledCode
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore_singlepass.accesses import GLOBAL_INDIRECT, MEMORY_GUARDED, MEMORY_INDEX64
from wasmcore_singlepass.allocation import FLOATS
from wasmcore_singlepass.compiler import Compiler
from wasmcore_singlepass.entry import Unsupported
from wasmcore_singlepass.protocol import MOST_REGISTERS
from wasmcore_singlepass.registers import RegisterFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from wasmcore.plugin.unit import CompileUnit, Environment
    from wasmcore_singlepass.protocol import Lowering, TargetEncoder


class ModuleCompiler:
    """Compiler and encoder, set up for one module."""

    def __init__(self, unit: CompileUnit, lowering: Lowering) -> None:
        self._environment = unit.environment
        self._target = unit.target
        self._features = unit.features
        self._signals = unit.signals
        self._lowering = lowering
        self._encoder: TargetEncoder = lowering.encoder(unit.features, unit.signals)
        self._compiler = _compiler(lowering)
        _set_up(self._compiler, unit.environment)

    def fits(self, unit: CompileUnit) -> bool:
        """Whether this is what the unit needs."""
        same_machine = unit.target == self._target and unit.features == self._features and unit.signals == self._signals
        return same_machine and unit.environment is self._environment

    def records(self, unit: CompileUnit) -> list[bytes]:
        """The macro records of each function."""
        try:
            return self._compiler.compile_unit(unit.streams, unit.address_map)
        except Unsupported as error:
            function = int.from_bytes(self._compiler.stream[:8], "little")
            raise NotCompiledError(error.code, function) from None

    def compile(self, unit: CompileUnit, version: str) -> CompiledCode:
        """All functions of a unit, one behind the other."""
        code = self._encoder.encode_unit(self.records(unit))
        extents, traps, positions = self._encoder.tables()
        return CompiledCode(
            code=code,
            functions=self._compiler.function_table(unit.streams, extents),
            traps=traps,
            address_map=positions,
            target=self._target,
            features=self._features,
            backend="singlepass",
            backend_version=version,
        )


_LISTS = ("TEMPORARIES", "PINNED", "FLOAT_TEMPORARIES", "FLOAT_PINNED")


def _check_numbers(lowering: Lowering) -> None:
    for name in _LISTS:
        for register in getattr(lowering, name):
            if not 0 <= register < MOST_REGISTERS:
                raise PluginError(f"{name} of a target has register {register}; numbers below {MOST_REGISTERS} are expected")


def _compiler(lowering: Lowering) -> Compiler:
    """The compiler for a target's registers."""
    convention = lowering.CONVENTION
    _check_numbers(lowering)
    lost = filter(MOST_REGISTERS.__gt__, lowering.NATIVE_DESTROYED)
    lost_floats = filter(MOST_REGISTERS.__gt__, lowering.NATIVE_DESTROYED_FLOATS)
    destroyed = (*lost, *(FLOATS + register for register in lost_floats))
    registers = RegisterFile(
        _mask(lowering.TEMPORARIES),
        _mask(lowering.FLOAT_TEMPORARIES),
        bytes(lowering.PINNED),
        bytes(lowering.FLOAT_PINNED),
        bytes(convention.integers),
        bytes(convention.floats),
        bytes(convention.integer_results),
        bytes(convention.float_results),
        lowering.CALL_INDEX,
        bytes(lowering.NATIVE_ARGUMENTS),
        _mask(destroyed),
        lowering.SHIFT_COUNT,
        lowering.DIVIDEND,
        lowering.REMAINDER,
        lowering.VECTOR_TEMPORARIES,
    )
    return Compiler(registers)


def _set_up(compiler: Compiler, environment: Environment) -> None:
    """Tell a compiler about a module."""
    compiler.set_module(
        environment.type_pool,
        environment.signatures,
        environment.function_types,
        environment.imported_functions,
        environment.imports_offset,
        environment.functions_offset,
        FUNCREF_SIZE,
    )
    memories = environment.memories
    compiler.set_layout(
        [
            [plan.offset for plan in memories],
            [(MEMORY_INDEX64 if plan.index64 else 0) | (MEMORY_GUARDED if plan.guarded else 0) for plan in memories],
            [plan.page_size_log2 for plan in memories],
        ],
        [[plan.offset for plan in environment.tables], [int(plan.index64) for plan in environment.tables]],
        [[plan.offset for plan in environment.globals], [GLOBAL_INDIRECT if plan.indirect else 0 for plan in environment.globals]],
    )


def _mask(registers: Iterable[int]) -> int:
    """A set of registers as bits."""
    result = 0
    for register in registers:
        result |= 1 << register
    return result

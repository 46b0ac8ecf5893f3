"""Validates modules: rules between sections (specification, section 3.4), and all bodies."""

from __future__ import annotations

from wasmcore._native import i64, read_i32_le
from wasmcore._typing import TYPE_CHECKING, Final, final
from wasmcore.binary.module_info import KIND_GLOBAL, KIND_TABLE
from wasmcore.binary.segments import ACTIVE, PASSIVE, ROW
from wasmcore.errors import ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES
from wasmcore.proposals import not_enabled
from wasmcore.types import I32, I64, REFERENCE, value_types_text
from wasmcore.validation.constant_rules import ConstantRules
from wasmcore.validation.subtyping import TypeRelations
from wasmcore.validation.type_rules import check_supertypes

if TYPE_CHECKING:
    from wasmcore.binary.module_info import DataSegment, ModuleInfo
    from wasmcore.types import Limits


def validate(module: ModuleInfo, features: frozenset[str] = DEFAULT_FEATURES) -> None:
    """Check a decoded module. Raises `ValidationError`, or `DecodeError` where the code is malformed, with the offset."""
    rules = _ModuleRules(module, features)
    rules.check()
    rules.check_bodies()


def validate_declarations(module: ModuleInfo, features: frozenset[str] = DEFAULT_FEATURES) -> None:
    """`validate` but for the bodies of functions, which writing their streams checks."""
    _ModuleRules(module, features).check()


@final
class _ModuleRules:
    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        self.module: Final = module
        self.features: Final = features
        self.relations: Final = TypeRelations(module)
        self.constants: Final = ConstantRules(module, features, self.relations)

    def check(self) -> None:
        """Everything but the bodies."""
        check_supertypes(self.module, self.relations)
        self.check_memories()
        self.check_tables()
        self.check_globals()
        self.check_exports()
        self.check_start()
        self.check_elements()
        self.check_data()

    def check_bodies(self) -> None:
        """All bodies."""
        from wasmcore.validation.body import BodyValidator

        module = self.module
        bodies = module.bodies
        validator = BodyValidator(module, self.features, False)
        index: i64 = module.imported_functions
        at: i64 = 0
        size: i64 = len(bodies)
        while at < size:
            validator.function(index, i64(read_i32_le(bodies, at)), i64(read_i32_le(bodies, at + 4)))
            index += 1
            at += 8

    # Memories, tables, globals

    def check_limits(self, limits: Limits, largest: int, message: str, offset: int) -> None:
        """A range within `0..largest`."""
        if limits.minimum > largest or (limits.maximum is not None and limits.maximum > largest):
            raise ValidationError(message, offset)
        if limits.maximum is not None and limits.minimum > limits.maximum:
            raise ValidationError(
                f"size minimum must not be greater than maximum: {limits.minimum} is greater than {limits.maximum}",
                offset,
            )

    def check_memories(self) -> None:
        """Limits of memories, and their number."""
        memories = self.module.memories
        if len(memories) > 1 and "multi_memory" not in self.features:
            raise ValidationError(f"multiple memories: {not_enabled('multi_memory')}", memories[1].offset)
        for memory in memories:
            limits = memory.type.limits
            page_size = memory.type.page_size_log2
            if page_size != 16 and page_size != 0:
                raise ValidationError(f"invalid custom page size: 2 to the power of {page_size}", memory.offset)
            bits = 64 if limits.index64 else 32
            largest = min(1 << (bits - page_size), (1 << bits) - 1)
            text = f"memory size must be at most {largest} pages" + (" (4GiB)" if bits == 32 else "")
            self.check_limits(limits, largest, text, memory.offset)
            if limits.shared and limits.maximum is None:
                raise ValidationError("shared memory must have maximum", memory.offset)

    def check_tables(self) -> None:
        """Limits and initial values of tables."""
        tables = self.module.tables
        if len(tables) > 1 and "reference_types" not in self.features:
            raise ValidationError(f"multiple tables: {not_enabled('reference_types')}", tables[1].offset)
        imported = self.module.imported(KIND_TABLE)
        imported_globals = self.module.imported(KIND_GLOBAL)
        index = 0
        for table in tables:
            bits = 64 if table.type.limits.index64 else 32
            self.check_limits(table.type.limits, (1 << bits) - 1, f"table size must be at most 2^{bits}-1", table.offset)
            if table.init is not None:
                self.constants.check(table.init, table.type.element, imported_globals)
            elif index >= imported and table.type.element & 7 == REFERENCE:
                raise ValidationError("type mismatch: a table of non-nullable references needs an initial value", table.offset)
            index += 1

    def check_globals(self) -> None:
        """Initial values of globals."""
        imported = self.module.imported(KIND_GLOBAL)
        index = 0
        for item in self.module.globals:
            if item.init is not None:
                self.constants.check(item.init, item.type.value, index if "gc" in self.features else imported)
            index += 1

    # Exports and start

    def check_exports(self) -> None:
        """Names are unique and the exported things exist."""
        module = self.module
        counts = (module.function_count, len(module.tables), len(module.memories), len(module.globals), len(module.tags))
        names: set[str] = set()
        for item in module.exports:
            if item.index >= counts[item.kind]:
                kind = ("function", "table", "memory", "global", "tag")[item.kind]
                raise ValidationError(f"unknown {kind} {item.index}", item.offset)
            if item.name in names:
                raise ValidationError(f"duplicate export name {item.name!r}", item.offset)
            names.add(item.name)

    def check_start(self) -> None:
        """The start function exists and takes and gives nothing."""
        module = self.module
        start = module.start
        if start is None:
            return
        self.check_function(start, module.start_offset)
        function_type = module.function_type(module.function_type_index(start))
        if function_type.params or function_type.results:
            raise ValidationError(f"start function must have type [] -> [], found {function_type}", module.start_offset)

    def check_function(self, index: int, offset: int) -> None:
        """A function exists."""
        if index >= self.module.function_count:
            raise ValidationError(f"unknown function {index}", offset)

    # Segments

    def check_elements(self) -> None:
        """Element segments."""
        module = self.module
        for segment in module.elements:
            if segment.offset is not None:
                if segment.table >= len(module.tables):
                    raise ValidationError(f"unknown table {segment.table}", segment.start)
                table = module.tables[segment.table].type
                if not self.relations.value_type_matches(segment.type, table.element):
                    found = value_types_text((segment.type,))
                    wanted = value_types_text((table.element,))
                    raise ValidationError(f"type mismatch: table requires {wanted} but segment has {found}", segment.start)
                self.constants.check(segment.offset, I64 if table.limits.index64 else I32, len(module.globals))
            for expression in segment.expressions:
                self.constants.check(expression, segment.type, len(module.globals))
            self.check_segment_functions(segment.functions, segment.start)

    def check_segment_functions(self, functions: bytes, offset: int) -> None:
        """All functions of a segment exist."""
        at: i64 = 0
        size: i64 = len(functions)
        count: i64 = self.module.function_count
        while at < size:
            index = i64(read_i32_le(functions, at))
            if index >= count:
                raise ValidationError(f"unknown function {index}", offset)
            at += 4

    def check_data(self) -> None:
        """Data segments."""
        module = self.module
        segments = module.data_segments
        small: list[bool] = [not memory.type.limits.index64 for memory in module.memories]
        count: i64 = len(small)
        rows = segments.rows
        number: i64 = 0
        size: i64 = len(segments)
        while number < size:
            mode = i64(read_i32_le(rows, number * ROW))
            memory = i64(read_i32_le(rows, number * ROW + 4))
            # Most often the offset is a constant, and the memory one of 32 bits.
            if mode != PASSIVE and (mode != ACTIVE or memory >= count or not small[memory]):
                self.check_data_segment(segments[number])
            number += 1

    def check_data_segment(self, segment: DataSegment) -> None:
        """An active data segment."""
        memories = self.module.memories
        assert segment.offset is not None
        if segment.memory >= len(memories):
            raise ValidationError(f"unknown memory {segment.memory}", segment.offset.start)
        index64 = memories[segment.memory].type.limits.index64
        self.constants.check(segment.offset, I64 if index64 else I32, len(self.module.globals))

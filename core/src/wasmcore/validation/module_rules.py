"""Validates modules: rules between sections (specification, section 3.4), and all bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, final

from wasmcore._native import i64, read_i32_le
from wasmcore.binary.segments import ConstantExpression, Immediate
from wasmcore.errors import ValidationError
from wasmcore.opcodes import DEFAULT_FEATURES, OPCODES
from wasmcore.types import BOTTOM, F32, F64, FUNCREF, I32, I64, REFERENCE, V128, value_types_text
from wasmcore.validation.body import BodyValidator
from wasmcore.validation.subtyping import value_type_matches

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.types import Limits

_GLOBAL_GET: Final = 0x23
_REF_NULL: Final = 0xD0
_REF_FUNC: Final = 0xD2
_CONSTANT_TYPES: Final = {0x41: I32, 0x42: I64, 0x43: F32, 0x44: F64, 0x20C: V128}


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

    def check(self) -> None:
        """Everything but the bodies."""
        self.check_memories()
        self.check_tables()
        self.check_globals()
        self.check_exports()
        self.check_start()
        self.check_elements()
        self.check_data()

    def check_bodies(self) -> None:
        """All bodies."""
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
            raise ValidationError("multiple memories: feature multi_memory is not enabled", memories[1].offset)
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
            raise ValidationError("multiple tables: feature reference_types is not enabled", tables[1].offset)
        imported = self.module.imported(1)
        index = 0
        for table in tables:
            bits = 64 if table.type.limits.index64 else 32
            self.check_limits(table.type.limits, (1 << bits) - 1, f"table size must be at most 2^{bits}-1", table.offset)
            if table.init is not None:
                self.check_expression(table.init, table.type.element, imported)
            elif index >= imported and table.type.element & 7 == REFERENCE:
                raise ValidationError("type mismatch: a table of non-nullable references needs an initial value", table.offset)
            index += 1

    def check_globals(self) -> None:
        """Initial values of globals."""
        imported = self.module.imported(3)
        index = 0
        for item in self.module.globals:
            if item.init is not None:
                self.check_expression(item.init, item.type.value, index if "gc" in self.features else imported)
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
                if not value_type_matches(module.types, segment.type, table.element):
                    found = value_types_text((segment.type,))
                    wanted = value_types_text((table.element,))
                    raise ValidationError(f"type mismatch: table requires {wanted} but segment has {found}", segment.start)
                self.check_expression(segment.offset, I64 if table.limits.index64 else I32, len(module.globals))
            for expression in segment.expressions:
                self.check_expression(expression, segment.type, len(module.globals))
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
        memories = module.memories
        for segment in module.data_segments:
            if segment.offset is not None:
                if segment.memory >= len(memories):
                    raise ValidationError(f"unknown memory {segment.memory}", segment.offset.start)
                index64 = memories[segment.memory].type.limits.index64
                self.check_expression(segment.offset, I64 if index64 else I32, len(module.globals))

    # Constant expressions

    def check_expression(self, expression: ConstantExpression, wanted: int, globals_end: int) -> None:
        """Type of a constant expression, which may read the globals before `globals_end`."""
        operations = expression.operations
        if len(operations) == 1 and _CONSTANT_TYPES.get(operations[0][0]) == wanted:
            return
        stack: list[int] = []
        for code, immediate in operations:
            stack.append(self.operation_type(code, immediate, stack, globals_end, expression.start))
        if len(stack) != 1 or not value_type_matches(self.module.types, stack[0], wanted):
            required = value_types_text((wanted,))
            found = value_types_text(tuple(stack))
            raise ValidationError(f"type mismatch: constant expression requires {required} but stack has {found}", expression.start)

    def operation_type(self, code: int, immediate: Immediate, stack: list[int], globals_end: int, offset: int) -> int:
        """Result type of one instruction, whose operands are popped."""
        if code in _CONSTANT_TYPES:
            return _CONSTANT_TYPES[code]
        if code == _GLOBAL_GET and isinstance(immediate, int):
            return self.global_type(immediate, globals_end, offset)
        if code == _REF_NULL and isinstance(immediate, int):
            return immediate
        if code == _REF_FUNC and isinstance(immediate, int):
            self.check_function(immediate, offset)
            if "function_references" not in self.features:
                return FUNCREF
            return (self.module.function_type_index(immediate) + 16) << 3 | REFERENCE
        opcode = OPCODES[code]
        if opcode.params is None or opcode.results is None:
            raise ValidationError(f"constant expression with {opcode.name} is not supported yet", offset)
        found = stack[-len(opcode.params) :]
        if tuple(found) != opcode.params:
            required = value_types_text(opcode.params)
            raise ValidationError(f"type mismatch: instruction requires {required} but stack has {value_types_text(tuple(found))}", offset)
        del stack[-len(opcode.params) :]
        return opcode.results[0] if opcode.results else BOTTOM

    def global_type(self, index: int, globals_end: int, offset: int) -> int:
        """Type of a global that a constant expression reads."""
        module = self.module
        if index >= len(module.globals) or index >= globals_end:
            raise ValidationError(f"unknown global {index}", offset)
        item = module.globals[index]
        if item.type.mutable or ("gc" not in self.features and item.init is not None):
            raise ValidationError(f"constant expression required, global {index} is not an immutable import", offset)
        return item.type.value

"""Instructions of the type checker that are not blocks or branches and are not checked by signature alone."""

from __future__ import annotations

from wasmcore._native import i64, read_i32_le, read_i64_le, vec, write_i64_le
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.reader import unsigned_rest
from wasmcore.errors import DecodeError
from wasmcore.proposals import illegal_opcode
from wasmcore.validation.control import RESULT_COUNT, RESULTS, Control
from wasmcore.validation.declared import declared_functions
from wasmcore.validation.signatures import packed_signatures

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_I32: Final = 1
_I64: Final = 2
_V128: Final = 5
_FUNCREF: Final = 6
_REFERENCE: Final = 7
_HEAP_CONCRETE: Final = 16

# Kinds of immediates (`wasmcore.opcodes.Immediates`).
MEMORY_ACCESS: Final = 1
I32: Final = 2
I64: Final = 3
F32: Final = 4
F64: Final = 5
LANE: Final = 6
MEMORY_ACCESS_LANE: Final = 7
V128: Final = 8
SHUFFLE: Final = 9

_OP_SELECT: Final = 0x1B
_OP_TABLE_FUNCTION: Final = 0x7F2
_CALL_INDIRECT: Final = 0x11
_CALL_REF: Final = 0x14
_RETURN_CALL_REF: Final = 0x15
_EXTENDED: Final = 0x80000000
_USES_MEMORY: Final = 2
_LANE_SHIFT: Final = 10
_ATOMIC_WAIT64: Final = 0x602
_ATOMIC_FENCE: Final = 0x603


def class_of(value_type: i64) -> i64:
    """Machine class of a value type."""
    kind = value_type & 7
    if kind == _REFERENCE:
        return _FUNCREF
    return kind


class Instructions(Control):
    """The index spaces of a module, and the instructions that use them."""

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        super().__init__(module, features)
        self.signatures: Final = vec[i64](packed_signatures(features))
        self.function_types: Final = module.function_types
        self.function_count: i64 = module.function_count
        self.globals: Final = vec[i64]([item.type.value << 1 | item.type.mutable for item in module.globals])
        self.tables: Final = vec[i64]([item.type.element << 1 | item.type.limits.index64 for item in module.tables])
        memories = [_I64 if item.type.limits.index64 else _I32 for item in module.memories]
        self.memories: Final = vec[i64](memories)
        self.elements: Final = vec[i64]([item.type for item in module.elements])
        self.data_count: i64 = -1 if module.data_count is None else module.data_count
        self.plain_memory: i64 = 1 if memories[:1] == [_I32] else 0
        self.declared: frozenset[int] | None = None
        self.memory: i64 = 0
        self.offset: i64 = 0
        self.written_tables: Final[set[int]] = set()
        """Tables that reachable code of the functions whose streams were written may change."""
        self.alignment: i64 = 0

    # Index spaces

    def type_of_function(self, index: i64) -> i64:
        """Type index of a function."""
        if index >= self.function_count:
            raise self.invalid(f"unknown function {index}")
        return i64(read_i32_le(self.function_types, 4 * index))

    def table(self, index: i64) -> i64:
        """Element type of a table, shifted, with the bit of 64-bit indices."""
        if index >= len(self.tables):
            raise self.invalid(f"unknown table {index}")
        return self.tables[index]

    def table_index_type(self, index: i64) -> i64:
        """Type of the indices of a table."""
        return _I64 if self.table(index) & 1 else _I32

    def memory_type(self, index: i64) -> i64:
        """Type of the addresses of a memory."""
        if index >= len(self.memories):
            raise self.invalid(f"unknown memory {index}")
        return self.memories[index]

    def memory_index(self) -> i64:
        """Read the index of a memory."""
        start = self.position
        index = self.u32()
        if index and "multi_memory" not in self.features:
            raise DecodeError("zero byte expected", start)
        return index

    def table_index(self) -> i64:
        """Read the index of a table."""
        start = self.position
        index = self.u32()
        if index and "reference_types" not in self.features:
            raise DecodeError("zero byte expected", start)
        return index

    def check_data_segment(self, index: i64) -> None:
        """Refuse the index of a data segment that does not exist."""
        if self.data_count < 0:
            raise DecodeError("data count section required", self.at)
        if index >= self.data_count:
            raise self.invalid(f"unknown data segment {index}")

    def element_segment(self, index: i64) -> i64:
        """Type of an element segment."""
        if index >= len(self.elements):
            raise self.invalid(f"unknown elem segment {index}")
        return self.elements[index]

    # Instructions with a signature

    def memory_access(self, signature: i64) -> i64:
        """Read where a load or store goes into `memory` and `offset`; the signature for that memory."""
        flags = self.u32()
        self.memory = 0
        if flags >= 64:
            if flags >= 128 or "multi_memory" not in self.features:
                raise DecodeError("malformed memop flags", self.at)
            self.memory = self.u32()
            flags -= 64
        address = self.memory_type(self.memory)
        if flags > (signature >> 20) & 15:
            raise self.invalid("alignment must not be larger than natural")
        self.alignment = flags
        if address == _I32:
            self.offset = self.u32_offset()
            return signature
        reader = self.reader_here()
        offset = reader.u64()
        self.position = reader.position
        self.offset = offset if offset < 0x8000000000000000 else offset - 0x10000000000000000
        place: i64 = 4
        while (signature >> (place + 4)) & 15:
            place += 4
        return signature + ((address - _I32) << place)

    def u32_offset(self) -> i64:
        """Read the offset of an access to a memory with 32-bit addresses; it is encoded as 64 bits."""
        value: i64 = self.data[self.position]
        self.position += 1
        if value >= 128:
            value, self.position = unsigned_rest(self.data, self.position, value, 64)
            if value < 0 or value >> 32:
                raise self.invalid("offset out of range")
        return value

    def signature_mismatch(self, signature: i64, left: i64) -> None:
        """Raise for operands that do not fit a signature; the bits of the operands from the wrong one on are `left`."""
        wanted: list[int] = []
        operands = (signature >> 4) & 0xFFFF
        popped: i64 = 0
        while operands:
            wanted.insert(0, operands & 15)
            popped += 1
            operands >>= 4
        while left:
            popped -= 1
            left >>= 4
        self.sp += popped
        raise self.mismatch(wanted, self.top_types(len(wanted)))

    def by_signature(self, code: i64, signature: i64) -> None:
        """An instruction that its signature describes."""
        kind = signature >> 24
        if kind:
            signature = self.immediate(code, kind, signature)
        elif self.live:
            write_i64_le(self.buffer, code)
        operands = (signature >> 4) & 0xFFFF
        while operands:
            if self.sp > self.height:
                self.sp -= 1
                found = self.stack[self.sp]
                if found != operands & 15 and found != 0:
                    self.sp += 1
                    self.signature_mismatch(signature, operands)
            elif self.unreachable == 0:
                self.signature_mismatch(signature, operands)
            operands >>= 4
        if signature & 15:
            self.push(signature & 15)

    def immediate(self, code: i64, kind: i64, signature: i64) -> i64:
        """Read the immediate of such an instruction and write its record; the signature, by the memory it accesses."""
        if kind == MEMORY_ACCESS or kind == MEMORY_ACCESS_LANE:
            signature = self.memory_access(signature)
            flags = self.memory
            if kind == MEMORY_ACCESS_LANE:
                flags |= self.lane(16 >> ((signature >> 20) & 15)) << _LANE_SHIFT
            if self.live:
                self.access_record(code, flags)
        elif kind == LANE:
            shift = (signature >> 20) & 15
            lanes: i64 = 1
            lane = self.lane(lanes << shift)
            if self.live:
                self.record(code, 0, lane)
        elif kind == V128 or kind == SHUFFLE:
            self.vector(code, kind)
        else:
            value = self.constant(kind)
            if self.live:
                self.value_record(code, 0, value)
        return signature

    def constant(self, kind: i64) -> i64:
        """Read a numeric constant; floats as their bits."""
        if kind == I32:
            return self.signed(32)
        if kind == I64:
            return self.signed(64)
        start = self.position
        if kind == F32:
            self.position = start + 4
            return i64(read_i32_le(self.data, start)) & 0xFFFFFFFF
        self.position = start + 8
        return read_i64_le(self.data, start)

    def lane(self, lanes: i64) -> i64:
        """Read the number of a lane."""
        lane = self.byte()
        if lane >= lanes:
            raise self.invalid(f"invalid lane index {lane}, there are {lanes} lanes")
        return lane

    def access_record(self, code: i64, flags: i64) -> None:
        """The record of a load or store."""
        if self.memory == 0:
            self.flags |= _USES_MEMORY
        self.value_record(code, flags, self.offset)

    def vector(self, code: i64, kind: i64) -> None:
        """`v128.const` and `i8x16.shuffle`."""
        start = self.position
        low = read_i64_le(self.data, start)
        high = read_i64_le(self.data, start + 8)
        self.position = start + 16
        if kind == SHUFFLE:
            while start < self.position:
                lane: i64 = self.data[start]
                if lane >= 32:
                    raise self.invalid(f"invalid lane index {lane}, there are 32 lanes")
                start += 1
        if self.live:
            self.long_record(code, 0, 0, low)
            write_i64_le(self.buffer, high)

    # Calls

    def call_types(self, type_index: i64) -> None:
        """Pop the parameters and push the results of a function type."""
        self.pop_run(self.run_param_offset(type_index), self.run_param_count(type_index))
        self.push_run(self.run_result_offset(type_index), self.run_result_count(type_index))

    def call(self) -> None:
        """`call`."""
        index = self.u32()
        type_index = self.type_of_function(index)
        if self.live:
            self.record(0x10, 0, index)
            self.count_call()
        self.call_types(type_index)

    def callee_of_table(self, operation: i64) -> i64:
        """The immediates of `call_indirect` and `return_call_indirect`, and their operand, the index; the type index."""
        type_index = self.u32()
        self.require_function_type(type_index)
        index = self.table_index()
        if not self.matches(self.table(index) >> 1, _FUNCREF):
            raise self.invalid("type mismatch: instruction requires a table of function references")
        self.pop(self.table_index_type(index))
        if self.live:
            if self.module.types[type_index].final:
                self.record(operation, index, type_index)
            else:
                self.record(_OP_TABLE_FUNCTION, index, type_index)
                self.record(_CALL_REF if operation == _CALL_INDIRECT else _RETURN_CALL_REF, 0, type_index)
            self.count_call()
        return type_index

    def tail_call_types(self, type_index: i64) -> None:
        """Pop the parameters of a function whose results become those of the caller."""
        frames = self.frames
        results = self.run_result_offset(type_index)
        count = self.run_result_count(type_index)
        if not self.same_runs(results, count, frames[RESULTS], frames[RESULT_COUNT]):
            raise self.mismatch(self.run(frames[RESULTS], frames[RESULT_COUNT]), self.run(results, count))
        self.pop_run(self.run_param_offset(type_index), self.run_param_count(type_index))
        self.set_unreachable()

    def tail_call(self) -> None:
        """`return_call`."""
        index = self.u32()
        type_index = self.type_of_function(index)
        if self.live:
            self.record(0x12, 0, index)
            self.count_call()
        self.tail_call_types(type_index)

    # Parametric instructions, globals, references

    def drop(self) -> None:
        """`drop`."""
        value_type = self.pop_any()
        if self.live:
            self.record(0x1A, class_of(value_type), 0)

    def select(self) -> None:
        """`select` without a type."""
        self.pop(_I32)
        second = self.pop_any()
        first = self.pop_any()
        if first > _V128 or second > _V128:
            raise self.invalid("type mismatch: select without a type requires numbers or vectors")
        if first != second and first != 0 and second != 0:
            raise self.mismatch([first, first, _I32], [first, second, _I32])
        value_type = second if first == 0 else first
        if self.live:
            self.record(_OP_SELECT, value_type, 0)
        self.push(value_type)

    def select_type(self) -> None:
        """`select` with a type."""
        if self.u32() != 1:
            raise self.invalid("invalid result arity")
        value_type = self.value_types[self.value_type_run()]
        self.pop(_I32)
        self.pop(value_type)
        self.pop(value_type)
        if self.live:
            self.record(_OP_SELECT, class_of(value_type), 0)
        self.push(value_type)

    def global_(self, operation: i64) -> None:
        """`global.get` and `global.set`."""
        index = self.u32()
        if index >= len(self.globals):
            raise self.invalid(f"unknown global {index}")
        packed = self.globals[index]
        value_type = packed >> 1
        if self.live:
            self.record(operation, class_of(value_type), index)
        if operation == 0x23:
            self.push(value_type)
            return
        if not packed & 1:
            raise self.invalid(f"immutable global: global {index} can not be set")
        self.pop(value_type)

    def reference_null(self) -> None:
        """`ref.null`."""
        reader = self.reader_here()
        heap_type = reader.heap_type()
        self.position = reader.position
        if self.live:
            self.record(0xD0, 0, 0)
        self.push(heap_type << 3 | _FUNCREF)

    def reference_is_null(self) -> None:
        """`ref.is_null`."""
        value_type = self.pop_any()
        if value_type and value_type < _FUNCREF:
            raise self.mismatch([_FUNCREF], [value_type])
        if self.live:
            self.record(0xD1, 0, 0)
        self.push(_I32)

    def reference_function(self) -> None:
        """`ref.func`."""
        index = self.u32()
        type_index = self.type_of_function(index)
        declared = self.declared
        if declared is None:
            declared = declared_functions(self.module)
            self.declared = declared
        if index not in declared:
            raise self.invalid(f"undeclared function reference: function {index} is in no segment, global or export")
        if self.live:
            self.record(0xD2, 0, index)
        if "function_references" in self.features:
            self.push((type_index + _HEAP_CONCRETE) << 3 | _REFERENCE)
        else:
            self.push(_FUNCREF)

    # Memories and tables

    def memory_size(self, operation: i64) -> None:
        """`memory.size` and `memory.grow`."""
        index = self.memory_index()
        address = self.memory_type(index)
        if operation == 0x40:
            self.pop(address)
        if self.live:
            self.record(operation, 0, index)
            if operation == 0x40:
                self.count_call()
        self.push(address)

    def table_access(self, operation: i64) -> None:
        """`table.get` and `table.set`."""
        index = self.u32()
        element = self.table(index) >> 1
        if operation == 0x26:
            self.pop(element)
        self.pop(self.table_index_type(index))
        if self.live:
            self.record(operation, 0, index)
            if operation == 0x26:
                self.written_tables.add(index)
        if operation == 0x25:
            self.push(element)

    def bulk(self, operation: i64) -> None:
        """Instructions on ranges of memories and tables."""
        if operation < 0x10C:
            self.bulk_memory(operation)
        elif operation < 0x10F:
            self.bulk_table(operation)
        else:
            self.table_size(operation)

    def bulk_memory(self, operation: i64) -> None:
        """`memory.init`, `data.drop`, `memory.copy`, `memory.fill`."""
        segment: i64 = 0
        source: i64 = 0
        if operation <= 0x109:
            segment = self.u32()
        if operation == 0x109:
            self.check_data_segment(segment)
            if self.live:
                self.record(operation, 0, segment)
                self.count_call()
            return
        memory = self.memory_index()
        address = self.memory_type(memory)
        if operation == 0x108:
            self.check_data_segment(segment)
        if operation == 0x10A:
            source = self.memory_index()
            from_type = self.memory_type(source)
            self.pop(address if address < from_type else from_type)
            self.pop(from_type)
        elif operation == 0x10B:
            self.pop(address)
            self.pop(_I32)
        else:
            self.pop(_I32)
            self.pop(_I32)
        self.pop(address)
        if self.live:
            self.bulk_memory_record(operation, segment, memory, source)

    def bulk_memory_record(self, operation: i64, segment: i64, memory: i64, source: i64) -> None:
        """The record of an instruction on a range of a memory."""
        if operation == 0x108:
            self.record(operation, memory, segment)
            self.count_call()
        else:
            self.record(operation, source, memory)
        if memory == 0 or (operation == 0x10A and source == 0):
            self.flags |= _USES_MEMORY

    def bulk_table(self, operation: i64) -> None:
        """`table.init`, `elem.drop`, `table.copy`."""
        if operation == 0x10D:
            segment = self.u32()
            self.element_segment(segment)
            if self.live:
                self.record(operation, 0, segment)
                self.count_call()
            return
        other: i64
        other_type: i64
        table: i64
        if operation == 0x10C:
            other = self.u32()
            table = self.u32()
            self.table(table)
            other_type = self.element_segment(other)
        else:
            table = self.u32()
            other = self.u32()
            other_type = self.table(other) >> 1
        if not self.matches(other_type, self.table(table) >> 1):
            raise self.mismatch([self.table(table) >> 1], [other_type])
        index_type = self.table_index_type(table)
        from_type: i64 = _I32 if operation == 0x10C else self.table_index_type(other)
        self.pop(index_type if index_type < from_type else from_type)
        self.pop(from_type)
        self.pop(index_type)
        if self.live:
            if operation == 0x10C:
                self.record(operation, table, other)
            else:
                self.record(operation, other, table)
            self.written_tables.add(table)
            self.count_call()

    def table_size(self, operation: i64) -> None:
        """`table.grow`, `table.size`, `table.fill`."""
        index = self.u32()
        element = self.table(index) >> 1
        index_type = self.table_index_type(index)
        if operation == 0x10F:
            self.pop(index_type)
            self.pop(element)
        elif operation == 0x111:
            self.pop(index_type)
            self.pop(element)
            self.pop(index_type)
        if self.live:
            self.record(operation, 0, index)
            if operation != 0x110:
                self.written_tables.add(index)
                self.count_call()
        if operation != 0x111:
            self.push(index_type)

    def wide_arithmetic(self, operation: i64) -> None:
        """128-bit arithmetic on pairs of i64."""
        operands: i64 = 4 if operation < 0x115 else 2
        while operands:
            operands -= 1
            self.pop(_I64)
        if self.live:
            self.record(operation, 0, 0)
        self.reserve(2)
        self.push(_I64)
        self.push(_I64)

    # Atomic instructions

    def check_atomic(self, code: i64, signature: i64) -> None:
        """What an atomic access has beside its signature."""
        if self.alignment != (signature >> 20) & 15:
            raise self.invalid("atomic alignment must be natural")
        if code <= _ATOMIC_WAIT64 and self.live:
            self.count_call()

    def fence(self) -> None:
        """`atomic.fence`."""
        if self.byte():
            raise DecodeError("zero byte expected", self.position - 1)
        if self.live:
            self.record(_ATOMIC_FENCE, 0, 0)

    def refuse(self, byte: i64, number: i64) -> None:
        """Raise for an opcode that does not exist or is not enabled; the number behind a prefix is -1 where there is none."""
        raise DecodeError(illegal_opcode(byte, number, self.features), self.at)

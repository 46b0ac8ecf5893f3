"""The encoder of macro records: one call per unit, bytes to bytes. The records: `wasmcore_singlepass.records`."""

from __future__ import annotations

from wasmcore_x86_64._native import BytesWriter, append, i32, i64, read_i64_le, u8, vec, write_i32_le
from wasmcore_x86_64.assembler import instructions as x
from wasmcore_x86_64.singlepass.atomics import CALL_REFERENCE, AtomicEncoder
from wasmcore_x86_64.singlepass.frame import (
    BASE_REGISTER,
    BUILTIN_MEMMOVE,
    BUILTIN_MEMSET,
    CONTEXT_REGISTER,
    FLOAT_SCRATCH,
    FUNCREF_CODE,
    FUNCREF_CONTEXT,
    FUNCREF_TYPE_ID,
    OVERFLOW_OFFSET,
    OVERFLOW_SLOT,
    SCRATCH,
    STORE_STACK_LIMIT,
    TRAP_INDIRECT_CALL_TYPE_MISMATCH,
    TRAP_MEMORY_OUT_OF_BOUNDS,
    TRAP_NULL_REFERENCE,
    TRAP_STACK_OVERFLOW,
    TRAP_TABLE_OUT_OF_BOUNDS,
    TRAP_UNDEFINED_ELEMENT,
    TRAP_UNINITIALIZED_ELEMENT,
    VMCONTEXT_TYPE_IDS,
    signed32,
)
from wasmcore_x86_64.singlepass.vectors import VECTOR_CONSTANT, VECTOR_SHUFFLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

MOVE: Final = 1
CONSTANT: Final = 2
LOAD_SLOT: Final = 3
STORE_SLOT: Final = 4
STORE_SLOT_CONSTANT: Final = 5
COPY_SLOT: Final = 6
ALU: Final = 7
ALU_CONSTANT: Final = 8
ALU_SLOT: Final = 9
SHIFT: Final = 10
SHIFT_CONSTANT: Final = 11
DIVIDE: Final = 12
UNARY: Final = 13
COMPARE: Final = 14
COMPARE_CONSTANT: Final = 15
COMPARE_SLOT: Final = 16
TEST: Final = 17
FLOAT_COMPARE: Final = 18
JUMP_IF: Final = 19
SET_IF: Final = 20
SELECT_IF: Final = 21
FLOAT_SELECT_IF: Final = 22
JUMP: Final = 23
LABEL: Final = 24
POLL: Final = 25
BRANCH_TABLE: Final = 26
BRANCH_TARGET: Final = 27
TRAP: Final = 28
LOAD: Final = 29
STORE: Final = 30
STORE_CONSTANT: Final = 31
FLOAT_LOAD: Final = 32
FLOAT_STORE: Final = 33
MEMORY_BASE: Final = 34
MEMORY_ADDRESS: Final = 35
TABLE_ADDRESS: Final = 36
LOAD_CONTEXT: Final = 37
STORE_CONTEXT: Final = 38
FLOAT_LOAD_CONTEXT: Final = 39
FLOAT_STORE_CONTEXT: Final = 40
CONTEXT_ADDRESS: Final = 41
LOAD_OVERFLOW: Final = 42
STORE_OVERFLOW: Final = 43
FLOAT_LOAD_OVERFLOW: Final = 44
FLOAT_STORE_OVERFLOW: Final = 45
PROLOGUE: Final = 46
RETURN: Final = 47
END: Final = 48
CALL: Final = 49
CALL_IMPORT: Final = 50
CALL_INDIRECT: Final = 51
CALL_BUILTIN: Final = 52
MEMORY_COPY: Final = 53
MEMORY_FILL: Final = 54
FLOAT_MOVE: Final = 55
FLOAT_CONSTANT: Final = 56
FLOAT_LOAD_SLOT: Final = 57
FLOAT_STORE_SLOT: Final = 58
FLOAT_ALU: Final = 59
FLOAT_ALU_SLOT: Final = 60
FLOAT_ALU_CONSTANT: Final = 61
FLOAT_UNARY: Final = 62
FLOAT_FROM_INTEGER: Final = 63
FLOAT_TO_INTEGER: Final = 64
FLOAT_CONVERT: Final = 65
BITS_TO_FLOAT: Final = 66
FLOAT_TO_BITS: Final = 67
POSITION: Final = 68
ZERO_SLOTS: Final = 69

_EXTENDED: Final = 0x80
_HIGH_HALF: Final = 2
_SECOND_WORD: Final = 4
_ABSOLUTE: Final = 32
_KIND_MASK: Final = 31
_BYTES_MASK: Final = 31
_CHECKED: Final = 32
_INDEX64: Final = 64
_TAIL: Final = 1
_FRAME_CALLS: Final = 1
_FRAME_POLLS: Final = 2
_FRAME_VECTORS: Final = 4
_PAGE: Final = 4096
_ALIGNMENT_MASK: Final = 15
_LOOP_ALIGNMENT: Final = 32
_PADDING: Final = 0xCC
"""What stands between functions: a breakpoint."""


def _numbers(items: list[int]) -> vec[i64]:
    result: vec[i64] = vec[i64]()
    for item in items:
        result = append(result, i64(item))
    return result


_LOADS: Final = _numbers(
    [x.MOV, x.MOV, 0, 0, x.MOVSX8, x.MOVZX8, x.MOVSX16, x.MOVZX16, x.MOVSX8, x.MOVZX8, x.MOVSX16, x.MOVZX16, x.MOVSXD, x.MOV]
)
_LOADS_WIDE: Final = b"\x00\x01\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01\x00"
_STORES: Final = _numbers([x.MOV_STORE, x.MOV_STORE, 0, 0, x.MOV_STORE8, x.MOV_STORE16, x.MOV_STORE8, x.MOV_STORE16, x.MOV_STORE])


class Encoder(AtomicEncoder):
    """Encodes the functions of a unit; `extents`, `traps` and `positions` hold the tables of the last one."""

    def encode_unit(self, functions: list[bytes]) -> bytes:
        """The code of the functions with these records, one behind the other."""
        unit = BytesWriter()
        extents = self.extents
        extents.truncate(0)
        self.traps.truncate(0)
        self.positions.truncate(0)
        for records in functions:
            start: i64 = len(unit)
            self.encode(records, start)
            code = self.code()
            unit.write(code)
            write_i32_le(extents, i32(signed32(start)))
            write_i32_le(extents, i32(signed32(i64(len(code)))))
            while i64(len(unit)) & _ALIGNMENT_MASK:
                unit.append(_PADDING)
        return unit.getvalue()

    def tables(self) -> tuple[bytes, bytes, bytes]:
        """Extents (offset and size of each function), trap table and address map of the last unit (see
        `wasmcore.plugin.code.CompiledCode`)."""
        return self.extents.getvalue(), self.traps.getvalue(), self.positions.getvalue()

    def encode(self, records: bytes, code_base: i64) -> None:
        """Encode one function that will stand at `code_base` in its unit."""
        self.begin_function(code_base)
        self.flags_position = -1
        position: i64 = 0
        end = i64(len(records))
        while position < end:
            word = read_i64_le(records, position)
            position += 8
            immediate = word >> 32
            constant = immediate
            if word & _EXTENDED:
                constant = read_i64_le(records, position)
                position += 8
            operation = word & 0x7F
            size = (word >> 8) & 0x7F
            d = (word >> 15) & 31
            a = (word >> 20) & 31
            b = (word >> 25) & 31
            self.scale = (word >> 30) & 3
            if operation < LABEL:
                self.integer_record(operation, size, d, a, b, immediate, constant)
            elif operation < CONTEXT_ADDRESS:
                self.memory_record(operation, size, d, a, b, immediate, constant)
            elif operation < FLOAT_MOVE:
                self.frame_record(operation, size, d, a, immediate, constant)
            elif operation < VECTOR_CONSTANT:
                self.float_record(operation, size, d, a, b, immediate, constant)
            elif operation == VECTOR_CONSTANT or operation == VECTOR_SHUFFLE:
                high = read_i64_le(records, position)
                position += 8
                self.vector_record(operation, size, d, a, b, immediate, constant, high)
            elif operation < VECTOR_SHUFFLE:
                self.vector_record(operation, size, d, a, b, immediate, constant, 0)
            elif operation == CALL_REFERENCE:
                self.call_reference(a, size & _TAIL)
            else:
                self.late_record(operation, size, d, a, b, immediate)

    def label_number(self, label: i64) -> i64:
        """A label of records; it exists from now on."""
        if label >= self.labels:
            self.new_labels(label + 1 - self.labels)
        return label

    # Integers, comparisons, jumps

    def integer_record(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, constant: i64) -> None:
        """Operations below LABEL."""
        wide = size & 1
        if operation < ALU:
            if operation == MOVE:
                self.reg_reg(x.MOV, wide, d, a)
            elif operation == LOAD_SLOT:
                self.reg_mem(x.MOV, wide, d, x.RBP, self.slot(immediate))
            elif operation == STORE_SLOT:
                self.reg_mem(x.MOV_STORE, wide, a, x.RBP, self.slot(immediate))
            elif operation == CONSTANT:
                self.integer_constant(wide, d, constant)
            elif operation == STORE_SLOT_CONSTANT:
                at = self.slot(immediate) + 2 * (size & (_HIGH_HALF | _SECOND_WORD))
                self.reg_mem(x.MOV_IMMEDIATE, wide, 0, x.RBP, at)
                self.imm32(constant)
            else:
                self.copy_slot(immediate, constant)
        elif operation < COMPARE:
            if operation == ALU:
                self.alu(wide, size >> 1, d, a, b)
            elif operation == ALU_CONSTANT:
                self.alu_constant(wide, size >> 1, d, a, immediate)
            elif operation == ALU_SLOT:
                self.alu_slot(wide, size >> 1, d, a, immediate)
            elif operation == SHIFT_CONSTANT:
                self.shift_constant(wide, size >> 1, d, a, immediate)
            elif operation == SHIFT:
                self.shift_by(wide, size >> 1, d, a, b)
            elif operation == UNARY:
                self.integer_unary(wide, size >> 1, d, a)
            else:
                self.divide(wide, size >> 1, b)
        elif operation < JUMP_IF:
            if operation == COMPARE:
                self.reg_reg(x.CMP, wide, a, b)
            elif operation == COMPARE_CONSTANT:
                self.alu_imm(x.DIGIT_CMP, wide, a, immediate)
            elif operation == TEST:
                self.compare_with_zero(wide, a, b)
            elif operation == COMPARE_SLOT:
                self.reg_mem(x.CMP, wide, a, x.RBP, self.slot(immediate))
            else:
                self.reg_reg(x.UCOMISD if wide else x.UCOMISS, 0, a, b)
        elif operation == JUMP_IF:
            self.jump_on(size, self.label_number(immediate))
        elif operation == JUMP:
            self.jump_near(self.label_number(immediate))
        elif operation == SET_IF:
            self.set_on(size, d)
        elif operation == SELECT_IF:
            self.select_on(wide, size >> 1, d, a, b)
        else:
            self.select_float_on(size >> 1, d, a, b)

    def copy_slot(self, to: i64, source: i64) -> None:
        """Copy a whole slot."""
        if self.slot_bytes == 16:
            self.reg_mem(x.MOVAPS, 0, FLOAT_SCRATCH, x.RBP, self.slot(source))
            self.reg_mem(x.MOVAPS_STORE, 0, FLOAT_SCRATCH, x.RBP, self.slot(to))
        else:
            self.load(SCRATCH, x.RBP, self.slot(source))
            self.store(x.RBP, self.slot(to), SCRATCH)

    def integer_constant(self, wide: i64, d: i64, value: i64) -> None:
        """d = value; an i32 is zero-extended."""
        if value == 0:
            self.zero(d)
        elif wide:
            self.mov_imm(d, value)
        else:
            self.mov_imm(d, value & 0xFFFFFFFF)

    # Labels, memories, tables, the context

    def memory_record(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, constant: i64) -> None:
        """Operations from LABEL to FLOAT_STORE_CONTEXT."""
        if operation < LOAD:
            if operation == LABEL:
                if size:
                    self.skip(-(self.code_base + i64(len(self.buffer))) & (_LOOP_ALIGNMENT - 1))
                self.bind(self.label_number(immediate))
                self.flags_position = -1
            elif operation == POLL:
                self.load(SCRATCH, CONTEXT_REGISTER, 0)
                self.poll()
            elif operation == BRANCH_TABLE:
                self.branch_table(a, immediate)
            elif operation == BRANCH_TARGET:
                self.distance(self.label_number(immediate))
            else:
                self.trap(size)
        elif operation < MEMORY_BASE:
            kind = size & _KIND_MASK
            absolute = size & _ABSOLUTE
            if operation == LOAD:
                self.access(self.load_instruction(kind), i64(_LOADS_WIDE[kind]), d, absolute, a, constant)
            elif operation == STORE:
                self.access(_STORES[kind], 1 if kind == 1 else 0, b, absolute, a, constant)
            elif operation == STORE_CONSTANT:
                self.store_constant(kind, absolute, a, immediate, constant)
            elif operation == FLOAT_LOAD:
                self.access(x.MOVSS if kind == 2 else x.MOVSD, 0, d, absolute, a, constant)
            else:
                self.access(x.MOVSS_STORE if kind == 2 else x.MOVSD_STORE, 0, b, absolute, a, constant)
        elif operation == MEMORY_BASE:
            self.load(BASE_REGISTER, CONTEXT_REGISTER, immediate)
        elif operation == MEMORY_ADDRESS:
            self.memory_address(size, d, a, immediate, constant)
        elif operation == TABLE_ADDRESS:
            self.reg_mem(x.CMP, 1, a, CONTEXT_REGISTER, immediate + 8)
            self.trap_if(x.ABOVE_EQUAL, TRAP_TABLE_OUT_OF_BOUNDS)
            self.load(SCRATCH, CONTEXT_REGISTER, immediate)
            self.reg_index(x.LEA, 1, d, SCRATCH, a, 3, 0)
        elif operation == LOAD_CONTEXT:
            self.reg_mem(x.MOV, size & 1, d, CONTEXT_REGISTER, immediate)
        elif operation == STORE_CONTEXT:
            self.reg_mem(x.MOV_STORE, size & 1, a, CONTEXT_REGISTER, immediate)
        elif operation == FLOAT_LOAD_CONTEXT:
            self.reg_mem(x.MOVSD if size & 1 else x.MOVSS, 0, d, CONTEXT_REGISTER, immediate)
        else:
            self.reg_mem(x.MOVSD_STORE if size & 1 else x.MOVSS_STORE, 0, a, CONTEXT_REGISTER, immediate)

    def load_instruction(self, kind: i64) -> i64:
        """The instruction of an integer load."""
        return _LOADS[kind]

    def store_constant(self, kind: i64, absolute: i64, a: i64, offset: i64, value: i64) -> None:
        """Store a constant."""
        if kind == 4 or kind == 6:
            self.access(x.MOV_IMMEDIATE8, 0, 0, absolute, a, offset)
            self.imm8(value)
        elif kind == 5 or kind == 7:
            self.access(x.MOV_IMMEDIATE16, 0, 0, absolute, a, offset)
            self.imm16(value)
        else:
            self.access(x.MOV_IMMEDIATE, 1 if kind == 1 else 0, 0, absolute, a, offset)
            self.imm32(value)

    def memory_address(self, size: i64, d: i64, a: i64, memory: i64, offset: i64) -> None:
        """d = machine address of a + offset in a memory, checked against its length if it is to be."""
        length = size & _BYTES_MASK
        if size & _INDEX64:
            self.mov_imm(SCRATCH, offset)
            self.reg_reg(x.ADD, 1, SCRATCH, a)
            self.trap_if(x.BELOW, TRAP_MEMORY_OUT_OF_BOUNDS)
            self.mov(d, SCRATCH)
            self.add_imm(SCRATCH, length)
            self.trap_if(x.BELOW, TRAP_MEMORY_OUT_OF_BOUNDS)
            self.check_length(memory)
        else:
            if 0 <= offset <= 0x7FFFFF00:
                if size & _CHECKED:
                    self.lea(SCRATCH, a, offset + length)
                    self.check_length(memory)
                self.lea(d, a, offset)
            else:
                self.mov_imm(SCRATCH, offset)
                self.reg_reg(x.ADD, 1, SCRATCH, a)
                self.mov(d, SCRATCH)
                if size & _CHECKED:
                    self.add_imm(SCRATCH, length)
                    self.check_length(memory)
        self.reg_mem(x.ADD, 1, d, CONTEXT_REGISTER, memory)

    def check_length(self, memory: i64) -> None:
        """Trap if the scratch register, the end of an access, is above the length of a memory."""
        self.reg_mem(x.CMP, 1, SCRATCH, CONTEXT_REGISTER, memory + 8)
        self.trap_if(x.ABOVE, TRAP_MEMORY_OUT_OF_BOUNDS)

    def branch_table(self, index: i64, targets: i64) -> None:
        """Jump through the distances that follow; an index that is too large takes the last."""
        self.mov_imm(SCRATCH, targets - 1)
        self.reg_reg(x.CMP, 0, index, SCRATCH)
        self.cmov(x.ABOVE, 0, index, SCRATCH)
        self.reg_mem(x.LEA, 1, SCRATCH, x.RBP, 0x1000)  # overwritten: the address of the table
        at = i64(len(self.buffer))
        self.buffer[at - 5] = u8(0x05 | ((SCRATCH & 7) << 3))
        self.reg_index(x.LEA, 1, SCRATCH, SCRATCH, index, 2, 0)
        self.reg_mem(x.MOVSXD, 1, index, SCRATCH, 0)
        self.reg_index(x.LEA, 1, SCRATCH, SCRATCH, index, 0, 4)
        self.jump_reg(SCRATCH)
        self.patch32(at - 4, i64(len(self.buffer)) - at)

    # Frame and calls

    def frame_record(self, operation: i64, size: i64, d: i64, a: i64, immediate: i64, constant: i64) -> None:
        """Operations from CONTEXT_ADDRESS to MEMORY_FILL."""
        if operation <= FLOAT_STORE_OVERFLOW:
            if operation == CONTEXT_ADDRESS:
                self.lea(d, CONTEXT_REGISTER, immediate)
            else:
                self.overflow_record(operation, size & 1, d, a, OVERFLOW_OFFSET + OVERFLOW_SLOT * immediate)
        elif operation == RETURN:
            self.leave()
            self.ret()
        elif operation == PROLOGUE:
            self.prologue(size, immediate)
        elif operation == END:
            self.write_cold_traps()
            self.write_constants()
        elif operation == CALL:
            if size & _TAIL:
                self.leave()
                self.jump_mem(CONTEXT_REGISTER, immediate + FUNCREF_CODE)
            else:
                self.call_mem(CONTEXT_REGISTER, immediate + FUNCREF_CODE)
                self.load(CONTEXT_REGISTER, x.RBP, -8)
        elif operation == CALL_IMPORT:
            self.load(SCRATCH, CONTEXT_REGISTER, immediate)
            self.call_funcref(SCRATCH, size & _TAIL)
        elif operation == CALL_INDIRECT:
            self.call_indirect(a, immediate, constant, size & _TAIL)
        elif operation == CALL_BUILTIN:
            self.call_table(immediate)
            self.load(CONTEXT_REGISTER, x.RBP, -8)
        elif operation == MEMORY_COPY:
            self.memory_copy(immediate, constant, size)
        else:
            self.memory_fill(immediate, size)

    def overflow_record(self, operation: i64, wide: i64, d: i64, a: i64, offset: i64) -> None:
        """Read or write the overflow area."""
        self.load(SCRATCH, CONTEXT_REGISTER, 0)
        if operation == LOAD_OVERFLOW:
            self.reg_mem(x.MOV, wide, d, SCRATCH, offset)
        elif operation == STORE_OVERFLOW:
            self.reg_mem(x.MOV_STORE, wide, a, SCRATCH, offset)
        elif operation == FLOAT_LOAD_OVERFLOW:
            self.reg_mem(x.MOVSD if wide else x.MOVSS, 0, d, SCRATCH, offset)
        else:
            self.reg_mem(x.MOVSD_STORE if wide else x.MOVSS_STORE, 0, a, SCRATCH, offset)

    def prologue(self, size: i64, slots: i64) -> None:
        """Make the frame; the stack may not go below the store's limit."""
        calls = size & _FRAME_CALLS
        if size & _FRAME_VECTORS:
            self.slot_bytes = 16
        self.saved_bytes = self.slot_bytes if calls else 0
        frame = (self.slot_bytes * slots + self.saved_bytes + 15) & ~15
        self.push(x.RBP)
        self.mov(x.RBP, x.RSP)
        self.load(SCRATCH, CONTEXT_REGISTER, 0)
        if frame < _PAGE:
            self.reg_mem(x.CMP, 1, x.RSP, SCRATCH, STORE_STACK_LIMIT)
        else:
            self.mov(x.RAX, x.RSP)
            self.sub_imm(x.RAX, frame)
            self.trap_if(x.BELOW, TRAP_STACK_OVERFLOW)
            self.reg_mem(x.CMP, 1, x.RAX, SCRATCH, STORE_STACK_LIMIT)
        self.trap_if(x.BELOW, TRAP_STACK_OVERFLOW)
        if frame:
            self.sub_imm(x.RSP, frame)
        if calls:
            self.store(x.RBP, -8, CONTEXT_REGISTER)
        if size & _FRAME_POLLS:
            self.poll()

    def call_funcref(self, funcref: i64, tail: i64) -> None:
        """Call the function of the record whose address is in a register."""
        self.load(CONTEXT_REGISTER, funcref, FUNCREF_CONTEXT)
        if tail:
            self.leave()
            self.jump_mem(funcref, FUNCREF_CODE)
        else:
            self.call_mem(funcref, FUNCREF_CODE)
            self.load(CONTEXT_REGISTER, x.RBP, -8)

    def call_indirect(self, index: i64, table: i64, type_index: i64, tail: i64) -> None:
        """Call a table's element after checking index, null and type."""
        self.reg_mem(x.CMP, 1, index, CONTEXT_REGISTER, table + 8)
        self.trap_if(x.ABOVE_EQUAL, TRAP_UNDEFINED_ELEMENT)
        self.load(SCRATCH, CONTEXT_REGISTER, table)
        self.reg_index(x.MOV, 1, index, SCRATCH, index, 3, 0)
        self.load(SCRATCH, CONTEXT_REGISTER, VMCONTEXT_TYPE_IDS)
        self.load32(SCRATCH, SCRATCH, 4 * type_index)
        if self.signals:
            self.trap_site(TRAP_UNINITIALIZED_ELEMENT)
        else:
            self.test(index, index)
            self.trap_if(x.EQUAL, TRAP_UNINITIALIZED_ELEMENT)
        self.reg_mem(x.CMP, 0, SCRATCH, index, FUNCREF_TYPE_ID)
        self.trap_if(x.NOT_EQUAL, TRAP_INDIRECT_CALL_TYPE_MISMATCH)
        self.call_funcref(index, tail)

    def call_reference(self, funcref: i64, tail: i64) -> None:
        """Call the function of a record, unless the reference is null."""
        if self.signals:
            self.trap_site(TRAP_NULL_REFERENCE)
        else:
            self.test(funcref, funcref)
            self.trap_if(x.EQUAL, TRAP_NULL_REFERENCE)
        self.call_funcref(funcref, tail)

    # Bulk memory

    def check_range(self, start: i64, memory: i64, index64: i64) -> None:
        """Trap unless `start` and rdx bytes from there are inside a memory."""
        self.reg_index(x.LEA, 1, SCRATCH, start, x.RDX, 0, 0)
        if index64:
            self.reg_reg(x.CMP, 1, SCRATCH, start)
            self.trap_if(x.BELOW, TRAP_MEMORY_OUT_OF_BOUNDS)
        self.check_length(memory)

    def memory_copy(self, to: i64, source: i64, size: i64) -> None:
        """memory.copy of rdx bytes from rsi to rdi."""
        self.check_range(x.RDI, to, size & 1)
        self.check_range(x.RSI, source, size & 2)
        self.reg_mem(x.ADD, 1, x.RDI, CONTEXT_REGISTER, to)
        self.reg_mem(x.ADD, 1, x.RSI, CONTEXT_REGISTER, source)
        self.call_table(BUILTIN_MEMMOVE)

    def memory_fill(self, memory: i64, size: i64) -> None:
        """memory.fill of rdx bytes at rdi with sil."""
        self.check_range(x.RDI, memory, size & 1)
        self.reg_mem(x.ADD, 1, x.RDI, CONTEXT_REGISTER, memory)
        self.call_table(BUILTIN_MEMSET)

    # Floats

    def float_record(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, constant: i64) -> None:
        """Operations from FLOAT_MOVE to ZERO_SLOTS."""
        wide = size & 1
        if operation < FLOAT_UNARY:
            if operation == FLOAT_MOVE:
                self.reg_reg(x.MOVAPS, 0, d, a)
            elif operation == FLOAT_LOAD_SLOT:
                self.reg_mem(x.MOVSD if wide else x.MOVSS, 0, d, x.RBP, self.slot(immediate))
            elif operation == FLOAT_STORE_SLOT:
                self.reg_mem(x.MOVSD_STORE if wide else x.MOVSS_STORE, 0, a, x.RBP, self.slot(immediate))
            elif operation == FLOAT_ALU:
                self.float_alu(wide, size >> 1, d, a, b)
            elif operation == FLOAT_CONSTANT:
                self.float_constant(wide, d, constant)
            elif operation == FLOAT_ALU_SLOT:
                self.reg_mem(self.float_arithmetic(wide, size >> 1, d, a), 0, d, x.RBP, self.slot(immediate))
            else:
                self.reg_constant(self.float_arithmetic(wide, size >> 1, d, a), 0, d, constant)
        elif operation == FLOAT_UNARY:
            self.float_unary(wide, size >> 1, d, a)
        elif operation == FLOAT_FROM_INTEGER:
            self.float_from_integer(wide, (size >> 1) & 1, size & 4, d, a)
        elif operation == FLOAT_TO_INTEGER:
            if size & 8:
                self.float_to_integer_saturating(wide, (size >> 1) & 1, size & 4, d, a)
            else:
                self.float_to_integer(wide, (size >> 1) & 1, size & 4, d, a)
        elif operation == FLOAT_CONVERT:
            self.float_convert(wide, d, a)
        elif operation == BITS_TO_FLOAT:
            self.reg_reg(x.MOVD, wide, d, a)
        elif operation == FLOAT_TO_BITS:
            self.reg_reg(x.MOVD_STORE, wide, a, d)
        elif operation == POSITION:
            self.word = immediate
            self.note_position(i64(len(self.buffer)), immediate)
        else:
            self.zero_slots(immediate, constant)

    def zero_slots(self, first: i64, count: i64) -> None:
        """Clear slots."""
        self.lea(x.RDI, x.RBP, self.slot(first + count - 1))
        self.mov_imm(x.RCX, count * (self.slot_bytes >> 3))
        self.zero(x.RAX)
        self.rep_stosq()

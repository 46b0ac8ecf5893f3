"""Macro records: what the compiler writes and a target encodes.

A record is one little-endian 8-byte word and, where bit 7 is set, one extension word (VECTOR_CONSTANT and VECTOR_SHUFFLE: two):

    bits  0-6   operation
    bit   7     extended
    bits  8-14  size: `WIDE` (64-bit integers, f64) and, above it, a variant
    bits 15-19  d: destination register
    bits 20-24  a: first source register
    bits 25-29  b: second source register
    bits 30-31  loads and stores: by how much a is shifted left first (not with `ABSOLUTE`, nor with an offset above 2**31 - 1)
    bits 32-63  immediate, signed 32 bits

The *constant* of a record is its extension word (64 bits, signed), or its immediate where there is none. Registers are hardware
numbers of the integer or of the float file, as the operation says; `NO_REGISTER` is none. Slots are 8-byte words of the frame,
numbered from 0; a slot of an i32 or f32 holds 32 bits. i32 values in registers are zero-extended, and every operation with a
32-bit result zero-extends it. The destination may be any source. Only comparisons set flags; the record behind a comparison is
the one that uses them.

Vectors live in the float file. In a frame with `FRAME_VECTORS` every slot is 16 bytes, aligned, and FLOAT_MOVE, FLOAT_SELECT_IF,
COPY_SLOT and ZERO_SLOTS concern whole registers and slots. The immediate of VECTOR_UNARY to VECTOR_SHUFFLE is

    bits  0-8   the instruction: opcode of the stream less 0x200
    bits  9-13  c: third source register
    bits 14-18  t: a float temporary to destroy, different from d, a, b and c, where the target's `VECTOR_TEMPORARIES` asks for one
    bits 24-31  lane, or shift count
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


EXTENDED: Final = 0x80
SCALE_SHIFT: Final = 30
NO_REGISTER: Final = 31
WIDE: Final = 1
HIGH_HALF: Final = 2
"""Bit of the size of STORE_SLOT_CONSTANT: 4 bytes further."""
SECOND_WORD: Final = 4
"""Bit of the size of STORE_SLOT_CONSTANT: 8 bytes further, in a slot of 16 bytes."""

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
VECTOR_CONSTANT: Final = 70
VECTOR_LOAD_SLOT: Final = 71
VECTOR_STORE_SLOT: Final = 72
VECTOR_LOAD_CONTEXT: Final = 73
VECTOR_STORE_CONTEXT: Final = 74
VECTOR_LOAD_OVERFLOW: Final = 75
VECTOR_STORE_OVERFLOW: Final = 76
VECTOR_LOAD: Final = 77
VECTOR_STORE: Final = 78
VECTOR_LOAD_LANE: Final = 79
VECTOR_STORE_LANE: Final = 80
VECTOR_UNARY: Final = 81
VECTOR_BINARY: Final = 82
VECTOR_TERNARY: Final = 83
VECTOR_SHIFT: Final = 84
VECTOR_SHIFT_CONSTANT: Final = 85
VECTOR_TO_INTEGER: Final = 86
VECTOR_FROM_INTEGER: Final = 87
VECTOR_REPLACE: Final = 88
VECTOR_SHUFFLE: Final = 89
CALL_REFERENCE: Final = 90
TRAP_IF: Final = 91
ALU_CARRY_OUT: Final = 92
ALU_CARRY_IN: Final = 93
MULTIPLY_WIDE: Final = 94
ATOMIC_UPDATE: Final = 95
ATOMIC_COMPARE_EXCHANGE: Final = 96
FENCE: Final = 97
ATOMIC_LOAD: Final = 98
ATOMIC_STORE: Final = 99

# Variants of ALU (above `WIDE`).
ADD: Final = 0
SUB: Final = 1
AND: Final = 2
OR: Final = 3
XOR: Final = 4
MUL: Final = 5
ADD_SHIFTED: Final = 5
"""More than this by 1, 2 or 3: a + (b << 1, 2 or 3). Of ALU only."""
# Variants of SHIFT.
SHL: Final = 0
SHR_S: Final = 1
SHR_U: Final = 2
ROTL: Final = 3
ROTR: Final = 4
# Variants of DIVIDE.
DIV_S: Final = 0
DIV_U: Final = 1
REM_S: Final = 2
REM_U: Final = 3
DIVISOR_SAFE: Final = 4
"""Added: the divisor is known to be neither 0 nor -1."""
# Variants of UNARY.
CLZ: Final = 0
CTZ: Final = 1
POPCNT: Final = 2
EXTEND8: Final = 3
EXTEND16: Final = 4
EXTEND32: Final = 5
# Variants of FLOAT_ALU.
FLOAT_ADD: Final = 0
FLOAT_SUB: Final = 1
FLOAT_MUL: Final = 2
FLOAT_DIV: Final = 3
FLOAT_MIN: Final = 4
FLOAT_MAX: Final = 5
FLOAT_COPYSIGN: Final = 6
# Variants of FLOAT_UNARY.
FLOAT_ABS: Final = 0
FLOAT_NEG: Final = 1
FLOAT_CEIL: Final = 2
FLOAT_FLOOR: Final = 3
FLOAT_TRUNC: Final = 4
FLOAT_NEAREST: Final = 5
FLOAT_SQRT: Final = 6
# Bits of the size of conversions between integers and floats.
FLOAT_WIDE: Final = 1
INTEGER_WIDE: Final = 2
UNSIGNED: Final = 4
SATURATING: Final = 8

# Variants of ATOMIC_UPDATE, above the logarithm of the bytes (two bits).
ATOMIC_ADD: Final = 0
ATOMIC_SUB: Final = 1
ATOMIC_AND: Final = 2
ATOMIC_OR: Final = 3
ATOMIC_XOR: Final = 4
ATOMIC_EXCHANGE: Final = 5

# Conditions: the size of JUMP_IF and SET_IF; in SELECT_IF and FLOAT_SELECT_IF above `WIDE`.
EQUAL: Final = 0
NOT_EQUAL: Final = 1
LESS_S: Final = 2
GREATER_EQUAL_S: Final = 3
LESS_U: Final = 4
GREATER_EQUAL_U: Final = 5
GREATER_S: Final = 6
LESS_EQUAL_S: Final = 7
GREATER_U: Final = 8
LESS_EQUAL_U: Final = 9
FLOAT_EQUAL: Final = 10
FLOAT_NOT_EQUAL: Final = 11
FLOAT_GREATER: Final = 12
FLOAT_NOT_GREATER: Final = 13
FLOAT_GREATER_EQUAL: Final = 14
FLOAT_NOT_GREATER_EQUAL: Final = 15
"""`condition ^ 1` is the opposite. A NaN makes FLOAT_NOT_* true and the others false."""

ABSOLUTE: Final = 32
"""Bit of the size of loads and stores: the address register holds a machine address; else an offset from the memory base."""
KIND_MASK: Final = 31
"""The other bits: opcode of the load less 0x28, opcode of the store less 0x36."""
ACCESS_BYTES_MASK: Final = 31
CHECKED: Final = 32
"""Bit of the size of MEMORY_ADDRESS: compare with the length."""
INDEX64: Final = 64
ALIGNED: Final = 1
"""Bit of the size of LABEL: a loop begins that is worth an alignment."""
TAIL: Final = 1
"""Bit of the size of calls: leave the frame first and jump."""
FRAME_CALLS: Final = 1
"""Bit of the size of PROLOGUE: the context register is saved for use after calls."""
FRAME_POLLS: Final = 2
"""Bit of the size of PROLOGUE: poll, too."""
FRAME_VECTORS: Final = 4
"""Bit of the size of PROLOGUE: slots are 16 bytes."""

VECTOR_C_SHIFT: Final = 9
VECTOR_T_SHIFT: Final = 14
VECTOR_LANE_SHIFT: Final = 24

# What a vector instruction takes and gives, and so which record it becomes. The float file is for floats and vectors alike.
SHAPE_UNARY: Final = 0x31
SHAPE_BINARY: Final = 0x32
SHAPE_TERNARY: Final = 0x33
SHAPE_SHIFT: Final = 0x3C
SHAPE_LOAD: Final = 0x6C
SHAPE_STORE: Final = 0x73
SHAPE_LOAD_LANE: Final = 0x6E
SHAPE_STORE_LANE: Final = 0x6D
SHAPE_CONSTANT: Final = 0x63
SHAPE_SHUFFLE: Final = 0x70
SHAPE_FROM_INTEGER: Final = 0x69
SHAPE_REPLACE: Final = 0x72
SHAPE_TO_I32: Final = 0x74
SHAPE_TO_I64: Final = 0x54
SHAPE_TO_F32: Final = 0x66
SHAPE_TO_F64: Final = 0x46
VECTOR_SHAPES: Final = (
    b"lllllllllllscp2iiii11ttrttrtrTrf"  # 0x200
    b"2F222222222222222222222222222222"  # 0x220
    b"2222222222222122223tnnnnmmmmll11"  # 0x240
    b"111tt221111<<<222222112222121111"  # 0x260
    b"112tt221111<<<222222122222.22222"  # 0x280
    b"11.tt..1111<<<2..2...222222.2222"  # 0x2A0
    b"11.tt..1111<<<2..2...22222222222"  # 0x2C0
    b"11.12222222211.12222222211111111"  # 0x2E0
    b"21111333333332222223............"  # 0x300
)
"""Shapes by opcode of the stream less 0x200; a dot is none."""

OPERATIONS: Final = {
    MOVE: ("move", "d, a: integer registers"),
    CONSTANT: ("constant", "d = constant"),
    LOAD_SLOT: ("load_slot", "d = slot immediate"),
    STORE_SLOT: ("store_slot", "slot immediate = a"),
    STORE_SLOT_CONSTANT: ("store_slot_constant", "slot immediate = extension word (wide: sign-extended 32 bits)"),
    COPY_SLOT: ("copy_slot", "slot immediate = slot constant, all of it"),
    ALU: ("alu", "d = a op b"),
    ALU_CONSTANT: ("alu_constant", "d = a op immediate"),
    ALU_SLOT: ("alu_slot", "d = a op slot immediate"),
    SHIFT: ("shift", "d = a op b; b is the target's shift count register if it has one, unless it shifts by any (`shifts_by_any`)"),
    SHIFT_CONSTANT: ("shift_constant", "d = a op immediate (already modulo the width)"),
    DIVIDE: ("divide", "d = a op b, with traps; d and a are the target's registers for division if it has them, b is none of them"),
    UNARY: ("unary", "d = op a; wide is the width of the result"),
    COMPARE: ("compare", "flags of a ? b"),
    COMPARE_CONSTANT: ("compare_constant", "flags of a ? immediate"),
    COMPARE_SLOT: ("compare_slot", "flags of a ? slot immediate"),
    TEST: ("test", "flags of (a & b) ? 0; EQUAL and NOT_EQUAL only"),
    FLOAT_COMPARE: ("float_compare", "flags of a ? b, float registers"),
    JUMP_IF: ("jump_if", "jump to label immediate on the condition"),
    SET_IF: ("set_if", "d = 1 on the condition, else 0"),
    SELECT_IF: ("select_if", "d = a on the condition, else b"),
    FLOAT_SELECT_IF: ("float_select_if", "d = a on the condition, else b; float registers"),
    JUMP: ("jump", "jump to label immediate"),
    LABEL: ("label", "label immediate is here; size: ALIGNED"),
    POLL: ("poll", "notice an interrupt"),
    BRANCH_TABLE: ("branch_table", "go to the target number a, or to the last; destroys a; as many branch_target follow as immediate says"),
    BRANCH_TARGET: ("branch_target", "label immediate"),
    TRAP: ("trap", "trap of the kind `size`"),
    LOAD: ("load", "d = [a + constant]; size: kind, ABSOLUTE; a may be none"),
    STORE: ("store", "[a + constant] = b"),
    STORE_CONSTANT: ("store_constant", "[a + immediate] = extension word (sign-extended 32 bits)"),
    FLOAT_LOAD: ("float_load", "d = [a + constant], float register"),
    FLOAT_STORE: ("float_store", "[a + constant] = b, float register"),
    MEMORY_BASE: ("memory_base", "load the memory base register from the context at immediate"),
    MEMORY_ADDRESS: ("memory_address", "d = machine address of a + extension word in the memory {base, length} at immediate"),
    TABLE_ADDRESS: ("table_address", "d = machine address of element a of the table {base, length} at immediate, or trap"),
    LOAD_CONTEXT: ("load_context", "d = [context + immediate]"),
    STORE_CONTEXT: ("store_context", "[context + immediate] = a"),
    FLOAT_LOAD_CONTEXT: ("float_load_context", "d = [context + immediate], float register"),
    FLOAT_STORE_CONTEXT: ("float_store_context", "[context + immediate] = a, float register"),
    CONTEXT_ADDRESS: ("context_address", "d = context + immediate"),
    LOAD_OVERFLOW: ("load_overflow", "d = overflow slot immediate"),
    STORE_OVERFLOW: ("store_overflow", "overflow slot immediate = a"),
    FLOAT_LOAD_OVERFLOW: ("float_load_overflow", "d = overflow slot immediate, float register"),
    FLOAT_STORE_OVERFLOW: ("float_store_overflow", "overflow slot immediate = a, float register"),
    PROLOGUE: ("prologue", "make a frame of immediate slots, check the stack"),
    RETURN: ("return", "leave the frame and return; results are in place"),
    END: ("end", "the function ends"),
    CALL: ("call", "call the function whose funcref record is at immediate in the context"),
    CALL_IMPORT: ("call_import", "call the function whose funcref record's address is at immediate in the context"),
    CALL_INDIRECT: ("call_indirect", "call element a of the table at immediate, type extension word, with traps; destroys a"),
    CALL_BUILTIN: ("call_builtin", "call built-in number immediate"),
    MEMORY_COPY: ("memory_copy", "to, from, bytes in the native argument registers; memories at immediate and extension word"),
    MEMORY_FILL: ("memory_fill", "to, byte, bytes in the native argument registers; memory at immediate"),
    FLOAT_MOVE: ("float_move", "d = a, float registers"),
    FLOAT_CONSTANT: ("float_constant", "d = the float with the bits constant"),
    FLOAT_LOAD_SLOT: ("float_load_slot", "d = slot immediate"),
    FLOAT_STORE_SLOT: ("float_store_slot", "slot immediate = a"),
    FLOAT_ALU: ("float_alu", "d = a op b"),
    FLOAT_ALU_SLOT: ("float_alu_slot", "d = a op slot immediate (not min, max, copysign)"),
    FLOAT_ALU_CONSTANT: ("float_alu_constant", "d = a op constant bits (not min, max, copysign)"),
    FLOAT_UNARY: ("float_unary", "d = op a"),
    FLOAT_FROM_INTEGER: ("float_from_integer", "d float = a integer"),
    FLOAT_TO_INTEGER: ("float_to_integer", "d integer = a float, truncated, with traps or SATURATING"),
    FLOAT_CONVERT: ("float_convert", "d = a promoted (wide) or demoted"),
    BITS_TO_FLOAT: ("bits_to_float", "d float = bits of a integer"),
    FLOAT_TO_BITS: ("float_to_bits", "d integer = bits of a float"),
    POSITION: ("position", "what follows is made from stream word immediate"),
    ZERO_SLOTS: ("zero_slots", "clear constant slots from immediate on; all temporaries are free"),
    VECTOR_CONSTANT: ("vector_constant", "d = the 16 bytes of two extension words"),
    VECTOR_LOAD_SLOT: ("vector_load_slot", "d = slot immediate, 128 bits"),
    VECTOR_STORE_SLOT: ("vector_store_slot", "slot immediate = a, 128 bits"),
    VECTOR_LOAD_CONTEXT: ("vector_load_context", "d = [context + immediate], 128 bits"),
    VECTOR_STORE_CONTEXT: ("vector_store_context", "[context + immediate] = a, 128 bits"),
    VECTOR_LOAD_OVERFLOW: ("vector_load_overflow", "d = overflow slot immediate, 128 bits"),
    VECTOR_STORE_OVERFLOW: ("vector_store_overflow", "overflow slot immediate = a, 128 bits"),
    VECTOR_LOAD: (
        "vector_load",
        "d = [a + constant]; size: kind (opcode of the load less 0x200; 11, 12: load32_zero, load64_zero), ABSOLUTE",
    ),
    VECTOR_STORE: ("vector_store", "[a + constant] = b; size: ABSOLUTE"),
    VECTOR_LOAD_LANE: ("vector_load_lane", "d = b with lane immediate from [a + extension word]; size: log2 of the bytes, ABSOLUTE"),
    VECTOR_STORE_LANE: ("vector_store_lane", "[a + extension word] = lane immediate of b; size: log2 of the bytes, ABSOLUTE"),
    VECTOR_UNARY: ("vector_unary", "d = op a; splat and extract_lane of floats, too"),
    VECTOR_BINARY: ("vector_binary", "d = a op b; replace_lane with float b, too"),
    VECTOR_TERNARY: ("vector_ternary", "d = op(a, b, c)"),
    VECTOR_SHIFT: ("vector_shift", "d = a shifted by integer register b, modulo the lane's width"),
    VECTOR_SHIFT_CONSTANT: ("vector_shift_constant", "d = a shifted by the count (already modulo the lane's width)"),
    VECTOR_TO_INTEGER: ("vector_to_integer", "d integer = op a vector"),
    VECTOR_FROM_INTEGER: ("vector_from_integer", "d vector = splat of a integer"),
    VECTOR_REPLACE: ("vector_replace", "d = a with the lane replaced by integer b"),
    VECTOR_SHUFFLE: ("vector_shuffle", "d = bytes of a and b as the 16 bytes of two extension words choose"),
    CALL_REFERENCE: ("call_reference", "call the function whose funcref record is at a, or trap if a is null; destroys a"),
    TRAP_IF: ("trap_if", "trap of the kind immediate on the condition (no FLOAT_*)"),
    ALU_CARRY_OUT: ("alu_carry_out", "d = a op b (ADD, SUB, 64 bits); the carry is for the alu_carry_in that follows"),
    ALU_CARRY_IN: ("alu_carry_in", "d = a op b with the carry (ADD, SUB, 64 bits)"),
    MULTIPLY_WIDE: (
        "multiply_wide",
        "d = low, register immediate = high half of a * b (64 bits; size: UNSIGNED); registers as those of divide",
    ),
    ATOMIC_UPDATE: ("atomic_update", "d = value at machine address a, which becomes value op b; d is the target's dividend register"),
    ATOMIC_COMPARE_EXCHANGE: (
        "atomic_compare_exchange",
        "d = value at machine address a, which becomes b if it equals d; size: log2 of the bytes; d is the target's dividend register",
    ),
    FENCE: ("fence", "all accesses before come before all behind"),
    ATOMIC_LOAD: ("atomic_load", "d = value at machine address a, zero-extended to 64 bits; size: log2 of the bytes"),
    ATOMIC_STORE: ("atomic_store", "value at machine address a = b; size: log2 of the bytes. Atomic accesses have one order"),
}
"""Name and meaning of each operation."""

"""The resolved stream: a validated function body as flat records, the one input of every backend.

A record is one little-endian 8-byte word, followed by extension words where bit 31 of the word is set:

    bits  0-15  operation: an `Opcode.code` of `wasmcore.opcodes`, or one of the numbers below
    bits 16-30  flags, by operation
    bit  31     extended: one more word follows (two for `v128.const` and `i8x16.shuffle`)
    bits 32-63  immediate, signed 32 bits

The *value* of a record is the extension word where there is one, else the immediate. Types are one digit, the machine
class of `CLASS_*`. LEBs, dead code, `nop` and all that only matters to a type checker are gone. A *run* of types is an offset
and a count into `Environment.type_pool`; control records carry it so that no backend needs a control stack.

A function is the header (`HEADER_WORDS` words), its records, then one signed 64-bit weight per local: how often it is read or written,
each loop around the access counting ten times.
"""

from __future__ import annotations

from wasmcore._typing import Final

VERSION: Final = 1

CLASS_I32: Final = 1
CLASS_I64: Final = 2
CLASS_F32: Final = 3
CLASS_F64: Final = 4
CLASS_V128: Final = 5
CLASS_REF: Final = 6
"""Any reference: 64 bits, null is 0."""

EXTENDED: Final = 0x80000000

# Header words, in order.
HEADER_FUNCTION: Final = 0
"""Function index."""
HEADER_TYPE: Final = 1
"""Type index (into `Environment.signatures`)."""
HEADER_LOCALS: Final = 2
"""Number of locals, parameters included."""
HEADER_HEIGHT: Final = 3
"""Greatest height of the operand stack."""
HEADER_LABELS: Final = 4
"""Number of labels; they are numbered from 0 in the order of their blocks. The body of the function has no label."""
HEADER_FLAGS: Final = 5
HEADER_RECORDS_END: Final = 6
"""Byte offset of the end of the records, where the weights of the locals begin."""
HEADER_VERSION: Final = 7
HEADER_WORDS: Final = 8

HAS_CALLS: Final = 1
"""Header flag: the function calls something through the calling convention (functions and Python built-ins alike,
`memory.atomic.wait32`, `memory.atomic.wait64` and `memory.atomic.notify` among them)."""
USES_MEMORY: Final = 2
"""Header flag: the function reads or writes memory 0."""
HAS_LOOPS: Final = 4
HAS_VECTORS: Final = 8
"""Header flag: the function has SIMD instructions or a local of type v128, or a signature or global of its module has type v128."""

# Operations that are no opcodes of the binary format. The others keep their opcode: 0x00-0xFF as they are, and
# 0x100 + n, 0x200 + n, 0x400 + n, 0x600 + n for the n-th after the prefixes 0xFC, 0xFD, 0xFB, 0xFE.
LOCALS: Final = 0x7F0
"""Declares `value` locals of type `flags`; all of them stand directly after the header, parameters are not declared."""
TARGET: Final = 0x7F1
"""One target of the `br_table` before: flags, immediate and value as in `br`."""
TABLE_FUNCTION: Final = 0x7F2
"""Pops the index of an element and pushes the function reference there, if its type is the type or one below it; traps as `call_indirect`
does. A `call_indirect` of a type that can have subtypes is this and a `call_ref`."""

# Flags of `loop`; the low bits are the number of parameters.
LOOP_HAS_CALLS: Final = 0x4000
# Flags of `else` and `end`.
REACHED: Final = 0x4000
"""The end of the block before is reached by falling through."""
TARGETED: Final = 0x2000
"""Control gets to the label otherwise: by a branch, by the missing `else` of an `if`, or from a first part that falls into its `else`
(`end` only, never of loops; a label that is neither reached nor targeted has dead code behind it, left out)."""
END_KIND_SHIFT: Final = 11
"""Bits 11 and 12 of an `end`: what it ends."""
END_BLOCK: Final = 0
END_LOOP: Final = 1
END_IF: Final = 2
"""An `if` without `else`; the missing branch goes to this label."""
END_ELSE: Final = 3
RETURN_LABEL: Final = -1
"""Label of a `br_if` or `TARGET` that leaves the function: it returns its values. (Such a `br` is a `return`.)"""
COUNT_MASK: Final = 0x7FF
"""Low bits of the flags of control records: how many values (parameters or results)."""

HEIGHT_MASK: Final = 0xFFFFFFFF
"""Low half of the value of `else`, `end`, `br`, `br_if` and `TARGET`: height of the operand stack below the values;
the high half is the offset of the run of their types. Branches without values have no extension."""

MEMORY_INDEX_MASK: Final = 0x3FF
"""Low bits of the flags of loads and stores: memory index; the value is the offset."""
LANE_SHIFT: Final = 10
"""Bits 10-13 of the flags of SIMD lane accesses: the lane."""

RECORDS: Final = {
    "unreachable": "",
    "block, loop, if": "flags: number of parameters (loop: and LOOP_HAS_CALLS); immediate: label",
    "else": "flags: number of parameters and REACHED; immediate: label; value: height, run of the parameters",
    "end": "flags: number of results, REACHED, TARGETED, END_*; immediate: label; value: height, run of the results",
    "br, br_if, TARGET": "flags: number of values; immediate: label; value: height, run (only if there are values)",
    "br_on_null": "like br_if; the values are below the reference, which stays on the stack where there is no branch",
    "br_on_non_null": "like br_if; the last of the values is the reference, which goes where there is no branch",
    "br_table": "immediate: number of TARGET records that follow, the last is the default",
    "return": "flags: number of results; value: run in the high half. A `br` out of the body and its end are returns too",
    "call, return_call, ref.func": "immediate: function index",
    "call_indirect, return_call_indirect": "flags: table index; immediate: type index",
    "TABLE_FUNCTION": "flags: table index; immediate: type index. The built-in `table_function` does it",
    "call_ref, return_call_ref": "immediate: type index. The reference is the last operand; null traps",
    "ref.as_non_null": "none; null traps",
    "drop, select": "flags: type",
    "local.get, local.set, local.tee": "flags: type; immediate: local index",
    "global.get, global.set": "flags: type; immediate: global index",
    "table.get, table.set, table.size, table.grow, table.fill": "immediate: table index",
    "table.copy": "immediate: destination table; flags: source table",
    "table.init": "immediate: segment; flags: table",
    "memory.copy": "immediate: destination memory; flags: source memory",
    "memory.init": "immediate: segment; flags: memory",
    "memory.size, memory.grow, memory.fill": "immediate: memory",
    "data.drop, elem.drop": "immediate: segment",
    "loads and stores": "flags: memory index, lane; value: offset, a signed word (modulo 2**64). Atomic ones likewise",
    "i32.const, i64.const, f32.const, f64.const": "value: the constant, floats as their bits (f32 zero-extended)",
    "v128.const, i8x16.shuffle": "two extension words: the 16 bytes",
    "extract_lane, replace_lane": "immediate: lane",
    "LOCALS": "flags: type; value: count",
    "atomic.fence": "",
    "everything else": "nothing: operands and results follow from the table of opcodes",
}
"""The fields of each record, for the documentation."""

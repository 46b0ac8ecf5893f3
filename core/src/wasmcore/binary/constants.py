"""Reads constant expressions (specification, section 3.3.10) into a form that can be evaluated."""

from __future__ import annotations

from wasmcore._typing import Final
from wasmcore.binary.reader import NO_I32_CONST, Reader
from wasmcore.binary.segments import I32_CONST, ConstantExpression, Immediate
from wasmcore.errors import DecodeError, ValidationError
from wasmcore.opcodes import OPCODES, PREFIX_ENDS, PREFIXES, Immediates
from wasmcore.proposals import illegal_opcode, not_enabled

_END: Final = 0x0B

_ALLOWED: Final = {
    "mvp": "i32.const i64.const f32.const f64.const global.get end",
    "reference_types": "ref.null ref.func",
    "simd": "v128.const",
    "extended_const": "i32.add i32.sub i32.mul i64.add i64.sub i64.mul",
    "gc": "struct.new struct.new_default array.new array.new_default array.new_fixed any.convert_extern extern.convert_any ref.i31",
}
"""Instructions of constant expressions, by the feature that allows them there."""

_FEATURE_OF: Final = {name: feature for feature, names in _ALLOWED.items() for name in names.split()}


def read_constant_expression(reader: Reader) -> ConstantExpression:
    """Read up to the `end`, which is not part of the result."""
    start = reader.position
    value = reader.i32_const_end()
    if value != NO_I32_CONST:  # most often it is one constant
        return ConstantExpression(start, reader.position, ((I32_CONST, value),))
    operations: list[tuple[int, Immediate]] = []
    while True:
        at = reader.position
        if at >= reader.end:
            raise DecodeError("END opcode expected" if operations else "unexpected end", at)
        code = int(reader.byte())
        prefix = 0
        if code in PREFIXES:
            prefix = code
            code = PREFIXES[prefix] + int(reader.u32())
            if code >= PREFIX_ENDS[prefix]:
                raise DecodeError(illegal_opcode(prefix, code - PREFIXES[prefix], reader.features), at)
        if code == _END:
            return ConstantExpression(start, reader.position, tuple(operations))
        if code not in OPCODES:
            raise DecodeError(illegal_opcode(prefix or code, code - PREFIXES[prefix] if prefix else -1, reader.features), at)
        opcode = OPCODES[code]
        feature = _FEATURE_OF.get(opcode.name)
        if feature not in reader.features:
            why = "" if feature is None else f": {not_enabled(feature)}"
            raise ValidationError(f"constant expression required, found {opcode.name}{why}", at)
        operations.append((code, _immediate(reader, opcode.immediates)))


def _immediate(reader: Reader, kind: int) -> Immediate:
    if kind == Immediates.NONE:
        return None
    if kind == Immediates.I32:
        return reader.signed(32)
    if kind == Immediates.I64:
        return reader.signed(64)
    if kind in _SIZES:
        size = _SIZES[kind]
        at = reader.skip(size)
        raw = reader.data[at : at + size]
        return raw if kind == Immediates.V128 else int.from_bytes(raw, "little")
    if kind == Immediates.HEAP_TYPE:
        return reader.heap_type() << 3 | 6
    if kind == Immediates.TYPE_COUNT:
        return (reader.u32(), reader.u32())
    return reader.u32()


_SIZES: Final = {Immediates.F32: 4, Immediates.F64: 8, Immediates.V128: 16}

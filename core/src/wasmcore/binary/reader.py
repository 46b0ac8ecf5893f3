"""Reads bytes, integers, names and types of the binary format (specification, sections 5.2 and 5.3)."""

from __future__ import annotations

from wasmcore._native import i64
from wasmcore._typing import Final, final
from wasmcore.errors import DecodeError, ValidationError
from wasmcore.proposals import not_enabled

_HEAP_TYPES: Final = {
    0x70: 0,  # func
    0x6F: 1,  # extern
    0x6E: 2,  # any
    0x6D: 3,  # eq
    0x6C: 4,  # i31
    0x6B: 5,  # struct
    0x6A: 6,  # array
    0x71: 7,  # none
    0x73: 8,  # nofunc
    0x72: 9,  # noextern
    0x69: 10,  # exn
    0x74: 11,  # noexn
}
"""Abstract heap types of `wasmcore.types` by their byte."""

NO_I32_CONST: Final = 1 << 40
"""What `Reader.i32_const_end` returns where there is something else."""
_I32_CONST: Final = 0x41
_END: Final = 0x0B

_HEAP_CONCRETE: Final = 16
_NULLABLE: Final = 6
_REFERENCE: Final = 7


def unsigned_rest(data: bytes, position: i64, first: i64, bits: i64) -> tuple[i64, i64]:
    """The rest of an unsigned LEB128 integer whose first byte had its top bit set: (value, position after it)."""
    value: i64 = first & 127
    shift: i64 = 7
    while True:
        byte: i64 = data[position]
        if shift + 7 > bits:
            if byte >= 128:
                raise DecodeError("integer representation too long", position)
            if byte >> (bits - shift):
                raise DecodeError("integer too large", position)
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
        shift += 7


def signed(data: bytes, position: i64, bits: i64) -> tuple[i64, i64]:
    """A signed LEB128 integer: (value, position after it)."""
    value: i64 = 0
    shift: i64 = 0
    while True:
        byte: i64 = data[position]
        if shift + 7 > bits:
            if byte >= 128:
                raise DecodeError("integer representation too long", position)
            ones: i64 = 127  # the sign bit and all above it must be equal
            above = byte >> (bits - shift - 1)
            if above != 0 and above != ones >> (bits - shift - 1):
                raise DecodeError("integer too large", position)
        position += 1
        if shift < 63:
            value |= (byte & 127) << shift
            if byte < 128:
                if byte & 64:
                    value -= (byte & 64) << (shift + 1)
                return value, position
        else:
            value -= (byte & 1) << 62
            value -= (byte & 1) << 62
            return value, position
        shift += 7


@final
class Reader:
    """A position in the bytes of a module, and where the part that is being read ends."""

    def __init__(self, data: bytes, position: i64, end: i64, features: frozenset[str]) -> None:
        self.data: Final = data
        self.position: i64 = position
        self.end: i64 = end
        self.features: Final = features
        self.types_limit: i64 = 0

    def truncated(self) -> DecodeError:
        """The error of a part that ends too early."""
        if self.end == len(self.data):
            return DecodeError("unexpected end", self.end)
        return DecodeError("unexpected end of section or function", self.end)

    def byte(self) -> i64:
        """The next byte."""
        if self.position >= self.end:
            raise self.truncated()
        value: i64 = self.data[self.position]
        self.position += 1
        return value

    def u32(self) -> i64:
        """An unsigned 32-bit integer."""
        value = self.byte()
        if value >= 128:
            return self.long(value, 32)
        return value

    def u64(self) -> int:
        """An unsigned 64-bit integer."""
        value = self.byte()
        if value >= 128:
            value = self.long(value, 64)
        return int(value) & 0xFFFFFFFFFFFFFFFF

    def long(self, first: i64, bits: i64) -> i64:
        """An unsigned integer of several bytes, the first of which was read."""
        try:
            value, self.position = unsigned_rest(self.data, self.position, first, bits)
        except IndexError:
            raise self.truncated() from None
        if self.position > self.end:
            raise self.truncated()
        return value

    def signed(self, bits: i64) -> i64:
        """A signed integer of that many bits."""
        try:
            value, self.position = signed(self.data, self.position, bits)
        except IndexError:
            raise self.truncated() from None
        if self.position > self.end:
            raise self.truncated()
        return value

    def skip(self, count: i64) -> i64:
        """Step over bytes and return where they begin."""
        start = self.position
        if count > self.end - start:
            raise self.truncated()
        self.position = start + count
        return start

    def count(self) -> i64:
        """Number of the items of a vector; each takes a byte at least."""
        start = self.position
        count = self.u32()
        if count > self.end - self.position:
            raise DecodeError("length out of bounds" if self.end < len(self.data) else "unexpected end", start)
        return count

    def i32_const_end(self) -> i64:
        """The value of an `i32.const` and the `end` behind it, if that is what comes next; otherwise `NO_I32_CONST`, nothing being read."""
        start = self.position
        if start < self.end and self.data[start] == _I32_CONST:
            self.position = start + 1
            value = self.signed(32)
            if self.position < self.end and self.data[self.position] == _END:
                self.position += 1
                return value
            self.position = start
        return NO_I32_CONST

    def name(self) -> str:
        """A length and that many bytes of UTF-8."""
        start = self.position
        size = self.u32()
        if size > self.end - self.position:
            raise DecodeError("length out of bounds" if self.end < len(self.data) else "unexpected end", start)
        at = self.skip(size)
        try:
            return self.data[at : at + size].decode("utf-8")
        except UnicodeDecodeError as error:
            raise DecodeError("malformed UTF-8 encoding", at + error.start) from None

    def require(self, feature: str, what: str, offset: i64) -> None:
        """Refuse what belongs to a feature that is not enabled."""
        if feature not in self.features:
            raise DecodeError(f"{what}: {not_enabled(feature)}", offset)

    def value_type(self) -> i64:
        """A value type (packed)."""
        start = self.position
        byte: i64 = self.byte()
        if byte == 0x7F or byte == 0x7E or byte == 0x7D or byte == 0x7C:
            return 0x80 - byte
        if byte == 0x7B:
            self.require("simd", "v128", start)
            return 5
        self.position = start
        return self.reference_type("malformed value type")

    def reference_type(self, malformed: str = "malformed reference type") -> i64:
        """A reference type (packed)."""
        start = self.position
        byte: i64 = self.byte()
        if byte == 0x63 or byte == 0x64:
            self.require("function_references", "(ref ...)", start)
            return self.heap_type() << 3 | (_NULLABLE if byte == 0x63 else _REFERENCE)
        self.position = start
        if byte not in _HEAP_TYPES:
            raise DecodeError(malformed, start)
        return self.heap_type() << 3 | _NULLABLE

    def heap_type(self) -> i64:
        """A heap type: abstract, or a type index plus `HEAP_CONCRETE`."""
        start = self.position
        number = self.signed(33)
        if number >= 0:
            self.require("function_references", "typed reference", start)
            if number >= self.types_limit:
                raise ValidationError(f"unknown type {number}", start)
            return number + _HEAP_CONCRETE
        if number < -64 or (number & 127) not in _HEAP_TYPES:
            raise DecodeError("malformed heap type", start)
        heap_type: i64 = _HEAP_TYPES[number & 127]
        if heap_type < 2:
            self.require("reference_types", "reference type", start)
        elif heap_type >= 10:
            self.require("exceptions", "exnref", start)
        else:
            self.require("gc", "reference type", start)
        return heap_type

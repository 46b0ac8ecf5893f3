"""The one walk over the resolved stream of a function."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import BytesWriter, i64, read_i32_le, read_i64_le, u8, write_i32_le
from wasmcore_singlepass.allocation import CONSTANT, KIND_MASK, LOCAL, TYPE_SHIFT
from wasmcore_singlepass.entry import Unsupported
from wasmcore_singlepass.references import References

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_COUNT_MASK: Final = 0x7FF
_MEMORY_MASK: Final = 0x3FF
_TABLE_FUNCTION: Final = 0x7F2


class Compiler(References):
    """Compiles functions of one module, one after the other, to macro records."""

    def compile_unit(self, streams: tuple[bytes, ...], positions: bool) -> list[bytes]:
        """The macro records of each function."""
        return [self.compile(stream, positions) for stream in streams]

    def function_table(self, streams: tuple[bytes, ...], extents: bytes) -> bytes:
        """Index, offset and size of each function (`CompiledCode.functions`), from the offsets and sizes alone."""
        result = BytesWriter()
        at: i64 = 0
        for stream in streams:
            write_i32_le(result, read_i32_le(stream, 0))
            write_i32_le(result, read_i32_le(extents, at))
            write_i32_le(result, read_i32_le(extents, at + 4))
            at += 8
        return result.getvalue()

    def compile(self, stream: bytes, positions: bool) -> bytes:
        """The macro records of one function, with POSITION records if wanted; raises `Unsupported`."""
        self.out.truncate(0)
        self.stream = stream
        self.begin()
        if positions:
            self.walk_with_positions()
        else:
            self.walk()
        self.emit(m.END, 0, 0, 0, 0, 0)
        return self.out.getvalue()

    def walk(self) -> None:
        """Compile all records. Reads of locals and constants, nearly half of them, only go on the stack."""
        stream = self.stream
        end = self.end
        shapes = self.shape
        values = self.value
        links = self.link
        pending = self.pending
        at = self.position
        while at < end:
            word = read_i64_le(stream, at)
            at += 8
            code = word & 0xFFFF
            if code == 0x20:  # `push_local`
                local = word >> 32
                top = self.top
                below = pending[local]
                if below < self.settled or below >= top or shapes[below] & KIND_MASK != LOCAL or values[below] != local:
                    below = -1
                links[top] = below
                pending[local] = top
                shapes[top] = u8(LOCAL | (((word >> 16) & 31) << TYPE_SHIFT))
                values[top] = local
                self.top = top + 1
                continue
            value = word >> 32
            if word & _EXTENDED:
                value = read_i64_le(stream, at)
                at += 8
            if code >= 0x41 and code <= 0x44:  # `push`
                top = self.top
                shapes[top] = u8(CONSTANT | ((code - 0x40) << TYPE_SHIFT))
                values[top] = value
                self.top = top + 1
                continue
            self.position = at
            if at < end:
                self.ahead = read_i64_le(stream, at)
            else:
                self.ahead = 0
            self.instruction(word, value)
            at = self.position

    def walk_with_positions(self) -> None:
        """The same, telling where each record begins."""
        stream = self.stream
        end = self.end
        while self.position < end:
            at = self.position
            self.emit(m.POSITION, 0, 0, 0, 0, at >> 3)
            word = read_i64_le(stream, at)
            at += 8
            value = word >> 32
            if word & _EXTENDED:
                value = read_i64_le(stream, at)
                at += 8
            self.position = at
            if at < end:
                self.ahead = read_i64_le(stream, at)
            else:
                self.ahead = 0
            self.instruction(word, value)

    # Instructions

    def instruction(self, word: i64, value: i64) -> None:
        """Compile one record."""
        code = word & 0xFFFF
        flags = (word >> 16) & 0x7FFF
        if code < 0x45:
            if code >= 0x28:
                if code >= 0x41:
                    self.push(CONSTANT, value, code - 0x40)
                elif code <= 0x35:
                    self.load(code - 0x28, flags & _MEMORY_MASK, value)
                elif code <= 0x3E:
                    self.store(code - 0x36, flags & _MEMORY_MASK, value)
                elif code == 0x3F:
                    self.memory_size(word >> 32)
                else:
                    self.bulk(code, word >> 32, flags)
            elif code >= 0x20:
                if code == 0x20:
                    self.push_local(word >> 32, flags)
                elif code <= 0x22:
                    if 3 <= flags <= 5:
                        self.set_float(word >> 32, flags, code == 0x22)
                    else:
                        self.set_integer(word >> 32, flags, code == 0x22)
                elif code == 0x23:
                    self.global_get(word >> 32, flags)
                elif code == 0x24:
                    self.global_set(word >> 32, flags)
                elif code == 0x25:
                    self.table_get(word >> 32)
                else:
                    self.table_set(word >> 32)
            else:
                self.control(word, code, flags, value)
        elif code <= 0xC4:
            self.numeric(code)
        elif 0x200 <= code <= 0x31F:
            self.vector(word, code, flags, value)
        else:
            self.other(word, code, flags, value)

    def other(self, word: i64, code: i64, flags: i64, value: i64) -> None:
        """References and the codes behind the prefixes 0xFC and 0xFE."""
        if code == 0xD0:
            self.push(CONSTANT, 0, 6)
        elif code == 0xD1:
            self.compare_zero(1)
        elif code == 0xD2:
            self.function_reference(word >> 32)
        elif 0x100 <= code <= 0x107:
            self.truncate(code - 0x100, m.SATURATING)
        elif 0x108 <= code <= 0x111:
            self.bulk(code, word >> 32, flags)
        elif 0x113 <= code <= 0x116:
            self.wide(code - 0x113)
        elif code == 0xD4:
            self.as_non_null()
        elif code == 0xD5:
            self.branch_on_null(word >> 32, flags & _COUNT_MASK, value & 0xFFFFFFFF)
        elif code == 0xD6:
            self.branch_on_non_null(word >> 32, flags & _COUNT_MASK, value & 0xFFFFFFFF)
        elif code == _TABLE_FUNCTION:
            self.table_function(word >> 32, flags)
        elif code >= 0x600:
            self.atomic(code, flags, value)
        else:
            raise Unsupported(code, (self.position >> 3) - 1)

    def function_reference(self, function: i64) -> None:
        """Push the address of a function's record."""
        d = self.destination(-1)
        if function < self.imported:
            self.emit(m.LOAD_CONTEXT, m.WIDE, d, 0, 0, self.imports_offset + 8 * function)
        else:
            self.emit(m.CONTEXT_ADDRESS, m.WIDE, d, 0, 0, self.functions_offset + self.funcref_size * (function - self.imported))
        self.push_register(d, 6)

    # Control

    def control(self, word: i64, code: i64, flags: i64, value: i64) -> None:
        """Codes below 0x20."""
        label = word >> 32
        if code == 0x0B:
            self.end_block(label, flags, value & 0xFFFFFFFF, value >> 32)
        elif code == 0x0D:
            self.branch_if(label, flags & _COUNT_MASK, value & 0xFFFFFFFF)
        elif code == 0x02:
            self.settle_below(self.top - (flags & _COUNT_MASK))
        elif code == 0x0C:
            count = flags & _COUNT_MASK
            self.to_label(label, count, value & 0xFFFFFFFF if count else 0)
            self.edge(label)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        elif code == 0x10:
            self.direct_call(label, 0)
        elif code == 0x0F:
            self.leave(flags & _COUNT_MASK)
        elif code == 0x04:
            self.begin_if(label, flags & _COUNT_MASK)
        elif code == 0x03:
            self.begin_loop(label, flags)
        elif code == 0x1A:
            self.drop()
        elif code == 0x1B or code == 0x1C:
            self.select(flags)
        elif code == 0x11:
            self.indirect_call(label, flags, 0)
        elif code == 0x05:
            self.begin_else(label, flags, value & 0xFFFFFFFF, value >> 32)
        elif code == 0x0E:
            self.branch_table(label)
        elif code == 0x00:
            self.emit(m.TRAP, 0, 0, 0, 0, 0)
        elif code == 0x12:
            self.direct_call(label, m.TAIL)
        elif code == 0x13:
            self.indirect_call(label, flags, m.TAIL)
        elif code == 0x14:
            self.reference_call(label, 0)
        elif code == 0x15:
            self.reference_call(label, m.TAIL)
        elif code != 0x01:
            raise Unsupported(code, (self.position >> 3) - 1)

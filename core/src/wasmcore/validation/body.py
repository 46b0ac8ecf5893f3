"""Decodes and validates function bodies, and writes their resolved streams in the same walk."""

from __future__ import annotations

from wasmcore._native import BytesWriter, append, i32, i64, read_i32_le, u8, vec, write_i32_le, write_i64_le
from wasmcore._typing import TYPE_CHECKING, Final, final
from wasmcore.binary.reader import signed, unsigned_rest
from wasmcore.errors import DecodeError
from wasmcore.opcodes import PREFIX_ENDS, PREFIXES
from wasmcore.types import FuncType
from wasmcore.validation.exceptions import Exceptions
from wasmcore.validation.instructions import class_of

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_MAX_LOCALS: Final = 50_000

# Kinds of immediates (`wasmcore.opcodes.Immediates`, `wasmcore.validation.signatures`).
_MEMORY_ACCESS: Final = 1
_I32: Final = 2
_F64: Final = 5
_PREFIX: Final = 126
_ILLEGAL: Final = 127

_ELSE: Final = 0x05
_END: Final = 0x0B
_LOCAL_GET: Final = 0x20
_LOCAL_SET: Final = 0x21
_LOCAL_TEE: Final = 0x22

_OP_LOCALS: Final = 0x7F0
_EXTENDED: Final = 0x80000000
_HEADER_SIZE: Final = 64
_STREAM_VERSION: Final = 1
_USES_MEMORY: Final = 2
_HAS_VECTORS: Final = 8
_V128: Final = 5
_OBJECT_PREFIX: Final = 0xFB
_VECTOR_PREFIX: Final = 0xFD
_ATOMIC_PREFIX: Final = 0xFE


def _has_vectors(module: ModuleInfo) -> bool:
    """Whether a signature or global has type v128."""
    if any(item.type.value == _V128 for item in module.globals):
        return True
    composites = [item.composite for item in module.types]
    return any(isinstance(each, FuncType) and (_V128 in each.params or _V128 in each.results) for each in composites)


@final
class BodyValidator(Exceptions):
    """Checks the bodies of one module, one after another. Not to be shared between threads.

    `tracked` is whether the function has locals that must be set before they are read; `is_set` has those that were set, `set_locals` the
    same in order, and `set_marks` how many it were at the beginning of each open block.
    """

    def __init__(self, module: ModuleInfo, features: frozenset[str], streaming: bool) -> None:
        super().__init__(module, features)
        self.streaming: i64 = 1 if streaming else 0
        self.module_flags: i64 = _HAS_VECTORS if streaming and _has_vectors(module) else 0
        self.locals = vec[i64]([0] * 64)
        self.local_words = vec[i64]([0] * 64)
        self.weights = vec[i64]([0] * 64)
        self.local_count: i64 = 0
        self.near_locals: i64 = 0
        self.param_count: i64 = 0
        self.tracked: i64 = 0
        self.set_locals: list[int] = []
        self.set_marks: list[int] = []
        self.is_set: set[int] = set()
        self.group_ends: list[int] = []
        self.group_types: list[int] = []

    def function(self, index: i64, start: i64, end: i64) -> None:
        """Check one body."""
        try:
            self.begin(index, start, end)
            if self.tracked:
                while self.position < end:
                    self.step()
            else:
                self.walk(end)
            self.finish()
            self.check_compiled(index)
        except IndexError:  # an immediate beyond the end of the data
            raise self.truncated() from None

    def begin(self, index: i64, start: i64, end: i64) -> None:
        """Read the declarations of locals and open the body."""
        self.position = start
        self.end = end
        self.at = start
        type_index = i64(read_i32_le(self.function_types, 4 * index))
        self.begin_function(type_index, self.streaming)
        if self.streaming:
            self.buffer.truncate(0)
            self.uncompiled = -1
            self.flags = self.module_flags
            self.header(index, type_index)
        self.declare_locals(type_index)
        self.reserve(0)

    def finish(self) -> None:
        """Whether the body ended where it should."""
        if self.top >= 0 or self.position > self.end:
            raise self.truncated()
        if self.position != self.end:
            raise DecodeError("section size mismatch: code behind the end of the function", self.position)

    # Locals

    def declare_locals(self, type_index: i64) -> None:
        """Parameters and declared locals."""
        self.local_count = 0
        self.near_locals = 0
        self.tracked = 0
        self.group_ends.clear()
        self.group_types.clear()
        limit = _MAX_LOCALS if self.streaming else self.end - self.position + 64
        params = self.run_param_offset(type_index)
        count = self.run_param_count(type_index)
        self.param_count = count
        while count:
            count -= 1
            self.add_locals(1, self.value_types[params], limit)
            params += 1
        groups = self.u32()
        while groups:
            groups -= 1
            self.at = self.position
            number = self.u32()
            value_type = self.local_type()
            if value_type & 7 == 7 and number:
                self.track()
            if self.position > self.end:
                raise self.truncated()
            if self.local_count + number > _MAX_LOCALS:
                raise DecodeError(f"too many locals, the limit is {_MAX_LOCALS}", self.at)
            if number:
                self.add_locals(number, value_type, limit)
                if self.streaming:
                    self.value_record(_OP_LOCALS, class_of(value_type), number)
                    if value_type == _V128:
                        self.flags |= _HAS_VECTORS

    def local_type(self) -> i64:
        """Read the type of locals."""
        byte: i64 = self.data[self.position]
        if 0x7C <= byte <= 0x7F:
            self.position += 1
            return 0x80 - byte
        return self.value_types[self.value_type_run()]

    def track(self) -> None:
        """The function has locals that must be set before they are read."""
        if self.tracked == 0:
            self.tracked = 1
            self.set_locals.clear()
            self.set_marks.clear()
            self.is_set.clear()

    def add_locals(self, number: i64, value_type: i64, limit: i64) -> None:
        """Declare locals; those from `limit` on are found by their group, so that many locals cost nothing in short bodies."""
        first = self.near_locals
        self.local_count += number
        near = self.local_count if self.local_count < limit else limit
        locals_ = self.locals
        if near > len(locals_):
            zero: i64 = 0
            while near > len(locals_):
                locals_ = append(locals_, zero)
            self.locals = locals_
        while first < near:
            locals_[first] = value_type
            first += 1
        if self.streaming:
            self.add_local_words(near, class_of(value_type))
        self.near_locals = near
        if self.local_count > limit:
            self.group_ends.append(self.local_count)
            self.group_types.append(value_type)

    def add_local_words(self, near: i64, machine_class: i64) -> None:
        """What the records of locals have in common, and their weights."""
        words = self.local_words
        weights = self.weights
        zero: i64 = 0
        while near > len(words):
            words = append(words, zero)
            weights = append(weights, zero)
        self.local_words = words
        self.weights = weights
        index = self.near_locals
        while index < near:
            words[index] = machine_class << 16 | index << 32
            weights[index] = 0
            index += 1

    def forget_set_locals(self) -> None:
        """Locals that were set in the innermost block count as not set behind it."""
        mark = self.set_marks[-1]
        while len(self.set_locals) > mark:
            self.is_set.remove(self.set_locals.pop())

    def far_local(self, index: i64, code: i64) -> i64:
        """Type of a local that an instruction uses and that is not among the near ones, or of any where it is tracked which are set."""
        if index >= self.local_count:
            raise self.invalid(f"unknown local {index}")
        if not self.tracked:
            return self.grouped_local(index)
        value_type: i64
        if index < self.near_locals:
            value_type = self.locals[index]
        else:
            value_type = self.grouped_local(index)
        if value_type & 7 == 7 and index >= self.param_count and index not in self.is_set:
            if code == _LOCAL_GET:
                raise self.invalid(f"uninitialized local {index}")
            self.is_set.add(index)
            self.set_locals.append(index)
        return value_type

    def grouped_local(self, index: i64) -> i64:
        """Type of a local, by the group it was declared in."""
        low = 0
        high = len(self.group_ends)
        while low < high:
            middle = (low + high) // 2
            if index < self.group_ends[middle]:
                high = middle
            else:
                low = middle + 1
        return self.group_types[low]

    # The stream

    def header(self, index: i64, type_index: i64) -> None:
        """The header, with room for what is known in the end."""
        buffer = self.buffer
        write_i64_le(buffer, index)
        write_i64_le(buffer, type_index)
        count: i64 = 5
        zero: i64 = 0
        while count:
            write_i64_le(buffer, zero)
            count -= 1
        version: i64 = _STREAM_VERSION
        write_i64_le(buffer, version)

    def patch(self, word: i64, value: i64) -> None:
        """Set the low half of a word of the header."""
        at = 8 * word
        buffer = self.buffer
        buffer[at] = u8(value & 255)
        buffer[at + 1] = u8((value >> 8) & 255)
        buffer[at + 2] = u8((value >> 16) & 255)
        buffer[at + 3] = u8((value >> 24) & 255)

    def stream_bytes(self) -> bytes:
        """The stream of the body that was checked last."""
        buffer = self.buffer
        self.patch(2, self.local_count)
        self.patch(3, self.peak)
        self.patch(4, self.labels)
        self.patch(5, self.flags)
        self.patch(6, len(buffer))
        weights = self.weights
        index: i64 = 0
        while index < self.local_count:
            write_i64_le(buffer, weights[index])
            index += 1
        return buffer.getvalue()

    def position_bytes(self, index: i64, start: i64, end: i64) -> bytes:
        """For each word of the stream of a body, the offset of the instruction it was made from: one u32 each."""
        positions = BytesWriter()
        try:
            self.begin(index, start, end)
            self.mark(positions, start)
            while self.top >= 0:
                self.step()
                self.mark(positions, self.at)
            self.finish()
        except IndexError:
            raise self.truncated() from None
        self.stream_bytes()
        self.mark(positions, start)
        return positions.getvalue()

    def mark(self, positions: BytesWriter, offset: i64) -> None:
        """Note where the words that are new in the stream come from."""
        missing: i64 = len(self.buffer) // 8 - len(positions) // 4
        while missing > 0:
            write_i32_le(positions, i32(offset))
            missing -= 1

    # Instructions

    def walk(self, stop: i64) -> None:
        """Check instructions up to an offset; the hot loop, in which the most frequent instructions are written out."""
        data = self.data
        signatures = self.signatures
        stack = self.stack
        capacity = self.capacity
        locals_ = self.locals
        local_words = self.local_words
        weights = self.weights
        near_locals = self.near_locals
        if self.tracked:
            near_locals = 0
        buffer = self.buffer
        plain_memory = self.plain_memory
        live = self.live
        height = self.height
        unreachable = self.unreachable
        sp = self.sp
        position = self.position
        at = position
        index: i64
        value: i64
        found: i64
        kind: i64
        while position < stop:
            at = position
            code: i64 = data[position]
            position += 1
            if code == _LOCAL_GET:
                index = data[position]
                position += 1
                if index >= 128:
                    index, position = unsigned_rest(data, position, index, 32)
                if index < near_locals:
                    stack[sp] = locals_[index]
                else:
                    self.at = at
                    stack[sp] = self.far_local(index, code)
                sp += 1
                if live:
                    write_i64_le(buffer, local_words[index] | _LOCAL_GET)
                    weights[index] += self.weight
                    if sp > self.peak:
                        self.peak = sp
                continue
            signature = signatures[code]
            kind = signature >> 24
            if kind <= _F64:
                if kind == 0:
                    if live:
                        write_i64_le(buffer, code)
                elif kind == _MEMORY_ACCESS:
                    index = data[position]
                    value = data[position + 1]
                    if plain_memory and index <= (signature >> 20) & 15:
                        index = 0
                        position += 2
                        if value >= 128:
                            found = data[position]
                            if found < 128:
                                value = (value & 127) | found << 7
                                position += 1
                            else:
                                self.at = at
                                self.position = position - 1
                                value = self.u32_offset()
                                position = self.position
                    else:
                        self.at = at
                        self.position = position
                        signature = self.memory_access(signature)
                        position = self.position
                        value = self.offset
                        index = self.memory
                    if live:
                        if index == 0:
                            self.flags |= _USES_MEMORY
                        if -0x80000000 <= value <= 0x7FFFFFFF:
                            write_i64_le(buffer, code | index << 16 | value << 32)
                        else:
                            self.long_record(code, index, 0, value)
                else:
                    if kind == _I32:
                        value = data[position]
                        if value < 128:
                            position += 1
                            value -= (value & 64) << 1
                        else:
                            value, position = signed(data, position, 32)
                    else:
                        self.position = position
                        value = self.constant(kind)
                        position = self.position
                    stack[sp] = signature & 15
                    sp += 1
                    if live:
                        if -0x80000000 <= value <= 0x7FFFFFFF:
                            write_i64_le(buffer, code | value << 32)
                        else:
                            write_i64_le(buffer, code | _EXTENDED)
                            write_i64_le(buffer, value)
                        if sp > self.peak:
                            self.peak = sp
                    continue
                operands = (signature >> 4) & 0xFFFF
                if sp > height and stack[sp - 1] == operands & 15:  # almost always
                    sp -= 1
                    operands >>= 4
                    if operands and sp > height and stack[sp - 1] == operands & 15:
                        sp -= 1
                        operands >>= 4
                while operands:
                    if sp > height:
                        found = stack[sp - 1]
                        if found != operands & 15 and found != 0:
                            self.at = at
                            self.sp = sp
                            self.signature_mismatch(signature, operands)
                        sp -= 1
                    elif unreachable == 0:
                        self.at = at
                        self.sp = sp
                        self.signature_mismatch(signature, operands)
                    operands >>= 4
                if signature & 15:
                    stack[sp] = signature & 15
                    sp += 1
                continue
            if code == _LOCAL_SET or code == _LOCAL_TEE:
                index = data[position]
                position += 1
                if index >= 128:
                    index, position = unsigned_rest(data, position, index, 32)
                if index < near_locals:
                    value = locals_[index]
                else:
                    self.at = at
                    value = self.far_local(index, code)
                if sp > height:
                    sp -= 1
                    found = stack[sp]
                    if found != value:
                        self.at = at
                        self.check(found, value)
                elif unreachable == 0:
                    self.at = at
                    self.sp = sp
                    self.pop(value)
                if code == _LOCAL_TEE:
                    stack[sp] = value
                    sp += 1
                if live:
                    write_i64_le(buffer, local_words[index] | code)
                    weights[index] += self.weight
                continue
            self.at = at
            self.position = position
            self.sp = sp
            self.special(code, kind)
            position = self.position
            sp = self.sp
            height = self.height
            unreachable = self.unreachable
            live = self.live
            if self.capacity != capacity:
                stack = self.stack
                capacity = self.capacity
        self.at = at
        self.position = position
        self.sp = sp

    def step(self) -> None:
        """Check one instruction."""
        top = self.top
        code: i64 = self.data[self.position]
        self.walk(self.position + 1)
        if self.tracked:
            if self.top > top:
                self.set_marks.append(len(self.set_locals))
            elif code == _ELSE or (code == _END and self.top >= 0):
                self.forget_set_locals()
                if code == _END:
                    self.set_marks.pop()

    def special(self, code: i64, kind: i64) -> None:
        """An instruction that its signature does not describe."""
        if code == 0x0B:
            self.leave()
            if self.top < 0 and self.position != self.end:
                raise DecodeError("section size mismatch: code behind the end of the function", self.position)
        elif kind == _PREFIX:
            self.prefixed(code)
        elif kind == _ILLEGAL:
            self.refuse(code, -1)
        elif code < 0x10:
            self.control(code)
        elif code == 0x10:
            self.call()
        elif code == 0x23 or code == 0x24:
            self.global_(code)
        elif code == 0x1A:
            self.drop()
        elif code == 0x1B:
            self.select()
        elif code < 0x20:
            self.call_or_select(code)
        else:
            self.memory_or_reference(code)

    def control(self, code: i64) -> None:
        """Blocks and branches."""
        if code == 0x0D:
            self.branch_if()
        elif 0x02 <= code <= 0x04:
            self.enter(code)
        elif code == 0x0C:
            self.branch()
        elif code == 0x05:
            self.otherwise()
        elif code == 0x0F:
            self.return_()
        elif code == 0x0E:
            self.branch_table()
        elif code == 0x00:
            if self.live:
                self.record(0, 0, 0)
            self.set_unreachable()
        elif code == 0x08 or code == 0x0A:
            self.throw(code)

    def call_or_select(self, code: i64) -> None:
        """The less frequent calls, `select` with a type, and `try_table`."""
        if code == 0x11:
            self.call_types(self.callee_of_table(code))
        elif code == 0x12:
            self.tail_call()
        elif code == 0x13:
            self.tail_call_types(self.callee_of_table(code))
        elif code == 0x14 or code == 0x15:
            self.call_reference(code)
        elif code == 0x1C:
            self.select_type()
        else:
            self.enter(code)

    def memory_or_reference(self, code: i64) -> None:
        """Instructions on tables, sizes of memories, references."""
        if code == 0x25 or code == 0x26:
            self.table_access(code)
        elif code == 0x3F or code == 0x40:
            self.memory_size(code)
        elif code == 0xD0:
            self.reference_null()
        elif code == 0xD1:
            self.reference_is_null()
        elif code == 0xD2:
            self.reference_function()
        else:
            self.reference(code)

    def prefixed(self, prefix: i64) -> None:
        """An instruction with a prefix byte."""
        number = self.u32()
        first: i64 = PREFIXES[prefix]
        end: i64 = PREFIX_ENDS[prefix]
        code = first + number
        if code >= end:
            self.refuse(prefix, number)
        signature = self.signatures[code]
        kind = signature >> 24
        if kind <= 9:
            self.by_signature(code, signature)
            if prefix == _VECTOR_PREFIX:
                if self.live:
                    self.flags |= _HAS_VECTORS
            elif prefix == _ATOMIC_PREFIX:
                self.check_atomic(code, signature)
        elif kind == _ILLEGAL:
            self.refuse(prefix, number)
        elif 0x108 <= code <= 0x111:
            self.bulk(code)
        elif 0x113 <= code <= 0x116:
            self.wide_arithmetic(code)
        elif prefix == _OBJECT_PREFIX:
            self.object_(code)
        else:
            self.fence()

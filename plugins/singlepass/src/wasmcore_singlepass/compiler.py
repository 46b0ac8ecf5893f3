"""The one walk over the resolved stream of a function: control, locals, and who does the rest."""

from __future__ import annotations

from typing import Final

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import append, i64, read_i64_le, u8, vec
from wasmcore_singlepass.accesses import Accesses
from wasmcore_singlepass.allocation import (
    BASE_BIT,
    CONSTANT,
    FLOAT_PIN,
    FLOAT_REGISTER,
    IN_SLOT,
    KIND_MASK,
    LOCAL,
    NOT_PINNED,
    REGISTER,
    TYPE_SHIFT,
    is_wide,
)

# The stream's format (`wasmcore.stream`).
_EXTENDED: Final = 0x80000000
_HEADER_TYPE: Final = 8
_HEADER_LOCALS: Final = 16
_HEADER_HEIGHT: Final = 24
_HEADER_LABELS: Final = 32
_HEADER_FLAGS: Final = 40
_HEADER_RECORDS_END: Final = 48
_HEADER_BYTES: Final = 64
_HAS_CALLS: Final = 1
_USES_MEMORY: Final = 2
_LOCALS: Final = 0x7F0
_LOOP_HAS_CALLS: Final = 0x4000
_REACHED: Final = 0x4000
_END_KIND_SHIFT: Final = 11
_END_LOOP: Final = 1
_END_IF: Final = 2
_RETURN_LABEL: Final = -1
_COUNT_MASK: Final = 0x7FF
_MEMORY_MASK: Final = 0x3FF

_LOOP_LABEL: Final = 0x10000000000
"""In `label_valid`: the label is the head of a loop, so its set is fixed."""
_UNSEEN: Final = -1
_SMALL_CLEAR: Final = 8
"""More slots than that are cleared by a loop."""


class Unsupported(Exception):
    """An instruction (`code`, 0: a value type) that is not implemented; `word` is its place in the stream."""

    def __init__(self, code: int, word: int) -> None:
        super().__init__(code, word)
        self.code = code
        self.word = word


class Compiler(Accesses):
    """Compiles functions of one module, one after the other, to macro records."""

    def __init__(
        self,
        temporaries: i64,
        float_temporaries: i64,
        pinned: bytes,
        float_pinned: bytes,
        integers: bytes,
        floats: bytes,
        integer_results: bytes,
        float_results: bytes,
        call_index: i64,
        native_arguments: bytes,
        native_destroyed: i64,
        shift_count: i64,
        dividend: i64,
        remainder: i64,
    ) -> None:
        super().__init__(
            temporaries,
            float_temporaries,
            integers,
            floats,
            integer_results,
            float_results,
            call_index,
            native_arguments,
            native_destroyed,
            shift_count,
            dividend,
            remainder,
        )
        self.pinned = pinned
        self.float_pinned = float_pinned
        self.types = b""
        self.signatures = b""
        self.function_types = b""
        self.imported: i64 = 0
        self.imports_offset: i64 = 0
        self.functions_offset: i64 = 0
        self.funcref_size: i64 = 0
        self.stream = b""
        self.position: i64 = 0
        self.end: i64 = 0
        self.stream_labels: i64 = 0
        self.next_label: i64 = 0
        self.table_index: i64 = 0
        self.label_valid: vec[i64] = vec[i64]()
        self.else_valid: vec[i64] = vec[i64]()
        self.chosen: vec[i64] = vec[i64]([0] * 16)
        self.chosen_weight: vec[i64] = vec[i64]([0] * 16)

    def set_module(
        self,
        types: bytes,
        signatures: bytes,
        function_types: bytes,
        imported: i64,
        imports_offset: i64,
        functions_offset: i64,
        funcref_size: i64,
    ) -> None:
        """What all functions of the module share (see `wasmcore.plugin.unit.Environment`)."""
        self.types = types
        self.signatures = signatures
        self.function_types = function_types
        self.imported = imported
        self.imports_offset = imports_offset
        self.functions_offset = functions_offset
        self.funcref_size = funcref_size

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
        at = self.position
        while at < end:
            word = read_i64_le(stream, at)
            at += 8
            code = word & 0xFFFF
            if code == 0x20:
                self.push_local(word >> 32, (word >> 16) & 0x7FFF)
                continue
            value = word >> 32
            if word & _EXTENDED:
                value = read_i64_le(stream, at)
                at += 8
            if code >= 0x41 and code <= 0x44:
                self.push(CONSTANT, value, code - 0x40)
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

    # The function

    def begin(self) -> None:
        """Header, declared locals, pins, prologue."""
        stream = self.stream
        flags = read_i64_le(stream, _HEADER_FLAGS)
        height = read_i64_le(stream, _HEADER_HEIGHT)
        self.locals = read_i64_le(stream, _HEADER_LOCALS)
        self.end = read_i64_le(stream, _HEADER_RECORDS_END)
        self.stream_labels = read_i64_le(stream, _HEADER_LABELS)
        self.next_label = 2 * self.stream_labels
        self.make_room(height + 2, self.locals)
        self.top = 0
        self.settled = 0
        self.comparison = 0
        self.free = self.temporaries
        self.float_free = self.float_temporaries
        self.has_calls = flags & _HAS_CALLS != 0
        self.clear_labels()
        signature = read_i64_le(stream, _HEADER_TYPE) * 16
        params = self.number(signature, 4)
        self.read_locals(self.number(signature, 0), params)
        self.choose_pins(params)
        size: i64 = 0
        if self.has_calls:
            size = m.FRAME_CALLS
            if params <= len(self.floats):  # nothing of them is in the overflow area, which a poll may change
                size |= m.FRAME_POLLS
        self.emit(m.PROLOGUE, size, 0, 0, 0, self.locals + height + 1)
        self.enter_params(params)
        if size == m.FRAME_CALLS:
            self.emit(m.POLL, 0, 0, 0, 0, 0)
        self.clear_locals(params)
        self.valid = self.all_valid
        if flags & _USES_MEMORY and self.based:
            self.all_valid |= BASE_BIT
            if not self.has_calls:
                self.load_base()

    def number(self, signature: i64, at: i64) -> i64:
        """One number of a signature."""
        return read_u32(self.signatures, signature + at)

    def clear_labels(self) -> None:
        """No label has been seen."""
        count = self.stream_labels
        have = i64(len(self.label_valid))
        i: i64 = 0
        while i < count:
            if i < have:
                self.label_valid[i] = _UNSEEN
            else:
                self.label_valid = append(self.label_valid, _UNSEEN)
                self.else_valid = append(self.else_valid, 0)
            i += 1

    def read_locals(self, run: i64, params: i64) -> None:
        """Types of all locals: parameters from the signature, the others from the records in front."""
        types = self.types
        local: i64 = 0
        while local < params:
            self.local_type[local] = types[run + local]
            local += 1
        at: i64 = _HEADER_BYTES
        while at < self.end:
            word = read_i64_le(self.stream, at)
            if word & 0xFFFF != _LOCALS:
                break
            at += 8
            count = word >> 32
            if word & _EXTENDED:
                count = read_i64_le(self.stream, at)
                at += 8
            local_type = u8((word >> 16) & 0x7FFF)
            while count:
                self.local_type[local] = local_type
                local += 1
                count -= 1
        self.position = at
        local = 0
        while local < self.locals:
            self.pin[local] = NOT_PINNED
            self.pending[local] = -1
            if self.local_type[local] == 5:
                raise Unsupported(0, 0)
            local += 1

    def weight(self, local: i64) -> i64:
        """How often a local is used."""
        return read_i64_le(self.stream, self.end + 8 * local)

    # Pins

    def choose_pins(self, params: i64) -> None:
        """Pin the hottest locals of each file."""
        self.all_valid = 0
        self.pin_hottest(self.pinned, self.integers, params, False)
        self.pin_hottest(self.float_pinned, self.floats, params, True)

    def pin_hottest(self, registers: bytes, arguments: bytes, params: i64, floats: bool) -> None:
        """Pin the hottest locals of one file; parameters stay where they arrive if that is a register for pins."""
        chosen = self.chosen
        weights = self.chosen_weight
        room = i64(len(registers))
        count: i64 = 0
        local: i64 = 0
        while local < self.locals:
            local_type = i64(self.local_type[local])
            if (local_type == 3 or local_type == 4) == floats:
                weight = self.weight(local)
                if weight > 0 and (count < room or weight > weights[count - 1]):
                    at = count if count < room else room - 1
                    while at > 0 and weights[at - 1] < weight:
                        chosen[at] = chosen[at - 1]
                        weights[at] = weights[at - 1]
                        at -= 1
                    chosen[at] = local
                    weights[at] = weight
                    if count < room:
                        count += 1
            local += 1
        taken = self.pin_arrivals(count, registers, arguments, params, floats)
        base: i64 = FLOAT_PIN if floats else 0
        register: i64 = 0
        one: i64 = 1
        i: i64 = 0
        while i < count:
            local = chosen[i]
            if self.pin[local] == NOT_PINNED:
                while (taken >> i64(registers[register])) & 1:
                    register += 1
                taken |= one << i64(registers[register])
                self.set_pin(local, base + i64(registers[register]))
            i += 1

    def pin_arrivals(self, count: i64, registers: bytes, arguments: bytes, params: i64, floats: bool) -> i64:
        """Pin chosen parameters to the registers they arrive in where these are for pins; the set of registers used."""
        taken: i64 = 0
        one: i64 = 1
        i: i64 = 0
        while i < count:
            local = self.chosen[i]
            if local < params:
                place = self.arrival(local, arguments, floats)
                if place >= 0 and contains(registers, place):
                    taken |= one << place
                    self.set_pin(local, place + (FLOAT_PIN if floats else 0))
            i += 1
        return taken

    def arrival(self, param: i64, arguments: bytes, floats: bool) -> i64:
        """The register of its file a parameter arrives in, or -1."""
        number: i64 = 0
        i: i64 = 0
        while i < param:
            if (self.local_type[i] == 3 or self.local_type[i] == 4) == floats:
                number += 1
                if number >= len(arguments):
                    return -1
            i += 1
        return i64(arguments[number])

    def set_pin(self, local: i64, pin: i64) -> None:
        """A local lives in a register (floats: plus 16)."""
        one: i64 = 1
        self.pin[local] = u8(pin)
        self.pinned_local[pin] = local
        self.all_valid |= one << pin

    # Entry

    def enter_params(self, params: i64) -> None:
        """Parameters to their pins and slots: first whatever goes to a slot, then what moves, then what is in memory."""
        self.walk_params(params, 0)
        self.walk_params(params, 1)

    def walk_params(self, params: i64, step: i64) -> None:
        """Step 0 stores parameters, step 1 moves them and reads the overflow area."""
        next_integer: i64 = 0
        next_float: i64 = 0
        overflow: i64 = 0
        local: i64 = 0
        while local < params:
            local_type = i64(self.local_type[local])
            used = self.weight(local) > 0
            if local_type == 3 or local_type == 4:
                if next_float < len(self.floats):
                    if used:
                        self.enter_float(local, i64(self.floats[next_float]), step)
                    next_float += 1
                else:
                    if used and step == 1:
                        self.enter_overflow(local, overflow)
                    overflow += 1
            elif next_integer < len(self.integers):
                if used:
                    self.enter_integer(local, i64(self.integers[next_integer]), step)
                next_integer += 1
            else:
                if used and step == 1:
                    self.enter_overflow(local, overflow)
                overflow += 1
            local += 1

    def enter_integer(self, local: i64, register: i64, step: i64) -> None:
        """A parameter that arrives in an integer register; the upper half of an i32 is undefined."""
        pin = i64(self.pin[local])
        wide = is_wide(i64(self.local_type[local]))
        if step == 0:
            if pin == NOT_PINNED or self.has_calls:
                self.emit(m.STORE_SLOT, wide, 0, register, 0, local)
        elif pin != NOT_PINNED and (pin != register or wide == 0):
            self.emit(m.MOVE, wide, pin, register, 0, 0)

    def enter_float(self, local: i64, register: i64, step: i64) -> None:
        """A parameter that arrives in a float register."""
        pin = i64(self.pin[local])
        if step == 0:
            if pin == NOT_PINNED or self.has_calls:
                self.emit(m.FLOAT_STORE_SLOT, is_wide(i64(self.local_type[local])), 0, register, 0, local)
        elif pin != NOT_PINNED and pin - FLOAT_PIN != register:
            self.emit(m.FLOAT_MOVE, m.WIDE, pin - FLOAT_PIN, register, 0, 0)

    def enter_overflow(self, local: i64, overflow: i64) -> None:
        """A parameter that arrives in the overflow area."""
        pin = i64(self.pin[local])
        wide = is_wide(i64(self.local_type[local]))
        if FLOAT_PIN <= pin < NOT_PINNED:
            self.emit(m.FLOAT_LOAD_OVERFLOW, wide, pin - FLOAT_PIN, 0, 0, overflow)
            if self.has_calls:
                self.emit(m.FLOAT_STORE_SLOT, wide, 0, pin - FLOAT_PIN, 0, local)
            return
        register = pin
        if pin == NOT_PINNED:
            register = self.take_any()
        self.emit(m.LOAD_OVERFLOW, wide, register, 0, 0, overflow)
        if pin == NOT_PINNED or self.has_calls:
            self.emit(m.STORE_SLOT, wide, 0, register, 0, local)
        self.give(register)

    def clear_locals(self, params: i64) -> None:
        """Declared locals begin as zero; those never used need nothing."""
        slots: i64 = 0
        local = params
        while local < self.locals:
            if self.weight(local) > 0 and (self.has_calls or self.pin[local] == NOT_PINNED):
                slots += 1
            local += 1
        if slots > _SMALL_CLEAR:
            self.emit_long(m.ZERO_SLOTS, 0, 0, 0, 0, params, self.locals - params)
        local = params
        while local < self.locals:
            if self.weight(local) > 0:
                pin = i64(self.pin[local])
                if slots <= _SMALL_CLEAR and (self.has_calls or pin == NOT_PINNED):
                    self.emit_long(m.STORE_SLOT_CONSTANT, is_wide(i64(self.local_type[local])), 0, 0, 0, local, 0)
                if pin < FLOAT_PIN:
                    self.emit(m.CONSTANT, 0, pin, 0, 0, 0)
                elif pin != NOT_PINNED:
                    self.emit(m.FLOAT_CONSTANT, 0, pin - FLOAT_PIN, 0, 0, 0)
            local += 1

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
                    self.load(code - 0x28, flags & _MEMORY_MASK, value if word & _EXTENDED else value & 0xFFFFFFFF)
                elif code <= 0x3E:
                    self.store(code - 0x36, flags & _MEMORY_MASK, value if word & _EXTENDED else value & 0xFFFFFFFF)
                elif code == 0x3F:
                    self.memory_size(word >> 32)
                else:
                    self.bulk(code, word >> 32, flags)
            elif code >= 0x20:
                if code == 0x20:
                    self.push_local(word >> 32, flags)
                elif code <= 0x22:
                    if flags == 3 or flags == 4:
                        self.set_float(word >> 32, flags, code == 0x22)
                    else:
                        self.set_integer(word >> 32, flags, code == 0x22)
                elif code == 0x23:
                    self.require(flags, word)
                    self.global_get(word >> 32, flags)
                elif code == 0x24:
                    self.require(flags, word)
                    self.global_set(word >> 32, flags)
                elif code == 0x25:
                    self.table_get(word >> 32)
                else:
                    self.table_set(word >> 32)
            else:
                self.control(word, code, flags, value)
        elif code <= 0xC4:
            self.numeric(code)
        else:
            self.other(word, code, flags)

    def require(self, value_type: i64, word: i64) -> None:
        """The value type must be implemented."""
        if value_type == 5:
            raise Unsupported(word & 0xFFFF, (self.position >> 3) - 1)

    def other(self, word: i64, code: i64, flags: i64) -> None:
        """References and the codes behind the prefix 0xFC."""
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

    # Locals

    def set_integer(self, local: i64, value_type: i64, tee: bool) -> None:
        """local.set and local.tee of an integer or a reference."""
        if value_type == 5:
            raise Unsupported(0x21, (self.position >> 3) - 1)
        wide = is_wide(value_type)
        pin = i64(self.pin[local])
        top = self.top - 1
        kind = i64(self.shape[top]) & KIND_MASK
        value = self.value[top]
        if kind == LOCAL and value == local:
            if not tee:
                self.forget_top()
            return
        pending = self.pending_read(local) >= 0
        if pin == NOT_PINNED:
            if pending:
                self.read_before_write(local)
            if not tee and kind == CONSTANT and (wide == 0 or -0x80000000 <= value <= 0x7FFFFFFF):
                self.forget_top()
                self.emit_long(m.STORE_SLOT_CONSTANT, wide, 0, 0, 0, local, value)
                return
            a = self.pop()
            self.emit(m.STORE_SLOT, wide, 0, a, 0, local)
            if not tee:
                self.give(a)
            elif self.is_temporary(a):
                self.push_register(a, value_type)
            else:
                self.push_local(local, value_type)
            return
        if pending:
            self.read_before_write(local)
            kind = i64(self.shape[top]) & KIND_MASK
            value = self.value[top]
        self.value_to_pin(pin, wide, kind, value, top)
        one: i64 = 1
        self.valid |= one << pin
        if self.has_calls:
            self.emit(m.STORE_SLOT, wide, 0, pin, 0, local)
        if tee:
            self.push_local(local, value_type)

    def value_to_pin(self, pin: i64, wide: i64, kind: i64, value: i64, top: i64) -> None:
        """Pop the top entry into a pinned register."""
        if kind == CONSTANT:
            self.forget_top()
            self.emit_constant(m.CONSTANT, wide, pin, 0, 0, value)
        elif kind == IN_SLOT:
            self.forget_top()
            self.emit(m.LOAD_SLOT, wide, pin, 0, 0, self.locals + top)
        elif kind == LOCAL and self.pin[value] == NOT_PINNED:
            self.forget_top()
            self.emit(m.LOAD_SLOT, wide, pin, 0, 0, value)
        else:
            a = self.pop()
            if a != pin:
                self.emit(m.MOVE, wide, pin, a, 0, 0)
                self.give(a)

    def set_float(self, local: i64, value_type: i64, tee: bool) -> None:
        """local.set and local.tee of a float."""
        wide = is_wide(value_type)
        pin = i64(self.pin[local])
        top = self.top - 1
        if self.shape[top] & KIND_MASK == LOCAL and self.value[top] == local:
            if not tee:
                self.forget_top()
            return
        if self.pending_read(local) >= 0:
            self.read_before_write(local)
        if pin == NOT_PINNED:
            a = self.pop_float()
            self.emit(m.FLOAT_STORE_SLOT, wide, 0, a, 0, local)
            if not tee:
                self.give_float(a)
            elif self.is_float_temporary(a):
                self.push_float(a, value_type)
            else:
                self.push_local(local, value_type)
            return
        register = pin - FLOAT_PIN
        if self.shape[top] & KIND_MASK == CONSTANT:
            value = self.value[top]
            self.forget_top()
            self.emit_constant(m.FLOAT_CONSTANT, wide, register, 0, 0, value)
        else:
            a = self.pop_float()
            if a != register:
                self.emit(m.FLOAT_MOVE, m.WIDE, register, a, 0, 0)
                self.give_float(a)
        one: i64 = 1
        self.valid |= one << pin
        if self.has_calls:
            self.emit(m.FLOAT_STORE_SLOT, wide, 0, register, 0, local)
        if tee:
            self.push_local(local, value_type)

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
            self.require(flags, word)
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
        elif code != 0x01:
            raise Unsupported(code, (self.position >> 3) - 1)

    def direct_call(self, function: i64, tail: i64) -> None:
        """call and return_call."""
        signature = read_u32(self.function_types, 4 * function) * 16
        params = self.number(signature, 4)
        if function < self.imported:
            self.call(m.CALL_IMPORT, tail, self.imports_offset + 8 * function, 0, params)
        else:
            self.call(m.CALL, tail, self.functions_offset + self.funcref_size * (function - self.imported), 0, params)
        if tail == 0:
            self.push_call_results(signature)

    def indirect_call(self, type_index: i64, table: i64, tail: i64) -> None:
        """call_indirect and return_call_indirect."""
        signature = type_index * 16
        self.pop_table_index()
        self.call(m.CALL_INDIRECT, tail, self.table_offset[table], type_index, self.number(signature, 4))
        if tail == 0:
            self.push_call_results(signature)

    def push_call_results(self, signature: i64) -> None:
        """The results of a call of this signature."""
        count = self.number(signature, 12)
        if count:
            self.push_results(self.types, self.number(signature, 8), count)

    def edge(self, label: i64) -> None:
        """There is a jump to the label from here: what is current there is what is current on every edge; a loop's set is fixed."""
        have = self.label_valid[label]
        if have == _UNSEEN:
            self.label_valid[label] = self.valid
        elif have & _LOOP_LABEL:
            self.make_valid(have & ~_LOOP_LABEL)
        else:
            self.label_valid[label] = have & self.valid

    def is_loop(self, label: i64) -> bool:
        """Whether a label is the head of a loop."""
        valid = self.label_valid[label]
        return valid != _UNSEEN and valid & _LOOP_LABEL != 0

    def to_label(self, label: i64, count: i64, height: i64) -> None:
        """Put the top `count` values where the label wants them: one value in a register, several (and a loop's) in slots."""
        if count == 0:
            return
        base = self.top - count
        if count == 1 and not self.is_loop(label):
            self.to_result_register()
            return
        entry = base
        while entry < self.top:
            slot = self.locals + height + entry - base
            if slot != self.locals + entry or self.shape[entry] & KIND_MASK != IN_SLOT:
                self.store_entry(entry, slot)
            entry += 1

    def to_result_register(self) -> None:
        """Move the top entry to the register of block results; it stays on the stack."""
        top = self.top - 1
        value_type = i64(self.shape[top]) >> TYPE_SHIFT
        if value_type == 3 or value_type == 4:
            register = i64(self.float_results[0])
            if self.shape[top] & KIND_MASK == FLOAT_REGISTER and self.value[top] == register:
                return
            a = self.pop_float()
            if a != register:
                self.take_float(register)
                self.emit(m.FLOAT_MOVE, m.WIDE, register, a, 0, 0)
                self.give_float(a)
            self.push_float(register, value_type)
            return
        register = i64(self.integer_results[0])
        if self.shape[top] & KIND_MASK == REGISTER and self.value[top] == register:
            return
        wide = is_wide(value_type)
        kind = i64(self.shape[top]) & KIND_MASK
        value = self.value[top]
        if kind == CONSTANT:
            self.forget_top()
            self.take(register)
            self.emit_constant(m.CONSTANT, wide, register, 0, 0, value)
        else:
            a = self.pop()
            if a != register:
                self.take(register)
                self.emit(m.MOVE, wide, register, a, 0, 0)
                self.give(a)
        self.push_register(register, value_type)

    def label_here(self, label: i64, valid: i64) -> None:
        """Bind a label (of records); these registers are current."""
        self.emit(m.LABEL, 0, 0, 0, 0, label)
        self.valid = valid

    def begin_block_state(self, height: i64, run: i64, count: i64, in_register: bool) -> None:
        """The stack at a label: `count` values above a height."""
        self.top = height
        self.settled = height
        self.comparison = 0
        self.discard_registers()
        if count == 1 and in_register:
            value_type = i64(self.types[run])
            if value_type == 3 or value_type == 4:
                self.take_float(i64(self.float_results[0]))
                self.push_float(i64(self.float_results[0]), value_type)
            else:
                self.take(i64(self.integer_results[0]))
                self.push_register(i64(self.integer_results[0]), value_type)
            return
        i: i64 = 0
        while i < count:
            self.push(IN_SLOT, 0, i64(self.types[run + i]))
            i += 1
        self.settled = self.top

    def settle_all(self, count: i64) -> None:
        """Everything into its slot, constants too among the top `count`."""
        self.settle_below(self.top - count)
        entry = self.top - count
        while entry < self.top:
            if self.shape[entry] & KIND_MASK != IN_SLOT:
                self.settle(entry)
            entry += 1
        self.settled = self.top

    def begin_loop(self, label: i64, flags: i64) -> None:
        """loop: a loop without calls keeps all pinned locals current, one with calls begins with none."""
        self.settle_all(flags & _COUNT_MASK)
        if self.has_calls:
            if flags & _LOOP_HAS_CALLS:
                self.valid = 0
            else:
                self.make_valid(self.all_valid)
        self.label_valid[label] = self.valid | _LOOP_LABEL
        self.emit(m.LABEL, 0, 0, 0, 0, 2 * label)
        self.emit(m.POLL, 0, 0, 0, 0, 0)

    def begin_if(self, label: i64, params: i64) -> None:
        """if: jumps to the label of the other branch."""
        self.pop_condition()
        self.settle_all(params)
        self.else_valid[label] = self.valid
        condition = self.condition ^ 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label + 1)

    def begin_else(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """else: the end of the first branch, the begin of the second."""
        if flags & _REACHED:
            self.to_label(label, self.top - height, height)
            self.edge(label)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        self.label_here(2 * label + 1, self.else_valid[label])
        self.begin_block_state(height, run, flags & _COUNT_MASK, False)

    def end_block(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """end: where the ways meet again."""
        count = flags & _COUNT_MASK
        kind = (flags >> _END_KIND_SHIFT) & 3
        if kind == _END_LOOP:
            return
        if kind == _END_IF:
            self.end_if(label, flags, height, run)
        elif self.label_valid[label] != _UNSEEN:
            if flags & _REACHED:
                self.to_label(label, count, height)
                self.edge(label)
            self.label_here(2 * label, self.label_valid[label])
            self.begin_block_state(height, run, count, True)
        elif flags & _REACHED == 0:
            self.begin_block_state(height, run, 0, True)

    def end_if(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """The end of an `if` without `else`, whose values (as many as parameters) are in slots if the branch was not taken."""
        count = flags & _COUNT_MASK
        targeted = self.label_valid[label] != _UNSEEN
        if flags & _REACHED:
            self.to_label(label, count, height)
            self.edge(label)
        if count == 1 and (targeted or flags & _REACHED):
            if flags & _REACHED:
                self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
            self.label_here(2 * label + 1, self.else_valid[label])
            self.begin_block_state(height, run, 1, False)
            self.to_result_register()
        else:
            self.emit(m.LABEL, 0, 0, 0, 0, 2 * label + 1)
            self.valid = self.else_valid[label]
        self.edge(label)
        if targeted or (count == 1 and flags & _REACHED):
            self.emit(m.LABEL, 0, 0, 0, 0, 2 * label)
        self.valid = self.label_valid[label]
        self.begin_block_state(height, run, count, targeted or flags & _REACHED != 0)

    def branch_if(self, label: i64, count: i64, height: i64) -> None:
        """br_if."""
        if label == _RETURN_LABEL:
            self.return_if(count)
            return
        if count == 0:
            self.pop_condition()
            self.edge(label)
            condition = self.condition
            self.emit_comparison()
            self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label)
            return
        self.pop_condition()
        if count == 1 and not self.is_loop(label):
            self.keep_comparison_from_result()
            self.to_result_register()
            self.edge(label)
            condition = self.condition
            self.emit_comparison()
            self.emit(m.JUMP_IF, condition, 0, 0, 0, 2 * label)
            return
        condition = self.condition ^ 1
        self.edge(label)
        over = self.next_label
        self.next_label += 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, over)
        self.to_label(label, count, height)
        self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def return_if(self, count: i64) -> None:
        """br_if out of the function; what is on the stack stays as it is for the other way."""
        self.pop_condition()
        if count > 1:
            self.settle_all(count)
        condition = self.condition ^ 1
        over = self.next_label
        self.next_label += 1
        self.emit_comparison()
        self.emit(m.JUMP_IF, condition, 0, 0, 0, over)
        self.leave(count)
        self.emit(m.LABEL, 0, 0, 0, 0, over)

    def keep_comparison_from_result(self) -> None:
        """If an operand of the waiting comparison is in the register of block results, move it."""
        value_type = i64(self.shape[self.top - 1]) >> TYPE_SHIFT
        if value_type == 3 or value_type == 4:
            register = i64(self.float_results[0])
            if self.comparison != m.FLOAT_COMPARE or (self.comparison_a != register and self.comparison_b != register):
                return
            other = self.take_any_float()
            self.emit(m.FLOAT_MOVE, m.WIDE, other, register, 0, 0)
            self.give_float(register)
        else:
            register = i64(self.integer_results[0])
            uses_b = self.comparison == m.COMPARE or self.comparison == m.TEST
            if self.comparison == m.FLOAT_COMPARE or (self.comparison_a != register and not (uses_b and self.comparison_b == register)):
                return
            other = self.take_any()
            self.emit(m.MOVE, m.WIDE, other, register, 0, 0)
            self.give(register)
        if self.comparison_a == register:
            self.comparison_a = other
        if self.comparison_b == register:
            self.comparison_b = other

    def branch_table(self, targets: i64) -> None:
        """br_table with the records of its targets."""
        first = read_i64_le(self.stream, self.position)
        count = (first >> 16) & _COUNT_MASK
        index = self.pop_temporary()
        if count == 1:
            self.free_from_result(index)
            index = self.table_index
            self.to_result_register()
        elif count > 1:
            self.settle_all(count)
        self.table_edges(targets)
        self.emit(m.BRANCH_TABLE, 0, 0, index, 0, targets)
        self.give(index)
        if count == 0:
            self.plain_targets(targets)
        else:
            self.targets_with_values(targets, count)

    def free_from_result(self, index: i64) -> None:
        """The index of a table must not be in the register of block results; `table_index` is where it is."""
        self.table_index = index
        value_type = i64(self.shape[self.top - 1]) >> TYPE_SHIFT
        if value_type == 3 or value_type == 4 or index != i64(self.integer_results[0]):
            return
        self.table_index = self.take_any()
        self.emit(m.MOVE, m.WIDE, self.table_index, index, 0, 0)
        self.give(index)

    def table_edges(self, targets: i64) -> None:
        """Edges to all targets; what loops among them want current is loaded first, for all."""
        step: i64 = 0
        while step < 2:
            at = self.position
            i: i64 = 0
            while i < targets:
                word = read_i64_le(self.stream, at)
                at += 16 if word & _EXTENDED else 8
                label = word >> 32
                if label != _RETURN_LABEL and self.is_loop(label) == (step == 0):
                    self.edge(label)
                i += 1
            step += 1

    def plain_targets(self, targets: i64) -> None:
        """Targets without values; one way to return for all that leave the function."""
        returning: i64 = -1
        at = self.position
        i: i64 = 0
        while i < targets:
            label = read_i64_le(self.stream, at) >> 32
            target = 2 * label
            if label == _RETURN_LABEL:
                if returning < 0:
                    returning = self.next_label
                    self.next_label += 1
                target = returning
            self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, target)
            at += 8
            i += 1
        self.position = at
        if returning >= 0:
            self.emit(m.LABEL, 0, 0, 0, 0, returning)
            self.leave(0)

    def targets_with_values(self, targets: i64, count: i64) -> None:
        """Targets with values: some through a piece of code of their own that moves the values, one per label."""
        pieces: dict[int, int] = {}
        heights: list[tuple[int, int, int]] = []
        base = self.top - count
        at = self.position
        i: i64 = 0
        while i < targets:
            word = read_i64_le(self.stream, at)
            height = read_i64_le(self.stream, at + 8) & 0xFFFFFFFF
            at += 16
            label = word >> 32
            target = 2 * label
            if label == _RETURN_LABEL or (self.is_loop(label) if count == 1 else height != base):
                if label in pieces:
                    target = i64(pieces[label])
                else:
                    target = self.next_label
                    self.next_label += 1
                    pieces[label] = target
                    heights.append((label, height, target))
            self.emit(m.BRANCH_TARGET, 0, 0, 0, 0, target)
            i += 1
        self.position = at
        for piece_label, piece_height, piece in heights:
            self.emit(m.LABEL, 0, 0, 0, 0, piece)
            if piece_label == _RETURN_LABEL:
                self.leave(count)
                continue
            self.to_label(piece_label, count, piece_height)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * i64(piece_label))


def read_u32(data: bytes, at: i64) -> i64:
    """The unsigned 32-bit number at a position."""
    return i64(data[at]) | (i64(data[at + 1]) << 8) | (i64(data[at + 2]) << 16) | (i64(data[at + 3]) << 24)


def contains(registers: bytes, register: i64) -> bool:
    """Whether a register is among some."""
    i: i64 = 0
    while i < len(registers):
        if i64(registers[i]) == register:
            return True
        i += 1
    return False

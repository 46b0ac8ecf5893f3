"""The beginning of a function: its header, where its locals live, and its parameters."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import append, i64, read_i32_le, read_i64_le, u8, vec
from wasmcore_singlepass.accesses import Accesses
from wasmcore_singlepass.allocation import BASE_BIT, FLOATS, NOT_PINNED, is_wide
from wasmcore_singlepass.registers import RegisterFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

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
_HAS_VECTORS: Final = 8
_LOCALS: Final = 0x7F0

_UNSEEN: Final = -1
_SMALL_CLEAR: Final = 8
"""More slots than that are cleared by a loop."""


class Unsupported(Exception):
    """An instruction that is not implemented; `word` is its place in the stream."""

    def __init__(self, code: int, word: int) -> None:
        super().__init__(code, word)
        self.code = code
        self.word = word


class Entry(Accesses):
    """What stands before the first instruction; the tables of the module."""

    def __init__(self, registers: RegisterFile) -> None:
        super().__init__(registers)
        self.pinned = registers.pinned
        self.float_pinned = registers.float_pinned
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
        self.chosen: vec[i64] = vec[i64]([0] * 32)
        self.chosen_weight: vec[i64] = vec[i64]([0] * 32)

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
        slots_size = m.FRAME_VECTORS if flags & _HAS_VECTORS else 0
        self.emit(m.PROLOGUE, size | slots_size, 0, 0, 0, self.locals + height + 1)
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
        while i64(len(self.label_valid)) < count:
            self.label_valid = append(self.label_valid, _UNSEEN)
            self.else_valid = append(self.else_valid, 0)
        label_valid = self.label_valid
        i: i64 = 0
        while i < count:
            label_valid[i] = _UNSEEN
            i += 1

    def read_locals(self, run: i64, params: i64) -> None:
        """Types of all locals: parameters from the signature, the others from the records in front."""
        types = self.types
        stream = self.stream
        local_types = self.local_type
        local: i64 = 0
        while local < params:
            local_types[local] = types[run + local]
            local += 1
        at: i64 = _HEADER_BYTES
        while at < self.end:
            word = read_i64_le(stream, at)
            if word & 0xFFFF != _LOCALS:
                break
            at += 8
            count = word >> 32
            if word & _EXTENDED:
                count = read_i64_le(stream, at)
                at += 8
            local_type = u8((word >> 16) & 0x7FFF)
            while count:
                local_types[local] = local_type
                local += 1
                count -= 1
        self.position = at
        pins = self.pin
        pending = self.pending
        local = 0
        while local < self.locals:
            pins[local] = NOT_PINNED
            pending[local] = -1
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
            if (3 <= local_type <= 5) == floats:
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
        base: i64 = FLOATS if floats else 0
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
                    self.set_pin(local, place + (FLOATS if floats else 0))
            i += 1
        return taken

    def arrival(self, param: i64, arguments: bytes, floats: bool) -> i64:
        """The register of its file a parameter arrives in, or -1."""
        number: i64 = 0
        i: i64 = 0
        while i < param:
            if (3 <= self.local_type[i] <= 5) == floats:
                number += 1
                if number >= len(arguments):
                    return -1
            i += 1
        return i64(arguments[number])

    def set_pin(self, local: i64, pin: i64) -> None:
        """A local lives in a register (floats: plus `FLOATS`)."""
        self.pin[local] = u8(pin)
        self.pinned_local[pin] = local
        self.all_valid |= self.one << pin

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
            if 3 <= local_type <= 5:
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
                self.store_float_slot(register, i64(self.local_type[local]), local)
        elif pin != NOT_PINNED and pin - FLOATS != register:
            self.emit(m.FLOAT_MOVE, m.WIDE, pin - FLOATS, register, 0, 0)

    def enter_overflow(self, local: i64, overflow: i64) -> None:
        """A parameter that arrives in the overflow area."""
        pin = i64(self.pin[local])
        if self.local_type[local] == 5:
            self.enter_overflow_vector(local, overflow, pin - FLOATS)
            return
        wide = is_wide(i64(self.local_type[local]))
        if FLOATS <= pin < NOT_PINNED:
            self.emit(m.FLOAT_LOAD_OVERFLOW, wide, pin - FLOATS, 0, 0, overflow)
            if self.has_calls:
                self.emit(m.FLOAT_STORE_SLOT, wide, 0, pin - FLOATS, 0, local)
            return
        register = pin
        if pin == NOT_PINNED:
            register = self.take_any()
        self.emit(m.LOAD_OVERFLOW, wide, register, 0, 0, overflow)
        if pin == NOT_PINNED or self.has_calls:
            self.emit(m.STORE_SLOT, wide, 0, register, 0, local)
        self.give(register)

    def enter_overflow_vector(self, local: i64, overflow: i64, register: i64) -> None:
        """A vector that arrives in the overflow area, for a register if it is pinned. All arguments in float registers have moved."""
        pinned = register != NOT_PINNED - FLOATS
        if not pinned:
            register = self.take_any_float()
        self.emit(m.VECTOR_LOAD_OVERFLOW, 0, register, 0, 0, overflow)
        if not pinned or self.has_calls:
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, register, 0, local)
        self.give_float(register)

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
                if self.local_type[local] == 5:
                    self.clear_vector(local, pin - FLOATS, slots <= _SMALL_CLEAR and (self.has_calls or pin == NOT_PINNED))
                elif slots <= _SMALL_CLEAR and (self.has_calls or pin == NOT_PINNED):
                    self.emit_long(m.STORE_SLOT_CONSTANT, is_wide(i64(self.local_type[local])), 0, 0, 0, local, 0)
                if pin < FLOATS:
                    self.emit(m.CONSTANT, 0, pin, 0, 0, 0)
                elif pin != NOT_PINNED and self.local_type[local] != 5:
                    self.emit(m.FLOAT_CONSTANT, 0, pin - FLOATS, 0, 0, 0)
            local += 1

    def clear_vector(self, local: i64, register: i64, in_slot: bool) -> None:
        """Clear a local of type v128: its register if it is pinned, and its slot if that is asked for."""
        if register == NOT_PINNED - FLOATS:
            if in_slot:
                self.store_vector_constant(local, 0, 0)
            return
        self.vector_constant(register, 0, 0)
        if in_slot:
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, register, 0, local)


def read_u32(data: bytes, at: i64) -> i64:
    """The unsigned 32-bit number at a position."""
    return i64(read_i32_le(data, at)) & 0xFFFFFFFF


def contains(registers: bytes, register: i64) -> bool:
    """Whether a register is among some."""
    i: i64 = 0
    while i < len(registers):
        if i64(registers[i]) == register:
            return True
        i += 1
    return False

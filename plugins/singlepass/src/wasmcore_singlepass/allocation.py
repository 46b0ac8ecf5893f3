"""Registers and the virtual operand stack of the function being compiled.

An entry of the virtual stack is in its frame slot (`IN_SLOT`), a register, a constant, a local that is not read yet (`LOCAL`), or a
comparison that waits for its user (always the top). The hottest locals are *pinned* to registers of their own. Where the function
makes calls, a pinned local's slot is always current and `valid` says which pinned registers are.
"""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import BytesWriter, append, i64, u8, vec, write_i64_le
from wasmcore_singlepass.registers import RegisterFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

IN_SLOT: Final = 0
REGISTER: Final = 1
FLOAT_REGISTER: Final = 2
CONSTANT: Final = 3
LOCAL: Final = 4
COMPARISON: Final = 5
KIND_MASK: Final = 7
TYPE_SHIFT: Final = 3

NOT_PINNED: Final = 255
FLOATS: Final = 32
"""Added to the number of a float register where integer and float registers stand in one table or set. Numbers are below 30."""
BASE_BIT: Final = 0x40000000
"""In `valid`: the memory base register is loaded."""

_LOCAL_SET: Final = 0x21
_LOCAL_TEE: Final = 0x22


class Allocation:
    """State of one function, and how values get into registers and slots."""

    def __init__(self, registers: RegisterFile) -> None:
        # Final, so that using them counts no references (as an assignment's target they are arguments of `put`).
        self.out: Final = BytesWriter()
        self.temporaries: i64 = registers.temporaries
        self.float_temporaries: i64 = registers.float_temporaries
        self.free: i64 = 0
        self.float_free: i64 = 0
        # The stack entry that may hold each register, integer registers, then float registers; `owner_of` knows whether it does.
        self.owner: Final = vec[i64]([0] * 64)
        # Kind of each entry, and above `TYPE_SHIFT` its machine class.
        self.shape: vec[u8] = vec[u8]()
        self.value: vec[i64] = vec[i64]()
        # Of a LOCAL entry: the next lower one of the same local (it may be stale, see `pending_read`).
        # Of a constant vector: its upper half.
        self.link: vec[i64] = vec[i64]()
        self.top: i64 = 0
        self.settled: i64 = 0  # all entries below are in slots or constants
        self.locals: i64 = 0
        self.local_type: vec[u8] = vec[u8]()
        self.pin: vec[u8] = vec[u8]()
        self.pending: vec[i64] = vec[i64]()
        self.pinned_local: vec[i64] = vec[i64]([-1] * 64)
        self.one: i64 = 1  # no constant: compiled, shifts of those have 32 bits
        self.all_valid: i64 = 0
        self.valid: i64 = 0
        self.has_calls = False
        self.ahead: i64 = 0  # the next stream word
        self.base_offset: i64 = 0  # of memory 0 in the context

    # Records

    def emit(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64) -> None:
        """Write a record without extension; the immediate has signed 32 bits."""
        write_i64_le(self.out, operation | (size << 8) | (d << 15) | (a << 20) | (b << 25) | (immediate << 32))

    def emit_long(self, operation: i64, size: i64, d: i64, a: i64, b: i64, immediate: i64, constant: i64) -> None:
        """Write a record with its extension word."""
        write_i64_le(self.out, operation | m.EXTENDED | (size << 8) | (d << 15) | (a << 20) | (b << 25) | (immediate << 32))
        write_i64_le(self.out, constant)

    def emit_constant(self, operation: i64, size: i64, d: i64, a: i64, b: i64, constant: i64) -> None:
        """Write a record whose only number is a constant, in the shorter form if it fits."""
        word = operation | (size << 8) | (d << 15) | (a << 20) | (b << 25)
        if -0x80000000 <= constant <= 0x7FFFFFFF:
            write_i64_le(self.out, word | (constant << 32))
        else:
            write_i64_le(self.out, word | m.EXTENDED)
            write_i64_le(self.out, constant)

    # The float file holds floats and vectors; their type says which record it takes.

    def load_float_slot(self, register: i64, value_type: i64, slot: i64) -> None:
        """Load a float register from a slot."""
        if value_type == 5:
            self.emit(m.VECTOR_LOAD_SLOT, 0, register, 0, 0, slot)
        else:
            self.emit(m.FLOAT_LOAD_SLOT, is_wide(value_type), register, 0, 0, slot)

    def store_float_slot(self, register: i64, value_type: i64, slot: i64) -> None:
        """Store a float register to a slot."""
        if value_type == 5:
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, register, 0, slot)
        else:
            self.emit(m.FLOAT_STORE_SLOT, is_wide(value_type), 0, register, 0, slot)

    def float_constant(self, register: i64, entry: i64) -> None:
        """Load the constant of an entry (it may be popped already) into a float register."""
        value_type = i64(self.shape[entry]) >> TYPE_SHIFT
        if value_type == 5:
            self.vector_constant(register, self.value[entry], self.link[entry])
        else:
            self.emit_constant(m.FLOAT_CONSTANT, is_wide(value_type), register, 0, 0, self.value[entry])

    def vector_constant(self, register: i64, low: i64, high: i64) -> None:
        """Load a vector constant."""
        self.emit_long(m.VECTOR_CONSTANT, 0, register, 0, 0, 0, low)
        write_i64_le(self.out, high)

    # Free registers

    def take_any(self) -> i64:
        """A free temporary; spills the deepest entry that has one if need be."""
        if self.free == 0:
            self.spill_deepest(0)
        register = lowest_bit(self.free)
        self.free &= self.free - 1
        return register

    def take_any_float(self) -> i64:
        """A free float temporary."""
        if self.float_free == 0:
            self.spill_deepest(FLOATS)
        register = lowest_bit(self.float_free)
        self.float_free &= self.float_free - 1
        return register

    def owner_of(self, register: i64) -> i64:
        """The stack entry that holds a register (floats: plus `FLOATS`), or -1."""
        entry = self.owner[register]
        if entry >= self.top:
            return -1
        kind = i64(self.shape[entry]) & KIND_MASK
        if register < FLOATS:
            if kind == REGISTER and self.value[entry] == register:
                return entry
        elif kind == FLOAT_REGISTER and self.value[entry] == register - FLOATS:
            return entry
        return -1

    def spill_deepest(self, file: i64) -> None:
        """Free a temporary of the file that begins at `file` in `owner`."""
        temporaries = self.temporaries if file == 0 else self.float_temporaries
        deepest: i64 = -1
        register = file
        while temporaries:
            if temporaries & 1:
                entry = self.owner_of(register)
                if entry >= 0 and (deepest < 0 or entry < deepest):
                    deepest = entry
            temporaries >>= 1
            register += 1
        if deepest < 0:
            raise RuntimeError("out of registers")
        self.settle(deepest)

    def take(self, register: i64) -> None:
        """Take this very temporary; whoever has it moves away."""
        one: i64 = 1
        bit = one << register
        if self.free & bit == 0:
            entry = self.owner_of(register)
            if self.free:
                other = self.take_any()
                self.emit(m.MOVE, m.WIDE, other, register, 0, 0)
                self.value[entry] = other
                put(self.owner, other, entry)
            else:
                self.settle(entry)
        self.free &= ~bit

    def take_float(self, register: i64) -> None:
        """Take this very float temporary; whoever has it moves away."""
        one: i64 = 1
        bit = one << register
        if self.float_free & bit == 0:
            entry = self.owner_of(FLOATS + register)
            if self.float_free:
                other = self.take_any_float()
                self.emit(m.FLOAT_MOVE, m.WIDE, other, register, 0, 0)
                self.value[entry] = other
                put(self.owner, FLOATS + other, entry)
            else:
                self.settle(entry)
        self.float_free &= ~bit

    def give(self, register: i64) -> None:
        """The register is not needed any more (nothing happens to a pinned one)."""
        one: i64 = 1
        self.free |= (one << register) & self.temporaries

    def give_float(self, register: i64) -> None:
        """The float register is not needed any more."""
        one: i64 = 1
        self.float_free |= (one << register) & self.float_temporaries

    def is_temporary(self, register: i64) -> bool:
        """Whether an integer register is no pinned one."""
        return (self.temporaries >> register) & 1 != 0

    def is_float_temporary(self, register: i64) -> bool:
        """Whether a float register is no pinned one."""
        return (self.float_temporaries >> register) & 1 != 0

    # Pinned locals

    def load_pinned(self, pin: i64) -> None:
        """Make a pinned register current."""
        local = self.pinned_local[pin]
        wide = is_wide(i64(self.local_type[local]))
        self.valid |= self.one << pin
        if pin < FLOATS:
            self.emit(m.LOAD_SLOT, wide, pin, 0, 0, local)
        else:
            self.load_float_slot(pin - FLOATS, i64(self.local_type[local]), local)

    def load_base(self) -> None:
        """Make the memory base register current."""
        self.emit(m.MEMORY_BASE, 0, 0, 0, 0, self.base_offset)
        self.valid |= BASE_BIT

    def make_valid(self, wanted: i64) -> None:
        """Load those of the pinned registers (and the base) that are wanted and stale."""
        missing = wanted & ~self.valid
        if missing == 0:
            return
        if missing & BASE_BIT:
            self.load_base()
        pin: i64 = 0
        missing &= ~BASE_BIT
        while missing:
            if missing & 1:
                self.load_pinned(pin)
            missing >>= 1
            pin += 1

    def pending_read(self, local: i64) -> i64:
        """The topmost entry that is a read of the local not made yet, or -1."""
        entry = self.pending[local]
        if entry < self.settled or entry >= self.top or self.shape[entry] & KIND_MASK != LOCAL or self.value[entry] != local:
            return -1
        return entry

    def read_before_write(self, local: i64) -> None:
        """The local changes: make its pending reads."""
        entry = self.pending_read(local)
        while entry >= 0:
            below = self.link[entry]
            self.read_now(entry, local)
            entry = below
            if entry < self.settled or self.shape[entry] & KIND_MASK != LOCAL or self.value[entry] != local:
                entry = -1
        self.pending[local] = -1

    def read_now(self, entry: i64, local: i64) -> None:
        """Turn a pending read into a register, or a slot if no register is free."""
        value_type = i64(self.shape[entry]) >> TYPE_SHIFT
        if 3 <= value_type <= 5:
            if self.float_free == 0:
                self.settle(entry)
                return
            register = self.take_any_float()
            self.read_local_float(register, local)
            self.shape[entry] = u8(FLOAT_REGISTER | (value_type << TYPE_SHIFT))
            put(self.owner, FLOATS + register, entry)
        else:
            if self.free == 0:
                self.settle(entry)
                return
            register = self.take_any()
            self.read_local(register, local)
            self.shape[entry] = u8(REGISTER | (value_type << TYPE_SHIFT))
            put(self.owner, register, entry)
        self.value[entry] = register

    def read_local(self, register: i64, local: i64) -> None:
        """Copy a local of an integer class to a register."""
        wide = is_wide(i64(self.local_type[local]))
        pin = i64(self.pin[local])
        if pin == NOT_PINNED:
            self.emit(m.LOAD_SLOT, wide, register, 0, 0, local)
        else:
            if (self.valid >> pin) & 1 == 0:
                self.load_pinned(pin)
            self.emit(m.MOVE, wide, register, pin, 0, 0)

    def read_local_float(self, register: i64, local: i64) -> None:
        """Copy a local of a float class to a register."""
        pin = i64(self.pin[local])
        if pin == NOT_PINNED:
            self.load_float_slot(register, i64(self.local_type[local]), local)
        else:
            if (self.valid >> pin) & 1 == 0:
                self.load_pinned(pin)
            self.emit(m.FLOAT_MOVE, m.WIDE, register, pin - FLOATS, 0, 0)

    # Slots

    def settle(self, entry: i64) -> None:
        """Put an entry into its slot."""
        self.store_entry(entry, self.locals + entry)
        shape = i64(self.shape[entry])
        kind = shape & KIND_MASK
        if kind == REGISTER:
            self.give(self.value[entry])
        elif kind == FLOAT_REGISTER:
            self.give_float(self.value[entry])
        self.shape[entry] = u8(shape - kind)

    def store_entry(self, entry: i64, slot: i64) -> None:
        """Write the value of an entry to a slot."""
        kind = i64(self.shape[entry]) & KIND_MASK
        value = self.value[entry]
        entry_type = i64(self.shape[entry]) >> TYPE_SHIFT
        wide = is_wide(entry_type)
        if kind == REGISTER:
            self.emit(m.STORE_SLOT, wide, 0, value, 0, slot)
        elif kind == FLOAT_REGISTER:
            self.store_float_slot(value, entry_type, slot)
        elif kind == CONSTANT:
            if entry_type == 5:
                self.store_vector_constant(slot, value, self.link[entry])
            elif wide == 0 or -0x80000000 <= value <= 0x7FFFFFFF:
                self.emit_long(m.STORE_SLOT_CONSTANT, wide, 0, 0, 0, slot, value)
            else:
                self.store_long_constant(slot, value, 0)
        elif kind == LOCAL:
            pin = i64(self.pin[value])
            if pin == NOT_PINNED or (self.valid >> pin) & 1 == 0:
                self.emit_long(m.COPY_SLOT, 0, 0, 0, 0, slot, value)
            elif pin < FLOATS:
                self.emit(m.STORE_SLOT, wide, 0, pin, 0, slot)
            else:
                self.store_float_slot(pin - FLOATS, entry_type, slot)
        elif slot != self.locals + entry:
            self.emit_long(m.COPY_SLOT, 0, 0, 0, 0, slot, self.locals + entry)

    def store_long_constant(self, slot: i64, value: i64, word: i64) -> None:
        """Write 64 bits to a slot by halves; `word`: 0 or SECOND_WORD."""
        low = ((value & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000
        self.emit_long(m.STORE_SLOT_CONSTANT, word, 0, 0, 0, slot, low)
        self.emit_long(m.STORE_SLOT_CONSTANT, m.HIGH_HALF | word, 0, 0, 0, slot, value >> 32)

    def store_vector_constant(self, slot: i64, low: i64, high: i64) -> None:
        """Write a vector to a slot. Nothing may be spilled for it: this may stand on one of two ways that meet again."""
        if self.float_free:
            register = lowest_bit(self.float_free)
            self.vector_constant(register, low, high)
            self.emit(m.VECTOR_STORE_SLOT, 0, 0, register, 0, slot)
        else:
            self.store_long_constant(slot, low, 0)
            self.store_long_constant(slot, high, m.SECOND_WORD)

    def settle_below(self, height: i64) -> None:
        """Put all entries below a height into their slots; constants may stay what they are."""
        entry = self.settled
        while entry < height:
            kind = self.shape[entry] & KIND_MASK
            if kind != IN_SLOT and kind != CONSTANT:
                self.settle(entry)
            entry += 1
        if height > self.settled:
            self.settled = height

    def settle_registers_below(self, height: i64) -> None:
        """Put all entries below a height that are in registers into their slots."""
        if height == 0:
            return
        held = self.temporaries & ~self.free
        register: i64 = 0
        while held:
            if held & 1:
                self.settle_if_below(register, height)
            held >>= 1
            register += 1
        held = self.float_temporaries & ~self.float_free
        register = FLOATS
        while held:
            if held & 1:
                self.settle_if_below(register, height)
            held >>= 1
            register += 1

    def settle_if_below(self, register: i64, height: i64) -> None:
        """Put the entry that holds a register into its slot if it is below a height."""
        entry = self.owner_of(register)
        if entry >= 0 and entry < height:
            self.settle(entry)

    # The virtual stack

    def make_room(self, height: i64, local_count: i64) -> None:
        """Let the tables have room for a function."""
        while i64(len(self.shape)) < height:
            self.shape = append(self.shape, 0)
            self.value = append(self.value, 0)
            self.link = append(self.link, 0)
        while i64(len(self.pin)) < local_count:
            self.pin = append(self.pin, NOT_PINNED)
            self.pending = append(self.pending, -1)
            self.local_type = append(self.local_type, 0)

    def push(self, kind: i64, value: i64, value_type: i64) -> None:
        """Push an entry that holds no register."""
        top = self.top
        self.shape[top] = u8(kind | (value_type << TYPE_SHIFT))
        self.value[top] = value
        self.top = top + 1

    def push_local(self, local: i64, value_type: i64) -> None:
        """Push a read of a local, to be made when it is used."""
        top = self.top
        self.link[top] = self.pending_read(local)
        self.pending[local] = top
        self.shape[top] = u8(LOCAL | (value_type << TYPE_SHIFT))
        self.value[top] = local
        self.top = top + 1

    def push_register(self, register: i64, value_type: i64) -> None:
        """Push an integer register."""
        top = self.top
        put(self.owner, register, top)
        self.shape[top] = u8(REGISTER | (value_type << TYPE_SHIFT))
        self.value[top] = register
        self.top = top + 1

    def push_float(self, register: i64, value_type: i64) -> None:
        """Push a float register, with a float or a vector."""
        put(self.owner, FLOATS + register, self.top)
        self.push(FLOAT_REGISTER, register, value_type)

    def forget_top(self) -> None:
        """Pop an entry that is not a register."""
        top = self.top - 1
        self.top = top
        if self.shape[top] & KIND_MASK == LOCAL:
            self.pending[self.value[top]] = self.link[top]
        if top < self.settled:
            self.settled = top

    def drop(self) -> None:
        """Pop an entry of any kind."""
        top = self.top - 1
        kind = i64(self.shape[top]) & KIND_MASK
        if kind == REGISTER:
            self.give(self.value[top])
        elif kind == FLOAT_REGISTER:
            self.give_float(self.value[top])
        self.forget_top()

    def pop(self) -> i64:
        """Pop an integer into a register that may be a pinned one: good to read, not to change. The caller gives it back."""
        top = self.top - 1
        kind = i64(self.shape[top]) & KIND_MASK
        value = self.value[top]
        if kind == REGISTER:
            self.top = top
            if top < self.settled:
                self.settled = top
            return value
        if kind == LOCAL:
            pin = i64(self.pin[value])
            if pin != NOT_PINNED:
                if (self.valid >> pin) & 1 == 0:
                    self.load_pinned(pin)
                self.top = top
                self.pending[value] = self.link[top]
                return pin
        return self.load_top(kind, value)

    def load_top(self, kind: i64, value: i64) -> i64:
        """Pop an integer that is in no register into a temporary."""
        self.forget_top()
        top = self.top
        register = self.take_any()
        wide = is_wide(i64(self.shape[top]) >> TYPE_SHIFT)
        if kind == CONSTANT:
            self.emit_constant(m.CONSTANT, wide, register, 0, 0, value)
        elif kind == LOCAL:
            self.emit(m.LOAD_SLOT, wide, register, 0, 0, value)
        else:
            self.emit(m.LOAD_SLOT, wide, register, 0, 0, self.locals + top)
        return register

    def pop_temporary(self) -> i64:
        """Pop an integer into a temporary that may be changed."""
        register = self.pop()
        if self.is_temporary(register):
            return register
        other = self.take_any()
        self.emit(m.MOVE, m.WIDE, other, register, 0, 0)
        return other

    def pop_float(self) -> i64:
        """Pop a float into a register that may be a pinned one."""
        top = self.top - 1
        kind = i64(self.shape[top]) & KIND_MASK
        value = self.value[top]
        if kind == FLOAT_REGISTER:
            self.top = top
            if top < self.settled:
                self.settled = top
            return value
        if kind == LOCAL:
            pin = i64(self.pin[value])
            if pin != NOT_PINNED:
                if (self.valid >> pin) & 1 == 0:
                    self.load_pinned(pin)
                self.top = top
                self.pending[value] = self.link[top]
                return pin - FLOATS
        return self.load_top_float(kind, value)

    def load_top_float(self, kind: i64, value: i64) -> i64:
        """Pop a float that is in no register into a temporary."""
        self.forget_top()
        top = self.top
        register = self.take_any_float()
        value_type = i64(self.shape[top]) >> TYPE_SHIFT
        if kind == CONSTANT:
            self.float_constant(register, top)
        elif kind == LOCAL:
            self.load_float_slot(register, value_type, value)
        else:
            self.load_float_slot(register, value_type, self.locals + top)
        return register

    def slot_of_top(self) -> i64:
        """The slot of the top entry if its value is only there, else -1."""
        top = self.top - 1
        kind = i64(self.shape[top]) & KIND_MASK
        if kind == IN_SLOT:
            return self.locals + top
        if kind == LOCAL:
            local = self.value[top]
            if self.pin[local] == NOT_PINNED:
                return local
        return -1

    # Destinations

    def next_pin(self) -> i64:
        """The pin of the local that the next instruction sets and that has no pending reads, or NOT_PINNED."""
        word = self.ahead
        operation = word & 0xFFFF
        if operation != _LOCAL_SET and operation != _LOCAL_TEE:
            return NOT_PINNED
        local = word >> 32
        pin = i64(self.pin[local])
        if pin != NOT_PINNED and self.pending_read(local) >= 0:
            return NOT_PINNED
        return pin

    def destination(self, reuse: i64) -> i64:
        """Where an integer result goes: into the pinned local set next, else over the popped register `reuse` (-1: none) if it
        may change, else into a fresh one. Gives `reuse` back if it is not the result."""
        pin = self.next_pin()
        if pin < FLOATS:
            if reuse >= 0:
                self.give(reuse)
            return pin
        if reuse >= 0 and self.is_temporary(reuse):
            return reuse
        return self.take_any()

    def destination_float(self, reuse: i64) -> i64:
        """Where a float result goes, likewise."""
        pin = self.next_pin()
        if FLOATS <= pin < NOT_PINNED:
            if reuse >= 0:
                self.give_float(reuse)
            return pin - FLOATS
        if reuse >= 0 and self.is_float_temporary(reuse):
            return reuse
        return self.take_any_float()


def is_wide(value_type: i64) -> i64:
    """0 for i32 and f32, 1 for the other classes."""
    if value_type == 1 or value_type == 3:
        return 0
    return 1


def put(items: vec[i64], index: i64, value: i64) -> None:
    """`items[index] = value`."""
    items[index] = value


def lowest_bit(mask: i64) -> i64:
    """Number of the lowest bit that is set."""
    position: i64 = 0
    while mask & 1 == 0:
        mask >>= 1
        position += 1
    return position

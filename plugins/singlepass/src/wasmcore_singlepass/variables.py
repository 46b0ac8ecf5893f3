"""Writing locals."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64
from wasmcore_singlepass.allocation import CONSTANT, FLOATS, IN_SLOT, KIND_MASK, LOCAL, NOT_PINNED, is_wide
from wasmcore_singlepass.entry import Entry


class Variables(Entry):
    """local.set and local.tee."""

    def set_integer(self, local: i64, value_type: i64, tee: bool) -> None:
        """local.set and local.tee of an integer or a reference."""
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
        self.valid |= self.one << pin
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
        """local.set and local.tee of a float or a vector."""
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
            self.store_float_slot(a, value_type, local)
            if not tee:
                self.give_float(a)
            elif self.is_float_temporary(a):
                self.push_float(a, value_type)
            else:
                self.push_local(local, value_type)
            return
        register = pin - FLOATS
        if self.shape[top] & KIND_MASK == CONSTANT:
            self.forget_top()
            self.float_constant(register, top)
        else:
            a = self.pop_float()
            if a != register:
                self.emit(m.FLOAT_MOVE, m.WIDE, register, a, 0, 0)
                self.give_float(a)
        self.valid |= self.one << pin
        if self.has_calls:
            self.store_float_slot(register, value_type, local)
        if tee:
            self.push_local(local, value_type)

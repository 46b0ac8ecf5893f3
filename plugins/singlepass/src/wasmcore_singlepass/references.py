"""Typed references to functions."""

from __future__ import annotations

from wasmcore_singlepass import records as m
from wasmcore_singlepass._native import i64
from wasmcore_singlepass.allocation import COMPARISON, KIND_MASK, LOCAL
from wasmcore_singlepass.control import Control

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The stream's format (`wasmcore.stream`).
_RETURN_LABEL: Final = -1
_NULL_REFERENCE: Final = 10
"""Kind of trap."""
_CLASS_REF: Final = 6
# Number of a built-in (`wasmcore.plugin.builtins`).
_BUILTIN_TABLE_FUNCTION: Final = 12


class References(Control):
    """Calls by reference, and what asks whether a reference is null."""

    def reference_call(self, type_index: i64, tail: i64) -> None:
        """call_ref and return_call_ref."""
        signature = type_index * 16
        self.pop_table_index()
        self.call(m.CALL_REFERENCE, tail, 0, 0, self.number(signature, 4))
        if tail == 0:
            self.push_call_results(signature)

    def table_function(self, type_index: i64, table: i64) -> None:
        """TABLE_FUNCTION: an element of a table, its type checked by a built-in."""
        self.call_builtin(_BUILTIN_TABLE_FUNCTION, 2, table, type_index, 1)
        self.push_integer_result(i64(self.integer_results[0]), _CLASS_REF)

    def reference_in_register(self) -> i64:
        """The register of the reference at the top, which stays there."""
        top = self.top - 1
        is_local = self.shape[top] & KIND_MASK == LOCAL
        local = self.value[top]
        register = self.pop()
        if is_local and not self.is_temporary(register):
            self.push_local(local, _CLASS_REF)
        else:
            self.push_register(register, _CLASS_REF)
        return register

    def as_non_null(self) -> None:
        """ref.as_non_null."""
        a = self.reference_in_register()
        self.emit(m.TEST, m.WIDE, 0, a, a, 0)
        self.emit(m.TRAP_IF, m.EQUAL, 0, 0, 0, _NULL_REFERENCE)

    def branch_on_null(self, label: i64, count: i64, height: i64) -> None:
        """br_on_null: a br_if on a comparison with null; the reference, which it does not destroy, is pushed again behind it."""
        top = self.top - 1
        local: i64 = -1
        if self.shape[top] & KIND_MASK == LOCAL:
            local = self.value[top]
        self.wait_for_zero(1, self.pop(), m.EQUAL)
        self.push(COMPARISON, 0, 1)
        self.branch_if(label, count, height)
        a = self.comparison_a  # it may have moved
        if self.is_temporary(a):
            one: i64 = 1
            self.free &= ~(one << a)
            self.push_register(a, _CLASS_REF)
        else:
            self.push_local(local, _CLASS_REF)

    def branch_on_non_null(self, label: i64, count: i64, height: i64) -> None:
        """br_on_non_null: the reference is the last of the values, and dropped where there is no branch."""
        if label != _RETURN_LABEL:
            if count == 1 and not self.is_loop(label):
                self.to_result_register()
                self.edge(label)
                a = self.reference_in_register()
                self.emit(m.TEST, m.WIDE, 0, a, a, 0)
                self.emit(m.JUMP_IF, m.NOT_EQUAL, 0, 0, 0, 2 * label)
                self.drop()
                return
            self.edge(label)
        elif count > 1:
            self.settle_all(count)
        a = self.reference_in_register()
        over = self.next_label
        self.next_label += 1
        self.emit(m.TEST, m.WIDE, 0, a, a, 0)
        self.emit(m.JUMP_IF, m.EQUAL, 0, 0, 0, over)
        if label == _RETURN_LABEL:
            self.leave(count)
        else:
            self.to_label(label, count, height)
            self.emit(m.JUMP, 0, 0, 0, 0, 2 * label)
        self.emit(m.LABEL, 0, 0, 0, 0, over)
        self.drop()

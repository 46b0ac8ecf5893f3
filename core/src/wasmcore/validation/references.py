"""Instructions on typed references: calls, branches, tests and casts."""

from __future__ import annotations

from wasmcore._native import i64
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import DecodeError, NotCompiledError
from wasmcore.validation.control import KIND, LOOP, RESULT_COUNT, RESULTS
from wasmcore.validation.instructions import Instructions

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_I32: Final = 1
_NULLABLE: Final = 6
_REFERENCE: Final = 7
_HEAP_CONCRETE: Final = 16
_ANYREF: Final = 22
_EQREF: Final = 30
_EXTERNREF: Final = 14
_I31REF: Final = 38
_I31_NOT_NULL: Final = 39
_BOTTOM_NOT_NULL: Final = 103

_CALL_REF: Final = 0x14
_RETURN_CALL_REF: Final = 0x15
_REF_AS_NON_NULL: Final = 0xD4
_BR_ON_NULL: Final = 0xD5
_BR_ON_NON_NULL: Final = 0xD6
_BR_ON_CAST: Final = 0x418
_REF_CAST: Final = 0x416


class References(Instructions):
    """Functions called by reference, and what is known of a reference."""

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        super().__init__(module, features)
        self.uncompiled: i64 = -1
        self.uncompiled_at: i64 = 0

    # What has no records in the stream

    def not_compiled(self, code: i64) -> None:
        """Note an instruction that has no record in the resolved stream."""
        if self.live and self.uncompiled < 0:
            self.uncompiled = code
            self.uncompiled_at = self.at

    def check_compiled(self, index: i64) -> None:
        """Refuse to give a stream of a function with such an instruction; the body is valid."""
        if self.uncompiled >= 0:
            raise NotCompiledError(self.uncompiled, index, self.uncompiled_at)

    # Helpers

    def pop_reference(self) -> i64:
        """Pop a reference of any type and return its type, in unreachable code one below all others."""
        found = self.pop_any()
        if found == 0:
            return _BOTTOM_NOT_NULL
        if found < _NULLABLE:
            raise self.mismatch([_NULLABLE], [found])
        return found

    def heap_type(self) -> i64:
        """Read a heap type."""
        reader = self.reader_here()
        heap_type = reader.heap_type()
        self.position = reader.position
        return heap_type

    # Function references

    def call_reference(self, code: i64) -> None:
        """`call_ref` and `return_call_ref`."""
        type_index = self.u32()
        self.require_function_type(type_index)
        self.pop((_HEAP_CONCRETE + type_index) << 3 | _NULLABLE)
        if self.live:
            self.record(code, 0, type_index)
            self.count_call()
        if code == _CALL_REF:
            self.call_types(type_index)
        else:
            self.tail_call_types(type_index)

    def reference(self, code: i64) -> None:
        """`ref.eq`, `ref.as_non_null`, `br_on_null`, `br_on_non_null`."""
        if code == _REF_AS_NON_NULL:
            found = self.pop_reference()
            if self.live:
                self.record(code, 0, 0)
            self.push(found | 1)
        elif code == _BR_ON_NULL:
            self.branch_on_null()
        elif code == _BR_ON_NON_NULL:
            self.branch_on_non_null()
        else:
            self.not_compiled(code)
            self.pop(_EQREF)
            self.pop(_EQREF)
            self.push(_I32)

    def branch_on_null(self) -> None:
        """`br_on_null`."""
        frame = self.label(self.u32())
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        found = self.pop_reference()
        if count:
            self.pop_run(run, count)
            self.push_run(run, count)
        if self.live:
            self.branch_record(_BR_ON_NULL, frame, run, count)
        self.push(found | 1)

    def branch_on_non_null(self) -> None:
        """`br_on_non_null`."""
        frame = self.label(self.u32())
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        last = self.last_reference(run, count)
        self.pop(last - (last & 1))
        if count > 1:
            self.pop_run(run, count - 1)
            self.push_run(run, count - 1)
        if self.live:
            self.branch_record(_BR_ON_NON_NULL, frame, run, count)

    def last_reference(self, run: i64, count: i64) -> i64:
        """The reference type that a label's types end in."""
        last: i64 = 0
        if count:
            last = self.value_types[run + count - 1]
        if last < _NULLABLE:
            raise self.invalid("type mismatch: the label's types do not end in a reference type")
        return last

    # Tests and casts

    def cast(self, code: i64) -> None:
        """`ref.test` and `ref.cast`, and both for references that may be null; their codes are odd."""
        heap_type = self.heap_type()
        self.not_compiled(code)
        self.pop(self.relations.top(heap_type) << 3 | _NULLABLE)
        if code < _REF_CAST:
            self.push(_I32)
        else:
            self.push(heap_type << 3 | (_REFERENCE - (code & 1)))

    def branch_on_cast(self, code: i64) -> None:
        """`br_on_cast` and `br_on_cast_fail`."""
        flags = self.byte()
        if flags > 3:
            raise DecodeError("malformed cast flags", self.position - 1)
        frame = self.label(self.u32())
        source = self.heap_type() << 3 | (_REFERENCE - (flags & 1))
        target = self.heap_type() << 3 | (_REFERENCE - (flags >> 1))
        self.not_compiled(code)
        if not self.matches(target, source):
            raise self.mismatch([source], [target])
        rest = source
        if not target & 1:
            rest = source | 1
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        last = self.last_reference(run, count)
        taken = target
        if code != _BR_ON_CAST:
            taken = rest
            rest = target
        if not self.matches(taken, last):
            raise self.mismatch([last], [taken])
        self.pop(source)
        if count > 1:
            self.pop_run(run, count - 1)
            self.push_run(run, count - 1)
        self.push(rest)

    def convert(self, code: i64) -> None:
        """`any.convert_extern`, `extern.convert_any`, `ref.i31`, `i31.get_s`, `i31.get_u`."""
        self.not_compiled(code)
        found: i64
        if code == 0x41A:
            found = self.pop_reference()
            self.check(found, _EXTERNREF)
            self.push(_ANYREF | (found & 1))
        elif code == 0x41B:
            found = self.pop_reference()
            self.check(found, _ANYREF)
            self.push(_EXTERNREF | (found & 1))
        elif code == 0x41C:
            self.pop(_I32)
            self.push(_I31_NOT_NULL)
        else:
            self.pop(_I31REF)
            self.push(_I32)

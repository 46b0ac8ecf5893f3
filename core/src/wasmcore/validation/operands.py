"""The operand stack of the type checker (specification, appendix "Validation Algorithm")."""

from __future__ import annotations

from wasmcore._native import append, i64, vec
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.reader import signed, unsigned_rest
from wasmcore.errors import DecodeError, ValidationError
from wasmcore.types import value_types_text
from wasmcore.validation.subtyping import TypeRelations

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_MAX_HEIGHT: Final = 1_000_000
"""Most operands a function may have on the stack; an implementation limit."""


class Operands:
    """A position in the code, and the types of the operands there.

    `height` is where the operands of the innermost block begin, `unreachable` whether code is that can not be reached, where
    operands of any type can be popped. `live` is whether the resolved stream is written and the code can be reached.
    """

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        self.module: Final = module
        self.features: Final = features
        self.data: Final = module.data
        self.relations: Final = TypeRelations(module)
        self.value_types: Final = vec[i64](module.value_types)
        self.stack = vec[i64]([0] * 256)
        self.capacity: i64 = 256
        self.sp: i64 = 0
        self.height: i64 = 0
        self.unreachable: i64 = 0
        self.live: i64 = 0
        self.peak: i64 = 0
        self.at: i64 = 0
        self.position: i64 = 0
        self.end: i64 = 0

    # Errors

    def invalid(self, message: str) -> ValidationError:
        """The error of the current instruction."""
        return ValidationError(message, self.at)

    def mismatch(self, wanted: list[int], found: list[int]) -> ValidationError:
        """The error of operands that do not fit."""
        required = value_types_text(tuple(wanted))
        return ValidationError(f"type mismatch: instruction requires {required} but stack has {value_types_text(tuple(found))}", self.at)

    def top_types(self, count: i64) -> list[int]:
        """Types of the topmost operands of the innermost block."""
        first = self.sp - count
        if first < self.height:
            first = self.height
        types: list[int] = []
        while first < self.sp:
            types.append(self.stack[first])
            first += 1
        return types

    def run(self, offset: i64, count: i64) -> list[int]:
        """The types of a run."""
        types: list[int] = []
        index: i64 = 0
        while index < count:
            types.append(self.value_types[offset + index])
            index += 1
        return types

    # Immediates

    def u32(self) -> i64:
        """Read an unsigned 32-bit integer."""
        value: i64 = self.data[self.position]
        self.position += 1
        if value >= 128:
            value, self.position = unsigned_rest(self.data, self.position, value, 32)
        return value

    def signed(self, bits: i64) -> i64:
        """Read a signed integer."""
        value: i64
        value, self.position = signed(self.data, self.position, bits)
        return value

    def byte(self) -> i64:
        """Read a byte."""
        value: i64 = self.data[self.position]
        self.position += 1
        return value

    def truncated(self) -> DecodeError:
        """The error of a body that ends too early."""
        return DecodeError("unexpected end of section or function", self.end)

    # Operands

    def reserve(self, count: i64) -> None:
        """Make room for `count` operands, and then for one per byte of code that is left."""
        if self.sp + count > _MAX_HEIGHT:
            raise self.invalid(f"operand stack higher than {_MAX_HEIGHT}")
        needed = self.sp + count + (self.end - self.position) + 16
        if needed <= self.capacity:
            return
        needed += needed >> 1
        stack = self.stack
        zero: i64 = 0
        while self.capacity < needed:
            stack = append(stack, zero)
            self.capacity += 1
        self.stack = stack

    def matches(self, found: i64, wanted: i64) -> bool:
        """Whether an operand of one type may stand for another."""
        return found == wanted or found == 0 or self.relations.value_type_matches(found, wanted)

    def check(self, found: i64, wanted: i64) -> None:
        """Refuse an operand of the wrong type."""
        if not self.matches(found, wanted):
            raise self.mismatch([wanted], [found])

    def pop(self, wanted: i64) -> None:
        """Pop an operand of a type."""
        sp = self.sp
        if sp > self.height:
            sp -= 1
            self.sp = sp
            found = self.stack[sp]
            if found != wanted:
                self.check(found, wanted)
        elif self.unreachable == 0:
            raise self.mismatch([wanted], [])

    def pop_any(self) -> i64:
        """Pop an operand and return its type, 0 when any type is possible."""
        sp = self.sp
        if sp > self.height:
            self.sp = sp - 1
            return self.stack[sp - 1]
        if self.unreachable == 0:
            raise self.invalid("type mismatch: instruction requires an operand but stack has []")
        return 0

    def push(self, value_type: i64) -> None:
        """Push an operand; instructions that push one at most need no `reserve`."""
        sp = self.sp
        self.stack[sp] = value_type
        sp += 1
        self.sp = sp
        if self.live and sp > self.peak:
            self.peak = sp

    def pop_run(self, offset: i64, count: i64) -> None:
        """Pop operands of a run of types."""
        if count == 0:
            return
        sp = self.sp
        height = self.height
        stack = self.stack
        value_types = self.value_types
        index = offset + count
        while index > offset:
            index -= 1
            if sp > height:
                sp -= 1
                found = stack[sp]
                if found != value_types[index] and not self.matches(found, value_types[index]):
                    raise self.mismatch(self.run(offset, count), self.top_types(count))
            elif self.unreachable == 0:
                raise self.mismatch(self.run(offset, count), self.top_types(count))
            else:
                break
        self.sp = sp

    def push_run(self, offset: i64, count: i64) -> None:
        """Push operands of a run of types."""
        if count == 0:
            return
        self.reserve(count)
        sp = self.sp
        stack = self.stack
        value_types = self.value_types
        stop = offset + count
        while offset < stop:
            stack[sp] = value_types[offset]
            sp += 1
            offset += 1
        self.sp = sp
        if self.live and sp > self.peak:
            self.peak = sp

    def set_unreachable(self) -> None:
        """The code after the current instruction can not be reached."""
        self.sp = self.height
        self.unreachable = 1
        self.live = 0

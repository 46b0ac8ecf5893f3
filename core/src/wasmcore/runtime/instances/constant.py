"""Evaluation of constant expressions, to the bits of their value."""

from __future__ import annotations

from collections.abc import Callable

from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import CompileError
from wasmcore.proposals import needs

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ConstantExpression

_MASK32: Final = 0xFFFFFFFF
_MASK64: Final = 0xFFFFFFFFFFFFFFFF
_BINARY: Final[dict[int, tuple[int, Callable[[int, int], int]]]] = {
    0x6A: (_MASK32, int.__add__),
    0x6B: (_MASK32, int.__sub__),
    0x6C: (_MASK32, int.__mul__),
    0x7C: (_MASK64, int.__add__),
    0x7D: (_MASK64, int.__sub__),
    0x7E: (_MASK64, int.__mul__),
}
"""Opcode of `add`, `sub` and `mul` -> mask and function."""
_CONSTANT_MASK: Final = {0x41: _MASK32, 0x42: _MASK64, 0x43: _MASK32, 0x44: _MASK64}
_GLOBAL_GET: Final = 0x23
_REF_NULL: Final = 0xD0
_REF_FUNC: Final = 0xD2
_V128_CONST: Final = 0x20C


def constant_bits(expression: ConstantExpression) -> int | None:
    """The bits of an expression that is one number, the most common kind; None of others."""
    code, immediate = expression.operations[0]
    if len(expression.operations) == 1 and isinstance(immediate, int) and code in _CONSTANT_MASK:
        return immediate & _CONSTANT_MASK[code]
    return None


def evaluate(expression: ConstantExpression, global_bits: Callable[[int], int], function_bits: Callable[[int], int]) -> int:
    """The bits of a validated constant expression, unsigned; references as the machine interface has them."""
    bits = constant_bits(expression)
    if bits is not None:
        return bits
    stack: list[int] = []
    for code, immediate in expression.operations:
        if code in _CONSTANT_MASK:
            assert isinstance(immediate, int)
            stack.append(immediate & _CONSTANT_MASK[code])
        elif code in _BINARY:
            mask, operation = _BINARY[code]
            right = stack.pop()
            stack[-1] = operation(stack[-1], right) & mask
        elif code == _GLOBAL_GET:
            assert isinstance(immediate, int)
            stack.append(global_bits(immediate))
        elif code == _REF_FUNC:
            assert isinstance(immediate, int)
            stack.append(function_bits(immediate))
        elif code == _REF_NULL:
            stack.append(0)
        elif code == _V128_CONST:
            assert isinstance(immediate, bytes)
            stack.append(int.from_bytes(immediate, "little"))
        else:
            raise CompileError(f"constant expression: {needs(code)}, which is not compiled yet", expression.start)
    return stack[-1]

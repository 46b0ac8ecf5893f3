"""What instructions on integers compute, as bytes of x86-64: operands come in eax and ecx, the result leaves in eax."""

from __future__ import annotations

from wasmcore.errors import TrapKind
from wasmcore_toy.assembler import (
    ABOVE,
    BELOW_EQUAL,
    CARRY,
    EQUAL,
    GREATER,
    GREATER_EQUAL,
    LESS,
    LESS_EQUAL,
    NO_CARRY,
    NOT_EQUAL,
    OVERFLOW,
    RAX,
    RCX,
    RDX,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmcore_toy.compiler import FunctionCompiler

BINARY = {
    "add": b"\x01\xc8", "sub": b"\x29\xc8", "and": b"\x21\xc8", "or": b"\x09\xc8", "xor": b"\x31\xc8", "mul": b"\x0f\xaf\xc1",
    "shl": b"\xd3\xe0", "shr_s": b"\xd3\xf8", "shr_u": b"\xd3\xe8", "rotl": b"\xd3\xc0", "rotr": b"\xd3\xc8",
}  # fmt: skip
COMPARISONS = {
    "eq": EQUAL, "ne": NOT_EQUAL, "lt_s": LESS, "lt_u": CARRY, "gt_s": GREATER, "gt_u": ABOVE,
    "le_s": LESS_EQUAL, "le_u": BELOW_EQUAL, "ge_s": GREATER_EQUAL, "ge_u": NO_CARRY,
}  # fmt: skip
UNARY = {"extend8_s": b"\x0f\xbe\xc0", "extend16_s": b"\x0f\xbf\xc0"}
DIVISIONS = {"div_s": RAX, "div_u": RAX, "rem_s": RDX, "rem_u": RDX}
"""The register that has the result."""


def compile_integer(function: FunctionCompiler, name: str) -> bool:
    """An instruction of this name; False if it is none of those here."""
    kind, _, operation = name.partition(".")
    wide = kind == "i64"
    rex = b"\x48" if wide else b""
    if kind not in ("i32", "i64"):
        return False
    if operation in BINARY:
        function.pop(RCX)
        function.pop(RAX)
        function.code += rex + BINARY[operation]
    elif operation in COMPARISONS or operation == "eqz":
        if operation == "eqz":
            function.constant(RCX, 0)
        else:
            function.pop(RCX)
        function.pop(RAX)
        function.code += rex + b"\x39\xc8"
        function.emit(0x0F, 0x90 | COMPARISONS.get(operation, EQUAL), 0xC0, 0x0F, 0xB6, 0xC0)
    elif operation in UNARY:
        function.pop(RAX)
        function.code += rex + UNARY[operation]
    elif name in ("i64.extend_i32_s", "i64.extend32_s"):
        function.pop(RAX)
        function.emit(0x48, 0x98)
    elif name in ("i32.wrap_i64", "i64.extend_i32_u"):
        function.pop(RAX, wide=False)
    elif operation in ("clz", "ctz", "popcnt"):
        _count(function, operation, rex, 64 if wide else 32)
    elif operation in DIVISIONS:
        _divide(function, operation, rex)
        function.push(DIVISIONS[operation])
        return True
    else:
        return False
    function.push(RAX)
    return True


def _count(function: FunctionCompiler, operation: str, rex: bytes, bits: int) -> None:
    function.pop(RCX)
    if operation == "popcnt":  # one by one: clear the lowest bit until there is none
        function.code += b"\x31\xc0" + rex + b"\x85\xc9"
        done = function.jump(EQUAL)
        again = len(function.code)
        function.code += b"\xff\xc0" + rex + b"\x8d\x51\xff" + rex + b"\x21\xd1"
        function.land(function.jump(NOT_EQUAL), again)
        function.land(done)
        return
    function.constant(RAX, 2 * bits - 1 if operation == "clz" else bits)
    function.code += rex + (b"\x0f\xbd\xc9" if operation == "clz" else b"\x0f\xbc\xc9") + rex + b"\x0f\x45\xc1"
    if operation == "clz":
        function.emit(0x83, 0xF0, bits - 1)


def _divide(function: FunctionCompiler, operation: str, rex: bytes) -> None:
    function.pop(RCX)
    function.pop(RAX)
    function.code += rex + b"\x85\xc9"
    function.trap_if(EQUAL, TrapKind.INTEGER_DIVIDE_BY_ZERO)
    if operation.endswith("u"):
        function.code += b"\x31\xd2" + rex + b"\xf7\xf1"
        return
    function.constant(RDX, 0)
    function.code += rex + b"\x83\xf9\xff"
    other = function.jump(NOT_EQUAL)
    # By -1: the smallest number has no opposite, and no remainder is left.
    function.code += rex + b"\xf7\xd8"
    if operation == "div_s":
        function.trap_if(OVERFLOW, TrapKind.INTEGER_OVERFLOW)
    done = function.jump()
    function.land(other)
    function.code += rex + b"\x99" + rex + b"\xf7\xf9"
    function.land(done)

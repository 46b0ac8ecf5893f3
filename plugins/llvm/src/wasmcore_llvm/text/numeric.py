"""Numeric instructions of integers and floats."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack
from typing import Final

from wasmcore.errors import TrapKind
from wasmcore.opcodes import OPCODES
from wasmcore.stream import CLASS_F32, CLASS_F64
from wasmcore_llvm.text.state import Condition, FloatLiteral, State, float_literal

_SUFFIX: Final = {"i32": "i32", "i64": "i64", "float": "f32", "double": "f64"}
_TYPE: Final = {"i32": "i32", "i64": "i64", "f32": "float", "f64": "double"}
_BITS: Final = {"i32": 32, "i64": 64, "float": 32, "double": 64}
_NAN: Final = {CLASS_F32: (0x7F800000, 0x7FFFFFFF), CLASS_F64: (0x7FF0000000000000, 0x7FFFFFFFFFFFFFFF)}

# Bounds of conversions, by what an integer is made of: the float has to be above the first and below the second.
_BOUNDS: Final = {
    ("i32", "float", "s"): (-2147483904.0, 2147483648.0),
    ("i32", "float", "u"): (-1.0, 4294967296.0),
    ("i32", "double", "s"): (-2147483649.0, 2147483648.0),
    ("i32", "double", "u"): (-1.0, 4294967296.0),
    ("i64", "float", "s"): (-9223373136366403584.0, 9223372036854775808.0),
    ("i64", "float", "u"): (-1.0, 18446744073709551616.0),
    ("i64", "double", "s"): (-9223372036854777856.0, 9223372036854775808.0),
    ("i64", "double", "u"): (-1.0, 18446744073709551616.0),
}


class Numeric(State):
    """Methods that pop operands and push a result; the tables below say which instruction is which."""

    # Constants

    def push_float_constant(self, machine_class: int, bits: int) -> None:
        """f32.const and f64.const."""
        infinity, mask = _NAN[machine_class]
        if bits & mask > infinity:
            integer, value_type = ("i32", "float") if machine_class == CLASS_F32 else ("i64", "double")
            self.stack.append(self.opaque_constant(value_type, f"bitcast ({integer} {bits} to {value_type})"))
        else:
            self.stack.append(float_literal(machine_class, bits))

    # Integers

    def integer_binary(self, instruction: str, value_type: str) -> None:
        """Addition and the like."""
        y, x = self.pop(), self.pop()
        self.stack.append(self.value(f"{instruction} {value_type} {x}, {y}"))

    def shift(self, instruction: str, value_type: str) -> None:
        """Shifts, by the count modulo the width."""
        y, x = self.pop(), self.pop()
        mask = _BITS[value_type] - 1
        count = self.value(f"and {value_type} {y}, {mask}") if y[0] == "%" else str(int(y) & mask)
        self.stack.append(self.value(f"{instruction} {value_type} {x}, {count}"))

    def rotate(self, name: str, value_type: str) -> None:
        """Rotations."""
        y, x = self.pop(), self.pop()
        callee = self.intrinsic(value_type, f"llvm.{name}.{value_type}", ", ".join([value_type] * 3))
        self.stack.append(self.value(f"call {callee}({value_type} {x}, {value_type} {x}, {value_type} {y})"))

    def count_zeros(self, name: str, value_type: str) -> None:
        """clz and ctz."""
        callee = self.intrinsic(value_type, f"llvm.{name}.{value_type}", f"{value_type}, i1")
        self.stack.append(self.value(f"call {callee}({value_type} {self.pop()}, i1 false)"))

    def population(self, value_type: str) -> None:
        """popcnt."""
        self.stack.append(self.unary_intrinsic("ctpop", value_type, value_type, self.pop()))

    def divide(self, instruction: str, value_type: str) -> None:
        """Division and remainder, with the traps."""
        y, x = self.pop(), self.pop()
        if y[0] == "%" or int(y) == 0:
            self.trap_if(self.value(f"icmp eq {value_type} {y}, 0"), TrapKind.INTEGER_DIVIDE_BY_ZERO)
        if y[0] == "%" or int(y) == -1:
            if instruction == "sdiv":
                least = -1 << (_BITS[value_type] - 1)
                smallest = self.value(f"icmp eq {value_type} {x}, {least}")
                minus_one = self.value(f"icmp eq {value_type} {y}, -1")
                self.trap_if(self.value(f"and i1 {smallest}, {minus_one}"), TrapKind.INTEGER_OVERFLOW)
            elif instruction == "srem":
                minus_one = self.value(f"icmp eq {value_type} {y}, -1")
                y = self.value(f"select i1 {minus_one}, {value_type} 1, {value_type} {y}")
        self.stack.append(self.value(f"{instruction} {value_type} {x}, {y}"))

    def integer_compare(self, predicate: str, value_type: str) -> None:
        """Comparisons."""
        y, x = self.pop(), self.pop()
        self.stack.append(Condition(self.value(f"icmp {predicate} {value_type} {x}, {y}")))

    def equals_zero(self, value_type: str) -> None:
        """eqz and ref.is_null."""
        x = self.stack.pop()
        if type(x) is Condition:
            self.stack.append(Condition(self.value(f"xor i1 {x}, true")))
        else:
            self.stack.append(Condition(self.value(f"icmp eq {value_type} {x}, 0")))

    def extend(self, narrow: str, value_type: str) -> None:
        """extend8_s and the like."""
        x = self.value(f"trunc {value_type} {self.pop()} to {narrow}")
        self.stack.append(self.value(f"sext {narrow} {x} to {value_type}"))

    def convert_integer(self, instruction: str, source: str, to: str) -> None:
        """Between integers."""
        self.stack.append(self.value(f"{instruction} {source} {self.pop()} to {to}"))

    # Floats

    def float_operands(self) -> tuple[str, str]:
        """Pop two operands; at most one is a constant, and none that the operation could be dropped for."""
        y, x = self.stack.pop(), self.stack.pop()
        if type(x) is FloatLiteral and (x.neutral or type(y) is FloatLiteral):
            x = self.settled(x)
        if type(y) is FloatLiteral and y.neutral:
            y = self.settled(y)
        return x, y

    def float_binary(self, instruction: str, value_type: str) -> None:
        """Arithmetic."""
        x, y = self.float_operands()
        result = self.value(f"{instruction} {value_type} {x}, {y}")
        self.arithmetic.add(result)
        self.stack.append(result)

    def float_compare(self, predicate: str, value_type: str) -> None:
        """Comparisons."""
        y, x = self.stack.pop(), self.stack.pop()
        self.stack.append(Condition(self.value(f"fcmp {predicate} {value_type} {x}, {y}")))

    def float_unary(self, name: str, value_type: str) -> None:
        """Roundings and square root."""
        result = self.unary_intrinsic(name, value_type, _SUFFIX[value_type], self.pop())
        self.arithmetic.add(result)
        self.stack.append(result)

    def float_sign(self, name: str, value_type: str) -> None:
        """abs and neg change one bit, of NaNs too."""
        x = self.pop()
        if name == "fneg":
            self.stack.append(self.value(f"fneg {value_type} {x}"))
        else:
            self.stack.append(self.unary_intrinsic(name, value_type, _SUFFIX[value_type], x))

    def copy_sign(self, value_type: str) -> None:
        """copysign."""
        y, x = self.pop(), self.pop()
        callee = self.intrinsic(value_type, f"llvm.copysign.{_SUFFIX[value_type]}", f"{value_type}, {value_type}")
        self.stack.append(self.value(f"call {callee}({value_type} {x}, {value_type} {y})"))

    def minimum(self, predicate: str, combine: str, value_type: str, integer: str, test: str = "i1") -> None:
        """min and max: the processor's takes the second operand if the two are equal or one is a NaN, so both ways are combined."""
        y, x = self.pop(), self.pop()
        self.stack.append(self.minimum_of(x, y, predicate, combine, value_type, integer, test))

    def minimum_of(self, x: str, y: str, predicate: str, combine: str, value_type: str, integer: str, test: str) -> str:
        """Also of vectors, whose comparisons are of the type `test`."""
        ways = []
        for a, b in ((x, y), (y, x)):
            better = self.value(f"fcmp {predicate} {value_type} {a}, {b}")
            way = self.value(f"select {test} {better}, {value_type} {a}, {value_type} {b}")
            ways.append(self.value(f"bitcast {value_type} {way} to {integer}"))
        bits = self.value(f"{combine} {integer} {ways[0]}, {ways[1]}")
        number = self.value(f"bitcast {integer} {bits} to {value_type}")
        unordered = self.value(f"fcmp uno {value_type} {x}, {y}")
        nan = self.value(f"fadd {value_type} {x}, {y}")
        return self.value(f"select {test} {unordered}, {value_type} {nan}, {value_type} {number}")

    # Between integers and floats

    def truncate(self, to: str, source: str, sign: str) -> None:
        """Conversion to an integer, with the traps."""
        x = self.pop()
        self.trap_if(self.value(f"fcmp uno {source} {x}, {x}"), TrapKind.INVALID_CONVERSION_TO_INTEGER)
        least, most = _BOUNDS[to, source, sign]
        above = self.value(f"fcmp ogt {source} {x}, {wide_hexadecimal(least)}")
        below = self.value(f"fcmp olt {source} {x}, {wide_hexadecimal(most)}")
        inside = self.value(f"and i1 {above}, {below}")
        self.trap_if(self.value(f"xor i1 {inside}, true"), TrapKind.INTEGER_OVERFLOW)
        self.stack.append(self.value(f"fpto{sign}i {source} {x} to {to}"))

    def truncate_saturating(self, to: str, source: str, sign: str) -> None:
        """trunc_sat."""
        callee = self.intrinsic(to, f"llvm.fpto{sign}i.sat.{to}.{_SUFFIX[source]}", source)
        self.stack.append(self.value(f"call {callee}({source} {self.pop()})"))

    def convert_to_float(self, to: str, source: str, sign: str) -> None:
        """From an integer. LLVM must not know the result, as for constants."""
        x = self.value(f"{sign}itofp {source} {self.pop()} to {to}")
        known = self.fast is not None and self.word in self.fast.loaded
        self.stack.append(x if known else self.opaque(to, x))

    def promote(self) -> None:
        """f64.promote_f32."""
        self.stack.append(self.value(f"fpext float {self.pop()} to double"))

    def demote(self) -> None:
        """f32.demote_f64, which must not be dropped together with a promotion."""
        x = self.pop()
        if x not in self.arithmetic:
            x = self.opaque("double", x)
        result = self.value(f"fptrunc double {x} to float")
        self.arithmetic.add(result)
        self.stack.append(result)

    def reinterpret(self, source: str, to: str) -> None:
        """The same bits."""
        x = self.value(f"bitcast {source} {self.pop()} to {to}")
        known = to in ("i32", "i64") or self.fast is not None and self.word in self.fast.loaded
        self.stack.append(x if known else self.opaque(to, x))

    # 128 bits

    def wide_sum(self, instruction: str) -> None:
        """i64.add128 and sub128."""
        y, x = self.pop_wide(), self.pop_wide()
        self.push_wide(self.value(f"{instruction} i128 {x}, {y}"))

    def pop_wide(self) -> str:
        """Pop the two halves of a number of 128 bits."""
        high, low = self.pop(), self.pop()
        high = self.value(f"zext i64 {high} to i128")
        low = self.value(f"zext i64 {low} to i128")
        high = self.value(f"shl i128 {high}, 64")
        return self.value(f"or i128 {high}, {low}")

    def push_wide(self, x: str) -> None:
        """Push the two halves."""
        self.stack.append(self.value(f"trunc i128 {x} to i64"))
        high = self.value(f"lshr i128 {x}, 64")
        self.stack.append(self.value(f"trunc i128 {high} to i64"))

    def wide_product(self, extension: str) -> None:
        """i64.mul_wide_s and mul_wide_u."""
        y = self.value(f"{extension} i64 {self.pop()} to i128")
        x = self.value(f"{extension} i64 {self.pop()} to i128")
        self.push_wide(self.value(f"mul i128 {x}, {y}"))


def wide_hexadecimal(value: float) -> str:
    """A float that both types have, as LLVM writes it."""
    return f"0x{int.from_bytes(pack('<d', value), 'little'):016X}"


_INTEGER_BINARY: Final = {name: name for name in "add sub mul and or xor".split()}
_SHIFTS: Final = {"shl": "shl", "shr_s": "ashr", "shr_u": "lshr"}
_DIVISIONS: Final = {"div_s": "sdiv", "div_u": "udiv", "rem_s": "srem", "rem_u": "urem"}
INTEGER_PREDICATES: Final = {
    "eq": "eq",
    "ne": "ne",
    "lt_s": "slt",
    "lt_u": "ult",
    "gt_s": "sgt",
    "gt_u": "ugt",
    "le_s": "sle",
    "le_u": "ule",
    "ge_s": "sge",
    "ge_u": "uge",
}
FLOAT_PREDICATES: Final = {"eq": "oeq", "ne": "une", "lt": "olt", "gt": "ogt", "le": "ole", "ge": "oge"}
_FLOAT_BINARY: Final = {name: f"f{name}" for name in "add sub mul div".split()}
FLOAT_UNARY: Final = {"ceil": "ceil", "floor": "floor", "trunc": "trunc", "nearest": "roundeven", "sqrt": "sqrt"}
MINIMA: Final = {"min": ("olt", "or"), "max": ("ogt", "and")}

Row = tuple[Callable[..., None], tuple[str, ...]]


def _integer_row(value_type: str, name: str) -> Row | None:
    """The method and its arguments for an instruction of i32 or i64 alone."""
    for table, method in (
        (_INTEGER_BINARY, Numeric.integer_binary),
        (_SHIFTS, Numeric.shift),
        (_DIVISIONS, Numeric.divide),
        (INTEGER_PREDICATES, Numeric.integer_compare),
        ({"rotl": "fshl", "rotr": "fshr"}, Numeric.rotate),
        ({"clz": "ctlz", "ctz": "cttz"}, Numeric.count_zeros),
    ):
        if name in table:
            return method, (table[name], value_type)
    if name == "popcnt":
        return Numeric.population, (value_type,)
    if name == "eqz":
        return Numeric.equals_zero, (value_type,)
    if name.endswith("_s") and name.startswith("extend") and name[6].isdigit():
        return Numeric.extend, (f"i{name[6:-2]}", value_type)
    return None


def _float_row(value_type: str, name: str) -> Row | None:
    """The method and its arguments for an instruction of f32 or f64 alone."""
    if name in _FLOAT_BINARY:
        return Numeric.float_binary, (_FLOAT_BINARY[name], value_type)
    if name in FLOAT_PREDICATES:
        return Numeric.float_compare, (FLOAT_PREDICATES[name], value_type)
    if name in FLOAT_UNARY:
        return Numeric.float_unary, (FLOAT_UNARY[name], value_type)
    if name in ("abs", "neg"):
        return Numeric.float_sign, ({"abs": "fabs", "neg": "fneg"}[name], value_type)
    if name == "copysign":
        return Numeric.copy_sign, (value_type,)
    if name in MINIMA:
        return Numeric.minimum, (*MINIMA[name], value_type, f"i{_BITS[value_type]}")
    return None


def _conversion_row(to: str, name: str) -> Row | None:
    """The method and its arguments for a conversion."""
    words = name.split("_")
    source = _TYPE.get(words[-2] if len(words) > 1 and words[-1] in "su" else words[-1], "")
    sign = words[-1]
    if name == "wrap_i64":
        return Numeric.convert_integer, ("trunc", "i64", "i32")
    if words[0] == "extend" and source == "i32":
        return Numeric.convert_integer, ({"s": "sext", "u": "zext"}[sign], "i32", "i64")
    if words[:2] == ["trunc", "sat"]:
        return Numeric.truncate_saturating, (to, source, sign)
    if words[0] == "trunc" and source:
        return Numeric.truncate, (to, source, sign)
    if words[0] == "convert":
        return Numeric.convert_to_float, (to, source, sign)
    if words[0] == "reinterpret":
        return Numeric.reinterpret, (source, to)
    return {"promote_f32": (Numeric.promote, ()), "demote_f64": (Numeric.demote, ())}.get(name)


def _rows() -> dict[int, Row]:
    rows: dict[int, Row] = {
        0xD1: (Numeric.equals_zero, ("i64",)),
        0x113: (Numeric.wide_sum, ("add",)),
        0x114: (Numeric.wide_sum, ("sub",)),
        0x115: (Numeric.wide_product, ("sext",)),
        0x116: (Numeric.wide_product, ("zext",)),
    }
    for code, opcode in OPCODES.items():
        if 0x45 <= code <= 0xC4 or 0x100 <= code <= 0x107:
            prefix, _, name = opcode.name.partition(".")
            value_type = _TYPE[prefix]
            own = _integer_row(value_type, name) if prefix[0] == "i" else _float_row(value_type, name)
            row = own or _conversion_row(value_type, name)
            assert row is not None, opcode
            rows[code] = row
    return rows


NUMERIC: Final = _rows()
"""Method and arguments of each numeric instruction, by its code."""

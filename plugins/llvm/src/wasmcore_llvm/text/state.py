"""The state of writing one function as LLVM's text: its lines, the operand stack, locals, trap sites."""

from __future__ import annotations

import re
from struct import pack, unpack
from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore.errors import TrapKind
from wasmcore.plugin.builtins import BUILTIN_NUMBERS
from wasmcore.plugin.layout import POLL_OFFSET, STORE, VMCONTEXT
from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_I32, CLASS_V128
from wasmcore_llvm.convention import TYPES, Signature

if TYPE_CHECKING:
    from wasmcore.plugin.streams.inlining import Origins
    from wasmcore.plugin.unit import CompileUnit
    from wasmcore_llvm.target import LlvmTarget

# Metadata that every module has (`module`).
INVARIANT: Final = ", !invariant.load !0"
CONTEXT_ACCESS: Final = ", !tbaa !1"
MEMORY_ACCESS: Final = ", !tbaa !2"
TABLE_ACCESS: Final = ", !tbaa !3"
UNLIKELY: Final = ", !prof !4"
LIKELY: Final = ", !prof !5"

BARRIER: Final = 'call void asm sideeffect "", "~{memory}"()'
"""Nothing in memory moves across."""
FENCE: Final = 'call void asm sideeffect "", ""() #4'
"""No load that might trap moves up across; what is known of memory stays known."""

TRAP_SECTION: Final = "wasmcore.traps"
_NOTE: Final = f".pushsection {TRAP_SECTION},\\22\\22,@progbits\\0A.long 1b,${{0:c}}\\0A.popsection"
"""The place of an instruction that faults and the number of the site, in a section of their own."""

_OPERAND: Final = re.compile(r"%v[0-9]+")
_CONVERSIONS: Final = ("bitcast", "zext", "sext", "trunc")
_OPAQUE: Final = 'call {0} asm "", "=x,0"({0} {1}) #2'

_ONES: Final = frozenset((0x3F800000, 0xBF800000, 0, 0x80000000))
_ONES_WIDE: Final = frozenset((0x3FF0000000000000, 0xBFF0000000000000, 0, 0x8000000000000000))


class FloatLiteral(str):
    """A float constant on the operand stack.

    LLVM drops an operation with certain constants (x * 1.0), and with it that a signalling NaN becomes quiet. So constants become
    values that LLVM does not know, except as operands of an operation that is safe with them.
    """

    __slots__ = ("machine_class", "neutral")

    machine_class: int
    neutral: bool


class Condition(str):
    """An i1 on the operand stack, for an i32 of 0 or 1."""

    __slots__ = ()


def float_literal(machine_class: int, bits: int) -> FloatLiteral:
    """The constant with these bits, no NaN."""
    if machine_class == CLASS_F32:
        (value,) = unpack("<f", pack("<I", bits))
        (wide,) = unpack("<Q", pack("<d", value))
        literal = FloatLiteral(f"0x{wide:016X}")
        literal.neutral = bits in _ONES
    else:
        literal = FloatLiteral(f"0x{bits:016X}")
        literal.neutral = bits in _ONES_WIDE
    literal.machine_class = machine_class
    return literal


class Fast(NamedTuple):
    """A fast copy of a loop that is being written (`loops`)."""

    label: int
    places: dict[int, str]
    """Pointers of accesses, by stream word."""
    group: str
    """Metadata of the accesses."""
    outcomes: dict[int, bool]
    """How conditions turn out, by the stream word of the branch."""
    covered: frozenset[int]
    """Stream words of accesses that need no check."""
    loaded: frozenset[int]
    """Stream words of conversions to floats of what comes from memory, which is no constant."""


class Unit:
    """What the functions of a unit share while they are written."""

    def __init__(self, unit: CompileUnit, target: LlvmTarget, features: frozenset[str]) -> None:
        self.environment: Final = unit.environment
        self.convention: Final = unit.convention
        self.target: Final = target
        self.features: Final = features
        self.signals: Final = unit.signals
        self.address_map: Final = unit.address_map
        self.defined: dict[int, int] = {}
        """Type index of each function of the unit, by function index."""
        self.positions: dict[int, int] = {}
        """The number of each in the unit."""
        self.written: list[int] = []
        """Those that are written, and not just declared."""
        self.optimized = True
        """Whether LLVM optimises: only then are calls inlined and loops written twice, and blocks may be long."""
        self.origins: dict[int, Origins] = {}
        """Of functions with inlined bodies, what their words come from."""
        self.uniform: frozenset[int] = frozenset()
        """Those with the uniform prototype."""
        self.large: dict[int, int] = {}
        """Bytes of the frames that are too large to be checked afterwards, by function index."""
        self.sites: list[tuple[int, int]] = []
        """Trap kind and stream word of every trap site, by its number."""
        self.declarations: dict[str, str] = {}
        """Of LLVM's intrinsics and of functions that are called, by name."""
        self.loops: dict[str, int] = {}
        """How many loops have a fast copy ("") or not, by the reason."""
        self.metadata: list[str] = []
        """Of loops."""
        self.locations: dict[tuple[int, int], int] = {}
        """Metadata numbers of debug locations, by function index and stream word."""
        self.faulting: dict[int, set[int]] = {}
        """Stream words of accesses that may fault, by function index."""
        self._signatures: dict[int, Signature] = {}
        self.types: Final = FunctionTypes(unit.environment)

    def signature(self, type_index: int) -> Signature:
        """The signature of a function type."""
        found = self._signatures.get(type_index)
        if found is None:
            found = Signature(self.convention, self.types.params(type_index), self.types.results(type_index))
            self._signatures[type_index] = found
        return found

    def count_loop(self, reason: str) -> None:
        """Count a loop, with the reason why it has no fast copy."""
        self.loops[reason] = self.loops.get(reason, 0) + 1

    def type_of(self, function: int) -> int:
        """The type index of a function."""
        return self.types.type_of(function)


class State:
    """The lines of one function, and what stands on the operand stack."""

    def __init__(self, unit: Unit, function: int) -> None:
        self.unit: Final = unit
        self.environment: Final = unit.environment
        self.function: Final = function
        self.uniform: Final = function in unit.uniform
        self.out: list[str] = []
        self.cold: list[str] = []
        """Blocks that stand behind the others."""
        self.stack: list[str] = []
        self.known: dict[int, str] = {}
        """Values of locals, as far as they are known in this block."""
        self.local_types: list[str] = []
        self.block = "entry"
        """The block that is being written."""
        self.word = 0
        """The stream word of the current record."""
        self.placeless = False
        """Whether instructions get no place in the address map."""
        self.loads: dict[str, int] = {}
        """Values that were loaded in this block, and at which stream words."""
        self.numbered = 0
        self.fast: Fast | None = None
        self.views: dict[str, tuple[str, str]] = {}
        """Vectors, as <2 x i64>: the same in the type in which they were made."""
        self.constants: dict[str, str] = {}
        """Vectors that are constants, and which."""
        self.hidden_constants: dict[tuple[str, str], str] = {}
        """Constants that LLVM does not know, with their types."""
        self.arithmetic: set[str] = set()
        """Results of float arithmetic: no conversion from a narrower float."""

    # Lines

    def value(self, text: str) -> str:
        """Write an instruction with a result; its name.

        All have a place, for LLVM may lose that of a load that it combines with something: then it has that of its address.
        """
        self.numbered += 1
        name = f"%v{self.numbered}"
        if self.unit.address_map and "!dbg" not in text:
            text += self.place_of_load(name, text) or self.place()
        self.out.append(f"{name} = {text}")
        return name

    def place_of_load(self, name: str, text: str) -> str:
        """An instruction that LLVM may make one with a load before it has the place of that: it is what faults."""
        loads = [self.loads[operand] for operand in _OPERAND.findall(text) if operand in self.loads]
        if not loads:
            return ""
        if text.startswith(_CONVERSIONS):
            self.loads[name] = loads[-1]
        return self.place(loads[-1])

    def write(self, text: str) -> None:
        """Write an instruction without a result."""
        self.out.append(text)

    def label(self) -> str:
        """A new name for a block."""
        self.numbered += 1
        return f"b{self.numbered}"

    def begin(self, block: str) -> None:
        """Begin a block that follows from the one before alone."""
        self.out.append(f"{block}:")
        self.block = block
        self.loads.clear()

    def place(self, word: int = -1) -> str:
        """Where in the stream an instruction comes from, for those that a pc may be found at: a word, else the current record."""
        unit = self.unit
        if not unit.address_map or self.placeless:
            return ""
        key = (self.function, self.word if word < 0 else word)
        number = unit.locations.get(key)
        if number is None:
            number = unit.locations[key] = len(unit.locations)
        return f", !dbg !{DEBUG_METADATA + number}"

    def fault_place(self) -> str:
        """The same for an access that may fault."""
        if self.unit.address_map:
            self.unit.faulting.setdefault(self.function, set()).add(self.word)
        return self.place()

    def intrinsic(self, result: str, name: str, params: str) -> str:
        """An intrinsic's name, declared."""
        self.unit.declarations[name] = f"declare {result} @{name}({params})"
        return f"{result} @{name}"

    def unary_intrinsic(self, name: str, value_type: str, suffix: str, x: str) -> str:
        """Call an intrinsic with one operand of the type of its result."""
        return self.value(f"call {self.intrinsic(value_type, f'llvm.{name}.{suffix}', value_type)}({value_type} {x})")

    def field(self, offset: int) -> str:
        """The address of something in the VMContext."""
        return self.value(f"getelementptr inbounds i8, ptr %vm, i64 {offset}")

    # The operand stack

    def pop(self) -> str:
        """Pop a value; nothing LLVM could know too much of."""
        x = self.stack.pop()
        if type(x) is str:
            return x
        return self.settled(x)

    def settled(self, x: str) -> str:
        """A plain value for an entry of the stack."""
        if type(x) is Condition:
            return self.value(f"zext i1 {x} to i32")
        if type(x) is FloatLiteral:
            return self.opaque_constant(TYPES[x.machine_class], x)
        return x

    def hidden(self, x: str) -> str:
        """A value for a place where LLVM would follow it: no constant of floats or vectors."""
        constant = self.constants.get(x)
        return self.opaque_constant("<2 x i64>", constant) if constant is not None else self.settled(x)

    def settle(self, count: int) -> list[str]:
        """Make the top values plain; they stay."""
        if not count:
            return []
        top = [self.hidden(x) for x in self.stack[-count:]]
        self.stack[-count:] = top
        return top

    def pop_many(self, count: int) -> list[str]:
        """Pop several values, in their order."""
        if not count:
            return []
        values = self.settle(count)
        del self.stack[-count:]
        return values

    def pop_condition(self) -> str:
        """Pop an i32 as an i1: whether it is not 0."""
        x = self.stack.pop()
        return x if type(x) is Condition else self.value(f"icmp ne i32 {x}, 0")

    def opaque(self, value_type: str, x: str) -> str:
        """The same float or vector, which LLVM knows nothing about. Costs nothing at run time."""
        return self.value(_OPAQUE.format(value_type, x))

    def opaque_constant(self, value_type: str, x: str) -> str:
        """The same for a constant, made at the entry of the function."""
        name = self.hidden_constants.get((value_type, x))
        if name is None:
            name = self.hidden_constants[value_type, x] = f"%c{len(self.hidden_constants)}"
        return name

    def hidden_constant_lines(self) -> list[str]:
        """Their instructions."""
        return [f"{name} = {_OPAQUE.format(*constant)}" for constant, name in self.hidden_constants.items()]

    def push_vector(self, value_type: str, x: str) -> None:
        """Push a vector of some type."""
        name = self.value(f"bitcast {value_type} {x} to <2 x i64>")
        self.views[name] = (x, value_type)
        self.stack.append(name)

    def pop_vector(self, value_type: str) -> str:
        """Pop a vector as one of some type."""
        return self.as_vector(self.pop(), value_type)

    def as_vector(self, x: str, value_type: str) -> str:
        """A vector of another type."""
        view = self.views.get(x)
        if view is not None and view[1] == value_type:
            return view[0]
        return x if value_type == "<2 x i64>" else self.value(f"bitcast <2 x i64> {x} to {value_type}")

    # Traps and polls

    def trap_block(self, kind: TrapKind, stack: bool = False) -> list[str]:
        """The lines that trap."""
        unit = self.unit
        if unit.signals:
            number = len(unit.sites)
            unit.sites.append((kind, self.word))
            # Gives the frame back first, which may reach far below the limit.
            before = f"{self.unit.target.GIVE_BACK}\\0A" if stack else ""
            assembly = f"{before}1:\\0A{self.unit.target.TRAP}\\0A{_NOTE}"
            return [f'call void asm sideeffect "{assembly}", "i,~{{memory}}"(i32 {number}) #1{self.place()}', "unreachable"]
        self.numbered += 3
        a, b, c = (f"%t{self.numbered - n}" for n in range(3))
        return [
            f"{a} = getelementptr inbounds i8, ptr %vm, i64 {VMCONTEXT['builtins']}",
            f"{b} = load ptr, ptr {a}, align 8{INVARIANT}",
            f"{c} = getelementptr inbounds i8, ptr {b}, i64 {8 * BUILTIN_NUMBERS['trap']}",
            f"{c}f = load ptr, ptr {c}, align 8{INVARIANT}",
            f"call preserve_nonecc void {c}f(ptr %vm, i32 {int(kind)}) #1{self.place()}",
            "unreachable",
        ]

    def trap_if(self, condition: str, kind: TrapKind, stack: bool = False) -> None:
        """Trap if an i1 is true, at a place of its own."""
        trap, after = self.label(), self.label()
        self.out.append(f"br i1 {condition}, label %{trap}, label %{after}{UNLIKELY}")
        self.cold.append(f"{trap}:")
        self.cold += self.trap_block(kind, stack)
        self.begin(after)

    def store_record(self) -> str:
        """The address of the store record."""
        return self.value(f"load ptr, ptr %vm, align 8{INVARIANT}")

    def store_field(self, offset: int) -> str:
        """The address of something in the store record."""
        return self.value(f"getelementptr inbounds i8, ptr {self.store_record()}, i64 {offset}")

    def poll(self) -> None:
        """Notice an interrupt."""
        if self.unit.signals:
            page = self.store_field(POLL_OFFSET)
            self.value(f"load volatile i8, ptr {page}, align 1{CONTEXT_ACCESS}{self.fault_place()}")
            return
        polls = self.store_field(STORE["polls"])
        before = self.value(f"load volatile i32, ptr {polls}, align 4{CONTEXT_ACCESS}")
        after = self.value(f"sub i32 {before}, 1")
        self.write(f"store volatile i32 {after}, ptr {polls}, align 4{CONTEXT_ACCESS}")
        expired = self.value(f"icmp slt i32 {after}, 0")
        call, go_on = self.label(), self.label()
        self.write(f"br i1 {expired}, label %{call}, label %{go_on}{UNLIKELY}")
        self.begin(call)
        self.call_builtin("poll", [], "void")
        self.write(f"br label %{go_on}")
        self.begin(go_on)

    def call_builtin(self, name: str, arguments: list[str], result: str) -> str:
        """Call a built-in of the runtime (arguments with their types); the result's name."""
        table = self.value(f"load ptr, ptr {self.field(VMCONTEXT['builtins'])}, align 8{INVARIANT}")
        slot = self.value(f"getelementptr inbounds i8, ptr {table}, i64 {8 * BUILTIN_NUMBERS[name]}")
        code = self.value(f"load ptr, ptr {slot}, align 8{INVARIANT}")
        call = f"notail call preserve_nonecc {result} {code}({', '.join(['ptr %vm', *arguments])}){self.place()}"
        if result == "void":
            self.write(call)
            return ""
        return self.value(call)

    # Locals

    def get_local(self, local: int) -> str:
        """The value of a local."""
        x = self.known.get(local)
        if x is None:
            x = self.known[local] = self.value(f"load {self.local_types[local]}, ptr %l{local}")
        return x

    def set_local(self, local: int, x: str) -> None:
        """Give a local a value, which LLVM does not know if it is a constant vector."""
        constant = self.constants.get(x)
        if constant is not None:
            x = self.opaque_constant("<2 x i64>", constant)
        self.known[local] = x
        self.out.append(f"store {self.local_types[local]} {x}, ptr %l{local}")


DEBUG_FUNCTIONS: Final = 100
"""The first number of the metadata of functions."""
LOOP_METADATA: Final = 1 << 20
"""The first number of the metadata of loops."""
DEBUG_METADATA: Final = 1 << 22
"""The first number of the metadata of debug locations."""

_ZEROS: Final = {CLASS_I32: "0", CLASS_V128: "zeroinitializer"}


def zero(machine_class: int) -> str:
    """The constant 0."""
    if machine_class in (CLASS_F32, CLASS_F64):
        return "0.0"
    return _ZEROS.get(machine_class, "0")

"""One function: from its resolved stream to LLVM's text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wasmcore.errors import NotCompiledError, TrapKind
from wasmcore.plugin.layout import STORE
from wasmcore.stream import (
    CLASS_F32,
    CLASS_F64,
    CLASS_V128,
    COUNT_MASK,
    EXTENDED,
    HAS_CALLS,
    HEADER_FLAGS,
    HEADER_FUNCTION,
    HEADER_RECORDS_END,
    HEADER_TYPE,
    HEADER_WORDS,
    LOCALS,
    LOOP_HAS_CALLS,
    TABLE_FUNCTION,
    TARGET,
)
from wasmcore_llvm.convention import TYPES
from wasmcore_llvm.text.atomics import ATOMICS, Atomics
from wasmcore_llvm.text.loops import Loops
from wasmcore_llvm.text.memory import LOADS, STORES
from wasmcore_llvm.text.numeric import NUMERIC
from wasmcore_llvm.text.state import DEBUG_FUNCTIONS, UNLIKELY, Unit, zero
from wasmcore_llvm.text.vector_floats import FLOAT_VECTORS, VectorFloats
from wasmcore_llvm.text.vectors import INTEGER_VECTORS, VECTOR_LANES, VECTOR_LOADS

_TWO_WORDS: Final = (0x20C, 0x20D)
_LONGEST_BLOCK: Final = 1000
"""Words after which a block ends that is not optimised: LLVM takes quadratic time for the blocks of vector code."""
_INSIDE_BLOCKS: Final = (0x20, 0x41, 0x10)
"""local.get, i32.const, call: records that are never behind a branch, where nothing is reached."""
_BRANCHES: Final = (0x0C, 0x0D, 0xD5, 0xD6, TARGET)


class Function(VectorFloats, Atomics, Loops):
    """Writes one function."""

    def __init__(self, unit: Unit, stream: bytes) -> None:
        header = memoryview(stream).cast("q")
        super().__init__(unit, header[HEADER_FUNCTION], unit.signature(header[HEADER_TYPE]), header)
        self.end_word = header[HEADER_RECORDS_END] >> 3
        self.flags: Final = header[HEADER_FLAGS]
        self.at = HEADER_WORDS
        self.high = 0
        """The second extension word of the current record."""
        self.branch_runs: dict[int, int] | None = None
        self.block_end = self.end_word if unit.optimized else HEADER_WORDS + _LONGEST_BLOCK
        """Where the block ends, if not before or soon after."""

    def write_function(self) -> str:
        """The whole definition."""
        result, params, names = self.header(self.signature)
        classes = self.read_locals()
        self.entry(names)
        self.clear_locals(classes)
        entry, self.out = self.out, []
        self.walk(self.end_word)
        lines = ["entry:", *self.allocas, *self.hidden_constant_lines(), *entry, *self.out, *self.cold, "}"]
        debug = f" !dbg !{function_metadata(self.unit, self.function)}" if self.unit.address_map else ""
        # Who calls a weak function may not look into it, so that the caller's code does not depend on it.
        head = "define weak dso_local preserve_nonecc {} {}({}) " + self.attributes() + "#0 align 16{} {{"
        params = f"ptr %vm, {params}" if params else "ptr %vm"
        large = self.unit.large.get(self.function)
        if large is None:
            lines.insert(0, head.format(result, f"@f{self.function}", params, debug))
        else:
            inner = head.format(result, f"@f{self.function}.large", params, debug)
            lines[:0] = [head.format(result, f"@f{self.function}", params, ""), *self.check_large(large, result, params), inner]
        return "\n".join(lines)

    # Entry

    def read_locals(self) -> list[int]:
        """Machine classes of all locals; unused ones (0) get no place."""
        classes = list(self.signature.params)
        words = self.words
        while self.at < self.end_word and words[self.at] & 0xFFFF == LOCALS:
            word = words[self.at]
            self.at += 1
            count = word >> 32
            if word & EXTENDED:
                count = words[self.at]
                self.at += 1
            classes += [word >> 16 & 0x7FFF] * count
        self.local_types = [TYPES[each] for each in classes]
        for local, value_type in enumerate(self.local_types):
            if words[self.end_word + local] > 0:
                self.allocas.append(f"%l{local} = alloca {value_type}")
            else:
                classes[local] = 0
        return classes

    def entry(self, names: list[str]) -> None:
        """Stack check, parameters, poll."""
        if self.flags & HAS_CALLS and self.function not in self.unit.large:
            limit = self.store_field(STORE["stack_limit"])
            below = self.value(self.unit.target.BELOW_LIMIT.format(limit=limit))
            self.trap_if(self.value(f"trunc i8 {below} to i1"), TrapKind.STACK_OVERFLOW, stack=True)
        slots = [place.overflow for place in self.signature.places]
        for local, (name, slot) in enumerate(zip(names, slots)):
            if self.words[self.end_word + local] > 0:
                self.set_local(local, self.parameter(name, self.signature.params[local], slot))
        if self.flags & HAS_CALLS:
            self.poll()

    def clear_locals(self, classes: list[int]) -> None:
        """Declared locals begin as zero; floats as one LLVM does not know."""
        zeros: dict[int, str] = {}
        for local in range(len(self.signature.params), len(classes)):
            machine_class = classes[local]
            if machine_class:
                x = zeros.get(machine_class)
                if x is None:
                    x = zero(machine_class)
                    if machine_class in (CLASS_F32, CLASS_F64, CLASS_V128):
                        x = self.opaque_constant(TYPES[machine_class], x)
                    zeros[machine_class] = x
                self.set_local(local, x)

    def check_large(self, size: int, result: str, params: str) -> list[str]:
        """The lines of a function that checks the stack for a large frame and goes on in the one that has it."""
        out, cold = self.out, self.cold
        self.out, self.cold = ["entry:"], []
        self.placeless = True
        limit = self.value(f"load i64, ptr {self.store_field(STORE['stack_limit'])}, align 8")
        pointer = self.value(self.unit.target.STACK_POINTER)
        room = self.value(f"sub i64 {pointer}, {limit}")
        self.word = 0
        trap, after = self.label(), self.label()
        self.write(f"br i1 {self.value(f'icmp slt i64 {room}, {size}')}, label %{trap}, label %{after}{UNLIKELY}")
        self.begin(after)
        call = f"musttail call preserve_nonecc {result} @f{self.function}.large({params}){self.place()}"
        if result == "void":
            self.write(call)
            self.write("ret void")
        else:
            self.write(f"ret {result} {self.value(call)}")
        lines = [*self.out, f"{trap}:", *self.trap_block(TrapKind.STACK_OVERFLOW), "}"]
        self.out, self.cold = out, cold
        self.placeless = False
        return lines

    # Records

    def walk(self, end: int) -> None:
        """Write all records before a stream word."""
        words = self.words
        stack = self.stack
        while self.at < end:
            self.word = at = self.at
            word = words[at]
            code = word & 0xFFFF
            flags = word >> 16 & 0x7FFF
            immediate = value = word >> 32
            at += 1
            if word & EXTENDED:
                value = words[at]
                at += 1
                if code in _TWO_WORDS:
                    self.high = words[at]
                    at += 1
            self.at = at
            if at > self.block_end and code in _INSIDE_BLOCKS:
                self.end_block()
            if code == 0x20:
                stack.append(self.get_local(immediate))
            elif code == 0x41 or code == 0x42:
                stack.append(str(value))
            else:
                method = _METHODS.get(code)
                if method is None:
                    raise NotCompiledError(code, self.function)
                method(self, flags, immediate, value)

    def end_block(self) -> None:
        """Go on in another block, in which no value of a local is known."""
        self.block_end = self.at + _LONGEST_BLOCK
        block = self.label()
        self.write(f"br label %{block}")
        self.begin(block)
        self.known.clear()

    def next_targets(self, count: int) -> list[tuple[int, int]]:
        """Label and number of values of the TARGET records that follow."""
        targets = []
        for _ in range(count):
            word = self.words[self.at]
            self.at += 2 if word & EXTENDED else 1
            targets.append((word >> 32, word >> 16 & COUNT_MASK))
        return targets

    def loop(self, flags: int, label: int) -> None:
        """loop: its head does not tell the types of its parameters, but a branch to it does, and they only matter then."""
        types: list[str] = []
        count = flags & COUNT_MASK & ~LOOP_HAS_CALLS
        if count:
            if self.branch_runs is None:
                self.branch_runs = self.find_branch_runs()
            run = self.branch_runs.get(label)
            if run is not None:
                types = [TYPES[each] for each in self.pool[run : run + count]]
        self.enter_loop(label, self.facts(label).written)
        if self.unit.optimized and not (count or flags & LOOP_HAS_CALLS) and self.versioned_loop(label):
            return
        self.begin_loop(label, types)

    def find_branch_runs(self) -> dict[int, int]:
        """By label: the run of the values of a branch to it."""
        runs = {}
        at, words = self.at, self.words
        while at < self.end_word:
            word = words[at]
            if word & EXTENDED:
                if word & 0xFFFF in _BRANCHES:
                    runs[word >> 32] = words[at + 1] >> 32
                at += 2 if word & 0xFFFF in _TWO_WORDS else 1
            at += 1
        return runs

    def constant_float(self, machine_class: int, value: int) -> None:
        """f32.const and f64.const."""
        self.push_float_constant(machine_class, value & (0xFFFFFFFF if machine_class == CLASS_F32 else 0xFFFFFFFFFFFFFFFF))

    def unreachable(self, kind: int) -> None:
        """unreachable; `inlining` writes other kinds of traps, too."""
        self.out += self.trap_block(TrapKind(kind))

    def select(self, machine_class: int) -> None:
        """select."""
        condition = self.pop_condition()
        x, y = self.pop_many(2)
        value_type = TYPES[machine_class]
        self.stack.append(self.value(f"select i1 {condition}, {value_type} {x}, {value_type} {y}"))

    def set_from_stack(self, local: int) -> None:
        """local.set."""
        self.set_local(local, self.pop())

    def tee(self, local: int) -> None:
        """local.tee."""
        self.set_local(local, self.settle(1)[0])

    def drop(self) -> None:
        """drop."""
        self.stack.pop()

    def as_non_null(self) -> None:
        """ref.as_non_null."""
        self.stack.append(self.pop_non_null())


def function_metadata(unit: Unit, function: int) -> int:
    """The number of the metadata of a function's debug information."""
    return DEBUG_FUNCTIONS + unit.positions[function]


_Method = Callable[[Function, int, int, int], None]


def _numeric(method: Callable[..., None], arguments: tuple[str, ...]) -> _Method:
    def write(function: Function, _flags: int, _immediate: int, _value: int) -> None:
        method(function, *arguments)

    return write


def _load(code: int) -> _Method:
    return lambda function, flags, _, value: function.load(code, flags, value)


def _store(code: int) -> _Method:
    return lambda function, flags, _, value: function.store(code, flags, value)


def _atomic(code: int) -> _Method:
    return lambda function, flags, _, value: function.atomic(code, flags, value)


def _vector_load(method: Callable[..., None], arguments: tuple[str, ...]) -> _Method:
    return lambda function, flags, _, value: method(function, *arguments, flags, value)


def _vector_lane(method: Callable[..., None], arguments: tuple[str, ...]) -> _Method:
    return lambda function, _, immediate, __: method(function, *arguments, immediate)


_METHODS: Final[dict[int, _Method]] = {
    **{code: _numeric(*row) for code, row in NUMERIC.items()},
    **{code: _load(code) for code in LOADS},
    **{code: _store(code) for code in STORES},
    **{code: _numeric(*row) for code, row in (INTEGER_VECTORS | FLOAT_VECTORS).items()},
    **{code: _vector_load(*row) for code, row in VECTOR_LOADS.items()},
    **{code: _vector_lane(*row) for code, row in VECTOR_LANES.items()},
    **{code: _atomic(code) for code in ATOMICS},
    0x603: lambda f, flags, immediate, value: f.fence(),
    0x20C: lambda f, flags, immediate, value: f.vector_constant(value, f.high),
    0x20D: lambda f, flags, immediate, value: f.shuffle_bytes(value, f.high),
    0x00: lambda f, flags, immediate, value: f.unreachable(flags),
    0x01: lambda f, flags, immediate, value: None,
    0x02: lambda f, flags, immediate, value: None,
    0x03: lambda f, flags, immediate, value: f.loop(flags, immediate),
    0x04: lambda f, flags, immediate, value: f.begin_if(immediate, flags & COUNT_MASK),
    0x05: lambda f, flags, immediate, value: f.begin_else(immediate, flags, value),
    0x0B: lambda f, flags, immediate, value: f.end(immediate, flags, value),
    0x0C: lambda f, flags, immediate, value: f.branch(immediate, flags & COUNT_MASK),
    0x0D: lambda f, flags, immediate, value: f.branch_if(immediate, flags & COUNT_MASK),
    0x0E: lambda f, flags, immediate, value: f.branch_table(f.next_targets(immediate)),
    0x0F: lambda f, flags, immediate, value: f.return_values(f.signature, f.settle(flags & COUNT_MASK)),
    0x10: lambda f, flags, immediate, value: f.direct_call(immediate, False),
    0x11: lambda f, flags, immediate, value: f.indirect_call(immediate, flags, False),
    0x12: lambda f, flags, immediate, value: f.direct_call(immediate, True),
    0x13: lambda f, flags, immediate, value: f.indirect_call(immediate, flags, True),
    0x14: lambda f, flags, immediate, value: f.reference_call(immediate, False),
    0x15: lambda f, flags, immediate, value: f.reference_call(immediate, True),
    0x1A: lambda f, flags, immediate, value: f.drop(),
    0x1B: lambda f, flags, immediate, value: f.select(flags),
    0x1C: lambda f, flags, immediate, value: f.select(flags),
    0x21: lambda f, flags, immediate, value: f.set_from_stack(immediate),
    0x22: lambda f, flags, immediate, value: f.tee(immediate),
    0x23: lambda f, flags, immediate, value: f.global_get(immediate),
    0x24: lambda f, flags, immediate, value: f.global_set(immediate),
    0x25: lambda f, flags, immediate, value: f.table_get(immediate),
    0x26: lambda f, flags, immediate, value: f.table_set(immediate),
    0x3F: lambda f, flags, immediate, value: f.memory_size(immediate),
    0x40: lambda f, flags, immediate, value: f.memory_grow(immediate),
    0x43: lambda f, flags, immediate, value: f.constant_float(CLASS_F32, value),
    0x44: lambda f, flags, immediate, value: f.constant_float(CLASS_F64, value),
    0xD0: lambda f, flags, immediate, value: f.stack.append("0"),
    0xD2: lambda f, flags, immediate, value: f.function_reference(immediate),
    0xD4: lambda f, flags, immediate, value: f.as_non_null(),
    0xD5: lambda f, flags, immediate, value: f.branch_on_null(immediate, flags & COUNT_MASK),
    0xD6: lambda f, flags, immediate, value: f.branch_on_non_null(immediate, flags & COUNT_MASK),
    TABLE_FUNCTION: lambda f, flags, immediate, value: f.table_function(immediate, flags),
    0x108: lambda f, flags, immediate, value: f.memory_init(immediate, flags),
    0x109: lambda f, flags, immediate, value: f.drop_segment("data_drop", immediate),
    0x10A: lambda f, flags, immediate, value: f.memory_copy(immediate, flags),
    0x10B: lambda f, flags, immediate, value: f.memory_fill(immediate),
    0x10C: lambda f, flags, immediate, value: f.table_init(immediate, flags),
    0x10D: lambda f, flags, immediate, value: f.drop_segment("elem_drop", immediate),
    0x10E: lambda f, flags, immediate, value: f.table_copy(immediate, flags),
    0x10F: lambda f, flags, immediate, value: f.table_grow(immediate),
    0x110: lambda f, flags, immediate, value: f.table_size(immediate),
    0x111: lambda f, flags, immediate, value: f.table_fill(immediate),
}

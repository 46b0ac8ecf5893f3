"""Checks that a resolved stream is well-formed and its operands fit, with none of the code that wrote it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from wasmcore.opcodes import ADDRESS, OPCODES
from wasmcore.records import header, records, weights
from wasmcore.stream import (
    CLASS_I32,
    CLASS_I64,
    CLASS_REF,
    CLASS_V128,
    COUNT_MASK,
    END_ELSE,
    END_IF,
    END_KIND_SHIFT,
    END_LOOP,
    HAS_CALLS,
    HAS_LOOPS,
    HAS_VECTORS,
    HEADER_FLAGS,
    HEADER_FUNCTION,
    HEADER_HEIGHT,
    HEADER_LABELS,
    HEADER_LOCALS,
    HEADER_TYPE,
    HEIGHT_MASK,
    LANE_SHIFT,
    LOCALS,
    LOOP_HAS_CALLS,
    MEMORY_INDEX_MASK,
    REACHED,
    RETURN_LABEL,
    TABLE_FUNCTION,
    TARGET,
    TARGETED,
    USES_MEMORY,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from wasmcore.plugin.unit import Environment
    from wasmcore.records import Record

_CODES: Final = {opcode.name: opcode.code for opcode in OPCODES.values() if opcode.code != 0x1C}
_BLOCKS: Final = {_CODES["block"], _CODES["loop"], _CODES["if"]}
_CALLING: Final = {
    _CODES[name]
    for name in (
        "call call_indirect return_call return_call_indirect call_ref return_call_ref memory.grow memory.init data.drop "
        "memory.atomic.wait32 memory.atomic.wait64 memory.atomic.notify table.grow table.fill table.copy table.init elem.drop"
    ).split()
}
_MAX_LOCALS: Final = 50_000
_VECTOR_PREFIX: Final = 0xFD
_ENDING: Final = {_CODES[name] for name in "unreachable br return return_call return_call_indirect return_call_ref".split()}


@dataclass
class _Block:
    operation: int
    label: int
    height: int
    params: bytes
    targeted: bool = False
    labels: bytes | None = None
    """Types that branches to the end carry, once one did."""
    first_part_reached: bool = False
    calls: bool = False
    has_calls_flag: bool = False


def check_stream(environment: Environment, stream: bytes) -> None:
    """Raise ValueError, with the word and what is wrong, unless the stream is one that a `StreamWriter` could have made."""
    _Checker(environment, stream).check()


def _has_vectors(environment: Environment) -> bool:
    """Whether a signature or global has type v128."""
    if any(plan.machine_class == CLASS_V128 for plan in environment.globals):
        return True
    types = range(len(environment.signatures) // 16)
    return any(CLASS_V128 in environment.params(index) + environment.results(index) for index in types)


class _Checker:
    def __init__(self, environment: Environment, stream: bytes) -> None:
        self.environment = environment
        self.stream = stream
        self.header = header(stream)
        type_index = self.header[HEADER_TYPE]
        index = 4 * self.header[HEADER_FUNCTION]
        if int.from_bytes(environment.function_types[index : index + 4], "little") != type_index:
            raise ValueError("header: the function has another type")
        self.results = environment.results(type_index)
        self.locals = bytearray(environment.params(type_index))
        self.stack = bytearray()
        self.blocks: list[_Block] = []
        self.reachable = True
        self.highest = 0
        self.next_label = 0
        self.flags = HAS_VECTORS if _has_vectors(environment) else 0
        self.targets = 0
        self.in_declarations = True
        self.accesses: Counter[int] = Counter()
        self.record: Record
        self.special = {_CODES[name]: method for name, method in self.handlers().items()}

    def check(self) -> None:
        """The whole stream."""
        for record in records(self.stream):
            self.record = record
            self.require(self.reachable or record.operation in (0x05, 0x0B), "code that is not reachable")
            self.require((record.operation == TARGET) == (self.targets > 0), "number of targets")
            self.step(record)
            self.highest = max(self.highest, len(self.stack))
        if self.reachable or self.blocks or self.targets:
            raise ValueError("the function does not end")
        expected = (self.next_label, self.highest, len(self.locals), self.flags)
        found = tuple(self.header[field] for field in (HEADER_LABELS, HEADER_HEIGHT, HEADER_LOCALS, HEADER_FLAGS))
        if expected != found:
            raise ValueError(f"header: labels, height, locals, flags should be {expected}, not {found}")
        if list(weights(self.stream)) != [self.accesses[index] for index in range(len(self.locals))]:
            raise ValueError("weights of locals are wrong")

    def require(self, condition: bool, what: str) -> None:
        """Refuse the current record unless the condition holds."""
        if not condition:
            raise ValueError(f"word {self.record.word}, {self.record.name}: {what}")

    # Operands

    def pop(self, types: bytes) -> None:
        """Pop operands of these classes."""
        floor = self.blocks[-1].height if self.blocks else 0
        start = len(self.stack) - len(types)
        self.require(start >= floor and self.stack[start:] == types, f"operands {bytes(self.stack[floor:])!r} do not end in {types!r}")
        del self.stack[start:]

    def push(self, types: bytes) -> None:
        """Push operands of these classes."""
        self.stack += types

    def run(self, count: int) -> bytes:
        """The run that the value's high half begins."""
        if count == 0:
            return b""
        self.require(len(self.record.extension) == 1, "no extension word with a run")
        offset = self.record.value >> 32
        types = self.environment.type_pool[offset : offset + count]
        self.require(offset >= 0 and len(types) == count and CLASS_I32 <= min(types) <= max(types) <= CLASS_REF, "run of types")
        return types

    # Records

    def step(self, record: Record) -> None:
        """One record."""
        operation = record.operation
        self.require(operation != LOCALS or self.in_declarations, "locals must be declared first")
        self.in_declarations &= operation == LOCALS
        if operation in _CALLING or operation == TABLE_FUNCTION:
            self.flags |= HAS_CALLS
            for block in self.blocks:
                block.calls = True
        if operation == LOCALS:
            self.require(CLASS_I32 <= record.flags <= CLASS_REF and 0 < record.value <= _MAX_LOCALS, "class or count")
            self.locals += bytes([record.flags]) * record.value
            self.flags |= HAS_VECTORS if record.flags == CLASS_V128 else 0
        elif operation == TARGET:
            self.targets -= 1
            self.branch()
            self.reachable = self.targets > 0
        elif operation in _BLOCKS:
            self.open_block()
        elif operation == TABLE_FUNCTION:
            self.table_function()
        elif operation in self.special:
            self.special[operation]()
        else:
            self.by_signature()
        if operation in _ENDING:
            self.reachable = False
        if not self.reachable:
            del self.stack[self.blocks[-1].height if self.blocks else 0 :]

    def by_signature(self) -> None:
        """A record whose types the table of opcodes tells."""
        record = self.record
        opcode = OPCODES[record.operation]
        self.require(opcode.params is not None and opcode.results is not None, "not an operation of the stream")
        address = CLASS_I32
        if opcode.params and opcode.params[0] == ADDRESS:
            memory = record.flags & MEMORY_INDEX_MASK
            self.require(memory < len(self.environment.memories), "memory")
            address = CLASS_I64 if self.environment.memories[memory].index64 else CLASS_I32
            self.flags |= 0 if memory else USES_MEMORY
            self.require(record.flags >> LANE_SHIFT < max(1, 16 >> opcode.alignment), "lane")
        else:
            self.require(record.flags == 0, "flags")
        self.flags |= HAS_VECTORS if opcode.binary[0] == _VECTOR_PREFIX else 0
        self.require(not record.extension or len(record.extension) == 2 or not -(2**31) <= record.value < 2**31, "extension not needed")
        self.pop(bytes(address if value_type == ADDRESS else value_type for value_type in opcode.params or ()))
        self.push(bytes(opcode.results or ()))

    def open_block(self) -> None:
        """`block`, `loop`, `if`."""
        record = self.record
        if record.operation == _CODES["if"]:
            self.pop(bytes([CLASS_I32]))
        if record.operation == _CODES["loop"]:
            self.flags |= HAS_LOOPS
        self.require(record.immediate == self.next_label, "label out of order")
        self.next_label += 1
        height = len(self.stack) - (record.flags & COUNT_MASK)
        self.require(height >= (self.blocks[-1].height if self.blocks else 0), "parameters")
        block = _Block(record.operation, record.immediate, height, bytes(self.stack[height:]))
        block.has_calls_flag = record.flags & LOOP_HAS_CALLS != 0
        self.blocks.append(block)

    def close_part(self) -> tuple[_Block, bytes]:
        """What `else` and `end` have in common; the block and the types of the run."""
        record = self.record
        self.require(bool(self.blocks) and record.immediate == self.blocks[-1].label, "label")
        block = self.blocks[-1]
        self.require(len(record.extension) == 1 and record.value & HEIGHT_MASK == block.height, "height")
        self.require((record.flags & REACHED != 0) == self.reachable, "REACHED")
        return block, self.run(record.flags & COUNT_MASK)

    def otherwise(self) -> None:
        """`else`."""
        block, params = self.close_part()
        self.require(block.operation == _CODES["if"] and params == block.params, "else without if, or its parameters")
        if self.reachable:
            self.merge(block, bytes(self.stack[block.height :]))
        block.first_part_reached = self.reachable
        block.operation = _CODES["else"]
        self.stack[block.height :] = params
        self.reachable = True

    def end(self) -> None:
        """`end`."""
        block, results = self.close_part()
        kind = self.record.flags >> END_KIND_SHIFT & 3
        self.require(kind == {0x02: 0, 0x03: END_LOOP, 0x04: END_IF, 0x05: END_ELSE}[block.operation], "END kind")
        targeted = kind != END_LOOP and (block.targeted or kind == END_IF or block.first_part_reached)
        self.require((self.record.flags & TARGETED != 0) == targeted, "TARGETED")
        self.require(kind != END_LOOP or block.calls == block.has_calls_flag, "LOOP_HAS_CALLS")
        if self.reachable:
            self.require(self.stack[block.height :] == results, "operands are not the results")
        if kind != END_LOOP:
            self.merge(block, results)
        self.require(kind != END_IF or block.params == results, "if without else, parameters are not the results")
        self.blocks.pop()
        self.stack[block.height :] = results
        self.reachable = self.reachable or targeted

    def merge(self, block: _Block, types: bytes) -> None:
        """All ways to the end of a block carry the same types."""
        self.require(block.labels is None or block.labels == types, f"the label gets {types!r} and {block.labels!r}")
        block.labels = types

    def branch(self) -> None:
        """`br`, `br_if`, TARGET."""
        record = self.record
        if record.operation == _CODES["br_if"]:
            self.pop(bytes([CLASS_I32]))
        types = self.run(record.flags)
        self.branch_with(types)
        self.pop(types)
        self.push(types)

    def branch_with(self, types: bytes) -> None:
        """A branch that carries values of these types."""
        record = self.record
        self.require(bool(types) or not record.extension, "extension not needed")
        height = 0
        if record.immediate == RETURN_LABEL:
            self.require(types == self.results and record.operation != _CODES["br"], "results")
        else:
            block = next((block for block in self.blocks if block.label == record.immediate), None)
            if block is None:
                raise ValueError(f"word {record.word}: label {record.immediate} is not open")
            height = block.height
            if block.operation == _CODES["loop"]:
                self.require(types == block.params, "operands of the loop")
            else:
                block.targeted = True
                self.merge(block, types)
        self.require(not types or record.value & HEIGHT_MASK == height, "height")

    def branch_on_reference(self) -> None:
        """`br_on_null` and `br_on_non_null`."""
        types = self.run(self.record.flags)
        reference = bytes([CLASS_REF])
        if self.record.operation == _CODES["br_on_null"]:
            self.pop(types + reference)
            self.push(types + reference)
        else:
            self.pop(types)
            self.require(types[-1:] == reference, "the last value is no reference")
            self.push(types[:-1])
        self.branch_with(types)

    def branch_table(self) -> None:
        """`br_table`."""
        self.pop(bytes([CLASS_I32]))
        self.targets = self.record.immediate
        self.require(self.targets > 0, "no default")

    def return_(self) -> None:
        """`return`."""
        self.require(self.record.flags == len(self.results) and self.run(self.record.flags) == self.results, "results")
        self.pop(self.results)

    def call(self) -> None:
        """`call` and `return_call`."""
        at = 4 * self.record.immediate
        self.require(0 <= at < len(self.environment.function_types), "function")
        self.call_type(int.from_bytes(self.environment.function_types[at : at + 4], "little"))

    def call_type(self, type_index: int) -> None:
        """Pop parameters and push results."""
        self.pop(self.environment.params(type_index))
        results = self.environment.results(type_index)
        if self.record.operation in _ENDING:
            self.require(results == self.results, "results of a tail call")
        else:
            self.push(results)

    def call_indirect(self) -> None:
        """`call_indirect` and `return_call_indirect`."""
        self.pop(self.index_class(self.record.flags))
        self.call_type(self.record.immediate)

    def table_function(self) -> None:
        """TABLE_FUNCTION."""
        self.require(0 <= self.record.immediate < len(self.environment.signatures) // 16, "type")
        self.pop(self.index_class(self.record.flags))
        self.push(bytes([CLASS_REF]))

    def call_reference(self) -> None:
        """`call_ref` and `return_call_ref`."""
        self.pop(bytes([CLASS_REF]))
        self.require(0 <= self.record.immediate < len(self.environment.signatures) // 16, "type")
        self.call_type(self.record.immediate)

    def index_class(self, table: int) -> bytes:
        """Class of a table's indices."""
        self.require(0 <= table < len(self.environment.tables), "table")
        return bytes([CLASS_I64 if self.environment.tables[table].index64 else CLASS_I32])

    def address_class(self, memory: int) -> bytes:
        """Class of a memory's addresses."""
        self.require(0 <= memory < len(self.environment.memories), "memory")
        return bytes([CLASS_I64 if self.environment.memories[memory].index64 else CLASS_I32])

    # Locals, globals, parametric instructions

    def local(self) -> None:
        """`local.get`, `local.set`, `local.tee`."""
        record = self.record
        self.require(0 <= record.immediate < len(self.locals) and self.locals[record.immediate] == record.flags, "local")
        loops = sum(block.operation == _CODES["loop"] for block in self.blocks)
        self.accesses[record.immediate] += 10 ** min(loops, 9)
        self.variable(_CODES["local.get"], _CODES["local.tee"])

    def global_(self) -> None:
        """`global.get` and `global.set`."""
        record = self.record
        self.require(0 <= record.immediate < len(self.environment.globals), "global")
        plan = self.environment.globals[record.immediate]
        self.require(plan.machine_class == record.flags and (plan.mutable or record.operation == _CODES["global.get"]), "global")
        self.variable(_CODES["global.get"], -1)

    def variable(self, get: int, tee: int) -> None:
        """Read or write a variable of the class in the flags."""
        types = bytes([self.record.flags])
        if self.record.operation != get:
            self.pop(types)
        if self.record.operation in (get, tee):
            self.push(types)

    def drop(self) -> None:
        """`drop`."""
        self.pop(bytes([self.record.flags]))

    def select(self) -> None:
        """`select`."""
        self.pop(bytes([self.record.flags, self.record.flags, CLASS_I32]))
        self.push(bytes([self.record.flags]))

    # Memories, tables, references

    def memory_size(self) -> None:
        """`memory.size` and `memory.grow`."""
        address = self.address_class(self.record.immediate)
        if self.record.operation == _CODES["memory.grow"]:
            self.pop(address)
        self.push(address)

    def bulk_memory(self) -> None:
        """`memory.init`, `memory.copy`, `memory.fill`."""
        record = self.record
        name = record.name
        memory = record.flags if name == "memory.init" else record.immediate
        address = self.address_class(memory)
        i32 = bytes([CLASS_I32])
        if name == "memory.copy":
            source = self.address_class(record.flags)
            self.pop(address + source + min(address, source))
        else:
            self.pop(address + i32 + (i32 if name == "memory.init" else address))
        if memory == 0 or (name == "memory.copy" and record.flags == 0):
            self.flags |= USES_MEMORY

    def table(self) -> None:
        """All that has a table."""
        record = self.record
        reference, i32 = bytes([CLASS_REF]), bytes([CLASS_I32])
        table = record.flags if record.name == "table.init" else record.immediate
        index = self.index_class(table)
        other = self.index_class(record.flags) if record.name == "table.copy" else i32
        before, after = {
            "table.get": (index, reference),
            "table.set": (index + reference, b""),
            "table.size": (b"", index),
            "table.grow": (reference + index, index),
            "table.fill": (index + reference + index, b""),
            "table.copy": (index + other + min(index, other), b""),
            "table.init": (index + i32 + i32, b""),
        }[record.name]
        self.pop(before)
        self.push(after)

    def nothing(self) -> None:
        """No operands and no results."""

    def reference(self) -> None:
        """`ref.null`, `ref.func`, `ref.is_null`, `ref.as_non_null`."""
        name = self.record.name
        if name in ("ref.is_null", "ref.as_non_null"):
            self.pop(bytes([CLASS_REF]))
        self.push(bytes([CLASS_I32 if name == "ref.is_null" else CLASS_REF]))

    def handlers(self) -> dict[str, Callable[[], None]]:
        """What checks each operation that the table of opcodes does not describe."""
        groups = (
            (self.otherwise, "else"),
            (self.end, "end"),
            (self.branch, "br br_if"),
            (self.branch_on_reference, "br_on_null br_on_non_null"),
            (self.branch_table, "br_table"),
            (self.return_, "return"),
            (self.call, "call return_call"),
            (self.call_indirect, "call_indirect return_call_indirect"),
            (self.call_reference, "call_ref return_call_ref"),
            (self.drop, "drop"),
            (self.select, "select"),
            (self.local, "local.get local.set local.tee"),
            (self.global_, "global.get global.set"),
            (self.memory_size, "memory.size memory.grow"),
            (self.bulk_memory, "memory.init memory.copy memory.fill"),
            (self.table, "table.get table.set table.size table.grow table.fill table.copy table.init"),
            (self.nothing, "unreachable data.drop elem.drop atomic.fence"),
            (self.reference, "ref.null ref.func ref.is_null ref.as_non_null"),
        )
        return {name: method for method, names in groups for name in names.split()}

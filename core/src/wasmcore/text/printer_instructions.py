"""Reads the instructions of a body or constant expression from the binary, each as a line of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, final

from wasmcore._native import i64
from wasmcore.binary.module_info import StructType
from wasmcore.binary.reader import Reader, signed, unsigned_rest
from wasmcore.errors import DecodeError
from wasmcore.opcodes import CODES_END, FEATURES, OPCODES, PREFIXES, Immediates
from wasmcore.proposals import illegal_opcode
from wasmcore.text.printer_literals import f32_text, f64_text
from wasmcore.types import FuncType

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo
    from wasmcore.text.printer_names import Identifiers, IndexSpace

BLOCK: Final = 0x02
LOOP: Final = 0x03
IF: Final = 0x04
ELSE: Final = 0x05
END: Final = 0x0B
TRY_TABLE: Final = 0x1F

_NONE: Final = 0
_MEMORY_ACCESS: Final = 1
_I32: Final = 2
_LABEL: Final = 11
_LOCAL: Final = 16
_PREFIX: Final = 98
_ILLEGAL: Final = 99

_ALL_FEATURES: Final = frozenset(FEATURES)
_ANY_TYPE: Final = 1 << 32
_EMPTY_BLOCK: Final = -64
LONGEST_SIGNATURE: Final = 100
"""A type with more parameters and results than this is not written out where it is used, since a module may use it often."""

_OPERANDS: Final = {
    "drop": (1, 0),
    "select": (3, 1),
    "throw_ref": (1, 0),
    "local.get": (0, 1),
    "local.set": (1, 0),
    "local.tee": (1, 1),
    "global.get": (0, 1),
    "global.set": (1, 0),
    "table.get": (1, 1),
    "table.set": (2, 0),
    "table.init": (3, 0),
    "table.copy": (3, 0),
    "table.grow": (2, 1),
    "table.size": (0, 1),
    "table.fill": (3, 0),
    "memory.size": (0, 1),
    "memory.grow": (1, 1),
    "memory.init": (3, 0),
    "memory.copy": (3, 0),
    "memory.fill": (3, 0),
    "ref.null": (0, 1),
    "ref.is_null": (1, 1),
    "ref.func": (0, 1),
    "ref.eq": (2, 1),
    "ref.as_non_null": (1, 1),
    "ref.test": (1, 1),
    "ref.test_null": (1, 1),
    "ref.cast": (1, 1),
    "ref.cast_null": (1, 1),
    "ref.i31": (1, 1),
    "i31.get_s": (1, 1),
    "i31.get_u": (1, 1),
    "any.convert_extern": (1, 1),
    "extern.convert_any": (1, 1),
    "struct.new_default": (0, 1),
    "struct.get": (1, 1),
    "struct.get_s": (1, 1),
    "struct.get_u": (1, 1),
    "struct.set": (2, 0),
    "array.new": (2, 1),
    "array.new_default": (1, 1),
    "array.new_data": (2, 1),
    "array.new_elem": (2, 1),
    "array.get": (2, 1),
    "array.get_s": (2, 1),
    "array.get_u": (2, 1),
    "array.set": (3, 0),
    "array.len": (1, 1),
    "array.fill": (4, 0),
    "array.copy": (5, 0),
    "array.init_data": (4, 0),
    "array.init_elem": (4, 0),
}
"""Numbers of operands and results, where they are the same for all immediates and the table of opcodes has no types."""

_NAMES: Final = [OPCODES[code].name if code in OPCODES else "" for code in range(CODES_END)]
_KINDS: Final = [OPCODES[code].immediates if code in OPCODES else _PREFIX if code in PREFIXES else _ILLEGAL for code in range(CODES_END)]
_ALIGNMENTS: Final = [OPCODES[code].alignment if code in OPCODES else 0 for code in range(CODES_END)]
_POPS: Final = [0] * CODES_END
_PUSHES: Final = [0] * CODES_END
for _opcode in OPCODES.values():
    if _opcode.params is not None and _opcode.results is not None:
        _POPS[_opcode.code], _PUSHES[_opcode.code] = len(_opcode.params), len(_opcode.results)
    else:
        _POPS[_opcode.code], _PUSHES[_opcode.code] = _OPERANDS.get(_opcode.name, (0, 0))

_CATCHES: Final = ("catch", "catch_ref", "catch_all", "catch_all_ref")
_CALLS: Final = frozenset((0x10, 0x11, 0x14))
"""Calls that come back; the other ones never do."""


@final
class InstructionReader:
    """The instructions that were read last: opcodes, texts, and numbers of operands and results."""

    def __init__(self, module: ModuleInfo, identifiers: Identifiers) -> None:
        self.module: Final = module
        self.data: Final = module.data
        self.identifiers: Final = identifiers
        self.reader: Final = Reader(module.data, 0, 0, _ALL_FEATURES)
        self.reader.types_limit = _ANY_TYPE
        self.param_counts: Final[list[int]] = []
        self.result_counts: Final[list[int]] = []
        for item in module.types:
            composite = item.composite
            function = composite if isinstance(composite, FuncType) else FuncType((), ())
            self.param_counts.append(len(function.params))
            self.result_counts.append(len(function.results))
        self.type_texts: Final[dict[int, str]] = {}
        self.codes: list[int] = []
        self.texts: list[str] = []
        self.pops: list[int] = []
        self.pushes: list[int] = []
        self.pop_count: int = 0
        self.push_count: int = 0
        self.at: i64 = 0
        self.locals: IndexSpace | None = None
        self.local_names: Mapping[int, str] = {}
        self.block_names: Mapping[int, str] = {}
        self.block_count: int = 0
        # One item per open block:
        self.openers: list[int] = []
        self.labels: list[str] = []
        self.arities: list[int] = []
        self.innermost: dict[str, list[int]] = {}
        self.function_results: int = 0

    def begin(self, local_names: Mapping[int, str], block_names: Mapping[int, str], results: int) -> None:
        """Set identifiers of the locals, names of the blocks and the number of results of the function that comes next."""
        self.local_names = local_names
        self.block_names = block_names
        self.function_results = results

    def read(self, start: i64, end: i64) -> None:
        """Read up to the last `end`, which is not part of the result; it must stand at the end of the span."""
        self.codes = []
        self.texts = []
        self.pops = []
        self.pushes = []
        self.block_count = 0
        self.openers = []
        self.labels = []
        self.arities = []
        self.innermost = {}
        self.reader.end = end
        try:
            position = self.walk(start, end)
        except IndexError:
            raise DecodeError("unexpected end of section or function", int(end)) from None
        if position != end:
            raise DecodeError("section size mismatch: code behind the end of the function", int(position))

    def walk(self, position: i64, end: i64) -> i64:
        """The loop over the instructions, with the most frequent ones written out; the offset behind the last `end`."""
        data = self.data
        codes = self.codes
        texts = self.texts
        pops = self.pops
        pushes = self.pushes
        local_names = self.local_names
        value: i64
        while True:
            self.at = position
            if position >= end:
                raise self.reader.truncated()
            code: i64 = data[position]
            position += 1
            kind = _KINDS[code]
            if kind == _PREFIX:
                code, position = self.prefixed(code, position)
                kind = _KINDS[code]
            if kind == _LOCAL:
                value = data[position]
                position += 1
                if value >= 128:
                    value, position = unsigned_rest(data, position, value, 32)
                index = int(value)
                text = f"{_NAMES[code]} {local_names[index] if index in local_names else index}"
            elif kind == _NONE:
                if code == END:
                    if not self.openers:
                        return position
                    self.leave()
                    text = "end"
                else:
                    text = _NAMES[code]
                    if code == ELSE:
                        self.otherwise()
                    elif code == 0x0F:
                        self.pop_count = self.function_results
                        self.push_count = 0
                        codes.append(code)
                        texts.append(text)
                        pops.append(self.pop_count)
                        pushes.append(0)
                        continue
            elif kind == _I32:
                value = data[position]
                if value < 128:
                    position += 1
                    value -= (value & 64) << 1
                else:
                    value, position = signed(data, position, 32)
                text = f"i32.const {value}"
            elif kind == _ILLEGAL:
                raise DecodeError(illegal_opcode(data[int(self.at)], -1, _ALL_FEATURES), int(self.at))
            else:
                self.reader.position = position
                self.pop_count = _POPS[code]
                self.push_count = _PUSHES[code]
                if kind == _MEMORY_ACCESS:
                    text = self.memory_access(code)
                else:
                    text = self.with_immediates(code, kind)
                position = self.reader.position
                codes.append(code)
                texts.append(text)
                pops.append(self.pop_count)
                pushes.append(self.push_count)
                continue
            codes.append(code)
            texts.append(text)
            pops.append(_POPS[code])
            pushes.append(_PUSHES[code])

    def prefixed(self, prefix: i64, position: i64) -> tuple[i64, i64]:
        """Code of an instruction with a prefix byte, and the offset behind it."""
        self.reader.position = position
        number = self.reader.u32()
        code = PREFIXES[prefix] + number
        if number >= 0x200 or code >= CODES_END or not _NAMES[code]:
            raise DecodeError(illegal_opcode(prefix, number, _ALL_FEATURES), int(self.at))
        return code, self.reader.position

    # Immediates

    def memory_access(self, code: i64) -> str:
        """Memory, offset and alignment, where they are not what is assumed without."""
        reader = self.reader
        flags = int(reader.u32())
        text = _NAMES[code]
        if flags >= 64:
            if flags >= 128:
                raise DecodeError("malformed memop flags", int(self.at))
            text += self.optional(self.identifiers.memories, int(reader.u32()))
            flags -= 64
        offset = reader.u64()
        if offset:
            text = f"{text} offset={offset}"
        if flags != _ALIGNMENTS[code]:
            text = f"{text} align={1 << flags}"
        return text

    def optional(self, space: IndexSpace, index: int) -> str:
        """A memory or table that need not be written where it is the first."""
        return f" {space.use(index)}" if index else ""

    def index(self, space: IndexSpace) -> str:
        """An index, with a blank before."""
        return f" {space.use(int(self.reader.u32()))}"

    def with_immediates(self, code: i64, kind: int) -> str:
        """Text of the less frequent instructions."""
        name = _NAMES[code]
        if kind == _LABEL:
            return self.branch(code, name)
        if kind == Immediates.FUNCTION:
            return self.function(code, name)
        if kind == Immediates.GLOBAL:
            return name + self.index(self.identifiers.globals)
        if kind == Immediates.BLOCK_TYPE or kind == Immediates.TRY_TABLE:
            return self.block(code, name)
        if kind <= Immediates.SHUFFLE:
            return f"{name} {self.constant(code, kind)}" if kind != Immediates.MEMORY_ACCESS_LANE else self.lane_access(code)
        if kind >= Immediates.HEAP_TYPE:
            return self.with_type(code, kind, name)
        if kind == Immediates.LABELS:
            return self.branch_table(name)
        if kind == Immediates.TYPE_TABLE:
            type_index = int(self.reader.u32())
            table = self.optional(self.identifiers.tables, int(self.reader.u32()))
            self.call(code, type_index, 1)
            return f"{name}{table}{self.type_text(type_index)}"
        if kind == Immediates.TYPE:
            return self.of_type(code, name)
        return name + self.indices(kind)

    def constant(self, code: i64, kind: int) -> str:
        """A constant or lanes."""
        reader = self.reader
        if kind == Immediates.I64:
            return str(reader.signed(64))
        if kind == Immediates.LANE:
            return str(reader.byte())
        size = 16
        if kind == Immediates.F32:
            size = 4
        elif kind == Immediates.F64:
            size = 8
        at = int(reader.skip(size))
        raw = self.data[at : at + size]
        if kind == Immediates.F32:
            return f32_text(int.from_bytes(raw, "little"))
        if kind == Immediates.F64:
            return f64_text(int.from_bytes(raw, "little"))
        if kind == Immediates.SHUFFLE:
            return " ".join([str(lane) for lane in raw])
        return "i32x4 " + " ".join([f"0x{int.from_bytes(raw[place : place + 4], 'little'):08x}" for place in (0, 4, 8, 12)])

    def lane_access(self, code: i64) -> str:
        """A memory access with a lane."""
        text = self.memory_access(code)
        return f"{text} {self.reader.byte()}"

    def indices(self, kind: int) -> str:
        """Immediates that are indices only."""
        known = self.identifiers
        if kind == Immediates.TABLE:
            return self.index(known.tables)
        if kind == Immediates.MEMORY:
            return self.optional(known.memories, int(self.reader.u32()))
        if kind == Immediates.DATA:
            return self.index(known.data)
        if kind == Immediates.ELEM:
            return self.index(known.elements)
        first = int(self.reader.u32())
        second = int(self.reader.u32())
        if kind == Immediates.DATA_MEMORY:
            return f"{self.optional(known.memories, second)} {known.data.use(first)}"
        if kind == Immediates.ELEM_TABLE:
            return f"{self.optional(known.tables, second)} {known.elements.use(first)}"
        if not first and not second:
            return ""
        space = known.memories if kind == Immediates.MEMORY_MEMORY else known.tables
        return f" {space.use(first)} {space.use(second)}"

    def with_type(self, code: i64, kind: int, name: str) -> str:
        """References to types, tags and fields."""
        reader = self.reader
        known = self.identifiers
        if kind == Immediates.HEAP_TYPE:
            heap_type = int(reader.heap_type())
            if code == 0xD0:
                return f"{name} {known.heap_type(heap_type)}"
            return f"{name.removesuffix('_null')} {known.reference_type(heap_type, name.endswith('_null'))}"
        if kind == Immediates.VALUE_TYPES:
            types = [known.value_type(int(reader.value_type())) for _ in range(reader.count())]
            return f"{name} (result{''.join([' ' + text for text in types])})"
        if kind == Immediates.TAG:
            tag = int(reader.u32())
            if tag < len(self.module.tags):
                self.pop_count = self.param_counts[self.module.tags[tag]]
            return f"{name} {known.tags.use(tag)}"
        if kind == Immediates.CAST:
            return self.cast(name)
        if kind == Immediates.ZERO_BYTE:
            if reader.byte() != 0:
                raise DecodeError("zero byte expected", int(self.at) + 2)
            return name
        first = int(reader.u32())
        second = int(reader.u32())
        use = known.types.use(first)
        if kind == Immediates.TYPE_FIELD:
            return f"{name} {use} {known.field(first, second)}"
        if kind == Immediates.TYPE_TYPE:
            return f"{name} {use} {known.types.use(second)}"
        if kind == Immediates.TYPE_DATA:
            return f"{name} {use} {known.data.use(second)}"
        if kind == Immediates.TYPE_ELEM:
            return f"{name} {use} {known.elements.use(second)}"
        self.pop_count = second
        self.push_count = 1
        return f"{name} {use} {second}"

    def of_type(self, code: i64, name: str) -> str:
        """An instruction with a type index: calls by reference, and making structures and arrays."""
        type_index = int(self.reader.u32())
        if code < 0x100:
            self.call(code, type_index, 1)
        elif code == 0x400:
            composite = self.module.types[type_index].composite if type_index < len(self.module.types) else None
            self.pop_count = len(composite.fields) if isinstance(composite, StructType) else 0
            self.push_count = 1
        return f"{name} {self.identifiers.types.use(type_index)}"

    def function(self, code: i64, name: str) -> str:
        """An instruction with a function index."""
        function = int(self.reader.u32())
        if code != 0xD2 and function < self.module.function_count:
            self.call(code, self.module.function_type_index(function), 0)
        return f"{name} {self.identifiers.functions.use(function)}"

    def call(self, code: i64, type_index: int, more: int) -> None:
        """Operands and results of a call; there may be `more` operands than parameters."""
        self.push_count = 0
        if type_index < len(self.param_counts):
            self.pop_count = self.param_counts[type_index] + more
            if code in _CALLS:
                self.push_count = self.result_counts[type_index]

    # Blocks and branches

    def type_text(self, type_index: int) -> str:
        """The use of a function type, with a blank before."""
        text = self.type_texts.get(type_index)
        if text is None:
            text = f" (type {self.identifiers.types.use(type_index)})"
            types = self.module.types
            composite = types[type_index].composite if type_index < len(types) else None
            if isinstance(composite, FuncType) and len(composite.params) + len(composite.results) <= LONGEST_SIGNATURE:
                text += self.identifiers.signature(composite)
            self.type_texts[type_index] = text
        return text

    def block(self, code: i64, name: str) -> str:
        """A block with its type; the label goes into the comment or is the identifier."""
        reader = self.reader
        start = reader.position
        number = reader.signed(33)
        params = 0
        results = 0
        block_type = ""
        if number >= 0:
            type_index = int(number)
            if type_index < len(self.param_counts):
                params = self.param_counts[type_index]
                results = self.result_counts[type_index]
            block_type = self.type_text(type_index)
        elif number != _EMPTY_BLOCK:
            reader.position = start
            block_type = f" (result {self.identifiers.value_type(int(reader.value_type()))})"
            results = 1
        catches = "" if code != TRY_TABLE else self.catches()
        label = self.enter(code, params if code == LOOP else results)
        self.pop_count = params
        self.push_count = results
        return f"{name}{label}{block_type}{catches}"

    def enter(self, code: i64, arity: int) -> str:
        """Begin a block whose label takes that many values; its label, with a blank before."""
        depth = len(self.labels)
        name = self.block_names.get(self.block_count, "")
        self.block_count += 1
        self.openers.append(code)
        self.arities.append(arity)
        if not name:
            self.labels.append("")
            return f" (;@{depth + 1};)"
        if name.startswith("$"):
            self.labels.append(name)
            self.innermost.setdefault(name, []).append(depth)
        else:
            self.labels.append("")
        return " " + name

    def catches(self) -> str:
        """The handlers of a try_table."""
        reader = self.reader
        texts = []
        for _ in range(reader.count()):
            kind = int(reader.byte())
            if kind >= len(_CATCHES):
                raise DecodeError("malformed catch clause", int(reader.position) - 1)
            tag = "" if kind >= 2 else self.index(self.identifiers.tags)
            texts.append(f" ({_CATCHES[kind]}{tag} {self.label(int(reader.u32()))})")
        return "".join(texts)

    def leave(self) -> None:
        """End a block."""
        self.openers.pop()
        self.arities.pop()
        label = self.labels.pop()
        if label:
            self.innermost[label].pop()

    def otherwise(self) -> None:
        """Begin the second part of an `if`."""
        if not self.openers or self.openers[-1] != IF:
            raise DecodeError("else outside of an if", int(self.at))
        self.openers[-1] = ELSE

    def label(self, relative: int) -> str:
        """The use of a label: its identifier where no inner block has the same, else its number and which block that is."""
        place = len(self.labels) - 1 - relative
        if place < 0:
            return str(relative)
        name = self.labels[place]
        if name and self.innermost[name][-1] == place:
            return name
        return f"{relative} (;@{place + 1};)"

    def label_arity(self, relative: int) -> int:
        """Number of values that a branch takes along."""
        place = len(self.arities) - 1 - relative
        return self.arities[place] if place >= 0 else self.function_results

    def branch(self, code: i64, name: str) -> str:
        """An instruction with one label."""
        relative = int(self.reader.u32())
        arity = self.label_arity(relative)
        if code == 0x0C:  # br
            self.pop_count, self.push_count = arity, 0
        elif code == 0xD6:  # br_on_non_null
            self.pop_count, self.push_count = max(arity, 1), max(arity - 1, 0)
        else:  # br_if, br_on_null
            self.pop_count, self.push_count = arity + 1, arity if code == 0x0D else arity + 1
        return f"{name} {self.label(relative)}"

    def branch_table(self, name: str) -> str:
        """`br_table`."""
        reader = self.reader
        relative = 0
        texts = [name]
        for _ in range(reader.count() + 1):
            relative = int(reader.u32())
            texts.append(self.label(relative))
        self.pop_count = self.label_arity(relative) + 1
        return " ".join(texts)

    def cast(self, name: str) -> str:
        """`br_on_cast` and `br_on_cast_fail`."""
        reader = self.reader
        known = self.identifiers
        flags = int(reader.byte())
        if flags > 3:
            raise DecodeError("malformed cast flags", int(reader.position) - 1)
        relative = int(reader.u32())
        source = known.reference_type(int(reader.heap_type()), flags & 1 != 0)
        target = known.reference_type(int(reader.heap_type()), flags & 2 != 0)
        self.pop_count = self.push_count = max(self.label_arity(relative), 1)
        return f"{name} {self.label(relative)} {source} {target}"

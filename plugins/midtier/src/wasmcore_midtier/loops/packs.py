"""Packs: values of one turn of a loop, or of the turns that a program wrote out one behind the other, that become vectors together.

A loop that was not unrolled makes packs of one value: it and those of the next turns become a vector. In one that was unrolled U times, a
pack has U values that do the same with U neighbours in memory.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from wasmcore.opcodes import OPCODES
from wasmcore_midtier._native import i64
from wasmcore_midtier.loops.counted import Affine, CountedLoop
from wasmcore_midtier.ssa.algebra.arithmetic import signed
from wasmcore_midtier.ssa.operations import LOAD_FIRST, PURE, SELECT, STORE_FIRST, STORE_LAST

_BY_NAME: Final = {row.name: code for code, row in OPCODES.items()}


class Kind(NamedTuple):
    """What lanes are."""

    lanes: str
    bytes: int
    machine_class: int
    """Of one number."""
    loads: tuple[str, ...]
    operations: tuple[str, ...]
    """Those that have a vector instruction of the same name."""

    def code(self, name: str) -> int:
        """The opcode of a vector instruction on such lanes."""
        return _BY_NAME[f"{self.lanes}.{name}"]


_BITS: Final = ("and", "or", "xor")
_INTEGER: Final = ("add", "sub", "mul", "shl", "shr_s", "shr_u")
_NARROW: Final = ("add", "sub", "mul", *_BITS)
_FLOAT: Final = ("add", "sub", "mul", "div", "min", "max", "abs", "neg", "sqrt")
KINDS: Final = {
    _BY_NAME["i32.store"]: Kind("i32x4", 4, 1, ("i32.load",), tuple(f"i32.{each}" for each in (*_INTEGER, *_BITS))),
    _BY_NAME["i64.store"]: Kind("i64x2", 8, 2, ("i64.load",), tuple(f"i64.{each}" for each in (*_INTEGER, *_BITS) if each != "mul")),
    _BY_NAME["f32.store"]: Kind("f32x4", 4, 3, ("f32.load",), tuple(f"f32.{each}" for each in _FLOAT)),
    _BY_NAME["f64.store"]: Kind("f64x2", 8, 4, ("f64.load",), tuple(f"f64.{each}" for each in _FLOAT)),
    _BY_NAME["i32.store8"]: Kind("i8x16", 1, 1, ("i32.load8_s", "i32.load8_u"), tuple(f"i32.{each}" for each in _NARROW if each != "mul")),
    _BY_NAME["i32.store16"]: Kind("i16x8", 2, 1, ("i32.load16_s", "i32.load16_u"), tuple(f"i32.{each}" for each in _NARROW)),
}
"""By the store of one number. Of narrow ones the upper bits of what they are computed from make no difference."""
CONVERSIONS: Final = {
    _BY_NAME["f32.convert_i32_s"]: ("f32x4", _BY_NAME["f32x4.convert_i32x4_s"], _BY_NAME["i32.store"]),
    _BY_NAME["f32.convert_i32_u"]: ("f32x4", _BY_NAME["f32x4.convert_i32x4_u"], _BY_NAME["i32.store"]),
}
"""By opcode: the lanes that it makes, how, and the kind of what it makes them from."""
MOST_UNROLLED: Final = 16
SHIFTS: Final = frozenset(_BY_NAME[f"{width}.{name}"] for width in ("i32", "i64") for name in ("shl", "shr_s", "shr_u"))


class Reference(NamedTuple):
    """Where an access is, and when it happens."""

    value: int
    order: int
    address: Affine
    offset: int
    """Of the instruction."""

    @property
    def place(self) -> int:
        """How far it is from the sum of the terms of its address, as a number from -2**31 on, and more."""
        return self.address.offset + self.offset


class Node:
    """What becomes one vector for each so many lanes."""

    def __init__(
        self,
        what: str,
        kind: Kind,
        code: int = 0,
        operands: tuple[Node, ...] = (),
        value: int = -1,
        members: tuple[int, ...] = (),
        affine: Affine | None = None,
    ) -> None:
        self.what: Final = what
        """load, splat, constant, steps (numbers that grow), behind (those of another one, each a lane later), or operation."""
        self.kind: Final = kind
        self.code: Final = code
        self.operands: Final = operands
        self.value: Final = value
        """splat, constant: the number; behind: the parameter; operation: the count of a shift."""
        self.members: Final = members
        """load: what loads, in the order of the addresses."""
        self.affine: Final = affine
        """steps: from lane to lane."""


class StorePack(NamedTuple):
    """What stores to neighbours in one turn, in the order of their addresses, and what they store."""

    members: tuple[int, ...]
    node: Node


def vector_code(kind: Kind, scalar: int) -> int | None:
    """The vector instruction that does on lanes what an operation does on a number."""
    row = OPCODES.get(scalar)
    if row is None or row.name not in kind.operations:
        return None
    operation = row.name.split(".")[1]
    return _BY_NAME[f"v128.{operation}"] if operation in _BITS else kind.code(operation)


class Packs:
    """Finds the packs of a loop; `stores` is empty if there is something in it that can not be in one."""

    def __init__(self, loop: CountedLoop) -> None:
        self.loop: Final = loop
        self.graph: Final = loop.graph
        self.references: Final[dict[int, Reference]] = {}
        self.nodes: Final[list[Node]] = []
        """All of them, operands first."""
        self.stores: list[StorePack] = []
        self.unroll = 0
        self._nodes: Final[dict[tuple[tuple[int, ...], str], Node | None]] = {}
        self._packed: Final[set[int]] = set()
        self.is_plain: Final = self._refer()
        """Whether it does nothing but compute, load and store."""
        if self.is_plain:
            self._pack()

    def of(self, what: str) -> list[Node]:
        """The nodes that are something."""
        return [node for node in self.nodes if node.what == what]

    def _refer(self) -> bool:
        """Find all accesses; whether there is no other effect."""
        graph = self.graph
        for order, value in enumerate(graph.values_of(self.loop.block)):
            code = int(graph.operation[i64(value)])
            if LOAD_FIRST <= code <= STORE_LAST:
                address = self.loop.affine(int(graph.a[i64(value)]))
                if address is None:
                    return False
                self.references[value] = Reference(value, order, address, int(graph.immediate[i64(value)]))
            elif code >= len(PURE) or not (PURE[code] or code == SELECT):
                return False
        return True

    def _pack(self) -> None:
        graph = self.graph
        stores = [each for value, each in self.references.items() if graph.operation[i64(value)] >= STORE_FIRST]
        kinds = {int(graph.operation[i64(each.value)]) for each in stores}
        sizes = {KINDS[code].bytes for code in kinds if code in KINDS}
        strides = {each.address.stride for each in self.references.values()}
        if len(sizes) != 1 or len(strides) != 1 or not kinds <= KINDS.keys():
            return
        size, stride = sizes.pop(), strides.pop()
        self.unroll = stride // size
        if stride <= 0 or stride % size or self.unroll > MOST_UNROLLED or len(stores) % self.unroll:
            return
        stores.sort(key=lambda each: (each.address.terms, each.place))
        found = []
        for at in range(0, len(stores), self.unroll):
            pack = self._store(tuple(each.value for each in stores[at : at + self.unroll]))
            if pack is None:
                return
            found.append(pack)
        if self._packed == self.references.keys():
            self.stores = sorted(found, key=lambda each: self.references[each.members[-1]].order)

    def _store(self, members: tuple[int, ...]) -> StorePack | None:
        graph = self.graph
        kind = KINDS[int(graph.operation[i64(members[0])])]
        if not self._are_neighbours(members, kind):
            return None
        node = self._node(tuple(int(graph.b[i64(each)]) for each in members), kind)
        return StorePack(members, node) if node is not None else None

    def _are_neighbours(self, members: tuple[int, ...], kind: Kind) -> bool:
        """Whether accesses are of neighbours in memory, in order; they are packed then."""
        first = self.references[members[0]]
        code = self.graph.operation[i64(members[0])]
        for number, each in enumerate(members):
            other = self.references.get(each)
            if other is None or self.graph.operation[i64(each)] != code or other.address.terms != first.address.terms:
                return False
            if other.place != first.place + number * kind.bytes:
                return False
        self._packed.update(members)
        return True

    # Trees

    def _node(self, members: tuple[int, ...], kind: Kind) -> Node | None:
        """What some values become."""
        key = members, kind.lanes
        if key not in self._nodes:
            self._nodes[key] = None  # ends a circle: what is carried around the loop in another way than `behind` knows
            self._nodes[key] = found = self._made(members, kind)
            if found is not None:
                self.nodes.append(found)
        return self._nodes[key]

    def _made(self, members: tuple[int, ...], kind: Kind) -> Node | None:
        graph, loop, first = self.graph, self.loop, members[0]
        if graph.machine_class[i64(first)] != kind.machine_class:
            return None
        if not loop.is_inside(first) or loop.steps.get(first) == 0:
            value = loop.initial.get(first, first)
            if any(each != first for each in members):
                return None
            return Node("constant" if loop.constant(value) is not None else "splat", kind, value=value)
        if first in loop.initial and first not in loop.steps:
            return self._behind(members, kind)
        code = int(graph.operation[i64(first)])
        if LOAD_FIRST <= code < STORE_FIRST:
            return self._load(members, kind)
        steps = self._steps(members, kind) if kind.machine_class == 1 and kind.bytes == 4 else None
        return steps or self._operation(members, kind, code)

    def _load(self, members: tuple[int, ...], kind: Kind) -> Node | None:
        if OPCODES[int(self.graph.operation[i64(members[0])])].name not in kind.loads or not self._are_neighbours(members, kind):
            return None
        return Node("load", kind, members=members)

    def _behind(self, members: tuple[int, ...], kind: Kind) -> Node | None:
        """A parameter that is what the last member of another pack was in the turn before, and the members before it."""
        param = members[0]
        others = (*members[1:], self.loop.next[param])
        node = self._node(others, kind) if kind.bytes >= 4 else None
        if node is None or node.what != "load":
            return None
        return Node("behind", kind, operands=(node,), value=param)

    def _steps(self, members: tuple[int, ...], kind: Kind) -> Node | None:
        """Numbers that grow by the same amount from member to member and from turn to turn."""
        sums = [self.loop.affine(each) for each in members]
        first = sums[0]
        if first is None or not first.stride or first.stride % self.unroll:
            return None
        step = first.stride // self.unroll
        for number, each in enumerate(sums):
            if each is None or each.terms != first.terms or each.offset != signed(first.offset + number * step, 32):
                return None
        return Node("steps", kind, affine=first._replace(stride=step))

    def _operation(self, members: tuple[int, ...], kind: Kind, code: int) -> Node | None:
        graph = self.graph
        if any(graph.operation[i64(each)] != code for each in members):
            return None
        lefts = tuple(int(graph.a[i64(each)]) for each in members)
        if code in CONVERSIONS and CONVERSIONS[code][0] == kind.lanes:
            _, vector, source = CONVERSIONS[code]
            node = self._node(lefts, KINDS[source])
            return None if node is None else Node("operation", kind, vector, (node,))
        found = vector_code(kind, code)
        if found is None:
            return None
        left = self._node(lefts, kind)
        if left is None or graph.b[i64(members[0])] < 0:
            return None if left is None else Node("operation", kind, found, (left,))
        rights = tuple(int(graph.b[i64(each)]) for each in members)
        if code in SHIFTS:
            count = self.loop.constant(rights[0])
            if count is None or any(each != rights[0] for each in rights):
                return None
            return Node("operation", kind, found, (left,), value=rights[0])
        right = self._node(rights, kind)
        return None if right is None else Node("operation", kind, found, (left, right))

"""Vectors for innermost loops that do the same with many neighbours in memory.

Nothing of the loop changes. Before it another one is written, which does as many turns of it as fit into vectors, if that is right: the
loop runs often enough, all that it accesses is in memory, and what it stores to is nothing that it reads elsewhere. What is left of the
turns, or all of them, the loop itself does. Like a copy of memory, vectors are not interrupted: they end where the
memory does::

    before -> enough turns? -> in order? -> vectors -> what is left? -> loop -> behind
                    +--------------+-------------------------------------^
"""

from __future__ import annotations

from math import gcd
from typing import Final

from wasmcore.plugin.unit import Environment
from wasmcore_midtier._native import i64
from wasmcore_midtier.loops.counted import LESS, NOT_EQUAL, Affine, CountedLoop, Test, counted, turns
from wasmcore_midtier.loops.dependences import Dependences, Extent, Terms
from wasmcore_midtier.loops.packs import Kind, Node, Packs
from wasmcore_midtier.loops.writer import ADD, AND, EXTEND_U, LESS_EQUAL_U, MUL, OR, SHL, SHR_U, SUB, Writer
from wasmcore_midtier.ssa.algebra.rules import CODES
from wasmcore_midtier.ssa.graph import CALL, CALL_INDIRECT, SHUFFLE, Graph, is_constant
from wasmcore_midtier.ssa.operations import STORE_FIRST, STORE_LAST
from wasmcore_midtier.ssa.renumbering import Renumbering

BLOCKS: Final = 3
"""New blocks for each loop."""
VECTOR: Final = 16
LEAST_BYTES: Final = 2 * VECTOR
"""What one turn in vectors does at least of each thing that is accessed, and half of what is worth beginning for."""
MOST_VALUES: Final = 192
"""Of a loop that is looked at."""
FEW_TURNS: Final = 1 << 16
"""Turns of a loop of plain operations that take less time than anybody notices."""
MOST_OFFSET: Final = 1 << 30
_MEMORY_SIZE: Final = 0x3F
_LOAD: Final = 0x200
_STORE: Final = 0x20B
_EQUAL: Final = CODES["eq"][0]
_GREATER_EQUAL_U: Final = CODES["ge_u"][0]
_WRAP: Final = 0xA7


class Plan:
    """A loop that is going to run in vectors."""

    def __init__(self, loop: CountedLoop, test: Test, packs: Packs, dependences: Dependences) -> None:
        self.loop: Final = loop
        self.test: Final = test
        self.packs: Final = packs
        self.dependences: Final = dependences
        first = packs.references[packs.stores[0].members[0]]
        self.stride: Final = first.address.stride
        together = VECTOR // gcd(VECTOR, self.stride)
        while together * self.stride < LEAST_BYTES:
            together *= 2
        self.together: Final = together
        """How many turns become one."""
        self.leaves = False
        """Whether the vectors may leave nothing to the loop, which then is not entered."""


class Vectorizer:
    """Changes one graph after the other, from which dead code has been removed."""

    def __init__(self, graph: Graph, environment: Environment, renumbering: Renumbering) -> None:
        self.graph: Final = graph
        self.environment: Final = environment
        self.renumbering: Final = renumbering

    def run(self) -> bool:
        """Give vectors to all loops that they are for; whether there are any."""
        graph = self.graph
        loops = sorted((loop for loop in range(int(graph.loops)) if self._may_be(loop)), key=lambda loop: int(graph.head[i64(loop)]))
        plans = [plan for loop in loops if (plan := self._plan(loop)) is not None]
        if not plans:
            return False
        used = used_elsewhere(graph, {plan.loop.block for plan in plans})
        for plan in plans:
            behind = graph.target[i64(plan.loop.leaving)]
            alone = graph.param_count[behind] == 0 and len(graph.incoming_of(int(behind))) == 1
            exact = plan.test.comparison == NOT_EQUAL or abs(plan.test.number.stride) == 1
            plan.leaves = alone and exact and plan.loop.block not in used
        self.renumbering.insert_blocks([plan.loop.block for plan in plans], BLOCKS)
        for number, plan in enumerate(plans):
            plan.loop.block += BLOCKS * (number + 1)
            LoopWriter(graph, self.environment, plan).write()
        return True

    def _may_be(self, loop: int) -> bool:
        """A quick look: one block that stores, calls nothing, and is not large."""
        graph = self.graph
        block = graph.head[i64(loop)]
        if graph.last[i64(loop)] != block:
            return False
        value = graph.first[block]
        stores = False
        count = 0
        while value >= 0:
            operation = graph.operation[value]
            if operation == CALL or operation == CALL_INDIRECT:
                return False
            if STORE_FIRST <= operation <= STORE_LAST:
                stores = True
            count += 1
            value = graph.following[value]
        return stores and count <= MOST_VALUES

    def _plan(self, loop: int) -> Plan | None:
        found = counted(self.graph, loop)
        test = found.test() if found is not None else None
        if found is None or test is None:
            return None
        packs = Packs(found)
        count = known_turns(found, test)
        if packs.is_plain and count is not None and count <= FEW_TURNS:
            self.graph.is_short[i64(loop)] = 1
        carried = {each.value for each in packs.of("behind")}
        if not packs.stores or any(param not in found.steps and param not in carried for param in found.params):
            return None
        dependences = Dependences(packs)
        if dependences.checks is None or dependences.reach() > MOST_OFFSET:
            return None
        plan = Plan(found, test, packs, dependences)
        return plan if is_long_enough(plan, count) else None


def is_long_enough(plan: Plan, count: int | None) -> bool:
    """Whether it is not known that the loop has few turns, and it can be computed before it how many it has."""
    if is_known(plan.loop, plan.test):
        return count is not None and count > 2 * plan.together
    step = abs(plan.test.number.stride)
    return step & (step - 1) == 0


def is_known(loop: CountedLoop, test: Test) -> bool:
    """Whether it is known with what numbers a loop begins and ends."""
    return loop.known(test.number) is not None and (test.bound < 0 or loop.constant(test.bound) is not None)


def known_turns(loop: CountedLoop, test: Test) -> int | None:
    """How many turns a loop has, if that is known."""
    first, bound = loop.known(test.number), 0 if test.bound < 0 else loop.constant(test.bound)
    return None if first is None or bound is None else turns(test, first, bound)


def used_elsewhere(graph: Graph, blocks: set[int]) -> set[int]:
    """Of some blocks those with values that other blocks use."""
    found: set[int] = set()

    def use(value: int, block: int) -> None:
        home = int(graph.home[i64(value)])
        if home != block and home in blocks and not is_constant(graph.operation[i64(value)]):
            found.add(home)

    for block in range(int(graph.blocks)):
        for value in graph.values_of(block):
            for operand in graph.operands_of(value):
                use(operand, block)
        for operand in graph.end_operands(block):
            use(operand, block)
    return found


class LoopWriter(Writer):
    """Writes the blocks of one plan."""

    def __init__(self, graph: Graph, environment: Environment, plan: Plan) -> None:
        super().__init__(graph, int(graph.block_word[i64(plan.loop.block)]))
        self.environment: Final = environment
        self.plan: Final = plan
        self.loop: Final = plan.loop
        head = plan.loop.block
        self.before, self.ordered, self.vectors, self.rest, self.head = head - 4, head - 3, head - 2, head - 1, head
        self.origins: Final = plan.dependences.origins
        self.bases: Final[dict[Terms, int]] = {}
        """By range: where it begins in the first turn."""
        self.turns = -1
        """How many turns the vectors do, an i32."""
        self.left = -1
        """How many they leave."""
        self.span = -1
        """By how many bytes they go on, an i64."""
        self.last = -1
        """The same as an i32."""
        self.splats: Final[dict[tuple[str, int], int]] = {}
        self.states: Final[dict[Node, int]] = {}
        """What is carried from turn to turn: parameters, then what they are next."""
        self.made: dict[tuple[Node, int], int] = {}
        """Vectors of the current block, by node and number."""
        self.addresses: dict[Terms, int] = {}

    def write(self) -> None:
        """All of it."""
        graph, loop = self.graph, self.loop
        initial = [loop.initial[param] for param in loop.params]
        self.block = self.before
        graph.disconnect(i64(loop.entry))
        graph.edge_count[i64(self.before)] = 0
        outer = graph.outer[i64(loop.loop)]
        for block in (self.ordered, self.vectors, self.rest):
            graph.clear_block(i64(block), outer, self.word)
        self.branch(self._enough(), self.ordered, [], self.head, initial)
        self.block = self.ordered
        condition = self._in_order()
        carried = self._begin_carried()
        self.branch(condition, self.vectors, [self.constant(1, 0), *carried], self.head, initial)
        self._write_vectors()
        self.block = self.rest
        following = [self._after(param) for param in loop.params]
        if self.plan.leaves and self.number(self.left) == 0:
            self.jump(int(graph.target[i64(loop.leaving)]), [])
        elif self.plan.leaves:
            self.branch(self.left, self.head, following, int(graph.target[i64(loop.leaving)]), [])
        else:
            self.jump(self.head, following)

    # Before

    def _sum(self, affine: Affine) -> int:
        """A sum as it is in the first turn."""
        found = self.constant(1, affine.offset)
        for value, factor in reversed(affine.terms):
            term = self.loop.initial.get(value, value)
            term = term if factor == 1 else self.with_constant(MUL, term, factor)
            found = self.pure(ADD[0], term, found)
        return found

    def _all(self, conditions: list[int]) -> int:
        """Whether all of them hold."""
        found = self.constant(1, 1)
        for each in conditions:
            if not self.number(each):
                found = each if self.number(found) else self.pure(AND[0], found, each)
        return found

    def _enough(self) -> int:
        """Whether there are enough turns."""
        test, together = self.plan.test, self.plan.together
        first = self._sum(test.number)
        bound = test.bound if test.bound >= 0 else self.constant(1, 0)
        low, high = (first, bound) if test.number.stride > 0 else (bound, first)
        distance, step = self.pure(SUB[0], high, low), abs(test.number.stride)
        conditions = []
        if test.comparison == NOT_EQUAL:
            steps, more = distance, 1
            if step > 1 and self.number(distance) is None:
                conditions.append(self.pure(_EQUAL, self.with_constant(AND, distance, step - 1), self.constant(1, 0)))
        else:
            steps, more = self.with_constant(SUB, distance, 1), 2
            conditions.append(self.pure(LESS[LESS.index(test.comparison)], low, high))
        total = self.with_constant(ADD, self._divided(steps, step), more if self.plan.leaves else more - 1)
        self.turns = self.with_constant(AND, total, -together)
        self.left = self.pure(SUB[0], total, self.turns)
        return self._all([self.pure(_GREATER_EQUAL_U, self.turns, self.constant(1, 2 * together)), *conditions])

    def _divided(self, value: int, step: int) -> int:
        """A number divided by a step, a power of two unless the number is known."""
        known = self.number(value)
        if known is not None:
            return self.constant(1, (known & 0xFFFFFFFF) // step)
        return self.with_constant(SHR_U, value, step.bit_length() - 1) if step > 1 else value

    def _in_order(self) -> int:
        """Whether all that is accessed is in memory, and nothing is in the way of anything else."""
        memory = self.environment.memories[0]
        size = self.with_constant(SHL, self.pure(EXTEND_U, self.put(_MEMORY_SIZE, 1)), memory.page_size_log2)
        self.span = self.with_constant(MUL, self.pure(EXTEND_U, self.turns), self.plan.stride)
        self.last = self.pure(_WRAP, self.span)
        begins = {}
        conditions = []
        for terms, extent in self.plan.dependences.ranges.items():
            self.bases[terms] = self._sum(Affine(terms, self.origins[terms], 0))
            begins[terms] = self.pure(EXTEND_U, self.bases[terms])
            last = self.with_constant(ADD, begins[terms], extent.high - self.origins[terms])
            conditions.append(self.pure(LESS_EQUAL_U[1], self.pure(ADD[1], last, self.span), size))
        for one, other in self.plan.dependences.checks or ():
            conditions.append(self._is_apart(one, other, begins))
        return self._all(conditions)

    def _is_apart(self, one: Extent, other: Extent, bases: dict[Terms, int]) -> int:
        """Whether two things do not overlap, in as many turns as the vectors do."""
        if one.terms == other.terms:
            distance = other.low - one.high if other.low > one.low else one.low - other.high
            return self.pure(LESS_EQUAL_U[1], self.span, self.constant(2, distance))
        return self.pure(OR[0], self._is_below(one, other, bases), self._is_below(other, one, bases))

    def _is_below(self, one: Extent, other: Extent, bases: dict[Terms, int]) -> int:
        """Whether one thing ends before another one begins."""
        end = self.with_constant(ADD, bases[one.terms], one.high - self.origins[one.terms])
        begin = self.with_constant(ADD, bases[other.terms], other.low - self.origins[other.terms])
        return self.pure(LESS_EQUAL_U[1], self.pure(ADD[1], end, self.span), begin)

    def _begin_carried(self) -> list[int]:
        """What vectors are carried from turn to turn: what they begin with, in the order of `_carried`. And all that does not change."""
        found = []
        for node in self._carried():
            if node.what == "behind":
                found.append(self._splat(node.kind, self.loop.initial[node.value]))
            else:
                assert node.affine is not None
                lanes = VECTOR // node.kind.bytes
                steps = self.lanes([node.affine.stride * at for at in range(lanes)], node.kind.bytes)
                found.append(self.pure(node.kind.code("add"), self._splat(node.kind, self._sum(node.affine)), steps))
        for node in self.plan.packs.of("splat"):
            self._splat(node.kind, node.value)
        return found

    def _splat(self, kind: Kind, value: int) -> int:
        """A number in all lanes."""
        key = kind.lanes, value
        if key not in self.splats:
            self.splats[key] = self.pure(kind.code("splat"), value)
        return self.splats[key]

    def _carried(self) -> list[Node]:
        """Nodes that know something of the turn before."""
        return [*self.plan.packs.of("behind"), *self.plan.packs.of("steps")]

    # Vectors

    def _write_vectors(self) -> None:
        """The loop in vectors."""
        graph, plan = self.graph, self.plan
        self.block = self.vectors
        block = i64(self.vectors)
        loop = graph.add_loop(graph.outer[i64(self.loop.loop)], block)
        graph.block_loop[block] = loop
        graph.is_short[loop] = 1
        carried = self._carried()
        passed, *states = self.params([1, *(5 for _ in carried)])
        self.states.update(zip(carried, states))
        self.addresses = {terms: self.pure(ADD[0], base, passed) for terms, base in self.bases.items()}
        for number in range(plan.together * plan.stride // VECTOR):
            for load in plan.packs.of("load"):
                self._vector(load, number)
            for store in plan.packs.stores:
                found = self._vector(store.node, number)
                address, offset = self._address(store.members[0], number)
                self.put(_STORE, 0, address, found, offset)
        following = self.with_constant(ADD, passed, plan.together * plan.stride)
        condition = self.pure(NOT_EQUAL, following, self.last)
        self.branch(condition, self.vectors, [following, *(self._next(node) for node in carried)], self.rest, [])

    def _address(self, member: int, number: int) -> tuple[int, int]:
        """Where a vector of an access is: address and offset."""
        reference = self.plan.packs.references[member]
        terms = reference.address.terms
        return self.addresses[terms], reference.place - self.origins[terms] + VECTOR * number

    def _vector(self, node: Node, number: int) -> int:
        """The vector of a node with a number in the turn."""
        key = node, number
        if key not in self.made:
            self.made[key] = self._new_vector(node, number)
        return self.made[key]

    def _new_vector(self, node: Node, number: int) -> int:
        if node.what == "load":
            address, offset = self._address(node.members[0], number)
            return self.put(_LOAD, 5, address, -1, offset)
        if node.what == "splat":
            return self._splat(node.kind, node.value)
        if node.what == "constant":
            return self.lanes([self.number(node.value) or 0] * (VECTOR // node.kind.bytes), node.kind.bytes)
        if node.what == "steps":
            return self._steps(node, number)
        if node.what == "behind":
            return self._behind(node, number)
        left = self._vector(node.operands[0], number)
        right = self._vector(node.operands[1], number) if len(node.operands) > 1 else node.value
        return self.pure(node.code, left, right)

    def _steps(self, node: Node, number: int) -> int:
        """Numbers that grow, a vector further for each number."""
        assert node.affine is not None
        if number == 0:
            return self.states[node]
        lanes = VECTOR // node.kind.bytes
        further = self.lanes([node.affine.stride * lanes * number] * lanes, node.kind.bytes)
        return self.pure(node.kind.code("add"), self.states[node], further)

    def _behind(self, node: Node, number: int) -> int:
        """A vector whose lanes are those of another one, each one lane later; the first is the last one of the vector before."""
        before = self._vector(node.operands[0], number - 1) if number else self.states[node]
        first = VECTOR - node.kind.bytes
        chosen = self.pattern(list(range(first, first + VECTOR)), 1)
        return self.pure(SHUFFLE, before, self._vector(node.operands[0], number), chosen)

    def _next(self, node: Node) -> int:
        """What is carried to the next turn."""
        total = self.plan.together * self.plan.stride // VECTOR
        return self._vector(node.operands[0], total - 1) if node.what == "behind" else self._steps(node, total)

    # After

    def _after(self, param: int) -> int:
        """What a parameter of the loop is behind the vectors."""
        step = self.loop.steps.get(param)
        initial = self.loop.initial[param]
        if step == 0:
            return initial
        if step is not None:
            wide = self.graph.machine_class[i64(param)] != 1
            count = self.pure(EXTEND_U, self.turns) if wide else self.turns
            return self.pure(ADD[1 if wide else 0], initial, self.with_constant(MUL, count, step))
        node = next(each for each in self.plan.packs.of("behind") if each.value == param)
        last = self._next(node)
        return self.pure(node.kind.code("extract_lane"), last, -1, VECTOR // node.kind.bytes - 1)


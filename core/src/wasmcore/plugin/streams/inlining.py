"""Inlining: a stream in which small functions stand in place of their calls, and what each of its words comes from.

A call becomes: the arguments into locals of their own, the other locals of the callee to zero, its records with other labels and locals,
and a block around them if it returns from within. A `call_indirect` through a table that never changes becomes a branch table over
the functions that it may call. The result is a resolved stream like any other, so that all that follows need not know. Only an
`unreachable` may have flags: the kind of its trap.

What is inlined depends on the streams of the unit and its callees alone.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from wasmcore._native import BytesWriter, append, i64, read_i64_le, vec, write_i64_le
from wasmcore.plugin.streams import CALLEE_SIZE
from wasmcore.plugin.streams.bodies import (
    UNKNOWN,
    Body,
    UnknownRecord,
    effect_of,
    has_tail_calls,
    height_after,
    is_branch,
    words_of,
)
from wasmcore.plugin.streams.fixed_calls import GENERIC, Choice, choice
from wasmcore.stream import (
    CLASS_F32,
    CLASS_F64,
    CLASS_I32,
    CLASS_I64,
    CLASS_V128,
    COUNT_MASK,
    END_BLOCK,
    END_KIND_SHIFT,
    END_LOOP,
    EXTENDED,
    HAS_CALLS,
    HEADER_FLAGS,
    HEADER_HEIGHT,
    HEADER_LABELS,
    HEADER_LOCALS,
    HEADER_RECORDS_END,
    HEADER_WORDS,
    LOCALS,
    LOOP_HAS_CALLS,
    REACHED,
    RETURN_LABEL,
    TARGET,
    TARGETED,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wasmcore.plugin.streams.bodies import FunctionTypes

SMALL: Final = 40
"""Stream words of functions that are inlined wherever they are called."""
SMALL_IN_LOOP: Final = 60
"""The same where they are called in a loop."""
DEEPEST: Final = 4
"""Bodies in bodies."""
RECURSIONS: Final = 2
"""How often a body stands in itself."""
GROWTH: Final = 400
"""Words that may be added to any function; to a larger one as many as it has, up to `MOST_GROWTH`."""
MOST_GROWTH: Final = 1 << 13
MOST_LOCALS: Final = 64
_WORD_MASK: Final = 0xFFFFFFFF
_ZEROS: Final = {CLASS_I32: [0x41], CLASS_I64: [0x42], CLASS_F32: [0x43], CLASS_F64: [0x44], CLASS_V128: [0x20C | EXTENDED, 0, 0]}
_NULL: Final = [0xD0]
_CALL: Final = 0x10
_CALL_INDIRECT: Final = 0x11


class Origins:
    """Where the words of a stream with inlined bodies come from."""

    def __init__(self, function: int) -> None:
        self.bodies: Final = [(function, -1, 0)]
        """For the function itself and each inlined body: function index, the body that has the call, and its word there."""
        self.starts: Final[list[int]] = [0]
        self.sources: Final[list[tuple[int, int, int]]] = [(0, 0, 1)]
        """For the words from each start on: body, word in its own stream, and whether that grows with them."""

    def add(self, start: int, body: int, word: int, step: int) -> None:
        """From a word on, all come from a body."""
        if self.starts[-1] == start:
            self.sources[-1] = (body, word, step)
        else:
            self.starts.append(start)
            self.sources.append((body, word, step))

    def origin(self, word: int) -> tuple[int, int]:
        """The body that a word comes from, and its word there."""
        at = bisect_right(self.starts, word) - 1
        body, own, step = self.sources[at]
        return body, own + step * (word - self.starts[at])


class _Frame(NamedTuple):
    """A body while it is written."""

    body: Body
    number: int
    """In `Origins.bodies`."""
    height: int
    """Of the operand stack below it."""
    locals: int
    """Its first local."""
    leave: int
    """Label of the block around it, or `RETURN_LABEL`."""
    chain: tuple[int, ...]
    """The functions around it, and its own."""
    labels: dict[int, int]


class Inliner:
    """The functions of a unit as callees."""

    def __init__(self, types: FunctionTypes, streams: Sequence[bytes]) -> None:
        self.types: Final = types
        self._streams: Final = {int.from_bytes(stream[:8], "little"): stream for stream in streams}
        self._bodies: Final[dict[int, Body | None]] = {}
        self._choices: Final[dict[tuple[int, int], Choice | None]] = {}

    def expanded(self, stream: bytes) -> tuple[bytes, Origins | None]:
        """The stream of a function with what is inlined, and where it comes from; itself if that is nothing."""
        if not self.may_change(stream):
            return stream, None
        writer = _Writer(self, Body(self.types, stream))
        try:
            writer.write()
        except UnknownRecord:
            return stream, None
        return (writer.stream(), writer.origins) if writer.changed else (stream, None)

    def may_change(self, stream: bytes) -> bool:
        """Whether a function has calls that could be inlined."""
        at: i64 = HEADER_WORDS
        end = read_i64_le(stream, 8 * HEADER_RECORDS_END) >> 3
        while at < end:
            word = read_i64_le(stream, at << 3)
            code = word & 0xFFFF
            if code == _CALL:
                if self.body(int(word >> 32)) is not None:
                    return True
            elif code == _CALL_INDIRECT:
                table = int((word >> 16) & 0x7FFF)
                if self.is_fixed(table) and self.choice(table, int(word >> 32)) is not None:
                    return True
            at += words_of(word)
        return False

    def is_fixed(self, table: int) -> bool:
        """Whether a table never changes."""
        return self.types.environment.tables[table].functions is not None

    def body(self, function: int) -> Body | None:
        """A function of the unit, or one of its callees, that is so small that it may be inlined."""
        if function not in self._bodies:
            stream = self._streams.get(function)
            self._bodies[function] = None if stream is None else self._small(stream)
        return self._bodies[function]

    def _small(self, stream: bytes) -> Body | None:
        if len(stream) > CALLEE_SIZE or has_tail_calls(stream):
            return None
        body = Body(self.types, stream)
        if body.size > SMALL_IN_LOOP or len(body.classes) > MOST_LOCALS:
            return None
        try:
            body.look_through()
        except UnknownRecord:
            return None
        return body if body.returns and not body.innermost else None

    def choice(self, table: int, type_index: int) -> Choice | None:
        """What a `call_indirect` may call, if that is known and not too much."""
        key = (table, type_index)
        if key not in self._choices:
            self._choices[key] = choice(self.types, table, type_index)
        return self._choices[key]


class _Writer:
    """Writes the stream of one function."""

    def __init__(self, inliner: Inliner, body: Body) -> None:
        self.inliner: Final = inliner
        self.types: Final = inliner.types
        self.body: Final = body
        self.out: vec[i64] = vec[i64]()
        self.written: i64 = 0
        """How many words of `out` are."""
        self.origins: Final = Origins(body.function)
        self.classes: Final = bytearray(body.classes)
        self.weights: Final = list(body.weights)
        self.labels = 0
        self.calls = 0
        """How many records that call something were written."""
        self.loops: Final[list[tuple[int, int]]] = []
        """Open loops: where their record stands, and the calls before."""
        self.flags = body.flags
        self.peak = body.height
        self.left = max(GROWTH, min(body.size, MOST_GROWTH))
        """Words that may still be added."""
        self.changed = False

    def write(self) -> None:
        """All records; raises `UnknownRecord`."""
        body = self.body
        self.origins.add(body.start, 0, body.start, 1)
        self.walk(_Frame(body, 0, 0, 0, RETURN_LABEL, (body.function,), {}))

    def stream(self) -> bytes:
        """The whole stream."""
        body = self.body
        head = body.words[: body.start].tolist()
        added = self.classes[len(body.classes) :]
        at = 0
        while at < len(added):
            count = len(added) - at - len(added[at:].lstrip(added[at : at + 1]))
            head.append(LOCALS | added[at] << 16 | count << 32)
            at += count
        shift = len(head) - body.start
        self.origins.starts[1:] = [start + shift for start in self.origins.starts[1:]]
        head[HEADER_LOCALS] = len(self.classes)
        head[HEADER_HEIGHT] = self.peak
        head[HEADER_LABELS] = self.labels
        head[HEADER_FLAGS] = self.flags & ~HAS_CALLS | (HAS_CALLS if self.calls else 0)
        head[HEADER_RECORDS_END] = 8 * (len(head) + int(self.written))
        writer = BytesWriter()
        at_word: i64 = 0
        while at_word < self.written:
            write_i64_le(writer, self.out[at_word])
            at_word += 1
        return array("q", head).tobytes() + writer.getvalue() + array("q", self.weights).tobytes()

    def put(self, word: i64) -> None:
        """One word."""
        if self.written == i64(len(self.out)):
            self.out = append(self.out, word)
        else:
            self.out[self.written] = word
        self.written += 1

    def put_all(self, words: Sequence[int]) -> None:
        """Some words."""
        for word in words:
            self.put(i64(word))

    def source(self, frame: _Frame, word: int, step: int) -> None:
        """What follows comes from a word of a body, or from there on."""
        self.origins.add(self.body.start + int(self.written), frame.number, word, step)

    # Records

    def walk(self, frame: _Frame) -> None:
        """The records of a body."""
        stream = frame.body.stream
        at = i64(frame.body.start)
        end = i64(frame.body.end)
        below = i64(frame.height)
        height = below
        shift = i64(frame.locals) << 32
        while at < end:
            word = read_i64_le(stream, at << 3)
            code = word & 0xFFFF
            effect = effect_of(code)
            if effect != UNKNOWN:
                following = at + words_of(word)
                while at < following:
                    self.put(read_i64_le(stream, at << 3))
                    at += 1
                height += effect
            elif code == 0x20 or code == 0x21 or code == 0x22:
                self.put(word + shift)
                height += 1 if code == 0x20 else -1 if code == 0x21 else 0
                at += 1
            elif code == _CALL:
                self.call(frame, int(at), int(word >> 32), int(height))
                height = height_after(self.types, stream, at, height)
                at += 1
            elif code == _CALL_INDIRECT:
                self.call_indirect(frame, int(at), int(height))
                height = height_after(self.types, stream, at, height)
                at += 1
            else:
                self.control(frame, at, code, word)
                height = height_after(self.types, stream, at, height - below) + below
                at += words_of(word)

    def control(self, frame: _Frame, at: i64, code: i64, word: i64) -> None:
        """Blocks, branches, and all that calls something else than a function by its number."""
        immediate = word >> 32
        if code == 0x02 or code == 0x03 or code == 0x04:
            frame.labels[int(immediate)] = self.labels
            if code == 0x03:
                self.loops.append((int(self.written), self.calls))
                word &= ~(LOOP_HAS_CALLS << 16)
            self.open(int(word))
            return
        if code == 0x0F or (immediate == RETURN_LABEL and is_branch(code)):
            self.leave(frame, int(at), int(code), int(word))
            return
        if code == 0x0E:
            self.put(word)
        elif is_branch(code) or code == 0x0B or code == 0x05:
            self.put((word & _WORD_MASK) | (i64(frame.labels[int(immediate)]) << 32))
            if code == 0x0B and ((word >> 16) >> END_KIND_SHIFT) & 3 == END_LOOP:
                record, calls = self.loops.pop()
                if calls != self.calls:
                    self.out[i64(record)] |= LOOP_HAS_CALLS << 16
        else:
            self.calls += 1
            self.put(word)
        if word & EXTENDED:
            self.put(read_i64_le(frame.body.stream, (at << 3) + 8) + i64(frame.height))

    def open(self, word: int) -> int:
        """The record of a block; its label."""
        self.put(i64(word & _WORD_MASK | self.labels << 32))
        self.labels += 1
        return self.labels - 1

    def close(self, label: int, flags: int, height: int, run: int) -> None:
        """The end of a block."""
        self.put_all((0x0B | (flags | END_BLOCK << END_KIND_SHIFT) << 16 | EXTENDED | label << 32, height | run << 32))

    def leave(self, frame: _Frame, at: int, code: int, word: int) -> None:
        """A return, or a branch that returns."""
        extended = word & EXTENDED
        if frame.leave == RETURN_LABEL:
            if frame.number == 0:
                self.put(i64(word))
                if extended:
                    self.put(i64(frame.body.words[at + 1]))
            return
        last = at + (2 if extended else 1) == frame.body.end
        if last and frame.body.falls:
            return
        self.source(frame, at, 0)
        self.branch(0x0C if code == 0x0F else code, frame.leave, word >> 16 & COUNT_MASK, frame.height, self.results_run(frame.body.type))
        self.source(frame, at + (2 if extended else 1), 1)

    def branch(self, code: int, label: int, count: int, height: int, run: int) -> None:
        """A branch to the end of a block."""
        if count:
            self.put_all((code | count << 16 | EXTENDED | label << 32, height | run << 32))
        else:
            self.put(i64(code | label << 32))

    def results_run(self, type_index: int) -> int:
        """Where the results of a type stand in the pool."""
        return int.from_bytes(self.types.environment.signatures[16 * type_index + 8 : 16 * type_index + 12], "little")

    # Calls

    def suitable(self, function: int, frame: _Frame, room: int) -> Body | None:
        """A function that is to be inlined here, if so many words may be added."""
        body = self.inliner.body(function)
        if body is None or body.cost > room or len(frame.chain) > DEEPEST or frame.chain.count(function) > RECURSIONS:
            return None
        return body if body.size <= (SMALL_IN_LOOP if self.loops else SMALL) else None

    def call(self, frame: _Frame, at: int, function: int, height: int) -> None:
        """A call at a word, with the arguments on the stack: the body in its place, or the call."""
        body = self.suitable(function, frame, self.left)
        if body is None:
            self.put(i64(0x10 | function << 32))
            self.calls += 1
            return
        self.changed = True
        self.left -= body.cost
        self.flags |= body.flags & ~HAS_CALLS
        height -= len(body.params)
        self.peak = max(self.peak, height + max(body.height, any(body.weights[len(body.params) :])))
        self.source(frame, at, 0)
        first = self.arguments(body)
        number = len(self.origins.bodies)
        self.origins.bodies.append((body.function, frame.number, at))
        whole = body.falls and body.returns == 1
        label = RETURN_LABEL if whole else self.open(0x02)
        inner = _Frame(body, number, height, first, label, (*frame.chain, function), {})
        self.source(inner, body.start, 1)
        self.walk(inner)
        self.source(frame, at, 0)
        if not whole:
            flags = len(body.results) | TARGETED | (REACHED if body.falls else 0)
            self.close(label, flags, height, self.results_run(body.type))
        self.source(frame, at + 1, 1)

    def arguments(self, body: Body) -> int:
        """Arguments and zeros into new locals; the first of them."""
        first = self.new_locals(body.classes, body.weights)
        params = len(body.params)
        for local in reversed(range(params)):
            machine_class = body.classes[local]
            self.put(i64(0x21 | machine_class << 16 | first + local << 32 if body.weights[local] else 0x1A | machine_class << 16))
        for local in range(params, len(body.classes)):
            if body.weights[local]:
                machine_class = body.classes[local]
                self.put_all(_ZEROS.get(machine_class, _NULL))
                self.put(i64(0x21 | machine_class << 16 | first + local << 32))
        return first

    def new_locals(self, classes: Sequence[int], weights: Sequence[int]) -> int:
        """The first of some new locals."""
        first = len(self.classes)
        self.classes.extend(classes)
        self.weights.extend(weights)
        return first

    # Calls through tables

    def call_indirect(self, frame: _Frame, at: int, height: int) -> None:
        """A call through a table: a branch table, or the call."""
        word = frame.body.words[at]
        table, type_index = word >> 16 & 0x7FFF, word >> 32
        choice = self.inliner.choice(table, type_index)
        if choice is None or not self.worth(choice, frame):
            self.put(i64(word))
            self.calls += 1
            return
        self.changed = True
        classes, results = self.types.params(type_index), self.types.results(type_index)
        params = len(classes)
        self.left -= len(choice.elements) + params
        height -= params + 1
        self.peak = max(self.peak, height + params + 2)
        self.source(frame, at, 0)
        index = self.new_locals((CLASS_I32, *classes), (1,) * (params + 1))
        self.put(i64(0x21 | CLASS_I32 << 16 | index << 32))
        for number in reversed(range(params)):
            self.put(i64(0x21 | classes[number] << 16 | index + 1 + number << 32))
        end = self.open(0x02)
        default = self.open(0x02)
        blocks = {target: self.open(0x02) for target in reversed(choice.targets)}
        self.select(choice, index, [blocks.get(each, default) for each in (*choice.elements, choice.default)])
        run = self.results_run(type_index)
        for target in choice.targets:
            self.close(blocks[target], TARGETED, height, 0)
            if self.called(frame, at, target, index, height):
                self.branch(0x0C, end, len(results), height, run)
        self.close(default, TARGETED, height, 0)
        reached = self.called(frame, at, choice.default, index, height)
        self.close(end, len(results) | TARGETED | (REACHED if reached else 0), height, run)
        self.source(frame, at + 1, 1)

    def worth(self, choice: Choice, frame: _Frame) -> bool:
        """Whether a branch table is better than a call: few functions, or all are inlined."""
        room = self.left - len(choice.elements)
        if room < 0:
            return False
        for function in choice.functions:
            body = self.suitable(function, frame, room)
            if body is None:
                return len(choice.functions) <= 2
            room -= body.cost
        return True

    def select(self, choice: Choice, index: int, labels: list[int]) -> None:
        """The branch table."""
        self.put(i64(0x20 | CLASS_I32 << 16 | index << 32))
        if choice.first:
            self.put_all((0x41 | choice.first << 32, 0x6B))
        self.put(i64(0x0E | len(labels) << 32))
        self.put_all([TARGET | label << 32 for label in labels])

    def called(self, frame: _Frame, at: int, target: int, index: int, height: int) -> bool:
        """What happens for some elements; whether it comes back."""
        if target < 0 and target != GENERIC:
            self.put(i64(~target << 16))
            return False
        word = frame.body.words[at]
        params = self.types.params(word >> 32)
        self.put_all([0x20 | each << 16 | index + 1 + number << 32 for number, each in enumerate(params)])
        if target == GENERIC:
            self.put_all((0x20 | CLASS_I32 << 16 | index << 32, word))
            self.calls += 1
        else:
            self.call(frame, at, target, height + len(params))
            self.source(frame, at, 0)
        return True

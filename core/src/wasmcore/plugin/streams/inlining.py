"""Inlining: a stream in which small functions stand in place of their calls, and what each of its words comes from.

A call becomes: the arguments into locals of their own, the other locals of the callee to zero, its records with other labels and locals,
and a block around them if it returns from within. A `call_indirect` through a table that never changes becomes a branch table over
the functions that it may call. The result is a resolved stream like any other, so that all that follows need not know. Only an
`unreachable` may have flags: the kind of its trap.

What is inlined depends on the streams of the unit and its callees alone.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from wasmcore._native import BytesWriter, append, i64, read_i32_le, read_i64_le, u8, vec, write_i64_le
from wasmcore.plugin.streams.bodies import (
    UNKNOWN,
    Body,
    UnknownRecord,
    effect_of,
    height_after,
    is_branch,
    words_of,
)
from wasmcore.plugin.streams.callees import SMALL_IN_LOOP, small_callee
from wasmcore.plugin.streams.fixed_calls import GENERIC, Choice, choice
from wasmcore.stream import (
    CLASS_I32,
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
    from wasmcore.plugin.streams.callees import Callee

SMALL: Final = 40
"""Stream words of functions that are inlined wherever they are called."""
DEEPEST: Final = 4
"""Bodies in bodies."""
RECURSIONS: Final = 2
"""How often a body stands in itself."""
GROWTH: Final = 400
"""Words that may be added to any function; to a larger one as many as it has, up to `MOST_GROWTH`."""
MOST_GROWTH: Final = 1 << 13
_WORD_MASK: Final = 0xFFFFFFFF
_CALL: Final = 0x10
_CALL_INDIRECT: Final = 0x11


class Origins:
    """Where the words of a stream with inlined bodies come from."""

    def __init__(self, function: int) -> None:
        self.bodies: Final = [(function, -1, 0)]
        """For the function itself and each inlined body: function index, the body that has the call, and its word there."""
        self.rows: vec[i64] = vec[i64]([0, 0, 0, 1])
        """In turn, from which word on: that word, a body, the word in its own stream, and by how much that grows with each word."""
        self.count: i64 = 1

    def add(self, start: i64, body: i64, word: i64, step: i64) -> None:
        """From a word on, all come from a body."""
        at = 4 * self.count
        if self.rows[at - 4] == start:
            at -= 4
        else:
            self.count += 1
            if at == i64(len(self.rows)):
                self.rows = append(append(append(append(self.rows, 0), 0), 0), 0)
        rows = self.rows
        rows[at] = start
        rows[at + 1] = body
        rows[at + 2] = word
        rows[at + 3] = step

    def shift(self, words: i64) -> None:
        """All but the header stands so many words further on."""
        at: i64 = 4
        while at < 4 * self.count:
            self.rows[at] += words
            at += 4

    def origin(self, word: int) -> tuple[int, int]:
        """The body that a word comes from, and its word there."""
        rows = self.rows
        low: i64 = 0
        high = self.count
        while high - low > 1:
            middle = (low + high) >> 1
            if rows[4 * middle] <= word:
                low = middle
            else:
                high = middle
        return int(rows[4 * low + 1]), int(rows[4 * low + 2] + rows[4 * low + 3] * (word - rows[4 * low]))


class _Frame:
    """A body while it is written."""

    def __init__(self, outer: _Frame | None, body: Body, number: i64, height: i64, first_local: i64, leave: i64, labels: i64) -> None:
        self.outer: Final = outer
        """The body that has the call."""
        self.body: Final = body
        self.number: Final = number
        """In `Origins.bodies`."""
        self.height: Final = height
        """Of the operand stack below it."""
        self.first_local: Final = first_local
        self.leave: Final = leave
        """Label of the block around it, or `RETURN_LABEL`."""
        self.labels: Final = labels
        """Where in `_Writer.new_labels` its own begin."""

    def count(self, function: i64) -> tuple[i64, i64]:
        """How many bodies it is in, itself included, and how many of them are of a function."""
        total: i64 = 0
        same: i64 = 0
        frame: _Frame | None = self
        while frame is not None:
            total += 1
            if frame.body.function == function:
                same += 1
            frame = frame.outer
        return total, same


class Inliner:
    """The functions of a unit as callees; those that call others themselves only up to so many words, but for recursions."""

    def __init__(self, types: FunctionTypes, streams: Sequence[bytes], calling: int = SMALL_IN_LOOP) -> None:
        self.types: Final = types
        self.calling: Final = calling
        self._streams: Final = {int.from_bytes(stream[:8], "little"): stream for stream in streams}
        self._callees: Final[dict[int, Callee | None]] = {}
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
        own = read_i64_le(stream, 0)
        end = read_i64_le(stream, 8 * HEADER_RECORDS_END) >> 3
        while at < end:
            word = read_i64_le(stream, at << 3)
            code = word & 0xFFFF
            if code == _CALL:
                callee = self.callee(int(word >> 32))
                if callee is not None and (not callee.calls or callee.body.size <= self.calling or callee.body.function == own):
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

    def callee(self, function: int) -> Callee | None:
        """A function of the unit, or one of its callees, that is so small that it may be inlined."""
        if function not in self._callees:
            stream = self._streams.get(function)
            self._callees[function] = None if stream is None else small_callee(self.types, stream)
        return self._callees[function]

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
        self.out: Final = BytesWriter()
        """The records."""
        self.origins: Final = Origins(body.function)
        self.classes: Final = bytearray(body.classes)
        self.weights: Final = body.weights()
        self.labels: i64 = 0
        self.new_labels: vec[i64] = vec[i64]()
        """Of each body that is being written, the new number of each of its labels."""
        self.new_count: i64 = 0
        self.calls: i64 = 0
        """How many records that call something were written."""
        self.loops: Final[list[tuple[i64, i64, i64]]] = []
        """Open loops: where their record stands, the record, and the calls before."""
        self.flags: i64 = body.flags
        self.peak: i64 = body.height
        self.left: i64 = max(GROWTH, min(body.size, MOST_GROWTH))
        """Words that may still be added."""
        self.changed = False

    def write(self) -> None:
        """All records; raises `UnknownRecord`."""
        body = self.body
        self.origins.add(body.start, 0, body.start, 1)
        self.walk_body(_Frame(None, body, 0, 0, 0, RETURN_LABEL, 0))

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
        self.origins.shift(len(head) - body.start)
        records = self.out.getvalue()
        head[HEADER_LOCALS] = len(self.classes)
        head[HEADER_HEIGHT] = self.peak
        head[HEADER_LABELS] = self.labels
        head[HEADER_FLAGS] = self.flags & ~HAS_CALLS | (HAS_CALLS if self.calls else 0)
        head[HEADER_RECORDS_END] = 8 * len(head) + len(records)
        return array("q", head).tobytes() + records + array("q", self.weights).tobytes()

    def put(self, word: i64) -> None:
        """One word."""
        write_i64_le(self.out, word)

    def put_all(self, words: Sequence[int]) -> None:
        """Some words."""
        for word in words:
            write_i64_le(self.out, word)

    def source(self, frame: _Frame, word: i64, step: i64) -> None:
        """What follows comes from a word of a body, or from there on."""
        self.origins.add(self.body.start + (len(self.out) >> 3), frame.number, word, step)

    # Records

    def walk_body(self, frame: _Frame) -> None:
        """The records of a body, whose labels have no new numbers yet."""
        self.new_count += frame.body.labels
        while i64(len(self.new_labels)) < self.new_count:
            self.new_labels = append(self.new_labels, 0)
        self.walk(frame)
        self.new_count -= frame.body.labels

    def walk(self, frame: _Frame) -> None:
        """The records of a body."""
        stream = frame.body.stream
        out = self.out
        at = i64(frame.body.start)
        end = i64(frame.body.end)
        below = frame.height
        height = below
        shift = frame.first_local << 32
        while at < end:
            word = read_i64_le(stream, at << 3)
            code = word & 0xFFFF
            effect = effect_of(code)
            if effect != UNKNOWN:
                following = at + words_of(word)
                while at < following:
                    write_i64_le(out, read_i64_le(stream, at << 3))
                    at += 1
                height += effect
            elif code == 0x20 or code == 0x21 or code == 0x22:
                write_i64_le(out, word + shift)
                height += 1 if code == 0x20 else -1 if code == 0x21 else 0
                at += 1
            elif code == _CALL:
                self.call(frame, at, word >> 32, height)
                height = height_after(self.types, stream, at, height)
                at += 1
            elif code == _CALL_INDIRECT:
                self.call_indirect(frame, at, height)
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
            self.new_labels[frame.labels + immediate] = self.labels
            if code == 0x03:
                word &= ~(LOOP_HAS_CALLS << 16)
                self.loops.append((i64(len(self.out)), word, self.calls))
            self.open(word)
            return
        if code == 0x0F or (immediate == RETURN_LABEL and is_branch(code)):
            self.leave(frame, at, code, word)
            return
        if code == 0x0E:
            self.put(word)
        elif is_branch(code) or code == 0x0B or code == 0x05:
            self.put((word & _WORD_MASK) | (self.new_labels[frame.labels + immediate] << 32))
            if code == 0x0B and ((word >> 16) >> END_KIND_SHIFT) & 3 == END_LOOP:
                self.end_loop()
        else:
            self.calls += 1
            self.put(word)
        if word & EXTENDED:
            self.put(read_i64_le(frame.body.stream, (at << 3) + 8) + frame.height)

    def end_loop(self) -> None:
        """Say of the innermost loop whether it has calls now."""
        at, word, calls = self.loops.pop()
        if calls != self.calls:
            out = self.out
            out[at + 3] = u8(((word | (LOOP_HAS_CALLS << 16)) >> 24) & 255)

    def open(self, word: i64) -> i64:
        """The record of a block; its label."""
        label = self.labels
        self.put((word & _WORD_MASK) | (label << 32))
        self.labels = label + 1
        return label

    def close(self, label: i64, flags: i64, height: i64, run: i64) -> None:
        """The end of a block."""
        self.put(0x0B | ((flags | (END_BLOCK << END_KIND_SHIFT)) << 16) | EXTENDED | (label << 32))
        self.put(height | (run << 32))

    def leave(self, frame: _Frame, at: i64, code: i64, word: i64) -> None:
        """A return, or a branch that returns."""
        following = at + words_of(word)
        if frame.leave == RETURN_LABEL:
            if frame.number == 0:
                self.put(word)
                if following > at + 1:
                    self.put(read_i64_le(frame.body.stream, (at << 3) + 8))
            return
        if following == frame.body.end and frame.body.falls:
            return
        self.source(frame, at, 0)
        run = self.results_run(frame.body.type)
        self.branch(0x0C if code == 0x0F else code, frame.leave, (word >> 16) & COUNT_MASK, frame.height, run)
        self.source(frame, following, 1)

    def branch(self, code: i64, label: i64, count: i64, height: i64, run: i64) -> None:
        """A branch to the end of a block."""
        if count:
            self.put(code | (count << 16) | EXTENDED | (label << 32))
            self.put(height | (run << 32))
        else:
            self.put(code | (label << 32))

    def results_run(self, type_index: i64) -> i64:
        """Where the results of a type stand in the pool."""
        return i64(read_i32_le(self.types.environment.signatures, (type_index << 4) + 8))

    # Calls

    def suitable(self, function: i64, frame: _Frame, room: i64) -> Callee | None:
        """A function that is to be inlined here, if so many words may be added."""
        callee = self.inliner.callee(int(function))
        if callee is None or callee.body.cost > room:
            return None
        depth, around = frame.count(function)
        most = SMALL_IN_LOOP if self.loops else SMALL
        if callee.calls and not around:
            most = min(most, self.inliner.calling)
        return callee if callee.body.size <= most and depth <= DEEPEST and around <= RECURSIONS else None

    def call(self, frame: _Frame, at: i64, function: i64, height: i64) -> None:
        """A call at a word, with the arguments on the stack: the body in its place, or the call."""
        callee = self.suitable(function, frame, self.left)
        if callee is None:
            self.put(_CALL | (function << 32))
            self.calls += 1
            return
        body = callee.body
        self.changed = True
        self.left -= body.cost
        self.flags |= body.flags & ~HAS_CALLS
        height -= len(body.params)
        self.peak = max(self.peak, height + callee.height)
        self.source(frame, at, 0)
        first = self.arguments(callee)
        number = len(self.origins.bodies)
        self.origins.bodies.append((body.function, int(frame.number), int(at)))
        label = RETURN_LABEL if callee.is_straight else self.open(0x02)
        inner = _Frame(frame, body, number, height, first, label, self.new_count)
        self.source(inner, body.start, 1)
        self.walk_body(inner)
        self.source(frame, at, 0)
        if not callee.is_straight:
            flags = len(body.results) | TARGETED | (REACHED if body.falls else 0)
            self.close(label, flags, height, self.results_run(body.type))
        self.source(frame, at + 1, 1)

    def arguments(self, callee: Callee) -> i64:
        """Arguments and zeros into new locals; the first of them."""
        first = self.new_locals(callee.body.classes, callee.weights)
        out = self.out
        entry = callee.entry
        end = i64(len(entry))
        at: i64 = 0
        while at < end:
            word = read_i64_le(entry, at)
            write_i64_le(out, word + (first << 32) if word & 0xFFFF == 0x21 else word)
            at += 8
        return first

    def new_locals(self, classes: Sequence[int], weights: Sequence[int]) -> i64:
        """The first of some new locals."""
        first = len(self.classes)
        self.classes.extend(classes)
        self.weights.extend(weights)
        return first

    # Calls through tables

    def call_indirect(self, frame: _Frame, at: i64, height: i64) -> None:
        """A call through a table: a branch table, or the call."""
        word = frame.body.words[int(at)]
        table, type_index = word >> 16 & 0x7FFF, word >> 32
        choice = self.inliner.choice(table, type_index)
        if choice is None or not self.worth(choice, frame):
            self.put(word)
            self.calls += 1
            return
        self.changed = True
        classes, results = self.types.params(type_index), self.types.results(type_index)
        params = len(classes)
        self.left -= len(choice.elements) + params
        height -= params + 1
        self.peak = max(self.peak, height + params + 2)
        self.source(frame, at, 0)
        index = int(self.new_locals((CLASS_I32, *classes), (1,) * (params + 1)))
        self.put(0x21 | CLASS_I32 << 16 | index << 32)
        for number in reversed(range(params)):
            self.put(0x21 | classes[number] << 16 | index + 1 + number << 32)
        end = int(self.open(0x02))
        default = int(self.open(0x02))
        blocks = {target: int(self.open(0x02)) for target in reversed(choice.targets)}
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
            callee = self.suitable(function, frame, room)
            if callee is None:
                return len(choice.functions) <= 2
            room -= callee.body.cost
        return True

    def select(self, choice: Choice, index: int, labels: list[int]) -> None:
        """The branch table."""
        self.put(0x20 | CLASS_I32 << 16 | index << 32)
        if choice.first:
            self.put_all((0x41 | choice.first << 32, 0x6B))
        self.put(0x0E | len(labels) << 32)
        self.put_all([TARGET | label << 32 for label in labels])

    def called(self, frame: _Frame, at: i64, target: int, index: int, height: i64) -> bool:
        """What happens for some elements; whether it comes back."""
        if target < 0 and target != GENERIC:
            self.put(~target << 16)
            return False
        word = frame.body.words[int(at)]
        params = self.types.params(word >> 32)
        self.put_all([0x20 | each << 16 | index + 1 + number << 32 for number, each in enumerate(params)])
        if target == GENERIC:
            self.put_all((0x20 | CLASS_I32 << 16 | index << 32, word))
            self.calls += 1
        else:
            self.call(frame, at, target, height + len(params))
            self.source(frame, at, 0)
        return True

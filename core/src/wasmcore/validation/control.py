"""Blocks and branches of the type checker, and their records of the resolved stream."""

from __future__ import annotations

from wasmcore._native import BytesWriter, append, i64, read_i32_le, u8, vec, write_i64_le
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.binary.module_info import IDENTITY_RUNS
from wasmcore.binary.reader import Reader
from wasmcore.errors import DecodeError
from wasmcore.proposals import not_enabled
from wasmcore.types import FuncType, value_types_text
from wasmcore.validation.operands import Operands

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

# Fields of a frame, one per open block. The body of the function is the first.
KIND: Final = 0
HEIGHT: Final = 1
"""Operands below the block's."""
UNREACHABLE: Final = 2
"""`Operands.unreachable` of the block, while blocks inside it are open."""
PARAMS: Final = 3
PARAM_COUNT: Final = 4
RESULTS: Final = 5
RESULT_COUNT: Final = 6
LABEL: Final = 7
LIVE: Final = 8
"""Whether the block has records in the stream."""
TARGETED: Final = 9
RECORD: Final = 10
"""Where the record of a loop stands in the stream."""
CALLS: Final = 11
"""Number of calls before a loop."""
WEIGHT: Final = 12
"""Weight of accesses to locals outside."""
FRAME_SIZE: Final = 13

FUNCTION: Final = 0
BLOCK: Final = 0x02
LOOP: Final = 0x03
IF: Final = 0x04
ELSE: Final = 0x05
TRY_TABLE: Final = 0x1F

_I32: Final = 1
_MAX_WEIGHT: Final = 1_000_000_000

# The stream (`wasmcore.stream`).
_OP_END: Final = 0x0B
_OP_BR: Final = 0x0C
_OP_BR_TABLE: Final = 0x0E
_OP_RETURN: Final = 0x0F
_OP_TARGET: Final = 0x7F1
_EXTENDED: Final = 0x80000000
_REACHED: Final = 0x4000
_TARGETED: Final = 0x2000
_END_KIND_SHIFT: Final = 11
_HAS_CALLS: Final = 1
_HAS_LOOPS: Final = 4


class Control(Operands):
    """The stack of open blocks."""

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        super().__init__(module, features)
        self.frames = vec[i64]([0] * (64 * FRAME_SIZE))
        self.top: i64 = 0
        self.type_count: i64 = len(module.types)
        self.has_other_types: Final = any(not isinstance(item.composite, FuncType) for item in module.types)
        self.signatures_of_types: Final = module.signatures
        self.buffer: Final = BytesWriter()
        self.labels: i64 = 0
        self.calls: i64 = 0
        self.flags: i64 = 0
        self.weight: i64 = 1

    # Records of the stream

    def record(self, operation: i64, flags: i64, immediate: i64) -> None:
        """Write a record of one word."""
        write_i64_le(self.buffer, operation | flags << 16 | immediate << 32)

    def long_record(self, operation: i64, flags: i64, immediate: i64, value: i64) -> None:
        """Write a record with an extension word."""
        write_i64_le(self.buffer, operation | flags << 16 | _EXTENDED | immediate << 32)
        write_i64_le(self.buffer, value)

    def value_record(self, operation: i64, flags: i64, value: i64) -> None:
        """Write a record whose value is its immediate where that fits."""
        if -0x80000000 <= value <= 0x7FFFFFFF:
            self.record(operation, flags, value)
        else:
            self.long_record(operation, flags, 0, value)

    def count_call(self) -> None:
        """The function calls something through the calling convention."""
        self.calls += 1
        self.flags |= _HAS_CALLS

    # Runs of types

    def run_param_offset(self, type_index: i64) -> i64:
        """Where the parameters of a type stand in the pool."""
        return i64(read_i32_le(self.signatures_of_types, 16 * type_index))

    def run_param_count(self, type_index: i64) -> i64:
        """Number of parameters of a type."""
        return i64(read_i32_le(self.signatures_of_types, 16 * type_index + 4))

    def run_result_offset(self, type_index: i64) -> i64:
        """Where the results of a type stand in the pool."""
        return i64(read_i32_le(self.signatures_of_types, 16 * type_index + 8))

    def run_result_count(self, type_index: i64) -> i64:
        """Number of results of a type."""
        return i64(read_i32_le(self.signatures_of_types, 16 * type_index + 12))

    def same_runs(self, first: i64, first_count: i64, second: i64, second_count: i64) -> bool:
        """Whether operands of the first run may stand for the second."""
        if first_count != second_count:
            return False
        if first == second:
            return True
        index: i64 = 0
        while index < first_count:
            if not self.matches(self.value_types[first + index], self.value_types[second + index]):
                return False
            index += 1
        return True

    # Blocks

    def begin_function(self, type_index: i64, live: i64) -> None:
        """Open the body of a function."""
        self.sp = 0
        self.peak = 0
        self.live = live
        self.labels = 0
        self.calls = 0
        self.flags = 0
        self.weight = 1
        self.top = -FRAME_SIZE
        self.push_frame(FUNCTION, 0, 0, self.run_result_offset(type_index), self.run_result_count(type_index), -1)

    def push_frame(self, kind: i64, params: i64, param_count: i64, results: i64, result_count: i64, label: i64) -> None:
        """Open a block whose parameters were popped, and push them inside."""
        top = self.top
        frames = self.frames
        if top >= 0:
            frames[top + UNREACHABLE] = self.unreachable
        top += FRAME_SIZE
        self.top = top
        if top + FRAME_SIZE > len(frames):
            zero: i64 = 0
            room: i64 = len(frames) + 64
            while len(frames) < room:
                frames = append(frames, zero)
            self.frames = frames
        frames[top + KIND] = kind
        frames[top + HEIGHT] = self.sp
        frames[top + PARAMS] = params
        frames[top + PARAM_COUNT] = param_count
        frames[top + RESULTS] = results
        frames[top + RESULT_COUNT] = result_count
        frames[top + LABEL] = label
        frames[top + LIVE] = self.live
        frames[top + TARGETED] = 0
        frames[top + WEIGHT] = self.weight
        self.height = self.sp
        self.unreachable = 0
        if param_count:
            self.push_run(params, param_count)

    def reader_here(self) -> Reader:
        """A reader of what is rare, at the current position."""
        reader = Reader(self.data, self.position, self.end, self.features)
        reader.types_limit = self.type_count
        return reader

    def require_function_type(self, type_index: i64) -> None:
        """Refuse a type index that is no function type's."""
        if type_index >= self.type_count:
            raise self.invalid(f"unknown type {type_index}")
        if self.has_other_types and not isinstance(self.module.types[type_index].composite, FuncType):
            raise self.invalid(f"type mismatch: type {type_index} is not a function type")

    def block_type_index(self) -> i64:
        """A block type that is a type index, or the run of one value type, as -1 - offset."""
        start = self.position
        byte: i64 = self.data[start]
        if 0x40 <= byte < 0x80:
            return -1 - self.value_type_run()
        number = self.signed(33)
        if number < 0:
            raise DecodeError("malformed block type", start)
        self.require_function_type(number)
        return number

    def value_type_run(self) -> i64:
        """Read a value type that is not numeric; the offset of the run that holds it."""
        reader = self.reader_here()
        value_type = reader.value_type()
        self.position = reader.position
        if value_type < IDENTITY_RUNS:
            return value_type
        return IDENTITY_RUNS + 2 * ((value_type >> 3) - 16) + (value_type & 1)

    def enter(self, kind: i64) -> None:
        """`block`, `loop`, `if` or `try_table`."""
        byte: i64 = self.data[self.position]
        params: i64 = 0
        param_count: i64 = 0
        results: i64 = 0
        result_count: i64 = 0
        if byte == 0x40:
            self.position += 1
        elif 0x7C <= byte <= 0x7F:
            self.position += 1
            results = 0x80 - byte
            result_count = 1
        else:
            index = self.block_type_index()
            if index < 0:
                results = -1 - index
                result_count = 1
            else:
                params = self.run_param_offset(index)
                param_count = self.run_param_count(index)
                results = self.run_result_offset(index)
                result_count = self.run_result_count(index)
                self.check_multi_value(param_count, result_count)
        if kind == IF:
            self.pop(_I32)
        elif kind == TRY_TABLE:
            self.catches()
            kind = BLOCK
        if param_count:
            self.pop_run(params, param_count)
        if self.live:
            self.enter_record(kind, params, param_count, results, result_count)
        else:
            self.push_frame(kind, params, param_count, results, result_count, -1)

    def catches(self) -> None:
        """Read the handlers of a `try_table`."""
        raise NotImplementedError

    def check_multi_value(self, param_count: i64, result_count: i64) -> None:
        """Refuse blocks with parameters or several results where the feature is not enabled."""
        if (param_count or result_count > 1) and "multi_value" not in self.features:
            raise self.invalid(f"invalid result arity: {not_enabled('multi_value')}")

    def enter_record(self, kind: i64, params: i64, param_count: i64, results: i64, result_count: i64) -> None:
        """Open a block that is in the stream."""
        record: i64 = len(self.buffer)
        self.record(kind, param_count, self.labels)
        self.push_frame(kind, params, param_count, results, result_count, self.labels)
        self.labels += 1
        if kind == LOOP:
            self.flags |= _HAS_LOOPS
            self.frames[self.top + RECORD] = record
            self.frames[self.top + CALLS] = self.calls
            if self.weight < _MAX_WEIGHT:
                self.weight *= 10

    def pop_results(self) -> None:
        """Pop the results of the innermost block; nothing else may be left."""
        top = self.top
        frames = self.frames
        self.pop_run(frames[top + RESULTS], frames[top + RESULT_COUNT])
        if self.sp != self.height:
            wanted = value_types_text(tuple(self.run(frames[top + RESULTS], frames[top + RESULT_COUNT])))
            self.sp += frames[top + RESULT_COUNT]
            found = value_types_text(tuple(self.top_types(self.sp - self.height)))
            raise self.invalid(f"type mismatch: block requires {wanted} but stack has {found}")

    def otherwise(self) -> None:
        """`else`."""
        top = self.top
        frames = self.frames
        if frames[top + KIND] != IF:
            raise DecodeError("else found outside of an if", self.at)
        self.pop_results()
        if frames[top + LIVE]:
            value = frames[top + HEIGHT] | frames[top + PARAMS] << 32
            self.long_record(ELSE, frames[top + PARAM_COUNT] | (_REACHED if self.live else 0), frames[top + LABEL], value)
            frames[top + TARGETED] |= self.live
            self.live = 1
        frames[top + KIND] = ELSE
        self.unreachable = 0
        self.push_run(frames[top + PARAMS], frames[top + PARAM_COUNT])

    def leave(self) -> None:
        """`end` of a block or of the function."""
        self.pop_results()
        top = self.top
        frames = self.frames
        kind = frames[top + KIND]
        results = frames[top + RESULTS]
        result_count = frames[top + RESULT_COUNT]
        if kind == IF and not self.same_runs(frames[top + PARAMS], frames[top + PARAM_COUNT], results, result_count):
            params = self.run(frames[top + PARAMS], frames[top + PARAM_COUNT])
            wanted = value_types_text(tuple(self.run(results, result_count)))
            raise self.invalid(f"type mismatch: if without else requires {wanted} but stack has {value_types_text(tuple(params))}")
        if top == 0:
            if self.live:
                self.return_record()
            self.top = -FRAME_SIZE
            return
        if frames[top + LIVE]:
            self.end_record(kind)
        top -= FRAME_SIZE
        self.top = top
        self.height = frames[top + HEIGHT]
        self.unreachable = frames[top + UNREACHABLE]
        if result_count:
            self.push_run(results, result_count)

    def end_record(self, kind: i64) -> None:
        """The record of an `end`; afterwards `live` says whether the code behind it can be reached."""
        top = self.top
        frames = self.frames
        flags = frames[top + RESULT_COUNT]
        if kind == IF:
            frames[top + TARGETED] = 1
        if kind == LOOP:
            self.end_loop(frames[top + RECORD], frames[top + CALLS])
            frames[top + TARGETED] = 0
        self.weight = frames[top + WEIGHT]
        if self.live:
            flags |= _REACHED
        if frames[top + TARGETED]:
            flags |= _TARGETED
            self.live = 1
        flags |= (kind - BLOCK) << _END_KIND_SHIFT
        self.long_record(_OP_END, flags, frames[top + LABEL], frames[top + HEIGHT] | frames[top + RESULTS] << 32)

    def end_loop(self, record: i64, calls: i64) -> None:
        """Mark the record of a loop that has calls inside."""
        if calls != self.calls:
            self.buffer[record + 3] = u8(int(self.buffer[record + 3]) | 0x40)

    # Branches

    def label(self, depth: i64) -> i64:
        """The frame that a branch goes to."""
        frame = self.top - depth * FRAME_SIZE
        if frame < 0:
            raise self.invalid(f"unknown label {depth}")
        return frame

    def branch_record(self, operation: i64, frame: i64, run: i64, count: i64) -> None:
        """The record of a branch that is in reachable code."""
        frames = self.frames
        frames[frame + TARGETED] = 1
        if count:
            self.long_record(operation, count, frames[frame + LABEL], frames[frame + HEIGHT] | run << 32)
        else:
            self.record(operation, 0, frames[frame + LABEL])

    def return_record(self) -> None:
        """The record of a return."""
        self.value_record(_OP_RETURN, self.frames[RESULT_COUNT], self.frames[RESULTS] << 32)

    def branch(self) -> None:
        """`br`."""
        frame = self.label(self.u32())
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        self.pop_run(run, count)
        if self.live:
            if frame == 0:
                self.return_record()
            else:
                self.branch_record(_OP_BR, frame, run, count)
        self.set_unreachable()

    def branch_if(self) -> None:
        """`br_if`."""
        frame = self.label(self.u32())
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        self.pop(_I32)
        if count:
            self.pop_run(run, count)
            self.push_run(run, count)
        if self.live:
            self.branch_record(_OP_BR + 1, frame, run, count)

    def branch_table(self) -> None:
        """`br_table`."""
        self.pop(_I32)
        left = self.u32() + 1
        if left > self.end - self.position:
            raise self.truncated()
        if self.live:
            self.record(_OP_BR_TABLE, 0, left)
        frames = self.frames
        sp = self.sp
        arity: i64 = -1
        checked: i64 = -1
        while left:
            left -= 1
            frame = self.label(self.u32())
            loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
            run = frames[frame + RESULTS - loop]
            count = frames[frame + RESULT_COUNT - loop]
            if run != checked or count != arity:
                if arity >= 0 and count != arity:
                    raise self.invalid(f"type mismatch: labels of br_table have {arity} and {count} operands")
                self.pop_run(run, count)
                self.sp = sp
                arity = count
                checked = run
            if self.live:
                self.branch_record(_OP_TARGET, frame, run, count)
        self.set_unreachable()

    def return_(self) -> None:
        """`return`."""
        self.pop_run(self.frames[RESULTS], self.frames[RESULT_COUNT])
        if self.live:
            self.return_record()
        self.set_unreachable()

"""Instructions that throw and catch exceptions."""

from __future__ import annotations

from wasmcore._native import i64, vec
from wasmcore._typing import TYPE_CHECKING, Final
from wasmcore.errors import DecodeError
from wasmcore.validation.control import KIND, LOOP, RESULT_COUNT, RESULTS, TRY_TABLE
from wasmcore.validation.objects import Objects

if TYPE_CHECKING:
    from wasmcore.binary.module_info import ModuleInfo

_EXNREF: Final = 86
_EXN_NOT_NULL: Final = 87
_THROW: Final = 0x08
_MAX_CATCHES: Final = 10_000


class Exceptions(Objects):
    """`throw`, `throw_ref` and `try_table`."""

    def __init__(self, module: ModuleInfo, features: frozenset[str]) -> None:
        super().__init__(module, features)
        self.tags: Final = vec[i64](list(module.tags))

    def tag_type(self) -> i64:
        """Read the index of a tag; its type index."""
        index = self.u32()
        if index >= len(self.tags):
            raise self.invalid(f"unknown tag {index}")
        return self.tags[index]

    def throw(self, code: i64) -> None:
        """`throw` and `throw_ref`."""
        self.not_compiled(code)
        if code == _THROW:
            type_index = self.tag_type()
            self.pop_run(self.run_param_offset(type_index), self.run_param_count(type_index))
        else:
            self.pop(_EXNREF)
        self.set_unreachable()

    def catches(self) -> None:
        """The handlers of a `try_table`, which branch to labels outside of it."""
        self.not_compiled(TRY_TABLE)
        left = self.u32()
        if left > _MAX_CATCHES:
            raise self.invalid(f"too many catch clauses: {left}, the limit is {_MAX_CATCHES}")
        while left:
            left -= 1
            self.catch()

    def catch(self) -> None:
        """One handler."""
        start = self.position
        kind = self.byte()
        if kind > 3:
            raise DecodeError("malformed catch clause", start)
        type_index: i64 = -1
        if kind < 2:
            type_index = self.tag_type()
        frame = self.label(self.u32())
        frames = self.frames
        loop: i64 = 2 if frames[frame + KIND] == LOOP else 0
        run = frames[frame + RESULTS - loop]
        count = frames[frame + RESULT_COUNT - loop]
        if kind & 1:
            count -= 1
            if count < 0 or not self.matches(_EXN_NOT_NULL, self.value_types[run + count]):
                raise self.invalid("type mismatch: the label of a catch clause with exnref does not end in exnref")
        params: i64 = 0
        param_count: i64 = 0
        if type_index >= 0:
            params = self.run_param_offset(type_index)
            param_count = self.run_param_count(type_index)
        if not self.same_runs(params, param_count, run, count):
            raise self.mismatch(self.run(run, count), self.run(params, param_count))

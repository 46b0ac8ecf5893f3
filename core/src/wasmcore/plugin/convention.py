"""The calling convention that all backends of a target share, as data."""

from __future__ import annotations

from wasmcore._named_tuple import NamedTuple
from wasmcore.stream import CLASS_F32, CLASS_F64, CLASS_V128


class Place(NamedTuple):
    """Where one argument or result is: `register` of the integer or float file, or `overflow` slot when it is negative."""

    float: bool
    register: int
    overflow: int


class CallingConvention(NamedTuple):
    """Registers by their hardware number.

    Integers and references take `integers` in order, floats and vectors `floats`; what finds no register takes the next
    slot of the store's overflow area, arguments and results alike, read before anything else can be called.
    The upper bits of an i32 (and of an f32's register) are undefined. `context` holds the callee's context on entry. Nothing but
    the frame pointer and the stack pointer survives a call. A poll is none: arguments in the overflow area are there behind it.
    """

    context: int
    integers: tuple[int, ...]
    floats: tuple[int, ...]
    integer_results: tuple[int, ...]
    float_results: tuple[int, ...]
    stack: int
    """The stack pointer."""
    frame: int
    """The frame pointer."""
    link: int
    """What has the return address at the entry of a function, and is lost in calls and in the built-in `poll`; -1: the word at the stack
    pointer has it."""
    alignment: int
    """The stack pointer is a multiple of so many bytes where a call instruction is executed."""

    def arguments(self, classes: bytes) -> list[Place]:
        """Places of arguments of these machine classes."""
        return _places(classes, self.integers, self.floats)

    def results(self, classes: bytes) -> list[Place]:
        """Places of results of these machine classes."""
        return _places(classes, self.integer_results, self.float_results)


def _places(classes: bytes, integers: tuple[int, ...], floats: tuple[int, ...]) -> list[Place]:
    places = []
    taken = {False: 0, True: 0}
    overflow = 0
    for machine_class in classes:
        is_float = machine_class in (CLASS_F32, CLASS_F64, CLASS_V128)
        file = floats if is_float else integers
        if taken[is_float] < len(file):
            places.append(Place(is_float, file[taken[is_float]], -1))
            taken[is_float] += 1
        else:
            places.append(Place(is_float, -1, overflow))
            overflow += 1
    return places

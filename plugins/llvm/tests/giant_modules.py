"""Modules with one function so large that LLVM takes its time for it, and what it returns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

I32, I64, F64, V128 = 0x7F, 0x7E, 0x7C, 0x7B


def leb(number: int) -> bytes:
    """A number as unsigned LEB128."""
    result = bytearray()
    while True:
        number, low = number >> 7, number & 0x7F
        result.append(low | (0x80 if number else 0))
        if not number:
            return bytes(result)


def signed(number: int) -> bytes:
    """A number as signed LEB128."""
    result = bytearray()
    while True:
        low, number = number & 0x7F, number >> 7
        done = number == (-1 if low & 0x40 else 0)
        result.append(low if done else low | 0x80)
        if done:
            return bytes(result)


def _section(number: int, content: bytes) -> bytes:
    return bytes([number]) + leb(len(content)) + content


def module(local_types: list[tuple[int, int]], code: bytes) -> bytes:
    """A module that exports function 0, `run`, an (i32) -> i32 with these locals (counts and types) and instructions; function 1 adds 1 to
    its argument. A memory of one page."""
    locals_ = leb(len(local_types)) + b"".join(leb(count) + bytes([each]) for count, each in local_types)
    bodies = [locals_ + code + b"\x0b", b"\x00\x20\x00\x41\x01\x6a\x0b"]
    return b"".join(
        (
            b"\0asm\1\0\0\0",
            _section(1, b"\x01\x60\x01\x7f\x01\x7f"),
            _section(3, b"\x02\x00\x00"),
            _section(5, b"\x01\x00\x01"),
            _section(7, b"\x01\x03run\x00\x00"),
            _section(10, leb(2) + b"".join(leb(len(each)) + each for each in bodies)),
        )
    )


def _get(local: int) -> bytes:
    return b"\x20" + leb(local)


def _set(local: int) -> bytes:
    return b"\x21" + leb(local)


def _const(value: int) -> bytes:
    return b"\x41" + signed(value)


def _sum(count: int) -> bytes:
    """The sum of locals 0 to count - 1."""
    return _get(0) + b"".join(_get(local) + b"\x6a" for local in range(1, count))


_MIXERS: Final = (b"\x6a", b"\x6b", b"\x73", b"\x6c", b"\x71", b"\x72")


def arithmetic(size: int, count: int = 200) -> bytes:
    """Mixes i32 locals, all of which are live all the time."""
    parts = [_get(0) + _const(local) + b"\x6a" + _set(local) for local in range(1, count)]
    parts += [
        _get(n * 7 % count) + _get((n * 11 + 3) % count) + _MIXERS[n % len(_MIXERS)] + _set((n * 13 + 5) % count) for n in range(size // 4)
    ]
    return module([(count - 1, I32)], b"".join(parts) + _sum(count))


def many_locals(size: int) -> bytes:
    """The same with a local for each twenty instructions."""
    return arithmetic(size, max(2, size // 20))


def table(size: int) -> bytes:
    """A `br_table` whose every target is a piece of code of its own."""
    count = size // 8
    targets = b"\x0e" + leb(count - 1) + b"".join(leb(n) for n in range(count))
    code = b"\x02\x40" * count + _get(0) + targets
    code += b"".join(b"\x0b" + _get(1) + _const(n) + b"\x6a" + _set(1) for n in range(count))
    return module([(1, I32)], code + _get(1))


def merges(branches: int, count: int) -> bytes:
    """So many `if`s, each of which changes one of so many locals."""
    parts = [
        _get(0) + _const(n) + b"\x46\x04\x40" + _get(n % count) + _const(n) + b"\x6a" + _set(n % count) + b"\x0b" for n in range(branches)
    ]
    return module([(count - 1, I32)], b"".join(parts) + _sum(count))


def nested(size: int) -> bytes:
    """`if` in `else` in `else`, each with something to do before and after."""
    count = size // 12
    head = b"".join(_get(0) + _const(n) + b"\x46\x04\x40" + _get(1) + _const(n) + b"\x6a" + _set(1) + b"\x05" for n in range(count))
    tail = b"".join(_get(1) + _const(1) + b"\x6a" + _set(1) + b"\x0b" for n in range(count))
    return module([(1, I32)], head + tail + _get(1))


def memory(size: int) -> bytes:
    """Loads an address, stores beside it, and so on."""
    part = _get(1) + b"\x28\x02\x08" + b"\x22\x01" + _get(0) + b"\x36\x02\x0c"
    return module([(1, I32)], part * (size // 5) + _get(1))


def constants(size: int) -> bytes:
    """Stores constants side by side, each at a sum, as what fills a table in a frame does; where that is, comes from memory."""
    stores = [_get(1) + _const(n * 4 & 0x7FFC) + b"\x6a" + _const(n * 7919) + b"\x36\x02\x00" for n in range(size // 5)]
    return module([(1, I32)], _const(0) + b"\x28\x02\x00" + _set(1) + b"".join(stores) + _get(1) + b"\x28\x02\x08")


def loops(size: int) -> bytes:
    """Loops over memory, one behind the other."""
    body = _get(1) + _get(1) + b"\x28\x02\x10" + _get(0) + b"\x6a" + b"\x36\x02\x10"
    step = _get(1) + _const(4) + b"\x6a" + b"\x22\x01" + _const(64) + b"\x49\x0d\x00"
    part = _const(0) + _set(1) + b"\x03\x40" + body + step + b"\x0b"
    return module([(1, I32)], part * (size // 16) + _get(1))


def calls(size: int) -> bytes:
    """Calls of a small function, each with the result of the one before."""
    return module([], _get(0) + b"\x10\x01" * size)


def vectors(size: int) -> bytes:
    """Mixes fifty vectors."""
    parts = [_get(0) + b"\xfd\x11" + _set(local) for local in range(1, 51)]
    operators = (b"\xae\x01", b"\xb1\x01", b"\x51", b"\x4e", b"\xb5\x01")
    parts += [
        _get(1 + n * 7 % 50) + _get(1 + (n * 11 + 3) % 50) + b"\xfd" + operators[n % len(operators)] + _set(1 + (n * 13 + 5) % 50)
        for n in range(size // 4)
    ]
    parts.append(_get(1) + b"".join(_get(local) + b"\xfd\x51" for local in range(2, 51)) + b"\xfd\x1b\x00")
    return module([(50, V128)], b"".join(parts))


def floats(size: int) -> bytes:
    """A long chain of additions and multiplications of f64, of which no two can be done at once."""
    parts = [_get(0) + b"\xb7" + _set(local) for local in range(1, 21)]
    operators = (b"\xa0", b"\xa2", b"\xa1")
    parts += [_get(1 + n % 20) + _get(1 + (n * 3 + 1) % 20) + operators[n % 3] + _set(1 + (n * 7) % 20) for n in range(size // 4)]
    return module([(20, F64)], b"".join(parts) + _get(1) + b"\xfc\x02")


KINDS: Final[dict[str, Callable[[int], bytes]]] = {
    each.__name__: each for each in (arithmetic, many_locals, table, nested, memory, constants, loops, calls, vectors, floats)
}
"""By name: from a number of instructions to a module with about as many."""

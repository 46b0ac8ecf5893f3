"""Arguments, environment, random bytes and the end of the program."""

from __future__ import annotations

from wasmcore.errors import Exit
from wasmcore_wasi.errors import IO, NOSYS, NOTSUP, Failure
from wasmcore_wasi.guest import Guest
from wasmcore_wasi.layout import U32, U32_MASK
from wasmcore_wasi.memory import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, NoReturn

_RANDOM_CHUNK: Final = 1 << 16


def args_sizes_get(guest: Guest, count: int, size: int) -> None:
    """Number of arguments, and of bytes of all."""
    _sizes(guest, guest.arguments, count, size)


def args_get(guest: Guest, pointers: int, strings: int) -> None:
    """Addresses of the arguments, and the strings themselves."""
    _strings(guest, guest.arguments, pointers, strings)


def environ_sizes_get(guest: Guest, count: int, size: int) -> None:
    """Number of `KEY=value` strings, and of bytes of all."""
    _sizes(guest, guest.environment, count, size)


def environ_get(guest: Guest, pointers: int, strings: int) -> None:
    """Addresses of the `KEY=value` strings, and the strings themselves."""
    _strings(guest, guest.environment, pointers, strings)


def _sizes(guest: Guest, strings: tuple[bytes, ...], count: int, size: int) -> None:
    memory = guest.memory()
    U32.pack_into(memory, count & U32_MASK, len(strings))
    U32.pack_into(memory, size & U32_MASK, sum(map(len, strings)))


def _strings(guest: Guest, strings: tuple[bytes, ...], pointers: int, address: int) -> None:
    memory = guest.memory()
    text = b"".join(strings)
    span(memory, address, len(text))[:] = text
    table = span(memory, pointers, U32.size * len(strings))
    address &= U32_MASK
    for index, string in enumerate(strings):
        U32.pack_into(table, U32.size * index, address)
        address += len(string)


def random_get(guest: Guest, address: int, length: int) -> None:
    """Random bytes."""
    target = span(guest.memory(), address, length)
    for start in range(0, len(target), _RANDOM_CHUNK):
        piece = target[start : start + _RANDOM_CHUNK]
        data = guest.random(len(piece))
        if len(data) != len(piece):
            raise Failure(IO)
        piece[:] = data


def proc_exit(_guest: Guest, code: int) -> NoReturn:
    """End the program: raises `Exit`."""
    raise Exit(code & U32_MASK)


def no_system_call(_guest: Guest, *_arguments: int) -> NoReturn:
    """A function that does not exist here: NOSYS."""
    raise Failure(NOSYS)


def socket_call(guest: Guest, fd: int, *_arguments: int) -> NoReturn:
    """A function on sockets, which no program is given: BADF or NOTSUP."""
    guest.files.get(fd)
    raise Failure(NOTSUP)

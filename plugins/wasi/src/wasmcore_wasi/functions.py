"""The table of all functions of `wasi_snapshot_preview1`, and how they are called from WebAssembly."""

from __future__ import annotations

from collections.abc import Callable
from struct import error as StructError

from wasmcore.errors import WasmcoreError
from wasmcore_wasi import clocks, directories, environment, files, polling
from wasmcore_wasi.errors import FAULT, INVAL, IO, NOMEM, SUCCESS, Failure, errno_of
from wasmcore_wasi.guest import Guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

FUNCTIONS: Final[dict[str, tuple[str, str, Callable[..., None]]]] = {
    "args_get": ("ii", "i", environment.args_get),
    "args_sizes_get": ("ii", "i", environment.args_sizes_get),
    "clock_res_get": ("ii", "i", clocks.clock_res_get),
    "clock_time_get": ("iIi", "i", clocks.clock_time_get),
    "environ_get": ("ii", "i", environment.environ_get),
    "environ_sizes_get": ("ii", "i", environment.environ_sizes_get),
    "fd_advise": ("iIIi", "i", files.fd_advise),
    "fd_allocate": ("iII", "i", files.fd_allocate),
    "fd_close": ("i", "i", files.fd_close),
    "fd_datasync": ("i", "i", files.fd_datasync),
    "fd_fdstat_get": ("ii", "i", files.fd_fdstat_get),
    "fd_fdstat_set_flags": ("ii", "i", files.fd_fdstat_set_flags),
    "fd_fdstat_set_rights": ("iII", "i", files.fd_fdstat_set_rights),
    "fd_filestat_get": ("ii", "i", files.fd_filestat_get),
    "fd_filestat_set_size": ("iI", "i", files.fd_filestat_set_size),
    "fd_filestat_set_times": ("iIIi", "i", files.fd_filestat_set_times),
    "fd_pread": ("iiiIi", "i", files.fd_pread),
    "fd_prestat_dir_name": ("iii", "i", files.fd_prestat_dir_name),
    "fd_prestat_get": ("ii", "i", files.fd_prestat_get),
    "fd_pwrite": ("iiiIi", "i", files.fd_pwrite),
    "fd_read": ("iiii", "i", files.fd_read),
    "fd_readdir": ("iiiIi", "i", directories.fd_readdir),
    "fd_renumber": ("ii", "i", files.fd_renumber),
    "fd_seek": ("iIii", "i", files.fd_seek),
    "fd_sync": ("i", "i", files.fd_sync),
    "fd_tell": ("ii", "i", files.fd_tell),
    "fd_write": ("iiii", "i", files.fd_write),
    "path_create_directory": ("iii", "i", directories.path_create_directory),
    "path_filestat_get": ("iiiii", "i", directories.path_filestat_get),
    "path_filestat_set_times": ("iiiiIIi", "i", directories.path_filestat_set_times),
    "path_link": ("iiiiiii", "i", directories.path_link),
    "path_open": ("iiiiiIIii", "i", directories.path_open),
    "path_readlink": ("iiiiii", "i", directories.path_readlink),
    "path_remove_directory": ("iii", "i", directories.path_remove_directory),
    "path_rename": ("iiiiii", "i", directories.path_rename),
    "path_symlink": ("iiiii", "i", directories.path_symlink),
    "path_unlink_file": ("iii", "i", directories.path_unlink_file),
    "poll_oneoff": ("iiii", "i", polling.poll_oneoff),
    "proc_exit": ("i", "", environment.proc_exit),
    "proc_raise": ("i", "i", environment.no_system_call),
    "random_get": ("ii", "i", environment.random_get),
    "sched_yield": ("", "i", clocks.sched_yield),
    "sock_accept": ("iii", "i", environment.socket_call),
    "sock_recv": ("iiiiii", "i", environment.socket_call),
    "sock_send": ("iiiii", "i", environment.socket_call),
    "sock_shutdown": ("ii", "i", environment.socket_call),
}
"""Name -> parameters, results (i: i32, I: i64), Python function. The function gets the `Guest` before its parameters, returns None, and
raises `Failure`, `OSError` or what Python raises for a value that is out of range."""


def bind(function: Callable[..., None], guest: Guest, arity: int) -> Callable[..., Any]:
    """The function as WebAssembly calls it: for one guest, with `arity` integers, with an error number as result. Raises nothing but
    `Exit`, LinkError where the instance exports no memory, and what is no `Exception` (KeyboardInterrupt)."""

    def call_with_four(first: int, second: int, third: int, fourth: int) -> int:
        try:
            function(guest, first, second, third, fourth)
        except Exception as error:
            return _number_of(error)
        return SUCCESS

    def call(*arguments: int) -> int:
        try:
            function(guest, *arguments)
        except Exception as error:
            return _number_of(error)
        return SUCCESS

    # Reading, writing and seeking have four parameters; passing on a tuple would cost a tenth of their time.
    return call_with_four if arity == 4 else call


def _number_of(error: Exception) -> int:
    """The error number for what a function raised; errors of wasmcore itself are raised again."""
    if isinstance(error, WasmcoreError):
        raise error
    if isinstance(error, Failure):
        return error.errno
    if isinstance(error, OSError):
        return errno_of(error)
    for kind, number in _NUMBERS:
        if isinstance(error, kind):
            return number
    return IO  # an exception of a file object, clock or random source of the embedder


_NUMBERS: Final = (
    (StructError, FAULT),  # an address out of range, see `wasmcore_wasi.memory`
    (OverflowError, INVAL),  # an offset, size or time that the host can not represent
    (MemoryError, NOMEM),
)

"""How a call ends other than well: WASI error numbers and `Failure`."""

from __future__ import annotations

import errno

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

ERRNO_NAMES: Final = (
    "SUCCESS", "2BIG", "ACCES", "ADDRINUSE", "ADDRNOTAVAIL", "AFNOSUPPORT", "AGAIN", "ALREADY", "BADF", "BADMSG", "BUSY",
    "CANCELED", "CHILD", "CONNABORTED", "CONNREFUSED", "CONNRESET", "DEADLK", "DESTADDRREQ", "DOM", "DQUOT", "EXIST", "FAULT",
    "FBIG", "HOSTUNREACH", "IDRM", "ILSEQ", "INPROGRESS", "INTR", "INVAL", "IO", "ISCONN", "ISDIR", "LOOP", "MFILE", "MLINK",
    "MSGSIZE", "MULTIHOP", "NAMETOOLONG", "NETDOWN", "NETRESET", "NETUNREACH", "NFILE", "NOBUFS", "NODEV", "NOENT", "NOEXEC",
    "NOLCK", "NOLINK", "NOMEM", "NOMSG", "NOPROTOOPT", "NOSPC", "NOSYS", "NOTCONN", "NOTDIR", "NOTEMPTY", "NOTRECOVERABLE",
    "NOTSOCK", "NOTSUP", "NOTTY", "NXIO", "OVERFLOW", "OWNERDEAD", "PERM", "PIPE", "PROTO", "PROTONOSUPPORT", "PROTOTYPE",
    "RANGE", "ROFS", "SPIPE", "SRCH", "STALE", "TIMEDOUT", "TXTBSY", "XDEV", "NOTCAPABLE",
)  # fmt: skip
"""Names of the `errno` type in the order of their numbers (witx, `typenames.witx`)."""

SUCCESS: Final = 0
BADF: Final = 8
FAULT: Final = 21
ILSEQ: Final = 25
INVAL: Final = 28
IO: Final = 29
ISDIR: Final = 31
LOOP: Final = 32
NAMETOOLONG: Final = 37
NOENT: Final = 44
NOMEM: Final = 48
NOSYS: Final = 52
NOTDIR: Final = 54
NOTSUP: Final = 58
PERM: Final = 63
NOTCAPABLE: Final = 76

_FROM_HOST: Final[dict[int, int]] = {
    getattr(errno, f"E{name}"): number for number, name in enumerate(ERRNO_NAMES) if hasattr(errno, f"E{name}")
}
_FROM_HOST[errno.EOPNOTSUPP] = NOTSUP


def errno_of(error: OSError) -> int:
    """The WASI number of an operating system error; IO where there is no equal one."""
    return _FROM_HOST.get(error.errno or 0, IO)


class Failure(Exception):
    """Ends a WASI function with an error number."""

    def __init__(self, errno: int) -> None:
        super().__init__(errno)
        self.errno = errno

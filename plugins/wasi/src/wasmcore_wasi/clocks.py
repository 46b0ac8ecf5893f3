"""Clocks and giving way to other threads."""

from __future__ import annotations

import os
import time

from wasmcore_wasi.errors import INVAL, Failure
from wasmcore_wasi.guest import Guest
from wasmcore_wasi.layout import U32_MASK, U64, U64_MASK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_HOST_CLOCKS: Final = (time.CLOCK_REALTIME, time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)


def clock_res_get(guest: Guest, clock: int, resolution: int) -> None:
    """Resolution of a clock in ns."""
    if not 0 <= clock < len(_HOST_CLOCKS):
        raise Failure(INVAL)
    U64.pack_into(guest.memory(), resolution & U32_MASK, max(1, round(time.clock_getres(_HOST_CLOCKS[clock]) * 1e9)))


def clock_time_get(guest: Guest, clock: int, _precision: int, now: int) -> None:
    """Time of a clock in ns."""
    U64.pack_into(guest.memory(), now & U32_MASK, guest.now(clock) & U64_MASK)


def sched_yield(_guest: Guest) -> None:
    """Let other threads run."""
    os.sched_yield()

"""What a process has in use, as the system and Python count it."""

from __future__ import annotations

import ctypes
import gc
import os
import threading
from collections.abc import Sized
from pathlib import Path
from typing import NamedTuple

from wasmcore.runtime.execution.threads import ThreadRecord, process

from .world import objects_of_wasmcore

RESIDENT_TOLERANCE = 4 << 20
"""Bytes: what the C library and Python keep of freed memory differs from one moment to the next by less."""


class Counts(NamedTuple):
    """Numbers that must not grow while the same is done again and again."""

    resident: int
    """Bytes."""
    mappings: int
    """Lines of `/proc/self/maps`."""
    code: int
    """Executable bytes in no file."""
    descriptors: int
    threads: int
    children: int
    """Processes that nobody waited for."""
    thread_records: int
    """Threads that the runtime takes for alive."""
    objects: int
    """Objects of wasmcore that the collector knows."""
    watched: int
    """Objects that the phase made and watches by weak references."""


def count(watched: Sized) -> Counts:
    """The numbers of this process, garbage collected before."""
    for _ in range(3):
        gc.collect()
    maps = Path("/proc/self/maps").read_text().splitlines()
    executable = [line.split()[0].split("-") for line in maps if " r-xp " in line and len(line.split()) == 5]
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    children = Path(f"/proc/self/task/{threading.main_thread().native_id}/children").read_text()
    first, size = process.threads, ctypes.sizeof(ThreadRecord)
    records = [ThreadRecord.from_address(first + size * number).pointer for number in range(process._record.thread_count)]
    return Counts(
        resident=int(status["VmRSS"].split()[0]) << 10,
        mappings=len(maps),
        code=sum(int(end, 16) - int(start, 16) for start, end in executable),
        descriptors=len(os.listdir("/proc/self/fd")),
        threads=len(os.listdir("/proc/self/task")),
        children=len(children.split()),
        thread_records=sum(pointer != 0 for pointer in records),
        objects=objects_of_wasmcore().total(),
        watched=len(watched),
    )


def growing(blocks: list[Counts]) -> dict[str, list[int]]:
    """The numbers that are larger after each block of rounds than after the one before."""
    columns = {name: [getattr(block, name) for block in blocks] for name in Counts._fields}
    rising = {name: column for name, column in columns.items() if all(a < b for a, b in zip(column, column[1:]))}
    resident = rising.get("resident")
    if resident is not None and resident[-1] - resident[0] < RESIDENT_TOLERANCE:
        del rising["resident"]
    return rising

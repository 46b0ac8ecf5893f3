"""The map that Linux `perf` reads to name generated code; written when WASMCORE_PERF=1."""

from __future__ import annotations

import os

from wasmcore._typing import Final

ENABLED: Final = os.environ.get("WASMCORE_PERF") == "1"


def add(address: int, size: int, name: str | None, index: int) -> None:
    """Append one function to the map of this process."""
    label = (name or f"func[{index}]").replace("\n", " ")
    with open(f"/tmp/perf-{os.getpid()}.map", "a", encoding="utf-8") as stream:
        stream.write(f"{address:x} {size:x} wasm::{label}\n")

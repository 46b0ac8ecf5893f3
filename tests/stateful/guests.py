"""The modules that programs instantiate: one text with its memory, tables and globals defined or imported."""

from __future__ import annotations

from typing import NamedTuple

from tests.cache.programs import section
from wasmcore import TrapKind


class Guest(NamedTuple):
    """What is different from module to module."""

    memory: str
    """Limits of the memory as text, with `i64` before them for 64-bit addresses."""
    imports: frozenset[str] = frozenset()
    """Those of `memory`, `functions`, `objects` (the tables), `counter`, `kept` (the globals) that are imported."""
    start: str = ""
    """What the start function does: nothing, `host` or `trap`."""
    seeded: bool = True
    """Whether there are active segments, which trap if the memory or the table is too small."""

    @property
    def index64(self) -> bool:
        """Whether the memory has 64-bit addresses."""
        return self.memory.startswith("i64")

    @property
    def limits(self) -> tuple[int, int | None]:
        """Minimum and maximum of the memory in pages."""
        numbers = [int(word) for word in self.memory.split() if word.isdigit()]
        return numbers[0], numbers[1] if len(numbers) > 1 else None


EVERYTHING = frozenset({"memory", "functions", "objects", "counter", "kept"})
GUESTS = (
    Guest("1 4"),
    Guest("0 3", seeded=False),
    Guest("i64 1 5"),
    Guest("0", EVERYTHING),
    Guest("i64 0", frozenset({"memory"}), seeded=False),
    Guest("1", frozenset({"functions", "objects"}), start="host"),
    Guest("2 6", frozenset({"functions", "kept"}), start="trap"),
    Guest("i64 0 2", frozenset({"counter"}), seeded=False),
    Guest("0", frozenset({"memory", "functions"})),
    Guest("0", EVERYTHING, seeded=False),
)
ONLY_LINKS = len(GUESTS) - 1
"""The number of the guest that imports everything and writes nothing when it is instantiated."""
FUNCTIONS = 3, 20
"""Limits of the table of functions where a module defines it."""
OBJECTS = 2, 5000
"""Those of the table of objects."""
SEED = b"seed"
SEED_AT = 3
STARTED = 1000
"""What the start function adds to the counter before it traps or calls the host."""

TRAPS = {
    "unreachable": TrapKind.UNREACHABLE,
    "divide": TrapKind.INTEGER_DIVIDE_BY_ZERO,
    "recurse": TrapKind.STACK_OVERFLOW,
    "convert": TrapKind.INVALID_CONVERSION_TO_INTEGER,
    "far": TrapKind.MEMORY_OUT_OF_BOUNDS,
}
"""Exports without parameters that always trap, in any state."""

_DEFINITIONS = {
    "memory": "(memory $memory {import} {memory})",
    "functions": f"(table $functions {{import}} {FUNCTIONS[0]} {FUNCTIONS[1]} funcref)",
    "objects": f"(table $objects {{import}} {OBJECTS[0]} {OBJECTS[1]} externref)",
    "counter": "(global $counter {import} (mut i64) (i64.const 0))",
    "kept": "(global $kept {import} (mut externref) (ref.null extern))",
}
_IMPORTED = {
    "memory": '(import "env" "memory" (memory $memory {memory}))',
    "functions": '(import "env" "functions" (table $functions 0 funcref))',
    "objects": '(import "env" "objects" (table $objects 0 externref))',
    "counter": '(import "env" "counter" (global $counter (mut i64)))',
    "kept": '(import "env" "kept" (global $kept (mut externref)))',
}
_BODY = """
(export "memory" (memory $memory)) (export "functions" (table $functions)) (export "objects" (table $objects))
(export "counter" (global $counter)) (export "kept" (global $kept))
(func $add (export "add") (param i64) (result i64)
  (global.set $counter (i64.add (global.get $counter) (local.get 0))) (global.get $counter))
(func (export "load") (param ADDRESS) (result i32) (i32.load8_u (local.get 0)))
(func (export "load_far") (param ADDRESS) (result i32) (i32.load8_u offset=65536 (local.get 0)))
(func (export "store") (param ADDRESS i32) (i32.store8 (local.get 0) (local.get 1)))
(func (export "fill") (param ADDRESS i32 ADDRESS) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
(func (export "copy") (param ADDRESS ADDRESS ADDRESS) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
(func (export "grow") (param ADDRESS) (result ADDRESS) (memory.grow (local.get 0)))
(func (export "size") (result ADDRESS) (memory.size))
(func (export "grow_and_store") (param ADDRESS ADDRESS i32) (result ADDRESS)
  (memory.grow (local.get 0)) (i32.store8 (local.get 1) (local.get 2)))
(func (export "call") (param i32 i64) (result i64) (call_indirect $functions (type $step) (local.get 1) (local.get 0)))
(func (export "get_function") (param i32) (result funcref) (table.get $functions (local.get 0)))
(func (export "set_function") (param i32 funcref) (table.set $functions (local.get 0) (local.get 1)))
(func (export "grow_functions") (param funcref i32) (result i32) (table.grow $functions (local.get 0) (local.get 1)))
(func (export "get_object") (param i32) (result externref) (table.get $objects (local.get 0)))
(func (export "set_object") (param i32 externref) (table.set $objects (local.get 0) (local.get 1)))
(func (export "grow_objects") (param externref i32) (result i32) (table.grow $objects (local.get 0) (local.get 1)))
(func (export "keep") (param externref) (global.set $kept (local.get 0)))
(func (export "kept_now") (result externref) (global.get $kept))
(func (export "same") (param externref) (result externref) (local.get 0))
(func $host_and_add (export "host_and_add") (param i64) (result i64)
  (i64.add (call $host (local.get 0)) (global.get $counter)))
(func (export "host_and_store") (param i64 ADDRESS i32) (result i64)
  (call $host (local.get 0)) (i32.store8 (local.get 1) (local.get 2)))
(func (export "host_and_object") (param externref) (result externref) (drop (call $host (i64.const 0))) (local.get 0))
(func (export "spin") (param i64) (result i64) (local $count i64)
  (loop $again
    (local.set $count (i64.add (local.get $count) (i64.const 1)))
    (br_if $again (i64.lt_u (local.get $count) (local.get 0))))
  (local.get $count))
(func (export "forever") (loop $again (br $again)))
(func (export "unreachable") unreachable)
(func (export "divide") (drop (i64.div_u (i64.const 1) (i64.const 0))))
(func $recurse (export "recurse") (call $recurse) (call $recurse))
(func (export "convert") (drop (i32.trunc_f64_s (f64.const nan))))
(func (export "far") (drop (i64.load offset=0xfffffff0 (ADDRESS.const -9))))
"""
_STARTS = {
    "": "",
    "host": f"(func $start (drop (call $add (i64.const {STARTED}))) (drop (call $host (i64.const 0)))) (start $start)",
    "trap": f"(func $start (drop (call $add (i64.const {STARTED}))) unreachable) (start $start)",
}
_SEGMENTS = f'(elem (table $functions) (i32.const 0) func $add) (data (ADDRESS.const {SEED_AT}) "{SEED.decode()}")'


def text(guest: Guest) -> str:
    """The module in the text format."""
    imports = [_IMPORTED[name] for name in _IMPORTED if name in guest.imports]
    definitions = [_DEFINITIONS[name].replace("{import} ", "") for name in _DEFINITIONS if name not in guest.imports]
    parts = ["(type $step (func (param i64) (result i64)))", '(import "env" "host" (func $host (type $step)))']
    parts += [*imports, *definitions, _BODY, _SEGMENTS if guest.seeded else "", _STARTS[guest.start]]
    whole = "\n".join(parts).replace("{memory}", guest.memory).replace("ADDRESS", "i64" if guest.index64 else "i32")
    return f"(module $guest {whole})"


def padded(module: bytes, size: int) -> bytes:
    """A module that does the same and is larger by so many bytes: caches take no small ones."""
    return module + section(0, b"\1x" + bytes(size))

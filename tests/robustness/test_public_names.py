"""No public name ends the process, whatever it is given; what owns native memory is there once; bytes are what the buffer protocol says."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wasmcore

from .hostile import Forged, World

OWNERS = ("memory", "table", "cell", "reference", "tag", "func", "behind", "instance", "exports")
OTHERS = ("engine", "module", "function", "wide", "host_memory", "host_table", "host_cell", "linker", "view")


def test_no_object_is_forgotten() -> None:
    assert {*OWNERS, *OTHERS} == World().__dict__.keys()


@pytest.mark.parametrize("name", OWNERS + OTHERS)
def test_hostile_arguments_and_values(name: str) -> None:
    program = Path(__file__).with_name("hostile.py")
    command = [sys.executable, str(program), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, env=os.environ)
    assert done.returncode == 0, done.stderr[-3000:]
    alive, count = done.stdout.split()[-2:]
    assert alive == "alive" and int(count) > 20


@pytest.mark.parametrize("name", OWNERS)
def test_what_owns_native_memory_is_there_once(name: str) -> None:
    world = World()
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="can not be copied or pickled: "):
            attempt(getattr(world, name))
    assert world.exports["f"]() == 7 == world.function()


def test_functions_are_copied_by_sharing_and_not_pickled() -> None:
    function = World().function
    assert copy.copy(function) is copy.deepcopy(function) is function
    with pytest.raises(TypeError, match="can not be copied or pickled"):
        pickle.dumps(function)


def test_modules_are_copied() -> None:
    for copied in (copy.copy, copy.deepcopy, lambda module: pickle.loads(pickle.dumps(module))):
        assert wasmcore.Instance(copied(World().module)).exports["f"]() == 7


def test_only_functions_of_ours_are_functions_of_ours() -> None:
    world = World()
    forged = Forged()
    forged.__self__ = forged
    for value in (forged, Forged, 5, print, [].append, lambda: None):
        with pytest.raises(TypeError, match="function reference is expected"):
            world.table[0] = value
        with pytest.raises(TypeError, match="function reference is expected"):
            world.host_cell.value = value
        with pytest.raises(TypeError, match="function reference is expected"):
            world.wide(1, 2, 3.0, value, None, 0)
    world.wide(1, 2, 3.0, None, forged, 0)
    with pytest.raises(TypeError, match="exported by instances"):
        type(world.behind)()


def test_subclasses_do_not_deceive_the_runtime() -> None:
    """What a subclass makes of public names is for Python; code gets what is there."""

    class Large(wasmcore.Memory):
        guarded = type = size = property(lambda self: wasmcore.MemoryType(wasmcore.Limits(9, 9)))  # type: ignore[assignment]

        def __len__(self) -> int:
            return 1 << 40

        def grow(self, pages: int) -> int:
            return 5

    class Long(wasmcore.Table):
        type = property(lambda self: wasmcore.TableType(6, wasmcore.Limits(9, 9)))  # type: ignore[assignment]

        def __len__(self) -> int:
            return 1 << 40

    text = """(module (import "e" "m" (memory {0})) (import "e" "t" (table {0} funcref)) (func $f)
      (func (export "grow") (result i32) (memory.grow (i32.const 1))) (elem declare func $f)
      (func (export "load") (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "fill") (param i32) (table.fill (local.get 0) (ref.func $f) (i32.const 1))))"""
    given = {"e": {"m": Large(1, 2, guarded=False), "t": Long(1)}}
    with pytest.raises(wasmcore.LinkError, match="given memory 1 2"):
        wasmcore.Instance(wasmcore.Module(text.format(2)), given)
    exports = wasmcore.Instance(wasmcore.Module(text.format(1)), given).exports
    assert [exports.grow(), exports.grow()] == [1, -1] and exports.load(0x1FFFC) == 0
    exports.fill(0)
    for function, place in ((exports.load, 0x20000), (exports.fill, 1)):
        with pytest.raises(wasmcore.Trap, match="out of bounds"):
            function(place)


class Lying(bytes):
    """Bytes that say to be others."""

    def __len__(self) -> int:
        return 1 << 20

    def __bytes__(self) -> bytes:
        return b"nothing"

    def __getitem__(self, place: Any) -> Any:
        return 0

    def startswith(self, *arguments: Any) -> bool:
        return False


def test_bytes_are_what_the_buffer_protocol_says() -> None:
    text = '(module (memory (export "m") 1) (data (i32.const 5) "data") (global (export "v") (mut v128) (v128.const i64x2 1 2)))'
    binary = wasmcore.wat2wasm(text)
    assert wasmcore.wat2wasm(Lying(text.encode())) == binary
    assert wasmcore.wasm2wat(Lying(binary)) == wasmcore.wasm2wat(binary)
    wasmcore.validate(Lying(binary))
    module = wasmcore.Module(Lying(binary))
    for each in (module, wasmcore.Module.deserialize(Lying(module.serialize()))):
        exports = wasmcore.Instance(each).exports
        assert exports["m"].read(4, 6) == b"\0data\0"
    exports["v"].value = Lying(range(16))
    assert exports["v"].value == bytes(range(16))

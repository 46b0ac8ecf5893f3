"""Pickled modules keep what their engine was told."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import wasmcore

TEXT = '(module (memory (export "memory") 1) (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'
ENGINES: list[dict[str, Any]] = [
    {},
    {"lazy": True},
    {"lazy": False},
    {"guard": False},
    {"guard": True},
    {"signals": False},
    {"signals": False, "guard": False, "lazy": False},
    {"cache": False},
    {"features": "+threads,-simd"},
    {"features": {"mvp"}},
]
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)


def told(engine: wasmcore.Engine) -> tuple[object, ...]:
    """What an engine was told, as far as it can travel; all attributes but `progress` and `executor`, and what is found out."""
    found_out = {"progress", "executor", "backend", "target", "_cache"}
    return engine.backend.name, *sorted((name, value) for name, value in vars(engine).items() if name not in found_out)


@pytest.mark.parametrize("arguments", ENGINES)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_engine_travels(arguments: dict[str, Any], protocol: int, backend: str) -> None:
    module = wasmcore.Module(TEXT, engine=wasmcore.Engine(backend, **arguments))
    again = pickle.loads(pickle.dumps(module, protocol))
    assert told(again.engine) == told(module.engine)
    assert again.info.data == module.info.data and wasmcore.Instance(again).exports.add(2, 3) == 5


def test_options_and_cache_travel(tmp_path: Path, backend: str) -> None:
    options = {name: values[-1] for name, values in wasmcore.backends()[backend].options.items()}
    engine = wasmcore.Engine(backend, options=options, cache=tmp_path, lazy=False)
    again = pickle.loads(pickle.dumps(wasmcore.Module(TEXT, engine=engine)))
    assert told(again.engine) == told(engine) and dict(again.engine.options) == options


def test_what_can_not_travel_stays(backend: str) -> None:
    engine = wasmcore.Engine(backend, progress=lambda done, total: None)
    again = pickle.loads(pickle.dumps(engine))
    assert again.progress is None and told(again) == told(engine)


def test_modules_of_one_engine_still_share_it(backend: str) -> None:
    engine = wasmcore.Engine(backend)
    first, second = pickle.loads(pickle.dumps([wasmcore.Module(TEXT, engine=engine), wasmcore.Module("(module)", engine=engine)]))
    assert first.engine is second.engine


def test_copies_are_the_same_object(backend: str) -> None:
    module = wasmcore.Module(TEXT, engine=wasmcore.Engine(backend, progress=lambda done, total: None))
    for copied in (copy.copy(module), copy.deepcopy(module), copy.deepcopy({"module": module})["module"]):
        assert copied is module
    assert copy.deepcopy(module.engine) is copy.copy(module.engine) is module.engine

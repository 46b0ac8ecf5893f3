"""Graphs are what they have to be, and say what a reader would expect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from stages import lines, listings

import wasmcore
from wasmcore.binary import decode
from wasmcore.compile.fixed_tables import with_fixed_tables
from wasmcore.opcodes import FEATURES
from wasmcore.plugin.streams.bodies import FunctionTypes
from wasmcore.plugin.streams.inlining import Inliner
from wasmcore.runtime.instances.plan import plan
from wasmcore.validation import StreamWriter
from wasmcore_midtier.ssa.build import Builder
from wasmcore_midtier.ssa.dead_code import DeadCode
from wasmcore_midtier.ssa.values import NotBuilt
from wasmcore_midtier.ssa.verify import Wrong, verify

ROOT = Path(__file__).parents[3]
MODULES = sorted([*ROOT.glob("benchmarks/kernels/*.wasm"), *ROOT.glob("benchmarks/programs/*.wasm"), *ROOT.glob("examples/*.wasm")])


def streams(data: bytes) -> Iterator[tuple[FunctionTypes, bytes]]:
    """All functions of a module, as they are and with what is inlined."""
    features = frozenset(FEATURES)
    info = decode(data, features)
    writer = StreamWriter(info, features)
    found = [writer.stream(index) for index in range(info.imported_functions, info.function_count)]
    types = FunctionTypes(with_fixed_tables(plan(info, [True] * len(info.memories)), info, writer.written_tables))
    inliner = Inliner(types, found)
    for stream in found:
        yield types, stream
        yield types, inliner.expanded(stream)[0]


def check(data: bytes) -> int:
    """Verify all graphs of a module; how many there are."""
    built = 0
    builder: Builder | None = None
    for types, stream in streams(data):
        if builder is None or builder.types is not types:
            builder = Builder(types)
        try:
            graph = builder.build(stream)
        except NotBuilt:
            continue
        verify(graph)
        DeadCode(graph).remove()
        verify(graph)
        built += 1
    return built


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.stem)
def test_modules(file: Path) -> None:
    assert check(file.read_bytes())


def test_stages() -> None:
    """`stages.txt` is to be read."""
    assert list(lines()) == (Path(__file__).with_name("stages.txt").read_text() + "\n").split("\n")[:-1]


def test_listings_go_forward() -> None:
    """`objdump` sorts lines by their words: a block must not stand before what was moved into the one in front of it."""
    for title, listing in listings():
        words = [word for word, _ in listing]
        assert words == sorted(words), title


def test_the_page_shows_what_the_tool_does() -> None:
    page = (ROOT / "docs/midtier.md").read_text()
    shown = {title: [line for _, line in listing] for title, listing in listings()}
    for stage in ("opt", "records"):
        assert "```\n" + "\n".join(shown[f"$hoisted, {stage}"]) + "\n```\n" in page, stage


def test_the_verifier_finds_what_is_wrong() -> None:
    text = "(module (func (param i32) (result i32) (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.clz (local.get 0))))))"
    (types, stream), _ = streams(bytes(wasmcore.wat2wasm(text)))
    builder = Builder(types)
    graph = builder.build(stream)
    verify(graph)
    (clz,) = graph.values_of(2)
    graph.a[clz] = clz
    with pytest.raises(Wrong, match=f"v{clz} uses v{clz} before it is there"):
        verify(graph)
    graph = builder.build(stream)
    graph.param_count[3] = 0
    with pytest.raises(Wrong):
        verify(graph)


@pytest.mark.parametrize(
    ("count", "shape"),
    [
        (20_000, "(local.set 0 (i32.add (local.get 0) (i32.load (local.get 0))))"),
        (5_000, "(block (br_if 0 (local.get 0)) (local.set 0 (i32.clz (local.get 0))))"),
        (2_000, "(loop (br_if 0 (local.tee 0 (i32.clz (local.get 0)))))"),
        (2_000, "(if (local.get 0) (then (local.set 0 (i32.const 1))) (else (local.set 1 (i32.const 2))))"),
    ],
)
def test_long_functions(count: int, shape: str) -> None:
    """They compile, in a time that nobody notices."""
    module = wasmcore.Module(f"(module (memory 1) (func (param i32) (local i32) {shape * count}))", backend="midtier")
    assert len(module.serialize()) > count


@pytest.mark.parametrize("depth", [10, 1_000, 5_000])
def test_deep_functions(depth: int) -> None:
    body = "(block " * depth + "(br_if 0 (local.get 0))" + ")" * depth
    text = f'(module (func (export "f") (param i32) (result i32) {body} (local.get 0)))'
    assert wasmcore.Instance(wasmcore.Module(text, backend="midtier")).exports.f(7) == 7


def test_many_targets() -> None:
    """A table of branches that all go to one place, and one that leaves."""
    targets = "0 1 " * 20_000
    text = f"""(module (func (export "f") (param i32) (result i32)
        (block (block (br_table {targets} 2 (i32.const 5) (local.get 0))) (return (i32.const 1))) (i32.const 2)))"""
    text = text.replace("(i32.const 5) (local.get 0)", "(local.get 0)").replace(" 2 (local", " 1 (local")
    exports = wasmcore.Instance(wasmcore.Module(text, backend="midtier")).exports
    assert [exports.f(index) for index in (0, 1, 2, 39_999, 1 << 30)] == [1, 2, 1, 2, 2]

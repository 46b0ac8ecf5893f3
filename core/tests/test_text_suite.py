"""The text of the official test suite: equal to wasmtime's bytes, refused where it has to be, and mutated."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import wasmtime
from suite.scripts import Script
from suite_modules import NAMES, SCRIPTS

from wasmcore._build import COMPILED
from wasmcore.errors import CompileError
from wasmcore.text.module import TextReader, wat2wasm

DIFFERENT = {
    ("type-rec.wast", 45): "a recursion group of one type is what a type use stands for",
    ("type-rec.wast", 185): "a recursion group of one type is what a type use stands for",
    ("type-rec.wast", 197): "a recursion group of one type is what a type use stands for",
    ("type-subtyping.wast", 344): "a type that is not final is none that a type use stands for",
    ("type-subtyping.wast", 373): "a type that is not final is none that a type use stands for",
}
"""Where other bytes than wasmtime's are right: script and line of the command, and the rule (specification 6.4.9 and 6.4.10)."""
REFUSED = {("names.wast", 19): "characters that could confuse a reader are not malformed"}
"""What wasmtime does not take."""
WELL_FORMED = {
    ("proposals/threads/memory.wast", 83): "sizes have 64 bits in WebAssembly 3.0, so too large ones are invalid",
    ("proposals/threads/memory.wast", 87): "sizes have 64 bits in WebAssembly 3.0, so too large ones are invalid",
    ("proposals/threads/memory.wast", 91): "sizes have 64 bits in WebAssembly 3.0, so too large ones are invalid",
}
"""What the proposal calls malformed, and version 3.0 does not."""


class Command(NamedTuple):
    """A module of a script: where, in which command, and its text."""

    line: int
    form: str
    text: bytes
    message: str


def commands(script: Script) -> Iterator[Command]:
    """All text modules of a script, also quoted ones; a script that is one module itself, too."""
    reader = TextReader(script.path.read_bytes())
    if reader.peek_form() in ("func", "memory"):
        yield Command(1, "", reader.data, "")
        return
    while not reader.at_end():
        start = reader.position
        line, _ = reader.line_and_column()
        form = reader.peek_form()
        if form.startswith("assert_"):
            reader.open_form(form)
        if reader.peek_form() == "module":
            inside = reader.position
            first, last = reader.skip_form()
            message = reader.string().decode() if reader.at_string() else ""
            reader.position = inside
            reader.open_form("module")
            reader.identifier()
            keyword = reader.peek_keyword()
            reader.position = inside
            if keyword == "quote":
                yield Command(line, form, reader.module().data, message)
            elif keyword not in ("binary", "definition", "instance"):
                yield Command(line, form, reader.data[first:last], message)
            elif keyword == "definition":
                reader.module()
        reader.position = start
        reader.skip_form()


@pytest.mark.parametrize("script", SCRIPTS, ids=NAMES)
def test_equal_to_wasmtime_or_refused(script: Script) -> None:
    for command in commands(script):
        place = (script.name, command.line)
        if command.form.startswith("assert_malformed"):
            if place in WELL_FORMED:
                assert wat2wasm(command.text)
                continue
            with pytest.raises(CompileError) as error:
                wat2wasm(command.text)
            assert error.value.message.startswith(command.message), place
            continue
        wasm = wat2wasm(command.text)
        try:
            expected = bytes(wasmtime.wat2wasm(command.text))
        except wasmtime.WasmtimeError as refusal:
            assert place in REFUSED, refusal
            continue
        assert place not in REFUSED
        assert (wasm == expected) == (place not in DIFFERENT), place


def mutated(text: bytes, source: random.Random) -> bytes:
    """The text with a few bytes or tokens changed, removed, doubled or exchanged."""
    parts = text.split(b" ")
    for _ in range(source.randint(1, 4)):
        at = source.randrange(len(parts))
        kind = source.randrange(6)
        if kind == 0:
            del parts[at : at + source.randint(1, 3)]
        elif kind == 1:
            parts[at:at] = parts[at : at + source.randint(1, 5)]
        elif kind == 2:
            other = source.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif parts[at]:
            changed = bytearray(parts[at])
            changed[source.randrange(len(changed))] = source.choice(b'()";$ \n\\09azx_-.=@') if kind < 5 else source.randrange(256)
            parts[at] = bytes(changed)
        if not parts:
            return b""
    return b" ".join(parts)


@pytest.mark.skipif(not SCRIPTS, reason="there is no test suite")
@pytest.mark.parametrize("seed", range(8))
def test_mutated_text(seed: int) -> None:
    """Anything may be wrong with a text, but only a `CompileError` comes of it."""
    source = random.Random(seed)
    small = [script for script in SCRIPTS if script.path.stat().st_size < 60_000]
    accepted = refused = 0
    for script in source.sample(small, 12 if COMPILED else 3):
        for command in commands(script):
            if len(command.text) < 3000:
                try:
                    wat2wasm(mutated(command.text, source))
                    accepted += 1
                except CompileError as error:
                    assert str(error)
                    refused += 1
    assert accepted + refused > 0


@pytest.mark.skipif(not SCRIPTS, reason="there is no test suite")
def test_truncated_text() -> None:
    script = next(script for script in SCRIPTS if script.name == "annotations.wast")
    for command in commands(script):
        for end in range(0, len(command.text), 7):
            try:
                wat2wasm(command.text[:end])
            except CompileError as error:
                assert str(error)

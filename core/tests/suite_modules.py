"""The modules of the official test suite, for tests that need many of every kind."""

from __future__ import annotations

from collections.abc import Iterator

from suite.scripts import Script, find_scripts

from wasmcore.errors import CompileError
from wasmcore.text.module import TextReader

SCRIPTS: list[Script] = find_scripts()
NAMES = [script.name for script in SCRIPTS]


def modules(script: Script) -> Iterator[tuple[str, bytes]]:
    """Kind ("text", "binary", "quote") and binary (the text of a quoted one) of each module of a script that is well-formed text."""
    reader = TextReader(script.path.read_bytes())
    while not reader.at_end():
        start = reader.position
        form = reader.peek_form()
        if form.startswith("assert_"):
            reader.open_form(form)
        if reader.peek_form() == "module":
            try:
                found = reader.module()
            except CompileError:
                pass
            else:
                yield found.kind, found.data
        reader.position = start
        reader.skip_form()

"""How fast text becomes a module: every text module of the official test suite, against wasmtime's parser; see README.md."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import wasmtime
from engines import HERE
from timing import interleave, machine_kind, print_table, seconds_of, write_json

from wasmcore.text import wat2wasm
from wasmcore.text.module import TextReader

SUITE = HERE.parent.parent / "shared" / "spec-testsuite"
FORMS = ("binary", "quote", "instance")


def modules(folder: Path) -> Iterator[bytes]:
    """The text of every module that stands as text in the scripts of a folder."""
    for path in sorted(folder.glob("*.wast")):
        reader = TextReader(path.read_bytes())
        while not reader.at_end():
            yield from modules_in(reader)


def modules_in(reader: TextReader) -> Iterator[bytes]:
    """The text modules in the next form of a script: the form itself, or one that it makes an assertion about."""
    start = reader.position
    end = reader.form_end()
    if reader.peek_form() != "module":
        reader.position = start + 2
    if reader.peek_form() == "module":
        inside = reader.position
        reader.open_form("module")
        reader.identifier()
        keyword = reader.peek_keyword()
        reader.position = inside
        if keyword not in (*FORMS, "definition"):
            first, last = reader.skip_form()
            yield reader.data[first:last]
    reader.position = end


def accepted(text: bytes) -> bool:
    """Whether wasmtime and wasmcore both take a text."""
    try:
        wasmtime.wat2wasm(text)
        wat2wasm(text)
    except (wasmtime.WasmtimeError, ValueError):
        return False
    return True


def for_all(parse: Callable[[bytes], object], texts: list[bytes]) -> Callable[[], float]:
    """Seconds that all texts take together."""

    def run() -> None:
        for text in texts:
            parse(text)

    return lambda: seconds_of(run)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", type=Path, default=SUITE, help="folder of the official test suite")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    every = list(modules(options.suite))
    texts = [text for text in every if accepted(text)]
    one = max(texts, key=len)
    corpora = {"all modules": texts, "the largest one": [one] * 20}
    print(f"{machine_kind()}; {len(texts)} of {len(every)} modules that both parsers take, medians of {options.rounds} rounds\n")
    rows = []
    results = {}
    for name, corpus in corpora.items():
        megabytes = sum(map(len, corpus)) / 1e6
        measured = {"wasmtime": for_all(wasmtime.wat2wasm, corpus), "wasmcore": for_all(wat2wasm, corpus)}
        seconds = interleave(measured, options.rounds)
        speeds = {measure: megabytes / taken for measure, taken in seconds.items()}
        rows.append([name, megabytes, speeds["wasmtime"], speeds["wasmcore"], speeds["wasmcore"] / speeds["wasmtime"]])
        results[name] = speeds
    print_table(["corpus", "MB", "wasmtime MB/s", "wasmcore MB/s", "wasmcore / wasmtime"], rows)
    write_json(options.json, {"megabytes per second": results})


if __name__ == "__main__":
    main()

"""Tables: by rich on a terminal, as plain columns otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TextIO

from wasmcore.cli.report import visible


def show_table(output: TextIO, title: str, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table; nothing where there are no rows."""
    texts = [[visible(str(cell)) for cell in row] for row in rows]
    if not texts:
        return
    if output.isatty():
        _show_rich(output, title, heads, texts)
    else:
        _show_plain(output, title, heads, texts)


def _show_rich(output: TextIO, title: str, heads: Sequence[str], rows: list[list[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*heads, title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(file=output).print(table)


def _show_plain(output: TextIO, title: str, heads: Sequence[str], rows: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    print(title, file=output)
    for row in (heads, *rows):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), file=output)
    print(file=output)

"""The text format: from text to bytes, from bytes to text, and the reader that scripts are built on.

    from wasmcore.text import wat2wasm
    wasm = wat2wasm('(module (func (export "f") (result i32) i32.const 42))')

`wasmcore.text.module.TextReader(source)` reads the tokens of a source (`str`, or `bytes` in UTF-8) and is what the script language uses,
too. It has a `position` (an index that can be kept and set again) and the following methods; all raise `TextError` at the token they are
about.

- Looking ahead: `at_end()`, `at_left()`, `at_right()`, `at_string()`, `at_number()`, `peek_keyword()` (the keyword that comes next, or
  ""), `peek_form()` (the keyword behind the parenthesis that comes next, or "").
- Reading: `left()`, `right()`, `keyword()`, `expect_keyword(keyword)`, `open_form(keyword)` (reads `(keyword` if it is there, says
  whether), `identifier()` (text without `$`, or None), `string()` (bytes), `name()` (str, checked as UTF-8), `integer(bits)` (unsigned
  value of 8, 16, 32 or 64 bits), `float_bits(bits)`, `float_pattern(bits)` (bits, or "nan:canonical" or "nan:arithmetic"), `heap_type()`
  (a name or an index), `skip_form()` (steps over a parenthesised form, gives the byte offsets of its start and end in `data`).
- Places: `line_and_column(position=None)`, `offset()`, `error(message, position=None)` and `unexpected(wanted="")` (the `TextError` to
  raise).
- Modules: `module()` reads `(module ...)`, also `(module definition ...)`, and gives a `TextModule`: `identifier` (or None),
  `definition`, `kind` ("text", "binary" or "quote") and `data`: the binary module of a text module, the bytes of a binary one, the quoted
  text of a quoted one, neither of which is looked into. `module_fields()` reads a bare sequence of module fields up to the end.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasmcore.text.module import wat2wasm as wat2wasm
    from wasmcore.text.printer import wasm2wat as wasm2wat

_HOME = {"wasm2wat": "wasmcore.text.printer", "wat2wasm": "wasmcore.text.module"}
"""Where each function lives; it is imported when first used."""


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(home), name)
    globals()[name] = value
    return value

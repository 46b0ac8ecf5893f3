"""Tokens of the text format, and the reader that scripts are built on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wasmcore.errors import TextError
from wasmcore.opcodes import OPCODES
from wasmcore.text import keywords, lexer
from wasmcore.text.lexer import Lexer
from wasmcore.text.module import TextReader

KINDS = {
    value: name
    for name, value in vars(lexer).items()
    if name in "EOF LEFT RIGHT KEYWORD IDENTIFIER INTEGER FLOAT STRING WORD RESERVED OFFSET ALIGN ANNOTATION ERROR".split()
}


def kinds(source: str) -> str:
    tokens = Lexer(source.encode()).tokens()
    return " ".join(KINDS[tokens.words[index] & 15] for index in range(tokens.end))


def texts(source: str) -> list[str]:
    reader = TextReader(source)
    found = []
    while reader.words[reader.position] & 15 != lexer.EOF:
        found.append(reader.token_text(reader.position).decode())
        reader.position += 1
    return found


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ""),
        ("(i32.add)", "LEFT KEYWORD RIGHT"),
        ("i32.add i32.adds I32.add", "KEYWORD WORD RESERVED"),
        ("$a $!#$%&'*+-./:<=>?@\\^_`|~", "IDENTIFIER IDENTIFIER"),
        ('$"a b" $"\\41"', "IDENTIFIER IDENTIFIER"),
        ('$a"b" "a""b" "a"b a,b 0drop 0"a"', "RESERVED RESERVED RESERVED RESERVED RESERVED RESERVED"),
        (", ; [ ] { }", "RESERVED RESERVED RESERVED RESERVED RESERVED RESERVED"),
        ("0 -0 +1_000 0xF_f 00", "INTEGER INTEGER INTEGER INTEGER INTEGER"),
        ("0. 1.5 1e3 1E-3 0x1p4 0x.8", "FLOAT FLOAT FLOAT FLOAT FLOAT RESERVED"),
        ("inf -inf +nan nan:0x1_F nan:canonical nan:arithmetic", "FLOAT FLOAT FLOAT FLOAT KEYWORD KEYWORD"),
        (
            "1__0 _1 1_ 0x 0x_1 1e 1e+ 0xg nan:0x nan:1 infx",
            "RESERVED RESERVED RESERVED RESERVED RESERVED RESERVED RESERVED RESERVED WORD WORD WORD",
        ),
        ("+ - +x", "RESERVED RESERVED RESERVED"),
        ("offset=1 align=0x8 offset=", "OFFSET ALIGN OFFSET"),
        ("a;;b\nc(;d(;e;);)f", "WORD WORD WORD"),
        ("a ;; b\rc", "WORD WORD"),
        ("(;;)(; ;; ;)()", "LEFT RIGHT"),
        ("(@a b) c (@d (e) ) $f)", "WORD IDENTIFIER RIGHT"),
        ('(@"x y" [ ; ] "\\00" $ 8q $) (@b $) (@@) nop', "KEYWORD"),
        ('"\\t\\n\\r\\"\\\'\\\\\\00\\ff\\u{10_FFFF}"', "STRING"),
        ("(", "LEFT"),
    ],
)
def test_tokens(source: str, expected: str) -> None:
    assert kinds(source) == expected


@pytest.mark.parametrize(
    ("source", "message", "column"),
    [
        ('x "a', "unclosed string", 3),
        ('x "a\nb"', "unclosed string", 3),
        ('x "a\tb"', "illegal character in string", 5),
        ('"\\x"', "illegal escape", 2),
        ('"\\0g"', "illegal escape", 2),
        ('"\\u{d800}"', "illegal escape", 2),
        ('"\\u{110000}"', "illegal escape", 2),
        ('"\\u{1__0}"', "illegal escape", 2),
        ('"\\u{}"', "illegal escape", 2),
        ('"\\u{_1}"', "illegal escape", 2),
        ("a (; b (; c ;)", "unclosed comment", 3),
        ("$", "empty identifier", 1),
        ("$ a", "empty identifier", 1),
        ('$""', "empty identifier", 2),
        ('$"\\ff"', "malformed UTF-8 encoding", 2),
        ("(@)", "empty annotation id", 1),
        ('(@"")', "empty annotation id", 3),
        ('(@"\\80")', "malformed UTF-8 encoding", 3),
        ("(@a (b)", "unclosed annotation", 8),
        ("(@a \x01)", "illegal character", 5),
        ("é", "illegal character", 1),
        ("\x7f", "illegal character", 1),
    ],
)
def test_what_is_no_token(source: str, message: str, column: int) -> None:
    reader = TextReader(source)
    with pytest.raises(TextError) as error:
        while not reader.at_end():
            reader.position += 1
    assert error.value.message == message
    assert (error.value.line, error.value.column) == (1, column)


def test_malformed_utf8_in_the_source() -> None:
    with pytest.raises(TextError, match=r"malformed UTF-8 encoding \(line 2, column 5\)"):
        TextReader(b"x\n;; \xc3\xa9\xff y")
    with pytest.raises(TextError, match=r"malformed UTF-8 encoding \(line 1, column 4\)"):
        TextReader(";; \ud800")


def test_every_keyword_is_found() -> None:
    for name, number in keywords.NUMBERS.items():
        tokens = Lexer(name.encode()).tokens()
        assert tokens.words[0] == number << 4 | lexer.KEYWORD
    without_text = {"ref.test_null", "ref.cast_null"}
    assert {opcode.name for opcode in OPCODES.values()} - without_text <= set(keywords.NUMBERS)
    assert not without_text & set(keywords.NUMBERS)


def test_symbols_are_equal_where_identifiers_are() -> None:
    tokens = Lexer(b'$a $b $"a" $"\\61" $"b c" $"b\\20c" $a').tokens()
    symbols = [tokens.words[index] >> 4 & 0xFFFFFFF for index in range(tokens.end)]
    assert symbols == [0, 1, 0, 0, 2, 2, 0]
    assert [tokens.symbol_text(symbol) for symbol in range(3)] == [b"a", b"b", b"b c"]


def test_identifiers_that_collide() -> None:
    """`Aa` and `B@` have the same hash, so have all their sequences of the same length."""
    names = ["".join("Aa" if number >> bit & 1 else "B@" for bit in range(9)) for number in range(512)]
    quoted = [f'$"{name[:-1]}\\{ord(name[-1]):02x}"' for name in names]
    reader = TextReader(" ".join([*(f"${name}" for name in names), *quoted, '$"n\\65w"', "$new"]))
    symbols = [reader.words[index] >> 4 & 0xFFFFFFF for index in range(1026)]
    assert symbols == [*range(512), *range(512), 512, 512]
    assert [reader.identifier() for _ in range(1026)] == [*names, *names, "new", "new"]


@given(st.binary(max_size=40), st.booleans())
def test_strings(data: bytes, escape_all: bool) -> None:
    special = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    text = "".join(special.get(b, chr(b) if 32 <= b < 127 and not escape_all else f"\\{b:02x}") for b in data)
    reader = TextReader(f'"{text}"')
    assert reader.string() == data
    assert reader.at_end()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_names(text: str) -> None:
    escaped = "".join(f"\\u{{{ord(character):_x}}}" for character in text)
    plain = "".join(character if character.isprintable() and character not in '"\\' else f"\\u{{{ord(character):x}}}" for character in text)
    reader = TextReader(f'"{escaped}" "{plain}" $"{escaped}" $"{plain}"')
    assert [reader.name(), reader.name(), reader.identifier(), reader.identifier()] == [text] * 4


def test_the_reader_of_scripts() -> None:
    source = '(module quote "x")\n;; é\n  (assert_return (invoke $m "f" (i32.const -1) (f32.const nan:canonical)) (f64.const 0x1p-1))'
    reader = TextReader(source)
    assert (reader.at_left(), reader.at_right(), reader.peek_form(), reader.peek_keyword()) == (True, False, "module", "")
    assert reader.skip_form() == (0, 18)
    assert reader.line_and_column() == (3, 3)
    assert not reader.open_form("module")
    assert reader.open_form("assert_return")
    start = reader.position
    reader.left()
    assert reader.keyword() == "invoke"
    assert (reader.identifier(), reader.identifier()) == ("m", None)
    assert reader.at_string()
    assert reader.string() == b"f"
    assert reader.open_form("i32.const")
    assert reader.at_number()
    assert reader.integer(32) == 0xFFFFFFFF
    reader.right()
    assert reader.open_form("f32.const")
    assert reader.float_pattern(32) == "nan:canonical"
    reader.right()
    reader.right()
    reader.left()
    reader.expect_keyword("f64.const")
    assert reader.float_pattern(64) == 0x3FE0000000000000
    assert reader.line_and_column(start) == (3, 18)
    with pytest.raises(TextError, match="unexpected token \\), expected an i32"):
        reader.integer(32)
    reader.right()
    reader.right()
    assert reader.at_end()
    error = reader.error("what", start)
    assert str(error) == f"what (line 3, column 18)\n  {source.splitlines()[2]}\n  {' ' * 17}^"


def test_modules_in_scripts() -> None:
    reader = TextReader(
        '(module $a (func $f)) (module definition $b binary "\\00asm" "x") (module quote "(func" ")") (module definition (memory 1)) (x)'
    )
    modules = [reader.module() for _ in range(4)]
    assert [(m.identifier, m.definition, m.kind) for m in modules] == [
        ("a", False, "text"),
        ("b", True, "binary"),
        (None, False, "quote"),
        (None, True, "text"),
    ]
    assert modules[1].data == b"\0asmx"
    assert modules[2].data == b"(func)"
    assert modules[3].data == bytes.fromhex("0061736d01000000 0503010001")
    assert reader.open_form("x")
    with pytest.raises(TextError, match="unexpected token"):
        reader.module()

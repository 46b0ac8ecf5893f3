"""A position in the tokens of a source, and everything that is read from single tokens."""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from wasmcore._native import i64, vec
from wasmcore.errors import TextError
from wasmcore.text.keywords import NAMES
from wasmcore.text.lexer import Lexer, Tokens
from wasmcore.text.numbers import big_integer, float_bits
from wasmcore.text.strings import hex_digit, string_bytes

# Kinds of tokens, as in `wasmcore.text.lexer`.
_EOF: Final = 0
_LEFT: Final = 1
_RIGHT: Final = 2
_KEYWORD: Final = 3
_IDENTIFIER: Final = 4
_INTEGER: Final = 5
_FLOAT: Final = 6
_STRING: Final = 7
_WORD: Final = 8
_RESERVED: Final = 9
_ERROR: Final = 13

_CANONICAL: Final = 0x800 + 72
_ARITHMETIC: Final = 0x800 + 73


def source_error(data: bytes, offset: int, message: str) -> TextError:
    """The error of a byte offset in a source."""
    line = data.count(b"\n", 0, offset) + 1
    start = data.rfind(b"\n", 0, offset) + 1
    end = data.find(b"\n", offset)
    source_line = data[start : len(data) if end < 0 else end].decode("utf-8", "replace").rstrip("\r")
    return TextError(message, line, len(data[start:offset].decode("utf-8", "replace")) + 1, source_line)


def source_bytes(source: str | bytes) -> bytes:
    """The source in UTF-8, checked."""
    if isinstance(source, str):
        try:
            data = source.encode()
        except UnicodeEncodeError as error:
            before = source[: error.start].encode()
            raise source_error(before + b"?", len(before), "malformed UTF-8 encoding") from None
    else:
        data = source if type(source) is bytes else bytes(memoryview(source))
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise source_error(data, error.start, "malformed UTF-8 encoding") from None
    if len(data) > 0x7FFFFFF0:
        raise TextError("source of more than 2 GiB", 1, 1, "")
    return data


class TokenReader:
    """Reads tokens one after the other. `position` is the index of the next; errors are `TextError` at the token they are about."""

    def __init__(self, source: str | bytes) -> None:
        self.data: Final = source_bytes(source)
        self.tokens: Final[Tokens] = Lexer(self.data).tokens()
        self.words: Final[vec[i64]] = self.tokens.words
        self.position: i64 = 0
        self.line_starts: list[int] = []

    # Places and errors

    def offset(self) -> int:
        """Byte offset of the next token."""
        return self.words[self.position] >> 32

    def line_and_column(self, position: int | None = None) -> tuple[int, int]:
        """Line and column (in characters), from 1, of the next token or that of another position."""
        index: i64 = self.position if position is None else position
        offset = self.words[index] >> 32
        if not self.line_starts:
            at: i64 = 0
            while at >= 0:
                self.line_starts.append(at)
                at = i64(self.data.find(b"\n", at)) + 1
                if at == 0:
                    break
        line = bisect_right(self.line_starts, offset)
        return line, len(self.data[self.line_starts[line - 1] : offset].decode("utf-8", "replace")) + 1

    def error(self, message: str, position: int | None = None) -> TextError:
        """The error of a message at the next token or at that of another position."""
        index: i64 = self.position if position is None else position
        return source_error(self.data, self.words[index] >> 32, message)

    def unexpected(self, wanted: str = "") -> TextError:
        """The error of a next token that does not belong here."""
        word = self.words[self.position]
        kind = word & 15
        if kind == _ERROR:
            return self.error(self.tokens.failure)
        text = self.token_text(self.position).decode("utf-8", "replace")
        if len(text) > 60:
            text = text[:57] + "..."
        if kind == _WORD or kind == _RESERVED:
            from wasmcore.proposals import unknown_operator

            return self.error(unknown_operator(text))
        message = f"unexpected token {text}" if kind else "unexpected token: end of text"
        return self.error(f"{message}, expected {wanted}" if wanted else message)

    def token_text(self, position: i64) -> bytes:
        """The text of a token as it stands in the source; of the end of the source, nothing."""
        word = self.words[position]
        kind = word & 15
        start = word >> 32
        value: i64 = word >> 4 & 0xFFFFFFF
        if kind == _EOF or kind == _ERROR:
            return b""
        if kind == _LEFT or kind == _RIGHT:
            return self.data[start : start + 1]
        if kind == _KEYWORD:
            return str(NAMES[value]).encode()
        if kind == _IDENTIFIER:
            text = self.tokens.symbol_text(value)
            return b"$" + text if self.data.startswith(b"$" + text, start) else b'$"' + text + b'"'
        return self.data[start : start + value]

    # Looking ahead

    def at_end(self) -> bool:
        """Whether there are no more tokens; raises what was wrong lexically."""
        kind = self.words[self.position] & 15
        if kind == _ERROR:
            raise self.unexpected()
        return kind == _EOF

    def at_left(self) -> bool:
        """Whether the next token is `(`."""
        return self.words[self.position] & 15 == _LEFT

    def at_right(self) -> bool:
        """Whether the next token is `)`."""
        return self.words[self.position] & 15 == _RIGHT

    def at_string(self) -> bool:
        """Whether the next token is a string."""
        return self.words[self.position] & 15 == _STRING

    def at_number(self) -> bool:
        """Whether the next token is an integer or a float."""
        kind = self.words[self.position] & 15
        return kind == _INTEGER or kind == _FLOAT

    def peek_keyword(self) -> str:
        """The keyword that comes next, of any language, or an empty string."""
        kind = self.words[self.position] & 15
        return self.token_text(self.position).decode() if kind == _KEYWORD or kind == _WORD else ""

    def peek_form(self) -> str:
        """The keyword behind the parenthesis that comes next, or an empty string."""
        if self.words[self.position] & 15 != _LEFT:
            return ""
        kind = self.words[self.position + 1] & 15
        return self.token_text(self.position + 1).decode() if kind == _KEYWORD or kind == _WORD else ""

    def form_end(self) -> int:
        """Index of the token after the parenthesised form that comes next; raises when it is not closed."""
        word = self.words[self.position]
        if word & 15 != _LEFT:
            raise self.unexpected("(")
        if word >> 4 & 0xFFFFFFF == 0:
            self.position = self.tokens.end
            if self.words[self.position - 1] & 15 == _ERROR:
                self.position -= 1
            raise self.unexpected(")")
        return int(word >> 4 & 0xFFFFFFF) + 1

    # Reading

    def left(self) -> None:
        """Read `(`."""
        if self.words[self.position] & 15 != _LEFT:
            raise self.unexpected("(")
        self.position += 1

    def right(self) -> None:
        """Read `)`."""
        if self.words[self.position] & 15 != _RIGHT:
            raise self.unexpected(")")
        self.position += 1

    def keyword(self) -> str:
        """Read a keyword, of any language."""
        text = self.peek_keyword()
        if not text:
            raise self.unexpected("a keyword")
        self.position += 1
        return text

    def expect_keyword(self, keyword: str) -> None:
        """Read this keyword."""
        if self.peek_keyword() != keyword:
            raise self.unexpected(keyword)
        self.position += 1

    def open_form(self, keyword: str) -> bool:
        """Read `(keyword` if that comes next, and say whether."""
        if self.peek_form() != keyword:
            return False
        self.position += 2
        return True

    def skip_form(self) -> tuple[int, int]:
        """Step over a parenthesised form; byte offsets of its start and its end in `data`."""
        start = self.offset()
        self.position = self.form_end()
        return start, (self.words[self.position - 1] >> 32) + 1

    def identifier(self) -> str | None:
        """Read an identifier if there is one, without its `$`."""
        word = self.words[self.position]
        if word & 15 != _IDENTIFIER:
            return None
        self.position += 1
        return self.tokens.symbol_text(word >> 4 & 0xFFFFFFF).decode()

    def string(self) -> bytes:
        """Read a string literal."""
        word = self.words[self.position]
        if word & 15 != _STRING:
            raise self.unexpected("a string")
        self.position += 1
        start = word >> 32
        return string_bytes(self.data, start + 1, start + (word >> 4 & 0xFFFFFFF) - 1)

    def name(self) -> str:
        """Read a string literal that is UTF-8."""
        try:
            text = self.string().decode()
        except UnicodeDecodeError:
            raise self.error("malformed UTF-8 encoding", self.position - 1) from None
        return text

    def magnitude(self, at: i64, end: i64, too_large: str) -> i64:
        """Absolute value of an integer's text as a 64-bit pattern, behind its sign; raises `too_large` from 2**64 on."""
        data = self.data
        value: i64 = 0
        byte: i64 = data[at]
        if end - at <= 18:
            if byte == 0x30 and at + 1 < end and i64(data[at + 1]) == 0x78:
                at += 2
                if end - at <= 15:
                    while at < end:
                        byte = data[at]
                        if byte != 0x5F:
                            value = value << 4 | hex_digit(byte)
                        at += 1
                    return value
                at -= 2
            else:
                while at < end:
                    byte = data[at]
                    if byte != 0x5F:
                        value = value * 10 + (byte - 0x30)
                    at += 1
                return value
        exact = big_integer(data[at:end])
        if exact is None:
            raise self.error(too_large)
        return exact if exact < 0x8000000000000000 else exact - 0x10000000000000000

    def signed(self, bits: i64) -> i64:
        """Read an integer of up to 64 bits, signed or unsigned; as a signed number of 64 bits (of `bits` for 64, else as it is written)."""
        word = self.words[self.position]
        if word & 15 != _INTEGER:
            raise self.unexpected(f"an i{bits}")
        at = word >> 32
        end: i64 = at + (word >> 4 & 0xFFFFFFF)
        byte: i64 = self.data[at]
        value: i64 = 0
        if byte == 0x2D:
            value = self.magnitude(at + 1, end, "constant out of range")
            if bits < 64:
                if value and (value - 1) >> (bits - 1):
                    raise self.error("constant out of range")
                value = -value
            elif value > 0:
                value = -value
            elif value & 0x7FFFFFFFFFFFFFFF:
                raise self.error("constant out of range")
        else:
            value = self.magnitude(at + 1 if byte == 0x2B else at, end, "constant out of range")
            if bits < 64 and value >> bits:
                raise self.error("constant out of range")
        self.position += 1
        return value

    def unsigned(self, bits: i64) -> i64:
        """Read an integer of up to 64 bits without a sign; one of 64 bits comes as a signed number with the same bits."""
        word = self.words[self.position]
        at = word >> 32
        byte: i64 = 0
        if word & 15 == _INTEGER:
            byte = self.data[at]
        if byte < 0x30:
            raise self.unexpected(f"a u{bits}")
        value = self.magnitude(at, at + (word >> 4 & 0xFFFFFFF), "i64 constant out of range")
        if bits < 64 and value >> bits:
            raise self.error(f"i{bits} constant out of range")
        self.position += 1
        return value

    def integer(self, bits: int) -> int:
        """Read an integer of 8, 16, 32 or 64 bits, signed or unsigned, as an unsigned number of that many bits."""
        return int(self.signed(bits)) & (1 << bits) - 1

    def float_bits(self, bits: int) -> int:
        """Read a float of 32 or 64 bits, as its bits."""
        word = self.words[self.position]
        kind = word & 15
        if kind != _FLOAT and kind != _INTEGER:
            raise self.unexpected(f"an f{bits}")
        found = float_bits(self.token_text(self.position), bits)
        if found is None:
            raise self.error("constant out of range")
        self.position += 1
        return found

    def float_pattern(self, bits: int) -> int | str:
        """Read a float, as its bits, or `nan:canonical` or `nan:arithmetic`, as that."""
        word = self.words[self.position]
        if word & 15 == _KEYWORD:
            number = word >> 4 & 0xFFFFFFF
            if number == _CANONICAL or number == _ARITHMETIC:
                self.position += 1
                return "nan:canonical" if number == _CANONICAL else "nan:arithmetic"
        return self.float_bits(bits)

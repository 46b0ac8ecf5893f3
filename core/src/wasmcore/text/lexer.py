"""Turns the source of the text format into tokens (specification, section 6.3 and appendix "Custom Annotations").

A token is one number: its kind in bits 0-3, a value in bits 4-31, and in the bits from 32 on where it starts in the source. The value is

- of a parenthesis `(` the index of the token that closes it, or 0 where there is none;
- of a keyword its number in `wasmcore.text.keywords`;
- of an identifier the number of its symbol: equal identifiers, quoted or not, have the same;
- of all others their length in bytes (of strings with the quotation marks).

Annotations are not among the tokens: those with a meaning are put behind the end of the others, and `Tokens.notes` says where they stood.
Tokens that are not lexically correct become a token of kind `ERROR`, the last one, so that what comes before is parsed first.
"""

from __future__ import annotations

from typing import Final, final

from wasmcore._native import append, i64, read_i64_le, vec
from wasmcore.text.keywords import SLOTS, TEXTS
from wasmcore.text.numbers import number_end
from wasmcore.text.strings import escape_end, string_bytes

EOF: Final = 0
LEFT: Final = 1
RIGHT: Final = 2
KEYWORD: Final = 3
IDENTIFIER: Final = 4
INTEGER: Final = 5
FLOAT: Final = 6
STRING: Final = 7
WORD: Final = 8
"""A keyword that is not in the table: one of the script language, or unknown."""
RESERVED: Final = 9
OFFSET: Final = 10
"""`offset=...`"""
ALIGN: Final = 11
"""`align=...`"""
ANNOTATION: Final = 12
"""The start of an annotation; the value is one of the following three."""
ERROR: Final = 13

NOTE_NAME: Final = 1
NOTE_CUSTOM: Final = 2
NOTE_BRANCH_HINT: Final = 3

_NOTES: Final = {b"name": 1, b"custom": 2, b"metadata.code.branch_hint": 3}

_SPACE: Final = 1
_LEFT_CHARACTER: Final = 2
_RIGHT_CHARACTER: Final = 3
_QUOTE: Final = 4
_SEMICOLON: Final = 5
_PUNCTUATION: Final = 6
_SYMBOL: Final = 7
_LETTER: Final = 8
_DIGIT: Final = 9
_SIGN: Final = 10
_DOLLAR: Final = 11


def _classes() -> bytes:
    """Class of each byte; 0 must not stand outside of strings and comments, and all from `_SYMBOL` on are part of identifiers."""
    table = bytearray(256)
    for text, kind in (
        (b" \t\n\r", _SPACE),
        (b"(", _LEFT_CHARACTER),
        (b")", _RIGHT_CHARACTER),
        (b'"', _QUOTE),
        (b";", _SEMICOLON),
        (b",[]{}", _PUNCTUATION),
        (b"!#%&'*./:<=>?@\\^_`|~ABCDEFGHIJKLMNOPQRSTUVWXYZ", _SYMBOL),
        (b"abcdefghijklmnopqrstuvwxyz", _LETTER),
        (b"0123456789", _DIGIT),
        (b"+-", _SIGN),
        (b"$", _DOLLAR),
    ):
        for byte in text:
            table[byte] = kind
    return bytes(table)


CLASSES: Final = _classes()
_SLOT_MASK: Final = 4095
_MAX_SOURCE: Final = 0x7FFFFFF0
_MAX_VALUE: Final = 0xFFFFFFF
_MAX_PROBES: Final = 200
"""How many slots of the hash table of symbols are looked at before that is given up."""


@final
class Tokens:
    """The tokens of a source. `failure` is the message of the token of kind `ERROR`; `end` is the index of the first token `EOF`."""

    def __init__(
        self, data: bytes, words: vec[i64], end: i64, notes: vec[i64], symbols: vec[i64], quoted: dict[int, bytes], failure: str
    ) -> None:
        self.data: Final = data
        self.words: Final = words
        self.end: i64 = end
        self.notes: Final = notes
        """Annotations: index of the token they stand before (bits 32 on), and where in `words` their own tokens begin."""
        self.symbols: Final = symbols
        """Symbols: where in the source their text starts (bits 32 on) and its length."""
        self.quoted: Final = quoted
        """Texts of the symbols whose first identifier was a quoted one."""
        self.failure: Final = failure

    def symbol_text(self, symbol: i64) -> bytes:
        """The identifier without its `$`."""
        if self.quoted and int(symbol) in self.quoted:
            return self.quoted[int(symbol)]
        span = self.symbols[symbol]
        start = span >> 32
        return self.data[start : start + (span & 0xFFFFFFFF)]


@final
class Lexer:
    """Makes `Tokens` from a source; good for one."""

    def __init__(self, data: bytes) -> None:
        self.data: Final = data
        self.size: i64 = len(data)
        self.at: i64 = 0
        self.failure = ""
        self.failed_at: i64 = 0
        self.symbols = vec[i64]()
        self.hashes = vec[i64]()
        self.symbol_slots = vec[i64]([-1] * 16)
        self.slot_count: i64 = 16
        self.quoted: Final[dict[int, bytes]] = {}
        self.crowded: Final[dict[bytes, int]] = {}
        self.annotated = False
        self.next_feed: i64 = -1
        self.next_return: i64 = -1

    def tokens(self) -> Tokens:
        """Read the whole source."""
        data = self.data
        classes = CLASSES
        size: i64 = self.size
        words = vec[i64]()  # tokens of the source
        aside = vec[i64]()  # tokens of annotations
        notes = vec[i64]()
        opened = vec[i64]()  # indices of the parentheses that are open
        depth: i64 = 0
        capacity: i64 = 0
        annotation: i64 = 0  # how many parentheses are open within an annotation, its own included
        meaning: i64 = 0
        at: i64 = 0
        start: i64 = 0
        word: i64 = 0
        count: i64 = 0
        while at < size:
            start = at
            byte: i64 = data[at]
            kind: i64 = classes[byte]
            if kind == 1:
                at += 1
                continue
            word = start << 32
            if kind >= 7:
                word |= self.run(start, kind)
                at = self.at
            elif kind == 2:
                if at + 1 < size:
                    byte = data[at + 1]
                    if byte == 0x3B:
                        at = self.block_comment(at)
                        if at >= 0:
                            continue
                    elif byte == 0x40 and annotation == 0:
                        annotation = 1
                        self.annotated = True
                        meaning = self.annotation_name(at + 2)
                        if meaning > 0:
                            notes = append(notes, count << 32 | i64(len(aside)))
                            aside = append(aside, word | meaning << 4 | ANNOTATION)
                        at = self.at
                        if at >= 0:
                            continue
                if at >= 0:
                    at += 1
                    word |= LEFT
                    if annotation:
                        annotation += 1
                    elif depth < capacity:
                        opened[depth] = count
                        depth += 1
                    else:
                        opened = append(opened, count)
                        capacity += 1
                        depth += 1
            elif kind == 3:
                at += 1
                word |= RIGHT
                if annotation:
                    annotation -= 1
                    if annotation == 0:
                        self.annotated = False
                        if meaning > 0:
                            aside = append(aside, word)
                        continue
                elif depth > 0:
                    depth -= 1
                    if count > _MAX_VALUE:
                        at = self.failed(start, "too many tokens")
                    else:
                        left = opened[depth]
                        words[left] = words[left] | count << 4
            elif kind == 4:
                at = self.string_end(at)
                if at >= 0:
                    if at < size and classes[data[at]] >= 4 and not self.comment_at(at):
                        word |= self.reserved(start, at)
                        at = self.at
                    elif at - start > _MAX_VALUE:
                        at = self.failed(start, "string too long")
                    else:
                        word |= (at - start) << 4 | STRING
            elif kind == 5:
                if self.comment_at(at):
                    at = self.line_end(at)
                    continue
                at += 1
                word |= 16 | RESERVED
            elif kind == 6:
                word |= self.reserved(start, at)
                at = self.at
            else:
                at = self.failed(start, "illegal character")
            if at < 0:
                break
            if annotation == 0:
                words = append(words, word)
                count += 1
            elif meaning > 0:
                aside = append(aside, word)
        if at >= 0 and annotation:
            at = self.failed(size, "unclosed annotation")
        if at < 0:
            words = append(words, self.failed_at << 32 | ERROR)
        return self.finished(words, aside, notes, count)

    def finished(self, words: vec[i64], aside: vec[i64], notes: vec[i64], count: i64) -> Tokens:
        """Put the ends behind the tokens, so that looking ahead needs no test, and then those of annotations."""
        end: i64 = len(words)
        ends: i64 = 4
        while ends > 0:
            words = append(words, self.size << 32)
            ends -= 1
        base: i64 = len(words)
        index: i64 = 0
        while index < len(notes):
            notes[index] = notes[index] + base
            index += 1
        index = 0
        while index < len(aside):
            words = append(words, aside[index])
            index += 1
        words = append(words, self.size << 32)
        return Tokens(self.data, words, end, notes, self.symbols, self.quoted, self.failure)

    def failed(self, at: i64, message: str) -> i64:
        """Remember what is wrong and where; returns -1, the position of the caller from then on."""
        self.failure = message
        self.failed_at = at
        return -1

    def comment_at(self, at: i64) -> bool:
        """Whether a line comment starts here."""
        return at + 1 < self.size and i64(self.data[at]) == 0x3B and i64(self.data[at + 1]) == 0x3B

    def line_end(self, at: i64) -> i64:
        """Where a line comment ends: at a line feed or a carriage return."""
        if self.next_feed < at:
            self.next_feed = i64(self.data.find(b"\n", at))
            if self.next_feed < 0:
                self.next_feed = self.size
        if self.next_return < at:
            self.next_return = i64(self.data.find(b"\r", at))
            if self.next_return < 0:
                self.next_return = self.size
        return self.next_feed if self.next_feed < self.next_return else self.next_return

    def block_comment(self, at: i64) -> i64:
        """Where a block comment ends; they nest."""
        data = self.data
        last: i64 = self.size - 1
        start = at
        depth: i64 = 0
        while at < last:
            byte: i64 = data[at]
            if byte == 0x28 and i64(data[at + 1]) == 0x3B:
                depth += 1
                at += 2
            elif byte == 0x3B and i64(data[at + 1]) == 0x29:
                depth -= 1
                at += 2
                if depth == 0:
                    return at
            else:
                at += 1
        return self.failed(start, "unclosed comment")

    def string_end(self, at: i64) -> i64:
        """Where a string ends, behind its quotation mark."""
        data = self.data
        size: i64 = self.size
        start = at
        at += 1
        while at < size:
            byte: i64 = data[at]
            if byte == 0x22:
                return at + 1
            if byte == 0x5C:
                end = escape_end(data, at, size)
                if end < 0:
                    return self.failed(at, "illegal escape")
                at = end
            elif byte == 0x0A:
                break
            elif byte < 0x20 or byte == 0x7F:
                return self.failed(at, "illegal character in string")
            else:
                at += 1
        return self.failed(start, "unclosed string")

    def annotation_name(self, at: i64) -> i64:
        """Read the name of an annotation: which of those with a meaning it is, or 0."""
        data = self.data
        start = at
        while at < self.size and i64(CLASSES[data[at]]) >= 7:
            at += 1
        text = data[start:at]
        if at == start and at < self.size and i64(data[at]) == 0x22:
            at = self.quoted_end(at, "empty annotation id")
            self.at = at
            if at < 0:
                return 0
            text = string_bytes(data, start + 1, at - 1)
        elif at == start:
            self.at = self.failed(start - 2, "empty annotation id")
            return 0
        self.at = at
        found = _NOTES.get(text)
        return 0 if found is None else found

    def quoted_end(self, at: i64, empty: str) -> i64:
        """Where the string of a quoted identifier ends; it is UTF-8 and not empty."""
        end = self.string_end(at)
        if end < 0:
            return self.failed(at, empty) if self.failure.startswith("illegal character") or self.failure.startswith("unclosed") else -1
        if end == at + 2:
            return self.failed(at, empty)
        try:
            string_bytes(self.data, at + 1, end - 1).decode()
        except UnicodeDecodeError:
            return self.failed(at, "malformed UTF-8 encoding")
        return end

    def reserved(self, start: i64, at: i64) -> i64:
        """A token of characters, strings and punctuation that has no meaning."""
        data = self.data
        while at < self.size:
            kind: i64 = CLASSES[data[at]]
            if kind == 4:
                at = self.string_end(at)
                if at < 0:
                    break
            elif kind >= 6:
                at += 1
            else:
                break
        self.at = at
        return (at - start) << 4 & 0xFFFFFFFF | RESERVED

    def run(self, start: i64, kind: i64) -> i64:
        """A token that starts with a character of identifiers."""
        data = self.data
        classes = CLASSES
        size: i64 = self.size
        at: i64 = start
        if kind == 9 or kind == 10:
            number = number_end(data, start, size)
            at = number >> 1
            if at == start or (at < size and i64(classes[data[at]]) >= 4 and not self.comment_at(at)):
                return self.reserved(start, at)
            self.at = at
            return (at - start) << 4 | (INTEGER + (number & 1))
        hashed: i64 = 0
        byte: i64 = data[at]
        if kind == 11:
            at += 1
        while at < size:
            byte = data[at]
            if i64(classes[byte]) < 7:
                break
            hashed = (hashed * 33 + byte) & 0xFFFFFFFF
            at += 1
        self.at = at
        if kind == 11 and at == start + 1:
            return self.quoted_identifier(at)
        if at < size and i64(classes[data[at]]) >= 4 and not self.comment_at(at):
            return self.reserved(start, at)
        if kind == 8:
            return self.keyword(start, at, hashed)
        if kind == 11:
            return self.symbol(start + 1, at, hashed) << 4 | IDENTIFIER
        return (at - start) << 4 | RESERVED

    def keyword(self, start: i64, end: i64, hashed: i64) -> i64:
        """A token that starts with a small letter."""
        data = self.data
        texts = TEXTS
        slots = SLOTS
        length: i64 = end - start
        slot: i64 = (hashed ^ hashed >> 13) & _SLOT_MASK
        while True:
            entry = read_i64_le(slots, 8 * slot)
            if entry == 0:
                break
            if entry >> 16 & 0xFFFF == length:
                place = entry >> 32
                index: i64 = 0
                while index < length and i64(data[start + index]) == i64(texts[place + index]):
                    index += 1
                if index == length:
                    return (entry & 0xFFFF) << 4 | KEYWORD
            slot = (slot + 1) & _SLOT_MASK
        byte: i64 = data[start]
        if (byte == 0x69 or byte == 0x6E) and number_end(data, start, end) == (end << 1 | 1):
            return length << 4 | FLOAT
        if byte == 0x6F and data.startswith(b"offset=", start):
            return length << 4 | OFFSET
        if byte == 0x61 and data.startswith(b"align=", start):
            return length << 4 | ALIGN
        return length << 4 | WORD

    def quoted_identifier(self, at: i64) -> i64:
        """An identifier of a `$` and a string, which starts here."""
        data = self.data
        if at >= self.size or i64(data[at]) != 0x22:
            if self.annotated:
                return 16 | RESERVED
            self.at = self.failed(at - 1, "empty identifier")
            return 0
        end = self.quoted_end(at, "empty identifier")
        self.at = end
        if end < 0:
            return 0
        if end < self.size and i64(CLASSES[data[end]]) >= 4 and not self.comment_at(end):
            return self.reserved(at - 1, end)
        text = string_bytes(data, at + 1, end - 1)
        hashed: i64 = 0
        index: i64 = 0
        while index < len(text):
            byte: i64 = text[index]
            hashed = (hashed * 33 + byte) & 0xFFFFFFFF
            index += 1
        if len(text) == end - at - 2 and text == data[at + 1 : end - 1]:
            return self.symbol(at + 1, end - 1, hashed) << 4 | IDENTIFIER
        return self.text_symbol(text, 0, 0, hashed) << 4 | IDENTIFIER

    def symbol(self, start: i64, end: i64, hashed: i64) -> i64:
        """Number of the symbol of this text."""
        data = self.data
        length: i64 = end - start
        mask: i64 = self.slot_count - 1
        slot: i64 = (hashed ^ hashed >> 13) & mask
        probes: i64 = 0
        while probes < _MAX_PROBES and not self.crowded:
            found = self.symbol_slots[slot]
            if found < 0:
                return self.new_symbol(slot, start, length, hashed)
            if self.hashes[found] == hashed:
                span = self.symbols[found]
                if self.quoted and int(found) in self.quoted:
                    if self.quoted[int(found)] == data[start:end]:
                        return found
                elif span & 0xFFFFFFFF == length:
                    place = span >> 32
                    index: i64 = 0
                    while index < length and i64(data[start + index]) == i64(data[place + index]):
                        index += 1
                    if index == length:
                        return found
            slot = (slot + 1) & mask
            probes += 1
        return self.text_symbol(data[start:end], start, length, hashed)

    def text_symbol(self, text: bytes, start: i64, length: i64, hashed: i64) -> i64:
        """Number of the symbol of a text, also one that does not stand in the source as it is (length 0).

        Texts that collide with many others, as hostile ones would, are kept in a dictionary, all from the first of them on.
        """
        mask: i64 = self.slot_count - 1
        slot: i64 = (hashed ^ hashed >> 13) & mask
        probes: i64 = 0
        while probes < _MAX_PROBES and not self.crowded:
            found = self.symbol_slots[slot]
            if found < 0:
                if length == 0:
                    self.quoted[len(self.symbols)] = text
                return self.new_symbol(slot, start, length, hashed)
            if self.hashes[found] == hashed and text == self.text_of(found):
                return found
            slot = (slot + 1) & mask
            probes += 1
        if not self.crowded:
            number: i64 = 0
            while number < len(self.symbols):
                self.crowded[self.text_of(number)] = int(number)
                number += 1
        known = self.crowded.get(text)
        if known is not None:
            return known
        number = len(self.symbols)
        self.crowded[text] = int(number)
        if length == 0:
            self.quoted[int(number)] = text
        self.symbols = append(self.symbols, start << 32 | length)
        return number

    def text_of(self, symbol: i64) -> bytes:
        """Text of a symbol."""
        if self.quoted and int(symbol) in self.quoted:
            return self.quoted[int(symbol)]
        span = self.symbols[symbol]
        start = span >> 32
        return self.data[start : start + (span & 0xFFFFFFFF)]

    def new_symbol(self, slot: i64, start: i64, length: i64, hashed: i64) -> i64:
        """Put a symbol into a free slot of the hash table."""
        number: i64 = len(self.symbols)
        self.symbols = append(self.symbols, start << 32 | length)
        self.hashes = append(self.hashes, hashed)
        self.symbol_slots[slot] = number
        if 2 * number > self.slot_count:
            self.grow()
        return number

    def grow(self) -> None:
        """Make the hash table of the symbols four times as big."""
        self.slot_count = 4 * self.slot_count
        mask: i64 = self.slot_count - 1
        slots = vec[i64]([-1] * self.slot_count)
        number: i64 = 0
        while number < len(self.hashes):
            hashed = self.hashes[number]
            slot: i64 = (hashed ^ hashed >> 13) & mask
            while slots[slot] >= 0:
                slot = (slot + 1) & mask
            slots[slot] = number
            number += 1
        self.symbol_slots = slots

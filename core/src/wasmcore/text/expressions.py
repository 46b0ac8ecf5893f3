"""Sequences of instructions, flat and folded (specification, section 6.5), without recursion: nesting is limited by memory only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from wasmcore._native import append, i64, u8, vec
from wasmcore.text.operands import FORMS, OperandReader

if TYPE_CHECKING:
    from wasmcore.errors import TextError

# Kinds of tokens, as in `wasmcore.text.lexer`.
_LEFT: Final = 1
_RIGHT: Final = 2
_KEYWORD: Final = 3
_IDENTIFIER: Final = 4
_INTEGER: Final = 5

# Forms of operands, as in `wasmcore.text.operands`.
_BLOCK: Final = 10
_TRY_TABLE: Final = 29
_END: Final = 43
_ELSE: Final = 44

_CODE_IF: Final = 4
_CODE_ELSE: Final = 5
_CODE_END: Final = 11
_INSTRUCTIONS_END: Final = 0x700
_THEN: Final = 0x81F

# What an open frame is. Frames from `_OPEN` on are sequences of instructions, flat and folded.
_AFTER_THEN: Final = 0  # `(if ... (then ...)` so far
_AFTER_ELSE: Final = 1
_PLAIN: Final = 2  # a folded instruction, whose operands are read
_CONDITION: Final = 3  # a folded `if`, whose condition is read
_OPEN: Final = 4
_FLAT: Final = 4
_FLAT_IF: Final = 5
_FLAT_ELSE: Final = 6
_FOLDED: Final = 7
_FOLDED_THEN: Final = 8
_FOLDED_ELSE: Final = 9


class ExpressionReader(OperandReader):
    """Reads instructions up to the parenthesis that closes what is around them.

    A folded instruction is written when it is closed, behind the instructions in it; its own operands are read then, too.
    """

    def __init__(self, source: str | bytes) -> None:
        super().__init__(source)
        self.frames = vec[i64]([0] * 12)  # three numbers each: kind, index of the token behind the keyword, index of the first operand
        self.depth: i64 = 0
        self.single = False
        self.note_number: i64 = 0
        self.delayed_hints: dict[int, bytes] = {}
        self.delayed_names: dict[int, bytes] = {}

    def push(self, kind: i64, start: i64, operands: i64) -> None:
        """Open a frame."""
        at: i64 = 3 * self.depth
        if at == len(self.frames):
            self.frames = append(self.frames, kind)
            self.frames = append(self.frames, start)
            self.frames = append(self.frames, operands)
        else:
            self.frames[at] = kind
            self.frames[at + 1] = start
            self.frames[at + 2] = operands
        self.depth += 1

    def instructions(self) -> None:
        """Read instructions up to a closing parenthesis, which stays the next token; where `single` is set, one folded instruction."""
        words = self.words
        forms = FORMS
        self.depth = 0
        while True:
            position = self.position
            if position >= self.note_position:
                self.hint()
            word = words[position]
            kind = word & 15
            if kind == _KEYWORD:
                code: i64 = word >> 4 & 0xFFFFFFF
                if code >= _INSTRUCTIONS_END or (self.depth and self.frames[3 * self.depth - 3] < _OPEN):
                    raise self.unexpected("an instruction")
                self.position = position + 1
                form: i64 = forms[code]
                if form == 0:
                    self.opcode(code)
                elif form == _BLOCK or form >= _END or form == _TRY_TABLE:
                    self.flat(code, form)
                else:
                    self.instruction(code, form)
            elif kind == _LEFT:
                self.open_folded(position)
            elif kind == _RIGHT:
                if self.depth == 0:
                    return
                self.close_folded()
                if self.single and self.depth == 0:
                    return
            else:
                raise self.unexpected("an instruction")

    def flat(self, code: i64, form: i64) -> None:
        """The beginning, middle or end of a block that is not folded."""
        if form == _BLOCK or form == _TRY_TABLE:
            self.block(code)
            self.push(_FLAT_IF if code == _CODE_IF else _FLAT, 0, 0)
            return
        kind: i64 = -1
        if self.depth:
            kind = self.frames[3 * self.depth - 3]
        if kind == _FLAT_IF and form == _ELSE:
            self.frames[3 * self.depth - 3] = _FLAT_ELSE
            self.repeated_label()
        elif form == _END and _FLAT <= kind <= _FLAT_ELSE:
            self.repeated_label()
            self.pop_label()
            self.depth -= 1
        else:
            self.position -= 1
            raise self.unexpected("an instruction")
        self.code.append(u8(code))

    def open_folded(self, position: i64) -> None:
        """A parenthesis and the keyword behind it."""
        word = self.words[position + 1]
        code: i64 = -1
        kind: i64 = _OPEN
        if word & 15 == _KEYWORD:
            code = word >> 4 & 0xFFFFFFF
        if self.depth:
            kind = self.frames[3 * self.depth - 3]
        if code == _THEN and kind == _CONDITION:
            self.then(position)
            return
        if code == _CODE_ELSE and kind == _AFTER_THEN:
            self.code.append(_CODE_ELSE)
            self.frames[3 * self.depth - 3] = _FOLDED_ELSE
            self.position = position + 2
            return
        form: i64 = _END
        if 0 <= code < _INSTRUCTIONS_END:
            form = FORMS[code]
        if form >= _END or kind < _PLAIN:
            self.position = position + 1
            raise self.unexpected("an instruction")
        self.position = position + 2
        if code != _CODE_IF and (form == _BLOCK or form == _TRY_TABLE):
            if self.delayed_hints:
                self.delayed(self.depth)
            self.block(code)
            self.push(_FOLDED, 0, 0)
            return
        start = self.position
        if code == _CODE_IF and self.note_position <= start + 1:
            self.delay_name()
        if form:
            self.skip_operands()
        self.push(_CONDITION if code == _CODE_IF else _PLAIN, start, self.position)

    def skip_operands(self) -> None:
        """Step over what can not be the start of a folded instruction."""
        words = self.words
        position = self.position
        while True:
            word = words[position]
            kind = word & 15
            if kind == _LEFT:
                inner = words[position + 1]
                code: i64 = inner >> 4 & 0xFFFFFFF
                if inner & 15 != _KEYWORD or code < _INSTRUCTIONS_END or code == _THEN or word >> 4 & 0xFFFFFFF == 0:
                    break
                position = word >> 4 & 0xFFFFFFF
            elif kind == _RIGHT or kind == 0 or kind == 13:
                break
            position += 1
        self.position = position

    def then(self, position: i64) -> None:
        """`(then` behind the condition of a folded `if`, which is written here."""
        at: i64 = 3 * self.depth - 3
        self.position = self.frames[at + 1]
        if self.delayed_hints:
            self.delayed(self.depth - 1)
        if self.delayed_names:
            self.label_note = self.delayed_names.pop(int(self.depth - 1), None)
        self.block(_CODE_IF)
        if self.position != self.frames[at + 2]:
            raise self.unexpected("an instruction")
        self.frames[at] = _FOLDED_THEN
        self.position = position + 2

    def delay_name(self) -> None:
        """Read the name of a folded `if`, which is written behind its condition."""
        start = self.position
        if self.words[start] & 15 == _IDENTIFIER:
            self.position += 1
        if self.note_position == self.position:
            name = self.name_note()
            if name is not None:
                self.delayed_names[int(self.depth)] = name
        self.position = start

    def close_folded(self) -> None:
        """A closing parenthesis."""
        at: i64 = 3 * self.depth - 3
        kind = self.frames[at]
        if kind == _PLAIN:
            end = self.position
            start = self.frames[at + 1]
            code: i64 = self.words[start - 1] >> 4 & 0xFFFFFFF
            self.position = start
            if self.delayed_hints:
                self.delayed(self.depth - 1)
            form: i64 = FORMS[code]
            if form == 0:
                self.opcode(code)
            else:
                self.instruction(code, form)
                if self.position != self.frames[at + 2]:
                    raise self.unexpected()
            self.position = end + 1
            self.depth -= 1
            return
        if kind == _FOLDED_THEN:
            self.frames[at] = _AFTER_THEN
        elif kind == _FOLDED_ELSE:
            self.frames[at] = _AFTER_ELSE
        elif kind == _FOLDED or kind <= _AFTER_ELSE:
            self.code.append(_CODE_END)
            self.pop_label()
            self.depth -= 1
        elif kind == _CONDITION:
            raise self.unexpected("(then")
        else:
            raise self.unexpected("end")
        self.position += 1

    # Branch hints

    def hint(self) -> None:
        """Take the annotations that stand before the next token."""
        if self.note_position < self.position or self.words[self.position] & 15 == _RIGHT:
            raise self.misplaced()
        hint = self.read_hint()
        if self.words[self.position] & 15 == _LEFT:
            self.delayed_hints[int(self.depth)] = hint
        else:
            self.add_hint(hint)
        if self.note_position == self.position:
            raise self.misplaced()

    def delayed(self, depth: i64) -> None:
        """Note the hint of the folded instruction in the frame at a depth, which is written now."""
        hint = self.delayed_hints.pop(int(depth), b"")
        if hint:
            self.add_hint(hint)

    def read_hint(self) -> bytes:
        """Read an annotation, which must be a branch hint: its payload."""
        raise NotImplementedError

    def add_hint(self, hint: bytes) -> None:
        """Note a branch hint for the instruction that is written next."""
        raise NotImplementedError

    def misplaced(self) -> TextError:
        """The error of an annotation that stands where it means nothing."""
        raise NotImplementedError

    def expression(self) -> None:
        """Read instructions up to a closing parenthesis and write them and their end."""
        self.instructions()
        self.code.append(_CODE_END)

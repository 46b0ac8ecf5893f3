"""Instructions as lines, one after the other or folded (specification, section 6.5.12 "Folded Instructions").

A folded instruction stands before its operands, which are the instructions right before it in the binary, and stands for the same
bytes. So folding is a matter of taste, not of correctness, and what can not be folded (operands that a block leaves below others, code
behind a branch) stays as it is.
"""

from __future__ import annotations

from typing import Final, final

BLOCK: Final = 0x02
LOOP: Final = 0x03
IF: Final = 0x04
ELSE: Final = 0x05
END: Final = 0x0B
TRY_TABLE: Final = 0x1F

_DEEPEST: Final = 40
"""Deeper code is not indented any more, so that the size of the text stays proportional to the number of lines."""
_INDENTATIONS: Final = ["\n" + "  " * depth for depth in range(_DEEPEST + 1)]
_WIDTH: Final = 80
"""A folded instruction that fits into that many characters stands on one line with its operands."""
_WIDE: Final = 1_000_000


def line_break(depth: int) -> str:
    """The end of a line and the indentation of the next."""
    return _INDENTATIONS[depth] if depth < _DEEPEST else _INDENTATIONS[_DEEPEST]


def flat(codes: list[int], texts: list[str], depth: int) -> str:
    """Every instruction on its own line, each behind a line break."""
    pieces: list[str] = []
    for index in range(len(codes)):
        code = codes[index]
        if code == END or code == ELSE:
            depth -= 1
        pieces.append(_INDENTATIONS[depth] if depth < _DEEPEST else _INDENTATIONS[_DEEPEST])
        pieces.append(texts[index])
        if code <= ELSE:
            if code >= BLOCK:
                depth += 1
        elif code == TRY_TABLE:
            depth += 1
    return "".join(pieces)


def folded(codes: list[int], texts: list[str], pops: list[int], pushes: list[int], depth: int) -> str:
    """Folded instructions, each that is no operand behind a line break."""
    tree = _Folding(codes, texts, pops, pushes, _WIDTH)
    tree.fold()
    return tree.text(depth)


def folded_line(codes: list[int], texts: list[str], pops: list[int], pushes: list[int]) -> tuple[str, bool]:
    """Folded instructions on one line, each behind a blank, and whether all are operands of the last."""
    tree = _Folding(codes, texts, pops, pushes, _WIDE)
    tree.fold()
    return tree.text(0).replace("\n", " "), tree.heads[:1] == [len(codes) - 1]


@final
class _Folding:
    """Decides which instructions are operands of which.

    An instruction is folded if the values it takes are exactly those that the last folded instructions leave. It then has a `head`, printed
    before the first of its operands: `heads[i]` is the outermost of those that begin at instruction i, `inner` the next.
    """

    def __init__(self, codes: list[int], texts: list[str], pops: list[int], pushes: list[int], width: int) -> None:
        self.codes: Final = codes
        self.texts: Final = texts
        self.pops: Final = pops
        self.pushes: Final = pushes
        self.width: Final = width
        count = len(codes)
        self.heads: Final = [-1] * count
        self.inner: Final = [-1] * count
        self.is_folded: Final = [False] * count
        self.widths: Final = [_WIDE] * count
        # The folded instructions whose values are on the stack of the block: first instruction, number of values, width.
        self.firsts: list[int] = []
        self.values: list[int] = []
        self.sizes: list[int] = []

    def fold(self) -> None:
        """Find the operands."""
        codes = self.codes
        blocks: list[tuple[list[int], list[int], list[int], int, int]] = []
        for index in range(len(codes)):
            code = codes[index]
            if code == END:
                self.firsts, self.values, self.sizes, first, opener = blocks.pop()
                self.leave_values(first, self.pushes[opener], _WIDE)
            elif code == ELSE:
                self.clear()
            elif BLOCK <= code <= IF or code == TRY_TABLE:
                first = index
                params = self.pops[index]
                if code == IF and self.values and self.values[-1] == 1:
                    first = self.firsts.pop()
                    self.values.pop()
                    self.sizes.pop()
                if params:
                    self.clear()
                self.head(index, first)
                blocks.append((self.firsts, self.values, self.sizes, first, index))
                self.firsts, self.values, self.sizes = [], [], []
            else:
                self.plain(index)

    def clear(self) -> None:
        """Let the values on the stack be operands of nothing."""
        self.firsts, self.values, self.sizes = [], [], []

    def head(self, index: int, first: int) -> None:
        """Let an instruction be printed before another."""
        self.is_folded[index] = True
        self.inner[index] = self.heads[first]
        self.heads[first] = index

    def leave_values(self, first: int, values: int, size: int) -> None:
        """Note the results of a folded instruction."""
        if values == 0:
            self.clear()
        else:
            self.firsts.append(first)
            self.values.append(values)
            self.sizes.append(size)

    def plain(self, index: int) -> None:
        """An instruction that is no block."""
        needed = self.pops[index]
        size = len(self.texts[index]) + 2
        values = self.values
        place = len(values)
        while needed > 0 and place > 0 and values[place - 1] <= needed:
            place -= 1
            needed -= values[place]
            size += self.sizes[place] + 1
        if needed:
            self.clear()
            return
        first = index
        if place < len(values):
            first = self.firsts[place]
            del self.firsts[place:]
            del self.values[place:]
            del self.sizes[place:]
        self.widths[index] = size
        self.head(index, first)
        self.leave_values(first, self.pushes[index], size)

    def text(self, depth: int) -> str:
        """The instructions, indented by that much or more."""
        codes = self.codes
        texts = self.texts
        pieces: list[str] = []
        line_end = -1  # where the instruction ends that is printed on one line
        openers: list[int] = []
        opened = 0  # number of pieces when the last block or part of a block was opened
        for index in range(len(codes)):
            head = self.heads[index]
            while head >= 0:
                if line_end >= 0:
                    pieces.append(" (" + texts[head])
                else:
                    pieces.append(line_break(depth) + "(" + texts[head])
                    depth += 1
                    if self.widths[head] <= self.width:
                        line_end = head
                head = self.inner[head]
            code = codes[index]
            if BLOCK <= code <= IF or code == TRY_TABLE:
                openers.append(code)
                if code == IF:
                    pieces.append(line_break(depth) + "(then")
                    depth += 1
                opened = len(pieces)
            elif code == END or code == ELSE:
                depth -= 1
                pieces.append(")" if opened == len(pieces) else line_break(depth) + ")")
                if code == ELSE:
                    pieces.append(line_break(depth) + "(else")
                    depth += 1
                    opened = len(pieces)
                elif openers.pop() == IF:
                    depth -= 1
                    pieces.append(line_break(depth) + ")")
            elif not self.is_folded[index]:
                pieces.append(line_break(depth) + texts[index])
            else:
                pieces.append(")")
                if line_end < 0 or line_end == index:
                    depth -= 1
                    line_end = -1
        return "".join(pieces)

"""Text of a script -> commands (the grammar is that of the reference interpreter's scripts)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from wasmcore.errors import TextError
from wasmcore.script.commands import (
    Action,
    AssertException,
    AssertModule,
    AssertReturn,
    AssertTrap,
    Command,
    Constant,
    DefineModule,
    Either,
    Get,
    InstantiateDefinition,
    InstantiateModule,
    Invoke,
    LanesPattern,
    ModuleSource,
    NanPattern,
    Number,
    Pattern,
    Perform,
    Reference,
    ReferencePattern,
    Register,
    Thread,
    Wait,
)
from wasmcore.text import wat2wasm
from wasmcore.text.module import TextReader
from wasmcore.types import F32, F64, I32, I64, V128, ValueType

_INTEGERS: Final = {"i32.const": (I32, 32), "i64.const": (I64, 64)}
_FLOATS: Final = {"f32.const": (F32, 32), "f64.const": (F64, 64)}
_SHAPES: Final = {
    "i8x16": (16, 8, I32),
    "i16x8": (8, 16, I32),
    "i32x4": (4, 32, I32),
    "i64x2": (2, 64, I64),
    "f32x4": (4, 32, F32),
    "f64x2": (2, 64, F64),
}
"""Number of lanes, their bits, and the type of a lane."""
_EXHAUSTION: Final = "call stack exhausted"


def read_script(source: str | bytes) -> Iterator[Command]:
    """The commands of a script, one after the other; TextError where one is malformed.

    What is wrong within a module is kept in its `ModuleSource`, and the script goes on behind it.
    """
    reader = TextReader(source)
    if reader.at_left() and reader.peek_form() not in _COMMANDS:  # the fields of one module
        yield InstantiateModule(1, ModuleSource(None, reader.module_fields(), None))
        return
    while not reader.at_end():
        yield _command(reader)


def _command(reader: TextReader) -> Command:
    """Read one command."""
    keyword = reader.peek_form()
    if keyword not in _COMMANDS:
        reader.left()
        raise reader.unexpected("a command")
    line, _ = reader.line_and_column()
    if keyword == "module":
        return _module_command(reader, line)
    reader.open_form(keyword)
    command = _COMMANDS[keyword](reader, line)
    reader.right()
    return command


# Modules


def _module_command(reader: TextReader, line: int) -> Command:
    """`(module …)`, `(module definition …)` or `(module instance …)`."""
    start = reader.position
    reader.open_form("module")
    keyword = reader.peek_keyword()
    if keyword == "instance":
        reader.keyword()
        command = InstantiateDefinition(line, reader.identifier(), reader.identifier())
        reader.right()
        return command
    reader.position = start
    module = _module(reader)
    return DefineModule(line, module) if keyword == "definition" else InstantiateModule(line, module)


def _module(reader: TextReader) -> ModuleSource:
    """Read a module; what is wrong with it is kept."""
    end = reader.form_end()
    name = None
    try:
        module = reader.module()
        name = module.identifier
        data = wat2wasm(module.data) if module.kind == "quote" else module.data
    except TextError as error:
        reader.position = end
        return ModuleSource(name, b"", error)
    return ModuleSource(name, data, None)


# Commands, behind their keyword


def _register(reader: TextReader, line: int) -> Command:
    return Register(line, reader.name(), reader.identifier())


def _invoke(reader: TextReader, line: int) -> Command:
    return Perform(line, _invocation(reader))


def _get(reader: TextReader, line: int) -> Command:
    return Perform(line, Get(reader.identifier(), reader.name()))


def _assert_return(reader: TextReader, line: int) -> Command:
    action = _action(reader)
    return AssertReturn(line, action, _all(reader, _pattern))


def _assert_trap(reader: TextReader, line: int) -> Command:
    action = _module(reader) if reader.peek_form() == "module" else _action(reader)
    return AssertTrap(line, action, reader.name())


def _assert_exhaustion(reader: TextReader, line: int) -> Command:
    action = _action(reader)
    reader.name()
    return AssertTrap(line, action, _EXHAUSTION)


def _assert_exception(reader: TextReader, line: int) -> Command:
    return AssertException(line, _action(reader))


def _refusal(kind: str, custom: bool = False) -> Callable[[TextReader, int], Command]:
    def read(reader: TextReader, line: int) -> Command:
        module = _module(reader)
        return AssertModule(line, kind, module, reader.name(), custom)

    return read


def _thread(reader: TextReader, line: int) -> Command:
    name = reader.identifier()
    shared = []
    while reader.open_form("shared"):
        reader.left()
        reader.expect_keyword("module")
        shared.append(reader.identifier() or "")
        reader.right()
        reader.right()
    return Thread(line, name, tuple(shared), _all(reader, _thread_command))


def _thread_command(reader: TextReader) -> Command:
    if reader.peek_form() == "thread":
        raise reader.error("a thread within a thread")
    return _command(reader)


def _wait(reader: TextReader, line: int) -> Command:
    return Wait(line, reader.identifier())


_COMMANDS: Final[dict[str, Callable[[TextReader, int], Command]]] = {
    "module": _module_command,
    "register": _register,
    "invoke": _invoke,
    "get": _get,
    "assert_return": _assert_return,
    "assert_trap": _assert_trap,
    "assert_exhaustion": _assert_exhaustion,
    "assert_exception": _assert_exception,
    "assert_malformed": _refusal("malformed"),
    "assert_invalid": _refusal("invalid"),
    "assert_unlinkable": _refusal("unlinkable"),
    "assert_malformed_custom": _refusal("malformed", custom=True),
    "assert_invalid_custom": _refusal("invalid", custom=True),
    "thread": _thread,
    "wait": _wait,
}


# Actions, constants, patterns


def _action(reader: TextReader) -> Action:
    """`(invoke …)` or `(get …)`."""
    if reader.open_form("invoke"):
        action: Action = _invocation(reader)
    elif reader.open_form("get"):
        action = Get(reader.identifier(), reader.name())
    else:
        reader.left()
        raise reader.unexpected("an action")
    reader.right()
    return action


def _invocation(reader: TextReader) -> Invoke:
    instance = reader.identifier()
    return Invoke(instance, reader.name(), _all(reader, _constant))


_Item = TypeVar("_Item")


def _all(reader: TextReader, read: Callable[[TextReader], _Item]) -> tuple[_Item, ...]:
    """As many forms as there are."""
    items = []
    while reader.at_left():
        items.append(read(reader))
    return tuple(items)


def _constant(reader: TextReader) -> Constant:
    """A constant, to be passed."""
    at = reader.position
    pattern = _pattern(reader)
    if isinstance(pattern, ReferencePattern) and pattern.heap_type == "null":
        return Reference("null")
    if not isinstance(pattern, (Number, Reference)):
        raise reader.error("a constant expected", at)
    return pattern


def _pattern(reader: TextReader) -> Pattern:
    """A constant, or what stands for many in a result."""
    reader.left()
    keyword = reader.keyword()
    if keyword in _INTEGERS:
        value_type, bits = _INTEGERS[keyword]
        pattern: Pattern = Number(value_type, reader.integer(bits))
    elif keyword in _FLOATS:
        value_type, bits = _FLOATS[keyword]
        pattern = _float(reader, value_type, bits)
    elif keyword == "v128.const":
        pattern = _vector(reader)
    elif keyword == "either":
        pattern = Either(_all(reader, _alternative))
    elif keyword.startswith("ref."):
        pattern = _reference(reader, keyword[len("ref.") :])
    else:
        reader.position -= 1
        raise reader.unexpected("a constant")
    reader.right()
    return pattern


def _alternative(reader: TextReader) -> Pattern:
    """One of several patterns, no alternatives itself: text may be nested deeper than Python can call."""
    if reader.peek_form() == "either":
        raise reader.error("either within either")
    return _pattern(reader)


def _float(reader: TextReader, value_type: ValueType, bits: int) -> Number | NanPattern:
    found = reader.float_pattern(bits)
    return NanPattern(value_type, found == "nan:canonical") if isinstance(found, str) else Number(value_type, found)


def _vector(reader: TextReader) -> Pattern:
    shape = reader.keyword()
    if shape not in _SHAPES:
        reader.position -= 1
        raise reader.unexpected("the shape of a vector")
    count, bits, value_type = _SHAPES[shape]
    if value_type in (I32, I64):
        return _joined([reader.integer(bits) for _ in range(count)], bits)
    lanes = tuple([_float(reader, value_type, bits) for _ in range(count)])
    numbers = [lane.bits for lane in lanes if isinstance(lane, Number)]
    return _joined(numbers, bits) if len(numbers) == count else LanesPattern(lanes)


def _joined(lanes: list[int], bits: int) -> Number:
    return Number(V128, sum(lane << bits * number for number, lane in enumerate(lanes)))


def _reference(reader: TextReader, kind: str) -> Pattern:
    if kind == "null":
        if not reader.at_right():
            reader.heap_type()
        return ReferencePattern("null")
    if reader.at_right():
        return ReferencePattern(kind)
    return Reference(kind, reader.integer(32))

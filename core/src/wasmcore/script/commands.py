"""What a script consists of, as data."""

from __future__ import annotations

from typing import TypeAlias

from wasmcore._named_tuple import NamedTuple
from wasmcore.errors import CompileError
from wasmcore.types import ValueType


class Number(NamedTuple):
    """A constant of a numeric or vector type: its bits, unsigned."""

    type: ValueType
    bits: int


class Reference(NamedTuple):
    """A constant reference: `kind` is `null`, `extern` or `host`, the last two with a number."""

    kind: str
    number: int = 0


class NanPattern(NamedTuple):
    """Expected is a NaN of a float type: the canonical one, or any arithmetic one."""

    type: ValueType
    canonical: bool


class LanesPattern(NamedTuple):
    """Expected is a vector of floats, some of which may be NaN patterns."""

    lanes: tuple[Number | NanPattern, ...]


class ReferencePattern(NamedTuple):
    """Expected is a reference of a heap type, by its name: `func`, `extern`, `any`, `eq`, `i31`, `struct`, `array`, `exn`, `null`."""

    heap_type: str


class Either(NamedTuple):
    """Expected is one of several patterns."""

    patterns: tuple[Pattern, ...]


Constant: TypeAlias = Number | Reference
Pattern: TypeAlias = Number | Reference | NanPattern | LanesPattern | ReferencePattern | Either


class ModuleSource(NamedTuple):
    """A module of a script: its binary, or what is wrong with its text."""

    name: str | None
    data: bytes
    error: CompileError | None


class Invoke(NamedTuple):
    """Call an exported function, of the current instance unless one is named."""

    instance: str | None
    field: str
    arguments: tuple[Constant, ...]


class Get(NamedTuple):
    """Read an exported global."""

    instance: str | None
    field: str


Action: TypeAlias = Invoke | Get


class DefineModule(NamedTuple):
    """`(module definition …)`: a module to be instantiated later."""

    line: int
    module: ModuleSource


class InstantiateModule(NamedTuple):
    """`(module …)`: define and instantiate at once."""

    line: int
    module: ModuleSource


class InstantiateDefinition(NamedTuple):
    """`(module instance $instance $module)`."""

    line: int
    instance: str | None
    module: str | None


class Register(NamedTuple):
    """Let modules import the exports of an instance under a name."""

    line: int
    name: str
    instance: str | None


class Perform(NamedTuple):
    """An action whose results do not matter."""

    line: int
    action: Action


class AssertReturn(NamedTuple):
    """The action gives these results."""

    line: int
    action: Action
    expected: tuple[Pattern, ...]


class AssertTrap(NamedTuple):
    """The action, or the instantiation of the module, traps; the trap's text begins with the message."""

    line: int
    action: Action | ModuleSource
    message: str


class AssertException(NamedTuple):
    """The action ends with a WebAssembly exception."""

    line: int
    action: Action


class AssertModule(NamedTuple):
    """The module is refused: `kind` is `malformed`, `invalid` or `unlinkable`; or, with `custom`, one of its custom sections is."""

    line: int
    kind: str
    module: ModuleSource
    message: str
    custom: bool = False


class Thread(NamedTuple):
    """Commands of a thread of their own, with the instances shared with it; running them is not implemented."""

    line: int
    name: str | None
    shared: tuple[str, ...]
    commands: tuple[Command, ...]


class Wait(NamedTuple):
    """Wait for a thread."""

    line: int
    name: str | None


Command: TypeAlias = (
    DefineModule
    | InstantiateModule
    | InstantiateDefinition
    | Register
    | Perform
    | AssertReturn
    | AssertTrap
    | AssertException
    | AssertModule
    | Thread
    | Wait
)

"""Functions as Python objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wasmcore import _registry
from wasmcore._typing import Any
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, ContextBlock, write_host_function
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.type_ids import type_id
from wasmcore.types import EXTERNREF, F32, F64, FUNCREF, I32, I64, V128, FuncType, ValueType, value_type_name

_TYPES = {"i32": I32, "i64": I64, "f32": F32, "f64": F64, "v128": V128, "funcref": FUNCREF, "externref": EXTERNREF}


def value_types(names: Sequence[ValueType | str]) -> tuple[ValueType, ...]:
    """Value types of their names; ValueError for one that does not exist."""
    types = []
    for name in names:
        found = _TYPES.get(name) if isinstance(name, str) else name
        if found is None:
            raise ValueError(f"{name!r} is no value type; there are {', '.join(_TYPES)}")
        types.append(found)
    return tuple(types)


class ExportedFunction:
    """What stands behind the builtin of a WebAssembly function, as its `__self__`."""

    __slots__ = ("__weakref__", "funcref", "index", "name", "owner", "trampoline", "type")

    def __init__(self, owner: Any, index: int, func_type: FuncType, funcref: int, name: str) -> None:
        self.owner = owner
        self.index = index
        self.type = func_type
        self.funcref = funcref
        self.name = name
        self.trampoline: Any = None

    @property
    def type_id(self) -> int:
        """The id of its type."""
        return references.funcref_type_id(self.funcref)

    def __repr__(self) -> str:
        return f"<wasmcore function {self.name} {self.type}>"


class Func:
    """A Python function with a WebAssembly type: `Func(["i32", "i32"], ["i32"], operator.add)`.

    Any callable can be given as an import and takes the type asked for; a `Func` is checked against it, and can also be put in a
    table or passed as a funcref.
    """

    def __init__(self, params: Sequence[ValueType | str], results: Sequence[ValueType | str], function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"a callable expected, got {type(function).__name__}")
        self.type = FuncType(value_types(params), value_types(results))
        self.function = function
        self._block: ContextBlock | None = None
        self.group = Group()

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def function_at(self, index: int) -> Any:
        """Itself, to whoever finds a reference to it."""
        return self

    def host_function(self, index: int) -> tuple[str, FuncType]:
        """Its name and type."""
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__)), self.type

    @property
    def owner(self) -> Func:
        """Itself: its funcref record belongs to nobody else."""
        return self

    @property
    def funcref(self) -> int:
        """Address of a funcref record for it, in a group of its own until it is linked."""
        if self._block is None:
            self._block = ContextBlock(HOST_CONTEXT_SIZE + FUNCREF_SIZE, self.group)
            number = references.register_owner(self)
            write_host_function(
                self._block.address, machine(_registry.host_target()), self.type, type_id(self.type), self.function, number, 0
            )
            self._block.adopt(self._block.address)
        return self._block.address + HOST_CONTEXT_SIZE

    def __repr__(self) -> str:
        params = " ".join(map(value_type_name, self.type.params))
        results = " ".join(map(value_type_name, self.type.results))
        return f"<wasmcore.Func [{params}] -> [{results}]: {self.function!r}>"

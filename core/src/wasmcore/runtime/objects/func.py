"""Functions as Python objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import CodeType

from wasmcore import _registry
from wasmcore._typing import Any, Final
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, ContextBlock, write_host_function
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.objects import references
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.type_ids import type_id
from wasmcore.types import FuncType, ValueType, as_value_types, value_type_name

_ASYNC: Final = 0x80 | 0x200
"""`co_flags` of coroutine functions and asynchronous generators."""


def refuse_async(function: Any, what: str) -> None:
    """TypeError, beginning with `what`, for a callable whose result would have to be awaited: WebAssembly has no way to wait for it."""
    while isinstance(function, partial):
        function = function.func
    for called in (function, type(function).__call__):
        code = getattr(getattr(called, "__func__", called), "__code__", None)
        if isinstance(code, CodeType) and code.co_flags & _ASYNC:
            raise TypeError(f"{what} is an async function, which WebAssembly can not await: give one that returns its result")


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
            raise TypeError(f"a callable is expected as function, not {type(function).__name__}")
        refuse_async(function, repr(function))
        self.type = FuncType(as_value_types(params), as_value_types(results))
        self.function = function
        self._block: ContextBlock | None = None
        self.group = Group()

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def function_at(self, index: int) -> Any:
        """Itself, to whoever finds a reference to it."""
        return self

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

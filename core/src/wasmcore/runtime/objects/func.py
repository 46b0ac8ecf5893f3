"""Functions as Python objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from types import CodeType
from weakref import ref

from wasmcore import _registry
from wasmcore._typing import Any, Final
from wasmcore.plugin.layout import FUNCREF_SIZE
from wasmcore.runtime.execution.blocks import Block, owners
from wasmcore.runtime.execution.records import HOST_CONTEXT_SIZE, write_host_function
from wasmcore.runtime.execution.store import Store
from wasmcore.runtime.execution.stubs import machine
from wasmcore.runtime.objects.group import Group
from wasmcore.runtime.objects.references import FunctionObject
from wasmcore.runtime.objects.type_ids import type_id, value_types
from wasmcore.types import FuncType, ValueType, value_type_name

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


class ExportedFunction(FunctionObject):
    """What stands behind the builtin of a WebAssembly function, as its `__self__`. Only instances make it (`exported_function`)."""

    __slots__ = ("__weakref__", "_funcref", "_index", "_name", "_owner", "_trampoline", "_type")
    _funcref: int
    _index: int
    _name: str
    _owner: Any
    _trampoline: Any
    _type: FuncType

    def __new__(cls) -> ExportedFunction:
        raise TypeError("functions are exported by instances, and not made; see wasmcore.Func")

    @property
    def type(self) -> FuncType:
        """Parameters and results."""
        return self._type

    @property
    def name(self) -> str:
        """Its name in the module, else a text with its index."""
        return self._name

    @property
    def _group(self) -> Group:
        group: Group = self._owner.group
        return group

    def __repr__(self) -> str:
        return f"<wasmcore function {self.name} {self.type}>"


def exported_function(owner: Any, index: int, func_type: FuncType, funcref: int, name: str) -> ExportedFunction:
    """A function of an instance: its index, its process type, and its funcref record, which the owner keeps."""
    function = object.__new__(ExportedFunction)
    function._owner = owner
    function._index = index
    function._type = func_type
    function._funcref = funcref
    function._name = name
    return function


class Func(FunctionObject):
    """A Python function with a WebAssembly type: `Func(["i32", "i32"], ["i32"], operator.add)`.

    Any callable can be given as an import and takes the type asked for; a `Func` is checked against it, and can also be put in a
    table or passed as a funcref.
    """

    __slots__ = ("__weakref__", "_function", "_native", "_type")

    def __init__(self, params: Sequence[ValueType | str], results: Sequence[ValueType | str], function: Callable[..., Any]) -> None:
        self._made_once("_type")
        if not callable(function):
            raise TypeError(f"a callable is expected as function, not {type(function).__name__}")
        refuse_async(function, repr(function))
        func_type = FuncType(value_types(params), value_types(results))
        self._function = function
        self._native: tuple[Block, Group] | None = None
        """What a reference to it needs: a funcref record, and a group of its own until it is linked."""
        self._type = func_type

    @property
    def type(self) -> FuncType:
        """Parameters and results."""
        return self._type

    @property
    def function(self) -> Callable[..., Any]:
        """The Python function."""
        return self._function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def function_at(self, index: int) -> Any:
        """Itself, to whoever finds a reference to it."""
        return self

    def host_function(self, index: int) -> tuple[str, FuncType]:
        """Its name and type."""
        return str(getattr(self.function, "__qualname__", type(self.function).__qualname__)), self.type

    @property
    def _owner(self) -> Func:
        """Itself: its funcref record belongs to nobody else."""
        return self

    @property
    def _funcref(self) -> int:
        """Address of a funcref record for it."""
        return self._referable()[0].content + HOST_CONTEXT_SIZE

    @property
    def _group(self) -> Group:
        return self._referable()[1]

    def _referable(self) -> tuple[Block, Group]:
        found = self._native
        if found is None:
            found = self._make_native()
            if self._native is None:  # no other thread was faster
                self._native = found
        return self._native or found

    def _make_native(self) -> tuple[Block, Group]:
        block = Block(HOST_CONTEXT_SIZE + FUNCREF_SIZE)
        group = Group(Store(block))
        context = block.content
        write_host_function(context, machine(_registry.host_target()), self._type, type_id(self._type), self._function, context, 0)
        block.adopt(context, group.current_store)
        owners[context] = ref(self)
        return block, group

    def __repr__(self) -> str:
        params = " ".join(map(value_type_name, self.type.params))
        results = " ".join(map(value_type_name, self.type.results))
        return f"<wasmcore.Func [{params}] -> [{results}]: {self.function!r}>"

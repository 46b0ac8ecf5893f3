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

    __slots__ = ("__weakref__", "_block", "_function", "_group", "_type")
    _group: Group

    def __init__(self, params: Sequence[ValueType | str], results: Sequence[ValueType | str], function: Callable[..., Any]) -> None:
        self._made_once("_type")
        if not callable(function):
            raise TypeError(f"a callable is expected as function, not {type(function).__name__}")
        refuse_async(function, repr(function))
        func_type = FuncType(value_types(params), value_types(results))
        self._function = function
        self._block: ContextBlock | None = None
        self._group = Group()
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

    @property
    def _owner(self) -> Func:
        """Itself: its funcref record belongs to nobody else."""
        return self

    @property
    def _funcref(self) -> int:
        """Address of a funcref record for it, in a group of its own until it is linked."""
        if self._block is None:
            block = self._context_block()
            if self._block is None:  # no other thread was faster
                self._block = block
        return self._block.address + HOST_CONTEXT_SIZE

    def _context_block(self) -> ContextBlock:
        block = ContextBlock(HOST_CONTEXT_SIZE + FUNCREF_SIZE, self._group)
        number = references.register_owner(self)
        write_host_function(block.address, machine(_registry.host_target()), self._type, type_id(self._type), self._function, number, 0)
        block.adopt(block.address)
        return block

    def __repr__(self) -> str:
        params = " ".join(map(value_type_name, self.type.params))
        results = " ".join(map(value_type_name, self.type.results))
        return f"<wasmcore.Func [{params}] -> [{results}]: {self.function!r}>"

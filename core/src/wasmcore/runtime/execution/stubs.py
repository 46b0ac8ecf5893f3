"""The machine: stubs of the target, made once and shared, and the builtins that stand on them."""

from __future__ import annotations

import ctypes
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from wasmcore._typing import TYPE_CHECKING, Any, Final, Protocol
from wasmcore.errors import PluginError, Trap, TrapKind
from wasmcore.plugin.builtins import BUILTINS
from wasmcore.plugin.layout import FUNCREF_SIZE, OVERFLOW_SLOTS, VMCONTEXT_HEAD_SIZE
from wasmcore.plugin.target import INSTALLERS, HostInterface
from wasmcore.runtime.execution import store as stores
from wasmcore.runtime.execution import traps
from wasmcore.runtime.execution.code_memory import CodeBlock, stub_code, wasm_code
from wasmcore.runtime.execution.host_errors import RAISED, wrong_result
from wasmcore.runtime.execution.signals import FaultHandler, SignalHandlers, blocked_faults
from wasmcore.runtime.execution.threads import process
from wasmcore.runtime.execution.ticker import Ticker
from wasmcore.runtime.execution.turns import enter
from wasmcore.runtime.system import platform
from wasmcore.runtime.system.interposition import Interposition
from wasmcore.runtime.system.locks import Lock
from wasmcore.runtime.system.objects import object_layout
from wasmcore.runtime.system.resources import Resource, requested
from wasmcore.types import FuncType, value_type_name

if TYPE_CHECKING:
    from wasmcore.errors import Frame
    from wasmcore.plugin.target import Target

TRAMPOLINES: Final = 128
"""Trampolines that are made at a time."""
_METH_FASTCALL: Final = 0x80


class MethodDef(ctypes.Structure):
    """`PyMethodDef`."""

    _fields_ = [("name", ctypes.c_char_p), ("function", ctypes.c_void_p), ("flags", ctypes.c_int), ("doc", ctypes.c_char_p)]


_new_builtin: Final = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.POINTER(MethodDef), ctypes.py_object, ctypes.c_void_p)(
    ("PyCFunction_NewEx", ctypes.pythonapi)
)


_stay: Final = ctypes.PYFUNCTYPE(None, ctypes.py_object)(("Py_IncRef", ctypes.pythonapi))
"""Let an object be there to the very end: an interpreter that ends takes all others apart in any order."""


class BuiltinOwner(Protocol):
    """The `__self__` of a builtin; keeps what the builtin needs alive."""

    _trampoline: Any
    """Set by `Machine.builtin`."""


class LazyStubs:
    """Stubs that compile a function when it is called: `step` bytes each, from `address` on."""

    def __init__(self, block: CodeBlock, step: int) -> None:
        self._block = block
        self.address = block.address
        self.step = step


class _TrampolineBatch:
    """Some trampolines with the data they read."""

    def __init__(self, target: Target) -> None:
        size = 16 * TRAMPOLINES
        self._data = requested(platform.allocate, platform.round_up(size))
        self._slots = (ctypes.c_uint64 * (2 * TRAMPOLINES)).from_address(self._data)
        length = TRAMPOLINES * len(target.trampolines(1, self._data, self._data))
        self._code = stub_code.allocate_at(length, lambda address: target.trampolines(TRAMPOLINES, address, self._data), target.publish)
        self._step = length // TRAMPOLINES
        # Not with their owners: the collector takes those apart first, and a builtin reads its method definition when it goes.
        self._methods = (MethodDef * TRAMPOLINES)()
        _stay(self._methods)
        self.free = list(range(TRAMPOLINES))

    def method(self, number: int, funcref: int, entry: int, name: bytes, doc: bytes) -> Any:
        """Let a trampoline go to a function; the method definition for it, whose memory stays."""
        self._slots[2 * number + 1] = entry
        self._slots[2 * number] = funcref
        self._methods[number] = MethodDef(name, self._code.address + self._step * number, _METH_FASTCALL, doc)
        return self._methods[number]


class Trampoline(Resource):
    """One trampoline in use: the C function of a builtin, with its name."""

    __slots__ = ("method", "name", "type")

    def __init__(self, batch: _TrampolineBatch, number: int, funcref: int, entry: int, name: str, doc: str, func_type: FuncType) -> None:
        self.name = name
        self.type = func_type
        super().__init__(partial(map, batch.free.append), (number,))
        self.method = batch.method(number, funcref, entry, _c_string(name), _c_string(doc))


def _c_string(text: str) -> bytes:
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace")


class Machine:
    """The stubs of the running process for one target. Get it by `machine(target)`."""

    def __init__(self, target: Target) -> None:
        reason = target.unsupported()
        if reason is None and not platform.in_main_interpreter():
            reason = "WebAssembly code runs only in the main interpreter of a process, not in subinterpreters"
        if reason is not None:
            raise PluginError(reason)
        self.target = target
        self.compile_function: Callable[[int, int], int] = _not_set
        """Hook: (address of the VMContext, number of the defined function) -> address of its code. Raises what the caller is to see.
        Arguments in the overflow area must be there still when it returns."""
        self.box_reference: Callable[[int, int], Any] = _not_set
        """Hook: (packed value type, bits) -> object."""
        self.unbox_reference: Callable[[int, Any, int], int] = _not_set
        """Hook: (packed value type, object, address of the store record it goes to) -> bits, or TypeError."""
        self.host_function: Callable[[int], tuple[str, FuncType]] = _not_set
        """Hook: (address of the context of a host function) -> its name for messages, its type."""
        self.sweep: Callable[[int], None] = _not_set
        """Hook: (address of a store record): its `recent` objects are as many as there is room for."""
        self.pack_value: Callable[[int, Any], bytes] = _not_set
        """Hook: (packed value type, object) -> its bytes, or TypeError or OverflowError with what is wrong."""
        self._callbacks: dict[str, Callable[..., Any]] = {
            "enter": enter,
            "attend": self._attend,
            "trap": traps.trap,
            "poll": traps.poll,
            "compile": lambda context, number: self.compile_function(context, number),
            "wrong_count": _wrong_count,
            "wrong_argument": self._wrong_argument,
            "number": lambda kind, value: int.from_bytes(self.pack_value(kind, value), "little"),
            "box_reference": lambda kind, bits: self.box_reference(kind, bits),
            "host_error": self._host_error,
            "sweep": lambda store: self.sweep(store),
            "unbox_reference": lambda kind, value, store: self.unbox_reference(kind, value, store),
        }
        callbacks = {name: id(function) for name, function in self._callbacks.items()}
        objects = object_layout()
        if objects is None:
            version = sys.version.split()[0]
            warnings.warn(f"the objects of Python {version} are not known: calls use the stable C API, which is slower", stacklevel=2)
        self.host = HostInterface(platform.Symbols(), process.address, process.signal_actions, objects, callbacks)
        self._lock = Lock()
        self._blocks: list[CodeBlock] = []
        self._entries: dict[tuple[FuncType, bool], int] = {}
        self._hosts: dict[FuncType, int] = {}
        self._batches: list[_TrampolineBatch] = []
        self._tables: list[Any] = []
        stub = target.process_stubs(self.host)
        base = self._load(stub.code)
        labels = {name: base + offset for name, offset in stub.labels.items()}
        self._lazy = labels["lazy"]
        self._poll = labels["poll"]
        process.set_stubs(labels["unwind"], labels["thread_exit"])
        process.attend = self._attend
        process.caller = target.caller
        self._ticker = Ticker(labels["ticker"])
        installers = Interposition({name: labels[f"installing_{name}"] for name in INSTALLERS}, labels["visit_object"])
        self._signals = SignalHandlers(FaultHandler(labels["signal_handler"], process.signal_actions), self._more_handlers, installers)
        self._signals_work: bool | None = None

    def _wrong_argument(self, owner: BuiltinOwner, number: int, value: Any) -> None:
        """The callback `wrong_argument`; exceptions of the value's own conversion come out as they are."""
        trampoline: Trampoline = owner._trampoline
        value_type = trampoline.type.params[number]
        try:
            self.pack_value(value_type, value)
        except (TypeError, OverflowError) as error:
            raise type(error)(f"{trampoline.name}() argument {number + 1}: {error}") from None
        raise TypeError(f"{trampoline.name}() argument {number + 1}: {value_type_name(value_type)} expected")

    def _host_error(self, error: BaseException, context: int, what: int, result: Any) -> BaseException:
        """The callback `host_error`."""
        if what != RAISED:
            name, func_type = self.host_function(context)
            error = wrong_result(error, name, func_type.results, what, result)
        return traps.through_calls(error)

    def _load(self, code: bytes) -> int:
        block = stub_code.allocate(code, self.target.publish)
        self._blocks.append(block)
        return block.address

    def _more_handlers(self, actions: int) -> FaultHandler:
        stub = self.target.process_stubs(self.host._replace(signal_actions=actions))
        return FaultHandler(self._load(stub.code) + stub.labels["signal_handler"], actions)

    def _attend(self) -> None:
        """The callback `attend`: handlers of ours are on top again, where they work, and the ticker is awake."""
        if self._signals.changed:
            if self._signals_work:
                self._signals.ensure_installed()
            else:
                self._signals.changed = False
        self._ticker.wake_if_asleep()

    def signals_work(self) -> bool:
        """Whether faults of generated code become traps in this process: found out once, by a fault."""
        if self._signals_work is None:
            self._signals_work = platform.signals_enabled() and not blocked_faults() and self._try_signals()
        return self._signals_work

    def _try_signals(self) -> bool:
        try:
            self._signals.ensure_installed()
            self._ticker.wake()
            self_test(self)
        except (PluginError, MemoryError):
            return False
        return True

    def ensure_signals(self) -> None:
        """Call at each instantiation of code that needs signals: handlers of ours are on top. PluginError otherwise."""
        if not self.signals_work():
            raise PluginError("this code needs signal handlers, which do not work here or are switched off by WASMCORE_SIGNALS=0")
        self._signals.ensure_installed()

    def entry(self, func_type: FuncType, release_gil: bool) -> int:
        """Address of the entry stub for exported functions of a type."""
        key = func_type, release_gil
        found = self._entries.get(key)
        if found is None:
            _check_counts(func_type)
            with self._lock:
                code = self.target.entry_stub(self.host, func_type.params, func_type.results, release_gil)
                found = self._entries[key] = self._load(code)
        return found

    def host_code(self, func_type: FuncType) -> int:
        """Address of the code of funcref records for Python functions of a type."""
        found = self._hosts.get(func_type)
        if found is None:
            _check_counts(func_type)
            with self._lock:
                found = self._hosts[func_type] = self._load(self.target.host_stub(self.host, func_type.params, func_type.results))
        return found

    def lazy_stubs(self, count: int) -> LazyStubs:
        """Stubs that compile the defined functions 0..count-1 when they are called."""
        step = len(self.target.lazy_stubs(1, self._lazy, self._lazy))
        block = stub_code.allocate_at(step * count, lambda address: self.target.lazy_stubs(count, self._lazy, address), self.target.publish)
        return LazyStubs(block, step)

    def builtins_table(self, functions: Mapping[str, Callable[..., Any]]) -> int:
        """Address of a table of built-ins for VMContexts; by name, what Python does (see `wasmcore.plugin.builtins`)."""
        table = (ctypes.c_uint64 * len(BUILTINS))()
        kept = dict(functions)
        for number, builtin in enumerate(BUILTINS):
            if builtin.native:
                table[number] = self.host.symbols[builtin.name]
            elif builtin.name == "poll":
                table[number] = self._poll
            else:
                function = kept[builtin.name]
                table[number] = self._load(self.target.builtin_stub(self.host, builtin.params, builtin.results, id(function)))
        self._tables.append((table, kept))
        return ctypes.addressof(table)

    def builtin(self, owner: BuiltinOwner, name: str, doc: str, func_type: FuncType, funcref: int, release_gil: bool) -> Any:
        """A builtin function that calls the function of a funcref record; its `__self__` is `owner`.

        The owner keeps the record alive, and may have one builtin only.
        """
        entry = self.entry(func_type, release_gil)
        text = f"{name}({_parameters(func_type)})\n--\n\n{doc}"
        trampoline = Trampoline(*self._free_trampoline(), funcref, entry, name, text, func_type)
        owner._trampoline = trampoline
        return _new_builtin(trampoline.method, owner, None)

    def _free_trampoline(self) -> tuple[_TrampolineBatch, int]:
        """A batch, and the number of a trampoline of it that is nobody's from now on."""
        while True:
            for batch in self._batches:
                if batch.free:
                    with suppress(IndexError):  # somebody was faster
                        return batch, batch.free.pop()
            self._batches.append(_TrampolineBatch(self.target))


def _parameters(func_type: FuncType) -> str:
    """Positional-only parameters as `inspect.signature` reads them."""
    if not func_type.params:
        return ""
    return ", ".join(f"p{number}" for number in range(len(func_type.params))) + ", /"


def _check_counts(func_type: FuncType) -> None:
    if max(len(func_type.params), len(func_type.results)) > OVERFLOW_SLOTS:
        raise PluginError(f"functions can have at most {OVERFLOW_SLOTS} parameters and results")


def _wrong_count(owner: BuiltinOwner, given: int) -> None:
    """The callback `wrong_count`."""
    trampoline: Trampoline = owner._trampoline
    wanted = len(trampoline.type.params)
    raise TypeError(f"{trampoline.name}() takes {wanted} argument{'' if wanted == 1 else 's'} ({given} given)")


def _not_set(*arguments: Any) -> Any:
    raise PluginError("this hook of the machine is not set")


class _SelfTest:
    """Owner of the code of the self-test, and of its builtin."""

    _trampoline: Any = None

    def trap_kind(self, offset: int) -> TrapKind | None:
        return TrapKind.UNREACHABLE

    def frames(self, offset: int, is_return_address: bool) -> list[Frame]:
        raise NotImplementedError

    def function(self, offset: int) -> Frame:
        raise NotImplementedError

    def keep(self) -> object:
        return self


def self_test(machine: Machine) -> None:
    """Interrupt and trap a function once; PluginError if that does not do what it should."""
    owner = _SelfTest()
    store = stores.Store()
    block = wasm_code.allocate(machine.target.self_test(), machine.target.publish)
    context = (ctypes.c_uint64 * (VMCONTEXT_HEAD_SIZE // 8))()
    store.adopt(ctypes.addressof(context))
    funcref = (ctypes.c_uint64 * (FUNCREF_SIZE // 8))(block.address, ctypes.addressof(context))
    traps.register(block.address, block.address + block.size, owner)
    try:
        run = machine.builtin(owner, "self_test", "", FuncType((), ()), ctypes.addressof(funcref), False)
        store.request_poll()
        run()
    except Trap as trap:
        if trap.kind is TrapKind.UNREACHABLE and not store.activation:
            return
    finally:
        traps.unregister(block.address)
    raise PluginError("WebAssembly code can not run here: the handlers of SIGSEGV and SIGILL do not work")


_machines: Final[dict[str, Machine]] = {}
_lock: Final = Lock()


def machine(target: Target) -> Machine:
    """The machine of a target; PluginError when the target can not run here."""
    found = _machines.get(target.name)
    if found is None:
        with _lock:
            found = _machines.get(target.name)
            if found is None:
                found = _machines[target.name] = Machine(target)
    return found

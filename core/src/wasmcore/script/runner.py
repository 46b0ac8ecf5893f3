"""Runs the commands of a script."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from wasmcore._instance import Instance
from wasmcore._module import Module
from wasmcore.binary import decode
from wasmcore.errors import CompileError, DecodeError, LinkError, Trap, TrapKind, WasmcoreError
from wasmcore.opcodes import FEATURES
from wasmcore.runtime.objects.func import ExportedFunction
from wasmcore.runtime.objects.global_ import Global
from wasmcore.script.calls import call, read
from wasmcore.script.commands import (
    Action,
    AssertException,
    AssertModule,
    AssertReturn,
    AssertTrap,
    Command,
    DefineModule,
    InstantiateDefinition,
    InstantiateModule,
    Invoke,
    ModuleSource,
    Pattern,
    Perform,
    Register,
    Thread,
    Wait,
)
from wasmcore.script.report import Outcome, Report
from wasmcore.script.spectest import spectest
from wasmcore.script.values import Result, describe, describe_result, matches
from wasmcore.validation import validate
from wasmcore.validation.custom_sections import validate_custom_sections

if TYPE_CHECKING:
    from wasmcore.compile.engine import Engine


class Failed(Exception):
    """A command did not do what the script says."""


def run_script(commands: Iterable[Command], engine: Engine) -> Report:
    """Run a script in a world of its own. What fails is noted in the report and does not stop the script."""
    runner = _Runner(engine)
    report = Report()
    for command in commands:
        error = None
        try:
            runner.run(command)
        except Failed as failure:
            error = str(failure)
        except (WasmcoreError, TypeError, ValueError, OverflowError, MemoryError) as problem:
            error = f"{type(problem).__name__}: {problem}"
        report.outcomes.append(Outcome(command.line, _keyword(command), runner.subject, error))
    return report


class _Defined:
    """A defined module, and the newest feature it needs."""

    def __init__(self, module: Module, feature: str) -> None:
        self.module = module
        self.feature = feature


class _Runner:
    """The modules and instances of a script; those of no name are the current ones, under `None`."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Final = engine
        self.definitions: dict[str | None, _Defined] = {}
        self.instances: dict[str | None, Instance] = {}
        self.features: dict[str | None, str] = {}
        self.registered: dict[str, Any] = {}
        self.feature = FEATURES[0]
        """The newest feature that the module defined last needs."""
        self.subject = FEATURES[0]
        """What the command that runs is about, for the report."""

    def run(self, command: Command) -> None:
        """Run one command; `Failed` or the error that it ended with, if it is not what the script says."""
        self.subject = self.feature
        _COMMANDS[type(command)][1](self, command)

    # Modules

    def define_module(self, command: DefineModule) -> None:
        """`(module definition …)`."""
        self.define(command.module)

    def instantiate_module(self, command: InstantiateModule) -> None:
        """`(module …)`."""
        self.instances.pop(None, None)
        definition = self.define(command.module)
        self.instantiate(command.module.name, definition)

    def instantiate_definition(self, command: InstantiateDefinition) -> None:
        """`(module instance …)`."""
        if command.module not in self.definitions:
            raise Failed(f"no module {command.module or 'has been defined'}")
        self.instantiate(command.instance, self.definitions[command.module])

    def register(self, command: Register) -> None:
        """`(register …)`."""
        instance = self.instance(command.instance)
        self.registered[command.name] = instance

    def define(self, source: ModuleSource) -> _Defined:
        """Decode and validate a module; it is the current definition, and the one of its name."""
        self.definitions.pop(None, None)
        self.subject = self.feature = "malformed" if source.error is not None else _newest_feature(source.data)
        definition = self.definitions[None] = _Defined(self.module(source), self.feature)
        if source.name is not None:
            self.definitions[source.name] = definition
        return definition

    def module(self, source: ModuleSource) -> Module:
        """The module of its source."""
        if source.error is not None:
            raise source.error
        return Module(source.data, engine=self.engine)

    def instantiate(self, name: str | None, definition: _Defined) -> None:
        """Make an instance; it is the current one, and the one of its name."""
        self.subject = definition.feature
        self.instances.pop(None, None)
        instance = self.link(definition.module)
        for key in {None, name}:
            self.instances[key] = instance
            self.features[key] = definition.feature

    def link(self, module: Module) -> Instance:
        """An instance of a module, its imports from what is registered."""
        if "spectest" not in self.registered:
            self.registered["spectest"] = spectest(self.engine)
        return Instance(module, self.registered)

    def instance(self, name: str | None) -> Instance:
        """The instance of a name, or the current one."""
        if name not in self.instances:
            raise Failed(f"there is no instance {name}" if name else "there is no instance")
        self.subject = self.features[name]
        return self.instances[name]

    # Actions

    def act(self, action: Action, expected: tuple[Pattern, ...] = ()) -> list[Result]:
        """Call a function or read a global; what is expected only decides how exactly NaNs are passed."""
        exports = self.instance(action.instance).exports
        if action.field not in exports:
            raise Failed(f"nothing is exported as {action.field!r}")
        value = exports[action.field]
        if isinstance(action, Invoke):
            if not isinstance(getattr(value, "__self__", None), ExportedFunction):
                raise Failed(f"{action.field!r} is no function")
            return call(value, action.arguments, expected, self.engine)
        if not isinstance(value, Global):
            raise Failed(f"{action.field!r} is no global")
        return [read(value)]

    def perform(self, command: Perform) -> None:
        """An action on its own."""
        self.act(command.action)

    def assert_return(self, command: AssertReturn) -> None:
        """`(assert_return …)`."""
        found = self.act(command.action, command.expected)
        if len(found) != len(command.expected) or not all(map(matches, command.expected, found)):
            wanted = ", ".join(map(describe, command.expected)) or "nothing"
            raise Failed(f"expected {wanted}, found {', '.join(map(describe_result, found)) or 'nothing'}")

    def assert_trap(self, command: AssertTrap) -> None:
        """`(assert_trap …)` and `(assert_exhaustion …)`."""
        try:
            if isinstance(command.action, ModuleSource):
                self.link(self.define(command.action).module)
            else:
                self.act(command.action)
        except Trap as trap:
            if not _same_trap(trap, command.message):
                raise Failed(f"expected the trap {command.message!r}, found {trap.kind.text!r}") from None
        else:
            raise Failed(f"expected the trap {command.message!r}, found none")

    def assert_exception(self, command: AssertException) -> None:
        """`(assert_exception …)`."""
        self.act(command.action)
        raise Failed("expected an exception, found none")

    # Modules that are refused

    def assert_module(self, command: AssertModule) -> None:
        """`(assert_malformed …)` and the like."""
        self.subject = command.kind
        error_type, examine = _REFUSALS["custom" if command.custom else command.kind]
        wanted = f"expected a module that is {command.kind} ({command.message})"
        try:
            examine(self, command.module)
        except error_type as error:
            if isinstance(error, DecodeError) == (command.kind == "malformed"):
                return
            raise Failed(f"{wanted}, found {error}") from None
        except CompileError as error:
            raise Failed(f"{wanted}, found {error}") from None
        raise Failed(f"{wanted}, found nothing wrong")

    def validate(self, source: ModuleSource) -> None:
        """Decode and validate a module."""
        if source.error is not None:
            raise source.error
        validate(decode(source.data, self.engine.features), self.engine.features)

    def validate_custom(self, source: ModuleSource) -> None:
        """Examine what custom sections say of the code, too."""
        self.validate(source)
        validate_custom_sections(decode(source.data, self.engine.features))

    def not_supported(self, command: Command) -> None:
        """`(thread …)` and `(wait …)`."""
        raise Failed("threads are not implemented")


_REFUSALS: Final[dict[str, tuple[type[WasmcoreError], Callable[[_Runner, ModuleSource], object]]]] = {
    "malformed": (CompileError, _Runner.validate),
    "invalid": (CompileError, _Runner.validate),
    "custom": (CompileError, _Runner.validate_custom),
    "unlinkable": (LinkError, lambda runner, source: runner.link(runner.module(source))),
}

# For each kind of command its keyword and what runs it.
_COMMANDS: Final[dict[type[Any], tuple[str, Callable[[_Runner, Any], None]]]] = {
    DefineModule: ("module definition", _Runner.define_module),
    InstantiateModule: ("module", _Runner.instantiate_module),
    InstantiateDefinition: ("module instance", _Runner.instantiate_definition),
    Register: ("register", _Runner.register),
    Perform: ("invoke", _Runner.perform),
    AssertReturn: ("assert_return", _Runner.assert_return),
    AssertTrap: ("assert_trap", _Runner.assert_trap),
    AssertException: ("assert_exception", _Runner.assert_exception),
    AssertModule: ("assert_module", _Runner.assert_module),
    Thread: ("thread", _Runner.not_supported),
    Wait: ("wait", _Runner.not_supported),
}


def _keyword(command: Command) -> str:
    """How a command is called in the script language."""
    if isinstance(command, AssertModule):
        return f"assert_{command.kind}" + ("_custom" if command.custom else "")
    return _COMMANDS[type(command)][0]


def _same_trap(trap: Trap, message: str) -> bool:
    """Whether a trap is the one that a script expects: one text may say more than the other."""
    if trap.kind == TrapKind.NULL_REFERENCE:
        return message.startswith("null ") and message.endswith("reference")
    return message.startswith(trap.kind.text) or trap.kind.text.startswith(message)


def _newest_feature(data: bytes) -> str:
    """The newest feature that a module needs, by the order of `FEATURES`; `invalid` if it is not valid with all of them."""
    low, high = 1, len(FEATURES) + 1
    while low < high:
        middle = (low + high) // 2
        enabled = frozenset(FEATURES[:middle])
        try:
            validate(decode(data, enabled), enabled)
            high = middle
        except CompileError:
            low = middle + 1
    return FEATURES[low - 1] if low <= len(FEATURES) else "invalid"

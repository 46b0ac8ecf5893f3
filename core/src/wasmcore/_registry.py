"""Finds plugins on first use, once; one that is broken is reported and never breaks the others.

A plugin asked for by name is loaded alone and without pluggy, whose import takes longer than all of that: its entry point is
named like what it brings. The listing of everything goes through pluggy, which checks each plugin against the hook specifications.
"""

from __future__ import annotations

import os
import sys
import warnings
from threading import RLock

from wasmcore._arguments import choices, near
from wasmcore._named_tuple import NamedTuple
from wasmcore._typing import TYPE_CHECKING, Any, Final
from wasmcore.errors import PluginError
from wasmcore.plugin import hooks
from wasmcore.plugin.code import CONTRACT
from wasmcore.plugin.entry_points import Entry, entries
from wasmcore.plugin.markers import IMPLEMENTATION, PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pluggy import PluginManager

    from wasmcore.plugin.hooks import Backend, HostModule
    from wasmcore.plugin.target import Target

BACKEND: Final = "wasmcore_backend"
TARGET: Final = "wasmcore_target"
HOST_MODULE: Final = "wasmcore_host_module"

_KINDS: Final = {BACKEND: "backend", TARGET: "target", HOST_MODULE: "host module"}
"""What each hook provides."""
_MACHINES: Final = {"AMD64": "x86_64", "arm64": "aarch64"}
"""Names of machines on other systems, and ours."""
_DEFAULT_BACKEND: Final = "singlepass"
_PACKAGES: Final = {
    BACKEND: {"singlepass": "wasmcore-singlepass", "llvm": "wasmcore-llvm"},
    TARGET: {"x86_64": "wasmcore-x86-64"},
    HOST_MODULE: {"wasi_snapshot_preview1": "wasmcore-wasi"},
}
"""By hook, what the project itself provides, and the distribution that brings it."""
_OWN_HOSTS: Final = frozenset({"wasi"})
"""Names of the project's own plugins that bring host modules: known also where they are not installed."""
_OUTDATED: Final = {
    "wasi_unstable": "wasi_unstable is WASI preview 0, which nothing here provides; compile for wasi_snapshot_preview1 (wasm32-wasip1)"
}
"""Module names of imports that nobody will provide, and what to do."""


class Problem(NamedTuple):
    """A plugin that can not be used."""

    plugin: str
    """Name of its entry point."""
    distribution: str
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} of {self.distribution}: {self.reason}"


class Provided(NamedTuple):
    """What a hook returned."""

    plugin: str
    """Name of the entry point."""
    distribution: str
    value: Any


class Listing(NamedTuple):
    """Everything installed."""

    provided: dict[str, dict[str, Provided]]
    """By hook, then by name."""
    problems: tuple[Problem, ...]


class Registry:
    """The plugins of one `sys.path`."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._entries: list[Entry] | None = None
        self._returned: dict[tuple[Entry, str], Any] = {}
        self._listing: Listing | None = None

    def find(self, hook: str, name: str) -> Provided | None:
        """What a hook provides under this name, loading no other plugin if the entry point is named accordingly."""
        with self._lock:
            if self._listing is None:
                for entry in self._all_entries():
                    if entry.name == name or name.startswith(entry.name + "_"):
                        found = self._ask(entry, hook)
                        if found is not None and found.value.name == name:
                            return found
            return self.listing().provided[hook].get(name)

    def listing(self) -> Listing:
        """Everything, every plugin loaded and checked."""
        with self._lock:
            if self._listing is None:
                self._listing = self._list()
            return self._listing

    def has_entry(self, name: str) -> bool:
        """Whether something installed brings a plugin of this name."""
        with self._lock:
            return any(entry.name == name for entry in self._all_entries())

    def _all_entries(self) -> list[Entry]:
        if self._entries is None:
            self._entries = entries(hooks.ENTRY_POINT_GROUP)
        return self._entries

    def _ask(self, entry: Entry, hook: str) -> Provided | None:
        """What one plugin provides, or None if it is nothing of use; then the listing says why."""
        try:
            implementation = getattr(entry.load(), hook, None)
            if not hasattr(implementation, IMPLEMENTATION):
                return None
            return self._call(entry, hook, implementation)
        except (Exception, SystemExit):
            return None

    def _call(self, entry: Entry, hook: str, implementation: Any) -> Provided:
        """Call a hook, once, and check what it returns."""
        if (entry, hook) not in self._returned:
            value = implementation()
            _check(hook, value)
            self._returned[entry, hook] = value
        return Provided(entry.name, entry.distribution, self._returned[entry, hook])

    def _list(self) -> Listing:
        manager = _manager()
        accepted: list[tuple[Entry, str, Provided]] = []
        problems = []
        for entry in self._all_entries():
            try:
                accepted += [(entry, hook, self._call(entry, hook, function)) for hook, function in _register(manager, entry)]
            except (Exception, SystemExit) as error:
                problems.append(_problem(entry, error))
        provided: dict[str, dict[str, Provided]] = {hook: {} for hook in _KINDS}
        # Who is named like what it brings has the first claim, as in `find`.
        for entry, hook, found in sorted(accepted, key=lambda item: item[0].name != item[2].value.name):
            holder = provided[hook].setdefault(found.value.name, found)
            if holder is not found:
                taken = f"{_KINDS[hook]} name {found.value.name!r} is already taken by {holder.plugin!r} of {holder.distribution}"
                problems.append(Problem(entry.name, entry.distribution, taken))
        return Listing({hook: dict(sorted(found.items())) for hook, found in provided.items()}, tuple(sorted(problems)))


def _manager() -> PluginManager:
    from pluggy import PluginManager

    manager = PluginManager(PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def _register(manager: PluginManager, entry: Entry) -> list[tuple[str, Any]]:
    """Register a plugin; its implementations by hook."""
    plugin = entry.load()
    if manager.is_registered(plugin):
        raise ValueError(f"{entry.value} is registered under another name already")
    manager.register(plugin, name=f"{entry.distribution}:{entry.name}")
    callers = manager.get_hookcallers(plugin) or []
    found = [(caller.name, each) for caller in callers for each in caller.get_hookimpls() if each.plugin is plugin]
    unknown = sorted(name for name, each in found if name not in _KINDS and not each.optionalhook)
    if unknown:
        raise ValueError(f"unknown hook {', '.join(unknown)}; this wasmcore knows {', '.join(_KINDS)}")
    known = [(name, each.function) for name, each in found if name in _KINDS]
    if not known:
        raise ValueError(f"implements no hook; this wasmcore knows {', '.join(_KINDS)}")
    return known


def _check(hook: str, value: Any) -> None:
    """Raise if an object is not what its hook promises; the contract first, since another one may promise something else."""
    kind = _KINDS[hook]
    contract = getattr(value, "contract", None)
    if not isinstance(contract, tuple) or len(contract) != 2:
        raise TypeError(f"{hook} returned {value!r}, which is no {kind} (it has no contract version)")
    if contract[0] != CONTRACT[0] or contract > CONTRACT:
        versions = [".".join(map(str, version)) for version in (contract, CONTRACT)]
        raise ValueError(f"{kind} is made for contract {versions[0]}, this wasmcore has {versions[1]}")
    missing = sorted(name for name in _members(hook) if not hasattr(value, name))
    if missing or not isinstance(value.name, str):
        raise TypeError(f"{hook} returned {value!r}, which is no {kind} (wanting: {', '.join(missing or ['a name'])})")


def _members(hook: str) -> list[str]:
    """Names that the protocol of a hook's result declares."""
    protocol: type
    if hook == BACKEND:
        protocol = hooks.Backend
    elif hook == HOST_MODULE:
        protocol = hooks.HostModule
    else:
        from wasmcore.plugin import target

        protocol = target.Target
    functions = [name for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")]
    return [*protocol.__annotations__, *functions]


def _problem(entry: Entry, error: BaseException) -> Problem:
    text = " ".join(str(error).split())
    return Problem(entry.name, entry.distribution, f"{type(error).__name__}: {text}" if text else type(error).__name__)


_registry = Registry()


def listing() -> Listing:
    """Everything installed, with what can not be used."""
    return _registry.listing()


def backends() -> dict[str, Backend]:
    """The installed backends by name; warns of plugins that can not be used."""
    return _values(BACKEND)


def targets() -> dict[str, Target]:
    """The installed targets by name; warns of plugins that can not be used."""
    return _values(TARGET)


def host_modules() -> dict[str, HostModule]:
    """The installed host modules by the module name that imports use; warns of plugins that can not be used."""
    return _values(HOST_MODULE)


def problems() -> tuple[Problem, ...]:
    """The plugins that can not be used, and why."""
    return listing().problems


def _values(hook: str) -> dict[str, Any]:
    for problem in problems():
        warnings.warn(f"wasmcore: {problem}", stacklevel=3)
    return {name: found.value for name, found in listing().provided[hook].items()}


def backend(name: str) -> Backend:
    """The backend of this name; PluginError if there is none, with what to do."""
    found: Backend = _named(BACKEND, name)
    return found


def default_backend() -> Backend:
    """The backend that is used when none is named; PluginError if none is installed."""
    found = _registry.find(BACKEND, _DEFAULT_BACKEND) or next(iter(listing().provided[BACKEND].values()), None)
    if found is None:
        raise PluginError(_nothing(BACKEND, _DEFAULT_BACKEND))
    chosen: Backend = found.value
    return chosen


def host_target() -> Target:
    """The target of the running process; PluginError if there is none, with what to do."""
    machine = _machine()
    found = _registry.find(TARGET, machine)
    named: Target | None = found.value if found else None
    reason = named.unsupported() if named else f"{machine} under {sys.platform}: {_nothing(TARGET, machine)}"
    if named and reason is None:
        return named
    others: list[Target] = [provided.value for provided in listing().provided[TARGET].values()]
    for other in others:
        if other is not named and other.unsupported() is None:
            return other
    raise PluginError(f"unsupported platform: {f'target {machine!r} can not run here: ' if named else ''}{reason}")


def find_host_module(name: str) -> tuple[str, HostModule] | None:
    """Plugin name and host module for the module name of an import, or None if there is none."""
    found = _registry.find(HOST_MODULE, name)
    return (found.plugin, found.value) if found else None


def host_module(name: str) -> HostModule:
    """The host module for the module name of an import; PluginError if there is none, with what to do."""
    found: HostModule = _named(HOST_MODULE, name)
    return found


def check_host_options(names: Iterable[str]) -> None:
    """TypeError for options of a plugin that neither is installed nor one of the project's."""
    for name in names:
        if name not in _OWN_HOSTS and not _registry.has_entry(name):
            known = {found.plugin for found in listing().provided[HOST_MODULE].values()} | _OWN_HOSTS
            raise TypeError(f"host_options has options for {name!r}, which is no host module; {choices(name, sorted(known))}")


def advice(module: str) -> str | None:
    """What to do to have the module name of an import provided, None if there is nothing that would help."""
    package = _PACKAGES[HOST_MODULE].get(module)
    if package is None:
        return _OUTDATED.get(module)
    return None if _registry.find(HOST_MODULE, module) else _nothing(HOST_MODULE, module)


def _named(hook: str, name: str) -> Any:
    found = _registry.find(hook, name)
    if found is None:
        raise PluginError(_nothing(hook, name))
    return found.value


def _nothing(hook: str, name: str) -> str:
    """Why there is nothing of that name, and what to do."""
    kind = _KINDS[hook]
    packages = _PACKAGES[hook]
    package = packages.get(name)
    for problem in problems():
        if problem.plugin == name or problem.distribution == package:
            return f"{kind} {name!r} can not be used: {problem.reason} (installed by {problem.distribution})"
    if package is not None:
        return f"{kind} {name!r} is not installed; try `pip install {package}`"
    installed = [*listing().provided[hook]]
    meant = near(name, {**dict.fromkeys(installed), **packages})
    question = "" if meant is None else f"did you mean {meant!r}? "
    brought = "" if meant is None or meant in installed else f"; `pip install {packages[meant]}` brings {meant!r}"
    return f"unknown {kind} {name!r}; {question}installed: {', '.join(installed) or 'none'}{brought}"


def _machine() -> str:
    """The name of the running processor architecture."""
    if hasattr(os, "uname"):
        machine = os.uname().machine
    else:
        import platform

        machine = platform.machine()
    return _MACHINES.get(machine, machine)

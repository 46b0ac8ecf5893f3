"""`wasmcore backends`: what is installed."""

from __future__ import annotations

from typing import TextIO

from wasmcore import _registry as registry
from wasmcore.cli.output import standard_output
from wasmcore.cli.tables import show_table
from wasmcore.errors import PluginError
from wasmcore.plugin.code import CONTRACT


def show_plugins() -> int:
    """Write what is installed; 1 if nothing can compile for this machine."""
    with standard_output() as output:
        return _show_plugins(output)


def _show_plugins(output: TextIO) -> int:
    from wasmcore._build import COMPILED

    build = "compiled" if COMPILED else "plain Python, compiles about 50 times slower"
    print(f"wasmcore, contract {CONTRACT[0]}.{CONTRACT[1]}, build: {build}\n", file=output)
    found = registry.listing()
    backends = [(name, _version(each), ", ".join(sorted(each.value.targets))) for name, each in found.provided[registry.BACKEND].items()]
    show_table(output, "Backends", ("name", "from", "targets"), backends)
    targets = [(name, _version(each), each.value.unsupported() or "runs here") for name, each in found.provided[registry.TARGET].items()]
    show_table(output, "Targets", ("name", "from", "state"), targets)
    hosts = [(name, _version(each)) for name, each in found.provided[registry.HOST_MODULE].items()]
    show_table(output, "Host modules", ("name", "from"), hosts)
    show_table(output, "Problems", ("plugin", "from", "reason"), found.problems)
    try:
        registry.default_backend()
        registry.host_target()
    except PluginError as error:
        print(error, file=output)
        return 1
    return 0


def _version(found: registry.Provided) -> str:
    return f"{found.distribution} {found.value.version}"

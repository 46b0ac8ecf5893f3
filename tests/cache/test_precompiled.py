"""Modules with their machine code: `serialize`, `deserialize`, `wasmcore compile`, `wasmcore run --allow-precompiled`."""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import pytest

import wasmcore
from wasmcore.cli import main
from wasmcore.compile import isolation
from wasmcore.compile.artifact import Artifact, read_artifact, write_artifact

from .programs import FUNCTIONS, expected, module, value

WASM = module()
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def made() -> dict[str, bytes]:
    return {}


def artifact_of(backend: str, made: dict[str, bytes]) -> bytes:
    """The module, compiled once per backend."""
    if backend not in made:
        made[backend] = wasmcore.Module(WASM, backend=backend).serialize()
    return made[backend]


@pytest.mark.parametrize("lazy", [False, True])
def test_round_trip(backend: str, made: dict[str, bytes], lazy: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    data = wasmcore.Module(WASM, engine=wasmcore.Engine(backend, lazy=lazy)).serialize()
    assert data == artifact_of(backend, made)
    engine = wasmcore.Engine(backend)
    with monkeypatch.context() as patch:
        patch.setattr(engine.backend, "compile", None)
        patch.setattr(isolation.Isolated, "submit", None)
        found = wasmcore.Module.deserialize(data, engine=engine)
        assert wasmcore.Instance(found).exports.all(-7) == expected(-7)
    assert found.info.data == WASM
    exports = wasmcore.Instance(found).exports
    assert exports.all(7) == expected(7)
    assert exports.f50(-1) == value(50, -1)
    assert found.serialize() == data
    assert wasmcore.Instance(pickle.loads(pickle.dumps(found))).exports.f50(2) == value(50, 2)


def test_traps_have_their_backtraces(backend: str, made: dict[str, bytes]) -> None:
    exports = wasmcore.Instance(wasmcore.Module.deserialize(artifact_of(backend, made))).exports
    fresh = wasmcore.Instance(wasmcore.Module(WASM, engine=wasmcore.Engine(backend, lazy=False))).exports
    frames = []
    for each in (exports, fresh):
        with pytest.raises(wasmcore.Trap, match="integer divide by zero") as trap:
            each.divide(0)
        frames.append([(frame.function_index, frame.offset) for frame in trap.value.frames])
    assert frames[0] == frames[1]
    assert frames[0][0][0] == FUNCTIONS


@pytest.mark.parametrize("settings", [{"guard": False}, {"signals": False}])
def test_other_engines(backend: str, made: dict[str, bytes], settings: dict[str, bool]) -> None:
    data = wasmcore.Module(WASM, engine=wasmcore.Engine(backend, **settings)).serialize()  # type: ignore[arg-type]
    found = wasmcore.Module.deserialize(data)
    assert wasmcore.Instance(found).exports.all(2) == expected(2)
    with pytest.raises(wasmcore.ArtifactError, match="does not fit"):
        wasmcore.Module.deserialize(data, engine=wasmcore.Engine(backend))
    with pytest.raises(wasmcore.ArtifactError, match="does not fit"):
        wasmcore.Module.deserialize(artifact_of(backend, made), engine=wasmcore.Engine(backend, **settings))  # type: ignore[arg-type]


def test_what_does_not_fit_here(backend: str, made: dict[str, bytes]) -> None:
    found = read_artifact(artifact_of(backend, made))

    def rewritten(**change: object) -> bytes:
        return write_artifact(found._replace(made_for=found.made_for._replace(**change)))

    for change, message in (
        ({"wasmcore": "0.0.1"}, "made for wasmcore 0.0.1, not "),
        ({"backend_version": "0.0.1"}, "made for version 0.0.1, not "),
        ({"contract": (1, 99)}, r"contract \(1, 99\)"),
        ({"target": "pdp11"}, "target pdp11"),
        ({"layout": (0, 1, 2, 3)}, "layout"),
    ):
        with pytest.raises(wasmcore.ArtifactError, match=message):
            wasmcore.Module.deserialize(rewritten(**change))
    with pytest.raises(wasmcore.PluginError, match="unknown backend 'nosuch'"):
        wasmcore.Module.deserialize(rewritten(backend="nosuch"))
    with pytest.raises(wasmcore.ArtifactError, match="has no option 'nosuch'"):
        wasmcore.Module.deserialize(rewritten(options=(("nosuch", "1"),)))
    units = tuple(unit._replace(features=frozenset({"avx9000"})) for unit in found.units)
    with pytest.raises(wasmcore.ArtifactError, match="needs a processor with avx9000"):
        other = found.made_for._replace(features=found.made_for.features | {"avx9000"})
        wasmcore.Module.deserialize(write_artifact(found._replace(units=units, made_for=other)))
    assert len(found.units[0].functions) > 12
    fewer = (found.units[0]._replace(functions=found.units[0].functions[:-12]), *found.units[1:])
    with pytest.raises(wasmcore.ArtifactError, match="does not have all functions"):
        wasmcore.Module.deserialize(write_artifact(found._replace(units=fewer)))
    with pytest.raises(wasmcore.ArtifactError, match="without its module"):
        wasmcore.Module.deserialize(write_artifact(Artifact(found.made_for, found.units, True)))
    with pytest.raises(wasmcore.ArtifactError, match="checksum is wrong"):
        wasmcore.Module.deserialize(artifact_of(backend, made)[:-1] + b"\xff")
    with pytest.raises(wasmcore.ArtifactError, match="this is no precompiled WebAssembly"):
        wasmcore.Module.deserialize(WASM)


def test_a_module_is_never_machine_code(backend: str, made: dict[str, bytes], tmp_path: Path) -> None:
    data = artifact_of(backend, made)
    with pytest.raises(wasmcore.DecodeError):
        wasmcore.Module(data, backend=backend)
    file = tmp_path / "app.cwasm"
    file.write_bytes(data)
    with pytest.raises(wasmcore.DecodeError, match="holds machine code"):
        wasmcore.Module(file, backend=backend)


def test_the_command_line(backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "hello.wasm"
    shutil.copy(EXAMPLES / "hello.wasm", source)
    file = tmp_path / "hello.cwasm"
    assert main(["compile", f"--backend={backend}", str(source)]) == 0
    assert capfd.readouterr().out == f"{file}: {file.stat().st_size} bytes\n"
    assert main(["compile", f"--backend={backend}", "-o", str(tmp_path / "again"), str(source)]) == 0
    assert (tmp_path / "again").read_bytes() == file.read_bytes()
    capfd.readouterr()
    assert main(["run", str(file)]) == 1
    found = capfd.readouterr()
    assert (found.out, "run it with --allow-precompiled" in found.err) == ("", True)
    assert main(["run", "--allow-precompiled", str(file)]) == 0
    assert capfd.readouterr().out == "Hello from WebAssembly!\n"
    assert main(["run", "--allow-precompiled", f"--backend={backend}", str(file)]) == 2
    assert "compiled already" in capfd.readouterr().err
    file.write_bytes(file.read_bytes()[:-1])
    assert main(["run", "--allow-precompiled", str(file)]) == 1
    assert "compile the module again with `wasmcore compile`" in capfd.readouterr().err
    assert main(["compile", f"--backend={backend}", str(file)]) == 1
    assert "holds machine code" in capfd.readouterr().err


def test_options_of_the_command_line(backend: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    hello = str(EXAMPLES / "hello.wasm")
    for command in (["run"], ["compile", "-o", os.devnull]):
        assert main([*command, f"--backend={backend}", "--option", "nosuch=1", hello]) == 2
        assert "has no option 'nosuch'" in capfd.readouterr().err
        assert main([*command, f"--backend={backend}", "--option=nosuch", hello]) == 2
        assert "--option takes NAME=VALUE" in capfd.readouterr().err
    for name, values in wasmcore.Engine(backend).backend.options.items():
        for each in values:
            assert main(["run", f"--backend={backend}", f"--option={name}={each}", hello]) == 0
            assert capfd.readouterr().out == "Hello from WebAssembly!\n"

"""Exports: a module's names come first, and the mapping works whatever they are."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterable, Mapping

import pytest

import wasmcore
from wasmcore._exports import Exports

CLASS_NAMES = sorted({*dir(Exports), *dir(dict), *dir(object), "_state", "_names", "__array_interface__", "__deepcopy__", "__wrapped__"})
"""Names that the class, its bases and Python's protocols use."""
METHODS = [name for name in CLASS_NAMES if not name.startswith("_")]


def exporting(names: Iterable[str]) -> wasmcore.Instance:
    """An instance that exports functions of these names, which give their number plus the argument."""
    body = "(param i32) (result i32) (i32.add (local.get 0) (i32.const {}))"
    functions = [f'(func (export "{name}") {body.format(number)})' for number, name in enumerate(names)]
    return wasmcore.Instance(wasmcore.Module(f"(module {' '.join(functions)})"))


def check_mapping(exports: Exports, names: list[str]) -> None:
    """The mapping has these names and nothing else, and each gives its own function."""
    assert isinstance(exports, Mapping) and len(exports) == len(names)
    assert list(exports) == names and names[-1] in exports and "nope" not in exports
    expected = {name: exports[name] for name in names}
    for number, name in enumerate(names):
        assert exports[name](100) == 100 + number
    assert dict(exports) == expected and {**exports} == expected and exports == expected and expected == exports
    assert dict(Mapping.items(exports)) == expected and list(Mapping.keys(exports)) == names
    assert Mapping.get(exports, "nope", 5) == 5
    assert (lambda **given: given)(**exports) == expected
    gathered: dict[str, object] = {}
    gathered.update(exports)
    assert gathered == expected


@pytest.mark.parametrize("name", CLASS_NAMES)
def test_mapping_works_with_any_name(name: str) -> None:
    instance = exporting(["first", name])
    check_mapping(instance.exports, ["first", name])
    if not name.startswith("__"):
        assert getattr(instance.exports, name)(10) == 11
        assert getattr(instance.exports, name) is instance.exports[name]
    assert name in dir(instance.exports) and name in repr(instance.exports)


def test_mapping_works_with_all_names() -> None:
    exports = exporting(CLASS_NAMES).exports
    check_mapping(exports, CLASS_NAMES)
    for name in METHODS:
        assert getattr(exports, name)(7) == 7 + CLASS_NAMES.index(name)


def test_mapping_has_its_methods_where_no_export_is_called_so() -> None:
    exports = exporting(["f", "items"]).exports
    assert list(exports.keys()) == ["f", "items"] and exports.get("nope") is None and exports.get("f") is exports.f
    assert [function(5) for function in exports.values()] == [5, 6]


@pytest.mark.parametrize("names", [["keys", "get"], ["items", "values"], ["f"]])
def test_instances_are_linked_by_any_name(names: list[str]) -> None:
    instance = exporting(names)
    imports = [f'(import "a" "{name}" (func (param i32) (result i32)))' for name in names]
    module = wasmcore.Module(f'(module {" ".join(imports)} (export "0" (func 0)))')
    linker = wasmcore.Linker()
    linker.define_instance("a", instance)
    users = [wasmcore.Instance(module, {"a": given}) for given in (instance, instance.exports, dict(instance.exports))]
    for user in (*users, linker.instantiate(module)):
        assert user.exports["0"](3) == 3


def test_names_between_double_underscores_belong_to_python() -> None:
    exports = exporting(["__class__", "__anything__", "__heap_base"]).exports
    assert exports.__class__ is Exports and exports["__class__"](1) == 1
    with pytest.raises(AttributeError, match=r"exports\['__anything__'\]"):
        _ = exports.__anything__
    assert exports.__heap_base(0) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vlaue", "nothing is exported as 'vlaue'; did you mean 'value'? there are: value, other"),
        ("zzz", "nothing is exported as 'zzz'; there are: value, other"),
    ],
)
def test_missing_export_says_what_there_is(name: str, message: str) -> None:
    exports = exporting(["value", "other"]).exports
    with pytest.raises(KeyError) as by_item:
        exports[name]
    with pytest.raises(AttributeError) as by_attribute:
        getattr(exports, name)
    assert by_item.value.args == by_attribute.value.args == (message,)


def test_missing_export_of_few_and_many() -> None:
    with pytest.raises(AttributeError, match="as 'f'; there are none"):
        _ = exporting([]).exports.f
    with pytest.raises(KeyError, match="f17, f18, f19 and 80 more"):
        exporting([f"f{number}" for number in range(100)]).exports["zzz"]
    with pytest.raises(KeyError, match="nothing is exported as 5"):
        exporting(["f"]).exports[5]  # type: ignore[index]


def test_exports_stay_where_they_are() -> None:
    for exports in (exporting(["f"]).exports, exporting(["keys"]).exports):
        for refused in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="can not be copied or pickled"):
                refused(exports)


def test_attributes_are_looked_up_once() -> None:
    exports = exporting(["f", "keys"]).exports
    assert exports.f is vars(exports)["f"]

"""The constants of records are those of the lowering protocol."""

from __future__ import annotations

from wasmcore_midtier import records as ours
from wasmcore_singlepass import records


def test_constants() -> None:
    found = {name: value for name, value in vars(ours).items() if name.isupper() and isinstance(value, int) and name != "TYPE_CHECKING"}
    assert len(found) > 60 and found == {name: getattr(records, name) for name in found}

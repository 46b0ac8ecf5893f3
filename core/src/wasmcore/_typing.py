"""What the modules that every run imports take from `typing`, whose import takes longer than that of all of them.

Type checkers see the real ones; nothing of it means anything at run time.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any as Any
    from typing import Final as Final
    from typing import Protocol as Protocol
    from typing import TypeAlias as TypeAlias
    from typing import cast as cast
    from typing import final as final
    from typing import overload as overload
else:
    Any = Final = TypeAlias = object

    class Protocol:
        """Base of classes that say what others have to offer."""

    def cast(kind, value):
        """The value as it is."""
        return value

    def final(item):
        """The class or function as it is."""
        return item

    overload = final

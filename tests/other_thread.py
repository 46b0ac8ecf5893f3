"""Running part of a test on another thread."""

from __future__ import annotations

import threading
from collections.abc import Callable


def on_a_thread(action: Callable[[], None]) -> None:
    """Run on a new thread, whose stack is another one, and raise here what it raises."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]

"""Endless loops through several backends end when somebody wants that, and polls at any moment change nothing."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from wasmcore.runtime.execution.store import Store

from . import loops, processes
from .casts import Cast
from .rings import TAIL_WAYS, ring
from .test_calls import store_of
from .test_tail_calls import WIDE_SUM, expected_sum, wide_sum_body

COUNT = 300_000


def interrupt(store: Store, error: BaseException) -> None:
    """Interrupt the code of a store once some runs."""
    while not store.interrupt(error):
        time.sleep(0.001)


@pytest.mark.parametrize("loop", loops.LOOPS)
def test_an_interrupt_from_another_thread(cast: Cast, loop: str) -> None:
    links = loops.make(cast, loop, True)
    error = TimeoutError("enough")
    timer = threading.Timer(0.02, interrupt, (store_of(links[0].f), error))
    timer.start()
    with pytest.raises(TimeoutError) as caught:
        links[0].f(0)
    timer.join()
    assert caught.value is error
    assert [exports.answer() for exports in links] == [42] * len(links)


@pytest.mark.parametrize("way", TAIL_WAYS)
def test_polls_at_any_moment_change_nothing(cast: Cast, way: str) -> None:
    """A thread asks again and again for a poll while values move through registers and the overflow area."""
    links: list[Any] = ring(cast, len(cast.players), WIDE_SUM, wide_sum_body, way, release_gil=True)
    store = store_of(links[0].f)
    ended = threading.Event()

    def ask() -> None:
        while not ended.is_set():
            if store.activation:
                store.request_poll()
            time.sleep(0.0005)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        result = links[0].f(COUNT, 0, *range(9), *[at / 2 for at in range(9)], bytes(16), 0)
    finally:
        ended.set()
        thread.join()
    turn = COUNT % 9
    assert result[0] == expected_sum(COUNT, len(links))
    assert list(result[1:4]) == [turn, (turn + 1) % 9, (turn + 8) % 9]
    assert list(result[4:7]) == [turn / 2, (turn + 7) % 9 / 2, (turn + 8) % 9 / 2]
    assert result[7] == b"".join((COUNT * step).to_bytes(4, "little") for step in (1, 2, 3, 4))


@pytest.mark.parametrize(
    "what", ["ctrl_c", *(pytest.param(name, marks=pytest.mark.slow) for name in ("raised_by_a_thread", "handler_calls_back"))]
)
def test_ctrl_c(pair: Cast, what: str) -> None:
    processes.run(what, pair)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_fork_in_the_middle(pair: Cast) -> None:
    processes.run("fork", pair)

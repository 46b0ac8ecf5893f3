"""Address space that is used again: whoever gets some finds it as new, whatever others did with it."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from contextlib import suppress

import pytest
from faults import interrupted
from hypothesis import given, settings
from hypothesis import strategies as st

from wasmcore.runtime.system import images, platform, resources
from wasmcore.runtime.system.areas import MOST_KEPT, Area, Areas, Mapping
from wasmcore.runtime.system.images import Image

PAGE = platform.PAGE_SIZE


def test_what_is_given_back_is_taken_again() -> None:
    areas = Areas(Area.emptying)
    first = Mapping(areas, 8 * PAGE, PAGE)
    address = first.address
    first.area.open(2 * PAGE)
    ctypes.memset(address, 7, 2 * PAGE)
    del first
    other, same = Mapping(areas, 4 * PAGE, PAGE), Mapping(areas, 8 * PAGE, PAGE)
    assert same.address == address != other.address
    assert ctypes.string_at(address, 2 * PAGE) == bytes(2 * PAGE)


def test_not_more_are_kept_than_may_be() -> None:
    told: list[int] = []
    areas = Areas(Area.emptying, lambda area: told.append(area.address), lambda area: told.remove(area.address))
    held = [Mapping(areas, PAGE, PAGE) for _ in range(MOST_KEPT + 10)]
    assert len(set(told)) == MOST_KEPT + 10
    del held
    assert len(told) == len(areas._kept) == MOST_KEPT
    resources.collect()
    assert not told and not areas._kept


def test_what_nobody_asks_for_makes_room() -> None:
    areas = Areas(Area.emptying)
    del [Mapping(areas, PAGE, PAGE) for _ in range(MOST_KEPT)][:]
    kept = Mapping(areas, 2 * PAGE, PAGE)
    assert not areas._kept
    del kept
    assert [area.size for area in areas._kept] == [2 * PAGE]


def test_what_can_not_be_emptied_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a process has locked its memory."""
    areas = Areas(Area.emptying)
    resources.collect()
    before = len(resources._owned), reserved()
    monkeypatch.setattr(platform, "_madvise", lambda *arguments: -1)
    for _ in range(3):
        mapping = Mapping(areas, 4 * PAGE, PAGE)
        mapping.area.open(PAGE)
        del mapping
        assert not areas._kept and (len(resources._owned), reserved()) == before


IMAGES = (None, b"first" * 100, b"another one" + bytes(3 * PAGE) + b"end")
@pytest.mark.parametrize("before", range(3))
@pytest.mark.parametrize("after", range(3))
def test_what_is_refused_on_the_way_to_another_image_is_not_taken_for_the_one_before(before: int, after: int) -> None:
    images_of = [None if content is None else Image(content) for content in IMAGES]
    contents = [(content or b"").ljust(6 * PAGE, b"\0") for content in IMAGES]

    def use(areas: Areas, image: int) -> bytes:
        mapping = Mapping(areas, 8 * PAGE, PAGE, images_of[image])
        mapping.area.show(images_of[image])
        mapping.area.open(6 * PAGE)
        found = ctypes.string_at(mapping.address, 6 * PAGE)
        ctypes.memset(mapping.address, 0xAA, 6 * PAGE)
        return found

    for number in range(1, 8):
        areas = Areas(Area.emptying)
        assert use(areas, before) == contents[before]
        with platform.Refusal(number), suppress(MemoryError):
            assert use(areas, after) == contents[after]
        for image in (before, after, before, 0):
            assert use(areas, image) == contents[image], number
    resources.release_reserves()


OPERATIONS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(range(len(IMAGES))), st.integers(0, 6), st.booleans()), min_size=1, max_size=30
)


def protections(address: int, size: int) -> list[str]:
    """Of each page."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            start, end = (int(number, 16) for number in line.split()[0].split("-"))
            found += [line.split()[1] for page in range(address, address + size, PAGE) if start <= page < end]
    return found


@settings(deadline=None, max_examples=60)
@given(OPERATIONS)
def test_the_next_one_finds_an_image_and_zeros(operations: list[tuple[int, int, int, bool]]) -> None:
    areas = Areas(Area.emptying)
    made = [None if content is None else Image(content) for content in IMAGES]
    held: dict[int, Mapping] = {}
    for slot, image, pages, grows in operations:
        held.pop(slot, None)
        content = IMAGES[image] or b""
        writable = max(pages * PAGE, platform.round_up(len(content)))
        mapping = held[slot] = Mapping(areas, 8 * PAGE, PAGE, made[image])
        mapping.area.show(made[image])
        mapping.area.open(writable)
        if grows and writable < 8 * PAGE:
            writable += PAGE
            assert platform.at_once(mapping.area.opening(writable))
        assert ctypes.string_at(mapping.address, writable) == content.ljust(writable, b"\0")
        pages_open = writable // PAGE
        assert protections(mapping.address, 8 * PAGE) == ["rw-p"] * pages_open + ["---p"] * (8 - pages_open)
        ctypes.memset(mapping.address, 0xAA, writable)
    held.clear()
    resources.release_reserves()


def test_images_have_descriptors_as_long_as_they_are_there() -> None:
    resources.collect()
    before = len(os.listdir("/proc/self/fd"))
    held = [Image(bytes([number])) for number in range(images.MOST - len(images._open))]
    with pytest.raises(OSError, match="more images"):
        Image(b"x")
    assert len(os.listdir("/proc/self/fd")) == before + len(held)
    held.clear()
    assert len(os.listdir("/proc/self/fd")) == before
    Image(b"x")


def test_an_interrupt_at_every_bytecode_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: None)  # those in finalizers, whose frames others would keep
    areas = Areas(Area.emptying)

    def use() -> None:
        mapping = Mapping(areas, 4 * PAGE, PAGE)
        mapping.area.show(Image(b"shown"))
        mapping.area.open(2 * PAGE)

    resources.collect()
    before = len(resources._owned), len(images._open), reserved()
    for warm in (False, True):
        at = 0
        while interrupted(at, use):
            at += 1
            resources._look_for_lost()
            gc.collect(0)
            if not warm:
                resources.release_reserves()
        assert at > 100
    resources.collect()
    assert (len(resources._owned), len(images._open), reserved()) == before


def reserved() -> int:
    """Bytes of address space that nothing may touch."""
    with open("/proc/self/maps") as maps:
        found = [line.split()[0].split("-") for line in maps if " ---p " in line]
    return sum(int(end, 16) - int(start, 16) for start, end in found)

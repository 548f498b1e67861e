"""Which epoch holds where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.consensus.babe.epochs import BabeParameters, EpochView
from parahost.consensus.babe.errors import MalformedDigest, WrongEpochAnnouncement
from parahost.primitives.basic import H256, U64, ZERO_HASH, BlockNumber, Slot
from parahost.primitives.consensus import AllowedSlots, BabeConsensusLog, NextEpochData
from parahost.primitives.header import BABE_ENGINE, Consensus, DigestItem, Header
from parahost.primitives.scale import encode
from tests.consensus.babe.world import AUTHORITIES, PARAMETERS, genesis_view


def header(*announced: bytes) -> Header:
    """A header that announces epochs with these randomnesses."""
    digest: list[DigestItem] = [
        Consensus(
            BABE_ENGINE,
            encode(NextEpochData(AUTHORITIES, H256(bytes(31) + seed)), BabeConsensusLog),
        )
        for seed in announced
    ]
    return Header(ZERO_HASH, BlockNumber(1), ZERO_HASH, ZERO_HASH, tuple(digest))  # type: ignore[arg-type]


def slot(number: int) -> Slot:
    return Slot(U64(number))


def test_the_genesis_epoch_begins_with_the_first_block() -> None:
    epoch = genesis_view().epoch_at(slot(1234))
    assert (epoch.index, epoch.start) == (0, 1234)
    assert epoch.randomness == bytes(range(32))


def test_an_epoch_has_the_data_that_the_one_before_announced() -> None:
    view = genesis_view()
    view = view.after(header(b"\x01"), view.epoch_at(slot(100)))
    assert view.epoch_at(slot(109)) is view.current
    following = view.epoch_at(slot(110))
    assert (following.index, following.start, following.randomness[-1]) == (1, 110, 1)


def test_data_announced_for_a_skipped_epoch_goes_to_the_next_that_has_a_block() -> None:
    view = genesis_view()
    view = view.after(header(b"\x01"), view.epoch_at(slot(100)))
    late = view.epoch_at(slot(147))
    assert (late.index, late.start, late.randomness[-1]) == (4, 140, 1)
    view = view.after(header(b"\x02"), late)
    assert view.epoch_at(slot(150)).randomness[-1] == 2


def test_only_the_first_block_of_an_epoch_announces_and_it_must() -> None:
    view = genesis_view()
    first = view.epoch_at(slot(100))
    with pytest.raises(WrongEpochAnnouncement):
        view.after(header(), first)
    view = view.after(header(b"\x01"), first)
    assert view.after(header(), view.epoch_at(slot(101))) is view
    with pytest.raises(WrongEpochAnnouncement):
        view.after(header(b"\x02"), view.epoch_at(slot(101)))
    with pytest.raises(WrongEpochAnnouncement):
        view.after(header(), view.epoch_at(slot(110)))


def test_two_announcements_are_refused() -> None:
    view = genesis_view()
    with pytest.raises(MalformedDigest):
        view.after(header(b"\x01", b"\x02"), view.epoch_at(slot(100)))


def configured(c: tuple[int, int], kind: int, *, version: int = 1) -> Consensus:
    """Substrate's ``NextConfigData``, written out."""
    form = bytes([3, version]) + b"".join(part.to_bytes(8, "little") for part in c) + bytes([kind])
    return Consensus(BABE_ENGINE, form)


def with_items(announced: Header, *items: DigestItem) -> Header:
    return replace(announced, digest=(*announced.digest, *items))


def test_a_configuration_holds_from_the_next_epoch_on() -> None:
    view = genesis_view()
    first = with_items(header(b"\x01"), configured((1, 2), 2))
    view = view.after(first, view.epoch_at(slot(100)))
    assert view.epoch_at(slot(109)).parameters == PARAMETERS
    following = view.epoch_at(slot(110))
    assert following.parameters.c == (1, 2)
    assert following.parameters.allowed_slots is AllowedSlots.PRIMARY_AND_SECONDARY_VRF
    assert following.parameters.epoch_length == PARAMETERS.epoch_length
    view = view.after(header(b"\x02"), following)
    assert view.epoch_at(slot(125)).parameters.c == (1, 2)


@pytest.mark.parametrize(
    "items",
    [
        [configured((1, 0), 2)],
        [configured((3, 2), 2)],
        [configured((0, 1), 0)],
        [configured((1, 2), 3)],
        [configured((1, 2), 2, version=2)],
        [configured((1, 2), 2), configured((1, 2), 2)],
        [Consensus(BABE_ENGINE, b"\x04")],
    ],
)
def test_a_configuration_by_which_nobody_can_author(items: list[DigestItem]) -> None:
    view = genesis_view()
    with pytest.raises(MalformedDigest):
        view.after(with_items(header(b"\x01"), *items), view.epoch_at(slot(100)))


def test_a_configuration_alone_is_refused() -> None:
    view = genesis_view()
    view = view.after(header(b"\x01"), view.epoch_at(slot(100)))
    with pytest.raises(MalformedDigest):
        view.after(with_items(header(), configured((1, 2), 2)), view.epoch_at(slot(101)))


def test_a_disabled_author_is_the_runtimes_affair() -> None:
    view = genesis_view()
    disabled = Consensus(BABE_ENGINE, b"\x02" + (3).to_bytes(4, "little"))
    view = view.after(with_items(header(b"\x01"), disabled), view.epoch_at(slot(100)))
    assert view.after(with_items(header(), disabled), view.epoch_at(slot(101))) is view


@given(st.lists(st.integers(min_value=1, max_value=35), min_size=1, max_size=30))
def test_index_and_start_follow_from_the_first_slot_alone(gaps: list[int]) -> None:
    view, at, first = genesis_view(), 1000, None
    for count, gap in enumerate(gaps):
        at += gap
        first = at if first is None else first
        epoch = view.epoch_at(slot(at))
        assert epoch.index == (at - first) // PARAMETERS.epoch_length
        assert epoch.start == first + epoch.index * PARAMETERS.epoch_length
        begins = view.current is None or view.current.index != epoch.index
        view = view.after(header(*([bytes([count])] if begins else [])), epoch)


@given(st.integers(min_value=1, max_value=2**40), st.sampled_from([200, 250, 333, 2000, 6000]))
def test_a_slot_begins_when_its_clock_says(number: int, duration_ms: int) -> None:
    parameters = BabeParameters(U64(duration_ms), U64(10), (U64(1), U64(4)))
    number = min(number, 2_000_000_000_000 // duration_ms)
    start = parameters.start_of(slot(number))
    assert parameters.slot_at(start) == number
    assert parameters.slot_at(start - 0.001) == number - 1


def test_a_view_survives_its_encoding() -> None:
    from parahost.primitives.scale import decode

    view = genesis_view()
    view = view.after(header(b"\x01"), view.epoch_at(slot(100)))
    assert decode(EpochView, encode(view)) == view

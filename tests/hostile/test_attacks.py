"""A devnet of processes under all that strangers may try, from one address and without stake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.hostile.observed import ObservedDevnet, observed_devnet
from tests.hostile.repertoire import ASSAULTS, ATTACKS, BREAKS_RULES, Attack
from tests.hostile.verdicts import Calm, Phase, broken, had_room, lost
from tests.watchdog import slowness

pytestmark = [pytest.mark.devnet, pytest.mark.hostile]

FIRST_CALM_SLOTS = 15
CALM_SLOTS = 4
ATTACKED_SLOTS = 12
LEFT_BEHIND = 1.7
"""Times the memory of the first calm: heaps have holes, and the chain grows meanwhile."""
TOO_SLOW = 1.2
"""Times the work of tests/watchdog.py: attackers come as fast as they can, and take a machine that
is slower whole."""
MUST_END = [attack.__name__ for attack in BREAKS_RULES]


@pytest.fixture(scope="module")
def devnet() -> Iterator[ObservedDevnet]:
    with observed_devnet() as devnet:
        yield devnet


@pytest.fixture(scope="module")
def calm(devnet: ObservedDevnet) -> list[Phase]:
    """The calm phases so far."""
    return [devnet.phase(FIRST_CALM_SLOTS)]


@pytest.mark.parametrize("assault", ASSAULTS.values(), ids=ASSAULTS)
def test_the_chain_goes_on(
    devnet: ObservedDevnet, calm: list[Phase], assault: Sequence[Attack]
) -> None:
    """What seems to be lost is looked at again, twice as long: an attack does it again, a machine
    that stood still does not."""
    names = [attack.__name__ for attack in assault]
    calm.append(devnet.phase(CALM_SLOTS))
    phase = devnet.phase(ATTACKED_SLOTS, names)
    tell(phase, calm)
    assert not broken(Calm.of(calm), phase)
    if lost(Calm.of(calm), phase, MUST_END):
        calm.append(devnet.phase(FIRST_CALM_SLOTS))
        again = devnet.phase(2 * ATTACKED_SLOTS, names)
        tell(again, calm)
        calm.append(devnet.phase(CALM_SLOTS))
        missing = lost(Calm.of(calm), again, MUST_END)
        if missing and (not had_room(Calm.of(calm), again) or slowness() > TOO_SLOW):
            pytest.skip(f"the machine is too busy or too slow to judge: {missing}")
        assert not missing


def test_what_the_attacks_leave_behind_is_little(devnet: ObservedDevnet, calm: list[Phase]) -> None:
    """After all of them, and some minutes of an honest chain."""
    after = devnet.phase(CALM_SLOTS)
    tell(after, calm)
    assert after.peak_mb <= LEFT_BEHIND * calm[0].peak_mb


def test_every_attack_is_tried() -> None:
    tried = [attack for assault in ASSAULTS.values() for attack in assault]
    assert sorted(attack.__name__ for attack in tried) == sorted(ATTACKS)


def tell(phase: Phase, calm: Sequence[Phase]) -> None:
    """For who measures (``pytest -s``)."""
    expected = Calm.of(calm)
    print(
        f"\n{phase.blocks} blocks, {phase.parablocks} parablocks in {phase.slots:.1f} slots "
        f"(calm: {expected.blocks_per_slot:.2f}, {expected.parablocks_per_slot:.2f} a slot), "
        f"{phase.unfinal} unfinal, {phase.peak_mb:.0f} MB (calm: {expected.peak_mb:.0f}), "
        f"{phase.idle:.0%} idle (calm: {expected.idle:.0%}), {phase.foreign:.0%} taken by others"
    )
    for name, tally in (phase.tallies or {}).items():
        print(f"  {name}: {dict(tally)}")

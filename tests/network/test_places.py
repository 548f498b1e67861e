"""Who gets a place, and which arrivals are let on: rules without a network."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.network.arrivals import Arrival, Arrivals
from parahost.network.budgets import Budgets
from parahost.network.limits import NetworkLimits
from parahost.network.places import NoPlace, Place, room_for
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import PeerId
from tests.network.test_peers import ManualClock

FULL, AUTHORITY, COLLATOR = ObservedRole.FULL, ObservedRole.AUTHORITY, ObservedRole.COLLATOR
LIMITS = NetworkLimits(
    max_full_nodes=4,
    max_collators=4,
    max_unproven_validators=4,
    max_per_network=3,
    max_silent_connections=4,
    max_pending_connections=4,
    max_pending_per_network=3,
)
HERE = "127.0.0.1"


def crowd(role: ObservedRole, *networks: str) -> dict[PeerId, Place]:
    """They came one second after another."""
    return {
        PeerId(f"{role.name} {number}"): Place(role, network, float(number))
        for number, network in enumerate(networks)
    }


def newcomer(role: ObservedRole, network: str, at: float = 10.0) -> Place:
    return Place(role, network, at)


@pytest.mark.guide("A98")
@pytest.mark.parametrize("role", ObservedRole)
def test_each_role_has_its_share(role: ObservedRole) -> None:
    taken = crowd(role, "192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4")
    for other in ObservedRole:
        if other is role:
            with pytest.raises(NoPlace):
                room_for(newcomer(other, "192.0.2.5"), taken, LIMITS)
        else:
            assert room_for(newcomer(other, "192.0.2.5"), taken, LIMITS) is None


def test_one_address_has_few_places_whatever_it_says_that_it_is() -> None:
    taken = crowd(FULL, "192.0.2.1", "192.0.2.1") | crowd(COLLATOR, "192.0.2.1")
    for role in ObservedRole:
        with pytest.raises(NoPlace):
            room_for(newcomer(role, "192.0.2.1"), taken, LIMITS)
        assert room_for(newcomer(role, "192.0.2.2"), taken, LIMITS) is None


def test_who_comes_from_elsewhere_displaces_one_of_a_crowd() -> None:
    taken = crowd(COLLATOR, HERE, HERE, HERE, HERE)
    useful = PeerId("COLLATOR 0")
    taken[useful] = replace(taken[useful], reputation=5.0)
    assert room_for(newcomer(COLLATOR, "127.0.0.2"), taken, LIMITS) == "COLLATOR 1"
    with pytest.raises(NoPlace):
        room_for(newcomer(COLLATOR, HERE), taken, LIMITS)


def test_neighbours_do_not_displace_each_other_for_ever() -> None:
    taken = crowd(COLLATOR, "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2")
    with pytest.raises(NoPlace):
        room_for(newcomer(COLLATOR, "192.0.2.1"), taken, LIMITS)
    assert room_for(newcomer(COLLATOR, "192.0.2.3"), taken, LIMITS) == "COLLATOR 0"


def test_who_is_idle_makes_room_in_time_and_who_is_of_use_does_not() -> None:
    """Also a crowd that says it is of collators, at the collators' own address."""
    taken = crowd(COLLATOR, HERE, HERE, HERE, HERE)
    useful = PeerId("COLLATOR 0")
    taken[useful] = replace(taken[useful], reputation=1.0)
    in_time = 1.0 + LIMITS.place_grace_s
    with pytest.raises(NoPlace):
        room_for(newcomer(COLLATOR, HERE, in_time - 0.1), taken, LIMITS)
    assert room_for(newcomer(COLLATOR, HERE, in_time), taken, LIMITS) == "COLLATOR 1"
    assert room_for(newcomer(COLLATOR, HERE, in_time + 9), taken, LIMITS) == "COLLATOR 1"


class Gate:
    """Arrivals that remember who was ended."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.arrivals = Arrivals(self.clock, LIMITS, Budgets(self.clock, LIMITS))
        self.ended: list[str] = []
        self._count = 0

    def come(self, network: str = HERE) -> Arrival:
        name = f"{network} {self._count}"
        self._count += 1
        return self.arrivals.arrives(network, lambda: self.ended.append(name))


def test_silent_arrivals_displace_silent_ones_of_the_fullest_network() -> None:
    gate = Gate()
    honest = gate.come("192.0.2.1")
    for _ in range(6):
        gate.come("192.0.2.2")
    assert gate.ended == ["192.0.2.2 1", "192.0.2.2 2", "192.0.2.2 3"]
    assert honest in gate.arrivals


def test_silent_arrivals_displace_nobody_who_speaks() -> None:
    gate = Gate()
    speaking = [gate.come() for _ in range(3)]
    assert all(map(gate.arrivals.speaks, speaking))
    for _ in range(20):
        gate.come()
    assert all(one in gate.arrivals for one in speaking)
    assert len(gate.ended) == 16


def test_one_address_has_few_handshakes() -> None:
    gate = Gate()
    assert [gate.arrivals.speaks(gate.come("192.0.2.1")) for _ in range(4)] == [True] * 3 + [False]
    assert gate.arrivals.speaks(gate.come("192.0.2.2"))
    assert gate.ended == []


def test_a_handshake_from_elsewhere_displaces_one_of_a_crowd() -> None:
    gate = Gate()
    assert all(gate.arrivals.speaks(gate.come()) for _ in range(4))
    assert not gate.arrivals.speaks(gate.come()), "not one of its own crowd, so soon"
    assert gate.arrivals.speaks(gate.come("192.0.2.1"))
    assert gate.ended == [f"{HERE} 0"]


def test_a_handshake_that_has_had_its_time_makes_room() -> None:
    gate = Gate()
    assert all(gate.arrivals.speaks(gate.come()) for _ in range(4))
    gate.clock.time += LIMITS.pending_grace_s
    assert gate.arrivals.speaks(gate.come())
    assert gate.ended == [f"{HERE} 0"]


def test_a_handshakes_time_begins_when_it_speaks() -> None:
    gate = Gate()
    silent = [gate.come() for _ in range(4)]
    gate.clock.time += LIMITS.pending_grace_s
    assert all(map(gate.arrivals.speaks, silent))
    assert not gate.arrivals.speaks(gate.come())
    assert gate.ended == []


def test_who_has_left_counts_no_more() -> None:
    gate = Gate()
    for _ in range(20):
        arrival = gate.come()
        assert gate.arrivals.speaks(arrival)
        gate.arrivals.left(arrival)
    assert gate.ended == []

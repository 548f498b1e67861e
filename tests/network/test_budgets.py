"""What the peers of one address may do, together."""

from __future__ import annotations

from parahost.network.arrivals import Arrivals
from parahost.network.budgets import LEAST_BURST, MAX_NETWORKS, Budgets
from parahost.network.limits import NetworkLimits
from tests.chain.world import ManualClock

LIMITS = NetworkLimits()
HERE, THERE, LOCAL = "192.0.2.1", "192.0.2.2", "127.0.0.1"


def test_an_address_has_so_many_handshakes_at_once_and_two_a_second() -> None:
    clock = ManualClock()
    budgets = Budgets(clock, LIMITS)
    assert sum(budgets.take_handshake(HERE) for _ in range(100)) == 32
    assert budgets.take_handshake(THERE), "another address has its own"
    clock.time += 10
    assert sum(budgets.take_handshake(HERE) for _ in range(100)) == 20


def test_a_handshake_that_is_refused_costs_no_more() -> None:
    clock = ManualClock()
    budgets = Budgets(clock, LIMITS)
    for _ in range(1000):
        budgets.take_handshake(HERE)
    clock.time += 0.5
    assert budgets.take_handshake(HERE)


def test_each_place_of_an_address_has_one_full_burst_then_they_are_small() -> None:
    """New identities do not bring new bursts: one in ten seconds."""
    clock = ManualClock()
    budgets = Budgets(clock, LIMITS)
    assert [budgets.take_burst(HERE) for _ in range(10)] == 8 * [1.0] + 2 * [LEAST_BURST]
    assert budgets.take_burst(THERE) == 1.0
    clock.time += 5
    assert 0.4 < budgets.take_burst(HERE) < 0.6
    clock.time += 20
    assert [budgets.take_burst(HERE) for _ in range(3)] == [1.0, 1.0, LEAST_BURST]


def test_loopback_has_no_budget() -> None:
    budgets = Budgets(ManualClock(), LIMITS)
    assert all(budgets.take_handshake(LOCAL) for _ in range(1000))
    assert {budgets.take_burst(LOCAL) for _ in range(1000)} == {1.0}


def test_so_many_addresses_are_remembered_those_that_came_last() -> None:
    budgets = Budgets(ManualClock(), LIMITS)
    for _ in range(8):
        budgets.take_burst(HERE)
    for number in range(MAX_NETWORKS - 1):
        budgets.take_burst(f"198.51.{number // 256}.{number % 256}")
    assert budgets.take_burst(HERE) == LEAST_BURST
    for number in range(MAX_NETWORKS):
        budgets.take_burst(f"203.0.{number // 256}.{number % 256}")
    assert len(budgets._budgets) == MAX_NETWORKS
    assert budgets.take_burst(HERE) == 1.0


def test_a_connection_without_a_budget_does_not_begin_its_handshake() -> None:
    clock = ManualClock()
    arrivals = Arrivals(clock, LIMITS, Budgets(clock, LIMITS))
    begun = 0
    for _ in range(50):
        arrival = arrivals.arrives(HERE, lambda: None)
        begun += arrivals.speaks(arrival)
        arrivals.left(arrival)
    assert begun == 32
    assert arrivals.speaks(arrivals.arrives(THERE, lambda: None))

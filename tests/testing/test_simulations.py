"""The words of the test kit, in virtual time."""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from parahost.client import Signer
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.heads import ChainHead
from parahost.simulation import Finalized, Outcome, Scenario, Shape, Simulation
from parahost.testing import (
    NetworkEnded,
    PromiseBroken,
    SimulatedNetwork,
    WaitedInVain,
    simulated,
)

PARA = 2000


@pytest.fixture(scope="module")
def network() -> Iterator[SimulatedNetwork]:
    with simulated() as network:
        yield network


def test_it_has_the_nodes_and_paras_of_a_devnet(network: SimulatedNetwork) -> None:
    validators = [f"validator-{number}" for number in range(1, 5)]
    assert network.nodes == (*validators, f"collator-{PARA}")
    assert network.paras == (PARA,)


def test_heights_and_finality(network: SimulatedNetwork) -> None:
    height = network.wait_for_height(PARA, 2)
    head = ChainHead.decode(network.chain().query("Paras", "Heads", [PARA]))
    assert height == head.number == 2
    network.wait_for_height(PARA, 2, finalized=True)
    best = network.best()
    assert network.wait_for_finality(best + 1, node="validator-3") == network.final("validator-3")
    assert network.wait_for_block(best + 3) == best + 3
    assert network.chain().head(finalized=False)[0] == best + 3


def test_time_stands_still_while_nobody_waits(network: SimulatedNetwork) -> None:
    now, best = network.now(), network.best()
    threading.Event().wait(0.2)
    assert (network.now(), network.best()) == (now, best)
    network.let_pass(30)
    assert network.now() == now + 30
    assert network.best() > best


def test_events(network: SimulatedNetwork) -> None:
    event = network.wait_for_event(
        "ParaInclusion.CandidateIncluded",
        lambda fields: ChainHead.decode(fields["head"]).number == 2,
        finalized=True,
    )
    assert event.fields["receipt"]["descriptor"]["para_id"] == PARA
    with pytest.raises(WaitedInVain, match=r"event Balances.Transfer .*seen last: block \d+, the "):
        network.wait_for_event("Balances.Transfer", timeout_s=12)


def test_calls(network: SimulatedNetwork) -> None:
    chain = network.chain("validator-2")
    bob = chain.codec.address(Signer.from_uri("//Bob").account)
    call = chain.codec.encode_call("Balances", "transfer_allow_death", [{"Id": bob}, 10**10])
    done = chain.submit_and_wait(chain.signed(call, Signer.from_uri("//Alice")), finalized=False)
    assert "Balances.Transfer" in [event.name for event in done.events]
    network.wait_for_event("Balances.Transfer", lambda fields: fields["amount"] == 10**10)


def test_log_lines(network: SimulatedNetwork) -> None:
    found = network.wait_for_log("validator-2", rf"^chain\.included .*para={PARA} ", at_least=2)
    assert found == network.lines("validator-2", "chain.included")[: len(found)]
    assert found[0].fields["para"] == str(PARA) and found[0].at < found[1].at <= network.now()
    with pytest.raises(WaitedInVain, match=r"1 lines like 'no such' .*0 of them; at the end: \w+"):
        network.wait_for_log("validator-2", "no such", timeout_s=1)


def test_metrics(network: SimulatedNetwork) -> None:
    name, node = "substrate_block_height", "validator-2"
    best = network.best(node)
    height = network.wait_for_metric(node, name, lambda it: it > best, status="best")
    assert height == network.best(node) > best
    with pytest.raises(WaitedInVain, match=r"the metric \w+ status=no of \S+; seen last: 0"):
        network.wait_for_metric(node, name, status="no", timeout_s=1)


def test_whoever_is_killed_starts_again(network: SimulatedNetwork) -> None:
    starts = len(network.lines("validator-4", "node.started"))
    network.kill("validator-4")
    network.wait_for_log("validator-4", r"^node\.started", at_least=starts + 1, timeout_s=0)
    best = network.best()
    network.wait_for_block(best + 1, node="validator-4")


def test_whoever_is_paused_stands_still_until_it_is_resumed(network: SimulatedNetwork) -> None:
    network.pause("validator-4")
    network.let_pass(12)  # what was on the way comes, and nothing else
    best = network.best("validator-4")
    final = network.wait_for_finality(network.final() + 2)
    assert network.best("validator-4") == best < final
    network.resume("validator-4")
    network.wait_for_finality(final, node="validator-4")


def test_a_link_that_is_cut_has_to_be_gone_around(network: SimulatedNetwork) -> None:
    """Cut off from all others, a validator hears of nothing; with one link left, of all."""
    others = [node for node in network.nodes if node != "validator-1"]
    for other in others:
        network.cut("validator-1", other)
    network.let_pass(12)
    final = network.final("validator-1")
    network.wait_for_finality(final + 2, node="validator-2")
    assert network.final("validator-1") == final
    network.heal("validator-1", "validator-2")
    network.wait_for_finality(final + 2)
    for other in others[1:]:
        network.heal("validator-1", other)


def test_trouble_that_a_test_makes_is_no_broken_promise() -> None:
    with simulated(validators=2) as network:
        network.wait_for_height(PARA, 1)
        network.pause("validator-2")
        network.let_pass(60)


def test_who_is_not_there_is_not_waited_for(network: SimulatedNetwork) -> None:
    with pytest.raises(ValueError, match="there is no node validator-9; there are validator-1, "):
        network.wait_for_block(1, node="validator-9")
    with pytest.raises(KeyError):
        network.wait_for_height(2001, 1)


def run(seed: int) -> str:
    with simulated(validators=2, seed=seed) as network:
        network.wait_for_height(PARA, 1)
        network.kill("validator-2")
        network.let_pass(10)
    return network.finish().digest


def test_a_run_is_a_function_of_its_seed_and_its_test() -> None:
    first = run(7)
    assert run(7) == first
    assert run(8) != first


HOPELESS = Scenario(shape=Shape(validators=1, parachains=0), expects=(Finalized(at_least=1000),))


def test_networks_beside_one_another_do_not_disturb_each_other() -> None:
    alone = run(7)
    with simulated(validators=2, seed=7) as one:
        with simulated(validators=1, seed=3) as other:
            other.wait_for_height(PARA, 1)
            one.wait_for_height(PARA, 1)
        one.kill("validator-2")
        one.let_pass(10)
    assert one.finish().digest == alone


def test_a_network_that_has_been_made_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its thread takes to begin: the next one would draw the order of its tasks from
    the same generator at the same time."""
    begun = []
    run_while = Simulation.run_while

    def late(simulation: Simulation, work: Callable[[], Awaitable[None]]) -> Outcome:
        time.sleep(0.2)
        begun.append(simulation)
        return run_while(simulation, work)

    monkeypatch.setattr(Simulation, "run_while", late)
    with simulated(validators=1, seed=3):
        assert begun


def test_what_must_hold_is_judged_at_the_end() -> None:
    with pytest.raises(PromiseBroken) as caught, simulated(scenario=HOPELESS) as network:
        network.wait_for_block(2)
    assert list(caught.value.verdicts) == [HOPELESS.expects[0].name]
    with pytest.raises(NetworkEnded):
        network.now()


def test_the_error_of_the_test_comes_first() -> None:
    before = threading.enumerate()
    with pytest.raises(ZeroDivisionError), simulated(scenario=HOPELESS):
        raise ZeroDivisionError
    assert threading.enumerate() == before, "its thread is gone"


def test_a_world_that_breaks_down_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(AdderCollator, "build", stop)
    with pytest.raises(NetworkEnded, match="KeyboardInterrupt"), simulated() as network:
        network.wait_for_height(PARA, 1)


def test_the_fixture(simulated: Callable[..., SimulatedNetwork]) -> None:
    network = simulated(parachains=[], validators=1)
    assert network.wait_for_finality(1) == network.final()

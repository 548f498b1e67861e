"""What validators have at stake comes from their nodes, when it may be another."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from parahost.client.errors import Unreachable
from parahost.devnet.observer import Observer
from parahost.devnet.report import report_of
from parahost.devnet.stakes import StakeReader
from parahost.metrics.samples import Samples, series
from parahost.runtime.balances import UNIT
from tests.devnet.test_observer import line, observed
from tests.devnet.test_view import network, shown


class Nodes:
    """Nodes that tell their stakes; one with ``None`` is no validator, one that lacks is down."""

    def __init__(self) -> None:
        self.stakes: dict[str, int | None] = {}
        self.asked: list[str] = []

    async def read(self, url: str) -> Samples:
        self.asked.append(url)
        if url not in self.stakes:
            raise Unreachable(url)
        stake = self.stakes[url]
        return Samples(
            {
                series("polkadot_node_is_active_validator", {}): stake is not None,
                series("parahost_validator_stake", {}): stake or 0,
            }
        )


async def test_a_node_is_asked_when_its_stake_may_have_moved(autojump_clock: MockClock) -> None:
    observer, nodes = observed(), Nodes()
    reader = StakeReader({"a": "url a", "b": "url b"}, observer, nodes.read)
    nodes.stakes = {"url a": 100 * UNIT, "url b": None}
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await trio.sleep(5)
        assert nodes.asked == []
        for name in ("a", "b"):
            reader.hear(name, line(1, "session.began", session=0))
        await trio.sleep(5)
        assert sorted(nodes.asked) == ["url a", "url b"]
        assert (observer.nodes["a"].stake, observer.nodes["b"].stake) == (100 * UNIT, None)
        nodes.stakes["url a"] = 0
        reader.hear("a", line(2, "chain.imported"))
        await trio.sleep(5)
        assert observer.nodes["a"].stake == 100 * UNIT
        reader.hear("a", line(3, "chain.punished"))
        await trio.sleep(5)
        assert observer.nodes["a"].stake == 0
        nursery.cancel_scope.cancel()
    assert report_of(observer, {})["stakes"] == {"a": 0}


async def test_who_does_not_answer_is_asked_again(autojump_clock: MockClock) -> None:
    observer, nodes = observed(), Nodes()
    reader = StakeReader({"a": "url a"}, observer, nodes.read)
    reader.hear("a", line(1, "session.began", session=0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        await trio.sleep(5)
        assert len(nodes.asked) > 3 and observer.nodes["a"].stake is None
        nodes.stakes["url a"] = 7
        await trio.sleep(5)
        assert observer.nodes["a"].stake == 7
        nursery.cancel_scope.cancel()


def with_stakes(validators: int) -> Observer:
    observer, _ = network(validators, 3)
    for name, node in observer.nodes.items():
        node.stake = 100_000 * UNIT if name.startswith("validator") else None
    return observer


def test_stakes_fit_a_small_terminal_with_all_that_disputes_say() -> None:
    observer = with_stakes(4)
    observer.hear("a", line(5, "chain.accepted", candidate="0xc1", assigned="1@0", approved="1"))
    for number in range(4):
        votes = {"candidate": f"0x{number:08x}", "valid": "0,1", "invalid": "2,3"}
        observer.hear("a", line(6, "chain.disputed", **votes))
        observer.hear(
            "a",
            line(7, "chain.punished", validator=number, misconduct="not_voted", lost=5, left=7),
        )
    lines = shown(observer, {}, (80, 24))
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert sum("100,000" in each for each in lines) == 4
    text = "\n".join(lines)
    assert "1 accepted; checks by tranche: 1 in 0" in text
    assert "0x00000003 disputed, open: by 2,3 against 0,1" in text
    assert "has lost" in text


def test_many_validators_fit_without_their_stakes() -> None:
    lines = shown(with_stakes(20), {}, (80, 24))
    assert len(lines) <= 24 and max(map(len, lines)) <= 80

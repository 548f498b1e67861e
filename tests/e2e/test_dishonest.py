"""What dishonest validators try in a network of processes, and what it costs them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from parahost.primitives.basic import U32, SessionIndex
from parahost.process.journal import JournalLine
from parahost.process.run_node import read_chain_spec
from parahost.runtime import api
from parahost.runtime.development import STAKE, local_validator
from tests.e2e.command import Command, eventually
from tests.e2e.dishonest_nodes import DISHONEST
from tests.e2e.test_devnet import RunningDevnet

pytestmark = pytest.mark.devnet

ALONE, CORE = "validator-1", 1
"""A validator that is all of its group in the first session, and the core that it has first."""
WITNESS = "validator-2"
HONEST = ("validator-2", "validator-3", "validator-4")
SHAPE = ("--validators", "4", *("--parachain", "adder") * 3, "--slot", "1")


@contextmanager
def dishonest_devnet(
    folder: Path, kinds: Mapping[str, str]
) -> Iterator[tuple[Command, RunningDevnet]]:
    """Four validators for three paras; those that are named are adversaries of those kinds."""
    network = RunningDevnet(folder / "network")
    argv = ("devnet", "--plain", *SHAPE, "--base-path", str(network.base))
    output = folder / "out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.dishonest_devnet", *argv],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(sys.path),
                DISHONEST: ",".join(f"{name}={kind}" for name, kind in kinds.items()),
            },
        )
    try:
        yield Command(process, output), network
    finally:
        process.terminate()
        process.wait()


@pytest.mark.guide("A57", "A65")
@pytest.mark.parametrize(
    "kinds",
    [
        {ALONE: "vouches_blindly", f"collator-{2000 + CORE}": "invalid_collator"},
        {ALONE: "backs_wrong_data"},
    ],
    ids=["an invalid block", "a root over other data"],
)
def test_a_group_that_backs_what_is_invalid_loses_all_and_the_others_go_on(
    tmp_path: Path, kinds: Mapping[str, str]
) -> None:
    with dishonest_devnet(tmp_path, kinds) as (devnet, network):
        eventually(lambda: bool(told(network, "chain.dispute_concluded", outcome="invalid")))
        (punished,) = told(network, "chain.punished")[:1]
        assert punished.fields["misconduct"] == "backed_invalid"
        assert punished.fields["lost"] == str(STAKE) and punished.fields["left"] == "0"
        assert name_of(network, int(punished.fields["validator"])) == ALONE
        goes_on(network, but=f"{2000 + CORE}")
        assert not network.lines(WITNESS, "chain.invalid_is_final")
        (spoilt,) = {line.fields["candidate"] for line in told(network, "chain.dispute_concluded")}
        refused = {name: refusals(network, name, spoilt) for name in HONEST}
        assert sum(refused.values()) >= 2, "checkers who found it out"
        assert devnet.end(signal.SIGINT) == 0, devnet.printed()
    assert "Traceback" not in devnet.printed()


@pytest.mark.guide("A57", "A62")
def test_who_disputes_all_is_outvoted_and_pays_and_what_is_valid_becomes_final(
    tmp_path: Path,
) -> None:
    with dishonest_devnet(tmp_path, {"validator-3": "disputes_valid"}) as (devnet, network):
        lost = "voted_against_valid"
        eventually(lambda: len(told(network, "chain.punished", misconduct=lost)) >= 2)
        goes_on(network)
        punished = told(network, "chain.punished")
        assert {name_of(network, int(line.fields["validator"])) for line in punished} == {
            "validator-3"
        }
        concluded = told(network, "chain.dispute_concluded")
        assert {line.fields["outcome"] for line in concluded} == {"valid"}
        assert devnet.end(signal.SIGINT) == 0, devnet.printed()
    assert "Traceback" not in devnet.printed()


def told(network: RunningDevnet, event: str, **fields: str) -> list[JournalLine]:
    """What the witness has of an event, with these values."""
    lines = network.lines(WITNESS, event)
    return [line for line in lines if fields.items() <= line.fields.items()]


def goes_on(network: RunningDevnet, but: str = "") -> None:
    """What is final grows, and each other para."""
    final = network.number(WITNESS, "chain.finalized")
    lines = network.lines(WITNESS, "chain.included")
    included = Counter(line.fields["para"] for line in lines if line.fields["para"] != but)

    def has_gone_on() -> bool:
        now = Counter(line.fields["para"] for line in network.lines(WITNESS, "chain.included"))
        is_final = network.number(WITNESS, "chain.finalized") >= final + 2
        return is_final and all(now[para] > count for para, count in included.items())

    assert included
    eventually(has_gone_on, "finality, and the other paras' growth")


def refusals(network: RunningDevnet, node: str, candidate: str) -> int:
    lines = network.lines(node, "checking.invalid")
    return sum(line.fields["candidate"] == candidate for line in lines)


def name_of(network: RunningDevnet, validator: int) -> str:
    """The validator of that index in the first session."""
    genesis = read_chain_spec(network.base / "chain-spec.json").genesis_state()
    info = api.session_info(genesis, SessionIndex(U32(0)))
    assert info is not None
    keys = {local_validator(name).keys.para_validator: name for name in (ALONE, *HONEST)}
    return keys[info.validators[validator]]

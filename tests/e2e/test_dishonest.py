"""What dishonest validators try in a network of processes, and what it costs them."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import partial

import pytest

from parahost.primitives.basic import U32, SessionIndex
from parahost.process.journal import JournalLine
from parahost.process.run_node import read_chain_spec
from parahost.runtime import api
from parahost.runtime.development import STAKE, local_validator
from parahost.testing import RunningDevnet, devnet
from parahost.testing.command import Command
from tests.e2e.dishonest_nodes import DISHONEST

pytestmark = pytest.mark.devnet

ALONE, CORE = "validator-1", 1
"""A validator that is all of its group in the first session, and the core that it has first."""
WITNESS = "validator-2"
HONEST = ("validator-2", "validator-3", "validator-4")


def dishonest_devnet(kinds: Mapping[str, str]) -> AbstractContextManager[RunningDevnet]:
    """Four validators for three paras; those that are named are adversaries of those kinds."""
    start = partial(
        Command,
        program="from tests.e2e.dishonest_devnet import main; main()",
        environment={
            "PYTHONPATH": os.pathsep.join(sys.path),
            DISHONEST: ",".join(f"{name}={kind}" for name, kind in kinds.items()),
        },
    )
    return devnet(parachains=["adder"] * 3, start=start)


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
    kinds: Mapping[str, str],
) -> None:
    with dishonest_devnet(kinds) as network:
        network.wait_for_log(WITNESS, r"^chain\.dispute_concluded .*outcome=invalid")
        punished = network.wait_for_log(WITNESS, r"^chain\.punished ")[0]
        assert punished.fields["misconduct"] == "backed_invalid"
        assert punished.fields["lost"] == str(STAKE) and punished.fields["left"] == "0"
        assert name_of(network, int(punished.fields["validator"])) == ALONE
        goes_on(network, but=2000 + CORE)
        assert not network.lines(WITNESS, "chain.invalid_is_final")
        # The first one; each fork may have another.
        spoilt = told(network, "chain.dispute_concluded")[0].fields["candidate"]
        refused = {name: refusals(network, name, spoilt) for name in HONEST}
        assert sum(refused.values()) >= 2, "checkers who found it out"
        ends_well(network)


@pytest.mark.guide("A57", "A62")
def test_who_disputes_all_is_outvoted_and_pays_and_what_is_valid_becomes_final() -> None:
    with dishonest_devnet({"validator-3": "disputes_valid"}) as network:
        lost = r"^chain\.punished .*misconduct=voted_against_valid"
        network.wait_for_log(WITNESS, lost, at_least=2)
        goes_on(network)
        punished = told(network, "chain.punished")
        assert {name_of(network, int(line.fields["validator"])) for line in punished} == {
            "validator-3"
        }
        concluded = told(network, "chain.dispute_concluded")
        assert {line.fields["outcome"] for line in concluded} == {"valid"}
        ends_well(network)


def told(network: RunningDevnet, event: str) -> list[JournalLine]:
    return network.lines(WITNESS, event)


def goes_on(network: RunningDevnet, but: int = 0) -> None:
    """What is final grows, and each other para."""
    final = network.final(WITNESS)
    heights = {para: network.height(para) for para in network.paras if para != but}
    network.wait_for_finality(final + 2, node=WITNESS)
    for para, height in heights.items():
        network.wait_for_height(para, height + 1)


def ends_well(network: RunningDevnet) -> None:
    assert network.command.end(signal.SIGINT) == 0, network.command.printed()
    assert "Traceback" not in network.command.printed()


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

"""What a devnet has its chain do, on a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.client.chain import CallOutcome, CallRefused, ChainClient
from parahost.devnet.following import ANOTHER_UPGRADE
from parahost.devnet.governing import Governance
from parahost.primitives.header import Extrinsic
from parahost.primitives.ss58 import ss58_encode
from parahost.runtime.development import ENDOWMENT, local_validator
from tests.client.node import Node, serving
from tests.runtime.world import GENESIS, Chain, account


def test_a_validator_is_admitted_in_steps_each_of_which_is_final_before_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What waits on a fork for money that another fork has paid out is thrown away."""
    waited: list[bool] = []
    submit_and_wait = ChainClient.submit_and_wait

    def noted(chain: ChainClient, extrinsic: Extrinsic, *, finalized: bool) -> CallOutcome:
        waited.append(finalized)
        return submit_and_wait(chain, extrinsic, finalized=finalized)

    monkeypatch.setattr(ChainClient, "submit_and_wait", noted)
    rich = tuple((each, 2 * ENDOWMENT) for each, _ in GENESIS.balances)
    genesis = replace(GENESIS, sudo=account("Alice"), epoch_length=1000, balances=rich)
    node = Node(Chain(genesis))
    node.step()
    with serving(node) as url:
        assert Governance(url).admit("validator-9") == 2
        assert ChainClient(url).query("Session", "ChosenValidators", [])[-1] == ss58_encode(
            local_validator("validator-9").account
        )
    assert waited == [True] * 4


def test_why_an_upgrade_is_refused_has_a_name() -> None:
    node = Node(Chain(replace(GENESIS, sudo=account("Alice"), epoch_length=1000)))
    node.step()
    with serving(node) as url:
        governance = Governance(url)
        governance.upgrade(100, b"\0asm new")
        for code, error in (
            (b"\0asm newer", ANOTHER_UPGRADE),
            (b"no Wasm", "Registrar.InvalidCode"),
        ):
            with pytest.raises(CallRefused, match=error) as refusal:
                governance.upgrade(100, code)
            assert refusal.value.error == error

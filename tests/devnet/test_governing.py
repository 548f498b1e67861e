"""What a devnet has its chain do, on a chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.client.chain import CallRefused
from parahost.devnet.following import ANOTHER_UPGRADE
from parahost.devnet.governing import Governance
from tests.client.node import Node, serving
from tests.runtime.world import GENESIS, Chain, account


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

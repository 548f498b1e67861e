"""What tests of subsystems ask for by name."""

from __future__ import annotations

import pytest


@pytest.fixture
def each_gain_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gains are collected, as tests/node/gossip/test_peers.py has it; here each shall be seen."""
    monkeypatch.setattr("parahost.node.gossip.peers.BENEFITS_AT_ONCE", 1)

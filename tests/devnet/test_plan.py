"""A network is laid out once, and taken up as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from parahost.devnet.errors import BadPlan
from parahost.devnet.opening import opening_lines
from parahost.devnet.plan import DevnetOptions, make_plan
from parahost.devnet.plan_file import AddedNode, PlanFile
from parahost.devnet.ports import PortClaims
from parahost.node.role import Role
from parahost.parachains import load_specs


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[PortClaims]:
    with PortClaims(tmp_path / "claims") as claims:
        yield claims


@pytest.fixture
def options(tmp_path: Path) -> DevnetOptions:
    root = tmp_path / "net"
    root.mkdir()
    return DevnetOptions(2, tuple(load_specs(["adder"])), (), 1.0, root)


def test_the_same_network_is_taken_up(options: DevnetOptions, ports: PortClaims) -> None:
    first, again = make_plan(options, ports), make_plan(options, ports)
    assert (first.continued, again.continued) == (False, True)
    assert [node.peer for node in first.nodes] == [node.peer for node in again.nodes]
    assert {node.rpc for node in first.nodes}.isdisjoint(node.rpc for node in again.nodes)


def test_a_plan_of_an_earlier_version_is_taken_up(
    options: DevnetOptions, ports: PortClaims
) -> None:
    make_plan(options, ports)
    file = PlanFile.read(options.base_path)
    assert file is not None
    del file.network["epoch"], file.network["config"]
    (options.base_path / "devnet.json").write_text(
        json.dumps({"network": file.network, "nodes": file.nodes})
    )
    assert make_plan(options, ports).continued


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"epoch_slots": 50}, "(epoch 100)"),
        ({"settings": {"reward": 1}}, "(config {})"),
        ({"validators": 3, "slot_s": 2.0}, "(validators 2, slot_ms 1000)"),
    ],
)
def test_of_another_network_it_is_told_what_differs(
    options: DevnetOptions, ports: PortClaims, change: dict[str, object], told: str
) -> None:
    make_plan(options, ports)
    with pytest.raises(BadPlan) as raised:
        make_plan(replace(options, **change), ports)  # type: ignore[arg-type]
    assert told in str(raised.value) and "--fresh" in str(raised.value)


def test_nodes_that_came_later_come_again(options: DevnetOptions, ports: PortClaims) -> None:
    plan = make_plan(options, ports)
    plan.file.added += [
        AddedNode("validator-3", "validator"),
        AddedNode("full-1", "full"),
        AddedNode("collator-2000-2", "collator", 2000, "adder"),
    ]
    plan.file.write(options.base_path)
    nodes = make_plan(options, ports).nodes
    assert [node.name for node in nodes] == [
        "validator-1",
        "validator-2",
        "collator-2000",
        "validator-3",
        "full-1",
        "collator-2000-2",
    ]
    assert [node.seat.role for node in nodes[3:]] == [Role.VALIDATOR, Role.FULL, Role.COLLATOR]
    for node in nodes:  # all dial the validators, the one that came later too
        assert node.command.argv.count("--bootnode") == 3 - (node.seat.role is Role.VALIDATOR)


def test_without_collators_it_is_told_how_to_start_one(
    options: DevnetOptions, ports: PortClaims
) -> None:
    plan = make_plan(replace(options, collators=False), ports)
    assert [node.seat.role for node in plan.nodes] == [Role.VALIDATOR] * 2
    lines = list(opening_lines(plan))
    assert lines[-2] == "para 2000 is adder; no collator of the devnet"
    assert lines[-1].startswith("to be started by hand: parahost node --chain ")
    assert "--role collator --parachain adder --para-id 2000" in lines[-1]


def test_what_is_told_at_the_start(options: DevnetOptions, ports: PortClaims) -> None:
    plan = make_plan(options, ports)
    rpc = plan.rpc["validator-1"]
    lines = list(opening_lines(plan))
    metrics = plan.nodes[0].metrics
    assert metrics.startswith("http://127.0.0.1:") and metrics.endswith("/metrics")
    assert f"validator-1 serves JSON-RPC on {rpc}, metrics on {metrics}" in lines
    assert f"in a browser: https://polkadot.js.org/apps/?rpc={rpc}" in lines
    alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"
    assert f"account //Alice {alice}: 1,000,000 tokens at first; it governs" in lines
    assert "para 2000 is adder; collator-2000" in lines

"""Collators who advertise and never deliver, beside an honest one (D17)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.crypto.keystore import keypair_from_uri
from parahost.node.role import Role
from parahost.ports import KeyType
from parahost.runtime.development import collator_uri
from parahost.simulation import Included, Scenario, Shape, Simulation, SlowCollator, harness, plan
from parahost.simulation import scenario as scenarios
from parahost.simulation.plan import NetworkPlan, NodePlan, node_identity

SILENT = tuple(f"collator-silent-{number}" for number in range(6))


@pytest.fixture
def many_collators(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first para has these collators too."""

    def plan_network(shape: Shape) -> NetworkPlan:
        network = plan.plan_network(shape)
        others = tuple(
            NodePlan(
                name,
                Role.COLLATOR,
                node_identity(name).peer,
                ((KeyType.COLLATOR, collator_uri(name)),),
                network.parachains[0],
            )
            for name in SILENT
        )
        owners = {
            keypair_from_uri(kind, uri).public: node.name
            for node in others
            for kind, uri in node.keys
        }
        nodes = (*network.nodes, *others)
        return replace(network, nodes=nodes, owners={**network.owners, **owners})

    monkeypatch.setattr(harness, "plan_network", plan_network)
    monkeypatch.setattr(
        scenarios,
        "node_roles",
        lambda shape: plan.node_roles(shape) | dict.fromkeys(SILENT, Role.COLLATOR),
    )


@pytest.mark.usefixtures("many_collators")
def test_they_do_not_starve_an_honest_one() -> None:
    """Each costs a second once; after that the honest one is known."""
    blocks = 14
    outcome = Simulation(
        Scenario(
            shape=Shape(validators=4, parachains=1),
            blocks=blocks,
            adversaries=(SlowCollator(who=SILENT, late_s=1000.0, boasts=True),),
            expects=(Included(at_least=blocks - 4),),
        ),
        1,
    ).run()
    assert outcome.ok, outcome.verdicts

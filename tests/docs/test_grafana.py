"""The dashboard asks for metrics that there are, by labels that they have, in PromQL."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import promql_parser
import pytest

from tests.docs.metrics import DECLARED

BOARD = json.loads((Path(__file__).parents[2] / "docs/grafana/parahost.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [
    (f"{panel['title']} {target['refId']}", target)
    for panel in PANELS
    for target in panel["targets"]
]
VARIABLES = {"$__rate_interval": "1m", "$node": ".*"}
OF_PROMETHEUS = {"instance", "job"}
"""Labels that Prometheus itself gives to what it has asked for."""


def series() -> dict[str, set[str]]:
    """The labels of all that can be asked for, by name."""
    found: dict[str, set[str]] = {}
    for metric in DECLARED:
        labels = set(metric.labels) | OF_PROMETHEUS
        if metric.kind == "histogram":
            found[f"{metric.name}_bucket"] = labels | {"le"}
            found[f"{metric.name}_sum"] = found[f"{metric.name}_count"] = labels
        else:
            found[metric.name] = labels
    return found


SERIES = series()


def parsed(expression: str) -> promql_parser.Expr:
    for variable, value in VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


def selectors(expression: promql_parser.Expr) -> list[promql_parser.VectorSelector]:
    found: dict[str, promql_parser.VectorSelector] = {}

    def visit(part: Any) -> None:
        if isinstance(part, promql_parser.VectorSelector):
            found[part.prettify()] = part

    promql_parser.walk(expression, visit)
    return list(found.values())


@pytest.mark.parametrize(("_name", "target"), QUERIES, ids=[name for name, _ in QUERIES])
def test_a_query_is_about_metrics_that_there_are(_name: str, target: dict[str, Any]) -> None:
    expression = parsed(target["expr"])
    asked = selectors(expression)
    assert asked
    for selector in asked:
        assert selector.name in SERIES
        matched = {matcher.name for matcher in selector.matchers.matchers}
        assert matched <= SERIES[selector.name]
        assert "instance" in matched, "each query is about the nodes that are chosen"
    known = set.union(*(SERIES[str(selector.name)] for selector in asked))
    grouped = re.findall(r"by \(([^)]*)\)", target["expr"])
    shown = re.findall(r"{{(\w+)}}", target["legendFormat"])
    labels = {label for group in grouped for label in group.replace(" ", "").split(",")}
    assert labels | set(shown) <= known
    if grouped:
        assert set(shown) <= labels


def test_a_query_that_is_none_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"unexpected|invalid"):
        parsed("rate(parahost_blocks_imported_total{instance=~")


@pytest.mark.parametrize(
    "subject",
    [
        "substrate_block_height",
        "polkadot_parachain_approval_checking_finality_lag",
        "substrate_sub_libp2p_peers_count",
        "parahost_parablocks_total",
        "polkadot_parachain_approvals_no_shows_total",
        "polkadot_parachain_candidate_disputes_total",
        "polkadot_pvf_execution_time_bucket",
        "substrate_ready_transactions_number",
        "substrate_sub_libp2p_network_bytes_total",
        "parahost_subsystem_queue_length",
        "parahost_validator_stake",
    ],
)
def test_what_an_operator_asks_first_is_there(subject: str) -> None:
    asked = {
        selector.name for _, target in QUERIES for selector in selectors(parsed(target["expr"]))
    }
    assert subject in asked


def test_panels_have_places_of_their_own() -> None:
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or below
    assert all(place["x"] + place["w"] <= 24 for place in places)
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])

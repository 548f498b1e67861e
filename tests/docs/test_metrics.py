"""docs/OPERATIONS.md has the metrics that the program has, and their names mean one thing."""

from __future__ import annotations

import re

import pytest

from parahost.metrics.metric import Metric
from tests.docs.metrics import DECLARED, PAGE, written

POLKADOTS = """
polkadot_node_is_active_validator gauge
polkadot_parachain_activated_heads_total counter
polkadot_parachain_approval_checking_finality_lag gauge
polkadot_parachain_approval_unapproved_candidates_in_unfinalized_chain gauge
polkadot_parachain_approvals_imported_total counter
polkadot_parachain_approvals_no_shows_total counter
polkadot_parachain_approvals_observed_no_shows_total counter
polkadot_parachain_approvals_produced_total counter status
polkadot_parachain_assignments_imported_total counter kind
polkadot_parachain_availability_recovery_recoveries_finished counter result
polkadot_parachain_bitfields_signed_total counter
polkadot_parachain_candidate_backing_candidates_seconded_total counter
polkadot_parachain_candidate_backing_signed_statements_total counter
polkadot_parachain_candidate_dispute_concluded counter validity
polkadot_parachain_candidate_dispute_votes counter validity
polkadot_parachain_candidate_disputes_total counter
polkadot_parachain_collation_advertisements_made_total counter
polkadot_parachain_collation_requests_total counter success
polkadot_parachain_collations_generated_total counter
polkadot_parachain_collations_sent_total counter
polkadot_parachain_deactivated_heads_total counter
polkadot_parachain_dispute_distribution_imported_requests counter success
polkadot_parachain_dispute_distribution_received_requests counter
polkadot_parachain_dispute_distribution_sent_requests counter success
polkadot_parachain_disputes_finality_lag gauge
polkadot_parachain_fetched_povs_total counter success
polkadot_parachain_messages_relayed_total counter
polkadot_parachain_network_report_events_total counter
polkadot_parachain_validation_requests_total counter validity
polkadot_pvf_execute_enqueued counter
polkadot_pvf_execute_finished counter
polkadot_pvf_execution_time histogram
polkadot_pvf_preparation_time histogram
substrate_block_height gauge status
substrate_build_info gauge name version
substrate_finality_grandpa_precommits_total counter
substrate_finality_grandpa_prevotes_total counter
substrate_finality_grandpa_round gauge
substrate_node_roles gauge
substrate_number_leaves gauge
substrate_process_start_time_seconds gauge
substrate_ready_transactions_number gauge
substrate_sub_libp2p_distinct_peers_connections_closed_total counter
substrate_sub_libp2p_distinct_peers_connections_opened_total counter
substrate_sub_libp2p_is_major_syncing gauge
substrate_sub_libp2p_network_bytes_total counter direction
substrate_sub_libp2p_notifications_sizes histogram direction protocol
substrate_sub_libp2p_peers_count gauge
substrate_sub_libp2p_requests_in_failure_total counter protocol reason
substrate_sub_libp2p_requests_in_success_total histogram protocol
substrate_sub_libp2p_requests_out_failure_total counter protocol reason
substrate_sub_libp2p_requests_out_success_total histogram protocol
"""
"""Kind and labels of these metrics at nodes of polkadot-sdk."""


def test_the_table_is_the_programs() -> None:
    page = PAGE.read_text()
    assert page == written(page), "run `python -m tests.docs.metrics`"


def test_each_name_is_declared_once() -> None:
    names = [metric.name for metric in DECLARED]
    assert len(names) == len(set(names)) > 80


def test_a_borrowed_name_has_the_kind_and_labels_that_it_has_there() -> None:
    ours = {
        " ".join((metric.name, metric.kind, *metric.labels))
        for metric in DECLARED
        if metric.name.startswith(("polkadot_", "substrate_"))
    }
    assert ours == set(POLKADOTS.strip().splitlines())


@pytest.mark.parametrize("metric", DECLARED, ids=lambda metric: metric.name)
def test_a_declaration_is_well_formed(metric: Metric) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
    assert all(re.fullmatch(r"[a-z][a-z_]*", label) for label in metric.labels)
    assert "le" not in metric.labels
    assert (metric.help.endswith(".") and metric.help[0].isupper()) or metric.help[0].isdigit()
    assert all(len(series) == len(metric.labels) for series in metric.series)
    if metric.name.startswith("parahost_"):
        assert metric.name.endswith("_total") is (metric.kind == "counter")

"""Checks, disputes and punishments as the live view and the report have them."""

from __future__ import annotations

from parahost.devnet.observer import CandidateStage, Observer
from parahost.devnet.report import report_of
from tests.devnet.test_observer import line, observed
from tests.devnet.test_view import shown

TOKEN = 10**12


def hear(observer: Observer, event: str, **fields: object) -> None:
    """Both nodes tell of it."""
    for node in ("a", "b"):
        observer.hear(node, line(5, event, **fields))


def test_what_both_nodes_tell_counts_once() -> None:
    observer = observed()
    hear(observer, "chain.accepted", candidate="0xc1", assigned="1@0,2@3,3@3", approved="1,3")
    assert observer.paras[100].stage is CandidateStage.ACCEPTED
    found = report_of(observer, {})["verdicts"]
    assert found["accepted"] == 1 and found["undelivered"] == 1
    assert found["tranches"] == {"0": 1, "3": 2}


def test_what_several_forks_do_alike_counts_once() -> None:
    observer = observed()
    for block, approved in (("0xb1", "1"), ("0xb2", "1,2")):
        where = {"candidate": "0xc1", "block": block, "number": 7}
        hear(observer, "chain.accepted", assigned="1@0,2@0", approved=approved, **where)
        cost = {"misconduct": "not_voted", "lost": TOKEN, "left": TOKEN}
        hear(observer, "chain.punished", validator=1, **cost, **where)
    found = report_of(observer, {})["verdicts"]
    assert found["accepted"] == 1 and found["undelivered"] == 1 and found["tranches"] == {"0": 2}
    assert len(found["punishments"]) == 1


def test_lateness_is_what_one_node_has_seen() -> None:
    observer = observed()
    hear(observer, "approval.no_shows", candidate="0xc1", late=1)
    observer.hear("a", line(6, "approval.no_shows", candidate="0xc2", late=2))
    assert observer.verdicts.no_shows == 3


def test_a_dispute_and_what_it_costs_are_shown() -> None:
    observer = observed()
    votes = {"candidate": "0xc1", "valid": "0", "invalid": "1,2,3"}
    hear(observer, "chain.disputed", **votes, local=1)
    assert any("0xc1 disputed, open: by 1,2,3 against 0" in each for each in shown(observer, {}))
    hear(observer, "chain.dispute_concluded", **votes, outcome="invalid")
    hear(
        observer,
        "chain.punished",
        candidate="0xc1",
        validator=0,
        misconduct="backed_invalid",
        lost=100 * TOKEN,
        left=0,
    )
    lines = shown(observer, {})
    assert any("0xc1 disputed, invalid: by 1,2,3 against 0" in each for each in lines)
    told = "validator 0 has lost 100.00 of its stake, 0.00 are left: backed_invalid"
    assert sum(told in each for each in lines) == 1


def test_a_dispute_of_another_fork_is_shown_from_its_transaction_to_its_end() -> None:
    """A fork that gives it up does not undo what another one finds."""
    observer = observed()
    hear(observer, "chain.disputed_remotely", candidate="0xc1", valid="0", invalid="1")
    assert any("0xc1 disputed, open: by 1 against 0" in each for each in shown(observer, {}))
    hear(observer, "chain.remote_unavailable", candidate="0xc1")
    shown_then = shown(observer, {})
    assert any("0xc1 disputed, nobody had its data: by 1 against 0" in each for each in shown_then)
    found = {"candidate": "0xc1", "valid": "0", "invalid": "1,2,3", "outcome": "invalid"}
    hear(observer, "chain.dispute_concluded", **found)
    hear(observer, "chain.remote_unavailable", candidate="0xc1", block="0xb2", session=0)
    assert observer.verdicts.disputes["0xc1"].outcome == "invalid"


def test_a_line_that_lacks_something_is_passed_over() -> None:
    observer = observed()
    hear(observer, "chain.punished", candidate="0xc1", misconduct="not_voted")
    hear(observer, "chain.accepted", candidate="0xc1", assigned="x@y", approved="")
    found = observer.verdicts
    assert not found.punishments and not found.tranches and not found.accepted

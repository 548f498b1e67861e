"""One candidate's life is put together from what many nodes have told."""

from __future__ import annotations

from pathlib import Path

import pytest

from parahost.devnet.candidate_life import (
    CandidateLife,
    NoSuchCandidate,
    SeveralCandidates,
    Told,
    told_in,
)
from parahost.primitives.errors import InputError
from parahost.runtime.balances import UNIT

ONE, OTHER = "0x2a2beb8d", "0x2a77aaaa"


def told(at: float, node: str, event: str, **fields: object) -> Told:
    return Told(at, node, event, {name: str(value) for name, value in fields.items()})


def block(at: float, node: str, number: int, fork: str = "a") -> Told:
    parent = f"0x{number - 1}a"
    return told(at, node, "chain.imported", block=f"0x{number}{fork}", number=number, parent=parent)


LIFE = (
    told(1.0, "collator", "collation.made", candidate=ONE, para=2000),
    told(2.0, "eve", "backing.seconded", candidate=ONE, validator=4, taken="NEW"),
    told(2.25, "bob", "backing.seconded", candidate=ONE, validator=4, taken="NEW"),
    told(2.5, "bob", "backing.valid", candidate=ONE, validator=1, taken="NEW"),
    told(2.5, "bob", "backing.seconded", candidate=OTHER, validator=2, taken="NEW"),
    block(3.0, "bob", 7),
    told(3.0, "bob", "chain.included", candidate=ONE, block="0x7a", number=7),
    block(4.0, "bob", 8),
    told(4.0, "bob", "chain.accepted", candidate=ONE, assigned="2@0,3@4", approved="2,3", number=8),
    told(5.0, "bob", "chain.finalized", block="0x8a", number=8),
    told(5.5, "eve", "chain.finalized", block="0x8a", number=8),
)


def life(*events: Told, of: str = "2a2b") -> CandidateLife:
    found = CandidateLife(of)
    found.hear_all(events)
    return found


def test_what_nodes_tell_alike_is_one_moment() -> None:
    lines = list(life(*LIFE).lines())
    assert lines[0] == f"candidate {ONE} of para 2000"
    assert [line.split()[2] for line in lines[1:7]] == [
        "collation.made",
        "backing.seconded",
        "backing.valid",
        "chain.included",
        "chain.accepted",
        "chain.finalized",
    ]
    assert lines[2].endswith("validator=4 taken=NEW  [eve, 1 other within 0.250 s]")
    assert "  5.000 s  chain.finalized   block=0x7a  [bob, 1 other within 0.500 s]" in lines[6]


def test_what_came_of_it_is_told_at_the_end() -> None:
    assert list(life(*LIFE).lines())[7:] == [
        "backed     by validators 4, 1",
        "included   in block #7",
        "assigned   by validators 2@0,3@4",
        "checked    by validators 2,3",
        "accepted   in block #8",
        "disputed   -",
        "final      5.000 s",
    ]


def test_checkers_of_what_the_chain_has_not_accepted_are_told_by_their_nodes() -> None:
    lines = list(
        life(
            *LIFE[:7],
            told(3.1, "bob", "approval.assigned", candidate=ONE, validator=3),
            told(3.2, "eve", "approval.assigned", candidate=ONE, validator=2),
            told(3.3, "bob", "approval.checked", candidate=ONE, validator=3),
        ).lines()
    )
    assert lines[-5:-2] == [
        "assigned   by validators 3, 2",
        "checked    by validators 3",
        "accepted   -",
    ]


def test_a_dispute_is_told_with_its_outcome_and_what_it_cost() -> None:
    punished = {"validator": 4, "account": "0x99", "misconduct": "backed_invalid", "lost": 5 * UNIT}
    lines = list(
        life(
            *LIFE[:7],
            told(4.0, "bob", "chain.disputed", candidate=ONE, number=8),
            told(4.0, "bob", "chain.dispute_concluded", candidate=ONE, outcome="invalid"),
            told(4.0, "bob", "chain.punished", candidate=ONE, block="0x8a", **punished),
            told(4.5, "bob", "chain.punished", candidate=ONE, block="0x8b", **punished),
            told(5.0, "bob", "chain.finalized", block="0x6a", number=6),
        ).lines()
    )
    assert lines[-3:] == [
        "disputed   in block #8, found invalid",
        "punished   validator 4: backed_invalid, lost 5.00 of its stake",
        "final      -",
    ]


def test_a_dispute_without_a_supermajority_says_so() -> None:
    lines = life(
        *LIFE[:7],
        told(4.0, "bob", "chain.disputed", candidate=ONE, number=8),
        told(9.0, "bob", "chain.dispute_timed_out", candidate=ONE, number=30),
    ).lines()
    assert "disputed   in block #8, nobody has a supermajority" in list(lines)


def test_a_beginning_that_says_too_little_or_something_else() -> None:
    with pytest.raises(SeveralCandidates, match=f"{ONE}, {OTHER}"):
        list(life(*LIFE, of="0x2a").lines())
    with pytest.raises(NoSuchCandidate, match="0xff"):
        list(life(*LIFE, of="ff").lines())


def test_logs_know_the_first_digits(tmp_path: Path) -> None:
    for node, at in (("bob", "14:16:17"), ("eve", "14:16:16")):
        (tmp_path / node).mkdir()
        line = f"2026-11-22T{at}.123Z backing.valid candidate={ONE} validator=3\na warning\n"
        (tmp_path / node / "node.log").write_text(line)
    found = life(*told_in(tmp_path), of=ONE + "0123456789")
    (line,) = list(found.lines())[1:2]
    assert line.startswith("14:16:16.123Z  backing.valid") and "[eve, 1 other within 1" in line
    assert [each.node for each in told_in(tmp_path / "bob")] == ["bob"]


def test_the_beginning_is_read_from_what_was_moved_away(tmp_path: Path) -> None:
    for name, at, event in (
        ("node.log.2", "14:16:16", "backing.seconded"),
        ("node.log.1", "14:16:17", "backing.valid"),
        ("node.log", "14:16:18", "availability.stored"),
    ):
        (tmp_path / name).write_text(f"2026-11-22T{at}.123Z {event} candidate={ONE} validator=3\n")
    told = told_in(tmp_path)
    assert [each.event for each in told] == [
        "backing.seconded",
        "backing.valid",
        "availability.stored",
    ]
    assert "begun" not in {line.split()[0] for line in life(*told).lines()}
    (tmp_path / "node.log.2").unlink()
    *_, last = life(*told_in(tmp_path)).lines()
    span = "events from 2026-11-22T14:16:17.123Z to 2026-11-22T14:16:18.123Z"
    assert last == f"begun      before what is kept, {span}"
    with pytest.raises(NoSuchCandidate, match=f"candidate 0xff in what is kept, {span}"):
        list(life(*told_in(tmp_path), of="ff").lines())
    with pytest.raises(NoSuchCandidate, match="no event"):
        list(life().lines())


def test_a_folder_without_logs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no node\.log"):
        told_in(tmp_path)

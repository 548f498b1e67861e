"""One candidate's life is put together from what many nodes have told."""

from __future__ import annotations

from pathlib import Path

import pytest

from parahost.devnet.candidate_life import (
    CandidateLife,
    NoCandidateHash,
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
        "included   in block #7 0x7a",
        "assigned   to validators 2@0, 3@4",
        "checked    by validators 2, 3",
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
        "assigned   to validators 3, 2",
        "checked    by validators 3",
        "accepted   -",
    ]


def test_a_dispute_is_told_with_its_outcome_and_what_it_cost() -> None:
    votes = {"session": 3, "valid": "1,4", "invalid": "0,2,3,5,6"}
    said = {"candidate": ONE, "number": 8, "outcome": "invalid"} | votes
    guilty = {"validator": 4, "account": "0x99", "misconduct": "backed_invalid", "number": 8}
    lines = list(
        life(
            *LIFE[:7],
            told(4.0, "bob", "chain.disputed", candidate=ONE, number=8, **votes),
            told(4.0, "bob", "chain.dispute_concluded", **said),
            told(
                4.0, "bob", "chain.punished", candidate=ONE, block="0x8a", lost=5 * UNIT, **guilty
            ),
            told(
                4.5, "bob", "chain.punished", candidate=ONE, block="0x8b", lost=5 * UNIT, **guilty
            ),
            told(
                4.6, "bob", "chain.punished", candidate=ONE, block="0x8c", lost=4 * UNIT, **guilty
            ),
            told(5.0, "bob", "chain.finalized", block="0x6a", number=6),
        ).lines()
    )
    assert lines[-9] == "session    3, whose validators are numbered from 0"
    assert lines[-3:] == [
        "disputed   in block #8, found invalid by 0, 2, 3, 5, 6 against 1, 4",
        "punished   validator 4: backed_invalid, lost 5.00 or 4.00 of its stake",
        "final      -",
    ]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (["dispute.begun"], "by nodes, in no block"),
        (["chain.disputed"], "in block #8, not decided"),
        (
            ["chain.disputed", "chain.dispute_timed_out"],
            "in block #8, nobody has a supermajority: valid say 1, 4, invalid nobody",
        ),
        (
            ["chain.disputed", "chain.dispute_timed_out", "chain.dispute_concluded"],
            "in block #8, found valid by 1, 4 against nobody",
        ),
        (["chain.disputed_remotely"], "in block #8, not decided"),
        (
            ["chain.disputed_remotely", "chain.remote_unavailable"],
            "in block #8, nobody had its data in time",
        ),
    ],
)
def test_each_end_of_a_dispute_is_told(events: list[str], says: str) -> None:
    said = {"number": 8, "outcome": "valid", "valid": "1,4", "invalid": ""}
    moments = (told(4.0, "bob", event, candidate=ONE, **said) for event in events)
    assert f"disputed   {says}" in list(life(*LIFE[:7], *moments).lines())


def test_blocks_on_a_fork_that_was_left_are_told() -> None:
    """One of two blocks that include it becomes final; what is final below both decides nothing."""
    second = told(3.5, "eve", "chain.included", candidate=ONE, block="0x7b", number=7)
    events = (
        *LIFE[:7],
        block(3.4, "eve", 6),
        block(3.5, "eve", 7, "b"),
        second,
        block(4.0, "bob", 8),
    )
    early = told(4.5, "eve", "chain.finalized", block="0x6a", number=6)
    assert "included   in block #7 0x7a, #7 0x7b" in list(life(*events, early).lines())
    final = told(5.0, "bob", "chain.finalized", block="0x8a", number=8)
    lines = list(life(*events, early, final).lines())
    assert "included   in block #7 0x7a, #7 0x7b on a fork that was left" in lines
    assert lines[-1] == "final      5.000 s"


@pytest.mark.parametrize(
    "line",
    [
        "chain.imported block=0x8a number=8",
        "chain.included candidate=0x2a2beb8d block=0x9c number=",
        "chain.finalized",
        "chain.punished candidate=0x2a2beb8d validator=4 account=0x99 misconduct=backed_inv",
    ],
)
def test_a_line_that_was_cut_off_says_nothing(line: str, tmp_path: Path) -> None:
    """Its node was killed while it wrote."""
    whole = "2026-11-22T14:16:16.123Z backing.valid candidate=0x2a2beb8d validator=3"
    log = tmp_path / "node.log"
    log.write_text(f"{whole}\n")
    expected = list(life(*told_in(tmp_path)).lines())
    log.write_text(f"{whole}\n2026-11-22T14:16:16.123Z {line}\n")
    assert list(life(*told_in(tmp_path)).lines()) == expected


def test_a_beginning_that_says_too_little_or_something_else() -> None:
    with pytest.raises(SeveralCandidates, match=f"{ONE}, {OTHER}"):
        list(life(*LIFE, of="0x2a").lines())
    with pytest.raises(NoSuchCandidate, match=r"0xff .*; ask for 0x to see"):
        list(life(*LIFE, of="ff").lines())
    others = [told(1.0, "bob", "collation.made", candidate=f"0x2a0{each}") for each in range(4)]
    with pytest.raises(SeveralCandidates, match=r"0x2a01 and 2 more$"):
        list(life(*LIFE, *others, of="0x2a").lines())


@pytest.mark.parametrize("asked", ["xyz", "0x12g", "0x" + 65 * "a", "12 34"])
def test_what_begins_no_hash(asked: str) -> None:
    with pytest.raises(NoCandidateHash, match=f"^{asked} begins no hash"):
        CandidateLife(asked)


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
    with pytest.raises(InputError, match="nowhere is not there: name a base path"):
        told_in(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"there is no node\.log"):
        told_in(tmp_path)

"""From journal lines to a picture."""

from __future__ import annotations

from parahost.devnet.condition import UntilCondition
from parahost.devnet.observer import CandidateStage, Observer
from parahost.devnet.report import report_of
from parahost.process.journal import JournalLine

START = 1000.0


def line(at: float, event: str, **fields: object) -> JournalLine:
    return JournalLine(START + at, event, {name: str(value) for name, value in fields.items()})


def observed() -> Observer:
    observer = Observer({100: "adder"}, ["a", "b"], START)
    for node in ("a", "b"):
        observer.hear(node, line(1, "node.started", best=0, final=0))
        observer.hear(node, line(2, "chain.imported", block="0xb1", number=1, parent="0x0", best=1))
        observer.hear(
            node,
            line(2, "chain.backed", para=100, core=0, candidate="0xc1", block="0xb1", number=1),
        )
        observer.hear(
            node, line(4, "chain.imported", block="0xb2", number=2, parent="0xb1", best=1)
        )
        observer.hear(
            node,
            line(
                4,
                "chain.included",
                para=100,
                core=0,
                candidate="0xc1",
                block="0xb2",
                number=2,
                head="0xf1",
            ),
        )
    return observer


def test_a_parablock_is_counted_once_however_many_nodes_tell_of_it() -> None:
    observer = observed()
    (block,) = observer.paras[100].blocks
    assert (block.relay_number, block.included_s, block.finalized_s) == (2, 4.0, None)
    assert observer.cores == {0: ""}
    assert observer.boot_s == 1.0
    assert observer.met(UntilCondition.parse("included=1"), START)
    assert not observer.met(UntilCondition.parse("included=2"), START)
    assert not observer.met(UntilCondition.parse("finalized=1"), START)


def test_a_parablock_is_final_with_a_descendant_of_its_relay_block() -> None:
    observer = observed()
    observer.hear("a", line(5, "chain.finalized", block="0xb1", number=1))
    assert observer.paras[100].finalized == 0
    observer.hear("a", line(6, "chain.imported", block="0xb3", number=3, parent="0xb2", best=1))
    observer.hear("a", line(7, "chain.finalized", block="0xb3", number=3))
    assert observer.paras[100].finalized == 1
    assert observer.met(UntilCondition.parse("finalized=1"), START)
    report = report_of(observer, {})
    assert report["paras"]["100"]["first_finalized_s"] == 7.0
    assert report["relay_chain"] == {"best": 3, "finalized": 3}


def test_a_block_on_an_abandoned_fork_is_not_final() -> None:
    observer = observed()
    observer.hear("a", line(5, "chain.imported", block="0xd2", number=2, parent="0xb1", best=0))
    observer.hear("a", line(7, "chain.finalized", block="0xd2", number=2))
    assert observer.paras[100].finalized == 0


def include(observer: Observer, at: float, block: str, number: int) -> None:
    """Candidate 0xc1 in another relay block."""
    fields = {"para": 100, "core": 0, "candidate": "0xc1", "head": "0xf1"}
    observer.hear(
        "a", line(at, "chain.imported", block=block, number=number, parent="0xb1", best=0)
    )
    observer.hear("a", line(at, "chain.included", block=block, number=number, **fields))


def test_a_parablock_belongs_to_the_final_one_of_its_relay_blocks() -> None:
    observer = observed()
    include(observer, 5, "0xd2", 2)
    observer.hear("a", line(7, "chain.finalized", block="0xd2", number=2))
    (block,) = observer.paras[100].blocks
    assert (block.relay_block, block.finalized_s) == ("0xd2", 7.0)


def test_what_only_an_abandoned_fork_included_does_not_count() -> None:
    observer = observed()
    observer.hear("a", line(5, "chain.imported", block="0xd2", number=2, parent="0xb1", best=0))
    observer.hear("a", line(7, "chain.finalized", block="0xd2", number=2))
    assert observer.paras[100].blocks == []
    include(observer, 8, "0xd3", 3)
    (block,) = observer.paras[100].blocks
    assert (block.relay_number, block.included_s) == (3, 8.0)


def test_a_candidates_stage_never_goes_back() -> None:
    observer = observed()
    assert observer.paras[100].stage is CandidateStage.INCLUDED
    observer.hear("b", line(5, "backing.seconded", candidate="0xc1"))
    late = line(5, "chain.backed", para=100, core=0, candidate="0xc1", block="0xb1", number=1)
    observer.hear("b", late)
    assert observer.paras[100].stage is CandidateStage.INCLUDED
    assert observer.cores == {0: ""}
    observer.hear("b", line(6, "collation.made", para=100, candidate="0xc2"))
    observer.hear("b", line(6, "backing.seconded", candidate="0xc2"))
    assert (observer.paras[100].newest, observer.paras[100].stage) == (
        "0xc2",
        CandidateStage.SECONDED,
    )


def test_a_collators_own_lines_do_no_harm() -> None:
    observer = observed()
    for event in ("chain.included", "chain.imported", "node.started", "collation.made"):
        observer.hear("a", line(5, event, number="many"))
    assert len(observer.paras[100].blocks) == 1

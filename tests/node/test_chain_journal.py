"""What the journal tells of verdicts, and of what they cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.node.chain_journal import record_verdicts
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime import inherents
from parahost.runtime.parachains.validity import NoteChecks
from tests.runtime.test_validity import ALONE, STAKE, against, checked, empty, including, name_of
from tests.runtime.world import NAMES, Chain, account

Line = tuple[str, dict[str, object]]


class Lines:
    """A journal that keeps what it is told of the newest block of a chain."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def record(self, event: str, **fields: object) -> None:
        self.lines.append((event, fields))

    def hear(self, chain: Chain) -> list[Line]:
        self.lines.clear()
        header = chain.header
        record_verdicts(self, BlockImportEvent(header.hash(), header, True), chain.state)
        for _, fields in self.lines:
            assert (fields.pop("block"), fields.pop("number")) == (header.hash(), header.number)
        return list(self.lines)


@pytest.fixture
def case() -> tuple[Chain, IncludedCandidate]:
    return including(ALONE)


def test_an_acceptance_is_told_with_its_checkers(case: tuple[Chain, IncludedCandidate]) -> None:
    chain, record = case
    assert Lines().hear(chain) == []
    checks = checked(chain, record)
    chain.step(inherents.checks(NoteChecks((checks,))))
    ((event, fields),) = Lines().hear(chain)
    approved = ",".join(str(each.validator_index) for each in checks.approvals)
    tranches = fields.pop("assigned")
    assert isinstance(tranches, str)
    assert ",".join(each.split("@")[0] for each in tranches.split(",")) == approved
    assert (event, fields) == (
        "chain.accepted",
        {"candidate": record.receipt.hash(), "session": record.session, "approved": approved},
    )


def test_a_dispute_is_told_with_its_votes_and_what_it_costs(
    case: tuple[Chain, IncludedCandidate],
) -> None:
    chain, record = case
    (backer,) = record.backers
    others = [index for index in range(len(NAMES)) if index != backer]
    data = replace(empty(chain), disputes=(against(chain, record, *others),))
    chain.step(data=data)
    about = {"candidate": record.receipt.hash(), "session": record.session}
    votes = {"valid": str(backer), "invalid": ",".join(map(str, others))}
    assert Lines().hear(chain) == [
        ("chain.disputed", about | {"local": 1} | votes),
        ("chain.dispute_concluded", about | {"outcome": "invalid"} | votes),
        ("chain.frozen", {"to": record.included_in - 1}),
        (
            "chain.punished",
            about
            | {
                "validator": backer,
                "account": account(name_of(record, backer, chain)),
                "misconduct": "backed_invalid",
                "lost": STAKE,
                "left": 0,
            },
        ),
    ]

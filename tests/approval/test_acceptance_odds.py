"""The odds that docs/SECURITY.md derives are those of the rules that the chain and nodes go by."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import combinations
from math import comb, sqrt
from pathlib import Path
from random import Random

import pytest
from bench.acceptance_odds import (
    LARGE,
    SMALL,
    Attack,
    acceptance_odds,
    group_odds,
    needing,
    owning,
    plot,
    tables,
    tranche_odds,
)

from parahost.approval.tranches import (
    Assigned,
    Enough,
    Everybody,
    Waiting,
    required_tranches,
)
from parahost.primitives.approval import ApprovalParameters, Tranche
from parahost.primitives.basic import U32, ValidatorIndex
from tests.approval.test_tranches import is_approved

WEAK = Attack(
    validators=13,
    dishonest=4,
    group=1,
    cores=20,
    parameters=ApprovalParameters(
        needed_approvals=U32(2),
        relay_vrf_modulo_samples=U32(1),
        n_delay_tranches=U32(12),
        zeroth_delay_tranche_width=U32(1),
        tranches_per_slot=U32(2),
        no_show_slots=U32(2),
    ),
)
"""An attack on a small network that succeeds often enough to be counted."""


def test_a_group_is_counted_out() -> None:
    few = Attack(9, 3, 4, 2, WEAK.parameters)
    groups = list(combinations(range(9), 4))
    bad = sum(sum(member < 3 for member in group) >= 3 for group in groups)
    assert group_odds(few) == pytest.approx(bad / len(groups))


def test_the_tranches_share_all_checkers() -> None:
    odds = tranche_odds(WEAK.parameters, WEAK.cores)
    assert len(odds) == 12 and sum(odds) == pytest.approx(1.0)
    assert odds[0] == pytest.approx(1 / 20 + 19 / 20 * 2 / 13)


def test_without_silence_the_first_tranches_are_the_attackers() -> None:
    """By hand: one tranche, in which all are; and every honest checker is drawn."""
    one = replace(WEAK.parameters, n_delay_tranches=U32(1), zeroth_delay_tranche_width=U32(0))
    assert acceptance_odds(replace(WEAK, parameters=one)) == 0.0
    alone = replace(WEAK, validators=4, parameters=one)
    assert acceptance_odds(alone) == pytest.approx(1.0)


@pytest.mark.parametrize("attack", [WEAK, owning(SMALL, 0.3), owning(LARGE, 0.333)])
def test_without_silence_the_odds_have_a_formula(attack: Attack) -> None:
    """That of the page."""
    parts = tranche_odds(attack.parameters, attack.cores)
    upto = [min(sum(parts[: tranche + 1]), 1.0) for tranche in range(len(parts))]
    needed = attack.parameters.needed_approvals

    def enough(chance: float) -> float:
        a = attack.accomplices
        ways = (comb(a, k) * chance**k * (1 - chance) ** (a - k) for k in range(needed, a + 1))
        return sum(ways)

    expected = sum(
        (1 - later) ** attack.honest * (enough(later) - enough(before))
        for before, later in zip([0.0, *upto], upto, strict=False)
    )
    assert acceptance_odds(attack) == pytest.approx(expected, abs=1e-16)


@pytest.mark.parametrize("silenced", [0.0, 0.3, 0.6])
def test_the_rules_of_approval_come_to_the_same_odds(silenced: float) -> None:
    """Checks are run by the rules of ``approval/tranches.py``, many times."""
    attack, chance, runs = replace(WEAK, silenced=silenced), Random(9), 1500
    accepted = sum(Check(attack, chance).is_accepted() for _ in range(runs))
    expected = acceptance_odds(attack)
    assert 0.005 < expected < 0.5
    assert abs(accepted / runs - expected) < 4 * sqrt(expected / runs)


def test_what_helps_the_attacker_and_what_does_not() -> None:
    weak = owning(SMALL, 0.3)
    assert acceptance_odds(owning(SMALL, 0.2)) < acceptance_odds(weak)
    assert acceptance_odds(needing(weak, 10)) < acceptance_odds(weak)
    assert acceptance_odds(weak) < acceptance_odds(replace(weak, silenced=0.1))
    assert acceptance_odds(owning(LARGE, 0.333)) < 1e-16


@dataclass
class Check:
    """One candidate's checks, tranche by tranche of time. The attacker's validators approve when
    their time has come, and honest ones find out, unless they are silenced."""

    attack: Attack
    chance: Random
    assigned: list[Assigned] = field(default_factory=list)
    approved: list[ValidatorIndex] = field(default_factory=list)

    def is_accepted(self) -> bool:
        attack = self.attack
        odds = tranche_odds(attack.parameters, attack.cores)
        waiting = dict(enumerate(self.chance.choices(range(len(odds)), odds, k=attack.checkers)))
        for now in range(40 * len(odds)):
            required = self._required(now)
            if self._is_approved(required):
                return True
            for validator in [each for each, of in waiting.items() if _joins(required, of, now)]:
                is_honest = validator >= attack.accomplices
                if is_honest and self.chance.random() >= attack.silenced:
                    return False
                index = ValidatorIndex(U32(validator))
                tranche = Tranche(U32(waiting.pop(validator)))
                self.assigned.append(Assigned(tranche, index, now))
                if not is_honest:
                    self.approved.append(index)
            if not waiting and now > 20 * len(odds):
                break
        return False

    def _required(self, now: int) -> Enough | Waiting | Everybody:
        return required_tranches(
            self.assigned,
            self.approved,
            now=now,
            no_show=self.attack.parameters.no_show,
            needed=self.attack.parameters.needed_approvals,
            checkers=self.attack.checkers,
        )

    def _is_approved(self, required: Enough | Waiting | Everybody) -> bool:
        return is_approved(
            required,
            self.assigned,
            self.approved,
            validators=self.attack.validators,
            checkers=self.attack.checkers,
        )


def _joins(required: Enough | Waiting | Everybody, tranche: int, now: int) -> bool:
    match required:
        case Enough():
            return False
        case Everybody():
            return True
        case Waiting(join_upto, drift):
            return tranche + drift <= now and (join_upto is None or tranche <= join_upto)


def test_the_page_says_what_is_computed() -> None:
    page = (Path(__file__).parents[2] / "docs/SECURITY.md").read_text()
    lines = list(tables(with_silence=False))
    assert len(lines) > 10
    assert "\n".join(lines[:6]) in page and "\n".join(lines[7:]) in page
    assert "\n".join(plot()) in page

"""Stakes: none is lost or made out of nothing, nobody honest loses any, and a crime costs all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parahost.primitives.basic import Hash
from parahost.primitives.disputes import DisputeState
from parahost.primitives.validity_configuration import part_of
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.candidate_judge import CandidateJudge
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.record import RecordedBlock

SLASHED_WITHIN = 12
"""Blocks from an invalid candidate's inclusion anywhere to the punishment on each fork: for its
checks, a dispute, and the votes' way into a block."""


@dataclass(frozen=True, slots=True)
class _Books:
    """What a chain up to some block has taken from stakes, and given to accounts."""

    taken: int = 0
    given: int = 0


class StakeConserved(Checker):
    """What is at stake is what its owners have set aside; and no units are made but the rewards,
    which are a part of what stakes have lost (D26)."""

    name = "stake_conserved"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._books: dict[Hash, _Books] = {scene.record.genesis.hash: _Books()}

    def on_block(self, block: RecordedBlock) -> None:
        parent = block.parent
        assert parent is not None
        stakes = reading.stakes(block.state)
        balances = {
            account: reading.balance_in(info)
            for account, info in reading.accounts(block.state).items()
        }
        set_aside = {account: reserved for account, (_, reserved) in balances.items() if reserved}
        if stakes != set_aside:
            self.violated(f"at stake are {_sum(stakes)}, set aside {_sum(set_aside)}", block)
        lost = _sum(reading.stakes(parent.state)) - _sum(stakes)
        made = reading.issued(block.state) - reading.issued(parent.state)
        before = self._books[parent.hash]
        books = _Books(before.taken + max(lost, 0), before.given + max(made, 0))
        self._books[block.hash] = books
        if books.given > part_of(reading.validity(block.state).reward, books.taken):
            self.violated(
                f"{books.given} are issued anew, {books.taken} were taken from stakes", block
            )


class NoHonestSlashed(Checker):
    """No honest validator loses anything of its stake, as long as at most f are dishonest (A57,
    A63, A64, D26). What came while there was trouble may find it silent, or without enough others
    to vouch with it."""

    name = "no_honest_slashed"

    def on_block(self, block: RecordedBlock) -> None:
        parent = block.parent
        assert parent is not None
        if not self.scene.may_be_trusted(reading.validators(parent.state)):
            return
        after = reading.stakes(block.state)
        for account, stake in reading.stakes(parent.state).items():
            lost = stake - after.get(account, 0)
            name = self.scene.plan.stakers.get(account)
            if lost <= 0 or name is None or not self.scene.is_honest(name):
                continue
            freed = reading.balance(block.state, account)[0]
            freed -= reading.balance(parent.state, account)[0]
            if 2 * freed < lost and not self._is_excused(name, block):
                self.violated(f"{name} has lost {lost} of its stake", block)

    def _is_excused(self, name: str, block: RecordedBlock) -> bool:
        """Whether there is a dispute from the time of trouble that it has no part in, or that came
        to nothing."""
        for (session, _), state in reading.disputes(block.state).items():
            info = reading.session_info(block.state, session)
            if info is None or _at(block, state.start) >= self.scene.calm_since():
                continue
            owners = [self.scene.plan.owner_of(key) for key in info.validators]
            if name in owners and not _has_erred(state, owners.index(name)):
                return True
        return False


def _has_erred(state: DisputeState, validator: int) -> bool:
    """Whether it has said something that costs more than silence, or vouching in vain."""
    is_for = validator in state.validators_for.ones()
    is_against = validator in state.validators_against.ones()
    return is_against or (is_for and state.outcome is not None)


@dataclass(frozen=True, slots=True)
class _Crime:
    """An invalid candidate that a block has included, and who has backed it."""

    para: int
    block: RecordedBlock
    backers: tuple[str, ...]


class InvalidBackersSlashed(Checker):
    """Who has backed an invalid candidate that some block included loses its stake on every fork
    that goes on, also where the candidate never was, as long as at most f are dishonest (A57, A58,
    A65, D26)."""

    name = "invalid_backers_slashed"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)
        self._judge = CandidateJudge(scene, self._ledger)
        self._crimes: dict[bytes, _Crime | None] = {}

    def on_block(self, block: RecordedBlock) -> None:
        for one in self._ledger.step(block).included:
            if one.candidate in self._crimes or self._judge.is_honestly_backed(one):
                continue
            flaw = self._judge.flaw(one)
            is_crime = flaw is not None and not flaw.is_lack
            crime = _Crime(one.para, block, self._judge.backers(one)) if is_crime else None
            self._crimes[one.candidate] = crime

    def at_end(self) -> None:
        for crime in self._crimes.values():
            if crime is not None and self._is_punishable(crime.block):
                for tip in self._tips():
                    self._look_at(crime, tip)

    def _is_punishable(self, block: RecordedBlock) -> bool:
        state = (block.parent or block).state
        if not reading.validity(state).approval.needed_approvals:
            return False
        return self.scene.may_be_trusted(reading.validators(state))

    def _tips(self) -> Iterator[RecordedBlock]:
        parents = {block.header.parent_hash for block in self.scene.record.blocks.values()}
        for block in self.scene.record.blocks.values():
            if block.hash not in parents:
                yield block

    def _look_at(self, crime: _Crime, tip: RecordedBlock) -> None:
        since = max(crime.block.at, self.scene.calm_since())
        before = next(block for block in tip.ancestry() if block.at <= since)
        if tip.number - before.number <= SLASHED_WITHIN:
            return
        penalty = reading.validity(before.state).penalties.backed_invalid
        had, has = reading.stakes(_parent_of(crime.block).state), reading.stakes(tip.state)
        for account, name in self.scene.plan.stakers.items():
            stake = had.get(account, 0)
            if name in crime.backers and has.get(account, 0) > stake - part_of(penalty, stake):
                self.violated(
                    f"{name} has backed an invalid candidate of para {crime.para} and keeps its "
                    f"stake on the fork with block {tip.number} (0x{tip.hash.hex()[:8]})",
                    crime.block,
                )


def _parent_of(block: RecordedBlock) -> RecordedBlock:
    assert block.parent is not None
    return block.parent


def _at(block: RecordedBlock, number: int) -> float:
    """When the block's ancestor of that number came."""
    return next(each.at for each in block.ancestry() if each.number <= number)


def _sum(amounts: dict[bytes, int]) -> int:
    return sum(amounts.values())

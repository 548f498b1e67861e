"""Slashing: what misconduct costs a validator, and who may not take part for a while (D26).

Others find out who has done what; each deed comes here once on each fork. It takes a part of the
offender's stake, and whoever has done worse than keep silent begins no disputes for
:data:`SESSIONS_KEPT` sessions after the last of its deeds was found out. So long it may also be
*disabled*: then it authors no blocks and backs no candidates. At most f validators are disabled at
a time, the worst ones, so that nobody can stop the chain by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from parahost.primitives.availability import byzantine_threshold
from parahost.primitives.basic import U32, U128, CandidateHash, SessionIndex, ValidatorIndex
from parahost.primitives.validity_configuration import Penalties, Perbill, part_of
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module, RuntimeEvent, event
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import SESSIONS_KEPT, Session, Validators
from parahost.runtime.staking import Staking
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.validity_parameters import ValidityParameters

# Types


class Misconduct(IntEnum):
    """What a validator may be punished for; the penalty of each is a field of ``Penalties``."""

    BACKED_INVALID = 0
    VOTED_FOR_INVALID = 1
    VOTED_AGAINST_VALID = 2
    DOUBLE_VOTE = 3
    DISPUTED_UNAVAILABLE = 4
    DISTRACTION = 5
    NOT_VOTED = 6

    def penalty(self, penalties: Penalties) -> Perbill:
        """The part of the stake that it costs."""
        found: Perbill = getattr(penalties, self.name.lower())
        return found

    @property
    def disables(self) -> bool:
        """Whether the offender may not take part for a while. Those who were merely slow, or vouch
        for what others cannot get, may."""
        return self not in (Misconduct.DISTRACTION, Misconduct.NOT_VOTED)


@dataclass(frozen=True, slots=True)
class Offender:
    """The worst that an account has done, and the session with which it is forgiven."""

    penalty: Perbill
    until: SessionIndex


NO_OFFENDER: Final = Offender(Perbill(U32(0)), SessionIndex(U32(0)))


@event(0)
@dataclass(frozen=True, slots=True)
class ValidatorPunished(RuntimeEvent):
    """A validator of a session has lost a part of its stake: ``amount``, which is zero when there
    was nothing left. ``candidate``: what the dispute was about, if it was one."""

    misconduct: Misconduct
    session: SessionIndex
    validator: AccountId
    amount: U128
    candidate: CandidateHash | None


class Slashing(Module, pallet=Pallet(63, "ParasSlashing")):
    """What misconduct costs a validator, and who may not take part for a while."""

    events = (ValidatorPunished,)

    # Storage

    offenders = StorageMap(
        "Offenders",
        AccountId,
        Offender,
        hasher=Hasher.BLAKE2_128_CONCAT,
        default=NO_OFFENDER,
    )
    """Who has done worse than keep silent, until it is forgiven."""
    disabled_item = StorageValue("Disabled", tuple[tuple[ValidatorIndex, Perbill], ...], default=())
    """The validators of this session that may not take part: the worst first, at most f."""

    def __init__(
        self, system: System, session: Session, staking: Staking, parameters: ValidityParameters
    ) -> None:
        self._system = system
        self._session = session
        self._staking = staking
        self._parameters = parameters

    # Session change

    def on_session_change(self, store: Overlay, index: SessionIndex) -> None:
        """Forgive what is long ago, and see who of the new validators is disabled."""
        for account, offender in self.offenders.iterate(store):
            if offender.until <= index:
                self.offenders.remove(store, account)
        self.disabled_item.put(store, self._worst(store))

    # Routines

    def punish(
        self,
        store: Overlay,
        misconduct: Misconduct,
        session: SessionIndex,
        indices: Iterable[ValidatorIndex],
        candidate: CandidateHash | None = None,
    ) -> int:
        """Punish validators of a session that can still be judged; gives what they have lost. The
        caller sees to it that this is once for each deed."""
        validators = self._judged(store, session)
        accounts = [validators[index].account for index in indices]
        return self.punish_accounts(store, misconduct, session, accounts, candidate)

    def punish_accounts(
        self,
        store: Overlay,
        misconduct: Misconduct,
        session: SessionIndex,
        accounts: Iterable[AccountId],
        candidate: CandidateHash | None = None,
    ) -> int:
        """The same for validators that are known by their accounts."""
        penalty = misconduct.penalty(self._parameters.current(store).penalties)
        lost = 0
        for account in accounts:
            amount = self._staking.slash(store, account, penalty)
            lost += amount
            told = ValidatorPunished(misconduct, session, account, U128(amount), candidate)
            self._system.deposit_event(store, told)
            if misconduct.disables:
                self.offenders.put(store, account, self._offender(store, account, penalty))
        if misconduct.disables:
            self.disabled_item.put(store, self._worst(store))
        return lost

    def reward(
        self,
        store: Overlay,
        session: SessionIndex,
        indices: Iterable[ValidatorIndex],
        share: int,
    ) -> None:
        """Give validators of a session a share each of what others have lost."""
        validators = self._judged(store, session)
        for index in indices:
            self._staking.reward(store, validators[index].account, share)

    def has_offended(self, store: Reader, session: SessionIndex, index: ValidatorIndex) -> bool:
        """Whether the validator has done worse than keep silent, and is not forgiven yet."""
        return self.offenders.contains(store, self.account(store, session, index))

    def account(self, store: Reader, session: SessionIndex, index: ValidatorIndex) -> AccountId:
        """Who a validator of a session that can be judged is, in whatever sessions it validates."""
        return self._judged(store, session)[index].account

    def is_in_vain(self, store: Reader, misconduct: Misconduct, account: AccountId) -> bool:
        """Whether to punish the account for what disables would change nothing: it has nothing left
        to lose, and is an offender as bad for as long."""
        penalty = misconduct.penalty(self._parameters.current(store).penalties)
        would_lose = part_of(penalty, self._staking.stake(store, account))
        known = self.offenders.get(store, account)
        return not would_lose and known == self._offender(store, account, penalty)

    def disabled(self, store: Reader) -> frozenset[ValidatorIndex]:
        """The validators of this session that may not take part."""
        return frozenset(index for index, _ in self.disabled_item.get(store))

    def _offender(self, store: Reader, account: AccountId, penalty: Perbill) -> Offender:
        """What is known of an account, when it has done one thing more."""
        until = SessionIndex(U32(self._session.index(store) + SESSIONS_KEPT))
        return Offender(max(penalty, self.offenders.get(store, account).penalty), until)

    def _judged(self, store: Reader, session: SessionIndex) -> Validators:
        validators = self._session.past_keys.get(store, session)
        if validators is None:
            raise RuntimeBug(f"session {session} cannot be judged any more")
        return validators

    def _worst(self, store: Reader) -> tuple[tuple[ValidatorIndex, Perbill], ...]:
        offenders = dict(self.offenders.iterate(store))
        validators = self._session.current(store)
        found = [
            (ValidatorIndex(U32(index)), offenders[validator.account].penalty)
            for index, validator in enumerate(validators)
            if validator.account in offenders
        ]
        found.sort(key=lambda each: (-each[1], each[0]))
        return tuple(found[: byzantine_threshold(len(validators))])

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when others are disabled than the worst of the known offenders."""
        if self.disabled_item.get(store) != self._worst(store):
            raise RuntimeBug("Slashing: the disabled validators are not the worst offenders")

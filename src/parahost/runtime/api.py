"""The Runtime APIs (A115, D19): what a state tells the node about the children of its block.

Pure functions of a state. Those about parachains are in :mod:`parahost.runtime.parachains.api`;
all are offered here.
"""

from __future__ import annotations

from dataclasses import dataclass

from parahost.primitives.basic import H256, U32, U64, BabeId, BlockNumber, Hash, SessionIndex, Slot
from parahost.primitives.consensus import (
    AllowedSlots,
    BabeAuthorities,
    EpochConfiguration,
    GrandpaAuthorities,
)
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.origin import AccountId
from parahost.runtime.parachains.api import ParachainsApi
from parahost.runtime.read_only import MODULES
from parahost.runtime.session import Validators
from parahost.runtime.storage import Reader
from parahost.runtime.system import EventRecord

# Parachains

_PARACHAINS = ParachainsApi(MODULES.parachains)

validators = _PARACHAINS.validators
session_index_for_child = _PARACHAINS.session_index_for_child
session_info = _PARACHAINS.session_info
earliest_judged_session = _PARACHAINS.earliest_judged_session
validator_groups = _PARACHAINS.validator_groups
availability_cores = _PARACHAINS.availability_cores
persisted_validation_data = _PARACHAINS.persisted_validation_data
validation_code = _PARACHAINS.validation_code
validation_code_hash = _PARACHAINS.validation_code_hash
acceptance_criteria = _PARACHAINS.acceptance_criteria
planned_upgrade = _PARACHAINS.planned_upgrade
new_code_expected_at = _PARACHAINS.new_code_expected_at
validation_code_by_hash = _PARACHAINS.validation_code_by_hash
parathread_claimed = _PARACHAINS.parathread_claimed
candidate_pending_availability = _PARACHAINS.candidate_pending_availability
candidate_events = _PARACHAINS.candidate_events
included_candidates = _PARACHAINS.included_candidates
included_by_block = _PARACHAINS.included_by_block
recorded_blocks = _PARACHAINS.recorded_blocks
awaiting_checks = _PARACHAINS.awaiting_checks
candidate_checks = _PARACHAINS.candidate_checks
disputes = _PARACHAINS.disputes
may_dispute = _PARACHAINS.may_dispute
may_dispute_remotely = _PARACHAINS.may_dispute_remotely
remote_disputes = _PARACHAINS.remote_disputes
remote_candidates = _PARACHAINS.remote_candidates
frozen = _PARACHAINS.frozen
disabled_validators = _PARACHAINS.disabled_validators

# BABE


@dataclass(frozen=True, slots=True)
class BabeConfiguration:
    """What stays the same for the chain, and the genesis epoch's data; Substrate's form.
    ``slot_duration`` is in milliseconds, ``epoch_length`` in slots."""

    slot_duration: U64
    epoch_length: U64
    c: tuple[U64, U64]
    authorities: BabeAuthorities
    randomness: H256
    allowed_slots: AllowedSlots


@dataclass(frozen=True, slots=True)
class BabeEpoch:
    """One epoch; Substrate's form. ``duration`` is in slots."""

    epoch_index: U64
    start_slot: Slot
    duration: U64
    authorities: BabeAuthorities
    randomness: H256
    config: EpochConfiguration


def babe_configuration(state: Reader) -> BabeConfiguration:
    """What stays the same for the chain, and the genesis epoch's data."""
    babe = MODULES.babe
    config = _epoch_config(state)
    return BabeConfiguration(
        slot_duration=babe.slot_duration.get(state),
        epoch_length=babe.epoch_duration.get(state),
        c=config.c,
        authorities=babe.authorities.get(state),
        randomness=babe.randomness.get(state),
        allowed_slots=config.allowed_slots,
    )


def current_epoch(state: Reader) -> BabeEpoch:
    """The epoch of the state's block."""
    babe = MODULES.babe
    return BabeEpoch(
        epoch_index=babe.epoch_index.get(state),
        start_slot=babe.current_epoch_start(state),
        duration=babe.epoch_duration.get(state),
        authorities=babe.authorities.get(state),
        randomness=babe.randomness.get(state),
        config=_epoch_config(state),
    )


def next_epoch(state: Reader) -> BabeEpoch:
    """The epoch after it, which is known already."""
    babe = MODULES.babe
    duration = babe.epoch_duration.get(state)
    return BabeEpoch(
        epoch_index=U64(babe.epoch_index.get(state) + 1),
        start_slot=Slot(U64(babe.current_epoch_start(state) + duration)),
        duration=duration,
        authorities=babe.next_authorities.get(state),
        randomness=babe.next_randomness.get(state),
        config=_epoch_config(state),
    )


def babe_authorities(state: Reader) -> BabeAuthorities:
    """Who may author blocks in the epoch of the state's block."""
    return MODULES.babe.authorities.get(state)


def _epoch_config(state: Reader) -> EpochConfiguration:
    config = MODULES.babe.epoch_config.get(state)
    if config is None:
        raise RuntimeBug("the state has no Babe.EpochConfig: it is no state of this runtime")
    return config


# GRANDPA


def grandpa_authorities(state: Reader) -> GrandpaAuthorities:
    """Who votes on the finality of the block's children."""
    return MODULES.grandpa.authorities.get(state)


def grandpa_set_id(state: Reader) -> U64:
    """How often the voters have changed."""
    return MODULES.grandpa.current_set_id.get(state)


# Sessions


def session_validators(state: Reader) -> Validators:
    """This session's validators, with their accounts and all their keys."""
    return MODULES.session.current(state)


def validators_of(state: Reader, session: SessionIndex) -> Validators:
    """A session's validators, as long as it can be judged; else none."""
    return MODULES.session.past_keys.get(state, session) or ()


def stake(state: Reader, account: AccountId) -> int:
    """All that an account can lose by misconduct."""
    return MODULES.staking.stake(state, account)


def disabled_authors(state: Reader) -> frozenset[BabeId]:
    """The keys of those who may not author a child of the state's block."""
    disabled = MODULES.authorship.disabled(state)
    if not disabled:
        return frozenset()
    everybody = (*MODULES.session.current(state), *MODULES.session.queued(state))
    return frozenset(each.keys.babe for each in everybody if each.account in disabled)


def queued_validators(state: Reader) -> Validators:
    """The next session's."""
    return MODULES.session.queued(state)


# System


def block_hash(state: Reader, number: BlockNumber) -> Hash | None:
    """The ancestor of that number; ``None`` when there is none, or it is too long ago."""
    return MODULES.system.block_hash(state, number)


def account_nonce(state: Reader, account: AccountId) -> U32:
    """The nonce of the account's next extrinsic."""
    return MODULES.system.nonce(state, account)


def events(state: Reader) -> tuple[EventRecord, ...]:
    """What has happened in the state's block."""
    return MODULES.system.block_events(state)

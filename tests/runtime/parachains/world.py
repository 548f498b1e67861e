"""A relay chain of the parachain host alone: real modules, real keys, blocks one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from parahost.crypto import sr25519
from parahost.primitives.approval import RelayVrfStory, SecondaryChecks
from parahost.primitives.availability import SignedAvailabilityBitfield, bitfield_payload
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    ZERO_HASH,
    BabeId,
    BlockNumber,
    CollatorId,
    CollatorSignature,
    CoreIndex,
    GrandpaId,
    GroupIndex,
    Hash,
    HeadData,
    ParaId,
    SessionIndex,
    Slot,
    ValidationCode,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import (
    CandidateCommitments,
    CandidateDescriptor,
    CommittedCandidateReceipt,
)
from parahost.primitives.configuration import HostConfiguration
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    BackedCandidate,
    Explicit,
    Implicit,
    Seconded,
    Valid,
    ValidityAttestation,
    statement_payload,
)
from parahost.primitives.validity_configuration import ValidityConfiguration
from parahost.runtime import modules as _modules  # noqa: F401  (it says which events there are)
from parahost.runtime.balances import UNIT, Balances
from parahost.runtime.origin import AccountId, NoOrigin
from parahost.runtime.parachains import Parachains
from parahost.runtime.parachains.api import ParachainsApi
from parahost.runtime.parachains.configuration import DEFAULT_CONFIGURATION
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.paras import ParaGenesisArgs, validation_code_hash
from parahost.runtime.parachains.parathreads import ParathreadClaim
from parahost.runtime.parachains.scheduler import CoreAssignment
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.session import Session, SessionKeys, Validator
from parahost.runtime.slashing import Slashing
from parahost.runtime.staking import Staking
from parahost.runtime.storage import Overlay, Reader, State
from parahost.runtime.system import System
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    ValidityParameters,
)
from tests.verifying import VERIFIER

Extrinsics = Callable[[Overlay], None]
SEED = H256(blake2_256(b"the session's randomness"))


@cache
def keypair(name: str) -> sr25519.Keypair:
    return sr25519.Keypair.from_seed(blake2_256(name.encode()))


@cache
def signature(name: str, payload: bytes) -> H512:
    return H512(sr25519.sign(keypair(name), payload))


def validator_name(index: int) -> str:
    return f"validator {index}"


def validator_ids(count: int) -> tuple[ValidatorId, ...]:
    return tuple(ValidatorId(H256(keypair(validator_name(i)).public)) for i in range(count))


def para(number: int) -> ParaId:
    return ParaId(U32(number))


def block(number: int) -> BlockNumber:
    return BlockNumber(U32(number))


def core(number: int) -> CoreIndex:
    return CoreIndex(U32(number))


def group(number: int) -> GroupIndex:
    return GroupIndex(U32(number))


def collator(name: str) -> CollatorId:
    return CollatorId(H256(keypair(name).public))


def claim(number: int, name: str = "collator") -> ParathreadClaim:
    return ParathreadClaim(para(number), collator(name))


def code(number: int, version: int = 0) -> ValidationCode:
    return ValidationCode(b"\0asm code of %d, version %d" % (number, version))


def genesis_args(number: int, *, parachain: bool) -> ParaGenesisArgs:
    return ParaGenesisArgs(HeadData(b"head of %d" % number), code(number), parachain)


class Claim:
    """Stands where Babe knows its block's claim: each block has its own slot, the one after its
    parent's, and other bytes."""

    def slot(self, store: Reader) -> Slot:
        return Slot(U64(System().block_number(store)))

    def relay_vrf_story(self, store: Reader) -> RelayVrfStory:
        return RelayVrfStory(blake2_256(b"vrf" + self.slot(store).to_bytes(8, "little")))

    def foreign_story(
        self, store: Reader, session: SessionIndex, header: Header
    ) -> RelayVrfStory | None:
        """Blocks of other forks with an extrinsics root of zeros have an author."""
        if header.extrinsics_root != bytes(32):
            return None
        return RelayVrfStory(blake2_256(b"foreign vrf" + header.hash()))


def account_of(validator: ValidatorId) -> AccountId:
    """A validator's account has the key that it signs with."""
    return AccountId(H256(validator))


def validator_of(validator: ValidatorId) -> Validator:
    keys = SessionKeys(GrandpaId(H256(validator)), BabeId(H256(validator)), validator)
    return Validator(account_of(validator), keys)


STAKE = 1000 * UNIT
"""What each validator has at stake, and as much to spend."""


class World:
    """A chain with its head: ``state`` after it, its ``header``. Blocks are added with
    :meth:`add_block`, after which the whole storage is checked."""

    def __init__(
        self,
        *,
        validators: int = 6,
        parachains: Iterable[int] = (),
        parathreads: Iterable[int] = (),
        validity: ValidityConfiguration = DEFAULT_VALIDITY_CONFIGURATION,
        **config: Any,
    ) -> None:
        self.verifier = VERIFIER
        self.system = System()
        self.parameters = ValidityParameters()
        self.session = Session(self.system)
        self.balances = Balances(self.system)
        self.staking = Staking(self.system, self.balances, self.session)
        self.slashing = Slashing(self.system, self.session, self.staking, self.parameters)
        self.host = Parachains(
            self.system,
            self.verifier,
            claims=Claim(),
            parameters=self.parameters,
            slashing=self.slashing,
        )
        self.api = ParachainsApi(self.host)
        self.validators = validator_ids(validators)
        self.config: HostConfiguration = replace(DEFAULT_CONFIGURATION, **config)
        store = Overlay(State.from_raw({}))
        paras = [(para(n), genesis_args(n, parachain=True)) for n in parachains]
        paras += [(para(n), genesis_args(n, parachain=False)) for n in parathreads]
        self.host.genesis(store, self.config, paras)
        self.parameters.genesis(store, validity)
        endowed = [(account_of(validator), 2 * STAKE) for validator in validator_ids(40)]
        self.balances.genesis(store, endowed)
        self.staking.genesis(store, [(account, STAKE) for account, _ in endowed])
        self._change_session(store, 0, self.validators)
        self.state = store.commit()
        self.header = Header(ZERO_HASH, block(0), self.state.root, H256(bytes(32)))
        self.host.check(self.state)

    # Blocks

    @property
    def number(self) -> int:
        return self.header.number

    @property
    def parent(self) -> Hash:
        """The hash of the head: the parent of the next block."""
        return self.header.hash()

    def child(self) -> Overlay:
        """What the next block sees before its first extrinsic."""
        return self.host.child_of(self.state, self.parent)

    def data(
        self,
        bitfields: Sequence[SignedAvailabilityBitfield] = (),
        candidates: Sequence[BackedCandidate] = (),
    ) -> ParachainsInherentData:
        return ParachainsInherentData(tuple(bitfields), tuple(candidates), (), self.header)

    def add_block(
        self,
        data: ParachainsInherentData | None = None,
        *,
        disputes: Sequence[DisputeStatementSet] = (),
        checks: Sequence[SecondaryChecks] = (),
        availability: Sequence[AvailabilityVotes] = (),
        extrinsics: Extrinsics | None = None,
        new_session: Sequence[ValidatorId] | int | None = None,
    ) -> State:
        """Execute a block and make it the head. ``extrinsics`` come after the inherent.
        ``new_session``: the block ends a session; who validates, or how many."""
        store = self.child()
        data = data or self.data()
        data = replace(data, disputes=(*data.disputes, *disputes))
        self.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(data))
        notes = NoteChecks(tuple(checks), tuple(availability))
        if notes:
            self.host.validity.dispatch(store, NoOrigin(), notes)
        if extrinsics is not None:
            extrinsics(store)
        self.host.finalize(store)
        if new_session is not None:
            ids = validator_ids(new_session) if isinstance(new_session, int) else new_session
            index = self.host.inclusion.current_session_index.get(store) + 1
            self._change_session(store, index, tuple(ids))
            self.validators = tuple(ids)
        self.system.finalize(store)
        state = store.commit()
        self.header = Header(self.parent, block(self.number + 1), state.root, H256(bytes(32)), ())
        self.state = state
        self.host.check(state)
        for module in (self.balances, self.staking, self.slashing):
            module.check(state)
        return state

    def add_blocks_until(self, number: int) -> None:
        """Empty blocks, the last of them with that number."""
        while self.number < number:
            self.add_block()

    def _change_session(
        self, store: Overlay, index: int, validators: tuple[ValidatorId, ...]
    ) -> None:
        session = SessionIndex(U32(index))
        self.session.current_index.put(store, session)
        self.session.past_keys.put(store, session, tuple(map(validator_of, validators)))
        self.slashing.on_session_change(store, session)
        self.host.on_session_change(
            store,
            self.host.initializer.notification(
                store,
                session_index=session,
                validators=validators,
                queued=validators,
                random_seed=SEED,
            ),
        )

    # What validators and collators make for the next block

    def bitfield(
        self, validator: int, cores: Iterable[int], *, length: int | None = None
    ) -> SignedAvailabilityBitfield:
        size = len(self.host.scheduler.availability_cores.get(self.state))
        bits = BitVec.with_ones(size if length is None else length, cores)
        index = ValidatorIndex(U32(validator))
        payload = bitfield_payload(bits, index, self.host.inclusion.signing_context(self.child()))
        return SignedAvailabilityBitfield(
            bits, index, ValidatorSignature(signature(validator_name(validator), payload))
        )

    def bitfields(self, votes: Mapping[int, Iterable[int]]) -> list[SignedAvailabilityBitfield]:
        """From validators, each with the cores that it votes for."""
        return [self.bitfield(validator, votes[validator]) for validator in sorted(votes)]

    def all_vote(self, cores: Iterable[int]) -> list[SignedAvailabilityBitfield]:
        listed = list(cores)
        return self.bitfields(dict.fromkeys(range(len(self.validators)), listed))

    def pending_cores(self) -> list[int]:
        pending = self.host.inclusion.pending_availability.values(self.state)
        return sorted(candidate.core for candidate in pending)

    def assignment(self, number: int, store: Reader | None = None) -> CoreAssignment:
        """The next block's, for that para."""
        for assignment in self.host.scheduler.scheduled(store or self.child()):
            if assignment.para_id == number:
                return assignment
        raise AssertionError(f"para {number} is not scheduled")

    def receipt(
        self,
        number: int,
        *,
        head: bytes = b"new head",
        new_code: ValidationCode | None = None,
        by: str = "collator",
        view: Reader | None = None,
    ) -> CommittedCandidateReceipt:
        """A candidate on the head, signed by its collator. ``view``: another state of its para
        than the head's, such as with what becomes available in the next block."""
        store = view or self.state
        commitments = CandidateCommitments(
            upward_messages=(),
            horizontal_messages=(),
            new_validation_code=new_code,
            head_data=HeadData(head),
            processed_downward_messages=U32(0),
            hrmp_watermark=block(self.number),
        )
        data = self.host.paras.persisted_validation_data(
            store, para(number), block(self.number), self.state.root
        )
        now = self.host.paras.validation_code_at(store, para(number), block(self.number))
        assert data is not None and now is not None
        descriptor = CandidateDescriptor(
            para_id=para(number),
            relay_parent=self.parent,
            collator=collator(by),
            persisted_validation_data_hash=data.hash(),
            pov_hash=blake2_256(b"pov"),
            erasure_root=blake2_256(b"erasure root"),
            signature=CollatorSignature(H512(bytes(64))),
            para_head=blake2_256(commitments.head_data),
            validation_code_hash=validation_code_hash(now),
        )
        return self.signed(CommittedCandidateReceipt(descriptor, commitments), by)

    def signed(self, receipt: CommittedCandidateReceipt, by: str) -> CommittedCandidateReceipt:
        made = signature(by, receipt.descriptor.signature_payload())
        descriptor = replace(receipt.descriptor, signature=CollatorSignature(made))
        return replace(receipt, descriptor=descriptor)

    def back(
        self,
        receipt: CommittedCandidateReceipt,
        *,
        group: int | None = None,
        positions: Iterable[int] | None = None,
    ) -> BackedCandidate:
        """Backed by the members at those positions of the group: by default, by all of the group
        that has the para's core."""
        index = group
        if index is None:
            index = self.assignment(receipt.descriptor.para_id).group_idx
        members = self.host.scheduler.validator_groups.get(self.state)[index]
        context = self.host.inclusion.signing_context(self.child())
        chosen = sorted(range(len(members)) if positions is None else positions)
        votes: list[ValidityAttestation] = []
        for rank, position in enumerate(chosen):
            name = validator_name(members[position])
            kind = Seconded if rank == 0 else Valid
            made = ValidatorSignature(
                signature(name, statement_payload(kind, receipt.hash(), context))
            )
            votes.append(Implicit(made) if rank == 0 else Explicit(made))
        return BackedCandidate(receipt, tuple(votes), BitVec.with_ones(len(members), chosen))

    def candidate(
        self,
        number: int,
        *,
        head: bytes = b"new head",
        new_code: ValidationCode | None = None,
        by: str = "collator",
    ) -> BackedCandidate:
        """A valid backed candidate for the next block."""
        return self.back(self.receipt(number, head=head, new_code=new_code, by=by))

    # Shortcuts

    def include(self, *numbers: int, new_code: ValidationCode | None = None) -> None:
        """Back a candidate of each para in one block, make it available in the next."""
        candidates = [self.candidate(number, new_code=new_code) for number in numbers]
        self.add_block(self.data(candidates=candidates))
        self.add_block(self.data(self.all_vote(self.pending_cores())))

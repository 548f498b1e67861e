"""Babe: slots, epochs, and the randomness that the authors' VRF outputs make.

Follows the Polkadot specification (chapter 5) with Substrate's storage, which parachains read
through state proofs (D29). One difference: the randomness of an epoch comes from the VRF outputs
of *all* blocks of the epoch before the last, as specified, where Substrate counts primary slots
alone, and of these only segments that are full.
"""

from __future__ import annotations

from dataclasses import dataclass

from parahost.approval.criteria import relay_vrf_story
from parahost.crypto.vrf import VrfInOut, make_bytes, vrf_inout
from parahost.ports.verifier import Verifier
from parahost.primitives.approval import RelayVrfStory
from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    BabeId,
    BlockNumber,
    SessionIndex,
    Slot,
)
from parahost.primitives.consensus import (
    BabeAuthorities,
    BabeConsensusLog,
    BabeEquivocationProof,
    BabePreDigest,
    EpochConfiguration,
    NextEpochData,
    PrimaryPreDigest,
    SecondaryPlainPreDigest,
    SecondaryVrfPreDigest,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import BABE_ENGINE, Consensus, DigestItem, Header, PreRuntime
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.transcript import Transcript
from parahost.runtime.errors import InvalidPreDigest, ModuleError, RuntimeBug
from parahost.runtime.module import Module, RuntimeCall, call, entry_point
from parahost.runtime.offences import NotYet, Offence, OffenceKind, Offences, TooLongAgo
from parahost.runtime.origin import NoOrigin
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import BABE_KEY, SESSIONS_KEPT, Session, SessionChange, Validators
from parahost.runtime.slot_lottery import author_in_turn, threshold, vrf_score
from parahost.runtime.storage import Overlay, Reader, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.weights import micros

SEGMENT_LENGTH = 256
"""VRF outputs are gathered in segments of so many, so that none is rewritten as a whole."""
MAX_TIME_MS = (1 << 64) - 1
RANDOMNESS_CONTEXT = b"BabeVRFInOutContext"
ZERO_RANDOMNESS = H256(bytes(32))

# Types


VrfPreDigest = PrimaryPreDigest | SecondaryVrfPreDigest
MaybeRandomness = H256 | None


class BadEquivocationProof(ModuleError, index=0):
    """The two headers do not prove that one author made two blocks in one slot."""


class UnknownOffender(ModuleError, index=1):
    """The key was no validator's in the session of the slot."""

    def __init__(self, key: BabeId, session: SessionIndex) -> None:
        super().__init__(f"no validator of session {session} has the key {key.hex()}")
        self.key = key
        self.session = session


@call(0, "report_equivocation_unsigned", weight=micros(600))
@dataclass(frozen=True, slots=True)
class ReportBabeEquivocation(RuntimeCall):
    """The proof speaks for itself: the report needs no signature."""

    proof: BabeEquivocationProof


class Babe(Module, pallet=Pallet(2, "Babe")):
    """Slots, epochs, and the randomness that the authors' VRF outputs make."""

    calls = (ReportBabeEquivocation,)
    errors = (BadEquivocationProof, UnknownOffender)

    # Storage

    epoch_index = StorageValue("EpochIndex", U64, default=U64(0))
    """The number of the epoch."""
    authorities = StorageValue[BabeAuthorities, BabeAuthorities](
        "Authorities", BabeAuthorities, default=()
    )
    """Who may author blocks in this epoch."""
    next_authorities = StorageValue[BabeAuthorities, BabeAuthorities](
        "NextAuthorities", BabeAuthorities, default=()
    )
    """Who may in the next."""
    genesis_slot = StorageValue("GenesisSlot", Slot)
    """The slot of the first block."""
    current_slot = StorageValue("CurrentSlot", Slot, default=Slot(U64(0)))
    """The slot of the last block."""
    randomness = StorageValue("Randomness", H256, default=ZERO_RANDOMNESS)
    """The epoch's; made of the VRF outputs of the epoch before the last."""
    next_randomness = StorageValue("NextRandomness", H256, default=ZERO_RANDOMNESS)
    """The next epoch's."""
    segment_index = StorageValue("SegmentIndex", U32, default=U32(0))
    """The segment into which the epoch's next VRF output goes."""
    under_construction = StorageMap("UnderConstruction", U32, tuple[H256, ...], default=())
    """The VRF outputs of the epoch's blocks, in segments."""
    initialized = StorageValue[VrfPreDigest, VrfPreDigest | None](
        "Initialized",
        VrfPreDigest,
    )
    """The author's claim to the slot, while the block executes."""
    author_vrf_randomness = StorageValue[MaybeRandomness, MaybeRandomness](
        "AuthorVrfRandomness",
        MaybeRandomness,
    )
    """What the author's VRF output gives as randomness."""
    epoch_start = StorageValue(
        "EpochStart",
        tuple[BlockNumber, BlockNumber],
        default=(BlockNumber(U32(0)), BlockNumber(U32(0))),
    )
    """The blocks with which the last epoch and this one began."""
    epoch_config = StorageValue("EpochConfig", EpochConfiguration)
    """How slots are claimed in this epoch."""
    epochs = StorageMap("EpochOfSession", SessionIndex, tuple[U64, H256])
    """Number and randomness of the epoch that each session is, as long as it can be judged."""
    slot_duration = StorageValue("SlotDuration", U64, default=U64(6000))
    """In milliseconds."""
    epoch_duration = StorageValue("EpochDuration", U64, default=U64(600))
    """In slots."""

    def __init__(
        self, system: System, session: Session, offences: Offences, verifier: Verifier
    ) -> None:
        self._system = system
        self._session = session
        self._offences = offences
        self._verifier = verifier

    # Genesis

    def genesis(
        self,
        store: Overlay,
        validators: Validators,
        config: EpochConfiguration,
        slot_duration: U64,
        epoch_duration: U64,
    ) -> None:
        """``slot_duration`` is in milliseconds, ``epoch_duration`` in slots."""
        authorities = babe_authorities(validators)
        self.authorities.put(store, authorities)
        self.next_authorities.put(store, authorities)
        self.epochs.put(store, SessionIndex(U32(0)), (U64(0), ZERO_RANDOMNESS))
        self.epoch_config.put(store, config)
        self.slot_duration.put(store, slot_duration)
        self.epoch_duration.put(store, epoch_duration)

    # Session change

    def on_session_change(self, store: Overlay, change: SessionChange) -> None:
        """Announce who authors in the next epoch."""
        self.next_authorities.put(store, babe_authorities(change.queued))
        self._announce_next_epoch(store)
        epoch = self.epoch_index.get(store), self.randomness.get(store)
        self.epochs.put(store, change.index, epoch)
        for session in tuple(self.epochs.keys(store)):
            if not self._session.can_be_judged(store, session):
                self.epochs.remove(store, session)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Read the author's claim; begin the epoch that its slot is in.

        :raises InvalidPreDigest: when the claim is absent, unreadable, or not for a later slot.
        """
        claim = self._read_claim(store)
        if self.genesis_slot.exists(store):
            self.current_slot.put(store, claim.slot)
            self._begin_epoch_if_due(store)
        else:
            self.genesis_slot.put(store, claim.slot)
            self.current_slot.put(store, claim.slot)
            self._announce_next_epoch(store)
        if claim.authority_index >= len(self.authorities.get(store)):
            raise InvalidPreDigest(f"the epoch has no authority {claim.authority_index}")
        self.initialized.put(store, claim)

    # Entry points

    @entry_point(ReportBabeEquivocation, origin=NoOrigin)
    def report_equivocation(
        self, store: Overlay, _origin: NoOrigin, call: ReportBabeEquivocation
    ) -> None:
        """Report that an author has made two blocks in one slot.

        :raises BadEquivocationProof: when it proves nothing.
        :raises UnknownOffender: when the author was no validator of the session.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known.
        :raises NothingToTake: when it would change nothing.
        """
        self._offences.report(store, self.offence_of(store, call.proof))

    # Routines

    def begins_epoch(self, store: Reader) -> bool:
        """Whether the block that executes is the first of an epoch after the first one: the
        session ends with it."""
        return self.epoch_start.get(store)[1] == self._system.block_number(store) > 0

    def current_epoch_start(self, store: Reader) -> Slot:
        """The first slot of the epoch."""
        return self._epoch_start(store, self.epoch_index.get(store))

    def claim(self, store: Reader) -> VrfPreDigest:
        """The author's claim to the slot of the block that executes."""
        claim = self.initialized.get(store)
        if claim is None:
            raise RuntimeBug("no block is executing")
        return claim

    def author(self, store: Reader) -> BabeId:
        """The key of the author of the block that executes."""
        return self.authorities.get(store)[self.claim(store).authority_index][0]

    def slot(self, store: Reader) -> Slot:
        """The slot of the block that executes; between blocks, of the last one."""
        return self.current_slot.get(store)

    def relay_vrf_story(self, store: Reader) -> RelayVrfStory:
        """What the VRF output of the block that executes says to the checkers of the candidates
        that it includes (D20, D21)."""
        return relay_vrf_story(self._author_inout(store))

    def random_seed(self, store: Reader, subject: bytes) -> H256:
        """A seed from the epoch's randomness, of its own for each subject. Authors could bias it
        only two epochs ago, each by one bit."""
        return blake2_256(subject + self.randomness.get(store))

    def offence_of(self, store: Reader, proof: BabeEquivocationProof) -> Offence:
        """The deed that two headers prove.

        :raises BadEquivocationProof: when they prove none.
        :raises UnknownOffender: when the author was no validator of the session.
        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when its session has not begun.
        :raises AlreadyReported: when the deed is known, whatever they prove.
        :raises NothingToTake: when it would change nothing, whatever they prove.
        """
        session = self._session_of(store, proof.slot)
        if proof.first_header.hash() == proof.second_header.hash():
            raise BadEquivocationProof("the headers are the same")
        validator = self._session.in_office(store, session, BABE_KEY, proof.offender)
        if validator is None:
            raise UnknownOffender(proof.offender, session)
        offence = Offence(
            OffenceKind.BABE_EQUIVOCATION,
            session,
            validator.account,
            proof.offender,
            proof.slot.to_bytes(8, "little"),
        )
        self._offences.refuse_vain(store, offence)
        for header in (proof.first_header, proof.second_header):
            self._check_authored(header, proof.offender, proof.slot)
        return offence

    def foreign_story(
        self, store: Reader, session: SessionIndex, header: Header
    ) -> RelayVrfStory | None:
        """What the author of a block of another fork says to the checkers, if what the block
        includes counts to that session: the first block of an epoch still counts to the session
        before. ``None`` when the header is not sealed by an author whose its slot was (A61)."""
        unsealed, seal = header.without_seal()
        try:
            claim = claim_in(header.digest)
        except InvalidPreDigest:
            return None
        if seal is None or isinstance(claim, SecondaryPlainPreDigest):
            return None
        for index in (session, SessionIndex(U32(session + 1))):
            found = self._foreign_claim(store, index, claim)
            if found is not None and self._verifier.sr25519(found[0], unsealed.hash(), seal.data):
                return relay_vrf_story(found[1])
        return None

    def _foreign_claim(
        self, store: Reader, session: SessionIndex, claim: VrfPreDigest
    ) -> tuple[BabeId, VrfInOut] | None:
        """The author and the VRF of a claim, if the slot is of the session's epoch and the
        author's."""
        epoch = self.epochs.get(store, session)
        validators = self._session.past_keys.get(store, session)
        if epoch is None or not validators or claim.authority_index >= len(validators):
            return None
        index, randomness = epoch
        duration = self.epoch_duration.get(store)
        first = self._epoch_start(store, index)
        if not first <= claim.slot < first + duration:
            return None
        author = validators[claim.authority_index].keys.babe
        transcript = slot_transcript(claim.slot, index, randomness)
        if isinstance(claim, PrimaryPreDigest):
            config = self.epoch_config.get(store)
            limit = 0 if config is None else threshold(config.c, 1, len(validators))
            is_won = vrf_score(author, transcript, claim.vrf_output) < limit
        else:
            in_turn = author_in_turn(claim.slot, randomness, len(validators))
            is_won = in_turn == claim.authority_index
        if not is_won or not self._verifier.vrf(
            author, transcript, claim.vrf_output, claim.vrf_proof
        ):
            return None
        return author, vrf_inout(author, transcript, claim.vrf_output)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Gather the randomness that the author's VRF has drawn."""
        drawn = H256(make_bytes(self._author_inout(store), RANDOMNESS_CONTEXT, 32))
        self._gather(store, drawn)
        self.author_vrf_randomness.put(store, drawn)
        self.initialized.kill(store)

    # Inner routines

    def _author_inout(self, store: Reader) -> VrfInOut:
        """The VRF of the author's claim, whose proof the importer has checked."""
        claim = self.claim(store)
        transcript = slot_transcript(
            claim.slot, self.epoch_index.get(store), self.randomness.get(store)
        )
        return vrf_inout(self.author(store), transcript, claim.vrf_output)

    def _read_claim(self, store: Reader) -> VrfPreDigest:
        claim = claim_in(self._system.digest(store))
        if not isinstance(claim, PrimaryPreDigest | SecondaryVrfPreDigest):
            raise InvalidPreDigest("the slot is claimed without a VRF output (D20)")
        if (claim.slot + 1) * self.slot_duration.get(store) > MAX_TIME_MS:
            raise InvalidPreDigest(f"slot {claim.slot} lies after the end of time")
        if self.genesis_slot.exists(store) and claim.slot <= self.current_slot.get(store):
            raise InvalidPreDigest(
                f"slot {claim.slot} is not after the parent's {self.current_slot.get(store)}"
            )
        return claim

    def _begin_epoch_if_due(self, store: Overlay) -> None:
        """Move on to the epoch of the current slot. Epochs in which nobody has authored are
        skipped: the next epoch's authorities and randomness serve in whichever follows."""
        elapsed = self.current_slot.get(store) - self.current_epoch_start(store)
        epochs = elapsed // self.epoch_duration.get(store)
        if epochs == 0:
            return
        index = U64(self.epoch_index.get(store) + epochs)
        self.epoch_index.put(store, index)
        number = self._system.block_number(store)
        self.epoch_start.mutate(store, lambda starts: (starts[1], number))
        self.authorities.put(store, self.next_authorities.get(store))
        randomness = self.next_randomness.get(store)
        self.randomness.put(store, randomness)
        self.next_randomness.put(
            store,
            epoch_randomness(randomness, U64(index + 1), self._take_gathered(store)),
        )

    def _announce_next_epoch(self, store: Overlay) -> None:
        log = NextEpochData(self.next_authorities.get(store), self.next_randomness.get(store))
        self._system.deposit_log(store, Consensus(BABE_ENGINE, encode(log, BabeConsensusLog)))

    def _gather(self, store: Overlay, drawn: H256) -> None:
        index = self.segment_index.get(store)
        segment = self.under_construction.get(store, index)
        if len(segment) < SEGMENT_LENGTH:
            self.under_construction.put(store, index, (*segment, drawn))
        else:
            self.segment_index.put(store, U32(index + 1))
            self.under_construction.put(store, U32(index + 1), (drawn,))

    def _take_gathered(self, store: Overlay) -> tuple[H256, ...]:
        last = self.segment_index.take(store)
        return tuple(
            drawn
            for index in range(last + 1)
            for drawn in self.under_construction.take(store, U32(index))
        )

    def _session_of(self, store: Reader, slot: Slot) -> SessionIndex:
        """The session whose validators the slot was for: those who took over in the first epoch
        with a block served in any epochs without one just before, too.

        :raises TooLongAgo: when nobody judges it any more.
        :raises NotYet: when it has not begun.
        """
        now = self._session.index(store)
        oldest = max(now - SESSIONS_KEPT, 0)
        if slot < self._first_slot(store, oldest):
            raise TooLongAgo(f"slot {slot} was more than {SESSIONS_KEPT} sessions ago")
        duration = self.epoch_duration.get(store)
        for session in range(oldest, now + 1):
            if slot < self._first_slot(store, session) + duration:
                return SessionIndex(U32(session))
        raise NotYet(f"slot {slot} is of a session to come")

    def _first_slot(self, store: Reader, session: int) -> Slot:
        """The first slot of a session that can be judged."""
        epoch = self.epochs.get(store, SessionIndex(U32(session)))
        if epoch is None:
            raise RuntimeBug(f"Babe: session {session} is no epoch")
        return self._epoch_start(store, epoch[0])

    def _epoch_start(self, store: Reader, number: int) -> Slot:
        """The first slot of the epoch with that number."""
        genesis_slot = self.genesis_slot.get(store) or 0
        return Slot(U64(genesis_slot + number * self.epoch_duration.get(store)))

    def _check_authored(self, header: Header, author: BabeId, slot: Slot) -> None:
        unsealed, seal = header.without_seal()
        if seal is None or seal.engine != BABE_ENGINE:
            raise BadEquivocationProof("a header has no BABE seal")
        try:
            claim = claim_in(header.digest)
        except InvalidPreDigest as error:
            raise BadEquivocationProof(str(error)) from error
        if claim.slot != slot:
            raise BadEquivocationProof(f"a header is of slot {claim.slot}, not {slot}")
        if not self._verifier.sr25519(author, unsealed.hash(), seal.data):
            raise BadEquivocationProof(f"a header is not sealed by {author.hex()}")

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when authorities and sessions, or slots and epochs, do not fit."""
        if self.authorities.get(store) != babe_authorities(self._session.current(store)):
            raise RuntimeBug("Babe: the authorities are not the session's validators")
        if self.next_authorities.get(store) != babe_authorities(self._session.queued(store)):
            raise RuntimeBug("Babe: the next authorities are not the queued validators")
        if self.initialized.exists(store):
            raise RuntimeBug("Babe: a claim outlives its block")
        if self.genesis_slot.exists(store):
            elapsed = self.current_slot.get(store) - self.current_epoch_start(store)
            if not 0 <= elapsed < self.epoch_duration.get(store):
                raise RuntimeBug(f"Babe: the slot is {elapsed} slots into the epoch")


def babe_authorities(validators: Validators) -> BabeAuthorities:
    """The validators as authors, all of one weight."""
    return tuple((validator.keys.babe, U64(1)) for validator in validators)


def slot_transcript(slot: Slot, epoch_index: U64, randomness: H256) -> Transcript:
    """What an author's VRF signs for a slot."""
    return (
        Transcript(b"BABE")
        .append_u64(b"slot number", slot)
        .append_u64(b"current epoch", epoch_index)
        .append(b"chain randomness", randomness)
    )


def epoch_randomness(last: H256, epoch_index: U64, outputs: tuple[H256, ...]) -> H256:
    """The randomness of an epoch, from that of the epoch before it and from VRF outputs."""
    return blake2_256(last + epoch_index.to_bytes(8, "little") + b"".join(outputs))


def claim_in(digest: tuple[DigestItem, ...]) -> BabePreDigest:
    """The claim to a slot in a header's digest.

    :raises InvalidPreDigest: when there is none, more than one, or it cannot be read.
    """
    found = [
        item.data for item in digest if isinstance(item, PreRuntime) and item.engine == BABE_ENGINE
    ]
    if len(found) != 1:
        raise InvalidPreDigest(f"{len(found)} BABE pre-digests where one is expected")
    try:
        claim: BabePreDigest = decode(BabePreDigest, found[0])
    except ScaleDecodeError as error:
        raise InvalidPreDigest(f"the BABE pre-digest is unreadable: {error}") from error
    return claim

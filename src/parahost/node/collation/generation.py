"""Collation Generation: a block of our para where it has a core, once per relay parent (A96, D17).

The collator makes the block; this makes a candidate of it: commitments, hashes, erasure root and
the collator's signature, at most one for each relay parent, ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, ClassVar

from parahost import erasure
from parahost.node.backing.assignments import Basis, ParaAssignment
from parahost.node.collation.building import NoBlock, build_block, tell
from parahost.node.collation.claims import Claimant, Submit
from parahost.node.collation.para_standing import Expected, ParaStanding
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.messages.collation import DistributeCollation
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork
from parahost.node.messages.utility import RuntimeApiRequest
from parahost.node.overseer import Context, Subsystem
from parahost.node.utility.runtime_of import runtime_of
from parahost.ports import (
    BuildContext,
    Collator,
    ContradictionRefused,
    KeyStore,
    KeyType,
    ParachainBlock,
    promises,
)
from parahost.primitives.acceptance import refusal
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CollatorId,
    CollatorSignature,
    Hash,
    HeadData,
    ParaId,
    ValidationCode,
    ValidationCodeHash,
)
from parahost.primitives.candidates import (
    AvailableData,
    CandidateCommitments,
    CandidateDescriptor,
    Collation,
    CommittedCandidateReceipt,
    PersistedValidationData,
    PoV,
    collator_payload,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.runtime_api import OccupiedCoreAssumption
from parahost.primitives.scale import Compact, encode
from parahost.runtime import api
from parahost.runtime.storage import State

BUILD_SLOTS = 0.5
"""How long a block may take to build, in slots. The rest is for the validators, who must have the
candidate backed before the next slot's author begins."""

Sign = Callable[[bytes], bytes]


def current_head(state: State, para_id: ParaId) -> HeadData | None:
    """A para's head in a state, whatever is pending; ``None`` when it is not registered."""
    data = api.persisted_validation_data(state, para_id, OccupiedCoreAssumption.TIMED_OUT)
    return None if data is None else data.parent_head


def pov_size(block: ParachainBlock) -> int:
    """How many bytes its PoV will have, however many they are."""
    return len(encode(len(block.block_data), Annotated[int, Compact()])) + len(block.block_data)


def unfit(block: ParachainBlock, basis: Basis) -> str | None:
    """Why validators or the relay chain would refuse the block whatever its function says; ``None``
    when they would not."""
    size, limit = pov_size(block), basis.validation_data.max_pov_size
    if size > limit:
        return f"the PoV has {size} bytes, {limit} are allowed"
    refused = refusal(commitments_of(block, basis.validation_data), basis.criteria)
    return None if refused is None else f"the relay chain would not accept it: {refused}"


def commitments_of(block: ParachainBlock, data: PersistedValidationData) -> CandidateCommitments:
    """What a candidate with that block promises of its function's outputs."""
    watermark = block.hrmp_watermark
    return CandidateCommitments(
        upward_messages=(),
        horizontal_messages=(),
        new_validation_code=block.new_code,
        head_data=block.head,
        processed_downward_messages=U32(0),
        hrmp_watermark=data.relay_parent_number if watermark is None else watermark,
    )


def data_root(block: ParachainBlock, data: PersistedValidationData, validators: int) -> H256:
    """The erasure root of what must be available of a parachain block."""
    available = AvailableData(PoV(block.block_data), data)
    return erasure.erasure_root(erasure.encode(encode(available), validators))


def make_collation(
    *,
    para_id: ParaId,
    relay_parent: Hash,
    collator: CollatorId,
    data: PersistedValidationData,
    code: ValidationCode,
    block: ParachainBlock,
    erasure_root: H256,
    sign: Sign,
) -> Collation:
    """A candidate from a parachain block; ``sign`` signs the collator's 132 bytes (D10)."""
    pov = PoV(block.block_data)
    pov_hash, data_hash = pov.hash(), data.hash()
    code_hash = ValidationCodeHash(blake2_256(code))
    payload = collator_payload(relay_parent, para_id, data_hash, pov_hash, code_hash)
    descriptor = CandidateDescriptor(
        para_id=para_id,
        relay_parent=relay_parent,
        collator=collator,
        persisted_validation_data_hash=data_hash,
        pov_hash=pov_hash,
        erasure_root=erasure_root,
        signature=CollatorSignature(H512(sign(payload))),
        para_head=blake2_256(block.head),
        validation_code_hash=code_hash,
    )
    return Collation(CommittedCandidateReceipt(descriptor, commitments_of(block, data)), pov)


class CollationGeneration(Subsystem):
    """Runs on a collator's node, for one para. Signs with the first collator key of ``keys``.

    When the para is a parathread, it claims its turns by extrinsics that it hands to ``submit``.
    """

    name = "collation-generation"
    sends: ClassVar[tuple[type[Message], ...]] = (RuntimeApiRequest, DistributeCollation)

    def __init__(
        self,
        collator: Collator,
        para_id: ParaId,
        keys: KeyStore,
        *,
        slot_duration_s: float,
        genesis_hash: Hash,
        submit: Submit,
        expected: Expected,
    ) -> None:
        """``expected``: with what the collator's own files have the para begin."""
        self._collator = collator
        self._para_id = para_id
        self._keys = keys
        self._time_limit_s = slot_duration_s * BUILD_SLOTS
        self._collator_id = CollatorId(H256(keys.public_keys(KeyType.COLLATOR)[0]))
        self._claimant = Claimant(para_id, self._collator_id, keys, genesis_hash, submit)
        self._genesis_hash = genesis_hash
        self._expected = expected
        self._included: HeadData | None = None
        self._was_missing = False

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._standing = ParaStanding(self._para_id, self._expected, ctx.journal)

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self.ctx.spawn(leaf.hash, lambda: self._work(leaf), "collate")
            case BlockFinalized(block):
                self.ctx.spawn(None, lambda: self._note_finalized(block), "note finalized head")

    def on_message(self, message: Message) -> None:
        raise AssertionError(f"{message!r}: this subsystem receives nothing")

    # Jobs

    async def _work(self, leaf: ActiveLeaf) -> None:
        self._note_included(leaf)
        self._claimant.claim_if_due(self.ctx, leaf)
        assignment = leaf.assignments.paras.get(self._para_id)
        if assignment is None:
            self._note_no_core(leaf)
        elif assignment.collator in (None, self._collator_id):
            basis = leaf.basis(assignment)
            if basis is not None:
                await self._collate(leaf, assignment, basis)

    async def _collate(self, leaf: ActiveLeaf, assignment: ParaAssignment, basis: Basis) -> None:
        relay_parent = leaf.hash
        self._standing.note_obstacle("")
        self._standing.note_code(ValidationCodeHash(blake2_256(basis.code)))
        block = await self._build(leaf, assignment, basis)
        if isinstance(block, NoBlock):
            self._standing.note_not_made(block.reason or "the collator has no block")
            if block.reason:
                self._record("collation.not_made", relay_parent, block.reason)
            return
        data, validators = basis.validation_data, len(leaf.session.validators)
        try:
            root = await self.ctx.executor.run(lambda: data_root(block, data, validators))
            collation = make_collation(
                para_id=self._para_id,
                relay_parent=relay_parent,
                collator=self._collator_id,
                data=data,
                code=basis.code,
                block=block,
                erasure_root=root,
                sign=lambda payload: self._sign(relay_parent, payload),
            )
        except ContradictionRefused:
            # Before a restart we made another one here, and it may be out.
            self._record("collation.not_made", relay_parent, "another was made here already")
            return
        self._standing.note_made()
        self.ctx.journal.record(
            "collation.made",
            candidate=collation.receipt.hash(),
            relay_parent=relay_parent,
            para=self._para_id,
            size=len(block.block_data),
        )
        self.ctx.send(DistributeCollation(relay_parent, collation))

    async def _build(
        self, leaf: ActiveLeaf, assignment: ParaAssignment, basis: Basis
    ) -> ParachainBlock | NoBlock:
        """The collator's block, if validators and the relay chain can accept it."""
        data = basis.validation_data
        context = BuildContext(
            relay_parent=leaf.hash,
            relay_parent_number=data.relay_parent_number,
            relay_parent_storage_root=data.relay_parent_storage_root,
            max_pov_size=data.max_pov_size,
            time_limit_s=self._time_limit_s,
            validation_code_hash=ValidationCodeHash(blake2_256(basis.code)),
            new_code_allowed_from=basis.criteria.new_code_allowed_from,
            new_code_expected_at=leaf.read(api.new_code_expected_at),
            planned_upgrade=leaf.read(api.planned_upgrade, self._para_id, assignment.assumption),
        )
        block = await build_block(self._collator, data.parent_head, context)
        if isinstance(block, NoBlock):
            return block
        why = unfit(block, basis)
        return block if why is None else NoBlock(why)

    def _sign(self, relay_parent: Hash, payload: bytes) -> bytes:
        promise = promises.collation(relay_parent, self._para_id)
        return self._keys.sign(KeyType.COLLATOR, self._collator_id, payload, [promise])

    # What the collator hears

    def _note_included(self, leaf: ActiveLeaf) -> None:
        head = leaf.read(current_head, self._para_id)
        if head is None:
            self._was_missing = True
            self._standing.note_obstacle(f"para {self._para_id} is not registered on this chain")
            return
        if self._was_missing or leaf.hash == self._genesis_hash:
            self._was_missing = False
            self._standing.note_first_head(head)
        moved = head != self._included
        self._standing.note_block(moved=moved)
        if moved:
            self._included = head
            self._tell(self._collator.on_included, head)

    def _note_no_core(self, leaf: ActiveLeaf) -> None:
        """A parathread has none between its turns."""
        claimed = leaf.read(api.parathread_claimed, self._para_id)
        if claimed is None and self._included is not None and not self._was_missing:
            self._standing.note_obstacle(f"para {self._para_id} has no core and no group")

    async def _note_finalized(self, block: Hash) -> None:
        head = await runtime_of(self.ctx, block, current_head, self._para_id)
        if head is not None:
            self._tell(self._collator.on_finalized, head)

    def _tell(self, hook: Callable[[HeadData], None], head: HeadData) -> None:
        if (why := tell(hook, head)) is not None:
            self.ctx.journal.record("collator.failed", para=self._para_id, reason=why)

    def _record(self, event: str, relay_parent: Hash, reason: str) -> None:
        self.ctx.journal.record(event, relay_parent=relay_parent, para=self._para_id, reason=reason)

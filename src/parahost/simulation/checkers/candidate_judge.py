"""A candidate judged from outside: from the chunks that honest validators have on disk."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.erasure import ErasureError, NotEnoughChunks, recover_value, verify_chunk
from parahost.node.availability.archive import CHUNKS
from parahost.ports import ExecutionKind, Returned
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.candidates import (
    AvailableData,
    PersistedValidationData,
    ValidationParams,
    ValidationResult,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Scene
from parahost.simulation.checkers.ledger import CandidateLedger, LedgerCandidate
from parahost.validation import InProcessHost

MAX_POV_SIZE = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with an included candidate. ``is_lack``: its data are not there, so that nobody
    can say whether it is valid."""

    reason: str
    is_lack: bool = False


class CandidateJudge:
    """Says of included candidates what is wrong with them, and who has vouched for them."""

    def __init__(self, scene: Scene, ledger: CandidateLedger) -> None:
        self._scene = scene
        self._ledger = ledger
        self._host = InProcessHost()

    def backers(self, one: LedgerCandidate) -> tuple[str, ...]:
        """The names of the nodes whose votes have backed it in its block."""
        step, parent = self._ledger.step(one.backed_in), one.backed_in.parent
        assert parent is not None
        made = (*step.backings, *step.doubled)
        backing = next(each for each in made if each.candidate == one.candidate)
        group = reading.group_serving(parent.state, one.core, one.backed_in.number)
        validators = reading.validators(parent.state)
        places = backing.backed.validator_indices.ones()
        owners = (self._scene.plan.owner_of(validators[group[place]]) for place in places)
        return tuple(name for name in owners if name is not None)

    def is_honestly_backed(self, one: LedgerCandidate) -> bool:
        """Whether an honest validator has vouched for it."""
        return any(map(self._scene.is_honest, self.backers(one)))

    def flaw(self, one: LedgerCandidate) -> Flaw | None:
        """Why the candidate is not recoverable, or not valid; to be asked when it is included,
        before its chunks are thrown away."""
        try:
            data = self._recover(one)
        except (ErasureError, ScaleDecodeError) as why:
            return Flaw(f"not recoverable: {why}", isinstance(why, NotEnoughChunks))
        why_not = self._judge(one, data)
        return None if why_not is None else Flaw(f"not valid: {why_not}")

    def _recover(self, one: LedgerCandidate) -> AvailableData:
        """From the chunks of honest validators, whether they are up or not."""
        parent = one.backed_in.parent
        assert parent is not None
        validators = len(reading.validators(parent.state))
        root = one.receipt.descriptor.erasure_root
        chunks: dict[int, bytes] = {}
        for node in self._scene.plan.validators:
            if not self._scene.is_honest(node.name):
                continue
            for _, form in self._scene.disk_of(node.name).scan(CHUNKS, prefix=one.candidate):
                chunk = _chunk_in(form)
                if chunk is not None and verify_chunk(
                    root, chunk.index, chunk.chunk, chunk.proof, validators
                ):
                    chunks[chunk.index] = chunk.chunk
        return recover_value(AvailableData, chunks, validators, root)

    def _judge(self, one: LedgerCandidate, data: AvailableData) -> str | None:
        """Why the candidate is not valid."""
        parent = one.backed_in.parent
        assert parent is not None
        descriptor, commitments = one.receipt.descriptor, one.receipt.commitments
        backing = self._ledger.step(one.backed_in).backing_of(one.candidate)
        if backing is None:
            return "it was backed while another candidate of its para was pending"
        if descriptor.relay_parent != parent.hash:
            return "its relay parent is not the parent of the block that backs it"
        if backing.parent_head is None:
            return "its para has no head"
        context = PersistedValidationData(
            backing.parent_head,
            parent.header.number,
            parent.header.state_root,
            MAX_POV_SIZE,  # type: ignore[arg-type]
        )
        if data.validation_data != context:
            return f"it was validated against {data.validation_data}, right were {context}"
        if descriptor.persisted_validation_data_hash != blake2_256(encode(context)):
            return "its validation data are not those of its relay parent"
        if descriptor.pov_hash != blake2_256(encode(data.pov)):
            return "its PoV is another than the one kept"
        if descriptor.para_head != blake2_256(commitments.head_data):
            return "its descriptor names another head than its commitments"
        codes = {
            blake2_256(code): code
            for state in (parent.state, one.backed_in.state)
            if (code := reading.code(state, one.para)) is not None
        }
        code = codes.get(descriptor.validation_code_hash)
        if code is None:
            return "its code is not its para's"
        params = ValidationParams(
            context.parent_head,
            data.pov.block_data,
            context.relay_parent_number,
            context.relay_parent_storage_root,
        )
        outcome = self._host.run(code, encode(params), ExecutionKind.CHECKING)
        if not isinstance(outcome, Returned):
            return f"its function fails: {outcome.reason}"
        result: ValidationResult = decode(ValidationResult, outcome.result)
        if result.commitments() != commitments:
            return "its function returns something else than it commits to"
        return None


def _chunk_in(row: bytes) -> ErasureChunk | None:
    """``None`` for a row that is damaged beyond being read: its chunk is lost."""
    try:
        chunk: ErasureChunk = decode(ErasureChunk, row)
    except ScaleDecodeError:
        return None
    return chunk

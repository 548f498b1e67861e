"""Candidate Validation: a request/response server without state (A102, D14).

Three outcomes, never two. Only what the candidate itself does makes it invalid; what this machine
does leaves it undecided.
"""

from __future__ import annotations

from parahost.metrics.metric import Counter, Histogram
from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateUndecided,
    CandidateValid,
    ValidateCandidate,
    ValidationOutcome,
)
from parahost.node.overseer import Subsystem
from parahost.ports import ExecutionOutcome, Failed, Undecided, ValidationHost, Verifier
from parahost.primitives.acceptance import AcceptanceCriteria, refusal
from parahost.primitives.candidates import CandidateCommitments, ValidationParams, ValidationResult
from parahost.primitives.compression import BadCompression, maybe_decompress
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import ScaleDecodeError, decode, encode

VALIDATION_REQUESTS = Counter(
    "polkadot_parachain_validation_requests_total",
    "Candidates that were judged.",
    ("validity",),
    (("valid",), ("invalid",), ("validation failure",)),
)
EXECUTION_TIME = Histogram(
    "polkadot_pvf_execution_time",
    "Seconds that a validation function has run.",
    bounds=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12),
)
PREPARATION_TIME = Histogram(
    "polkadot_pvf_preparation_time",
    "Seconds that a candidate has waited for its code to be prepared, where it was not.",
    bounds=(0.1, 0.5, 1, 2, 3, 10, 20, 30, 60, 120, 240, 360, 480),
)
ENQUEUED = Counter("polkadot_pvf_execute_enqueued", "Executions that were asked for.")
FINISHED = Counter("polkadot_pvf_execute_finished", "Executions that have ended.")
_VALIDITY = {
    CandidateValid: "valid",
    CandidateInvalid: "invalid",
    CandidateUndecided: "validation failure",
}


def check_before_execution(request: ValidateCandidate, verifier: Verifier) -> str | None:
    """Why the candidate is invalid whatever its function would say; ``None`` when it is not.

    PoV size and hash, code hash, validation data hash, collator's signature.
    """
    descriptor, data = request.descriptor, request.validation_data
    pov = encode(request.pov)
    if len(pov) > data.max_pov_size:
        return f"the PoV has {len(pov)} bytes, {data.max_pov_size} are allowed"
    if blake2_256(pov) != descriptor.pov_hash:
        return "the PoV's hash is not the descriptor's"
    if blake2_256(request.code) != descriptor.validation_code_hash:
        return "the validation code's hash is not the descriptor's"
    if data.hash() != descriptor.persisted_validation_data_hash:
        return "the validation data's hash is not the descriptor's"
    if not verifier.sr25519(
        descriptor.collator, descriptor.signature_payload(), descriptor.signature
    ):
        return "the collator's signature is wrong"
    return None


def judge_result(request: ValidateCandidate, result: bytes) -> ValidationOutcome:
    """Hold what the function returned against what the candidate promised, and against what the
    relay chain will accept, unless it has."""
    outputs = read_result(result)
    if isinstance(outputs, CandidateInvalid):
        return outputs
    if blake2_256(outputs.head_data) != request.descriptor.para_head:
        return CandidateInvalid("the head's hash is not the descriptor's")
    commitments = outputs.commitments()
    if request.commitments_hash is not None and commitments.hash() != request.commitments_hash:
        return CandidateInvalid("the outputs are not those that the candidate commits to")
    if request.criteria is not None:
        refused = judge_acceptance(commitments, request.criteria)
        if refused is not None:
            return refused
    return CandidateValid(commitments, request.validation_data)


def read_result(result: bytes) -> ValidationResult | CandidateInvalid:
    """What the function returned, if it is a ``ValidationResult`` (D32)."""
    try:
        outputs: ValidationResult = decode(ValidationResult, result)
    except ScaleDecodeError as error:
        return CandidateInvalid(f"the function's result is no ValidationResult: {error}")
    return outputs


def judge_acceptance(
    commitments: CandidateCommitments, criteria: AcceptanceCriteria
) -> CandidateInvalid | None:
    """Invalid when the relay chain would not accept these outputs (D35)."""
    refused = refusal(commitments, criteria)
    if refused is None:
        return None
    return CandidateInvalid(f"the relay chain would not accept it: {refused}")


class CandidateValidation(Subsystem):
    """Judges candidates with the validation host."""

    name = "candidate-validation"
    receives = (ValidateCandidate,)
    metrics = (VALIDATION_REQUESTS, EXECUTION_TIME, PREPARATION_TIME, ENQUEUED, FINISHED)

    def __init__(self, host: ValidationHost, verifier: Verifier) -> None:
        self._host = host
        self._verifier = verifier

    def on_message(self, message: Message) -> None:
        assert isinstance(message, ValidateCandidate)
        request = message

        async def validate() -> None:
            outcome = await self._judge(request)
            self.ctx.meter.count(VALIDATION_REQUESTS, _VALIDITY[type(outcome)])
            request.reply.answer(outcome)

        self.ctx.spawn(None, validate, "validate candidate")

    async def _judge(self, request: ValidateCandidate) -> ValidationOutcome:
        reason = check_before_execution(request, self._verifier)
        if reason is not None:
            return CandidateInvalid(reason)
        data = request.validation_data
        try:
            block_data = maybe_decompress(request.pov.block_data, data.max_pov_size)
        except BadCompression as error:
            return CandidateInvalid(f"the PoV is compressed, and wrongly: {error}")
        params = ValidationParams(
            data.parent_head,
            block_data,
            data.relay_parent_number,
            data.relay_parent_storage_root,
        )
        outcome = await self._execute(request, encode(params))
        if isinstance(outcome, Undecided):
            return CandidateUndecided(outcome.reason)
        if isinstance(outcome, Failed):
            return CandidateInvalid(outcome.reason)
        return judge_result(request, outcome.result)

    async def _execute(self, request: ValidateCandidate, params: bytes) -> ExecutionOutcome:
        meter = self.ctx.meter
        meter.count(ENQUEUED)
        outcome = await self._host.execute(request.code, params, request.kind)
        meter.count(FINISHED)
        if not isinstance(outcome, Undecided):
            meter.observe(EXECUTION_TIME, outcome.execute_ms / 1000)
            if outcome.prepare_ms:
                meter.observe(PREPARATION_TIME, outcome.prepare_ms / 1000)
        return outcome

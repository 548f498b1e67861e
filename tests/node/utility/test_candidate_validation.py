"""Candidate Validation: three outcomes (A102, D14)."""

from __future__ import annotations

from dataclasses import replace

import pytest
import zstandard

from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateUndecided,
    CandidateValid,
    ValidateCandidate,
    ValidationOutcome,
)
from parahost.node.utility.candidate_validation import CandidateValidation
from parahost.ports import ExecutionKind, ExecutionOutcome, Failed, Returned, Undecided
from parahost.primitives.acceptance import AcceptanceCriteria
from parahost.primitives.basic import (
    H512,
    U32,
    BlockNumber,
    CollatorSignature,
    HeadData,
    ParaId,
    ValidationCode,
)
from parahost.primitives.candidates import (
    OutboundHrmpMessage,
    PersistedValidationData,
    PoV,
    ValidationParams,
    ValidationResult,
)
from parahost.primitives.compression import COMPRESSED_PREFIX
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode, encode
from tests.node.availability.world import RelayChain
from tests.node.harness import make_overseer, running
from tests.runtime.parachains.world import World, code
from tests.verifying import VERIFIER


class Host:
    """A validation host whose answer is given."""

    def __init__(self, outcome: ExecutionOutcome) -> None:
        self.outcome = outcome
        self.calls: list[tuple[ValidationCode, bytes, ExecutionKind]] = []

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        self.calls.append((code, params, kind))
        return self.outcome


CHAIN = RelayChain(World(validators=4, parachains=[100]))
BACKED, DATA = CHAIN.candidate(100)
CANDIDATE = BACKED.candidate
CRITERIA = AcceptanceCriteria(
    max_head_data_size=U32(len(CANDIDATE.commitments.head_data)),
    max_code_size=U32(len(code(100, 2))),
    new_code_allowed_from=BlockNumber(U32(0)),
    relay_parent_number=DATA.validation_data.relay_parent_number,
)
OUTPUTS = ValidationResult(
    head_data=CANDIDATE.commitments.head_data,
    new_validation_code=None,
    upward_messages=(),
    horizontal_messages=(),
    processed_downward_messages=U32(0),
    hrmp_watermark=CANDIDATE.commitments.hrmp_watermark,
)


def request() -> ValidateCandidate:
    return ValidateCandidate(
        CANDIDATE.descriptor,
        CANDIDATE.commitments.hash(),
        DATA.validation_data,
        code(100),
        CRITERIA,
        DATA.pov,
        ExecutionKind.BACKING,
    )


def returned(outputs: ValidationResult = OUTPUTS) -> Returned:
    return Returned(encode(outputs), 0.0, 0.0, 0)


async def judge(asked: ValidateCandidate, host: Host | None = None) -> ValidationOutcome:
    overseer = make_overseer([CandidateValidation(host or Host(returned()), VERIFIER)])
    async with running(overseer):
        return await overseer.ask(asked)


def resigned(asked: ValidateCandidate, **changes: object) -> ValidateCandidate:
    """Another descriptor, rightly signed."""
    descriptor = replace(asked.descriptor, **changes)  # type: ignore[arg-type]
    signed = CHAIN.world.signed(replace(CANDIDATE, descriptor=descriptor), "collator")
    asked.descriptor = signed.descriptor
    return asked


@pytest.mark.guide("A102")
async def test_a_valid_candidate_comes_back_with_its_outputs() -> None:
    host = Host(returned())
    outcome = await judge(request(), host)
    assert outcome == CandidateValid(CANDIDATE.commitments, DATA.validation_data)
    ((blob, params, kind),) = host.calls
    assert (blob, kind) == (code(100), ExecutionKind.BACKING)
    assert decode(ValidationParams, params) == ValidationParams(
        DATA.validation_data.parent_head,
        DATA.pov.block_data,
        DATA.validation_data.relay_parent_number,
        DATA.validation_data.relay_parent_storage_root,
    )


@pytest.mark.guide("A102")
async def test_what_contradicts_the_descriptor_is_invalid_before_any_execution() -> None:
    def changed(**changes: object) -> ValidateCandidate:
        asked = request()
        for name, value in changes.items():
            setattr(asked, name, value)
        return asked

    small = replace(DATA.validation_data, max_pov_size=U32(len(encode(DATA.pov)) - 1))
    forged = replace(CANDIDATE.descriptor, signature=CollatorSignature(H512(bytes(64))))
    cases = {
        "bytes, ": resigned(
            changed(validation_data=small), persisted_validation_data_hash=small.hash()
        ),
        "PoV's hash": changed(pov=PoV(b"other")),
        "code's hash": changed(code=code(101)),
        "validation data's hash": changed(
            validation_data=replace(DATA.validation_data, parent_head=HeadData(b"other"))
        ),
        "collator's signature": changed(descriptor=forged),
    }
    for reason, asked in cases.items():
        host = Host(returned())
        outcome = await judge(asked, host)
        assert isinstance(outcome, CandidateInvalid) and reason in outcome.reason
        assert host.calls == []
    exact = replace(DATA.validation_data, max_pov_size=U32(len(encode(DATA.pov))))
    fits = resigned(changed(validation_data=exact), persisted_validation_data_hash=exact.hash())
    assert isinstance(await judge(fits), CandidateValid)


@pytest.mark.guide("A102")
async def test_what_the_function_does_wrong_makes_it_invalid() -> None:
    other_head = HeadData(b"other head")
    cases: dict[str, ExecutionOutcome] = {
        "trapped": Failed("it trapped"),
        "no ValidationResult": Returned(b"\xff", 0.0, 0.0, 0),
        "head's hash": returned(replace(OUTPUTS, head_data=other_head)),
        "commits to": returned(replace(OUTPUTS, new_validation_code=code(100, 2))),
    }
    for reason, returns in cases.items():
        outcome = await judge(request(), Host(returns))
        assert isinstance(outcome, CandidateInvalid) and reason in outcome.reason


@pytest.mark.guide("A102")
async def test_what_the_relay_chain_would_not_accept_is_invalid_though_it_was_promised() -> None:
    """So a group never vouches for what nobody can include (D35)."""
    new_code = code(100, 2)
    upgrade = replace(OUTPUTS, new_validation_code=new_code)
    too_soon = replace(CRITERIA, new_code_allowed_from=BlockNumber(U32(9)))
    small_head = replace(CRITERIA, max_head_data_size=U32(CRITERIA.max_head_data_size - 1))
    small_code = replace(CRITERIA, max_code_size=U32(len(new_code) - 1))
    horizontal = (OutboundHrmpMessage(ParaId(U32(1)), b"message"),)
    cases = [
        (small_head, OUTPUTS, "the head has"),
        (small_code, upgrade, "the validation code has"),
        (too_soon, upgrade, "too soon"),
        (CRITERIA, replace(OUTPUTS, new_validation_code=ValidationCode(b"text")), "no Wasm"),
        (CRITERIA, replace(OUTPUTS, horizontal_messages=horizontal), "not carried"),
        (CRITERIA, replace(OUTPUTS, upward_messages=(b"message",)), "not carried"),
        (CRITERIA, replace(OUTPUTS, hrmp_watermark=BlockNumber(U32(77))), "hrmp_watermark"),
    ]
    for criteria, outputs, reason in cases:
        asked = request()
        asked.criteria = criteria
        asked.commitments_hash = outputs.commitments().hash()
        outcome = await judge(asked, Host(returned(outputs)))
        assert isinstance(outcome, CandidateInvalid) and reason in outcome.reason
    exact = request()
    exact.commitments_hash = upgrade.commitments().hash()
    assert isinstance(await judge(exact, Host(returned(upgrade))), CandidateValid)


@pytest.mark.guide("A102")
async def test_what_this_machine_does_wrong_decides_nothing() -> None:
    outcome = await judge(request(), Host(Undecided("the worker was killed")))
    assert outcome == CandidateUndecided("the worker was killed")


async def test_without_commitments_the_outputs_are_found_out() -> None:
    asked = request()
    asked.commitments_hash = None
    upgraded = replace(OUTPUTS, new_validation_code=code(100, 2))
    outcome = await judge(asked, Host(returned(upgraded)))
    assert outcome == CandidateValid(upgraded.commitments(), DATA.validation_data)
    assert blake2_256(upgraded.head_data) == asked.descriptor.para_head


@pytest.mark.guide("A102")
async def test_a_compressed_proof_is_judged_by_its_contents_and_a_bomb_is_invalid() -> None:
    def asked_with(pov: PoV, data: PersistedValidationData) -> ValidateCandidate:
        asked = request()
        asked.pov, asked.validation_data = pov, data
        return resigned(asked, pov_hash=pov.hash(), persisted_validation_data_hash=data.hash())

    block_data = b"a block" * 100
    frame = PoV(COMPRESSED_PREFIX + zstandard.compress(block_data))
    host = Host(returned())
    await judge(asked_with(frame, DATA.validation_data), host)
    ((_, params, _),) = host.calls
    assert decode(ValidationParams, params).block_data == block_data

    small = replace(DATA.validation_data, max_pov_size=U32(len(block_data) - 1))
    host = Host(returned())
    outcome = await judge(asked_with(frame, small), host)
    assert isinstance(outcome, CandidateInvalid) and "beyond the limit" in outcome.reason
    assert host.calls == []

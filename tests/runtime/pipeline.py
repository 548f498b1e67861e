"""What collators and validators make for the next block, from what the Runtime APIs tell them."""

from __future__ import annotations

from dataclasses import replace

from parahost.crypto import sr25519
from parahost.primitives.availability import SignedAvailabilityBitfield, bitfield_payload
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CollatorId,
    CollatorSignature,
    CoreIndex,
    GroupIndex,
    HeadData,
    ValidationCode,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import (
    CandidateCommitments,
    CandidateDescriptor,
    CommittedCandidateReceipt,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.runtime_api import (
    CoreScheduled,
    OccupiedCore,
    OccupiedCoreAssumption,
    ScheduledCore,
)
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    BackedCandidate,
    Explicit,
    Implicit,
    Seconded,
    SigningContext,
    Valid,
    ValidityAttestation,
    statement_payload,
)
from parahost.runtime import api
from parahost.runtime.parachains.paras import validation_code_hash
from tests.runtime import world
from tests.runtime.world import Chain, key

COLLATOR = "Ferdie"


def inherent_data(
    chain: Chain, *, with_votes: bool = True, new_code: ValidationCode | None = None
) -> ParachainsInherentData:
    """All validators vote that they hold all chunks; each core that is free in the next block, or
    becomes so by the votes, has a candidate that its whole group backs. All announce the new
    code."""
    bitfields: list[SignedAvailabilityBitfield] = []
    candidates: list[BackedCandidate] = []
    cores = api.availability_cores(chain.state)
    pending = [index for index, core in enumerate(cores) if isinstance(core, OccupiedCore)]
    if with_votes and pending:
        bits = BitVec.with_ones(len(cores), pending)
        bitfields = [_bitfield(chain, bits, at) for at in range(len(api.validators(chain.state)))]
    for index, core in enumerate(cores):
        assumption = OccupiedCoreAssumption.FREE
        next_up: ScheduledCore | None = None
        if isinstance(core, CoreScheduled):
            next_up = core.scheduled
        elif isinstance(core, OccupiedCore) and with_votes:
            next_up, assumption = core.next_up_on_available, OccupiedCoreAssumption.INCLUDED
        if next_up is not None:
            candidates.append(_backed(chain, CoreIndex(U32(index)), next_up, assumption, new_code))
    return ParachainsInherentData(tuple(bitfields), tuple(candidates), (), chain.header)


def _context(chain: Chain) -> SigningContext:
    return SigningContext(api.session_index_for_child(chain.state), chain.header.hash())


def _sign_as(chain: Chain, validator: int, payload: bytes) -> ValidatorSignature:
    public = api.validators(chain.state)[validator]
    for name in world.NAMES:
        if key(name, "para").public == public:
            return ValidatorSignature(H512(sr25519.sign(key(name, "para"), payload)))
    raise AssertionError("a validator that no test knows")


def _bitfield(chain: Chain, bits: BitVec, validator: int) -> SignedAvailabilityBitfield:
    index = ValidatorIndex(U32(validator))
    payload = bitfield_payload(bits, index, _context(chain))
    return SignedAvailabilityBitfield(bits, index, _sign_as(chain, validator, payload))


def _backed(
    chain: Chain,
    core: CoreIndex,
    next_up: ScheduledCore,
    assumption: OccupiedCoreAssumption,
    new_code: ValidationCode | None,
) -> BackedCandidate:
    groups = api.validator_groups(chain.state)
    group: GroupIndex = groups.rotation.group_for_core(core, len(groups.groups))
    members = groups.groups[group]
    candidate = _candidate(chain, next_up, assumption, new_code)
    votes: list[ValidityAttestation] = []
    for rank, member in enumerate(members):
        kind = Valid if rank else Seconded
        payload = statement_payload(kind, candidate.hash(), _context(chain))
        vote = _sign_as(chain, member, payload)
        votes.append(Explicit(vote) if rank else Implicit(vote))
    everyone = BitVec.with_ones(len(members), range(len(members)))
    return BackedCandidate(candidate, tuple(votes), everyone)


def _candidate(
    chain: Chain,
    next_up: ScheduledCore,
    assumption: OccupiedCoreAssumption,
    new_code: ValidationCode | None,
) -> CommittedCandidateReceipt:
    para = next_up.para_id
    data = api.persisted_validation_data(chain.state, para, assumption)
    code = api.validation_code(chain.state, para, assumption)
    assert data is not None and code is not None
    commitments = CandidateCommitments(
        upward_messages=(),
        horizontal_messages=(),
        new_validation_code=new_code,
        head_data=HeadData(b"para %d on %d" % (para, chain.header.number)),
        processed_downward_messages=U32(0),
        hrmp_watermark=BlockNumber(chain.header.number),
    )
    descriptor = CandidateDescriptor(
        para_id=para,
        relay_parent=chain.header.hash(),
        collator=CollatorId(H256(key(COLLATOR).public)),
        persisted_validation_data_hash=data.hash(),
        pov_hash=blake2_256(b"pov"),
        erasure_root=blake2_256(b"erasure root"),
        signature=CollatorSignature(H512(bytes(64))),
        para_head=blake2_256(commitments.head_data),
        validation_code_hash=validation_code_hash(code),
    )
    signature = sr25519.sign(key(COLLATOR), descriptor.signature_payload())
    signed = replace(descriptor, signature=CollatorSignature(H512(signature)))
    return CommittedCandidateReceipt(signed, commitments)

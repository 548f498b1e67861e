"""Who checks which candidate: drawn by VRF, provable to anybody (A54, D21).

The author of a block has a VRF output that nobody could choose. The *relay VRF story* is drawn from
it, and from the story each validator draws with its own VRF: some cores, whose candidates it checks
at once, and for every other core a delay. Nobody can tell another's draw before it is announced.

A validator draws with the key that signs its statements; the transcripts keep the two apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from parahost.crypto.vrf import VrfInOut, make_bytes, vrf_inout
from parahost.ports.keystore import KeyStore, KeyType
from parahost.ports.verifier import Verifier
from parahost.primitives.approval import (
    ApprovalParameters,
    AssignmentCert,
    AssignmentCertKind,
    RelayVRFDelay,
    RelayVRFModulo,
    RelayVrfStory,
    Tranche,
)
from parahost.primitives.basic import H256, H512, U32, CoreIndex, ValidatorId
from parahost.primitives.transcript import Transcript

STORY_CONTEXT: Final = b"A&V RC-VRF"
MODULO_LABEL: Final = b"A&V MOD"
DELAY_LABEL: Final = b"A&V DELAY"
ASSIGNED_LABEL: Final = b"A&V ASSIGNED"
CORE_CONTEXT: Final = b"A&V CORE"
TRANCHE_CONTEXT: Final = b"A&V TRANCHE"

# The draw


def relay_vrf_story(author_inout: VrfInOut) -> RelayVrfStory:
    """What the VRF of an including block's author says to the checkers."""
    return RelayVrfStory(H256(make_bytes(author_inout, STORY_CONTEXT, 32)))


def assignment_transcript(kind: AssignmentCertKind, story: RelayVrfStory) -> Transcript:
    """What a validator's VRF is evaluated on."""
    match kind:
        case RelayVRFModulo(sample):
            transcript = Transcript(MODULO_LABEL).append(b"RC-VRF", story)
            return transcript.append(b"sample", sample.to_bytes(4, "little"))
        case RelayVRFDelay(core):
            transcript = Transcript(DELAY_LABEL).append(b"RC-VRF", story)
            return transcript.append(b"core", core.to_bytes(4, "little"))


def proof_extra(kind: AssignmentCertKind, core: CoreIndex) -> Transcript | None:
    """What a proof binds besides: a sample's, the core that it fell on."""
    if isinstance(kind, RelayVRFDelay):
        return None
    return Transcript(ASSIGNED_LABEL).append(b"core", core.to_bytes(4, "little"))


def drawn_core(drawn: bytes, cores: int) -> CoreIndex:
    """The core that four bytes of ``A&V CORE`` stand for."""
    return CoreIndex(U32(int.from_bytes(drawn, "little") % cores))


def drawn_tranche(drawn: bytes, parameters: ApprovalParameters) -> Tranche:
    """The tranche that four bytes of ``A&V TRANCHE`` stand for: the first few are one."""
    width = parameters.zeroth_delay_tranche_width
    wide = int.from_bytes(drawn, "little") % (parameters.n_delay_tranches + width)
    return Tranche(U32(max(wide - width, 0)))


# One's own


@dataclass(frozen=True, slots=True)
class OwnAssignment:
    """A validator is to check the candidate of that core, from that tranche on, if the candidate
    still needs it then."""

    core: CoreIndex
    kind: AssignmentCertKind
    tranche: Tranche


def own_assignments(
    keys: KeyStore,
    public: ValidatorId,
    story: RelayVrfStory,
    parameters: ApprovalParameters,
    *,
    cores: int,
    candidates: Collection[CoreIndex],
) -> tuple[OwnAssignment, ...]:
    """What a block gives a validator to check, ascending by core. ``cores``: how many the session
    has; ``candidates``: the cores from which the block has included one that this validator did
    not back. It has one assignment for each.

    :raises KeyError: when the key is not held.
    """
    wanted = sorted(candidates)
    drawn = dict(_own_samples(keys, public, story, parameters, cores, set(wanted)))
    return tuple(
        drawn.get(core) or _own_delay(keys, public, story, parameters, core) for core in wanted
    )


def _own_samples(
    keys: KeyStore,
    public: ValidatorId,
    story: RelayVrfStory,
    parameters: ApprovalParameters,
    cores: int,
    wanted: set[CoreIndex],
) -> Iterator[tuple[CoreIndex, OwnAssignment]]:
    """The samples that fall on a wanted core; of several, the first counts."""
    left = set(wanted)
    for sample in range(parameters.relay_vrf_modulo_samples):
        kind = RelayVRFModulo(U32(sample))
        transcript = assignment_transcript(kind, story)
        drawn = keys.vrf_output(KeyType.PARACHAIN, public, transcript, CORE_CONTEXT, 4)
        core = drawn_core(drawn, cores)
        if core in left:
            left.remove(core)
            yield core, OwnAssignment(core, kind, Tranche(U32(0)))


def _own_delay(
    keys: KeyStore,
    public: ValidatorId,
    story: RelayVrfStory,
    parameters: ApprovalParameters,
    core: CoreIndex,
) -> OwnAssignment:
    kind = RelayVRFDelay(core)
    transcript = assignment_transcript(kind, story)
    drawn = keys.vrf_output(KeyType.PARACHAIN, public, transcript, TRANCHE_CONTEXT, 4)
    return OwnAssignment(core, kind, drawn_tranche(drawn, parameters))


def certify(
    keys: KeyStore, public: ValidatorId, story: RelayVrfStory, own: OwnAssignment
) -> AssignmentCert:
    """The proof with which the assignment is announced. The same arguments give the same proof.

    :raises KeyError: when the key is not held.
    """
    transcript, extra = assignment_transcript(own.kind, story), proof_extra(own.kind, own.core)
    signed = keys.vrf_sign(KeyType.PARACHAIN, public, transcript, extra)
    return AssignmentCert(own.kind, H256(signed.pre_output), H512(signed.proof))


# Another's


class AssignmentFault(Enum):
    """Why an assignment is refused."""

    UNKNOWN_SAMPLE = "there are not so many samples"
    OTHER_CORE = "it is for another core"
    BAD_PROOF = "its VRF proof is wrong"


def assigned_tranche(
    verifier: Verifier,
    public: ValidatorId,
    cert: AssignmentCert,
    story: RelayVrfStory,
    parameters: ApprovalParameters,
    *,
    cores: int,
    core: CoreIndex,
) -> Tranche | AssignmentFault:
    """The tranche in which the key's holder is to check the candidate of ``core``, as its proof
    shows. That it did not back the candidate is for the caller to see. The costly part, the proof,
    is looked at last."""
    kind = cert.kind
    if isinstance(kind, RelayVRFModulo) and kind.sample >= parameters.relay_vrf_modulo_samples:
        return AssignmentFault.UNKNOWN_SAMPLE
    if isinstance(kind, RelayVRFDelay) and kind.core_index != core:
        return AssignmentFault.OTHER_CORE
    transcript = assignment_transcript(kind, story)
    inout = vrf_inout(public, transcript, cert.vrf_output)
    if isinstance(kind, RelayVRFModulo):
        if drawn_core(make_bytes(inout, CORE_CONTEXT, 4), cores) != core:
            return AssignmentFault.OTHER_CORE
        tranche = Tranche(U32(0))
    else:
        tranche = drawn_tranche(make_bytes(inout, TRANCHE_CONTEXT, 4), parameters)
    extra = proof_extra(kind, core)
    if not verifier.vrf(public, transcript, cert.vrf_output, cert.vrf_proof, extra):
        return AssignmentFault.BAD_PROOF
    return tranche

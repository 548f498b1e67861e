"""Who is drawn to check what, and that anybody can see it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from parahost.approval.criteria import (
    AssignmentFault,
    OwnAssignment,
    assigned_tranche,
    certify,
    own_assignments,
    relay_vrf_story,
)
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.crypto.sr25519 import Keypair
from parahost.crypto.verifier import DirectVerifier
from parahost.crypto.vrf import vrf_evaluate
from parahost.ports.keystore import KeyType
from parahost.primitives.approval import (
    ApprovalParameters,
    AssignmentCert,
    RelayVRFDelay,
    RelayVRFModulo,
    RelayVrfStory,
    Tranche,
    approval_payload,
)
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CandidateHash,
    CoreIndex,
    SessionIndex,
    ValidatorId,
)
from parahost.primitives.transcript import Transcript
from parahost.storage.memory import MemoryDatabase

CORES = 7
PARAMETERS = ApprovalParameters(
    needed_approvals=U32(2),
    relay_vrf_modulo_samples=U32(3),
    n_delay_tranches=U32(9),
    zeroth_delay_tranche_width=U32(1),
    tranches_per_slot=U32(4),
    no_show_slots=U32(2),
)
STORY = RelayVrfStory(H256(bytes(range(32))))
VERIFIER = DirectVerifier()


def core(number: int) -> CoreIndex:
    return CoreIndex(U32(number))


@cache
def keys() -> ProtectedKeyStore:
    uris = [(KeyType.PARACHAIN, f"//checker {number}") for number in range(12)]
    return ProtectedKeyStore(KeyRing.of(uris), MemoryDatabase())


def publics() -> list[ValidatorId]:
    return [ValidatorId(H256(public)) for public in keys().public_keys(KeyType.PARACHAIN)]


def own(public: ValidatorId, story: RelayVrfStory = STORY) -> tuple[OwnAssignment, ...]:
    everywhere = [core(number) for number in range(CORES)]
    return own_assignments(keys(), public, story, PARAMETERS, cores=CORES, candidates=everywhere)


def verdict(
    public: ValidatorId,
    cert: AssignmentCert,
    at: int,
    story: RelayVrfStory = STORY,
    parameters: ApprovalParameters = PARAMETERS,
) -> Tranche | AssignmentFault:
    return assigned_tranche(VERIFIER, public, cert, story, parameters, cores=CORES, core=core(at))


def drawn(kind: type) -> tuple[ValidatorId, OwnAssignment, AssignmentCert]:
    """Some validator's assignment of that kind."""
    for public in publics():
        for each in own(public):
            if isinstance(each.kind, kind):
                return public, each, certify(keys(), public, STORY, each)
    raise AssertionError("nobody was drawn so")


@pytest.mark.guide("A54")
def test_what_a_validator_draws_anybody_can_verify() -> None:
    for public in publics()[:4]:
        found = own(public)
        assert [each.core for each in found] == list(range(CORES)), "one for each candidate"
        for each in found:
            cert = certify(keys(), public, STORY, each)
            assert verdict(public, cert, each.core) == each.tranche
            assert verdict(public, cert, (each.core + 1) % CORES) is AssignmentFault.OTHER_CORE


@pytest.mark.guide("A54")
def test_the_draw_spreads_over_cores_and_tranches() -> None:
    found = [each for public in publics() for each in own(public)]
    samples = [each for each in found if isinstance(each.kind, RelayVRFModulo)]
    delays = [each for each in found if isinstance(each.kind, RelayVRFDelay)]
    assert 12 <= len(samples) <= 12 * 3, "some samples of a validator fall on one core"
    assert {each.tranche for each in samples} == {0}
    assert len({each.core for each in samples}) == CORES
    assert {each.tranche for each in delays} == set(range(9))


@pytest.mark.guide("A54")
def test_another_story_draws_others() -> None:
    public = publics()[0]
    other = RelayVrfStory(H256(bytes(32)))
    assert own(public) != own(public, other)
    for kind in (RelayVRFModulo, RelayVRFDelay):
        public, each, cert = drawn(kind)
        assert isinstance(verdict(public, cert, each.core, story=other), AssignmentFault)


@pytest.mark.guide("A54")
@pytest.mark.parametrize("kind", [RelayVRFModulo, RelayVRFDelay])
def test_a_false_assignment_is_refused(kind: type) -> None:
    public, each, cert = drawn(kind)
    wrong_proof = replace(cert, vrf_proof=H512(bytes(64)))
    assert verdict(public, wrong_proof, each.core) is AssignmentFault.BAD_PROOF
    assert isinstance(
        verdict(public, replace(cert, vrf_output=H256(bytes(32))), each.core), AssignmentFault
    )
    somebody_else = next(other for other in publics() if other != public)
    assert isinstance(verdict(somebody_else, cert, each.core), AssignmentFault)


@pytest.mark.guide("A54")
def test_a_sample_that_does_not_exist_is_refused() -> None:
    public, each, cert = drawn(RelayVRFModulo)
    assert isinstance(each.kind, RelayVRFModulo)
    fewer = replace(PARAMETERS, relay_vrf_modulo_samples=U32(each.kind.sample))
    assert verdict(public, cert, each.core, parameters=fewer) is AssignmentFault.UNKNOWN_SAMPLE


@pytest.mark.guide("A54")
def test_a_samples_proof_binds_the_core_it_fell_on() -> None:
    """The same sample certified for a core that it did not fall on."""
    public, each, _ = drawn(RelayVRFModulo)
    elsewhere = core((each.core + 1) % CORES)
    cert = certify(keys(), public, STORY, replace(each, core=elsewhere))
    assert verdict(public, cert, elsewhere) is AssignmentFault.OTHER_CORE
    assert verdict(public, cert, each.core) is AssignmentFault.BAD_PROOF


@pytest.mark.guide("A54")
def test_the_story_comes_from_the_authors_output() -> None:
    keypair = Keypair.from_uri("//author")
    slots = [Transcript(b"BABE").append_u64(b"slot number", slot) for slot in (1, 2)]
    stories = [relay_vrf_story(vrf_evaluate(keypair, slot)) for slot in slots]
    assert len(set(stories)) == 2 and {len(story) for story in stories} == {32}


@pytest.mark.guide("A53")
def test_an_approvals_payload() -> None:
    candidate = CandidateHash(H256(bytes([7]) * 32))
    payload = approval_payload(candidate, SessionIndex(U32(258)))
    assert payload == b"APPR\x01" + bytes([7]) * 32 + b"\x02\x01\x00\x00"
    against = approval_payload(candidate, SessionIndex(U32(258)), valid=False)
    assert against == b"APPR\x00" + payload[5:]

"""How much the checks of candidates cost a block beside their signatures and VRF proofs.

100 included candidates of a session of 300 validators, and 30 checkers of each, who announce
themselves and report in one block: 3,000 assignments and 3,000 approvals, far more than an author's
weight allows, so that what grows with their number shows. The bare cost is verifying the same
proofs and signatures and nothing else; both are CPU time, measured in turns.

Run: ``python -m bench.bench_checks``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from statistics import median

from tests.runtime.parachains.world import World, keypair, signature, validator_name

from bench.figures import figure, in_turns, median_ratio
from parahost.approval.criteria import certify, own_assignments
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.crypto.remembering import RememberingVerifier
from parahost.crypto.verifier import DirectVerifier
from parahost.ports import KeyType
from parahost.primitives.approval import (
    Approval,
    ApprovalParameters,
    Assignment,
    SecondaryChecks,
    approval_payload,
)
from parahost.primitives.basic import U32, ValidatorIndex, ValidatorSignature
from parahost.primitives.memoize import remember_results
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.primitives.transcript import Transcript
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.storage import Overlay
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION
from parahost.storage.memory import MemoryDatabase

VALIDATORS = 300
CANDIDATES = 100
CHECKERS = 30
ROUNDS = 5
PARAMETERS = ApprovalParameters(
    needed_approvals=U32(CHECKERS),
    relay_vrf_modulo_samples=U32(6),
    n_delay_tranches=U32(40),
    zeroth_delay_tranche_width=U32(0),
    tranches_per_slot=U32(12),
    no_show_slots=U32(3),
)
ENOUGH_SLOTS = 4
"""Until the time of each tranche has come."""

PROOFS = "the VRF proofs alone"
SIGNATURES = "the signatures alone"
BARE = "both, and nothing else"
CHECKS = "the call: 100 candidates' checks, 30 each"
AGAIN = "the same, of what gossip has brought before"
COMMIT = "state root after it"


class Recorder(DirectVerifier):
    """Real verdicts; what was asked is noted down."""

    def __init__(self) -> None:
        self.proofs: list[tuple[bytes, Transcript, bytes, bytes, Transcript | None]] = []
        self.signatures: list[tuple[bytes, bytes, bytes]] = []

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        self.signatures.append((public, message, signature))
        return super().sr25519(public, message, signature)

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        self.proofs.append((public, transcript, pre_output, proof, extra))
        return super().vrf(public, transcript, pre_output, proof, extra)


def checked_world() -> World:
    """All candidates are included, and it is late enough for all checkers."""
    world = World(
        validators=VALIDATORS,
        parachains=range(CANDIDATES),
        parachain_rotation_frequency=0,
        validity=replace(DEFAULT_VALIDITY_CONFIGURATION, approval=PARAMETERS),
        acceptance_period=100,
    )
    groups = {a.para_id: a.group_idx for a in world.host.scheduler.scheduled(world.child())}
    backed = [world.back(world.receipt(n), group=groups[n]) for n in groups]
    world.add_block(world.data(candidates=backed))
    world.add_block(world.data(world.all_vote(range(CANDIDATES))))
    world.add_blocks_until(world.number + ENOUGH_SLOTS)
    return world


def checks_of(world: World) -> NoteChecks:
    """What 30 validators who have not backed a candidate say of it."""
    ring = KeyRing()
    for index in range(VALIDATORS):
        ring.add(KeyType.PARACHAIN, keypair(validator_name(index)))
    keys = ProtectedKeyStore(ring, MemoryDatabase())
    records = world.api.included_candidates(world.state)
    assert len(records) == CANDIDATES
    return NoteChecks(tuple(_checks(world, keys, record) for record in records))


def _checks(world: World, keys: ProtectedKeyStore, record: IncludedCandidate) -> SecondaryChecks:
    who = [index for index in range(VALIDATORS) if index not in record.backers][:CHECKERS]
    payload = approval_payload(record.receipt.hash(), record.session)
    return SecondaryChecks(
        record.session,
        record.receipt.hash(),
        tuple(_assignment(world, keys, record, each) for each in who),
        tuple(
            Approval(
                ValidatorIndex(U32(each)),
                ValidatorSignature(signature(validator_name(each), payload)),
            )
            for each in who
        ),
    )


def _assignment(
    world: World, keys: ProtectedKeyStore, record: IncludedCandidate, who: int
) -> Assignment:
    public, story = world.validators[who], record.relay_vrf_story
    (own,) = own_assignments(
        keys, public, story, PARAMETERS, cores=CANDIDATES, candidates=[record.core]
    )
    return Assignment(ValidatorIndex(U32(who)), certify(keys, public, story, own))


def main() -> None:
    world = checked_world()
    notes = checks_of(world)
    recorder = Recorder()
    world.host.approvals.verifier = recorder
    stores: list[Overlay] = []

    def execute() -> None:
        stores.append(world.child())
        world.host.validity.dispatch(stores[-1], NoOrigin(), notes)

    execute()
    proofs, signatures, direct = recorder.proofs, recorder.signatures, DirectVerifier()
    world.host.approvals.verifier = direct

    def afresh(body: Callable[[], object]) -> Callable[[], object]:
        """With nothing remembered of earlier rounds."""

        def run() -> None:
            remember_results(True)
            body()

        return run

    def execute_again() -> None:
        """What a node has verified is not verified again; points are not made again either."""
        world.host.approvals.verifier = remembering
        execute()
        world.host.approvals.verifier = direct

    remembering = RememberingVerifier(direct)
    execute_again()

    def bare_proofs() -> None:
        assert all(direct.vrf(*each) for each in proofs)

    def bare_signatures() -> None:
        assert all(direct.sr25519(*each) for each in signatures)

    def bare() -> None:
        bare_proofs()
        bare_signatures()

    work: dict[str, Callable[[], object]] = {
        PROOFS: afresh(bare_proofs),
        SIGNATURES: afresh(bare_signatures),
        BARE: afresh(bare),
        CHECKS: afresh(execute),
        AGAIN: execute_again,
        COMMIT: lambda: stores.pop().commit().root,
    }
    taken = in_turns(work, ROUNDS, time.process_time)
    figure("VRF proofs in it", len(proofs), "")
    figure("signatures in it", len(signatures), "")
    for name, times in taken.items():
        figure(name, median(times) * 1e3, "ms")
    figure(
        "the checks by their proofs and signatures", median_ratio(taken, CHECKS, BARE), "x", "1.5 x"
    )
    figure("the same, of what gossip has brought before", median_ratio(taken, AGAIN, BARE), "x")


if __name__ == "__main__":
    main()

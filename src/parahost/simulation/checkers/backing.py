"""Backing: the group that the schedule names has vouched for each candidate."""

from __future__ import annotations

from parahost.crypto import sr25519
from parahost.primitives.statements import BackedCandidate, Implicit
from parahost.simulation.checkers import reading
from parahost.simulation.checkers.checker import Checker, Scene
from parahost.simulation.checkers.ledger import CandidateLedger
from parahost.simulation.record import RecordedBlock


class BackedByItsGroup(Checker):
    """Each candidate in a block has valid votes of more than half of the group that serves its
    core in that block (A33, A46, D2, D7)."""

    name = "backed_by_its_group"

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._ledger = CandidateLedger(scene.record)

    def on_block(self, block: RecordedBlock) -> None:
        parent = block.parent
        assert parent is not None
        for backing in self._ledger.step(block).backings:
            if backing.core is None:
                continue  # the session ended with this block: nothing is pending after it
            group = reading.group_serving(parent.state, backing.core, block.number)
            why = self._refusal(backing.backed, backing.candidate, group, parent)
            if why is not None:
                self.violated(f"para {backing.para}: {why}", block)

    def _refusal(
        self,
        backed: BackedCandidate,
        candidate: bytes,
        group: tuple[int, ...],
        parent: RecordedBlock,
    ) -> str | None:
        if len(backed.validator_indices) != len(group):
            return f"{len(backed.validator_indices)} bits for a group of {len(group)}"
        voters = [group[place] for place in backed.validator_indices.ones()]
        if len(voters) != len(backed.validity_votes):
            return f"{len(backed.validity_votes)} votes for {len(voters)} bits"
        if 2 * len(voters) <= len(group):
            return f"{len(voters)} votes of a group of {len(group)}"
        validators = reading.validators(parent.state)
        session = reading.session(parent.state)
        place = session.to_bytes(4, "little") + backed.candidate.descriptor.relay_parent
        for voter, vote in zip(voters, backed.validity_votes, strict=True):
            tag = b"\x01" if isinstance(vote, Implicit) else b"\x02"
            payload = b"BKNG" + tag + candidate + place
            if not sr25519.verify(validators[voter], payload, vote.signature):
                return f"the vote of validator {voter} is not signed by it"
        return None

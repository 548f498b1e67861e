"""Why a commit or a justification proves nothing."""

from __future__ import annotations

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.primitives.basic import GrandpaId, Hash


class JustificationError(Exception):
    """A justification does not prove what it is said to."""


class MalformedJustification(JustificationError):
    """Its bytes are not one."""


class WrongTarget(JustificationError):
    """It proves another block's finality."""

    def __init__(self, expected: BlockRef, found: BlockRef) -> None:
        super().__init__(f"justifies {found}, not {expected}")
        self.expected = expected
        self.found = found


class WrongSet(JustificationError):
    """A signer is no authority of the set."""

    def __init__(self, set_id: int, signer: GrandpaId) -> None:
        super().__init__(f"{signer.hex()} is no authority of set {set_id}")
        self.set_id = set_id
        self.signer = signer


class RedundantVote(JustificationError):
    """A voter's vote is there twice, or a third one after two that equivocate."""

    def __init__(self, signer: GrandpaId, block: BlockRef) -> None:
        super().__init__(f"a needless vote for {block} of {signer.hex()}")
        self.signer = signer
        self.block = block


class BadPrecommitSignature(JustificationError):
    """A signature does not fit its precommit, its round, or the set id."""

    def __init__(self, set_id: int, signer: GrandpaId) -> None:
        super().__init__(f"no signature of {signer.hex()} for set {set_id}")
        self.set_id = set_id
        self.signer = signer


class InsufficientWeight(JustificationError):
    """Those who precommitted are no supermajority, each counted once."""

    def __init__(self, weight: int, threshold: int) -> None:
        super().__init__(f"precommits weigh {weight}, {threshold} are needed")
        self.weight = weight
        self.threshold = threshold


class MissingAncestry(JustificationError):
    """A header between a precommitted block and the target is not there."""

    def __init__(self, signer: GrandpaId, block: BlockRef, missing: Hash) -> None:
        super().__init__(
            f"precommit for {block} of {signer.hex()}: header {missing.hex()} is missing"
        )
        self.signer = signer
        self.block = block
        self.missing = missing


class UnconnectedVote(JustificationError):
    """A precommitted block does not descend from the target."""

    def __init__(self, signer: GrandpaId, block: BlockRef) -> None:
        super().__init__(f"precommit for {block} of {signer.hex()} does not lead to the target")
        self.signer = signer
        self.block = block


class UnusedAncestry(JustificationError):
    """Headers are there that no precommit needs, or that are there twice."""

    def __init__(self, headers: frozenset[Hash]) -> None:
        super().__init__(f"{len(headers)} headers that no precommit needs")
        self.headers = headers

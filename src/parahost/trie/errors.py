"""What can be wrong with encoded nodes and with proofs made of them."""

from __future__ import annotations


class TrieError(ValueError):
    """Nodes from outside that do not form what they claim to."""


class NodeDecodeError(TrieError):
    """Bytes that are not the form of a trie node.

    ``offset`` is where in the node, in bytes; ``reason`` says what was wrong there.
    """

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"trie node, at byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


class ProofError(TrieError):
    """A storage proof does not settle what is stored under a key."""


class IncompleteProofError(ProofError):
    """The path of ``key`` leads to ``missing``, the hash of a node or value that is not among
    the proof's. A changed node shows as this too, for then no node has the expected hash."""

    def __init__(self, key: bytes, missing: bytes) -> None:
        super().__init__(
            f"the proof for key 0x{key.hex()} lacks what hashes to 0x{missing.hex()}; "
            "ask the prover for the nodes of this key under the same root"
        )
        self.key = key
        self.missing = missing


class InvalidProofNodeError(ProofError):
    """A node on the path of ``key`` has the expected hash but not the form of a node;
    ``cause`` says why. Only a root that is no state root leads here."""

    def __init__(self, key: bytes, cause: NodeDecodeError) -> None:
        super().__init__(f"on the path of key 0x{key.hex()}: {cause}")
        self.key = key
        self.cause = cause


class CompactProofError(ProofError):
    """A compact proof does not show what it should; ``reason`` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"compact proof: {reason}")
        self.reason = reason

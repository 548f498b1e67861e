"""Signatures of this node's own keys that come from others: all of them pass here.

Whatever peers send is verified by a :class:`WatchedVerifier`; so no protocol has to think of it,
and no later one is forgotten. What a protocol cannot place, and so would not verify, it may have
:meth:`looked at <WatchedVerifier.look>`. What a signature says is read off what is signed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Protocol

from parahost.node.leaf import ActiveLeaf
from parahost.ports import Clock, KeyStore, KeyType, Promise, Verifier, promises
from parahost.primitives.availability import Bitfield
from parahost.primitives.basic import (
    H256,
    CandidateHash,
    Hash,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.scale import ScaleDecodeError, decode
from parahost.primitives.statements import SigningContext
from parahost.primitives.transcript import Transcript
from parahost.token_bucket import TokenBucket

LOOKED_AT_ONCE: Final = 16
LOOKED_AT_RATE: Final = 1
"""Signatures that nobody would verify, and are said to be ours: verified at once after a rest, and
from then on each second. Anybody can say so, and a verification takes up to a millisecond."""

OwnSignature = Literal["block", "vote", "statement", "bitfield", "check", "dispute vote"]
"""What a key of ours has signed: a block (BABE), a vote on finality (GRANDPA), or what a validator
says of candidates."""


@dataclass(frozen=True, slots=True)
class OwnDeed:
    """What a signed payload says. ``period``: the authority set, or the session. ``block``: the one
    that it speaks of, or is said at; ``None`` when it names none."""

    what: OwnSignature
    promises: Sequence[Promise]
    period: int
    block: Hash | None


OnOwnSignature = Callable[[KeyType, bytes, bytes], None]
"""A key of ours, by its role, has signed that payload: here, or elsewhere."""


class WatchedVerifier:
    """``ports.Verifier`` that tells of each right signature of a key that this node holds."""

    def __init__(
        self, verifier: Verifier, keys: KeyStore, clock: Clock, told: OnOwnSignature
    ) -> None:
        self._verifier = verifier
        self._keys = keys
        self._told = told
        self._budget = TokenBucket(clock, LOOKED_AT_RATE, LOOKED_AT_ONCE)

    def sr25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        right = self._verifier.sr25519(public, message, signature)
        return self._tell(right, KeyType.PARACHAIN, public, message)

    def ed25519(self, public: bytes, message: bytes, signature: bytes) -> bool:
        right = self._verifier.ed25519(public, message, signature)
        return self._tell(right, KeyType.GRANDPA, public, message)

    def ecdsa(self, account: bytes, message: bytes, signature: bytes) -> bool:
        return self._verifier.ecdsa(account, message, signature)

    def vrf(
        self,
        public: bytes,
        transcript: Transcript,
        pre_output: bytes,
        proof: bytes,
        extra: Transcript | None = None,
    ) -> bool:
        """A VRF has one output, whoever computes it: it tells nothing."""
        return self._verifier.vrf(public, transcript, pre_output, proof, extra)

    def look(
        self, key_type: KeyType, public: bytes, payload: Callable[[], bytes], signature: bytes
    ) -> None:
        """Verify what cannot be placed, if it is said to be ours, as far as there is budget."""
        if public in self._keys.public_keys(key_type) and self._budget.take_up_to(1, least=1):
            verify = self.ed25519 if key_type is KeyType.GRANDPA else self.sr25519
            verify(public, payload(), signature)

    def _tell(self, right: bool, key_type: KeyType, public: bytes, message: bytes) -> bool:
        if right and public in self._keys.public_keys(key_type):
            self._told(key_type, public, message)
        return right


Look = Callable[[KeyType, bytes, Callable[[], bytes], bytes], None]
"""What :meth:`WatchedVerifier.look` does."""


class SaidAtHead(Protocol):
    """What a validator says at a head: a statement, a bitfield."""

    @property
    def validator_index(self) -> ValidatorIndex: ...

    @property
    def signature(self) -> ValidatorSignature: ...

    def payload(self, context: SigningContext) -> bytes: ...


def look_at_unplaced(
    look: Look, leaves: Iterable[ActiveLeaf], head: Hash, said: Iterable[SaidAtHead]
) -> None:
    """Have looked at what is said at a head that is not worked on here, if it is of a session of
    our leaves."""
    sessions = {leaf.session.signing.session_index: leaf.session for leaf in leaves}
    for each in said:
        for index, session in sessions.items():
            if each.validator_index < len(session.validators):
                public = session.validators[each.validator_index]
                payload = partial(each.payload, SigningContext(index, head))
                look(KeyType.PARACHAIN, public, payload, each.signature)


def deed_of(key_type: KeyType, payload: bytes) -> OwnDeed | None:
    """What a payload says (D11); ``None`` when it binds nothing."""
    if key_type is KeyType.GRANDPA:
        return _vote(payload)
    form = payload[:4]
    if form == b"BKNG" and len(payload) == _STATEMENT_BYTES:
        return _statement(payload)
    if form in (b"APPR", b"DISP") and len(payload) == _VERDICT_BYTES:
        candidate = CandidateHash(H256(payload[5:37]))
        said = promises.verdict(candidate, valid=payload[4] == 1)
        what: OwnSignature = "check" if form == b"APPR" else "dispute vote"
        return OwnDeed(what, [said], int.from_bytes(payload[37:], "little"), None)
    return _bitfield(payload)


_STATEMENT_BYTES = 4 + 1 + 32 + 4 + 32
_VERDICT_BYTES = 4 + 1 + 32 + 4
_PLACE_BYTES = 4 + 32 + 4
_VOTE_BYTES = 1 + 32 + 4 + 8 + 8
_SECONDED, _INVALID = 1, 3


def _statement(payload: bytes) -> OwnDeed:
    kind, session = payload[4], int.from_bytes(payload[37:41], "little")
    candidate, parent = CandidateHash(H256(payload[5:37])), Hash(H256(payload[41:]))
    bound = [
        promises.statement(parent, candidate),
        promises.verdict(candidate, valid=kind != _INVALID),
    ]
    if kind == _SECONDED:
        bound.append(promises.seconded(parent))
    return OwnDeed("statement", bound, session, parent)


def _bitfield(payload: bytes) -> OwnDeed | None:
    bits, place = payload[:-_PLACE_BYTES], payload[-_PLACE_BYTES:]
    try:
        decode(Bitfield, bits)
    except ScaleDecodeError:
        return None
    parent = Hash(H256(place[4:36]))
    return OwnDeed(
        "bitfield", [promises.bitfield(parent)], int.from_bytes(place[:4], "little"), parent
    )


def _vote(payload: bytes) -> OwnDeed | None:
    if len(payload) != _VOTE_BYTES:
        return None
    round_number = int.from_bytes(payload[37:45], "little")
    set_id = int.from_bytes(payload[45:], "little")
    bound = promises.vote(set_id, round_number, payload[0])
    return OwnDeed("vote", [bound], set_id, Hash(H256(payload[1:33])))

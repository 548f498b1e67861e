"""sr25519: Schnorr signatures on ristretto255 with Merlin transcripts, as schnorrkel makes them.

Verification is the Rust wheel's. Signing is ours, because schnorrkel draws a nonce from the
operating system for each signature: here, as in ed25519, the nonce comes from the secret key and
the message, so the same message has the same signature and a simulation can be replayed. Anybody's
verifier accepts both kinds. Derivation follows Substrate (``schnorrkel::derive``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha512

import sr25519 as schnorrkel

from parahost.crypto import ristretto
from parahost.crypto.merlin import MerlinTranscript
from parahost.crypto.secret_uri import Junction, parse_secret_uri

_SIGNING_CONTEXT = b"substrate"
_SCHNORRKEL_MARK = 0x80
"""The top bit of a signature tells schnorrkel's from ed25519's."""
_IDENTITY = bytes(32)


@dataclass(frozen=True, slots=True)
class Keypair:
    """A secret scalar with its public point (32 bytes), and 32 secret bytes to make nonces of."""

    public: bytes
    scalar: int = field(repr=False)
    nonce_seed: bytes = field(repr=False)

    @classmethod
    def from_seed(cls, seed: bytes) -> Keypair:
        """Expand a 32-byte seed (schnorrkel's *mini secret key*, mode ``Ed25519``).

        :raises ValueError: when the seed has another length.
        """
        if len(seed) != 32:
            raise ValueError(f"a seed has 32 bytes, not {len(seed)}")
        expanded = sha512(seed).digest()
        clamped = bytearray(expanded[:32])
        clamped[0] &= 0xF8
        clamped[31] = clamped[31] & 0x3F | 0x40
        return cls._from_scalar(int.from_bytes(clamped, "little") >> 3, expanded[32:])

    @classmethod
    def from_uri(cls, uri: str) -> Keypair:
        """The key that a secret URI such as ``//Alice`` names.

        :raises SecretUriError: when it names none.
        """
        secret = parse_secret_uri(uri)
        keypair = cls.from_seed(secret.seed)
        for junction in secret.junctions:
            keypair = keypair.derive(junction)
        return keypair

    def derive(self, junction: Junction) -> Keypair:
        """The key one junction further."""
        transcript = MerlinTranscript(b"SchnorrRistrettoHDKD")
        transcript.append(b"sign-bytes", b"")
        transcript.append(b"chain-code", junction.chain_code)
        if junction.hard:
            transcript.append(b"secret-key", ristretto.scalar_bytes(self.scalar))
            return self.from_seed(transcript.challenge(b"HDKD-hard", 32))
        transcript.append(b"public-key", self.public)
        step = ristretto.scalar_from_wide(transcript.challenge(b"HDKD-scalar", 64))
        transcript.append(b"HDKD-nonce", self.nonce_seed)
        return self._from_scalar(
            (self.scalar + step) % ristretto.ORDER, transcript.challenge(b"HDKD-nonce", 32)
        )

    @classmethod
    def _from_scalar(cls, scalar: int, nonce_seed: bytes) -> Keypair:
        public = ristretto.multiply_base(scalar)
        assert public is not None, "a secret scalar is never zero"
        return cls(public, scalar, nonce_seed)

    def witness(self, transcript: MerlinTranscript, label: bytes) -> int:
        """A secret scalar for one proof over that transcript, which stays as it is. Without the
        key it cannot be told from chance; no other transcript has the same."""
        forked = transcript.copy()
        forked.append(label, self.nonce_seed)
        return ristretto.scalar_from_wide(forked.challenge(label, 64))


def sign(keypair: Keypair, message: bytes) -> bytes:
    """Sign with the context ``substrate``; 64 bytes, the same for the same key and message."""
    transcript = MerlinTranscript(b"SigningContext")
    transcript.append(b"", _SIGNING_CONTEXT)
    transcript.append(b"sign-bytes", message)
    transcript.append(b"proto-name", b"Schnorr-sig")
    transcript.append(b"sign:pk", keypair.public)
    witness = keypair.witness(transcript, b"signing")
    commitment = ristretto.multiply_base(witness)
    assert commitment is not None, "a witness is zero once in 2**252"
    transcript.append(b"sign:R", commitment)
    challenge = ristretto.scalar_from_wide(transcript.challenge(b"sign:c", 64))
    response = bytearray(
        ristretto.scalar_bytes((challenge * keypair.scalar + witness) % ristretto.ORDER)
    )
    response[31] |= _SCHNORRKEL_MARK
    return commitment + bytes(response)


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether the signature is that key's for that message. Never raises for what bytes say."""
    try:
        return bool(schnorrkel.verify(signature, message, public))
    except ValueError:
        return False


def verify_deprecated(public: bytes, message: bytes, signature: bytes) -> bool:
    """As :func:`verify`, and signatures of schnorrkel before 0.8 are valid too: these lack the mark
    and have another transcript (schnorrkel's ``verify_simple_preaudit_deprecated``)."""
    if len(signature) != 64 or len(public) != 32:
        return False
    commitment, response = signature[:32], signature[32:]
    if response[31] & _SCHNORRKEL_MARK:
        return verify(public, message, signature)
    scalar = ristretto.scalar_from_canonical(response)
    if scalar is None or not all(map(_is_element, (public, commitment))):
        return False
    transcript = MerlinTranscript(_SIGNING_CONTEXT)
    transcript.append(b"sign-bytes", message)
    transcript.append(b"proto-name", b"Schnorr-sig")
    transcript.append(b"pk", public)
    transcript.append(b"no", commitment)
    challenge = ristretto.scalar_from_wide(transcript.challenge(b"", 64))
    product = ristretto.multiply(challenge, public) or _IDENTITY
    return ristretto.add(commitment, product) == (ristretto.multiply_base(scalar) or _IDENTITY)


def _is_element(encoded: bytes) -> bool:
    """Whether these bytes stand for an element of the group, the identity among them."""
    return encoded == _IDENTITY or ristretto.is_point(encoded)

"""``sp_io::crypto``: verification. What needs a key store is not for validation functions.

A signature is a pointer to 64 bytes (65 for ECDSA: r, s, recovery id), a message a span, a public
key a pointer to 32 bytes (33 for ECDSA). The answer is 1 for valid and 0 for anything else.

Version 1 of sr25519 also takes signatures made before schnorrkel's audit of 2019, and version 1 of
ECDSA takes r and s beyond the group's order, which it reduces. Version 2 takes neither.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from parahost.primitives.hashing import blake2_256
from parahost.validation.errors import GuestTrap
from parahost.validation.host_functions.context import HostContext, HostFunction

# sp_io's EcdsaVerifyError, behind SCALE's tag for Err.
_BAD_RS, _BAD_V, _BAD_SIGNATURE = b"\1\0", b"\1\1", b"\1\2"

Verify = Callable[[bytes, bytes, bytes], bool]


def sr25519_verify(signature: bytes, message: bytes, public: bytes) -> bool:
    """With the signing context ``substrate``."""
    from parahost.crypto import sr25519

    return sr25519.verify(public, message, signature)


def sr25519_verify_deprecated(signature: bytes, message: bytes, public: bytes) -> bool:
    from parahost.crypto import sr25519

    return sr25519.verify_deprecated(public, message, signature)


def ed25519_verify(signature: bytes, message: bytes, public: bytes) -> bool:
    from parahost.crypto import ed25519

    return ed25519.verify(public, message, signature)


def ecdsa_verify(signature: bytes, message: bytes, public: bytes) -> bool:
    """Over blake2-256 of the message."""
    return ecdsa_verify_prehashed(signature, blake2_256(message), public)


def ecdsa_verify_deprecated(signature: bytes, message: bytes, public: bytes) -> bool:
    """As :func:`ecdsa_verify`, with r and s reduced."""
    return ecdsa_verify(_reduced(signature), message, public)


def ecdsa_verify_prehashed(signature: bytes, digest: bytes, public: bytes) -> bool:
    """The recovery id is taken as it is: 27 and 28 are for :func:`ecdsa_recover` alone."""
    from parahost.crypto.ecdsa import MAX_RECOVERY_ID

    if signature[64] > MAX_RECOVERY_ID:
        return False
    return ecdsa_recover(signature, digest, compressed=True) == b"\0" + public


def ecdsa_recover(signature: bytes, digest: bytes, *, compressed: bool) -> bytes:
    """SCALE ``Result`` of the public key: 33 bytes compressed, else 64 without the prefix."""
    from parahost.crypto import ecdsa

    try:
        public = ecdsa.recover(digest, signature)
    except ecdsa.BadRecoveryId:
        return _BAD_V
    except ecdsa.BadScalars:
        return _BAD_RS
    except ecdsa.Unrecoverable:
        return _BAD_SIGNATURE
    encoded = bytes(public.format(compressed=compressed))
    return b"\0" + (encoded if compressed else encoded[1:])


def _reduced(signature: bytes) -> bytes:
    """The signature with r and s below the group's order."""
    from parahost.crypto.ecdsa import GROUP_ORDER

    reduced = (
        int.from_bytes(part, "big") % GROUP_ORDER for part in (signature[:32], signature[32:64])
    )
    return b"".join(number.to_bytes(32, "big") for number in reduced) + signature[64:]


def _verifier(verify: Verify, signature_size: int, public_size: int) -> Callable[..., int]:
    def body(context: HostContext, signature: int, message: int, public: int) -> int:
        memory = context.memory
        return int(
            verify(
                memory.read(signature, signature_size),
                memory.read_span(message),
                memory.read(public, public_size),
            )
        )

    return body


def _batched(verify: Callable[..., int]) -> Callable[..., int]:
    """Each answers for itself, as ``sp_io`` does since it verifies nothing later, and a batch's end
    answers for all in it."""

    def body(context: HostContext, signature: int, message: int, public: int) -> int:
        valid = verify(context, signature, message, public)
        if context.batch_valid is not None:
            context.batch_valid = context.batch_valid and bool(valid)
        return valid

    return body


def _start_batch(context: HostContext) -> None:
    if context.batch_valid is not None:
        raise GuestTrap("a signature batch is already open")
    context.batch_valid = True


def _finish_batch(context: HostContext) -> int:
    if context.batch_valid is None:
        raise GuestTrap("no signature batch is open")
    valid, context.batch_valid = context.batch_valid, None
    return int(valid)


def _verify_prehashed(context: HostContext, signature: int, digest: int, public: int) -> int:
    memory = context.memory
    return int(
        ecdsa_verify_prehashed(
            memory.read(signature, 65), memory.read(digest, 32), memory.read(public, 33)
        )
    )


def _recoverer(*, compressed: bool, reduce: bool) -> Callable[[HostContext, int, int], int]:
    def body(context: HostContext, signature: int, digest: int) -> int:
        given = context.memory.read(signature, 65)
        recovered = ecdsa_recover(
            _reduced(given) if reduce else given,
            context.memory.read(digest, 32),
            compressed=compressed,
        )
        return context.give_span(recovered)

    return body


_ed25519 = _verifier(ed25519_verify, 64, 32)
_sr25519 = _verifier(sr25519_verify, 64, 32)
_sr25519_deprecated = _verifier(sr25519_verify_deprecated, 64, 32)
_ecdsa = _verifier(ecdsa_verify, 65, 33)
_ecdsa_deprecated = _verifier(ecdsa_verify_deprecated, 65, 33)

_FUNCTIONS = [
    HostFunction("ext_crypto_ed25519_verify_version_1", "ili", "i", _ed25519),
    HostFunction("ext_crypto_sr25519_verify_version_1", "ili", "i", _sr25519_deprecated),
    HostFunction("ext_crypto_sr25519_verify_version_2", "ili", "i", _sr25519),
    HostFunction("ext_crypto_ecdsa_verify_version_1", "ili", "i", _ecdsa_deprecated),
    HostFunction("ext_crypto_ecdsa_verify_version_2", "ili", "i", _ecdsa),
    HostFunction("ext_crypto_ecdsa_verify_prehashed_version_1", "iii", "i", _verify_prehashed),
    *(
        HostFunction(
            f"ext_crypto_secp256k1_ecdsa_recover{form}_version_{version}",
            "ii",
            "l",
            _recoverer(compressed=form == "_compressed", reduce=version == 1),
        )
        for form in ("", "_compressed")
        for version in (1, 2)
    ),
    HostFunction("ext_crypto_start_batch_verify_version_1", "", "", _start_batch),
    HostFunction("ext_crypto_finish_batch_verify_version_1", "", "i", _finish_batch),
    HostFunction("ext_crypto_ed25519_batch_verify_version_1", "ili", "i", _batched(_ed25519)),
    HostFunction("ext_crypto_sr25519_batch_verify_version_1", "ili", "i", _batched(_sr25519)),
    HostFunction("ext_crypto_ecdsa_batch_verify_version_1", "ili", "i", _batched(_ecdsa)),
]
_VERIFICATION = 400_000
"""Instructions that a signature counts for: a core's in 100 us."""

FUNCTIONS = [replace(function, instructions=_VERIFICATION) for function in _FUNCTIONS]

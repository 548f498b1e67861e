"""``author_*``, as far as it is about the key store. All of it is for the node's operator."""

from __future__ import annotations

from parahost.crypto.keystore import keypair_from_uri
from parahost.crypto.secret_uri import SecretUriError
from parahost.ports import KeysNotKept, KeyType
from parahost.primitives.scale import decode, encode
from parahost.rpc.errors import InvalidParams, KeyRefused
from parahost.rpc.params import HexBytes
from parahost.rpc.served import CallContext
from parahost.rpc.table import Family
from parahost.rpc.values import Json, hex_of
from parahost.runtime.api_trait import RefusedStateCall
from parahost.runtime.session_keys_api import decode_session_keys

KEYS = Family()

_NO_STORE = "The key store is unavailable"


@KEYS.method("author_insertKey", unsafe=True, calls=100)
def insert_key(context: CallContext, key_type: str, suri: str, public_key: HexBytes) -> Json:
    """Puts the key that a secret URI names into the node's key store, for a purpose of four letters
    such as `babe`. `publicKey` is to be the URI's: so a mistyped secret is noticed."""
    try:
        purpose = KeyType(_purpose(key_type))
    except ValueError:
        known = ", ".join(kind.value.decode() for kind in KeyType)
        raise InvalidParams(f"keyType: one of {known}") from None
    try:
        public = keypair_from_uri(purpose, suri).public
        if public != public_key:
            raise InvalidParams(f"publicKey: the URI's is {hex_of(public)}")
        context.served.node.ports.keystore.insert(purpose, suri)
    except SecretUriError as why:
        raise InvalidParams(f"suri: {why}") from None
    except KeysNotKept as why:
        raise KeyRefused(_NO_STORE, str(why)) from None
    return None


@KEYS.method("author_rotateKeys", unsafe=True, calls=100)
async def rotate_keys(context: CallContext) -> Json:
    """Makes new session keys and puts them into the node's key store; gives the public ones, as
    `Session.set_keys` takes them. The old ones stay."""
    served = context.served
    no_seed = encode(None, bytes | None)
    try:
        answer = await served.ask_runtime(
            "SessionKeys_generate_session_keys", no_seed, served.state(None), may_change_keys=True
        )
    except RefusedStateCall as why:
        raise KeyRefused(_NO_STORE, str(why)) from None
    return hex_of(decode(bytes, answer))


@KEYS.method("author_hasSessionKeys", unsafe=True)
def has_session_keys(context: CallContext, session_keys: HexBytes) -> Json:
    """Whether the node's key store has the secrets of all these session keys."""
    keys = decode_session_keys(context.served.state(None), session_keys)
    if keys is None:
        raise KeyRefused("Session keys are not encoded correctly")
    return all(context.served.keys.holds(public, type_) for public, type_ in keys)


@KEYS.method("author_hasKey", unsafe=True)
def has_key(context: CallContext, public_key: HexBytes, key_type: str) -> Json:
    """Whether the node's key store has the secret of a public key, for a purpose of four letters
    such as `babe`."""
    return context.served.keys.holds(public_key, _purpose(key_type))


def _purpose(given: str) -> bytes:
    """:raises KeyRefused: when it has not four letters."""
    purpose = given.encode(errors="replace")
    if len(purpose) != 4:
        raise KeyRefused("Invalid key type ID format (should be of length four)")
    return purpose

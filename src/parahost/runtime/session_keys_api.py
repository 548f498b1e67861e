"""Runtime API ``SessionKeys``: a validator's keys as one string of bytes, the form in which
``Session.set_keys`` takes them."""

from __future__ import annotations

from typing import Annotated, Final

from parahost.primitives.basic import H256, BabeId, GrandpaId, ValidatorId
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode, encode
from parahost.runtime.api_trait import RuntimeHost
from parahost.runtime.session import BABE_KEY, GRANDPA_KEY, PARA_KEY, KeyTypeId, SessionKeys
from parahost.runtime.storage import Reader

_MAX_BYTES: Final = 4096
"""Longer than any secret URI, or the session keys of any chain."""


def generate_session_keys(
    host: RuntimeHost, seed: Annotated[bytes, MaxLen(_MAX_BYTES)] | None
) -> bytes:
    """New keys, whose secrets the node has put into its key store. ``seed``: a secret URI that all
    of them are made of, in UTF-8; without one, chance decides."""
    keys = SessionKeys(
        GrandpaId(H256(host.generate_key(GRANDPA_KEY, seed))),
        BabeId(H256(host.generate_key(BABE_KEY, seed))),
        ValidatorId(H256(host.generate_key(PARA_KEY, seed))),
    )
    return encode(keys)


def decode_session_keys(
    _state: Reader, encoded: Annotated[bytes, MaxLen(_MAX_BYTES)]
) -> tuple[tuple[bytes, KeyTypeId], ...] | None:
    """Each key with its four-letter type; nothing when the bytes are no session keys."""
    try:
        keys: SessionKeys = decode(SessionKeys, encoded)
    except ScaleDecodeError:
        return None
    return tuple((bytes(public), type_) for type_, public in keys.by_type())

"""Development chains: authorities whose keys follow from their names."""

from __future__ import annotations

from parahost.crypto.keystore import keypair_from_uri
from parahost.ports import KeyType
from parahost.primitives.basic import H256, BabeId, GrandpaId, ValidatorId
from parahost.runtime.origin import AccountId
from parahost.runtime.session import SessionKeys, Validator

SUDO_URI = "//Alice"
"""Whose key governs a local chain."""


def validator_name(index: int) -> str:
    """``validator-1`` is the first."""
    return f"validator-{index + 1}"


def session_uris(name: str) -> dict[KeyType, str]:
    """The secret URIs of a validator's session keys."""
    return {
        KeyType.BABE: f"//{name}//babe",
        KeyType.GRANDPA: f"//{name}//gran",
        KeyType.PARACHAIN: f"//{name}//para",
    }


def collator_uri(name: str) -> str:
    """The secret URI of a collator's key."""
    return f"//{name}//coll"


def local_validator(name: str) -> Validator:
    """A validator whose keys follow from its name."""
    public = {
        key_type: H256(keypair_from_uri(key_type, uri).public)
        for key_type, uri in session_uris(name).items()
    }
    keys = SessionKeys(
        grandpa=GrandpaId(public[KeyType.GRANDPA]),
        babe=BabeId(public[KeyType.BABE]),
        para_validator=ValidatorId(public[KeyType.PARACHAIN]),
    )
    return Validator(AccountId(H256(keypair_from_uri(KeyType.ACCOUNT, f"//{name}").public)), keys)


def sudo_account() -> AccountId:
    return AccountId(H256(keypair_from_uri(KeyType.ACCOUNT, SUDO_URI).public))

"""Development chains: authorities whose keys follow from their names, and who has what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from parahost.crypto.keystore import keypair_from_uri
from parahost.ports import KeyType
from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import H256, U32, BabeId, GrandpaId, ValidatorId
from parahost.runtime.balances import UNIT, Endowment
from parahost.runtime.origin import AccountId
from parahost.runtime.session import SessionKeys, Validator
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION

SUDO_URI = "//Alice"
"""Whose key governs a local chain."""
ACCOUNT_URIS = ("//Alice", "//Bob", "//Charlie", "//Dave", "//Eve", "//Ferdie")
"""Accounts that anybody may use on a local chain."""
ENDOWMENT = 1_000_000 * UNIT
"""What each account has at the genesis of a local chain: some hundred million small fees."""
STAKE = 100_000 * UNIT
"""What each validator of a local chain has at stake of it."""

VALIDITY = replace(
    DEFAULT_VALIDITY_CONFIGURATION,
    approval=ApprovalParameters(
        needed_approvals=U32(2),
        relay_vrf_modulo_samples=U32(1),
        n_delay_tranches=U32(6),
        zeroth_delay_tranche_width=U32(0),
        tranches_per_slot=U32(12),
        no_show_slots=U32(2),
    ),
)
"""How a local chain's candidates are checked: by two validators that have not backed them, as far
as there are so many, whose time comes within half a slot. In a small network groups are large and
draws are few."""


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


def account_uri(name: str) -> str:
    """The secret URI of a validator's account."""
    return f"//{name}"


def validator_uris(name: str) -> dict[KeyType, str]:
    """The secret URIs of all that a validator signs with: its session keys, and its account, which
    pays when it disputes what only another fork has included (A59)."""
    return session_uris(name) | {KeyType.ACCOUNT: account_uri(name)}


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
    return Validator(account_of(account_uri(name)), keys)


def account_of(uri: str) -> AccountId:
    """The account of a secret URI."""
    return AccountId(H256(keypair_from_uri(KeyType.ACCOUNT, uri).public))


def sudo_account() -> AccountId:
    return account_of(SUDO_URI)


def endowments(validators: Iterable[Validator], collators: Iterable[str]) -> tuple[Endowment, ...]:
    """Everybody who signs transactions on a local chain has the same: the accounts for anybody,
    the validators, and the collators with these names."""
    accounts = [account_of(uri) for uri in ACCOUNT_URIS]
    accounts += [validator.account for validator in validators]
    accounts += [account_of(collator_uri(name)) for name in collators]
    return tuple((account, ENDOWMENT) for account in dict.fromkeys(accounts))


def stakes(validators: Iterable[Validator]) -> tuple[Endowment, ...]:
    """All validators of a local chain have the same at stake."""
    return tuple((validator.account, STAKE) for validator in validators)

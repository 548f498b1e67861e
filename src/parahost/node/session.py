"""The session that judges the children of a relay parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import U32, ValidatorId, ValidatorIndex
from parahost.primitives.statements import SigningContext


@dataclass(frozen=True, slots=True)
class ChildSession:
    """Who validates, and what ties their signatures to the relay parent (D1, D11)."""

    validators: tuple[ValidatorId, ...]
    signing: SigningContext

    def own_index(self, keys: KeyStore) -> ValidatorIndex | None:
        """Our place among the validators: the first one whose key we hold."""
        return own_index(self.validators, keys)


def own_index(validators: Sequence[ValidatorId], keys: KeyStore) -> ValidatorIndex | None:
    """The place of the first of them whose key this node holds."""
    held = {bytes(key): None for key in keys.public_keys(KeyType.PARACHAIN)}
    for index, validator in enumerate(validators):
        if bytes(validator) in held:
            return ValidatorIndex(U32(index))
    return None

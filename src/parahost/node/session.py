"""The session that judges the children of a relay parent."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import ValidatorId, ValidatorIndex
from parahost.primitives.statements import SigningContext


@dataclass(frozen=True, slots=True)
class ChildSession:
    """Who validates, and what ties their signatures to the relay parent (D1, D11)."""

    validators: tuple[ValidatorId, ...]
    signing: SigningContext

    def own_index(self, keys: KeyStore) -> ValidatorIndex | None:
        """Our place among the validators: the first one whose key we hold."""
        held = {bytes(key): None for key in keys.public_keys(KeyType.PARACHAIN)}
        for index, validator in enumerate(self.validators):
            if bytes(validator) in held:
                return ValidatorIndex(index)  # type: ignore[arg-type]
        return None

"""The session that judges the children of a relay parent, as jobs learn it."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.node.messages.utility import RuntimeCall
from parahost.node.overseer import Context
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import Hash, ValidatorId, ValidatorIndex
from parahost.primitives.statements import SigningContext
from parahost.runtime import api
from parahost.runtime.storage import State


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


def session_of(state: State, relay_parent: Hash) -> ChildSession:
    """The session of a relay parent's children, by its state: a question for a ``RuntimeCall``."""
    signing = SigningContext(api.session_index_for_child(state), relay_parent)
    return ChildSession(api.validators(state), signing)


async def child_session(ctx: Context, relay_parent: Hash) -> ChildSession:
    """Ask the runtime.

    :raises Unanswered: when the relay parent's state is not known.
    """
    return await ctx.ask(RuntimeCall(relay_parent, session_of, (relay_parent,)))

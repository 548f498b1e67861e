"""What a devnet has its chain do, with the keys of development. All of it waits for blocks."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

from parahost.client import CallOutcome, ChainClient, Signer
from parahost.runtime.balances import UNIT
from parahost.runtime.development import (
    ENDOWMENT,
    STAKE,
    SUDO_URI,
    account_of,
    collator_uri,
    local_validator,
)

COLLATOR_TOKENS: Final = 1000
"""What a collator that comes later gets, for its claims."""
ADMITTED_AFTER: Final = 2
"""Validators are known one session ahead: who is chosen in a session validates in the next but
one (D1)."""


class Governance:
    """Acts on the chain of one node. What the chain refuses, or does not do, is told by an
    ``OperationalError``."""

    def __init__(self, url: str) -> None:
        self._chain = ChainClient(url)

    def admit(self, name: str) -> int:
        """Let the validator of that name come: it gets a balance, puts a part of it at stake,
        registers its session keys, and governance chooses it beside the others. Each step is final
        before the next: a fork might have them in another order. Gives the session from which on
        it validates."""
        chain, own = self._chain, Signer.from_uri(f"//{name}")
        validator = local_validator(name)
        self._pay(validator.account, ENDOWMENT // 2, finalized=True)
        self._do(own, "Staking", "bond", [STAKE], finalized=True)
        keys = {
            each.name: bytes(getattr(validator.keys, each.name)) for each in fields(validator.keys)
        }
        self._do(own, "Session", "set_keys", [keys], finalized=True)
        chosen = [*(chain.query("Session", "ChosenValidators", []) or ()), bytes(validator.account)]
        done = self._as_root("Session", "set_validators", [chosen], finalized=True)
        return int(chain.query("Session", "CurrentIndex", [], done.block_hash)) + ADMITTED_AFTER

    def fund_collator(self, name: str) -> None:
        """Give a collator what its claims cost."""
        self._pay(account_of(collator_uri(name)), COLLATOR_TOKENS * UNIT)

    def upgrade(self, para: int, code: bytes) -> None:
        """Give a para new code, as ``parahost para upgrade`` does."""
        self._as_root("Registrar", "schedule_code_upgrade", [para, code])

    def has_code(self, para: int, code: bytes) -> bool:
        """Whether a para's blocks are judged by that code, or will be."""
        items = ("ValidationCode", "FutureCode")
        return code in [self._chain.query("Paras", item, [para]) for item in items]

    def _pay(self, account: bytes, amount: int, *, finalized: bool = False) -> None:
        payer, arguments = Signer.from_uri(SUDO_URI), [bytes(account), amount]
        self._do(payer, "Balances", "transfer_keep_alive", arguments, finalized=finalized)

    def _as_root(
        self, pallet: str, call: str, arguments: list[Any], *, finalized: bool = False
    ) -> CallOutcome:
        made = self._chain.codec.encode_call(pallet, call, arguments)
        return self._send(Signer.from_uri(SUDO_URI), self._chain.as_root(made), finalized)

    def _do(
        self, signer: Signer, pallet: str, call: str, arguments: list[Any], *, finalized: bool
    ) -> None:
        self._send(signer, self._chain.codec.encode_call(pallet, call, arguments), finalized)

    def _send(self, signer: Signer, call: bytes, finalized: bool) -> CallOutcome:
        extrinsic = self._chain.signed(call, signer)
        self._chain.check(extrinsic)
        return self._chain.submit_and_wait(extrinsic, finalized=finalized)

"""What calls take on this machine, beside the weights that they declare.

A call is made on the state of a small chain, as who may make it, and the state root is computed
after it; so is one without any call, which is taken off. ``a transaction`` is the cheapest one, in
a block of many: the block's time by their number. ``a block`` is the end of a session with 1,000
validators. The parts of the inherent are taken from blocks with and without them.

The declared weights are to be at least 1.5 times what this prints on an idle machine of the kind
that validators use. Run: ``python -m bench.bench_weights``; CPU time, the median of some runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median
from typing import Any

from tests.runtime import world
from tests.runtime.parachains.test_approvals import (
    announced,
    approved,
    checked_world,
    first,
    wait_for_all,
)
from tests.runtime.parachains.test_approvals import candidate as included_candidate
from tests.runtime.parachains.test_disputes import votes
from tests.runtime.parachains.world import World as ParachainsWorld
from tests.runtime.world import GENESIS, ROOT_NAME, Chain, account, session_keys, validators

from bench.figures import figure
from parahost.crypto import sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.basic import U32, U128, BlockNumber, HeadData, ParaId, ValidationCode
from parahost.runtime.balances import UNIT, TransferAll, TransferKeepAlive
from parahost.runtime.module import call_weight
from parahost.runtime.origin import NoOrigin, Origin, Root, Signed
from parahost.runtime.parachains.admission import STRICTLY
from parahost.runtime.parachains.approval_weight import APPROVAL, ASSIGNMENT, CHECKED_CANDIDATE
from parahost.runtime.parachains.configuration import SetAcceptancePeriod
from parahost.runtime.parachains.disputes import ForceUnfreeze
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.inherent_weight import (
    BITFIELD,
    DISPUTE_VOTE,
    FIXED,
    candidate_weight,
)
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.parathreads import Claim
from parahost.runtime.registrar import Deregister, Register
from parahost.runtime.session import SetKeys, SetValidators
from parahost.runtime.signers import AccountAddress
from parahost.runtime.staking import Bond
from parahost.runtime.storage import Overlay
from parahost.runtime.sudo import SetKey, SudoCall
from parahost.runtime.system import RemarkWithEvent
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    SetValidityConfiguration,
)
from parahost.runtime.weights import BLOCK_BASE, Weight, transaction_weight

RUNS = 15
MANY = 1000
CORES = 100
CODE = ValidationCode(b"\0asm" + bytes(5 * 2**20 - 4))
NEW_PARA = ParaId(U32(300))
NEW_ACCOUNT = AccountAddress(account("Nobody"))

CALLS: list[tuple[Origin, Any]] = [
    (Signed(account("Alice")), Claim(ParaId(U32(200)))),
    (Signed(account("Alice")), SetKeys(session_keys("Alice", "2"))),
    (Root(), SetValidators(tuple(account(name) for name in ("Alice", "Bob")))),
    (Root(), SetAcceptancePeriod(BlockNumber(U32(60)))),
    (Root(), Register(NEW_PARA, HeadData(b"head"), ValidationCode(b"\0asm"), True)),
    (Root(), Register(NEW_PARA, HeadData(b"head"), CODE, True)),
    (Root(), Deregister(ParaId(U32(100)))),
    (Signed(account(ROOT_NAME)), SudoCall(Deregister(ParaId(U32(100))))),
    (Signed(account(ROOT_NAME)), SetKey(account("Alice"))),
    (Signed(account("Alice")), Bond(U128(UNIT))),
    (Signed(account("Alice")), RemarkWithEvent(b"said")),
    (Signed(account("Alice")), TransferKeepAlive(NEW_ACCOUNT, U128(UNIT))),
    (Signed(account("Alice")), TransferAll(NEW_ACCOUNT, False)),
    (Root(), SetValidityConfiguration(DEFAULT_VALIDITY_CONFIGURATION)),
    (Root(), ForceUnfreeze()),
]


def main() -> None:
    chain = Chain()
    chain.steps(2)
    for origin, call in CALLS:
        taken = call_us(chain, origin, call)
        _print(f"{type(call).__name__}{_size(call)}", taken, call_weight(call))
    claim = Claim(ParaId(U32(999)))
    length = len(chain.signed("Alice", claim))
    _print(
        "a transaction",
        transaction_us(chain, claim),
        transaction_weight(call_weight(claim), length),
    )
    _print("a block that ends a session of 1,000 validators", session_end_us(), BLOCK_BASE)
    inherent_parts()
    checks_and_votes()


def call_us(chain: Chain, origin: Origin, call: Any) -> float:
    """Making the call, and the state root after it, beyond that of nothing."""
    key = b"nothing"

    def made(store: Overlay) -> None:
        error = chain.runtime._try(store, origin, call)
        assert error is None, error

    return _us(lambda: _committed(chain, made)) - _us(
        lambda: _committed(chain, lambda store: store.put_raw(key, key))
    )


def _committed(chain: Chain, body: Callable[[Overlay], None]) -> None:
    store = Overlay(chain.state)
    body(store)
    _ = store.commit().root


def transaction_us(chain: Chain, call: Any) -> float:
    extrinsics = [chain.signed("Alice", call, nonce=nonce) for nonce in range(MANY)]
    builder = chain.builder()
    for extrinsic in extrinsics:
        builder.apply(extrinsic)
    block = builder.finish()[0]
    empty = chain.builder().finish()[0]
    return (_us(lambda: chain.execute(block), 5) - _us(lambda: chain.execute(empty), 5)) / MANY


def session_end_us() -> float:
    names = world.NAMES = tuple(f"Validator{number}" for number in range(1000))
    chain = Chain(replace(GENESIS, validators=validators(*names), epoch_length=3))
    chain.steps(2)
    taken = []
    for _ in range(3):
        start = time.process_time()
        chain.builder().finish()
        taken.append((time.process_time() - start) * 1e6)
        chain.step()
    return max(taken)


def inherent_parts() -> None:
    inherents = ParachainsWorld(
        validators=1000, parachains=range(CORES), parachain_rotation_frequency=0
    )
    inherents.verifier.sr25519 = sr25519.verify  # type: ignore[method-assign]
    groups = {a.para_id: a.group_idx for a in inherents.host.scheduler.scheduled(inherents.child())}
    candidates = [
        inherents.back(inherents.receipt(n), group=groups[ParaId(U32(n))]) for n in range(CORES)
    ]

    def taken(data: Any) -> float:
        return _us(lambda: _dispatched(inherents, data), 5)

    empty = taken(inherents.data())
    _print("an empty inclusion inherent", empty, FIXED)
    with_candidates = taken(inherents.data(candidates=candidates))
    each = (with_candidates - empty) / CORES
    votes = len(candidates[0].validity_votes)
    _print(f"a candidate with {votes} votes", each, candidate_weight(candidates[0]))
    inherents.add_block(inherents.data(candidates=candidates))
    with_bitfields = taken(inherents.data(inherents.all_vote(range(CORES))))
    _print("a bitfield, with its share of inclusion", (with_bitfields - empty) / 1000, BITFIELD)


def checks_and_votes() -> None:
    """Parts of what a block brings on included candidates, without shared verdicts."""
    world = checked_world()
    verifier = DirectVerifier()
    world.host.approvals.verifier = world.host.disputes.verifier = verifier
    record = included_candidate(world)
    wait_for_all(world)
    checkers = first(record, 6)

    def taken(act: Callable[[Overlay], object]) -> float:
        def body() -> None:
            store = world.child()
            act(store)
            _ = store.commit().root

        return _us(body)

    def noted(*checks: SecondaryChecks) -> float:
        notes = NoteChecks(checks)
        return taken(lambda store: world.host.validity.dispatch(store, NoOrigin(), notes))

    empty, nothing = noted(), announced(record)
    _print("a candidate with checks", noted(nothing) - empty, CHECKED_CANDIDATE)
    with_checkers = noted(announced(record, *checkers))
    _print("an assignment", (with_checkers - empty) / 6, ASSIGNMENT)
    world.add_block(checks=[announced(record, *checkers)])
    with_approvals = noted(approved(record, *checkers[:4]))
    _print("an approval", (with_approvals - noted(nothing)) / 4, APPROVAL)
    few, many = (votes(record.key(), against=checkers[:count]) for count in (1, 6))
    cost = [
        taken(partial(world.host.disputes.take, given=each, admission=STRICTLY))
        for each in (few, many)
    ]
    _print("a vote in a dispute", (cost[1] - cost[0]) / 5, DISPUTE_VOTE)


def _dispatched(inherents: ParachainsWorld, data: Any) -> None:
    store = inherents.child()
    inherents.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(data))
    _ = store.commit().root


def _us(body: Callable[[], object], runs: int = RUNS) -> float:
    taken = []
    for _ in range(runs):
        start = time.process_time()
        body()
        taken.append(time.process_time() - start)
    return median(taken) * 1e6


def _size(call: Any) -> str:
    code = getattr(call, "validation_code", None)
    return "" if code is None else f" of {len(code):,} bytes"


def _print(what: str, measured_us: float, declared: Weight) -> None:
    declared_us = declared.ref_time / 1e6
    times = declared_us / max(measured_us, 1)
    figure(what, measured_us, "us", f"declared {declared_us:,.0f} us, {times:.1f} times")


if __name__ == "__main__":
    main()

"""Who holds what is disputed from another fork: only what is asked for, and signed, is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from parahost.crypto import sr25519
from parahost.node.validity.disputes.effects import VotesVerdict
from parahost.node.validity.disputes.holders import Holders
from parahost.node.validity.disputes.store import DisputeStore
from parahost.node.validity.disputes.wire import TakeHolder
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.remote_disputes import AvailabilityVotes, availability_payload
from parahost.primitives.scale import BitVec
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.node.backing.world import validator
from tests.node.harness import ScriptedLeaf, scripted_leaf
from tests.verifying import VERIFIER

from .world import SESSION, VALIDATORS, key_of, receipt, session_info

ASKED, OTHER = key_of(receipt(1)), key_of(receipt(2))
SESSIONS = {SESSION: session_info()}


class RemoteState:
    """Of a remote dispute: who is known to hold its chunk there, and whether time still runs."""

    def __init__(self, *known: int, times_out_at: int | None = 9) -> None:
        self.availability_votes = BitVec.with_ones(VALIDATORS, known)
        self.times_out_at = None if times_out_at is None else BlockNumber(U32(times_out_at))


def leaf_asking(*disputes: tuple[Any, RemoteState], block: int = 1) -> ScriptedLeaf:
    return scripted_leaf(
        Hash(H256(bytes([block]) * 32)), answers={api.remote_disputes: lambda: disputes}
    )


def holders(*leaves: ScriptedLeaf) -> Holders:
    known = Holders(DisputeStore(MemoryDatabase()), VERIFIER)
    for leaf in leaves:
        known.learn(leaf, [each.hash for each in leaves])
    return known


def says(who: int, key: tuple[Any, Any] = ASKED) -> TakeHolder:
    payload = availability_payload(key[1], key[0])
    signature = ValidatorSignature(H512(sr25519.sign(validator(who), payload)))
    return TakeHolder(*key, ValidatorIndex(U32(who)), signature)


@pytest.mark.guide("A60")
@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (replace(says(1), session=SessionIndex(U32(SESSION + 1))), VotesVerdict.UNKNOWN_SESSION),
        (replace(says(1), validator=ValidatorIndex(U32(VALIDATORS))), VotesVerdict.NO_VALIDATOR),
        (says(1, OTHER), VotesVerdict.NOT_ASKED),
        (replace(says(1), validator=ValidatorIndex(U32(2))), VotesVerdict.BAD_SIGNATURE),
        (replace(says(1, OTHER), candidate_hash=ASKED[1]), VotesVerdict.BAD_SIGNATURE),
        (says(1), VotesVerdict.NEW),
    ],
)
def test_what_is_said_of_holders_is_judged(given: TakeHolder, verdict: VotesVerdict) -> None:
    known = holders(leaf_asking((ASKED, RemoteState())))
    assert known.take(given, SESSIONS) is verdict
    assert len(known.store.holders(ASKED)) == verdict.is_taken
    assert known.store.holders(OTHER) == []


def test_a_replay_is_known_whatever_its_signature() -> None:
    known = holders(leaf_asking((ASKED, RemoteState())))
    known.take(says(1), SESSIONS)
    again = replace(says(1), signature=says(2).signature)
    assert known.take(again, SESSIONS) is VotesVerdict.KNOWN
    assert known.store.holders(ASKED) == [(ValidatorIndex(U32(1)), says(1).signature)]


def test_each_fork_is_brought_what_it_lacks_and_nothing_that_it_does_not_ask_for() -> None:
    knows, lacks = (
        leaf_asking((ASKED, RemoteState(1))),
        leaf_asking((ASKED, RemoteState()), block=2),
    )
    over = leaf_asking((ASKED, RemoteState(times_out_at=None)), block=3)
    known = holders(knows, lacks, over)
    for who in (2, 1):
        known.take(says(who), SESSIONS)

    def votes(*who: int) -> tuple[AvailabilityVotes, ...]:
        said = tuple((ValidatorIndex(U32(each)), says(each).signature) for each in who)
        return (AvailabilityVotes(*ASKED, said),)

    assert known.lacking(knows.hash) == votes(2)
    assert known.lacking(lacks.hash) == votes(1, 2)
    assert known.lacking(over.hash) == known.lacking(Hash(H256(bytes(32)))) == ()


def test_what_no_leaf_asks_for_any_more_is_not_taken() -> None:
    known = holders(leaf_asking((ASKED, RemoteState())))
    following = leaf_asking(block=2)
    known.learn(following, [following.hash])
    assert known.take(says(1), SESSIONS) is VotesVerdict.NOT_ASKED

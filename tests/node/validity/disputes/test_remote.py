"""When what is undecided elsewhere is brought to a fork by a transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from parahost.node.validity.disputes.record import Dispute, DisputeRow
from parahost.node.validity.disputes.remote import LIFETIME, RemoteDisputing
from parahost.ports import KeyStore, KeyType
from parahost.primitives.basic import H256, U32, U64, ZERO_HASH, CandidateHash, Hash
from parahost.primitives.header import Extrinsic
from parahost.runtime import api
from parahost.runtime.extrinsic import decode_extrinsic
from tests.node.backing.world import keystore
from tests.node.harness import ScriptedLeaf, scripted_leaf

from .world import denies, inclusion, key_of, receipt

OWN, OTHER = 2, 3


class Bringer:
    """A node with an account's key, that brings what it may."""

    def __init__(self) -> None:
        self.submitted: list[Extrinsic] = []
        self.takes = True
        self.remote = RemoteDisputing(keys(), ZERO_HASH, self._submit)

    def _submit(self, extrinsic: Extrinsic) -> bool:
        self.submitted.append(extrinsic)
        return self.takes

    def hears(self, leaf: ScriptedLeaf, *disputes: Dispute) -> list[CandidateHash]:
        """Gives the candidates that may be brought; the first one is."""
        lacked = self.remote.lacked(leaf, disputes)
        if lacked:
            self.remote.bring(leaf, lacked[0], inclusion(), leaf.header, None)
        return [each.candidate for each in lacked]

    def nonces(self) -> list[int]:
        signatures = [decode_extrinsic(each).signature for each in self.submitted]
        return [each.extra.nonce for each in signatures if each is not None]


def keys() -> KeyStore:
    made = keystore(OWN)
    made.insert(KeyType.ACCOUNT, "//Alice")
    return made


def disputed(number: int, *against: int) -> Dispute:
    made = receipt(number)
    dispute = Dispute(key_of(made), DisputeRow(U64(0), made, None, None))
    for each in against or (OWN,):
        dispute.add(denies(made, each))
    return dispute


def block(fork: int, number: int) -> Hash:
    return Hash(H256(bytes((fork, number)) * 16))


def leaf(
    number: int,
    *,
    nonce: int = 0,
    may_begin: Collection[int] = (OWN, OTHER),
    known: Iterable[Dispute] = (),
    fork: int = 0,
) -> ScriptedLeaf:
    """Blocks of one fork are ancestors of one another."""
    return scripted_leaf(
        block=block(fork, number),
        number=number,
        answers={
            api.disputes: lambda: (),
            api.remote_disputes: lambda: [(each.key, None) for each in known],
            api.included_candidates: lambda: (),
            api.may_dispute_remotely: lambda session, validator: validator in may_begin,
            api.account_nonce: lambda account: U32(nonce),
            api.block_hash: lambda at: block(fork, at) if at < number else None,
        },
    )


@pytest.mark.guide("A59")
def test_of_two_the_second_is_brought_when_the_first_is_taken() -> None:
    """They have to be in the order of the account's nonces: with the same one it would be lost."""
    node, one, two = Bringer(), disputed(1), disputed(2)
    assert node.hears(leaf(1), one, two) == [one.candidate, two.candidate]
    assert node.hears(leaf(2), one, two) == []
    assert node.hears(leaf(3, nonce=1, known=[one]), one, two) == [two.candidate]
    assert node.nonces() == [0, 1]


@pytest.mark.guide("A59")
def test_what_was_not_taken_in_its_lifetime_is_brought_again() -> None:
    node, one = Bringer(), disputed(1)
    node.hears(leaf(1), one)
    assert node.hears(leaf(LIFETIME), one) == []
    assert node.hears(leaf(1 + LIFETIME), one) == [one.candidate]


@pytest.mark.guide("A59")
def test_what_nobody_takes_is_brought_again_with_the_next_block() -> None:
    """A fork that is not the best one takes nothing before it is."""
    node, one = Bringer(), disputed(1)
    node.takes = False
    assert node.hears(leaf(1, fork=2), one) == [one.candidate]
    assert node.hears(leaf(2, fork=2), one) == [one.candidate]
    node.takes = True
    assert node.hears(leaf(3, fork=2), one) == [one.candidate]
    assert node.hears(leaf(4, fork=2), one) == []


@pytest.mark.guide("A59")
def test_what_was_brought_on_a_fork_that_is_left_is_brought_again_at_once() -> None:
    """The transaction is good on descendants of its block alone."""
    node, one, two = Bringer(), disputed(1), disputed(2)
    node.hears(leaf(1, fork=1), one, two)
    assert node.hears(leaf(2, fork=1), one, two) == []
    assert node.hears(leaf(2, fork=2), one, two) == [one.candidate, two.candidate]
    assert node.hears(leaf(3, fork=2), one, two) == []
    assert node.hears(leaf(3, fork=1), one, two) == [], "both are remembered"


def test_what_was_refused_is_not_brought_again_at_once() -> None:
    """It is paid for each time."""
    node, one, two = Bringer(), disputed(1), disputed(2)
    node.hears(leaf(1), one)
    assert node.hears(leaf(2, nonce=1), one) == []
    assert node.hears(leaf(3, nonce=1), one, two) == [two.candidate]


def test_what_the_fork_would_refuse_is_not_brought() -> None:
    """There is no room, or who votes against it answers for another: until somebody else does."""
    node = Bringer()
    assert node.hears(leaf(1, may_begin=()), disputed(1)) == []
    assert node.hears(leaf(2, may_begin=[OTHER]), disputed(1)) == []
    both = disputed(1, OWN, OTHER)
    assert node.hears(leaf(3, may_begin=[OTHER]), both) == [both.candidate]


def test_of_what_was_brought_so_much_is_remembered_as_may_be_under_way() -> None:
    node = Bringer()
    for number in range(1, 3 * LIFETIME):
        node.hears(leaf(number, nonce=number), disputed(number))
    assert len(node.submitted) == 3 * LIFETIME - 1
    assert len(node.remote._brought) <= LIFETIME

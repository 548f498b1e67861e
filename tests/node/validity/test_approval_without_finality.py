"""The approval machine while nothing becomes final: what the chain has let go of is forgotten."""

from __future__ import annotations

from parahost.node.validity.approval_effects import (
    BeginCheck,
    BlocksRecorded,
    ChecksNoted,
    ForgetBlock,
    ForgetCandidate,
)
from parahost.node.validity.followed_blocks import FORKS_WITHIN
from parahost.primitives.approval import Tranche
from parahost.primitives.basic import U32, BlockNumber
from parahost.runtime.parachains.approvals import AssignedChecker, CheckState
from tests.node.validity.world import (
    BASE,
    GENESIS,
    ONE,
    A,
    Node,
    approval,
    candidate,
    checked,
    session,
    start_of,
    validator,
)
from tests.runtime.parachains.world import block as block_number


def recorded(*numbers: int) -> frozenset[BlockNumber]:
    return frozenset(map(block_number, numbers))


def test_what_the_chain_has_let_go_of_is_forgotten_though_nothing_is_final() -> None:
    """But for what this node has not approved: that is waited for, however long it takes."""
    node, parent, stuck = Node(me=5, draws={0: 20}), GENESIS, None
    for number in range(1, 1001):
        which = candidate(f"candidate {number}", slot=100 + number, number=number)
        info = session(needed=2 if number == 3 else 0)
        block = checked(f"block {number}", number, parent, which, info=info)
        stuck = block if number == 3 else stuck
        node.now = start_of(100 + number)
        node.hears(block, BlocksRecorded(block.number, recorded(*range(number - 50, number + 1))))
        parent = block.hash
    assert stuck is not None
    assert len(node.checkings()) == 1 + 51 + FORKS_WITHIN
    assert len(node.all(ForgetBlock)) == 1000 - len(node.checkings())
    assert node.machine.next_due() is not None, "it is looked at again"
    head = parent, block_number(1000)
    assert node.machine.approved_ancestor(BASE, head) == (stuck.parent, 2)
    for who in (1, 2, 3, 4):
        node.hears_assignment(stuck, who)
        node.hears_check(stuck, who)
    assert node.machine.approved_ancestor(BASE, head) == head
    node.hears(BlocksRecorded(block_number(1000), recorded(*range(950, 1001))))
    assert node.all(ForgetBlock)[-1].block == stuck.hash
    assert stuck.candidates[0].key() in {effect.key for effect in node.all(ForgetCandidate)}
    assert node.machine.next_due() is None


def test_what_is_forgotten_and_recorded_by_another_fork_is_met_again() -> None:
    node = Node(me=5, draws={0: 0})
    node.hears(ONE)
    node.finds(A.key())
    for who in (1, 2, 3):
        node.hears_assignment(ONE, who)
        node.hears_check(ONE, who)
    node.hears(BlocksRecorded(block_number(9), recorded()))
    node.hears(BlocksRecorded(block_number(9 + FORKS_WITHIN), recorded()))
    assert not node.checkings()
    node.kept[A.key()] = approval(5)
    noted = CheckState((AssignedChecker(validator(5), Tranche(U32(0)), U32(0)),))
    node.hears(ONE, ChecksNoted(ONE.hash, {A.key(): noted}))
    assert node.told()[-1] == (ONE.hash, 0)
    assert len(node.all(BeginCheck)) == 1, "what was checked once is not checked again"

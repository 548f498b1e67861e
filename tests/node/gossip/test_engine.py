"""The engine: who is told what, and when; shown by gossip about blocks that are not final yet."""

from __future__ import annotations

import trio
from hypothesis import given
from hypothesis import strategies as st

from parahost.consensus.fanout import RELAY_FANOUT
from parahost.node.gossip import (
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_FLOOD,
    COST_MALFORMED,
    COST_NOT_IN_VIEW,
    COST_OUT_OF_ORDER,
    in_batches,
)
from parahost.node.gossip.engine import REMEMBERED_TOPICS
from parahost.node.messages.network import (
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    RegisterEventProducer,
)
from parahost.node.protocols import BATCH_BYTES
from parahost.primitives.basic import PeerId, block_at
from tests.node.gossip.world import (
    IGNORED,
    PROTOCOL,
    VALIDATORS,
    Approval,
    Check,
    approved,
    assigned,
    block,
    checking,
)

P, Q, R = PeerId("p"), PeerId("q"), PeerId("r")
MANY = tuple(PeerId(f"peer {number}") for number in range(3 * RELAY_FANOUT))


# Whom to tell


async def test_what_this_node_makes_goes_to_all_who_work_on_the_topic() -> None:
    async with checking(*MANY, P) as node:
        registration, *_ = node.bridge.heard
        assert isinstance(registration, RegisterEventProducer)
        assert (registration.protocol, registration.peer_set) == (PROTOCOL, PeerSet.VALIDATION)
        topic = node.open(1)
        for peer in MANY:
            await node.view(peer, topic)
        await node.view(P, block(7))
        assert await node.publish(topic, assigned(0, 5)) == [True]
        assert all(node.told(peer) == [(topic, assigned(0, 5))] for peer in MANY)
        assert node.told(P) == [] and node.news == []
        assert await node.publish(topic, assigned(0, 5)) == [False], "it is known"
        assert await node.publish(block(7), assigned(0, 5)) == [False], "this topic is not open"
        assert await node.publish(topic, approved(1, 5)) == [False], "nobody is assigned"
        assert len(node.messages(MANY[0])) == 1


async def test_what_others_say_is_news_once_and_passed_on_to_a_few() -> None:
    async with checking(*MANY, P, Q) as node:
        topic = node.open(1)
        for peer in (*MANY, P, Q):
            await node.view(peer, topic)
        await node.hear(P, topic, assigned(0, 5))
        assert node.news == [(topic, assigned(0, 5), P)]
        told = [peer for peer in (*MANY, P, Q) if node.told(peer)]
        assert len(told) == RELAY_FANOUT and P not in told
        await node.hear(Q, topic, assigned(0, 5))
        assert len(node.news) == 1 and node.costs(Q) == [], "both are right to say it"


async def test_who_lacks_what_an_item_depends_on_is_told_that_first() -> None:
    checks: list[Check] = [
        assigned(0, 5),
        assigned(0, 6),
        approved(0, 5),
        approved(0, 5, 6),
    ]
    async with checking(P, *MANY) as node:
        topic = node.open(1)
        for peer in (P, *MANY):
            await node.view(peer, topic)
        await node.hear(P, topic, *checks)
        reached = 0
        for peer in MANY:
            told = [check for _, check in node.told(peer)]
            assert len(set(told)) == len(told)
            for place, check in enumerate(told):
                if isinstance(check, Approval):
                    assert {assigned(0, one) for one in check.candidates} <= set(told[:place])
            reached += len(told)
        assert reached >= RELAY_FANOUT * len(checks)


async def test_who_lacks_what_an_item_depends_on_gets_both_in_one_message() -> None:
    first, second = assigned(0, 5), approved(0, 5)
    async with checking(P, *MANY) as node:
        topic = node.open(1)
        for peer in (P, *MANY):
            await node.view(peer, topic)
        await node.hear(P, topic, first)  # which a few are told
        await node.publish(topic, second)
        told = [[checks for _, checks in node.messages(peer)] for peer in MANY]
        assert told.count([(first,), (second,)]) == RELAY_FANOUT
        assert told.count([(first, second)]) == len(MANY) - RELAY_FANOUT


async def test_what_came_alone_is_passed_on_with_what_it_depends_on_to_who_lacks_that() -> None:
    first, second = assigned(0, 5), approved(0, 5)
    async with checking(P, *MANY) as node:
        topic = node.open(1)
        for peer in (P, *MANY):
            await node.view(peer, topic)
        await node.hear(P, topic, first)
        await node.hear(P, topic, second)
        told = [[checks for _, checks in node.messages(peer)] for peer in MANY]
        assert sum(second in each for checks in told for each in checks) == RELAY_FANOUT
        possible = [[], [(first,)], [(first,), (second,)], [(first, second)]]
        assert all(checks in possible for checks in told)


async def test_who_comes_late_gets_in_order_and_in_few_messages_what_it_lacks() -> None:
    async with checking(P, Q) as node:
        topic = node.open(1)
        checks: list[Check] = [
            assigned(0, 5),
            approved(0, 5),
            assigned(1, 5),
            assigned(1, 6),
            approved(1, 5, 6),
        ]
        await node.view(P, topic)
        await node.hear(P, topic, *checks[:3])
        await node.publish(topic, *checks[3:])
        await node.hear(Q, topic, assigned(1, 5))
        await node.view(Q, topic)
        (message,) = node.messages(Q)
        assert message == (topic, tuple(check for check in checks if check != assigned(1, 5)))
        await node.view(Q)
        await node.view(Q, topic)
        assert len(node.messages(Q)) == 1, "it lacks nothing any more"
        await node.event(PeerDisconnected(Q))
        await node.connect(Q)
        await node.view(Q, topic)
        assert node.messages(Q)[1] == (topic, tuple(checks)), "it may have lost everything"


async def test_of_many_each_gives_little_to_who_comes_late_but_always_its_own() -> None:
    async with checking(P, *(PeerId(f"peer {number}") for number in range(600))) as node:
        topic = node.open(1)
        await node.view(P, topic)
        await node.hear(P, topic, *(assigned(validator, 5) for validator in range(40)))
        await node.publish(topic, assigned(700, 5), approved(39, 5))
        late = [PeerId(f"peer {number}") for number in range(20)]
        for peer in late:
            await node.view(peer, topic)
            told = [check for _, check in node.told(peer)]
            assert assigned(700, 5) in told
            assert told.index(assigned(39, 5)) < told.index(approved(39, 5))
        assert sum(len(node.told(peer)) for peer in late) < 20 * 3 + 20 * 40 / 10


async def test_who_comes_and_goes_has_us_look_only_at_what_was_said_since() -> None:
    """Else a word of a few bytes, said again and again, would cost us all that there is."""
    async with checking(P, *(PeerId(f"peer {number}") for number in range(600))) as node:
        topic = node.open(1)
        await node.view(P, topic)
        await node.hear(P, topic, *(assigned(validator, 5) for validator in range(40)))
        late = PeerId("peer 0")
        for _ in range(100):
            await node.view(late, topic)
            await node.view(late)
        assert len(node.told(late)) < 10
        await node.publish(topic, assigned(700, 5))
        await node.view(late, topic)
        assert node.told(late)[-1] == (topic, assigned(700, 5))


# What is below a head, and not final


async def test_who_works_on_a_head_works_on_what_is_below_it_and_not_final_for_it() -> None:
    async with checking(P, Q, R) as node:
        topics = [node.open(number) for number in range(1, 6)]
        fork = node.open(4, fork=1, below=0)
        await node.view(P, topics[4], final=2)
        await node.view(Q, fork)
        await node.view(R, topics[4], final=9)
        for topic in (*topics, fork):
            await node.publish(topic, assigned(0, 1))
        assert [topic for topic, _ in node.told(P)] == topics[2:]
        assert [topic for topic, _ in node.told(Q)] == [*topics[:3], fork]
        assert [topic for topic, _ in node.told(R)] == topics[4:]


async def test_a_peer_is_brought_up_to_date_on_the_whole_chain_that_is_new_to_it() -> None:
    async with checking(P) as node:
        topics = [node.open(number) for number in range(1, 6)]
        for topic in topics:
            await node.publish(topic, assigned(0, 1))
        await node.view(P, topics[2], final=1)
        assert sorted(node.told(P)) == sorted((topic, assigned(0, 1)) for topic in topics[1:3])
        await node.view(P, topics[4], final=2)
        assert sorted(node.told(P)) == sorted((topic, assigned(0, 1)) for topic in topics[1:])


async def test_a_peer_that_is_ahead_of_us_is_brought_up_to_date_when_we_follow() -> None:
    async with checking(P) as node:
        below = node.open(1)
        await node.publish(below, assigned(0, 1))
        await node.view(P, block(2))
        assert node.told(P) == []
        node.open(2)
        await trio.testing.wait_all_tasks_blocked()
        assert node.told(P) == [(below, assigned(0, 1))]


async def test_who_works_on_a_head_works_below_what_was_closed_on_the_way() -> None:
    """Topics are closed in any order: of what is done with, though nothing is final."""
    async with checking(P) as node:
        topics = [node.open(number) for number in range(1, 6)]
        for place in (2, 1, 3):
            node.gossip.close(topics[place])
        await node.publish(topics[0], assigned(0, 1))
        assert node.told(P) == []
        await node.view(P, topics[4])
        assert node.told(P) == [(topics[0], assigned(0, 1))]
        node.gossip.close(topics[0])
        head = node.open(6)
        await node.publish(topics[4], assigned(0, 2))
        await node.view(P, head)
        assert node.told(P)[1:] == [(topics[4], assigned(0, 2))]


async def test_what_is_final_is_closed_and_costs_nobody() -> None:
    async with checking(P) as node:
        topics = [node.open(number) for number in range(1, 5)]
        await node.view(P, topics[3])
        node.gossip.close_up_to(block_at(3))
        for topic in topics:
            assert await node.publish(topic, assigned(0, 1)) == [topic == topics[3]]
            await node.hear(P, topic, assigned(1, 1))
        assert node.news == [(topics[3], assigned(1, 1), P)] and node.costs(P) == []
        assert node.told(P) == [(topics[3], assigned(0, 1))]


async def test_only_the_latest_that_were_closed_are_remembered() -> None:
    async with checking(P) as node:
        topics = [block(1 + number // 250, number % 250) for number in range(REMEMBERED_TOPICS + 1)]
        for topic in topics:
            node.gossip.open(topic, block_at(1), node.rules, VALIDATORS)
            node.gossip.close(topic)
        await node.hear(P, topics[1], assigned(1, 1))
        assert node.costs(P) == []
        await node.hear(P, topics[0], assigned(1, 1))
        assert node.costs(P) == [COST_NOT_IN_VIEW]


# What comes early


async def test_what_is_said_of_a_head_that_its_sender_or_we_work_on_waits() -> None:
    async with checking(P, Q, R) as node:
        await node.view(P, block(2))
        await node.hear(P, block(2), assigned(0, 1))
        await node.hear(Q, block(2), assigned(0, 1))
        assert node.costs(Q) == [COST_NOT_IN_VIEW], "it does not work on it itself"
        await node.our_view(block(3))
        await node.hear(Q, block(2), assigned(0, 2))
        node.open(1)
        node.open(2)
        assert node.news == [(block(2), assigned(0, 1), P), (block(2), assigned(0, 2), Q)]
        node.open(3)
        await node.hear(R, block(4), assigned(0, 1))
        assert node.costs(R) == [COST_NOT_IN_VIEW], "all that we work on is open"
        assert node.costs(P) == []


async def test_what_waits_goes_when_its_sender_moves_on() -> None:
    async with checking(P, Q) as node:
        for peer in (P, Q):
            await node.view(peer, block(2))
            await node.hear(peer, block(2), assigned(0, 1), assigned(0, 2))
        await node.view(P, block(3))
        await node.event(PeerDisconnected(Q))
        node.open(2)
        assert node.news == []


async def test_what_waits_is_judged_as_if_it_came_now() -> None:
    async with checking(P) as node:
        await node.view(P, block(2))
        await node.hear(P, block(2), assigned(0, 1, signed_by=2))
        assert node.costs(P) == []
        node.open(2)
        await trio.testing.wait_all_tasks_blocked()
        assert node.costs(P) == [COST_BAD_SIGNATURE]


# What it costs


async def test_the_rules_are_asked_only_of_what_is_new_and_stands_on_something() -> None:
    async with checking(P, Q) as node:
        topic = node.open(1)
        await node.hear(P, topic, assigned(0, 5), assigned(0, 5), approved(0, 6), approved(1, 5))
        assert node.rules.asked == [assigned(0, 5)]
        assert node.costs(P) == [COST_DUPLICATE, COST_OUT_OF_ORDER, COST_OUT_OF_ORDER]
        await node.hear(Q, topic, assigned(0, 5))
        assert node.rules.asked == [assigned(0, 5)]
        await node.event(PeerMessage(P, b"garbage"))
        assert node.costs(P)[-1] == COST_MALFORMED


async def test_what_is_rejected_may_be_said_rightly_by_others() -> None:
    async with checking(P, Q) as node:
        topic = node.open(1)
        await node.hear(P, topic, assigned(0, 5, signed_by=1))
        await node.hear(Q, topic, assigned(0, 5))
        assert node.costs(P) == [COST_BAD_SIGNATURE]
        assert node.news == [(topic, assigned(0, 5), Q)]


async def test_a_peer_may_bring_no_more_than_the_quota() -> None:
    async with checking(P, Q) as node:
        topic = node.open(1)
        await node.hear(P, topic, *(assigned(0, candidate) for candidate in range(5)))
        assert node.costs(P) == [COST_FLOOD] * 2
        await node.hear(P, topic, assigned(1, 3), assigned(0, 0))
        assert node.costs(P) == [COST_FLOOD] * 2 + [COST_DUPLICATE], "each author has its own"
        await node.hear(Q, topic, assigned(0, 3))
        assert node.costs(Q) == [], "and each peer"


async def test_what_stands_on_what_was_ignored_is_ignored_and_leaves_no_trace() -> None:
    """Else a peer could have us remember any number of things."""
    async with checking(P, Q) as node:
        topic = node.open(1)
        ignored: list[Check] = [assigned(IGNORED, 5), approved(IGNORED, 5)]
        await node.hear(P, topic, *ignored)
        assert node.costs(P) == [] and node.news == []
        await node.hear(P, topic, *ignored)
        assert node.costs(P) == [COST_DUPLICATE], "of what stands by itself it is noted"
        await node.hear(Q, topic, ignored[1])
        assert node.costs(Q) == [COST_OUT_OF_ORDER]


# Whatever happens


CHECKS: tuple[Check, ...] = tuple(
    check
    for validator in (0, IGNORED)
    for check in (
        assigned(validator, 1),
        assigned(validator, 2),
        approved(validator, 1),
        approved(validator, 2, 1),
    )
)
STEPS = st.one_of(
    st.tuples(st.just("hear"), st.sampled_from((P, Q, R)), st.sampled_from(CHECKS)),
    st.tuples(st.just("publish"), st.just(P), st.sampled_from(CHECKS[:4])),
    st.tuples(st.just("view"), st.sampled_from((P, Q, R)), st.booleans()),
)


@given(st.lists(STEPS, max_size=25))
def test_nobody_is_told_twice_or_what_it_said_or_before_what_it_depends_on(
    steps: list[tuple[str, PeerId, Check | bool]],
) -> None:
    async def scenario() -> None:
        async with checking(P, Q, R) as node:
            topic = node.open(1)
            knows: dict[PeerId, list[Check]] = {P: [], Q: [], R: []}
            """What each said in its turn or was told, as it came to know it."""
            for step, peer, what in steps:
                if isinstance(what, bool):
                    await node.view(peer, *([topic] if what else []))
                elif step == "publish":
                    await node.publish(topic, what)
                else:
                    await node.hear(peer, topic, what)
                    if COST_OUT_OF_ORDER not in node.costs(peer):
                        knows[peer].append(what)
                for each, known in knows.items():
                    for _, check in node.told(each):
                        assert check not in known
                        if isinstance(check, Approval):
                            needed = {assigned(check.validator, one) for one in check.candidates}
                            assert needed <= set(known)
                        known.append(check)
                node.bridge.heard.clear()

    trio.run(scenario)


def test_batches_are_split_by_number_and_size() -> None:
    def sizes(contents: list[bytes]) -> list[int]:
        return [len(batch) for batch in in_batches(contents)]

    assert sizes([]) == []
    assert sizes([b""] * 130) == [64, 64, 2]
    assert sizes([b"", bytes(BATCH_BYTES), b""]) == [2, 1]

"""The attacks, by name. Each goes on without end until it is cancelled; its docstring says what it
does, and what stands against it. None has any stake."""

from collections.abc import Awaitable, Callable, Mapping

from tests.hostile.peer import Tally, Target
from tests.hostile.repertoire import claims, collators, connections, floods, garbage, holding

Attack = Callable[[Target, Tally], Awaitable[None]]

ASSAULTS: Mapping[str, tuple[Attack, ...]] = {
    "connections": (
        connections.pings_before_a_hello,
        connections.pings_never_read,
        connections.frames_without_data,
        connections.streams_opened_and_reset,
        connections.nonsense_frames,
    ),
    "arrivals": (
        connections.bare_connections,
        connections.half_handshakes,
        connections.come_and_go,
        holding.a_crowd_of_idlers,
    ),
    "lies about the chain": (
        claims.a_far_best_block,
        claims.a_far_final_block,
        claims.blocks_that_are_none,
        claims.a_far_round,
        claims.votes_of_nobody,
    ),
    "lies about peers": (
        claims.odd_addresses,
        claims.addresses_of_nobody,
        claims.false_records,
    ),
    "transactions": (
        floods.transactions_without_funds,
        floods.transactions_far_ahead,
        floods.transactions_not_signed,
        floods.transactions_that_are_none,
    ),
    "gossip": (
        floods.statements_of_nobody,
        floods.heavy_statements,
        floods.bitfields_of_nobody,
        floods.checks_of_nobody,
        floods.chunks_of_nothing,
        floods.views_without_end,
    ),
    "requests": (
        floods.records_asked_for_again,
        floods.blocks_asked_for_again,
        floods.povs_asked_for_again,
        floods.dispute_votes_of_nobody,
        floods.catch_ups_asked_for_again,
    ),
    "half messages": (
        holding.half_messages,
        holding.half_messages_within_their_time,
    ),
    "unread answers": (holding.answers_never_read,),
    "collators": (
        collators.collators_that_never_deliver,
        collators.collators_that_deliver_garbage,
        collators.advertisements_without_end,
    ),
    "garbage": (
        garbage.garbage_on_every_protocol,
        garbage.more_than_a_protocol_allows,
    ),
}
"""What is carried out at once, against the same nodes."""

BREAKS_RULES: tuple[Attack, ...] = (
    connections.pings_before_a_hello,
    connections.pings_never_read,
    connections.nonsense_frames,
    claims.odd_addresses,
    claims.false_records,
    floods.transactions_without_funds,
    floods.transactions_far_ahead,
    floods.transactions_not_signed,
    floods.transactions_that_are_none,
    floods.statements_of_nobody,
    floods.bitfields_of_nobody,
    floods.checks_of_nobody,
    floods.dispute_votes_of_nobody,
    floods.records_asked_for_again,
    floods.blocks_asked_for_again,
    holding.half_messages,
    collators.collators_that_deliver_garbage,
    collators.advertisements_without_end,
    garbage.garbage_on_every_protocol,
    garbage.more_than_a_protocol_allows,
)
"""Who does this is disconnected for it within seconds. Each step of the others is allowed: it is
read at a rate, refused, asked less, or makes room for others; some cost their place later."""

ATTACKS: Mapping[str, Attack] = {
    attack.__name__: attack for assault in ASSAULTS.values() for attack in assault
}

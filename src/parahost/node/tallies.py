"""What is counted from a node's journal: which event counts for which metric.

One reads here what an operator is told by numbers of all that the log tells by lines. ``chain.``
events are those of every block that this node imports, on any fork.
"""

from __future__ import annotations

from typing import Final

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Counter, Histogram
from parahost.metrics.tally import (
    CountedJournal,
    EventFields,
    EventTally,
    amount,
    by_field,
    labelled,
)
from parahost.node.messages.availability import RecoveryFailure
from parahost.node.messages.validity import CheckVerdict
from parahost.ports import Journal

_SUCCESS = ("success",)
_SUCCEEDED, _FAILED = "succeeded", "failed"
_SUCCEEDED_OR_NOT = ((_SUCCEEDED,), (_FAILED,))
_VALID_OR_NOT = (("valid",), ("invalid",))

# The chain

BLOCKS_IMPORTED = Counter("parahost_blocks_imported_total", "Blocks imported, on all forks.")
FORKS_LEFT = Counter(
    "parahost_forks_left_total",
    "Times that another fork became best because of what is known of candidates.",
)
INVALID_IS_FINAL = Counter(
    "parahost_invalid_is_final_total",
    "Final blocks that include an invalid candidate, or one that may be: governance has to decide.",
)
BLOCKS_AUTHORED = Counter("parahost_blocks_authored_total", "Blocks that this node has made.")
BLOCKS_NOT_AUTHORED = Counter(
    "parahost_blocks_not_authored_total",
    "Own slots for which a block could not be made as intended.",
    ("reason",),
    (("refused",), ("parent_gone",)),
)
PARABLOCKS = Counter(
    "parahost_parablocks_total",
    "Candidates that were backed, included, or timed out in imported blocks.",
    ("para", "stage"),
)
ACCEPTED = Counter(
    "parahost_candidates_accepted_total", "Candidates that imported blocks have accepted."
)
CHECK_TRANCHES = Histogram(
    "parahost_accepted_check_tranches",
    "Tranches of the checkers of candidates that imported blocks have accepted.",
    bounds=(0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 10.0, 15.0, 25.0, 40.0, 70.0),
)
CHAIN_DISPUTES = Counter(
    "parahost_chain_disputes_total", "Disputes that imported blocks have opened."
)
CHAIN_DISPUTES_CONCLUDED = Counter(
    "parahost_chain_disputes_concluded_total",
    "Disputes that imported blocks have concluded, or given up.",
    ("outcome",),
    (*_VALID_OR_NOT, ("timed_out",)),
)
PUNISHMENTS = Counter(
    "parahost_punishments_total", "Punishments of validators in imported blocks.", ("misconduct",)
)
SLASHED = Counter(
    "parahost_slashed_total",
    "What validators have lost of their stakes in imported blocks, in parts of a token.",
)

# This validator's part

JUDGED = Counter(
    "parahost_backing_judged_total",
    "Candidates that this node has judged before it backs them.",
    ("verdict",),
    (("valid",), ("invalid",), ("undecided",)),
)
BACKABLE = Counter(
    "parahost_backable_candidates_total",
    "Candidates that have the votes of their group, as this node hears.",
    ("para",),
)
PROVISIONED = Counter(
    "parahost_provisioned_candidates_total",
    "Candidates that were brought to this author, or left out.",
    ("outcome",),
    (("provided",), ("dropped",)),
)
POVS_FETCHED = Counter(
    "polkadot_parachain_fetched_povs_total",
    "PoVs fetched from other validators of the group.",
    _SUCCESS,
    _SUCCEEDED_OR_NOT,
)
BITFIELDS_SIGNED = Counter("polkadot_parachain_bitfields_signed_total", "Bitfields signed.")
ASSIGNMENTS = Counter(
    "parahost_assignments_announced_total", "Checks that this node has said it does."
)
CHECKS = Counter(
    "parahost_checks_total",
    "Candidates checked after their inclusion, or for a dispute.",
    ("verdict",),
    tuple((verdict.value,) for verdict in CheckVerdict),
)
APPROVED = Counter(
    "parahost_candidates_approved_total",
    "Candidates that have the checks that they need, in this node's view.",
)
NO_SHOWS = Counter(
    "polkadot_parachain_approvals_no_shows_total",
    "Announced checks that were late when their candidate was approved.",
)
OBSERVED_NO_SHOWS = Counter(
    "polkadot_parachain_approvals_observed_no_shows_total",
    "Announced checks that were late at any time.",
)
RECOVERIES = Counter(
    "polkadot_parachain_availability_recovery_recoveries_finished",
    "Recoveries of a candidate's data from others that have ended.",
    ("result",),
    (("success",), ("failure",), ("invalid",)),
)
STORED = Counter("parahost_availability_stored_total", "Candidates whose data this node has kept.")
WRONG_ROOTS = Counter(
    "parahost_availability_wrong_roots_total",
    "Candidates whose data give another erasure root than they name.",
)

# Disputes, as this node hears of them

DISPUTES = Counter("polkadot_parachain_candidate_disputes_total", "Disputes that were raised.")
DISPUTES_CONCLUDED = Counter(
    "polkadot_parachain_candidate_dispute_concluded",
    "Disputes that were concluded, by what the candidate was found.",
    ("validity",),
    _VALID_OR_NOT,
)
DISPUTE_VOTES = Counter(
    "polkadot_parachain_candidate_dispute_votes",
    "Votes in disputes, by what they say.",
    ("validity",),
    _VALID_OR_NOT,
)
MISBEHAVIOUR_PROVEN = Counter(
    "parahost_misbehaviour_total", "Misbehaviour of validators, with proof.", ("kind",)
)

# Collators

COLLATIONS_MADE = Counter(
    "polkadot_parachain_collations_generated_total", "Candidates that this collator has made."
)
COLLATIONS_NOT_MADE = Counter(
    "parahost_collations_not_made_total",
    "Times that this collator made none, and why is in its log.",
)
ADVERTISEMENTS = Counter(
    "polkadot_parachain_collation_advertisements_made_total",
    "Advertisements that this collator has sent to validators.",
)
COLLATIONS_SENT = Counter(
    "polkadot_parachain_collations_sent_total", "Candidates given to validators that asked."
)
COLLATION_REQUESTS = Counter(
    "polkadot_parachain_collation_requests_total",
    "Candidates that this validator has asked collators for.",
    _SUCCESS,
    _SUCCEEDED_OR_NOT,
)
COLLATOR_BANS = Counter(
    "parahost_collator_bans_total",
    "Bans of collators whose candidate was invalid.",
)

# Peers, and the node itself

PEERS_CAME = Counter(
    "substrate_sub_libp2p_distinct_peers_connections_opened_total", "Peers that have connected."
)
PEERS_LEFT = Counter(
    "substrate_sub_libp2p_distinct_peers_connections_closed_total", "Peers that have left."
)
PEERS_BANNED = Counter("parahost_peers_banned_total", "Bans of peers.")
KEYS_ELSEWHERE = Counter(
    "parahost_keys_used_elsewhere_total",
    "Signatures by keys of this node that it has not made: stop one of two machines now.",
    ("what",),
    (("block",), ("vote",), ("statement",)),
)
CLOCK_OFF = Counter("parahost_clock_off_total", "Times that this node's clock was found to be off.")
LOOP_HELD = Counter(
    "parahost_loop_held_total", "Times that something has held the event loop of a collator's node."
)
LOG_LINES = Counter(
    "parahost_log_lines_total",
    "Lines of the log that tell of trouble.",
    ("level",),
    (("warning",), ("error",)),
)


def _tranches(fields: EventFields) -> tuple[float, ...]:
    """Checkers are told as validator@tranche, with commas."""
    assigned = str(fields["assigned"]).split(",")
    return tuple(float(each.partition("@")[2]) for each in assigned if each)


def _recovery(fields: EventFields) -> tuple[str]:
    return ("invalid" if fields["reason"] == RecoveryFailure.INVALID.value else "failure",)


def _vote(fields: EventFields) -> tuple[str]:
    return ("valid" if fields["valid"] else "invalid",)


def _stage(stage: str) -> EventTally:
    def labels(fields: EventFields) -> tuple[str, str]:
        return str(fields["para"]), stage

    return EventTally(f"chain.{stage}", PARABLOCKS, labels)


TALLIES: Final = (
    EventTally("chain.imported", BLOCKS_IMPORTED),
    EventTally("chain.fork_left", FORKS_LEFT),
    EventTally("chain.invalid_is_final", INVALID_IS_FINAL),
    EventTally("author.made", BLOCKS_AUTHORED),
    EventTally("author.refused", BLOCKS_NOT_AUTHORED, labelled("refused")),
    EventTally("author.parent_gone", BLOCKS_NOT_AUTHORED, labelled("parent_gone")),
    _stage("backed"),
    _stage("included"),
    _stage("timed_out"),
    EventTally("chain.accepted", ACCEPTED),
    EventTally("chain.accepted", CHECK_TRANCHES, amounts=_tranches),
    EventTally("chain.disputed", CHAIN_DISPUTES),
    EventTally("chain.dispute_concluded", CHAIN_DISPUTES_CONCLUDED, by_field("outcome")),
    EventTally("chain.dispute_timed_out", CHAIN_DISPUTES_CONCLUDED, labelled("timed_out")),
    EventTally("chain.punished", PUNISHMENTS, by_field("misconduct")),
    EventTally("chain.punished", SLASHED, amounts=amount("lost")),
    EventTally("backing.judged_valid", JUDGED, labelled("valid")),
    EventTally("backing.judged_invalid", JUDGED, labelled("invalid")),
    EventTally("backing.judged_undecided", JUDGED, labelled("undecided")),
    EventTally("backing.backable", BACKABLE, by_field("para")),
    EventTally("provisioner.provided", PROVISIONED, labelled("provided")),
    EventTally("provisioner.dropped", PROVISIONED, labelled("dropped")),
    EventTally("pov.fetched", POVS_FETCHED, labelled(_SUCCEEDED)),
    EventTally("pov.not_fetched", POVS_FETCHED, labelled(_FAILED)),
    EventTally("pov.wrong", POVS_FETCHED, labelled(_FAILED)),
    EventTally("bitfield.signed", BITFIELDS_SIGNED),
    EventTally("approval.assigned", ASSIGNMENTS),
    *(
        EventTally(f"checking.{verdict.value}", CHECKS, labelled(verdict.value))
        for verdict in CheckVerdict
    ),
    EventTally("approval.approved", APPROVED),
    EventTally("approval.approved", NO_SHOWS, amounts=amount("late")),
    EventTally("approval.no_shows", OBSERVED_NO_SHOWS, amounts=amount("late")),
    EventTally("recovery.done", RECOVERIES, labelled("success")),
    EventTally("recovery.failed", RECOVERIES, _recovery),
    EventTally("availability.stored", STORED),
    EventTally("availability.wrong_root", WRONG_ROOTS),
    EventTally("dispute.begun", DISPUTES),
    EventTally("dispute.concluded", DISPUTES_CONCLUDED, by_field("outcome")),
    EventTally("dispute.vote", DISPUTE_VOTES, _vote),
    EventTally("misbehavior.reported", MISBEHAVIOUR_PROVEN, by_field("kind")),
    EventTally("collation.made", COLLATIONS_MADE),
    EventTally("collation.not_made", COLLATIONS_NOT_MADE),
    EventTally("collation.advertised", ADVERTISEMENTS),
    EventTally("collation.served", COLLATIONS_SENT),
    EventTally("collation.fetched", COLLATION_REQUESTS, labelled(_SUCCEEDED)),
    EventTally("collation.not_fetched", COLLATION_REQUESTS, labelled(_FAILED)),
    EventTally("collation.banned", COLLATOR_BANS),
    EventTally("peer.connected", PEERS_CAME),
    EventTally("peer.disconnected", PEERS_LEFT),
    EventTally("peer.banned", PEERS_BANNED),
    EventTally("keys.used_elsewhere", KEYS_ELSEWHERE, by_field("what")),
    EventTally("clock.off", CLOCK_OFF),
    EventTally("node.loop_held", LOOP_HELD),
    EventTally("collator.holds_loop", LOOP_HELD),
    EventTally("log.warning", LOG_LINES, labelled("warning")),
    EventTally("log.error", LOG_LINES, labelled("error")),
)


def counted(journal: Journal, meter: NodeMeter) -> CountedJournal:
    """A node's journal, whose events the meter counts."""
    return CountedJournal(journal, meter, TALLIES)

"""One candidate's whole life, put together from what all nodes have recorded of it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from parahost.devnet.node_log import NodeLog, log_files
from parahost.primitives.errors import InputError
from parahost.process.journal import SHORT_DIGITS, parse_line
from parahost.runtime.balances import UNIT
from parahost.simulation.trace_filter import LONGEST_RUN_S, TraceFilter, read_trace

HASH_DIGITS = 64
_HEX = frozenset("0123456789abcdef")
BEGINNINGS = ("collation.made", "backing.seconded", "chain.backed")
"""One of these at least is told of a candidate, where what is kept goes back to its beginning."""
SHARED_FIELDS = ("candidate", "para")
"""What is the same in all that is told of one candidate."""
NEEDED: Mapping[str, Collection[str]] = {
    "chain.imported": ("block", "number", "parent"),
    "chain.included": ("block", "number"),
    "chain.finalized": ("block", "number"),
    "chain.punished": ("account", "misconduct", "lost", "number"),
}
"""Fields without which an event says nothing."""
_NUMBERS = frozenset({"number", "lost"})


class NoCandidateHash(InputError):
    """No candidate's hash begins so."""

    def __init__(self, asked: str) -> None:
        super().__init__(f"{asked} begins no hash: that has {HASH_DIGITS} digits, 0-9 and a-f")
        self.asked = asked


class NoSuchCandidate(InputError):
    """Nothing is told of a candidate whose hash begins so."""


class SeveralCandidates(InputError):
    """More than one candidate's hash begins so; ``hashes`` are the first of them."""

    def __init__(self, beginning: str, hashes: Collection[str]) -> None:
        self.hashes = list(hashes)[:4]
        more = len(hashes) - len(self.hashes)
        others = f" and {more} more" if more else ""
        super().__init__(f"{beginning} is the beginning of {', '.join(self.hashes)}{others}")


@dataclass(frozen=True, slots=True)
class Told:
    """An event as a node has recorded it. ``at`` is in seconds, since the Unix epoch in a log and
    since the run's start in a trace."""

    at: float
    node: str
    event: str
    fields: Mapping[str, str]


# Where it is told


def told_in(source: Path) -> list[Told]:
    """All events of a simulation's trace, or of the logs in a node's or a devnet's base path, as
    far back as they are kept; in the order of time.

    :raises InputError: when it is neither, or a log is unreadable.
    :raises OSError: when it cannot be read.
    """
    if not source.exists():
        raise InputError(f"{source} is not there: name a base path, or a simulation's trace")
    if not source.is_dir():
        return list(_in_trace(source))
    told = [event for name, log in log_files(source).items() for event in _in_log(name, log)]
    return sorted(told, key=lambda event: event.at)


def _in_trace(path: Path) -> Iterator[Told]:
    for text in read_trace(path, TraceFilter()):
        line = json.loads(text)
        at, node, event = line.pop("at"), line.pop("node"), line.pop("event")
        yield Told(at, node, event, {name: str(value) for name, value in line.items()})


def _in_log(name: str, path: Path) -> Iterator[Told]:
    for text in NodeLog(path).texts():
        line = parse_line(text)
        if line is not None:
            yield Told(line.at, name, line.event, line.fields)


def _is_whole(told: Told) -> bool:
    """Whether it has what is needed of it. A line of a node that was killed while it wrote has
    not."""
    needed = NEEDED.get(told.event, ())
    return all(told.fields.get(name) for name in needed) and all(
        told.fields[name].isdecimal() for name in _NUMBERS.intersection(needed)
    )


# What is told


def in_full(beginning: str) -> str:
    """The beginning of a hash as logs have it, if people leave out the 0x."""
    return "0x" + beginning.lower().removeprefix("0x")


def may_begin_hash(beginning: str) -> bool:
    """Whether a hash may begin so; see :func:`in_full`."""
    digits = in_full(beginning).removeprefix("0x")
    return len(digits) <= HASH_DIGITS and set(digits) <= _HEX


def is_called(candidate: str, beginning: str) -> bool:
    """Whether a candidate's hash, as far as it is told, begins so. Logs know the first eight digits
    only."""
    return candidate.startswith(beginning[: len(candidate)])


@dataclass(slots=True)
class LifeMoment:
    """Something that one or more nodes have recorded alike: first and last when, and by whom."""

    at: float
    event: str
    fields: dict[str, str]
    nodes: dict[str, float] = field(default_factory=dict)


class CandidateLife:
    """Hears all that was recorded, and keeps what concerns one candidate.

    :param beginning: of its hash, in hex. Logs know the first eight digits only.
    :raises NoCandidateHash: when no hash begins so.
    """

    def __init__(self, beginning: str) -> None:
        if not may_begin_hash(beginning):
            raise NoCandidateHash(beginning)
        self._beginning = in_full(beginning)
        self._hashes: dict[str, None] = {}
        self._blocks: dict[str, tuple[int, str]] = {}
        """The number of each block, and its parent."""
        self._included_in: dict[str, int] = {}
        """The blocks that include the candidate, and their numbers."""
        self._left: set[str] = set()
        """Those of them on whose height another block is final."""
        self._decided: set[tuple[str, str]] = set()
        """For which node which of them is final or left."""
        self._moments: dict[tuple[str, tuple[tuple[str, str], ...]], LifeMoment] = {}
        self._first, self._last = math.inf, -math.inf
        """When the first and the last event was recorded, of whatever it tells."""
        self.para = ""

    @property
    def moments(self) -> list[LifeMoment]:
        """In the order in which they came."""
        return sorted(self._moments.values(), key=lambda moment: moment.at)

    @property
    def hash(self) -> str:
        """The candidate's, as far as it is told.

        :raises NoSuchCandidate: when nothing is told of it.
        :raises SeveralCandidates: when it is not the only one.
        """
        if not self._hashes:
            asked = f"nothing is told of a candidate {self._beginning}"
            raise NoSuchCandidate(
                f"{asked} in what is kept, {self._kept()}; ask for 0x to see how others are called"
            )
        if len(self._hashes) > 1:
            raise SeveralCandidates(self._beginning, self._hashes)
        return next(iter(self._hashes))

    def hear_all(self, told: Iterable[Told]) -> None:
        for event in told:
            self.hear(event)

    def hear(self, told: Told) -> None:
        """One event, after all that came before it."""
        self._first, self._last = min(self._first, told.at), max(self._last, told.at)
        if not _is_whole(told):
            return
        candidate = told.fields.get("candidate")
        if candidate is not None and is_called(candidate, self._beginning):
            self._hashes[candidate] = None
            self.para = self.para or told.fields.get("para", "")
            if told.event == "chain.included":
                self._included_in[told.fields["block"]] = int(told.fields["number"])
            self._add(told, told.fields)
        elif told.event == "chain.imported":
            known = int(told.fields["number"]), told.fields["parent"]
            self._blocks[told.fields["block"]] = known
        elif told.event == "chain.finalized":
            self._decide(told, told.fields["block"], int(told.fields["number"]))

    def _decide(self, told: Told, final: str, number: int) -> None:
        """A node has found a block final: so are the candidate's blocks below it, or they are
        left."""
        for block, height in self._included_in.items():
            if number < height or (told.node, block) in self._decided:
                continue
            chosen = self._ancestor(final, height)
            if chosen is None:
                continue
            self._decided.add((told.node, block))
            if chosen == block:
                self._add(told, {"block": block})
            else:
                self._left.add(block)

    def _ancestor(self, block: str, height: int) -> str | None:
        """The block of that number at or below another; ``None`` when too little is told."""
        while block in self._blocks:
            number, parent = self._blocks[block]
            if number <= height:
                return block
            block = parent
        return None

    def _add(self, told: Told, fields: Mapping[str, str]) -> None:
        kept = {name: value for name, value in fields.items() if name not in SHARED_FIELDS}
        name = told.event, tuple(kept.items())
        moment = self._moments.setdefault(name, LifeMoment(told.at, told.event, kept))
        moment.nodes.setdefault(told.node, told.at)

    # As text

    def lines(self) -> Iterator[str]:
        """The life, one moment a line, and what came of it.

        :raises NoSuchCandidate: when nothing is told of it.
        :raises SeveralCandidates: when it is not the only one.
        """
        yield f"candidate {self.hash} of para {self.para or '?'}"
        width = max(len(moment.event) for moment in self.moments)
        for moment in self.moments:
            fields = " ".join(f"{name}={_short(value)}" for name, value in moment.fields.items())
            yield f"{_when(moment.at)}  {moment.event:<{width}}  {fields}  [{_by(moment)}]"
        yield from self._outcome()
        if not any(moment.event in BEGINNINGS for moment in self.moments):
            yield f"begun      before what is kept, {self._kept()}"

    def _kept(self) -> str:
        """Which span of time was heard, as a part of a sentence."""
        if self._first > self._last:
            return "no event"
        return f"events from {_stamp(self._first)} to {_stamp(self._last)}"

    def _outcome(self) -> Iterator[str]:
        for session in self._fields("session")[:1]:
            yield f"session    {session}, whose validators are numbered from 0"
        vouching = self._fields("validator", "backing.seconded", "backing.valid")
        yield f"backed     {_named('by', vouching)}"
        yield f"included   {self._including()}"
        yield f"assigned   {_named('to', self._checkers('assigned', 'approval.assigned'))}"
        yield f"checked    {_named('by', self._checkers('approved', 'approval.checked'))}"
        yield f"accepted   {_blocks(self._fields('number', 'chain.accepted'))}"
        yield f"disputed   {self._dispute()}"
        yield from self._punishments()
        final = [moment.at for moment in self.moments if moment.event == "chain.finalized"]
        yield f"final      {_when(min(final)).strip() if final else '-'}"

    def _including(self) -> str:
        """Which blocks include it, as a part of a sentence."""
        return _blocks(
            f"{number} {_short(block)}{' on a fork that was left' * (block in self._left)}"
            for block, number in self._included_in.items()
        )

    def _dispute(self) -> str:
        """What blocks tell of its dispute, as a part of a sentence."""
        numbers = self._fields("number", "chain.disputed_remotely", "chain.disputed")
        if numbers:
            return f"{_blocks(numbers)}, {self._verdict()}"
        is_heard = any(moment.event == "dispute.begun" for moment in self.moments)
        return "by nodes, in no block" if is_heard else "-"

    def _verdict(self) -> str:
        """What the dispute has come to, and who has said what."""
        ends = {moment.event: moment.fields for moment in self.moments if moment.event in _ENDS}
        for event, says in _ENDS.items():
            if event in ends:
                return says(ends[event])
        return "not decided"

    def _punishments(self) -> Iterator[str]:
        """A line for each who lost something, and for what; how much may differ by fork."""
        lost: dict[str, dict[str, None]] = {}
        for told in (moment.fields for moment in self.moments if moment.event == "chain.punished"):
            deed = f"validator {told.get('validator', told['account'])}: {told['misconduct']}"
            lost.setdefault(deed, {})[f"{int(told['lost']) / UNIT:.2f}"] = None
        for deed, amounts in lost.items():
            yield f"punished   {deed}, lost {' or '.join(amounts)} of its stake"

    def _checkers(self, listed: str, event: str) -> list[str]:
        """As the chain tells when it accepts the candidate; of what it does not accept, or without
        any checks, as nodes tell of themselves."""
        on_chain = self._fields(listed, "chain.accepted")
        return on_chain if any(on_chain) else self._fields("validator", event)

    def _fields(self, name: str, *events: str) -> list[str]:
        """The different values of a field in such events; in any, when none are named."""
        found = (
            moment.fields[name]
            for moment in self.moments
            if name in moment.fields and (not events or moment.event in events)
        )
        return list(dict.fromkeys(found))


# Parts of sentences


def _concluded(told: Mapping[str, str]) -> str:
    outcome = told.get("outcome", "?")
    sides = [told.get(side, "") for side in ("valid", "invalid")]
    right, wrong = sides if outcome == "valid" else sides[::-1]
    return f"found {outcome} by {_listed(right)} against {_listed(wrong)}"


def _timed_out(told: Mapping[str, str]) -> str:
    valid, invalid = (_listed(told.get(side, "")) for side in ("valid", "invalid"))
    return f"nobody has a supermajority: valid say {valid}, invalid {invalid}"


_ENDS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "chain.dispute_concluded": _concluded,
    "chain.remote_unavailable": lambda _: "nobody had its data in time",
    "chain.dispute_timed_out": _timed_out,
}
"""How a dispute may end; the first of them says most."""


def _named(how: str, values: list[str]) -> str:
    return f"{how} validators {', '.join(map(_listed, values))}" if any(values) else "-"


def _listed(values: str) -> str:
    return values.replace(",", ", ") or "nobody"


def _blocks(numbers: Iterable[str]) -> str:
    listed = ", ".join(f"#{number}" for number in numbers)
    return f"in block {listed}" if listed else "-"


def _by(moment: LifeMoment) -> str:
    first, *others = moment.nodes
    if not others:
        return first
    later = max(moment.nodes.values()) - moment.at
    more = "1 other" if len(others) == 1 else f"{len(others)} others"
    return f"{first}, {more} within {later:.3f} s"


def _short(value: str) -> str:
    """Hashes as logs have them."""
    is_hash = value.startswith("0x") and len(value) > SHORT_DIGITS + 2
    return value[: SHORT_DIGITS + 2] if is_hash else value


def _when(at: float) -> str:
    """Seconds of a run, or the time of a day."""
    return f"{at:10.3f} s" if at < LONGEST_RUN_S else _stamp(at).partition("T")[2]


def _stamp(at: float) -> str:
    """Seconds of a run, or a day and its time."""
    if at < LONGEST_RUN_S:
        return f"{at:.3f} s"
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")

"""One candidate's whole life, put together from what all nodes have recorded of it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from parahost.devnet.node_log import NodeLog, log_files
from parahost.primitives.errors import InputError
from parahost.process.journal import SHORT_DIGITS, parse_line
from parahost.runtime.balances import UNIT
from parahost.simulation.trace_filter import TraceFilter, read_trace

BEGINNINGS = ("collation.made", "backing.seconded", "chain.backed")
"""One of these at least is told of a candidate, where what is kept goes back to its beginning."""
_LONGEST_RUN_S = 1e9
"""No run is as long, and no log began as early."""
SHARED_FIELDS = ("candidate", "para")
"""What is the same in all that is told of one candidate."""


class NoSuchCandidate(InputError):
    """Nothing is told of a candidate whose hash begins so."""


class SeveralCandidates(InputError):
    """More than one candidate's hash begins so; ``hashes`` are the first of them."""

    def __init__(self, beginning: str, hashes: list[str]) -> None:
        super().__init__(f"{beginning} is the beginning of {', '.join(hashes)}")
        self.hashes = hashes


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


# What is told


def in_full(beginning: str) -> str:
    """The beginning of a hash as logs have it, if people leave out the 0x."""
    return "0x" + beginning.lower().removeprefix("0x")


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
    """

    def __init__(self, beginning: str) -> None:
        self._beginning = in_full(beginning)
        self._hashes: dict[str, None] = {}
        self._parents: dict[str, str] = {}
        self._included_in: dict[str, None] = {}
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
            raise NoSuchCandidate(f"{asked} in what is kept, {self._kept()}")
        if len(self._hashes) > 1:
            raise SeveralCandidates(self._beginning, list(self._hashes)[:4])
        return next(iter(self._hashes))

    def hear_all(self, told: Iterable[Told]) -> None:
        for event in told:
            self.hear(event)

    def hear(self, told: Told) -> None:
        """One event, after all that came before it."""
        self._first, self._last = min(self._first, told.at), max(self._last, told.at)
        candidate = told.fields.get("candidate")
        if candidate is not None and is_called(candidate, self._beginning):
            self._hashes[candidate] = None
            self.para = self.para or told.fields.get("para", "")
            if told.event == "chain.included":
                self._included_in[told.fields["block"]] = None
            self._add(told, told.fields)
        elif told.event == "chain.imported":
            self._parents[told.fields["block"]] = told.fields["parent"]
        elif told.event == "chain.finalized":
            block = self._including(told.fields["block"])
            if block is not None:
                self._add(told, {"block": block})

    def _including(self, final: str) -> str | None:
        """The block at or below a final one that includes the candidate."""
        block: str | None = final if self._included_in else None
        while block is not None and block not in self._included_in:
            block = self._parents.get(block)
        return block

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
        vouching = self._fields("validator", "backing.seconded", "backing.valid")
        yield f"backed     {_named(vouching)}"
        yield f"included   {_blocks(self._fields('number', 'chain.included'))}"
        yield f"assigned   {_named(self._checkers('assigned', 'approval.assigned'))}"
        yield f"checked    {_named(self._checkers('approved', 'approval.checked'))}"
        yield f"accepted   {_blocks(self._fields('number', 'chain.accepted'))}"
        disputed = self._fields("number", "chain.disputed")
        yield f"disputed   {_blocks(disputed)}{self._verdict()}"
        yield from dict.fromkeys(
            f"punished   validator {told.get('validator', told['account'])}: "
            f"{told['misconduct']}, lost {int(told['lost']) / UNIT:.2f} of its stake"
            for told in (m.fields for m in self.moments if m.event == "chain.punished")
        )
        final = [moment.at for moment in self.moments if moment.event == "chain.finalized"]
        yield f"final      {_when(min(final)).strip() if final else '-'}"

    def _verdict(self) -> str:
        """What the dispute has come to, as a part of a sentence."""
        outcomes = self._fields("outcome", "chain.dispute_concluded")
        if outcomes:
            return f", found {' and '.join(outcomes)}"
        is_over = any(moment.event == "chain.dispute_timed_out" for moment in self.moments)
        return ", nobody has a supermajority" if is_over else ""

    def _checkers(self, listed: str, event: str) -> list[str]:
        """As the chain tells when it accepts the candidate; of what it does not accept, or without
        any checks, as nodes tell of themselves."""
        on_chain = self._fields(listed, "chain.accepted")
        return on_chain if any(on_chain) else self._fields("validator", event)

    def _fields(self, name: str, *events: str) -> list[str]:
        """The different values of a field in such events."""
        found = (m.fields[name] for m in self.moments if m.event in events and name in m.fields)
        return list(dict.fromkeys(found))


def _named(values: list[str]) -> str:
    return f"by validators {', '.join(values)}" if any(values) else "-"


def _blocks(numbers: list[str]) -> str:
    return f"in block {', '.join('#' + number for number in numbers)}" if numbers else "-"


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
    return f"{at:10.3f} s" if at < _LONGEST_RUN_S else _stamp(at).partition("T")[2]


def _stamp(at: float) -> str:
    """Seconds of a run, or a day and its time."""
    if at < _LONGEST_RUN_S:
        return f"{at:.3f} s"
    stamp = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")

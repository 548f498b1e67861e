"""What BABE writes into the digests of headers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parahost.consensus.babe.errors import MalformedDigest
from parahost.primitives.consensus import (
    AllowedSlots,
    BabeConsensusLog,
    BabeOnDisabled,
    BabePreDigest,
    EpochConfiguration,
    NextConfigData,
    NextEpochData,
)
from parahost.primitives.header import BABE_ENGINE, Consensus, Header, PreRuntime
from parahost.primitives.scale import ScaleDecodeError, decode, encode


def pre_digest_item(pre_digest: BabePreDigest) -> PreRuntime:
    """The item that opens the digest of an authored block."""
    return PreRuntime(BABE_ENGINE, encode(pre_digest, BabePreDigest))


def pre_digest_of(header: Header) -> BabePreDigest:
    """Who claims to have authored the block, and in which slot.

    :raises MalformedDigest: when there is no claim, more than one, or an unreadable one.
    """
    found = [
        item.data
        for item in header.digest
        if isinstance(item, PreRuntime) and item.engine == BABE_ENGINE
    ]
    if len(found) != 1:
        raise MalformedDigest(f"{len(found)} BABE pre-digests where one is expected")
    try:
        claim: BabePreDigest = decode(BabePreDigest, found[0])
    except ScaleDecodeError as error:
        raise MalformedDigest(f"the BABE pre-digest is unreadable: {error}") from error
    return claim


@dataclass(frozen=True, slots=True)
class Announcement:
    """What the first block of an epoch says of the next: its data, and how its slots are claimed
    if that changes."""

    data: NextEpochData
    configuration: EpochConfiguration | None


def announced_epoch(header: Header) -> Announcement | None:
    """What the header announces of the next epoch, if it does.

    :raises MalformedDigest: when something is announced twice, nobody is to author, slots are to
        be claimed in a way that is none, or a BABE item is unreadable.
    """
    data: NextEpochData | None = None
    configuration: EpochConfiguration | None = None
    for log in _consensus_logs(header):
        match log:
            case NextEpochData():
                if data is not None:
                    raise MalformedDigest("two announcements of the next epoch")
                if not any(weight for _, weight in log.authorities):
                    raise MalformedDigest("the next epoch has no authority with a weight")
                data = log
            case NextConfigData():
                if configuration is not None:
                    raise MalformedDigest("two configurations of the next epoch")
                configuration = _checked(log)
            case BabeOnDisabled():
                pass  # it is the runtime that refuses that author's blocks
    if data is None and configuration is not None:
        raise MalformedDigest("a configuration of the next epoch without its data")
    return None if data is None else Announcement(data, configuration)


def _consensus_logs(header: Header) -> Iterator[BabeConsensusLog]:
    for item in header.digest:
        if isinstance(item, Consensus) and item.engine == BABE_ENGINE:
            try:
                yield decode(BabeConsensusLog, item.data)
            except ScaleDecodeError as error:
                raise MalformedDigest(f"a BABE consensus item is unreadable: {error}") from error


def _checked(log: NextConfigData) -> EpochConfiguration:
    part, whole = log.configuration.c
    primary_only = log.configuration.allowed_slots is AllowedSlots.PRIMARY
    if log.version != 1 or whole == 0 or part > whole or (part == 0 and primary_only):
        raise MalformedDigest(f"slots cannot be claimed by {log}")
    return log.configuration

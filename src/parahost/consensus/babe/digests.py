"""What BABE writes into the digests of headers."""

from __future__ import annotations

from parahost.consensus.babe.errors import MalformedDigest
from parahost.primitives.consensus import BabeConsensusLog, BabePreDigest, NextEpochData
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


def announced_epoch(header: Header) -> NextEpochData | None:
    """The data of the next epoch, if the header announces it.

    :raises MalformedDigest: when it announces more than one, nobody to author in it, or has an
        unreadable BABE item.
    """
    announced: NextEpochData | None = None
    for item in header.digest:
        if not (isinstance(item, Consensus) and item.engine == BABE_ENGINE):
            continue
        try:
            log: BabeConsensusLog = decode(BabeConsensusLog, item.data)
        except ScaleDecodeError as error:
            raise MalformedDigest(f"a BABE consensus item is unreadable: {error}") from error
        if isinstance(log, NextEpochData):
            if announced is not None:
                raise MalformedDigest("two announcements of the next epoch")
            if not any(weight for _, weight in log.authorities):
                raise MalformedDigest("the next epoch has no authority with a weight")
            announced = log
    return announced

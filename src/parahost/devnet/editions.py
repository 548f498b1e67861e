"""What a para is made from, as hashes: whether it has changed since a network ran with it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from parahost.devnet.plan_file import Edition
from parahost.parachains import ParachainSpec
from parahost.parachains.loading import source_files
from parahost.primitives.hashing import blake2_256


@dataclass(frozen=True, slots=True)
class ParaChanges:
    """Which parts of a para are others than before."""

    code: bool
    genesis_head: bool
    collator: bool

    @classmethod
    def between(cls, before: Edition, now: Edition) -> ParaChanges:
        return cls(
            before.code != now.code,
            before.genesis_head != now.genesis_head,
            before.collator != now.collator,
        )

    def __bool__(self) -> bool:
        return self.code or self.genesis_head or self.collator


def edition_of(spec: ParachainSpec) -> Edition:
    """The hashes of what the spec's files have now.

    :raises OSError: when one of the collator's is not there.
    """
    collator = [spec.collator, json.dumps(spec.args, sort_keys=True)]
    collator += [
        blake2_256(file.read_bytes()).hex()
        for file in source_files(spec.collator, spec.search_path)
    ]
    return Edition(
        code=_hash(spec.code),
        genesis_head=_hash(spec.genesis_head),
        collator=_hash(json.dumps(collator).encode()),
    )


def _hash(data: bytes) -> str:
    return "0x" + blake2_256(data).hex()

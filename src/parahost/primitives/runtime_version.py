"""Which runtime this is, in Substrate's form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from parahost.primitives.basic import U8, U32
from parahost.primitives.scale import FixedLen

ApiId = Annotated[bytes, FixedLen(8)]
"""The blake2-64 hash of a Runtime API's name."""


@dataclass(frozen=True, slots=True)
class RuntimeVersion:
    """Substrate's ``RuntimeVersion``, as hosts give it to runtimes and nodes to clients."""

    spec_name: str
    impl_name: str
    authoring_version: U32
    spec_version: U32
    """Grows when a block may have another post-state than before."""
    impl_version: U32
    apis: tuple[tuple[ApiId, U32], ...]
    """The Runtime APIs with their versions."""
    transaction_version: U32
    """Grows when an extrinsic that was signed before would mean something else."""
    state_version: U8
    """Of the state trie."""

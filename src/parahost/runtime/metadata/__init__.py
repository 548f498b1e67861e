"""Metadata: what the runtime has, in the form by which tools read storage, make calls and
understand events.

Nothing is written for it: modules, types and Runtime APIs are told as they are declared, with the
documentation that stands in the source.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from parahost.runtime.api_trait import ApiTrait
from parahost.runtime.description import ModuleDescription, describe
from parahost.runtime.metadata.layouts import AnyMetadata, prefixed
from parahost.runtime.metadata.versions import metadata_v14, metadata_v15, metadata_v16

_MAKERS: Final[
    Mapping[int, Callable[[tuple[ModuleDescription, ...], tuple[ApiTrait, ...]], AnyMetadata]]
] = MappingProxyType({14: metadata_v14, 15: metadata_v15, 16: metadata_v16})
METADATA_VERSIONS: Final = tuple(_MAKERS)


def encode_metadata(version: int, traits: tuple[ApiTrait, ...]) -> bytes:
    """The metadata of this runtime with these Runtime APIs; ``version`` is one of
    :data:`METADATA_VERSIONS`."""
    return prefixed(_MAKERS[version](describe(), traits))


__all__ = ["METADATA_VERSIONS", "encode_metadata"]

"""Which runtime this is. Signatures of extrinsics cover the two versions."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from parahost.crypto.hashing import blake2_64
from parahost.primitives.basic import U8, U32
from parahost.primitives.runtime_version import RuntimeVersion

SPEC_NAME: Final = "parahost"
SPEC_VERSION: Final = U32(1)
"""Grows when a block may have another post-state than before."""
TRANSACTION_VERSION: Final = U32(1)
"""Grows when an extrinsic that was signed before would mean something else."""

API_VERSIONS: Final[Mapping[str, U32]] = MappingProxyType(
    {
        "Core": U32(5),
        "Metadata": U32(2),
        "BabeApi": U32(2),
        "GrandpaApi": U32(3),
        "AccountNonceApi": U32(1),
        "SessionKeys": U32(1),
        "TaggedTransactionQueue": U32(3),
        "TransactionPaymentApi": U32(4),
        "ParachainHost": U32(1),
    }
)
"""The Runtime APIs, with Polkadot's versions where the functions that are here are Polkadot's.
:mod:`parahost.runtime.runtime_apis` has their functions."""

RUNTIME_VERSION: Final = RuntimeVersion(
    spec_name=SPEC_NAME,
    impl_name=SPEC_NAME,
    authoring_version=U32(0),
    spec_version=SPEC_VERSION,
    impl_version=U32(0),
    apis=tuple((blake2_64(name.encode()), version) for name, version in API_VERSIONS.items()),
    transaction_version=TRANSACTION_VERSION,
    state_version=U8(1),
)

"""The Runtime APIs as clients ask them: one table, for metadata and for ``state_call`` alike.

Names and encodings are Polkadot's where Polkadot has the function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from parahost.primitives.basic import U32, Slot, ValidatorIndex
from parahost.primitives.runtime_version import RuntimeVersion
from parahost.runtime import api, session_keys_api, transaction_api
from parahost.runtime.api_trait import ApiMethod, ApiTrait, RuntimeHost, UnknownApiFunction
from parahost.runtime.metadata import METADATA_VERSIONS, encode_metadata
from parahost.runtime.parachains.api import ParachainsApi
from parahost.runtime.read_only import MODULES
from parahost.runtime.storage import Reader, State
from parahost.runtime.version import API_VERSIONS, RUNTIME_VERSION

# Functions that no state is needed for, and such whose answer has another form here


def version(_state: Reader) -> RuntimeVersion:
    """Which runtime this is."""
    return RUNTIME_VERSION


def metadata(_state: Reader) -> bytes:
    """What the runtime has, as metadata of the first of its versions."""
    return _metadata(METADATA_VERSIONS[0])


def metadata_at_version(_state: Reader, version: U32) -> bytes | None:
    """The same in a version of choice; nothing when there is none such."""
    return _metadata(version) if version in METADATA_VERSIONS else None


def metadata_versions(_state: Reader) -> tuple[U32, ...]:
    """The versions that there are."""
    return tuple(U32(version) for version in METADATA_VERSIONS)


@cache
def _metadata(version: int) -> bytes:
    return encode_metadata(version, RUNTIME_APIS)


def current_epoch_start(state: Reader) -> Slot:
    """The first slot of the epoch of the state's block."""
    return MODULES.babe.current_epoch_start(state)


def disabled_validators(state: State) -> tuple[ValidatorIndex, ...]:
    """Who may not back candidates in this session, ascending."""
    return tuple(sorted(api.disabled_validators(state)))


def _parachains() -> dict[str, Callable[..., Any]]:
    """All questions of :class:`ParachainsApi`, in its order."""
    names = (name for name in vars(ParachainsApi) if not name.startswith("_"))
    return {name: getattr(api, name) for name in names} | {
        "disabled_validators": disabled_validators
    }


# The table


def _trait(name: str, documentation: str, functions: Mapping[str, Callable[..., Any]]) -> ApiTrait:
    return ApiTrait.of(name, API_VERSIONS[name], documentation, functions)


RUNTIME_APIS: Final = (
    _trait("Core", "What every runtime has.", {"version": version}),
    _trait(
        "Metadata",
        "What the runtime has, for tools.",
        {
            "metadata": metadata,
            "metadata_at_version": metadata_at_version,
            "metadata_versions": metadata_versions,
        },
    ),
    _trait(
        "BabeApi",
        "Who authors blocks, and when.",
        {
            "configuration": api.babe_configuration,
            "current_epoch_start": current_epoch_start,
            "current_epoch": api.current_epoch,
            "next_epoch": api.next_epoch,
        },
    ),
    _trait(
        "GrandpaApi",
        "Who votes on finality.",
        {
            "grandpa_authorities": api.grandpa_authorities,
            "current_set_id": api.grandpa_set_id,
        },
    ),
    _trait(
        "AccountNonceApi",
        "How many extrinsics an account has sent.",
        {"account_nonce": api.account_nonce},
    ),
    _trait(
        "SessionKeys",
        "The keys with which a validator's node signs.",
        {
            "generate_session_keys": session_keys_api.generate_session_keys,
            "decode_session_keys": session_keys_api.decode_session_keys,
        },
    ),
    _trait(
        "TaggedTransactionQueue",
        "Which transactions may be in a block.",
        {"validate_transaction": transaction_api.validate_transaction},
    ),
    _trait(
        "TransactionPaymentApi",
        "What transactions cost.",
        {
            "query_info": transaction_api.query_info,
            "query_fee_details": transaction_api.query_fee_details,
            "query_weight_to_fee": transaction_api.query_weight_to_fee,
            "query_length_to_fee": transaction_api.query_length_to_fee,
        },
    ),
    _trait(
        "ParachainHost",
        "What a state says about parachains to the children of its block (A115, D19).",
        _parachains(),
    ),
)
"""All Runtime APIs. Metadata tells of them, and :func:`state_call` asks them."""

_METHODS: Final[Mapping[str, ApiMethod]] = MappingProxyType(
    {f"{trait.name}_{method.name}": method for trait in RUNTIME_APIS for method in trait.methods}
)


def needs_host(name: str) -> bool:
    """Whether a function of that name does something to the node."""
    method = _METHODS.get(name)
    return method is not None and method.needs_host


def state_call(name: str, arguments: bytes, state: State, host: RuntimeHost | None = None) -> bytes:
    """The answer of a function such as ``ParachainHost_validators``, in SCALE. ``host``: the node,
    where the caller may have something done to it.

    :raises UnknownApiFunction: when there is no function of that name.
    :raises BadApiArguments: when ``arguments`` are not what it takes.
    :raises NeedsHost: when it needs the host, and there is none for the caller.
    """
    method = _METHODS.get(name)
    if method is None:
        raise UnknownApiFunction(name)
    return method.call(arguments, state, host)

"""Headers, blocks and versions as Substrate's clients read them."""

from __future__ import annotations

from parahost.primitives.header import GRANDPA_ENGINE, DigestItem, Extrinsic, Header
from parahost.primitives.runtime_version import RuntimeVersion
from parahost.primitives.scale import encode
from parahost.rpc.values import Json, hex_of


def header_form(header: Header) -> Json:
    return {
        "parentHash": hex_of(header.parent_hash),
        "number": hex(header.number),
        "stateRoot": hex_of(header.state_root),
        "extrinsicsRoot": hex_of(header.extrinsics_root),
        "digest": {"logs": [hex_of(encode(item, DigestItem)) for item in header.digest]},
    }


def extrinsic_form(extrinsic: Extrinsic) -> str:
    """With its length before it, as in a block's body."""
    return hex_of(encode(extrinsic, bytes))


def block_form(header: Header, body: tuple[Extrinsic, ...], justification: bytes | None) -> Json:
    """A signed block. Its justifications are lists of numbers, as are the names of their
    engines."""
    extrinsics: list[Json] = [extrinsic_form(extrinsic) for extrinsic in body]
    proofs: Json = None
    if justification is not None:
        proofs = [[list(GRANDPA_ENGINE), list(justification)]]
    return {
        "block": {"header": header_form(header), "extrinsics": extrinsics},
        "justifications": proofs,
    }


def version_form(version: RuntimeVersion) -> Json:
    return {
        "specName": version.spec_name,
        "implName": version.impl_name,
        "authoringVersion": version.authoring_version,
        "specVersion": version.spec_version,
        "implVersion": version.impl_version,
        "apis": [[hex_of(id_), number] for id_, number in version.apis],
        "transactionVersion": version.transaction_version,
        "stateVersion": version.state_version,
    }


def runtime_form(version: RuntimeVersion) -> Json:
    """As the newer methods tell it."""
    return {
        "type": "valid",
        "spec": {
            "specName": version.spec_name,
            "implName": version.impl_name,
            "specVersion": version.spec_version,
            "implVersion": version.impl_version,
            "transactionVersion": version.transaction_version,
            "apis": {hex_of(id_): number for id_, number in version.apis},
        },
    }

"""A client of any node with Substrate's JSON-RPC, which learns all that it says and reads from the
chain's metadata. The commands ``call``, ``query``, ``events`` and ``para`` are made of it.

>>> chain = ChainClient("http://127.0.0.1:9944")
>>> chain.query("System", "Account", ["5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parahost.facade import on_first_use

if TYPE_CHECKING:
    from parahost.client.chain import CallOutcome, ChainClient, NamedEvent
    from parahost.client.codec import MetadataCodec
    from parahost.client.errors import RpcFailed, Unreachable
    from parahost.client.following import BlockNews
    from parahost.client.metadata import RuntimeMetadata, UnknownName, UnreadableMetadata
    from parahost.client.rpc import JsonRpc, RpcClient
    from parahost.client.signer import Scheme, Signer
    from parahost.client.writing import BadValue

__all__ = [
    "BadValue",
    "BlockNews",
    "CallOutcome",
    "ChainClient",
    "JsonRpc",
    "MetadataCodec",
    "NamedEvent",
    "RpcClient",
    "RpcFailed",
    "RuntimeMetadata",
    "Scheme",
    "Signer",
    "UnknownName",
    "Unreachable",
    "UnreadableMetadata",
]

__getattr__ = on_first_use(
    __name__,
    __all__,
    ("chain", "codec", "errors", "following", "metadata", "rpc", "signer", "writing"),
)

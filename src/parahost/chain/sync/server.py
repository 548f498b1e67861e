"""Answering peers that ask for blocks."""

from __future__ import annotations

from typing import Annotated

from parahost.chain.chain import Chain
from parahost.chain.sync.messages import (
    ANSWER_BYTES,
    MAX_BLOCKS,
    BlockRequest,
    Direction,
    Fields,
    FromHash,
)
from parahost.primitives.basic import U32, BlockNumber, Hash
from parahost.primitives.limits import MAX_JUSTIFICATION_BYTES
from parahost.primitives.scale import Compact, decode, encode

_NONE, _SOME = b"\x00", b"\x01"
JUSTIFICATIONS_SCANNED = 512
"""Blocks that are looked through for justifications, at most."""


def looked_at(payload: bytes) -> int:
    """How many blocks a request makes us look at, at most.

    :raises ScaleDecodeError: when it is no request.
    """
    request: BlockRequest = decode(BlockRequest, payload)
    return min(request.max_blocks, JUSTIFICATIONS_SCANNED)


def answer(chain: Chain, payload: bytes) -> bytes:
    """The SCALE answer to a SCALE request. Its size and the work for it are bounded, whatever is
    asked.

    :raises ScaleDecodeError: when it is no request.
    """
    request: BlockRequest = decode(BlockRequest, payload)
    fields = Fields(request.fields & (Fields.HEADER | Fields.BODY | Fields.JUSTIFICATION))
    only_justified = fields == Fields.JUSTIFICATION
    limit = min(request.max_blocks, MAX_BLOCKS)
    scanned = min(request.max_blocks, JUSTIFICATIONS_SCANNED) if only_justified else limit
    parts: list[bytes] = []
    count = size = 0
    for hash in _named(chain, request, scanned):
        if only_justified and _justification(chain, hash) is None:
            continue
        form = _form(chain, hash, fields)
        parts += form
        count += 1
        size += sum(map(len, form))
        if count == limit or size > ANSWER_BYTES:
            break
    return b"".join([encode(count, Annotated[int, Compact()]), *parts])


def _named(chain: Chain, request: BlockRequest, count: int) -> list[Hash]:
    """The hashes of the blocks that are asked for, as far as we have them."""
    start = request.start
    hash = start.hash if isinstance(start, FromHash) else chain.hash_of(start.number)
    number = None if hash is None else chain.number(hash)
    if hash is None or number is None or count == 0:
        return []
    if request.direction is Direction.DESCENDING:
        return [hash, *chain.ancestors(hash, count - 1)]
    last = BlockNumber(U32(max(number, min(number + count - 1, chain.best.number))))
    end = chain.hash_of(last)
    if end is None:
        return [hash]
    line = [end, *chain.ancestors(end, last - number)][::-1]
    return line if line[0] == hash else [hash]


def _form(chain: Chain, hash: Hash, fields: Fields) -> list[bytes]:
    """The SCALE form of a ``BlockData``, in parts. A body goes out as it is stored: reading 16 MiB
    of extrinsics to write them anew would hold the loop, and so would copies."""
    header = chain.header(hash) if fields & Fields.HEADER else None
    body = chain.encoded_body(hash) if fields & Fields.BODY else None
    proof = _justification(chain, hash) if fields & Fields.JUSTIFICATION else None
    encoded = (
        None if header is None else encode(header),
        body,
        None if proof is None else encode(proof, bytes),
    )
    parts: list[bytes] = [hash]
    for part in encoded:
        parts += (_NONE,) if part is None else (_SOME, part)
    return parts


def _justification(chain: Chain, hash: Hash) -> bytes | None:
    """As it was received. One that is too long, kept by an older version, has no use to anybody."""
    proof = chain.justification(hash)
    return None if proof is None or len(proof) > MAX_JUSTIFICATION_BYTES else proof

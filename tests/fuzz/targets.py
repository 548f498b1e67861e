"""The decoders that face strangers, with what they may raise."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from random import Random
from typing import Any

import wasmtime
import zstandard

from parahost import erasure
from parahost.erasure import ErasureError
from parahost.node.gossip import Acceptance
from parahost.node.validity.approval_rules import ApprovalGossip, ApprovalMessage, read
from parahost.node.validity.disputes.effects import AnswerVotes, VotesBrought
from parahost.node.validity.disputes.machine import DisputeMachine
from parahost.node.validity.disputes.wire import DisputeRequest, TakeVotes
from parahost.parachains.code import example_code
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import U32, ChunkIndex
from parahost.primitives.candidates import AvailableData
from parahost.primitives.compression import COMPRESSED_PREFIX, BadCompression, maybe_decompress
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.scale.shapes import shape_of
from parahost.runtime.errors import MalformedExtrinsic, UnknownAddress
from parahost.runtime.extrinsic import (
    Envelope,
    Extra,
    MortalEra,
    decode_extrinsic,
    encode_extra,
    open_envelope,
)
from parahost.runtime.module import RuntimeCall
from parahost.runtime.signers import MultiSignature
from parahost.validation.errors import StructureExceeded
from parahost.validation.wasm.reader import MalformedModule, read_module
from parahost.validation.wasm.stack_limit import limit_stack
from tests.fuzz import connections
from tests.fuzz.forms import damaged, form_of
from tests.fuzz.target import Broken, Draw, Refused, Target
from tests.node.validity import test_approval_rules as checking
from tests.node.validity.disputes import world as disputing
from tests.primitives.test_bounds import read_types
from tests.verifying import VERIFIER

ENGINE = wasmtime.Engine()
ONE = disputing.receipt(1)
HONEST = TakeVotes(
    ONE,
    ONE.hash(),
    disputing.SESSION,
    (disputing.denies(ONE, 2), disputing.backs(ONE, 0), disputing.approves(ONE, 3)),
)
CHECKS: list[ApprovalMessage] = [
    *(checking.assignment(who) for who in range(1, checking.VALIDATORS)),
    *(checking.check(who) for who in range(1, checking.VALIDATORS)),
]
VALIDATORS = 5
CHUNKS = erasure.encode(b"what is to be available", VALIDATORS)
ROOT, PROOFS = erasure.root_and_proofs(CHUNKS)


def targets() -> Iterator[Target]:
    """All of them."""
    return chain(connections.targets(), _types(), _of_the_chain())


def _types() -> Iterator[Target]:
    """Each type that a room decodes which reads from the network."""
    types: dict[str, Any] = {}
    for name, type_ in read_types():
        types.setdefault(str(type_), (name, type_))
    for name, type_ in types.values():
        yield _of_type(name, type_)


def _of_the_chain() -> Iterator[Target]:
    compressed = COMPRESSED_PREFIX + zstandard.compress(bytes(5000))
    yield Target("envelope", _envelope, _open, (MalformedExtrinsic, UnknownAddress))
    yield Target("extrinsic", _extrinsic, _read_extrinsic, (MalformedExtrinsic, UnknownAddress))
    yield Target("chunk", _chunk, _verify, (ScaleDecodeError, Refused))
    yield Target("recovery", _available_data, _recover, (ScaleDecodeError, ErasureError))
    yield Target("dispute votes", _dispute_votes, _judge_votes, (ScaleDecodeError, Refused))
    yield Target("checks", _checks, _judge_checks, (ScaleDecodeError, Refused))
    yield Target("zstd", _like(compressed), _decompress, (BadCompression,))
    adder = bytes(example_code("adder"))
    yield Target("wasm", _like(adder), _instrument, (MalformedModule, StructureExceeded))


def _of_type(name: str, type_: Any) -> Target:
    shape = shape_of(type_)

    def draw(random: Random) -> bytes:
        return damaged(random, form_of(random, shape))

    def run(data: bytes) -> None:
        if encode(decode(type_, data), type_) != data:
            raise Broken(name)

    return Target(name, draw, run, (ScaleDecodeError,))


def _like(example: bytes) -> Draw:
    return lambda random: damaged(random, example)


# Extrinsics


def _head(random: Random) -> bytes:
    """What stands before an extrinsic's call."""
    if random.random() < 0.3:
        return b"\x04"
    era = None
    if random.random() < 0.7:
        era = MortalEra.around(random.randrange(1 << 20), 1 << random.randrange(2, 17))
    tip = random.getrandbits(random.randrange(1, 129))
    extra = Extra(era, random.getrandbits(random.randrange(1, 33)), tip)
    scheme = random.randrange(3)
    signature = bytes((scheme,)) + random.randbytes(65 if scheme == 2 else 64)
    return b"\x84\0" + random.randbytes(32) + signature + encode_extra(extra)


def _envelope(random: Random) -> bytes:
    return damaged(random, _head(random) + random.randbytes(random.randrange(40)))


def _open(data: bytes) -> None:
    envelope = open_envelope(data)
    if _head_of(envelope) + envelope.call_bytes != data or envelope.length != len(data):
        raise Broken("envelope")


def _head_of(envelope: Envelope) -> bytes:
    signed = envelope.signature
    if signed is None:
        return b"\x04"
    signature = encode(signed.signature, MultiSignature)
    return b"\x84\0" + signed.signer + signature + encode_extra(signed.extra)


def _extrinsic(random: Random) -> bytes:
    return damaged(random, _head(random) + form_of(random, shape_of(RuntimeCall)))


def _read_extrinsic(data: bytes) -> None:
    if decode_extrinsic(data).encode() != data:
        raise Broken("extrinsic")


# Available data


def _chunk(random: Random) -> bytes:
    index = random.randrange(VALIDATORS)
    chunk = ErasureChunk(CHUNKS[index], ChunkIndex(U32(index)), PROOFS[index])
    return damaged(random, encode(chunk))


def _verify(data: bytes) -> None:
    chunk = decode(ErasureChunk, data)
    if not erasure.verify_chunk(ROOT, chunk.index, chunk.chunk, chunk.proof, VALIDATORS):
        raise Refused
    if chunk.chunk != CHUNKS[chunk.index]:
        raise Broken("chunk: a forged one is taken")


def _available_data(random: Random) -> bytes:
    return damaged(random, form_of(random, shape_of(AvailableData))) or b"\0"


def _recover(data: bytes) -> None:
    """Whoever makes chunks and root chooses what comes out of them."""
    chunks = erasure.encode(data, VALIDATORS)
    root, some = erasure.erasure_root(chunks), {0: chunks[0], 4: chunks[4]}
    recovered = erasure.recover_value(AvailableData, some, VALIDATORS, root)
    if encode(recovered) != data.ljust(len(encode(recovered)), b"\0")[: len(encode(recovered))]:
        raise Broken("recovery")


# Disputes


def _dispute_votes(random: Random) -> bytes:
    """What a validator brings; or something of that form."""
    if random.random() < 0.3:
        return damaged(random, form_of(random, shape_of(DisputeRequest)))
    return damaged(random, encode(HONEST, DisputeRequest))


def _judge_votes(data: bytes) -> None:
    """A machine that knows the session takes what is signed, and nothing else."""
    request = decode(DisputeRequest, data)
    if not isinstance(request, TakeVotes):
        raise Refused
    machine = DisputeMachine((), testimony=lambda key: None, verifier=VERIFIER)
    machine.handle(disputing.judged(own=None), now=0.0)
    effects = machine.handle(VotesBrought(request.receipt, request.statement_set()), now=0.0)
    (verdict,) = [each.verdict for each in effects if isinstance(each, AnswerVotes)]
    if verdict.is_taken != bool(machine.disputes):
        raise Broken("dispute votes: what is refused is kept")
    if not verdict.is_taken:
        raise Refused
    if request.receipt != ONE or not set(request.statements) <= set(HONEST.statements):
        raise Broken("dispute votes: what nobody has signed is taken")


# Checks


def _checks(random: Random) -> bytes:
    """What checkers say of one block; or something of that form."""
    if random.random() < 0.2:
        return damaged(random, form_of(random, shape_of(ApprovalGossip)))
    said = random.sample(CHECKS, random.randrange(1, 4))
    return damaged(random, encode(ApprovalGossip(checking.A.parent_hash, tuple(said))))


def _judge_checks(data: bytes) -> None:
    """Only what was drawn and signed is news, wherever the damage is."""
    _, items = read(data)
    rules = checking.rules(now_ms=checking.LATE)
    verdicts = [(item.content, rules.judge(item)) for item in items]
    for _, verdict in verdicts:
        earned = 0 if verdict.change is None else verdict.change.value
        if earned == 0 or (verdict.acceptance is Acceptance.ACCEPT) != (earned > 0):
            raise Broken("checks: a refusal costs nothing")
    taken = [said for said, verdict in verdicts if verdict.acceptance is Acceptance.ACCEPT]
    if not taken:
        raise Refused
    if not all(said in CHECKS for said in taken):
        raise Broken("checks: what nobody has signed is taken")


# Code


def _decompress(data: bytes) -> None:
    if len(maybe_decompress(data, 10_000)) > max(10_000, len(data)):
        raise Broken("zstd")


def _instrument(data: bytes) -> None:
    """As a module is compiled: it is read, and only what the engine holds valid is changed."""
    module = read_module(data)
    if _is_valid(data) and not _is_valid(limit_stack(module)):
        raise Broken("wasm")


def _is_valid(wasm: bytes) -> bool:
    try:
        wasmtime.Module.validate(ENGINE, wasm)
    except wasmtime.WasmtimeError:
        return False
    return True

"""Whatever a block's bytes say, executing it gives an answer: a state, or why it is invalid."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from parahost.primitives.basic import H256, U32, ParaId
from parahost.primitives.header import Block, Extrinsic, Header
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.executive import extrinsics_root
from parahost.runtime.parathreads import Claim
from tests.runtime.pipeline import inherent_data
from tests.runtime.world import Chain


@cache
def sample() -> tuple[Chain, Block]:
    """A chain, and a good block on it that has a bit of everything."""
    chain = Chain()
    chain.step()
    chain.step(data=inherent_data(chain))
    builder = chain.builder(data=inherent_data(chain))
    builder.apply(chain.signed("Alice", Claim(ParaId(U32(200)))))
    return chain, builder.finish()[0]


def answered(chain: Chain, block: Block) -> bool:
    """Whether the block is valid; anything but an answer fails the test."""
    before = chain.state.root
    try:
        chain.execute(block)
    except InvalidBlock as error:
        assert str(error)
        return False
    finally:
        assert chain.state.root == before
    return True


def test_the_sample_is_valid() -> None:
    chain, block = sample()
    assert answered(chain, block)


@given(st.data())
def test_damaged_extrinsics(data: st.DataObject) -> None:
    """The root fits the damaged body, so that execution meets the damage."""
    chain, block = sample()
    extrinsics = list(block.extrinsics)
    which = data.draw(st.integers(0, len(extrinsics) - 1))
    raw = bytearray(extrinsics[which])
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    extrinsics[which] = Extrinsic(bytes(raw))
    header = replace(block.header, extrinsics_root=H256(extrinsics_root(tuple(extrinsics))))
    if tuple(extrinsics) != block.extrinsics:
        assert not answered(chain, Block(header, tuple(extrinsics)))


@given(st.data())
def test_damaged_headers(data: st.DataObject) -> None:
    chain, block = sample()
    raw = bytearray(encode(block.header))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        header: Header = decode(Header, bytes(raw))
    except ScaleDecodeError:
        return
    assert not answered(chain, Block(header, block.extrinsics))


@given(st.lists(st.binary(max_size=80), max_size=4))
def test_garbage_bodies(body: list[bytes]) -> None:
    chain, block = sample()
    extrinsics = tuple(Extrinsic(raw) for raw in body)
    header = replace(block.header, extrinsics_root=H256(extrinsics_root(tuple(extrinsics))))
    assert not answered(chain, Block(header, extrinsics))

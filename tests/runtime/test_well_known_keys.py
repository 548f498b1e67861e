"""What a parachain's runtime reads from the relay chain's state, through proofs (D29).

The keys and the forms are those of Polkadot's ``well_known_keys``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.crypto.hashing import twox_64
from parahost.primitives.basic import H256, U32, U64, BlockNumber, HeadData, ParaId, ValidationCode
from parahost.primitives.scale import decode, encode
from parahost.runtime import api
from parahost.runtime.storage import Overlay, State
from parahost.trie import read_proof
from tests.runtime.world import EPOCH_SLOTS, FIRST_SLOT, GENESIS, Chain

BABE = "1cb6f36e027abb2091cfb5110ab5087f"
EPOCH_INDEX = bytes.fromhex(BABE + "38316cbf8fa0da822a20ac1c55bf1be3")
CURRENT_BLOCK_RANDOMNESS = bytes.fromhex(BABE + "d077dfdb8adb10f78f10a5df8742c545")
ONE_EPOCH_AGO_RANDOMNESS = bytes.fromhex(BABE + "7ce678799d3eff024253b90e84927cc6")
TWO_EPOCHS_AGO_RANDOMNESS = bytes.fromhex(BABE + "7a414cb008e0e61e46722aa60abdd672")
CURRENT_SLOT = bytes.fromhex(BABE + "06155b3cd9a8c9e5e9a23fd5dc13a5ed")
AUTHORITIES = bytes.fromhex(BABE + "5e0621c4869aa60c02be9adcc98a0d1d")
NEXT_AUTHORITIES = bytes.fromhex(BABE + "aacf00b9b41fda7a9268821c2a2b3e4c")
ACTIVE_CONFIG = bytes.fromhex("06de3d8a54d27e44a9d5ce189618f22db4b49d95320d9021994c850f25b8e385")
PARA_HEADS = bytes.fromhex("cd710b30bd2eab0352ddcc26417aa1941b3c252fcb29d88eff4f3de5de4476c3")
UPGRADE_GO_AHEAD = bytes.fromhex("cd710b30bd2eab0352ddcc26417aa1949e94c040f5e73d9b7addd6cb603d15d3")
UPGRADE_RESTRICTION = bytes.fromhex(
    "cd710b30bd2eab0352ddcc26417aa194f27bbb460270642b5bcaf032ea04d56a"
)
DMQ_MQC_HEADS = bytes.fromhex("63f78c98723ddc9073523ef3beefda0c4d7fefc408aac59dbfe80a72ac8e3ce5")
HRMP_INGRESS = bytes.fromhex("6a0da05ca59913bc38a8630590f2627c1d3719f5b0b12c7105c073c507445948")

PARA = ParaId(U32(100))


def per_para(prefix: bytes, para: ParaId = PARA) -> bytes:
    raw = para.to_bytes(4, "little")
    return prefix + twox_64(raw) + raw


def proven(state: State, key: bytes) -> bytes | None:
    """What a parachain reads under a key, knowing the state root and a proof only."""
    return read_proof(state.root, state.prove([key]), key)


@pytest.fixture(scope="module")
def chain() -> Chain:
    chain = Chain()
    chain.steps(2 * EPOCH_SLOTS + 2)
    return chain


def test_slot_and_epoch(chain: Chain) -> None:
    assert proven(chain.state, CURRENT_SLOT) == encode(U64(chain.slot), U64)
    assert chain.slot == FIRST_SLOT + 2 * EPOCH_SLOTS + 1
    assert proven(chain.state, EPOCH_INDEX) == encode(U64(2), U64)


def test_randomness(chain: Chain) -> None:
    assert (
        proven(chain.state, TWO_EPOCHS_AGO_RANDOMNESS) == api.current_epoch(chain.state).randomness
    )
    assert proven(chain.state, ONE_EPOCH_AGO_RANDOMNESS) == api.next_epoch(chain.state).randomness
    drawn = proven(chain.state, CURRENT_BLOCK_RANDOMNESS)
    assert drawn is not None
    assert (len(drawn), drawn[0]) == (33, 1), "an Option of 32 bytes"
    values = [
        proven(chain.state, key) for key in (TWO_EPOCHS_AGO_RANDOMNESS, ONE_EPOCH_AGO_RANDOMNESS)
    ]
    assert len({*values, drawn[1:], bytes(32)}) == 4


def test_authorities(chain: Chain) -> None:
    expected = tuple((validator.keys.babe, U64(1)) for validator in GENESIS.validators)
    for key in (AUTHORITIES, NEXT_AUTHORITIES):
        raw = proven(chain.state, key)
        assert raw is not None
        assert decode(tuple[tuple[H256, U64], ...], raw) == expected


def test_active_configuration(chain: Chain) -> None:
    """The fields of ``AbridgedHostConfiguration``, each four bytes."""
    raw = proven(chain.state, ACTIVE_CONFIG)
    assert raw is not None
    fields = [int.from_bytes(raw[at : at + 4], "little") for at in range(0, len(raw), 4)]
    config = GENESIS.configuration
    assert len(fields) == 11
    assert fields[:2] == [config.max_code_size, config.max_head_data_size]
    assert fields[7:9] == [config.validation_upgrade_frequency, config.validation_upgrade_delay]


def test_para_head(chain: Chain) -> None:
    raw = proven(chain.state, per_para(PARA_HEADS))
    assert raw is not None
    assert decode(HeadData, raw) == b"head of 100"


def test_message_queues_are_empty(chain: Chain) -> None:
    """The proof shows that nothing is there, which parachains read as empty."""
    for prefix in (DMQ_MQC_HEADS, HRMP_INGRESS):
        assert proven(chain.state, per_para(prefix)) is None


def test_upgrade_signals() -> None:
    """A plan restricts at once and the go-ahead comes when the code is expected; after the switch
    the restriction stays until a plan would keep the upgrade frequency (A45)."""
    assert GENESIS.configuration.validation_upgrade_delay == 10
    config = replace(GENESIS.configuration, validation_upgrade_frequency=BlockNumber(U32(14)))
    chain = Chain(replace(GENESIS, configuration=config))
    chain.step()
    paras = chain.runtime.modules.parachains.paras

    def signals() -> tuple[bytes | None, bytes | None]:
        return (
            proven(chain.state, per_para(UPGRADE_GO_AHEAD)),
            proven(chain.state, per_para(UPGRADE_RESTRICTION)),
        )

    assert signals() == (None, None)
    store = Overlay(chain.state)
    paras.schedule_code_upgrade(store, PARA, ValidationCode(b"new"), BlockNumber(U32(3)))
    chain.state = store.commit()
    chain.step()
    assert signals() == (None, b"\x00")
    chain.step()
    assert signals() == (b"\x01", b"\x00")
    store = Overlay(chain.state)
    paras.note_new_head(store, PARA, HeadData(b"next"), BlockNumber(U32(3)))
    chain.state = store.commit()
    for _number in (4, 5, 6):
        chain.step()
        assert signals() == (None, b"\x00")
    chain.step()
    assert signals() == (None, None)

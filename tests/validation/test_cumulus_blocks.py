"""Block 1 of eight published Cumulus runtimes.

The runtimes' code is not in this repository (0.4 to 1.2 MB each). To execute the blocks, put it
into a folder, each as HASH.wasm by its ``code_blake2_256`` in ``pvf_cumulus_blocks.json`` (``code``
there says where it was published), and name the folder in ``CUMULUS_CODES``. Without it, only what
the blocks say of themselves is tested.
"""

from __future__ import annotations

import json
import os
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parahost.crypto import sr25519
from parahost.primitives.basic import H256, U32, BlockNumber, HeadData
from parahost.primitives.candidates import ValidationParams, ValidationResult
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Header, Seal
from parahost.primitives.scale import decode, decode_prefix, encode
from parahost.trie import StateVersion, ordered_root
from parahost.validation.abi import CallReport, ValidationFunction
from parahost.validation.code import wasm_of
from parahost.validation.engine import Engine
from parahost.validation.errors import FunctionFailed
from parahost.validation.metering import MAX_INSTRUCTIONS

CASES = json.loads((Path(__file__).parents[1] / "vectors/pvf_cumulus_blocks.json").read_text())[
    "cases"
]
CODES = os.environ.get("CUMULUS_CODES", "")
each_block = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
ALICE = bytes.fromhex("d43593c715fdd31c61141abd04a99fd6822c8558854ccde39a5684e7a56da27d")


def params_of(case: dict[str, Any]) -> ValidationParams:
    params: ValidationParams = decode(ValidationParams, bytes.fromhex(case["params_hex"]))
    return params


@each_block
def test_what_a_block_says_of_itself(case: dict[str, Any]) -> None:
    """Head and result are of our types, to the last byte; extrinsics and seal are those of the
    header."""
    params = params_of(case)
    result: ValidationResult = decode(ValidationResult, bytes.fromhex(case["result_hex"]))
    assert encode(params).hex() == case["params_hex"]
    assert encode(result).hex() == case["result_hex"]
    assert result.hrmp_watermark == params.relay_parent_number

    parent: Header = decode(Header, params.parent_head)
    head: Header = decode(Header, result.head_data)
    assert (head.number, head.parent_hash) == (1, parent.hash())
    header, offset = decode_prefix(Header, params.block_data)
    extrinsics, _ = decode_prefix(tuple[bytes, ...], params.block_data, offset)
    assert header == head and len(extrinsics) >= 2
    whole = [encode(extrinsic, bytes) for extrinsic in extrinsics]
    assert header.extrinsics_root in {ordered_root(whole, version) for version in StateVersion}
    unsealed, seal = header.without_seal()
    assert isinstance(seal, Seal)
    assert sr25519.verify(ALICE, unsealed.hash(), seal.data)


@pytest.mark.skipif(not CODES, reason="CUMULUS_CODES names no folder")
@each_block
def test_a_block_comes_to_its_result_and_no_changed_one_does(case: dict[str, Any]) -> None:
    code = (Path(CODES) / f"{case['code_blake2_256']}.wasm").read_bytes()
    assert blake2_256(code).hex() == case["code_blake2_256"]
    engine, report = Engine(), CallReport()
    function = ValidationFunction(engine, engine.compile(wasm_of(code)))
    params = params_of(case)
    assert function.call(encode(params), report).hex() == case["result_hex"]
    assert report.instructions < MAX_INSTRUCTIONS // 100

    def refuses(changed: ValidationParams) -> bool:
        try:
            function.call(encode(changed), CallReport())
        except FunctionFailed:
            return True
        return False

    other_number = BlockNumber(U32(params.relay_parent_number + 1))
    assert refuses(replace(params, relay_parent_number=other_number))
    assert refuses(replace(params, relay_parent_storage_root=H256(bytes(32))))
    assert refuses(replace(params, parent_head=HeadData(params.parent_head[:-1] + b"\1")))
    chance = random.Random(case["name"])
    _, header_end = decode_prefix(Header, params.block_data)
    for at in (5, header_end - 5, *chance.sample(range(len(params.block_data)), 12)):
        changed = bytearray(params.block_data)
        changed[at] ^= 1 << chance.randrange(8)
        assert refuses(replace(params, block_data=bytes(changed))), at

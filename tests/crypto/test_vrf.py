import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.crypto import ristretto, sr25519
from parahost.crypto.hashing import blake2_256
from parahost.crypto.vrf import make_bytes, vrf_evaluate, vrf_sign, vrf_verify
from parahost.primitives.consensus import BabePreDigest, PrimaryPreDigest
from parahost.primitives.header import BABE_ENGINE, Header, PreRuntime
from parahost.primitives.scale import decode, encode
from parahost.primitives.transcript import Transcript

VECTORS = Path(__file__).parents[1] / "vectors"
ALICE = sr25519.Keypair.from_uri("//Alice")
BOB = sr25519.Keypair.from_uri("//Bob")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


@pytest.mark.guide("A54")
def test_an_assignment_of_polkadots() -> None:
    known = json.loads((VECTORS / "vrf_and_merlin.json").read_text())["relay_vrf_modulo"]
    story = bytes.fromhex(known["relay_vrf_story"])
    transcript = (
        Transcript(b"A&V MOD").append(b"RC-VRF", story).append(b"sample", _u32(known["sample"]))
    )
    pre_output = bytes.fromhex(known["vrf_pre_output"])
    accepted = {
        core: vrf_verify(
            bytes.fromhex(known["public"]),
            transcript,
            pre_output,
            bytes.fromhex(known["vrf_proof"]),
            Transcript(b"A&V ASSIGNED").append(b"core", _u32(core)),
        )
        for core in range(12)
    }
    inout = accepted.pop(known["core"])
    assert inout is not None
    assert make_bytes(inout, b"A&V CORE", 4).hex() == known["make_bytes_A_and_V_CORE_4_hex"]
    assert set(accepted.values()) == {None}
    assert vrf_evaluate(ALICE, transcript) == inout, "the secret key is known: it is Alice's"


def test_westends_first_blocks() -> None:
    """Real VRFs and seals, and that each holds for its own slot and block only."""
    westend = json.loads((VECTORS / "westend_babe_headers_1_128.json").read_text())
    authorities = [bytes.fromhex(key) for key in westend["babe_authorities"]]
    primary = 0
    for entry in westend["headers"]:
        header = decode(Header, bytes.fromhex(entry["header_hex"]))
        unsealed, seal = header.without_seal()
        [engine_data] = [
            item.data
            for item in header.digest
            if isinstance(item, PreRuntime) and item.engine == BABE_ENGINE
        ]
        pre_digest = decode(BabePreDigest, engine_data)
        author = authorities[pre_digest.authority_index]
        message = blake2_256(encode(unsealed))
        assert sr25519.verify(author, message, seal.data)
        assert not sr25519.verify(author, blake2_256(message), seal.data)
        if isinstance(pre_digest, PrimaryPreDigest):
            primary += 1
            signed = pre_digest.vrf_output, pre_digest.vrf_proof
            assert vrf_verify(author, _babe(westend, pre_digest.slot), *signed) is not None
            assert vrf_verify(author, _babe(westend, pre_digest.slot + 1), *signed) is None
    assert primary == 33, "so many of these 128 blocks' slots were won by VRF"


def _babe(westend: dict[str, str], slot: int) -> Transcript:
    return (
        Transcript(b"BABE")
        .append_u64(b"slot number", slot)
        .append_u64(b"current epoch", int(westend["epoch_index"]))
        .append(b"chain randomness", bytes.fromhex(westend["randomness"]))
    )


transcripts = st.builds(
    Transcript,
    st.binary(max_size=8),
    st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=200)), max_size=3).map(tuple),
)


@settings(max_examples=20, deadline=None)
@given(transcripts, st.none() | transcripts)
def test_what_is_signed_verifies_and_nothing_else(
    transcript: Transcript, extra: Transcript | None
) -> None:
    signature = vrf_sign(ALICE, transcript, extra)
    signed = signature.pre_output, signature.proof
    inout = vrf_verify(ALICE.public, transcript, *signed, extra)
    assert inout == vrf_evaluate(ALICE, transcript)
    assert vrf_sign(ALICE, transcript, extra) == signature
    assert vrf_verify(BOB.public, transcript, *signed, extra) is None
    assert vrf_verify(ALICE.public, transcript.append(b"", b""), *signed, extra) is None
    other_extra = (extra or Transcript(b"VRF")).append(b"", b"")
    assert vrf_verify(ALICE.public, transcript, *signed, other_extra) is None
    assert vrf_sign(ALICE, transcript, other_extra).pre_output == signature.pre_output
    assert make_bytes(inout, b"a", 32) != make_bytes(inout, b"b", 32)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=40), st.binary(max_size=40), st.binary(max_size=70))
def test_garbage_proves_nothing(public: bytes, pre_output: bytes, proof: bytes) -> None:
    transcript = Transcript(b"t")
    good = vrf_sign(ALICE, transcript)
    assert vrf_verify(public, transcript, good.pre_output, good.proof) is None
    assert vrf_verify(ALICE.public, transcript, pre_output, good.proof) is None
    assert vrf_verify(ALICE.public, transcript, good.pre_output, proof) is None


def test_a_proof_has_one_form() -> None:
    """A scalar that is not reduced would make a second proof of the first."""
    transcript = Transcript(b"t")
    good = vrf_sign(ALICE, transcript)
    for at in (0, 32):
        scalar = int.from_bytes(good.proof[at : at + 32], "little") + ristretto.ORDER
        bloated = good.proof[:at] + scalar.to_bytes(32, "little") + good.proof[at + 32 :]
        assert vrf_verify(ALICE.public, transcript, good.pre_output, bloated) is None


def test_the_identity_is_nobodys() -> None:
    """With the secret key zero every proof would hold; that key is refused."""
    transcript = Transcript(b"t")
    response = ristretto.scalar_bytes(7)
    for challenge in (bytes(32), ristretto.scalar_bytes(5)):
        assert vrf_verify(bytes(32), transcript, bytes(32), challenge + response) is None

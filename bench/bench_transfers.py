"""A block of 500 transfers, beside what its signatures alone take.

Run: ``python -m bench.bench_transfers``; CPU time of one core, the best of some runs. The block may
take 2 s.
"""

from __future__ import annotations

import time

from tests.runtime.world import Chain, account

from bench.figures import figure, in_turns, median_ratio
from parahost.crypto import sr25519
from parahost.primitives.basic import U128
from parahost.runtime.balances import UNIT, TransferKeepAlive
from parahost.runtime.extrinsic import open_envelope, signing_payload
from parahost.runtime.module import call_weight
from parahost.runtime.signers import AccountAddress, Sr25519Signature
from parahost.runtime.weights import transaction_weight

TRANSFERS = 500
RUNS = 5


def main() -> None:
    chain = Chain()
    chain.steps(2)
    call = TransferKeepAlive(AccountAddress(account("Bob")), U128(UNIT // 10))
    extrinsics = [chain.signed("Alice", call, nonce=nonce) for nonce in range(TRANSFERS)]
    builder = chain.builder()
    for extrinsic in extrinsics:
        builder.apply(extrinsic)
    block = builder.finish()[0]
    genesis = chain.genesis_hash
    checks: list[tuple[bytes, bytes, bytes]] = []
    for extrinsic in extrinsics:
        envelope = open_envelope(extrinsic)
        signed = envelope.signature
        assert signed is not None and isinstance(signed.signature, Sr25519Signature)
        payload = signing_payload(envelope.call_bytes, signed.extra, genesis, genesis)
        checks.append((signed.signer, payload, signed.signature.signature))

    def verify() -> None:
        assert all(sr25519.verify(*check) for check in checks)

    work = {"block": lambda: chain.execute(block), "signatures": verify}
    taken = in_turns(work, RUNS, time.process_time)
    figure("a block of 500 transfers, executing it", min(taken["block"]), "s", "2 s")
    weight = transaction_weight(call_weight(call), len(extrinsics[0])) * TRANSFERS
    figure("what they weigh", weight.ref_time / 1e12, "s", "1.5 times the first")
    figure("their signatures alone", min(taken["signatures"]), "s")
    figure("the block by its signatures", median_ratio(taken, "block", "signatures"), "x")


if __name__ == "__main__":
    main()

"""The voter on the real chain and one database, stopped and started again."""

from __future__ import annotations

import trio
from trio.testing import MockClock

from parahost.chain.chain import Chain
from parahost.consensus.grandpa import BlockRef, GrandpaVoter, verify_justification
from parahost.consensus.turns import in_turns
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports import KeyType
from parahost.primitives.basic import H256, U64, GrandpaId
from parahost.storage.memory import MemoryDatabase
from tests.chain.world import Forge, open_chain
from tests.consensus.grandpa.world import (
    SeededRandom,
    SharedVerifier,
    T,
    WorldClock,
)
from tests.memory_network import MemoryNetwork

KEYS = KeyRing.of([(KeyType.GRANDPA, "//voter0")])
AUTHORITIES = ((GrandpaId(H256(KEYS.public_keys(KeyType.GRANDPA)[0])), U64(1)),)


def voter_on(chain: Chain, database: MemoryDatabase) -> GrandpaVoter:
    return GrandpaVoter(
        chain,
        network=MemoryNetwork().port("alone"),
        keystore=ProtectedKeyStore(KEYS, database),
        verifier=SharedVerifier(),
        database=database,
        clock=WorldClock(),
        random=SeededRandom("alone"),
        genesis_authorities=AUTHORITIES,
        gossip_s=T,
        on_equivocation=lambda proof: None,
        on_unplaced_vote=lambda *_: None,
    )


async def test_finality_goes_on_after_a_kill(autojump_clock: MockClock) -> None:
    forge, database = Forge(), MemoryDatabase()
    blocks = forge.line(forge.genesis, 6)
    rounds = []
    for part in (blocks[:3], blocks[3:]):
        chain = open_chain(database)
        voter = voter_on(chain, database)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(voter.run)
            for block in part:
                chain.import_block(block)
            tip = part[-1].header
            with trio.fail_after(30 * T):
                while chain.finalized != tip:
                    await trio.sleep(T)
            nursery.cancel_scope.cancel()
        rounds.append(voter.round)
        proof = chain.justification(tip.hash())
        assert proof is not None
        target = BlockRef(tip.hash(), tip.number)
        await in_turns(verify_justification(proof, 0, AUTHORITIES, SharedVerifier(), target))
        database = database.crash()
    assert rounds[0] < rounds[1]

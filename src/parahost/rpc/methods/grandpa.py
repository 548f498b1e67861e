"""``grandpa_*``: proofs of finality."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.consensus.grandpa.votes import RoundVotes, Stage
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from parahost.rpc.params import Count
from parahost.rpc.served import CallContext, ServedNode
from parahost.rpc.table import Family, Subscription, Tell
from parahost.rpc.values import Json, hex_of

GRANDPA = Family()

_SEARCHED_BLOCKS = 1024
"""So far after a block its proof is looked for; an epoch's last block has one."""


@GRANDPA.method("grandpa_roundState")
def round_state(context: CallContext) -> Json:
    """The round of votes that runs and the one before, with the voters that have not voted."""
    served = context.served
    best, *background = (_round_form(served, votes) for votes in served.node.grandpa.counted)
    set_id = served.node.grandpa.authorities.set_id
    return {"setId": set_id, "best": best, "background": background}


def _round_form(served: ServedNode, votes: RoundVotes) -> Json:
    voters = votes.voters

    def stage_form(stage: Stage) -> Json:
        voted = votes.voted(stage)
        missing = sorted(key for index, key in enumerate(voters.ids) if not voted >> index & 1)
        return {
            "currentWeight": voters.weight(voted),
            "missing": [served.address(key) for key in missing],
        }

    return {
        "round": votes.number,
        "totalWeight": voters.total,
        "thresholdWeight": voters.threshold,
        "prevotes": stage_form(Stage.PREVOTE),
        "precommits": stage_form(Stage.PRECOMMIT),
    }


@dataclass(frozen=True, slots=True)
class FinalityProof:
    """``block`` is final by ``justification``, and so are its ancestors; Substrate's form."""

    block: Hash
    justification: bytes
    unknown_headers: tuple[Header, ...] = ()


@GRANDPA.method("grandpa_proveFinality", calls=10)
def prove_finality(context: CallContext, block_number: Count) -> Json:
    """A proof that the block of a number is final, null when there is none: a justification of it
    or of a later block, in SCALE."""
    proof = _proof(context.served, block_number)
    return None if proof is None else hex_of(encode(proof))


def _proof(served: ServedNode, number: int) -> FinalityProof | None:
    chain = served.chain
    last = min(chain.finalized.number, number + _SEARCHED_BLOCKS)
    for at in range(number, last + 1):
        hash = chain.hash_of(BlockNumber(at))  # type: ignore[arg-type]
        justification = None if hash is None else chain.justification(hash)
        if hash is not None and justification is not None:
            return FinalityProof(hash, justification)
    return None


@GRANDPA.subscription(
    "grandpa_subscribeJustifications",
    notifies="grandpa_justifications",
    ends="grandpa_unsubscribeJustifications",
)
def subscribe_justifications(context: CallContext) -> Subscription:
    """The justifications with which blocks become final, in SCALE."""
    served = context.served

    async def run(tell: Tell) -> None:
        with served.feed.reading() as reader:
            while True:
                event = await reader.next()
                if not isinstance(event, BlockFinalizationEvent):
                    continue
                justification = served.chain.justification(event.hash)
                if justification is not None:
                    await tell(hex_of(justification))

    return run

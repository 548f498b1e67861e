"""GRANDPA, the finality gadget (Polkadot specification, chapter 6; D16, D27, D29).

From the bottom: ``graph`` and ``votes`` say what the votes of a round mean; ``round`` and
``rounds`` decide when to vote and for what; ``authorities`` who may; ``commits`` and
``justification`` prove the outcome; ``validity`` and ``gossip`` judge and spread messages;
``catching_up`` finds what was missed. ``finality``, ``proofs`` and ``machine`` join them to one
machine, with the inputs and effects of ``effects``; ``voter`` drives it.
"""

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import BlockRef, GrandpaChain
from parahost.consensus.grandpa.errors import JustificationError
from parahost.consensus.grandpa.justification import verify_justification
from parahost.consensus.grandpa.target import VotingRule, vote_for_best
from parahost.consensus.grandpa.voter import GrandpaVoter

__all__ = [
    "AuthorityState",
    "BlockRef",
    "GrandpaChain",
    "GrandpaVoter",
    "JustificationError",
    "VotingRule",
    "verify_justification",
    "vote_for_best",
]

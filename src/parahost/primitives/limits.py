"""How large things may grow, in one place, so that the limits fit one another (D35).

What admission lets in can be sent, announced, justified, stored, synced and built upon, with up to
``MAX_VALIDATORS`` validators. A limit that several rooms must agree on stands here, with the sum
that it comes from; a limit that only one room knows stands in that room.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * KIB

MAX_VALIDATORS: Final = 1000
"""Validators of a session, and so authorities of BABE and of GRANDPA."""

MAX_PARACHAINS: Final = 200
"""Each has a core of its own."""
MAX_PARATHREAD_CORES: Final = 100
MAX_CORES: Final = MAX_PARACHAINS + MAX_PARATHREAD_CORES
"""So many bits has a bitfield at most, and so many candidates a block."""
MAX_WAITING_CLAIMS: Final = 1000
"""Claims on parathreads in the queue: each block goes through them for each core."""

MAX_HEADER_BYTES: Final = 128 * KIB
"""A block header. An honest one at a session's end carries both sets of authorities (each 40 bytes
an authority) beside the fixed parts: 80 KiB with 1,000 validators."""
MAX_BODY_BYTES: Final = 16 * MIB
"""All extrinsics of a block: room for the code and the heads of many paras."""
MAX_EXTRINSICS: Final = 16 * 1024
"""Extrinsics of a block. Its weight lets in half of them."""
MAX_CODE_BYTES: Final = 5 * MIB
"""A validation code as it is registered: the upper bound of ``max_code_size``."""
MAX_HEAD_DATA_BYTES: Final = 1 * MIB
"""A para's head: the upper bound of ``max_head_data_size``."""
MAX_COMMITMENTS_BYTES: Final = MAX_CODE_BYTES + MAX_HEAD_DATA_BYTES + 64 * KIB
"""A candidate's commitments. The largest hold new code and a head; messages between chains are not
carried yet (D10)."""
MAX_TRANSACTION_BYTES: Final = MAX_CODE_BYTES + MAX_HEAD_DATA_BYTES + 64 * KIB
"""One transaction. The largest that anybody needs registers a para with its code and head."""
MAX_POV_BYTES: Final = 10 * MIB
"""A proof of validity: what the chain puts into ``max_pov_size``."""
MAX_AVAILABLE_DATA_BYTES: Final = MAX_POV_BYTES + MAX_HEAD_DATA_BYTES + 1 * KIB
"""What is kept available of a candidate: the PoV and the validation data, in which the parent head
is. With up to three validators, one chunk holds all of it."""
MAX_MESSAGES: Final = 1024
MAX_MESSAGE_BYTES: Final = 64 * KIB
"""Messages between chains that a candidate's outputs may be read with. It is invalid with any
(D10)."""

MAX_GRANDPA_VOTES: Final = 2 * MAX_VALIDATORS
"""Votes of one stage of a GRANDPA round: one a voter, or two that equivocate."""
SIGNED_VOTE_BYTES: Final = 32 + 4 + 64 + 32
"""Hash and number of a block, signature, key."""
MAX_GRANDPA_MESSAGE_BYTES: Final = 520 * KIB
"""A message of GRANDPA. The largest is a catch-up, with the votes of both stages of a round:
516 KiB."""
MAX_JUSTIFICATION_BYTES: Final = 1 * MIB
"""Proof that a block is final: a stage's votes (258 KiB), and headers that tie them to the
block. Ordinary headers have 300 bytes, and ordinary votes need few."""

OUTGROWN_AFTER: Final = 16
"""So many blocks below the best one a head is worked on no more, and a fork that begins there is
met anew. Finality ends most forks sooner; while it stands still all would stay, one in four or five
blocks, and each cost its part of every later block."""


def is_outgrown(head: int, best: int) -> bool:
    """Whether a head is too far below the best block to be worked on; by their numbers."""
    return head + OUTGROWN_AFTER <= best

"""In which order this node checks what is disputed.

What a fork of ours has included comes before what others have, and what is confirmed before what a
few say; then the older before the newer. What is neither is not checked: it may be spam.
"""

from __future__ import annotations

from typing import Final

from parahost.node.validity.disputes.attempts import Pace, Rank
from parahost.node.validity.disputes.record import Dispute

MAX_CHECKS: Final = 3
"""Disputed candidates that are checked at a time. They come before the checks of approvals, which
have the other places (``CHECKS_AT_ONCE``)."""
CHECK_AGAIN_S: Final = 15.0
MAX_CHECK_AGAIN_S: Final = 600.0
"""When nothing was found, for lack of data, how long until the next try: twice as long each
time."""
PARTICIPATION: Final = Pace(MAX_CHECKS, CHECK_AGAIN_S, MAX_CHECK_AGAIN_S)


def rank(dispute: Dispute, *, confirmed: bool) -> Rank:
    """Lower comes first. What is concluded can wait, though a vote counts still."""
    return (
        dispute.outcome is not None,
        not (confirmed and dispute.is_included),
        not dispute.is_included,
        dispute.row.begun_ms,
        dispute.key,
    )

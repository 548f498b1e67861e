"""The verifier of tests that check the same blocks again and again."""

from __future__ import annotations

from parahost.crypto.verifier import DirectVerifier
from parahost.simulation.verifier import SharedVerifier

VERIFIER = SharedVerifier(DirectVerifier())
"""The port ``Verifier``: real verdicts, remembered."""

"""Which runtime this is. Signatures of extrinsics cover the two versions."""

from typing import Final

from parahost.primitives.basic import U32

SPEC_NAME: Final = "parahost"
SPEC_VERSION: Final = U32(1)
"""Grows when a block may have another post-state than before."""
TRANSACTION_VERSION: Final = U32(1)
"""Grows when an extrinsic that was signed before would mean something else."""

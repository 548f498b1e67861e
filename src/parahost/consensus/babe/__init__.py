"""BABE, as the Polkadot specification has it (D29): who may author a block in which slot.

* :mod:`~parahost.consensus.babe.epochs`: which authorities and randomness hold on which fork
* :mod:`~parahost.consensus.babe.lottery`: winning a slot, by VRF or in turn
* :mod:`~parahost.consensus.babe.digests`: what BABE writes into headers
* :mod:`~parahost.consensus.babe.verification`: judging a header
* :mod:`~parahost.consensus.babe.equivocation`: two blocks of one author in one slot
* :mod:`~parahost.consensus.babe.claims`: claiming a slot and sealing its block with our keys
"""

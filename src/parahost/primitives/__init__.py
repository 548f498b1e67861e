"""The guide's vocabulary: types with their SCALE forms, hashes and signed payloads.

Pure data, one subject a module:

* :mod:`~parahost.primitives.basic`: indices, keys, hashes
* :mod:`~parahost.primitives.candidates`: receipts, commitments, validation data, PoVs
* :mod:`~parahost.primitives.statements`: statements, attestations, backed candidates
* :mod:`~parahost.primitives.availability`: bitfields, chunks, thresholds
* :mod:`~parahost.primitives.inherent`, :mod:`~parahost.primitives.disputes`
* :mod:`~parahost.primitives.configuration`: the host's parameters
* :mod:`~parahost.primitives.header`, :mod:`~parahost.primitives.consensus`: blocks, BABE, GRANDPA
* :mod:`~parahost.primitives.scale`: the codec
"""

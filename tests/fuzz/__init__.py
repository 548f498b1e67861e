"""Fuzzers for what strangers' bytes meet first: ``make fuzz``.

``forms``: inputs, drawn from the shape of a type and then damaged. ``targets``: the decoders, each
with the errors that it may raise; those of a connection are in ``connections``.
``python -m tests.fuzz --inputs N --seed S`` tries them all.
"""

"""Planted faults that the tests must notice: ``make mutants``.

``faults.toml`` lists them: a file, a piece of its text that stands there once, what it becomes, and
the tests that must fail then. A fault that the tests survive shows a rule that nobody proves.
"""

"""Disputes, the nodes' part: who says what of a candidate, and what this node does about it."""

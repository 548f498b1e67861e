"""Backing: from a collator's candidate to a majority of the group that vouches for it (A72-A88)."""

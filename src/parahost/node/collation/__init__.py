"""Collators' subsystems, and their counterpart on validators (A96, A97, D17)."""

"""Scenarios that are ready to run: ``parahost simulate NAME``."""

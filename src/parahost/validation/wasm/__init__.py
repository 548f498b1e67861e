"""Wasm modules as bytes: what they are made of, what they may be made of, and how deep their
calls may go. Nothing here depends on the engine.
"""

"""JSON-RPC 2.0 for people's tools: what a node knows and takes, over HTTP and WebSocket.

``methods/`` declares each method once, ``table.py`` holds them all, ``service.py`` answers
requests, ``server.py`` brings them in over the network. docs/RPC.md is for those who use it.
"""

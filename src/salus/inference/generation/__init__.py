"""The engine of large models: a process of its own that writes texts and vectors, and what speaks with it.

`process.py` is the side of the model server, `child.py` the process, `engine.py` the contract of what answers inside. Between
them go JSON lines. Knows no HTTP, no keys and no endpoints.
"""

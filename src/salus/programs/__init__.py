"""The only places that put the halves together, one file a program; each runs as `python -m salus.programs.NAME`.

No other room imports this one: the command line starts a program as a process.
"""

"""The process of an engine that repeats what it reads."""

import sys

from salus.inference.generation.child import serve
from salus.inference.limits import private_output
from salus.testing.large import EchoEngine

if __name__ == "__main__":
    serve(EchoEngine, sys.stdin.buffer, private_output())

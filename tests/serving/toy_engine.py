"""The process of an engine that repeats what it reads."""

import sys

from salus.inference.generation.child import private_output, serve
from salus.testing.large import EchoEngine

if __name__ == "__main__":
    serve(EchoEngine, sys.stdin.buffer, private_output())

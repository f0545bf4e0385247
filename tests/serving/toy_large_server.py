"""The model server with an engine of large models that repeats what it reads."""

import sys
from pathlib import Path

from salus.inference.generation import process
from salus.programs.model_server import main

process.CHILD[:] = [sys.executable, "-P", str(Path(__file__).with_name("toy_engine.py"))]

if __name__ == "__main__":
    sys.exit(main())

"""The demo: two real data sets that ship inside an installed package, from data to an answer over curl.

Starts the service when none answers on this home. Running it again finds the service and the same data versions.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.executable).parent
SETS = (
    ("sklearn:breast_cancer", "a table of cell measurements: is the tumour malignant or benign?"),
    ("sklearn:digits", "pictures of handwritten digits: which one is it?"),
)
BUDGET = "20s"


def main() -> int:
    print("Salus demo: two real data sets, no download.\n")
    for source, what in SETS:
        print(f"--- {source}: {what}")
        launched = launch(source)
        if launched is None:
            return 1
        print("\nAsking the endpoint, as printed:\n")
        print(launched["curl"])
        answer = subprocess.run(["sh", "-c", launched["curl"]], capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            print(answer.stderr)
            return 1
        print(f"\nThe answer: {answer.stdout.strip()[:400]}\n")
    print("How to go on:")
    print(f"  {BIN / 'salus'} launch YOUR_FILE_OR_FOLDER --target COLUMN")
    print(f"  {BIN / 'salus'} runs list")
    print("How to stop the service (everything is kept):")
    print(f"  {BIN / 'salus'} down")
    return 0


def launch(source: str) -> dict[str, str] | None:
    """Runs `salus launch` as a person would, with JSON for the facts; prints the report's main lines."""
    target = "target" if "cancer" in source else "label"
    command = [str(BIN / "salus"), "launch", source, "--target", target, "--budget", BUDGET]
    print("$ salus " + " ".join(command[1:]))
    if subprocess.call(["curl", "--version"], stdout=subprocess.DEVNULL) != 0:
        print("curl is needed for the demo's last step.")
        return None
    done = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, text=True, check=False)
    facts = json.loads(done.stdout or "{}")
    if done.returncode != 0:
        print(json.dumps(facts, indent=2))
        return None
    for name, metric in list(facts["metrics"].items())[:3]:
        print(f"  {name}: {metric['value']:.3f} (95 % interval {metric['low']:.3f} to {metric['high']:.3f})")
    print(f"  data version {facts['data_version'][:12]}, model version {facts['version']}")
    print(f"  report: {facts['report']}")
    return {"curl": str(facts["curl"])}


if __name__ == "__main__":
    sys.exit(main())

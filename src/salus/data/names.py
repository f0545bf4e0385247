"""What the name of a column says: people, moments, attributes. Knows no values."""

from __future__ import annotations

import re

_PEOPLE = """
    subject subj patient person user participant athlete member volunteer session client customer student pupil player
    runner rider wearer worker employee donor respondent proband child infant animal pid uid mrn speaker
"""
_MOMENTS = """
    date time datetime timestamp stamp day month year hour minute second week weekday quarter epoch ts season dob birth
    datum monat tag jahr visit trial repetition rep
"""
_ATTRIBUTES = """
    age sex gender weight height length width size type class category status rating score group level grade count total
    sum mean average min max rate ratio percent pct share duration dose race ethnicity education income price cost volume
    pressure temperature temp bmi speed distance steps calories has is was label target
    outcome activity exercise y
"""
PEOPLE = frozenset(_PEOPLE.split())
MOMENTS = frozenset(_MOMENTS.split())
ATTRIBUTES = frozenset(_ATTRIBUTES.split())
PEOPLE_STEMS = (
    "patient",
    "proband",
    "particip",
    "volunt",
    "versuchsperson",
    "paciente",
    "teilnehmer",
    "athlet",
    "sujeto",
)
PEOPLE_SIGNS = ("患者", "病人", "受试者", "被试", "用户", "会员", "学生", "参与者")


def words_of(name: str) -> list[str]:
    """The words of 'patient_nbr', 'PatientId' or 'user id', in lower case."""
    apart = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return [word.lower() for word in re.split(r"[^A-Za-z0-9]+", apart) if word]


def about_people(name: str) -> bool:
    """Whether it names somebody who may lie in many rows; a plain 'id' may too. 'patient_age' names an attribute."""
    if any(sign in name for sign in PEOPLE_SIGNS):
        return True
    words = words_of(name)
    if words == ["id"]:
        return True
    if set(words) & (ATTRIBUTES | MOMENTS):
        return False
    joined = "".join(words)
    return any(
        word in PEOPLE or word.removesuffix("s") in PEOPLE or word.startswith(PEOPLE_STEMS) for word in words
    ) or any(joined == f"{who}id" for who in PEOPLE)


def about_moments(name: str) -> bool:
    """Whether it names a time, a day or a count of them."""
    words = set(words_of(name))
    return bool(words & MOMENTS) or any(word.endswith(("date", "time", "datum")) for word in words)


def about_an_attribute(name: str) -> bool:
    """Whether it names something that people have, not who they are."""
    words = set(words_of(name))
    return bool(words & ATTRIBUTES) and not words & PEOPLE

"""Whether the person column is found: 20 planted tables that have one under a foreign name, 20 that have none, and real sets.

The tables are drawn with other code than finds them: people have constant traits and wandering measurements, or only the latter;
ids are counted, drawn, text or hexadecimal; rows are sorted or not, few or many a person. The bars: 18 of 20 right, 1 false alarm.
With `--data` the real sets there are looked at too, their person columns under foreign names.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figures import Figure, write_figures
from findings_sets import real_tables
from salus.core.context import Context
from salus.core.specs import DataSpec
from salus.data.add import add
from salus.data.groups import find_group

SURE = 0.8  # from here on training uses the column by itself
RIGHT_BAR, ALARM_BAR = 18, 1
Columns = dict[str, object]


def people(
    generator: np.random.Generator, count: int, rows: float, even: bool = True, shuffled: bool = True
) -> np.ndarray:
    """Whose each row is: 0..count-1, about `rows` rows each."""
    sizes = np.full(count, int(rows)) if even else np.maximum(1, generator.geometric(1 / rows, count))
    who = np.repeat(np.arange(count), sizes)
    return generator.permutation(who) if shuffled else who


def traits(generator: np.random.Generator, count: int) -> dict[str, np.ndarray]:
    """What never changes in a person."""
    woman = generator.random(count) < 0.5
    return {
        "sex": np.where(woman, "f", "m"),
        "height": np.round(generator.normal(np.where(woman, 166, 179), 7)),
        "age": generator.integers(18, 80, count).astype(float),
        "smoker": np.where(generator.random(count) < 0.25, "yes", "no"),
        "blood": generator.choice(["0", "A", "B", "AB"], count),
    }


def measured(generator: np.random.Generator, who: np.ndarray, share: float, columns: int) -> dict[str, np.ndarray]:
    """Columns of which `share` of the variance lies between people."""
    own = generator.normal(0, np.sqrt(share), (who.max() + 1, columns))
    values = 50 + 10 * (own[who] + generator.normal(0, np.sqrt(1 - share), (len(who), columns)))
    return {f"m{index}": np.round(column, 2) for index, column in enumerate(values.T)}


def chosen(table: dict[str, np.ndarray], names: str, who: np.ndarray) -> dict[str, np.ndarray]:
    return {name: table[name][who] for name in names.split()}


def with_people(generator: np.random.Generator) -> dict[str, tuple[str, Columns]]:
    """Name -> (the person column, the table)."""
    sets: dict[str, tuple[str, Columns]] = {}

    def plant(
        name: str, column: str, count: int, rows: float, ids: Callable[[int], np.ndarray], constant: str, share: float,
        columns: int, even: bool = True, shuffled: bool = True, more: Callable[[np.ndarray], Columns] = lambda who: {},
    ) -> None:  # fmt: skip
        who = people(generator, count, rows, even, shuffled)
        table: Columns = {column: ids(count)[who]}
        table |= chosen(traits(generator, count), constant, who) | measured(generator, who, share, columns) | more(who)
        sets[name] = (column, table)

    drawn = lambda digits: lambda count: generator.choice(9 * 10**digits, count, replace=False) + 10**digits  # noqa: E731
    text = lambda form: lambda count: np.array([form.format(index) for index in generator.permutation(count)])  # noqa: E731
    counted = lambda count: np.arange(1, count + 1)  # noqa: E731
    initials = lambda count: np.array([chr(65 + i // 26) + chr(65 + i % 26) for i in generator.permutation(count)])  # noqa: E731
    hexadecimal = lambda count: np.array([generator.bytes(6).hex() for _ in range(count)])  # noqa: E731
    noise = lambda many: lambda who: {f"n{i}": np.round(generator.normal(size=len(who)), 3) for i in range(many)}  # noqa: E731

    plant("gym visits", "ausweis", 120, 9, drawn(5), "sex height", 0.4, 3)
    plant("clinic visits", "akte", 200, 4, text("P-{:04d}"), "sex age blood", 0.3, 4, even=False)
    plant("nights of sleep", "x7", 12, 30, counted, "", 0.5, 6)
    plant("glucose meters", "geraet", 40, 60, drawn(7), "", 0.35, 4, even=False)
    plant("two eyes each", "k", 300, 2, counted, "sex age", 0.7, 2)
    plant("hashed names", "h", 90, 12, hexadecimal, "smoker age", 0.3, 3)
    plant("probands", "probanden_nr", 25, 20, counted, "", 0.3, 3)
    plant("windows of walking, sorted", "who", 15, 80, counted, "", 0.3, 30, shuffled=False)
    plant("windows of walking, mixed", "a", 15, 80, counted, "", 0.3, 30)
    plant("pupils by initials", "kuerzel", 60, 8, initials, "sex age height", 0.4, 3)
    plant("runs of runners", "startnr", 300, 5, drawn(3), "sex age", 0.6, 3)
    plant("eight in rehabilitation", "c1", 8, 40, counted, "sex age height", 0.4, 5)
    sets["a long study"] = ("fall", long_study(generator))
    sets["ids with gaps"] = ("nr", with_gaps(generator))
    plant("people of sites", "b", 150, 6, drawn(4), "sex age height", 0.3, 3, more=lambda who: {"site": who % 5 + 1})
    plant("sessions of people", "p", 40, 24, counted, "sex height age", 0.4, 3, more=lambda who: sessions(who))
    plant("among noise", "v12", 70, 10, drawn(4), "sex age height", 0.2, 1, more=noise(40))
    plant(
        "a food diary", "code", 50, 20, text("D{:03d}"), "sex blood smoker", 0.2, 1, even=False, more=meals(generator)
    )
    plant("an account", "账号", 2000, 15, drawn(6), "sex age", 0.3, 3, even=False)
    plant("ids as decimals", "q", 25, 30, lambda count: 101.0 + np.arange(count), "height age", 0.2, 4)
    return sets


def long_study(generator: np.random.Generator) -> Columns:
    """People come once a year and grow older."""
    who = people(generator, 80, 6, shuffled=False)
    year = np.tile(np.arange(6), 80)
    fixed = traits(generator, 80)
    order = generator.permutation(len(who))
    age = fixed["age"][who] + year
    table = {"fall": who + 1000, "age": age, "sex": fixed["sex"][who], "wave": year + 1}
    return {name: column[order] for name, column in (table | measured(generator, who, 0.5, 3)).items()}


def with_gaps(generator: np.random.Generator) -> Columns:
    who = people(generator, 45, 14)
    ids = [None if generator.random() < 0.05 else int(person) + 500 for person in who]
    return {"nr": ids, **chosen(traits(generator, 45), "sex age height", who), **measured(generator, who, 0.4, 2)}


def sessions(who: np.ndarray) -> Columns:
    """Four sessions a person, with a number of their own."""
    seen = np.zeros(who.max() + 1, dtype=int)
    numbers = []
    for person in who:
        numbers.append(int(person) * 4 + seen[person] // 6)
        seen[person] += 1
    return {"s": numbers}


def meals(generator: np.random.Generator) -> Callable[[np.ndarray], Columns]:
    def made(who: np.ndarray) -> Columns:
        liked = generator.dirichlet(np.ones(5), who.max() + 1)
        foods = np.array(["rice", "bread", "fruit", "fish", "soup"])
        return {
            "food": np.array([foods[generator.choice(5, p=liked[person])] for person in who]),
            "meal": generator.choice(["morning", "noon", "evening"], len(who)),
        }

    return made


def without_people(generator: np.random.Generator) -> dict[str, Columns]:
    """One row a person, or no person at all."""
    rows = 800

    def base(many: int = rows) -> Columns:
        fixed = traits(generator, many)
        pressure = np.round(100 + 0.5 * fixed["age"] + generator.normal(0, 12, many))
        return {
            **fixed,
            "pressure": pressure,
            "weight": np.round(fixed["height"] - 100 + generator.normal(0, 10, many), 1),
        }

    table = base()
    age, weight, height = (np.asarray(table[name], dtype=float) for name in ("age", "weight", "height"))
    order = np.argsort(age, kind="stable")
    job = np.where(
        age < 25, "student", np.where(age > 66, "retired", generator.choice(["office", "craft", "care"], rows))
    )
    sets: dict[str, Columns] = {
        "one row each": {"code": generator.permutation(9000)[:rows] + 1000, **table},
        "no id": base(),
        "work goes with age": {**table, "work": job},
        "whole measurements": {f"x{i}": np.round(generator.normal(80 + age / 3, 12)) for i in range(8)},
        "diagnoses and chapters": {**base(), **diagnoses(generator, rows)},
        "hours of weather": weather(generator),
        "days and weekdays": days(generator),
        "exercises and muscles": exercises(generator),
        "wards": {**base(), **picked(generator, rows, "ward", 6, {"kind": ["a", "b", "a", "c", "b", "c"]})},
        "postal codes": {**base(), **postal(generator, rows)},
        "three devices": {**base(), **picked(generator, rows, "device", 3, {"hz": [25, 50, 100]})},
        "doses": doses(generator),
        "pixels": pixels(generator),
        "questionnaire": questionnaire(generator),
        "sorted by age": {name: np.asarray(column)[order] for name, column in base().items()} | {"age": age[order]},
        "laboratory batches": {**base(), "batch": np.repeat(np.arange(40), rows // 40)},
        "copied rows": copied(generator, base()),
        "classes of numbers": {
            **table,
            "years": age,
            "decade": np.array([f"{int(a) // 10 * 10}+" for a in age]),
            "born": 2026 - age,
            "bmi": np.round(weight / (height / 100) ** 2),
        },
        "labels twice": labels(generator),
        "treadmill programs": {
            **measured(generator, people(generator, 1, rows), 0.0, 3),
            **picked(generator, rows, "program", 12, {"speed": [8, 6, 12, 9, 14, 7, 11, 8, 10, 13, 6, 9], "incline": [0, 3, 1, 5] * 3}),
        },
    }  # fmt: skip
    return sets


def picked(generator: np.random.Generator, rows: int, name: str, count: int, fixed: dict[str, list[object]]) -> Columns:
    """A code of few levels, and what goes with it."""
    code = generator.integers(0, count, rows)
    return {name: code + 1, **{key: np.array(values)[code] for key, values in fixed.items()}}


def diagnoses(generator: np.random.Generator, rows: int) -> Columns:
    code = np.minimum(generator.geometric(0.02, rows), 180)
    letters = np.array(list("ABCDEFGHIJKLMNOPQR"))
    return {
        "diag": np.array([f"{letters[c // 11]}{c % 11:02d}" for c in code]),
        "chapter": letters[code // 11],
        "stay": np.round(2 + generator.gamma(2, 1 + code % 3)),
    }


def postal(generator: np.random.Generator, rows: int) -> Columns:
    code = generator.integers(0, 60, rows)
    return {"plz": np.array([f"{10115 + 137 * c}" for c in code]), "region": np.array(list("nesw"))[code // 15]}


def weather(generator: np.random.Generator) -> Columns:
    hours = np.arange(2000)
    warm = 10 + 8 * np.sin(hours * 2 * np.pi / 24) + 5 * np.sin(hours / 300) + generator.normal(0, 2, 2000)
    return {
        "h": hours % 24,
        "mon": 1 + hours // 730,
        "warm": np.round(warm, 1),
        "damp": np.round(90 - 2 * warm + generator.normal(0, 5, 2000)),
        "wind": np.round(generator.gamma(2, 3, 2000)),
    }


def days(generator: np.random.Generator) -> Columns:
    day = np.repeat(np.arange(60), 12)
    names = np.array("mo tu we th fr sa su".split())  # noqa: SIM905
    return {
        "tag": np.array([f"2025-{1 + d // 30:02d}-{1 + d % 30:02d}" for d in day]),
        "wd": names[day % 7],
        "free": np.where(day % 7 >= 5, "yes", "no"),
        "visits": generator.poisson(20 + 10 * (day % 7 >= 5)),
        "warm": np.round(generator.normal(15, 4, len(day)), 1),
    }


def exercises(generator: np.random.Generator) -> Columns:
    names = np.array("squat press row curl dip plank lunge swing pull push".split())  # noqa: SIM905
    muscles = np.array("leg arm back arm arm core leg hip back chest".split())  # noqa: SIM905
    code = generator.integers(0, 10, 700)
    return {
        "exercise": names[code],
        "muscle": muscles[code],
        "load": np.round(20 + 5 * code + generator.normal(0, 10, 700), 1),
        "reps": generator.integers(3, 15, 700),
        "sets": generator.integers(1, 6, 700),
    }


def doses(generator: np.random.Generator) -> Columns:
    level = generator.integers(0, 6, 600)
    amount = np.array([0, 2.5, 5, 10, 20, 40])[level]
    return {
        "arm": level,
        "mg": amount,
        "effect": np.round(amount * 0.3 + generator.normal(0, 4, 600), 2),
        "harm": np.round(amount * 0.1 + generator.normal(0, 2, 600), 2),
    }


def pixels(generator: np.random.Generator) -> Columns:
    smooth = generator.normal(size=(900, 1)) * 3 + np.cumsum(generator.normal(size=(900, 16)), axis=1)
    return {f"p{i}": np.clip(np.round(8 + 2 * column), 0, 16) for i, column in enumerate(smooth.T)}


def questionnaire(generator: np.random.Generator) -> Columns:
    mood = generator.normal(size=500)
    return {f"q{i}": np.clip(np.round(4 + mood + generator.normal(size=500)), 1, 7) for i in range(20)}


def copied(generator: np.random.Generator, table: Columns) -> Columns:
    rows = len(np.asarray(table["age"]))
    numbered: Columns = {"nr": generator.permutation(5000)[:rows], **table}
    again = np.concatenate([np.arange(rows), generator.integers(0, rows, rows // 20)])
    return {name: np.asarray(column)[again] for name, column in numbered.items()}


def labels(generator: np.random.Generator) -> Columns:
    code = np.sort(generator.integers(0, 9, 900))
    return {
        "what": np.array([f"activity {c}" for c in code]),
        "what_nr": code,
        **{f"f{i}": np.round(generator.normal(code * generator.normal(), 2), 3) for i in range(6)},
    }


def guessed(folder: Path, name: str, columns: Columns | pa.Table) -> tuple[str | None, float]:
    """The surely found column of a table, and how sure."""
    table = columns if isinstance(columns, pa.Table) else pa.table({key: pa.array(v) for key, v in columns.items()})
    file = folder / f"{name}.parquet"
    pq.write_table(table, file)
    version = add(file, DataSpec(), folder / f"{name}.version", Context())
    guess = find_group(version, version.schema)
    print(f"{name:32s} {guess}", flush=True)
    return (guess.column, guess.confidence) if guess and guess.confidence >= SURE else (None, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of real sets, looked at too")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "groups.json")
    asked = parser.parse_args()
    generator = np.random.default_rng(asked.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        planted = with_people(generator)
        right = [guessed(folder, set_, table)[0] == column for set_, (column, table) in planted.items()]
        clean = without_people(generator)
        alarms = [guessed(folder, set_, table)[0] is not None for set_, table in clean.items()]
        figures = [
            Figure("person columns found", float(sum(right)), f"of {len(right)} tables", f"bar {RIGHT_BAR}"),
            Figure("false alarms", float(sum(alarms)), f"of {len(alarms)} tables", f"bar {ALARM_BAR}"),
        ]
        real = [
            (guessed(folder, set_, table)[0], who)
            for set_, (table, who) in real_tables(asked.data, foreign=True).items()
        ]
        with_who = [found == who for found, who in real if who is not None]
        no_who = [found is not None for found, who in real if who is None]
        figures.append(Figure("real sets: found", float(sum(with_who)), f"of {len(with_who)} sets with people"))
        figures.append(Figure("real sets: false alarms", float(sum(no_who)), f"of {len(no_who)} sets without people"))
    write_figures("groups", figures, asked.output)


if __name__ == "__main__":
    main()

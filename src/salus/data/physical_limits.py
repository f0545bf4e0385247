"""What a measured quantity can be, by the name of its column: physical limits, and units that are mixed up.

Knows names and numbers; does not know tables.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from salus.data.names import words_of

FAHRENHEIT = (1.8, 32.0)
FEWEST_OF_A_UNIT = 5  # values, and
LEAST_OF_A_UNIT = 0.01  # of all
ROUNDS = 120  # of the fit; the second half without a given distance
GAIN = 10.0  # of the logarithm of the likelihood, beyond what three more parameters bring by chance


@dataclass(frozen=True)
class Quantity:
    """low, high: what can be. zero_is_missing: whether 0 cannot be. ratios: of the units in use, with their names."""

    name: str
    low: float
    high: float
    zero_is_missing: bool = False
    ratios: tuple[tuple[float, str], ...] = ()


HUNDREDFOLD = ((100.0, "m, cm"), (2.54, "inch, cm"))
PRESSURE = Quantity("blood pressure", 20, 300, True, ((7.50062, "kPa, mmHg"),))
AGE = Quantity("age", 0, 120)
RATE = Quantity("heart rate", 20, 260, True, ((60.0, "Hz, 1/min"),))
HEIGHT = Quantity("height", 0.2, 280, True, HUNDREDFOLD)
WEIGHT = Quantity("weight", 0.2, 650, True, ((2.20462, "kg, lb"), (1000.0, "kg, g")))
BMI = Quantity("body mass index", 5, 150, True)
GLUCOSE = Quantity("glucose", 0.5, 3000, True, ((18.016, "mmol/L, mg/dL"),))
CHOLESTEROL = Quantity("cholesterol", 0.5, 2500, True, ((38.67, "mmol/L, mg/dL"),))
CREATININE = Quantity("creatinine", 0.05, 4000, True, ((88.42, "mg/dL, umol/L"),))
WARMTH = Quantity("body temperature", 20, 115, True)
SATURATION = Quantity("oxygen saturation", 0, 100, True, ((100.0, "share, %"),))
PERCENT = Quantity("percentage", 0, 100, False, ((100.0, "share, %"),))
BREATHS = Quantity("breaths a minute", 1, 120, True)
DISTANCE = Quantity("distance", 0, np.inf, False, ((1.609344, "mile, km"), (1000.0, "km, m")))
DURATION = Quantity("duration", 0, np.inf, False, ((60.0, "min, s"),))
COUNT = Quantity("count", 0, np.inf)
QUANTITIES = (  # the first whose pattern fits the words of the name, joined by blanks
    (r"\b(sbp|dbp|systolic|diastolic|bp|ap hi|ap lo|trestbps|blood ?pressure)\b", PRESSURE),
    (r"\bage\b(?!.* (group|class|band|range))", AGE),
    (r"\b(heart ?rate|hr|bpm|pulse|thalach)\b", RATE),
    (r"\b(resp(iratory|iration)? rate|breath(ing)? rate)\b", BREATHS),
    (r"^(body |patient |person )?(height|stature)( cm| m| in)?$", HEIGHT),
    (r"^(body |patient |person )?(weight|mass)( kg| lbs?| g)?$", WEIGHT),
    (r"\b(bmi|body mass index)\b", BMI),
    (r"\b(glucose|blood sugar)\b", GLUCOSE),
    (r"\b(cholesterol|chol|ldl|hdl)\b", CHOLESTEROL),
    (r"\bcreatinine\b", CREATININE),
    (r"\bbody temp(erature)?\b|^(temp(erature)? )?(celsius|fever)$", WARMTH),
    (r"\b(spo2|sao2|oxygen saturation|saturation)\b", SATURATION),
    (r"\b(percent|percentage|pct)\b(?!.*(change|diff|growth))(?<!change percent)", PERCENT),
    (r"\bdistances?\b|\b(km|miles)\b", DISTANCE),
    (r"\bdurations?\b|\b(minutes|seconds|hours)\b", DURATION),
    (r"\b(steps|calories|kcal|visits|reps|repetitions|count|dose)\b(?!.*(change|diff|balance))", COUNT),
)
_PATTERNS = tuple((re.compile(pattern), quantity) for pattern, quantity in QUANTITIES)


def quantity_of(name: str) -> Quantity | None:
    """The quantity that a column measures, as far as its name says."""
    words = " ".join(words_of(name))
    return next((quantity for pattern, quantity in _PATTERNS if pattern.search(words)), None)


def mixed_units(values: np.ndarray, quantity: Quantity) -> tuple[str, np.ndarray] | None:
    """The two units that values (N,) seem to be in, and a mask of the rarer unit; None when they are in one."""
    positive = np.isfinite(values) & (values > 0)
    if quantity is WARMTH:
        return _two_temperatures(values, positive)
    for ratio, names in quantity.ratios:
        higher = split_by_ratio(values[positive], ratio)
        if higher is not None:
            mask = np.zeros(len(values), dtype=bool)
            mask[positive] = higher if higher.mean() <= 0.5 else ~higher
            return names, mask
    return None


def split_by_ratio(values: np.ndarray, ratio: float) -> np.ndarray | None:
    """Which of positive values (N,) are those of the unit `ratio` times as fine, when there are two of one shape.

    Two normal curves over the logarithm are fitted by expectation maximisation (Dempster, Laird and Rubin 1977), first
    `log(ratio)` apart and of one width, then freely: they must stay where they are, as alike, and explain more than one curve.
    """
    if len(values) < 4 * FEWEST_OF_A_UNIT:
        return None
    logs, apart = np.log(values), float(np.log(ratio))
    if np.quantile(logs, 0.999) - np.quantile(logs, 0.001) < apart:
        return None
    for low in (float(np.median(logs)), float(np.median(logs)) - apart):
        higher = _fitted(logs, low, apart)
        if higher is not None:
            return higher
    return None


def _fitted(logs: np.ndarray, low: float, apart: float) -> np.ndarray | None:
    """The upper of two curves whose lower one starts at `low`, as a mask, or None when they are no two units."""
    means, widths, share = np.array([low, low + apart]), np.full(2, apart / 4), 0.3
    for turn in range(ROUNDS):
        weights = _weights(logs, means, widths, share)
        total = weights.sum(axis=0)
        if total.min() < FEWEST_OF_A_UNIT / 2:
            return None
        share = float(total[1] / len(logs))
        if turn < ROUNDS // 2:
            lower = float((logs - weights[:, 1] * apart).mean())
            means = np.array([lower, lower + apart])
            widths = np.full(2, np.sqrt((weights * (logs[:, None] - means) ** 2).sum() / len(logs)))
        else:
            means = (weights * logs[:, None]).sum(axis=0) / total
            widths = np.sqrt((weights * (logs[:, None] - means) ** 2).sum(axis=0) / total)
        widths = np.maximum(widths, apart / 1000)
    higher = weights[:, 1] > 0.5
    count = min(int(higher.sum()), int((~higher).sum()))
    off = abs(float(means[1] - means[0]) - apart)
    fits = off <= max(0.05 * apart, min(3 * widths.max() / np.sqrt(max(count, 1)), 0.12 * apart))
    alike = 0.5 <= widths[1] / widths[0] <= 2 and widths.max() <= apart / 3.3
    if count < max(FEWEST_OF_A_UNIT, LEAST_OF_A_UNIT * len(logs)) or not fits or not alike:
        return None
    curves = _curves(logs, means, widths, share).sum(axis=1)
    one = _curves(logs, np.full(2, logs.mean()), np.full(2, logs.std()), 0.5).sum(axis=1)
    gain = float(np.log(np.maximum(curves, 1e-300)).sum() - np.log(np.maximum(one, 1e-300)).sum())
    return higher if gain > 1.5 * np.log(len(logs)) + GAIN else None


def _curves(logs: np.ndarray, means: np.ndarray, widths: np.ndarray, share: float) -> np.ndarray:
    """(N, 2): the densities of the two curves, by their shares."""
    return np.asarray(np.exp(-0.5 * ((logs[:, None] - means) / widths) ** 2) / widths * np.array([1 - share, share]))


def _weights(logs: np.ndarray, means: np.ndarray, widths: np.ndarray, share: float) -> np.ndarray:
    curves = _curves(logs, means, widths, share)
    return np.asarray(curves / np.maximum(curves.sum(axis=1, keepdims=True), 1e-300))


def _two_temperatures(values: np.ndarray, positive: np.ndarray) -> tuple[str, np.ndarray] | None:
    """Body temperatures in degrees Celsius and Fahrenheit."""
    celsius = positive & (values >= 30) & (values <= 45)
    fahrenheit = (
        positive & (values >= 30 * FAHRENHEIT[0] + FAHRENHEIT[1]) & (values <= 45 * FAHRENHEIT[0] + FAHRENHEIT[1])
    )
    fewest = max(FEWEST_OF_A_UNIT, LEAST_OF_A_UNIT * positive.sum())
    if min(celsius.sum(), fahrenheit.sum()) < fewest:
        return None
    return "°C, °F", fahrenheit if fahrenheit.sum() <= celsius.sum() else celsius

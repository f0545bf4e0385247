"""Configs to try: Optuna is asked for one and told what came of the others.

The sampler's seed follows from the run's seed and the number of the trial, and the trials before are rebuilt from their
records, so that a killed run asks the same questions again. Knows no fit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from salus.core.wire import canonical, digest
from salus.learners import learner_named

STARTUP_TRIALS = 8


def searches(learner: str) -> dict[str, dict[str, Any]]:
    """Option -> {"low", "high", "log"} or {"choices"}, of those that may be varied."""
    properties = learner_named(learner).Config.model_json_schema()["properties"]
    return {name: schema["search"] for name, schema in properties.items() if "search" in schema}


def ask(
    learner: str,
    base: Mapping[str, Any],
    fixed: Mapping[str, Any],
    told: Sequence[tuple[Mapping[str, Any], float]],
    seed: int,
    number: int,
) -> dict[str, Any]:
    """The config of trial `number`: `base` with some options varied.

    fixed: options that the person named. told: (config, loss) of the fits before, in their order; with none the trial is
    drawn at random, so that it may be made before anything is fitted.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    config = learner_named(learner).Config
    distributions = {
        name: _distribution(search, config.model_fields[name].default)
        for name, search in searches(learner).items()
        if name not in fixed
    }
    drawn = int(digest(canonical([seed, learner, number]))[:8], 16)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Optuna calls parts of itself experimental
        sampler: Any = (
            optuna.samplers.TPESampler(seed=drawn, n_startup_trials=STARTUP_TRIALS, multivariate=True)
            if told
            else optuna.samplers.RandomSampler(seed=drawn)
        )
        study = optuna.create_study(sampler=sampler)
        for known, loss in told:
            parameters = {name: known[name] for name in distributions if _inside(known[name], distributions[name])}
            if len(parameters) == len(distributions):
                study.add_trial(optuna.trial.create_trial(params=parameters, distributions=distributions, value=loss))
        varied = study.ask(distributions).params
    return config(**{**base, **varied}).model_dump(mode="json")


def _distribution(search: Mapping[str, Any], default: Any) -> Any:
    from optuna import distributions

    if "choices" in search:
        return distributions.CategoricalDistribution(search["choices"])
    if isinstance(default, int) and not isinstance(default, bool):
        return distributions.IntDistribution(int(search["low"]), int(search["high"]), log=search["log"])
    return distributions.FloatDistribution(float(search["low"]), float(search["high"]), log=search["log"])


def _inside(value: Any, distribution: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except (TypeError, ValueError):
        return False

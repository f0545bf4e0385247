"""The detector on a trunk that was learned before: the first blocks stay, the graph says what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from tests.learners.learner_boxes import prepared_pictures
from tests.learners.test_pretrained import drawn

from salus.core.context import Context
from salus.core.errors import SalusError
from salus.inference.engines.onnx import OnnxEngine
from salus.learners.detector import DetectorFitted
from salus.learners.networks.detecting_pretrained import SeenTrunk
from salus.learners.networks.efficient import LAST, STAGES, STEM
from salus.learners.pretrained_detector import PretrainedDetector, PretrainedDetectorConfig
from salus.tasks import task_named
from salus.tasks.detection import ObjectDetection

QUICK: dict[str, Any] = {"weights": "mine.safetensors", "width": 8, "steps": 4, "batch_rows": 2, "tuned_blocks": 3}


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.safetensors").write_bytes(save(drawn(STEM, STAGES, LAST)))
    monkeypatch.setenv("SALUS_WEIGHTS", str(tmp_path))


def test_the_first_blocks_stay_the_last_ones_learn_and_the_graph_agrees(tmp_path: Path) -> None:
    prepared = prepared_pictures(train=6, validation=3)
    config = PretrainedDetectorConfig(**QUICK)
    before = PretrainedDetector.network(config, prepared)(2).trunk
    fitted = PretrainedDetector(config).fit(prepared, Context())
    assert isinstance(fitted, DetectorFitted)
    after = fitted.network.trunk
    assert isinstance(before, SeenTrunk) and isinstance(after, SeenTrunk)
    pairs = list(zip(before.named_parameters(), after.parameters(), strict=True))
    same = {name: bool(np.array_equal(one.detach(), other)) for (name, one), other in pairs}
    assert all(same[name] for name in same if name.startswith("first"))
    assert not any(same[name] for name in same if name.startswith("rest.1.4"))
    engine, feeds = OnnxEngine(), prepared.validation.feeds
    engine.load(fitted.graphs(tmp_path), 1)
    found = engine.run("main", feeds, ["detections"])[0]
    assert ObjectDetection().agree(fitted.raw(feeds), found) <= 1


def test_it_learns_detection_alone_and_asks_for_weights_that_are_not_there() -> None:
    assert PretrainedDetector.learns(task_named("object-detection"), frozenset({"image"}))
    assert not PretrainedDetector.learns(task_named("image-classification"), frozenset({"image"}))
    with pytest.raises(SalusError) as caught:
        config = PretrainedDetectorConfig(**QUICK | {"weights": "other.safetensors"})
        PretrainedDetector(config).fit(prepared_pictures(2, 1), Context())
    assert caught.value.code == "weights_missing"

"""The learners there are, one file each. Adding one is one file and one name in `LEARNERS`."""

from __future__ import annotations

import importlib
import importlib.util

from salus.core.errors import SalusError
from salus.learners.base import Learner

LEARNERS: dict[str, str] = {
    "linear": "salus.learners.linear:Linear",
    "svm": "salus.learners.svm:Svm",
    "tree": "salus.learners.tree:DecisionTree",
    "forest": "salus.learners.forest:Forest",
    "boosting": "salus.learners.boosting:Boosting",
    "mlp": "salus.learners.mlp:Mlp",
    "cnn": "salus.learners.cnn:Cnn",
    "flow": "salus.learners.flow:Flow",
    "fusion": "salus.learners.fusion:Fusion",
    "rocket": "salus.learners.rocket:Rocket",
    "pretrained": "salus.learners.pretrained:Pretrained",
    "cnn1d": "salus.learners.cnn1d:Cnn1d",
    "rnn": "salus.learners.rnn:Rnn",
    "seasonal_naive": "salus.learners.seasonal_naive:SeasonalNaive",
    "linear_forecast": "salus.learners.linear_forecast:LinearForecast",
    "boosting_forecast": "salus.learners.boosting_forecast:BoostingForecast",
    "patch_transformer": "salus.learners.patch_transformer:PatchTransformerForecast",
    "rnn_forecast": "salus.learners.rnn_forecast:RnnForecast",
    "bag": "salus.learners.bag:Bag",
    "text_cnn": "salus.learners.text_cnn:TextCnn",
    "text_rnn": "salus.learners.text_rnn:TextRnn",
    "lead": "salus.learners.central:Lead",
    "textrank": "salus.learners.central:TextRank",
    "pretrained_text": "salus.learners.started:PretrainedText",
    "pretrained_image": "salus.learners.started:PretrainedImage",
    "extractive": "salus.learners.extractive:Extractive",
    "decoder_transformer": "salus.learners.decoder_transformer:DecoderTransformer",
    "lstm_text": "salus.learners.lstm_text:LstmText",
    "seq2seq_transformer": "salus.learners.seq2seq_transformer:Seq2SeqTransformer",
    "seq2seq_rnn": "salus.learners.seq2seq_rnn:Seq2SeqRnn",
    "text_transformer": "salus.learners.text_transformer:TextTransformer",
    "sentence": "salus.learners.sentence:Sentence",
    "audio_cnn": "salus.learners.audio_cnn:AudioCnn",
    "ctc": "salus.learners.ctc:Ctc",
    "detector": "salus.learners.detector:Detector",
    "pretrained_detector": "salus.learners.pretrained_detector:PretrainedDetector",
}
# the package that must be importable, and the extra that brings it
NEEDS: dict[str, tuple[str, str]] = {
    "linear": ("sklearn", "train"),
    "svm": ("sklearn", "train"),
    "tree": ("sklearn", "train"),
    "forest": ("sklearn", "train"),
    "boosting": ("lightgbm", "train"),
    "mlp": ("torch", "deep"),
    "cnn": ("torch", "deep"),
    "audio_cnn": ("torch", "deep"),
    "ctc": ("torch", "deep"),
    "flow": ("torch", "deep"),
    "fusion": ("torch", "deep"),
    "rocket": ("sklearn", "train"),
    "pretrained": ("torch", "deep"),
    "cnn1d": ("torch", "deep"),
    "rnn": ("torch", "deep"),
    "seasonal_naive": ("sklearn", "train"),
    "linear_forecast": ("sklearn", "train"),
    "boosting_forecast": ("lightgbm", "train"),
    "patch_transformer": ("torch", "deep"),
    "rnn_forecast": ("torch", "deep"),
    "bag": ("torch", "deep"),
    "text_cnn": ("torch", "deep"),
    "text_rnn": ("torch", "deep"),
    "lead": ("onnx", "train"),
    "textrank": ("onnx", "train"),
    "pretrained_text": ("transformers", "transfer"),
    "pretrained_image": ("transformers", "transfer"),
    "extractive": ("torch", "deep"),
    "decoder_transformer": ("torch", "deep"),
    "lstm_text": ("torch", "deep"),
    "seq2seq_transformer": ("torch", "deep"),
    "seq2seq_rnn": ("torch", "deep"),
    "text_transformer": ("torch", "deep"),
    "sentence": ("torch", "deep"),
    "detector": ("torch", "deep"),
    "pretrained_detector": ("torch", "deep"),
}


def learner_named(name: str) -> type[Learner]:
    """The class; `bad_spec` for an unknown name, `extra_missing` when its library is not installed."""
    if name not in LEARNERS:
        raise SalusError("bad_spec", where="learner", expected=f"auto or one of {', '.join(LEARNERS)}", found=name[:60])
    package, extra = NEEDS.get(name, ("", ""))
    if package and importlib.util.find_spec(package) is None:
        raise SalusError("extra_missing", where=f"the learner {name}", found=package, extra=extra)
    module, _, attribute = LEARNERS[name].partition(":")
    learner: type[Learner] = getattr(importlib.import_module(module), attribute)
    assert issubclass(learner, Learner)
    return learner

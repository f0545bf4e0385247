"""The CIFAR-10 network that many people meet first, once written for Keras; see docs/first-network.md.

Conv 32 3x3 relu, max-pool, conv 64 3x3 relu, max-pool, dense 64 relu, dense 10 softmax; pixels divided by 255; pictures turned by up to 15
degrees, shifted by up to a tenth and mirrored; Adam, cross-entropy; batches of 32, 100 steps an epoch, 10 epochs.
"""

from __future__ import annotations

from typing import Any

STEPS_PER_EPOCH = 100
EPOCHS = 10


def cifar10_keras_cnn() -> dict[str, Any]:
    """Learner and options."""
    return {
        "learner": "cnn",
        "options": {
            "network": "recipe",
            "width": 32,
            "steps": STEPS_PER_EPOCH * EPOCHS,
            "batch_rows": 32,
            "optimiser": "adam",
            "learning_rate": 0.001,
            "schedule": "constant",
            "weight_decay": 0.0,
            "label_smoothing": 0.0,
            "flip": "on",
            "flip_average": "off",
            "shift": 0.1,
            "rotation_degrees": 15.0,
            "precision": "float32",
            "ema": 0.0,
            "patience": 0,
        },
    }

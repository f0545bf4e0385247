"""The CIFAR-10 network of many a first Keras lesson, repaired: what changed is marked.

Runs in a Python of its own that has tensorflow-cpu, scipy, pillow and pyarrow. Reads train.parquet and test.parquet (columns `image`,
encoded bytes, and `label`) of the folder it is given, prints one line of JSON: seconds of the fit and accuracy on the test pictures.
"""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet
from PIL import Image
from tensorflow import keras
from tensorflow.keras import layers
from tensorflow.keras.preprocessing.image import ImageDataGenerator  # repaired: was keras.preprocessing.image


def read(path: Path, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 32, 32, 3) between 0 and 1, labels as numbers (N,)."""
    table = parquet.read_table(path, columns=["image", "label"])
    pictures = [np.asarray(Image.open(io.BytesIO(content)).convert("RGB")) for content in table["image"].to_pylist()]
    labels = table["label"].to_pylist()
    names.extend(sorted(set(labels) - set(names)))
    return np.stack(pictures) / np.float32(255), np.array([names.index(label) for label in labels])


def network() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )
    # Repaired: was categorical_crossentropy, which expects one-hot vectors.
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main() -> None:
    names: list[str] = []
    train = read(Path(sys.argv[1]) / "train.parquet", names)
    test = read(Path(sys.argv[1]) / "test.parquet", names)
    generator = ImageDataGenerator(
        rotation_range=15, width_shift_range=0.1, height_shift_range=0.1, horizontal_flip=True
    )
    model = network()
    began, processor = time.monotonic(), time.process_time()
    model.fit(
        generator.flow(*train, batch_size=32),
        steps_per_epoch=100,
        epochs=10,
        validation_data=test,
        verbose=0,
    )
    fit_s, processor_s = time.monotonic() - began, time.process_time() - processor
    accuracy = float(np.mean(model.predict(test[0], verbose=0).argmax(axis=1) == test[1]))
    print(json.dumps({"fit_s": fit_s, "processor_s": processor_s, "accuracy": accuracy}), flush=True)


if __name__ == "__main__":
    main()

"""Pictures: encoded bytes in, one size of uint8 pixels out.

Knows formats, limits and orientation. The size is learned from train pictures; the same Pillow calls resize in training and
in serving, since a batch needs one size before a graph begins. Scaling of pixel values is in the graph.
Where a place in the picture matters, it is shown whole and unbent (`whole`), and its own size is a feed beside its pixels.
"""

from __future__ import annotations

import base64
import binascii
import io
import struct
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
MAX_PIXELS = 40_000_000
MAX_SIDE = 224  # pictures of many sizes are brought to their median size, at most this
WHOLE_STEP = 32  # sides of pictures that are shown whole are multiples of it
FILLING = 114  # grey beside a picture that is narrower or lower than its frame
EXIF_ORIENTATION = 0x0112
SIZES_LOOKED_AT = 2000
# What decoders raise on damaged bytes, as seen by changing bytes of good pictures at random.
DAMAGE = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, struct.error)
UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}


class Image(Kind):
    name = "image"
    storage = "bytes"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None]
        if not present or not all(isinstance(value, bytes) for value in present):
            return 0.0
        return 0.95 if sum(_looks_encoded(value) for value in present) * 2 > len(present) else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        if isinstance(raw, bytes):
            return raw
        if isinstance(raw, dict) and set(raw) == {"base64"}:
            raw = raw["base64"]
        if not isinstance(raw, str):
            raise SalusError("not_a_picture", where=where, found=f"{type(raw).__name__}")
        try:
            return base64.b64decode(raw, validate=True)
        except (binascii.Error, ValueError):
            raise SalusError("not_a_picture", where=where, found="text that is not base64") from None

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        if not present:
            raise SalusError("no_pictures", where="the train rows")
        step = max(1, len(present) // SIZES_LOOKED_AT)
        shapes = [picture_shape(value) for value in present[::step]]
        channels = 3 if any(shape[2] == 3 for shape in shapes) else 1
        if options.get("whole"):
            return _frame(shapes, int(options["most_side_px"])) | {"channels": channels, "whole": True}
        sizes = {shape[:2] for shape in shapes}
        if len(sizes) == 1 and max(next(iter(sizes))) <= 2 * MAX_SIDE:
            height, width = next(iter(sizes))
        else:
            side = int(np.median([max(size) for size in sizes]))
            height = width = max(8, min(MAX_SIDE, side))
        return {"height": int(height), "width": int(width), "channels": channels}

    def encode(self, values: Values, state: State) -> Arrays:
        shape = (len(values), state["height"], state["width"], state["channels"])
        pixels_BHWC = np.zeros(shape, dtype=np.uint8)
        sizes_B2 = np.ones((len(values), 2), dtype=np.float32)
        for row, value in enumerate(values):
            if value is not None:
                pixels_BHWC[row], sizes_B2[row] = decode_sized(value, state, f"picture {row}")
        return {"pixels": pixels_BHWC} | ({"sizes": sizes_B2} if state.get("whole") else {})

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        """Also `size_of_image_<i>` float32 (B, 2), height and width as sent, of pictures that are shown whole (1 x 1 where missing)."""
        feeds = {f"image_{index}": arrays["pixels"] for index, arrays in enumerate(encoded.values())}
        for index, arrays in enumerate(encoded.values()):
            if "sizes" in arrays:
                feeds[f"size_of_image_{index}"] = arrays["sizes"]
        return feeds

    def json_schema(self, state: State) -> dict[str, Any]:
        text = {"type": "string", "contentEncoding": "base64", "description": f"a picture: {', '.join(FORMATS)}"}
        wrapped = {
            "type": "object",
            "properties": {"base64": text},
            "required": ["base64"],
            "additionalProperties": False,
        }
        return {"anyOf": [text, wrapped, {"type": "null"}]}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        values: list[Any] = []
        for row in range(count):
            pixels = _noise(state, row, generator)
            stream = io.BytesIO()
            Pillow.fromarray(pixels if state["channels"] == 3 else pixels[:, :, 0]).save(stream, format="PNG")
            values.append({"base64": base64.b64encode(stream.getvalue()).decode()})
        if count > 9:
            values[9] = None
        return values


def _frame(shapes: Sequence[tuple[int, int, int]], most_side_px: int) -> State:
    """The frame of pictures that are shown whole: their median sides, the longer one at most so many pixels, as multiples of
    `WHOLE_STEP`."""
    height, width = (float(np.median([shape[axis] for shape in shapes])) for axis in (0, 1))
    factor = min(1.0, most_side_px / max(height, width))
    sides = [max(1, round(side * factor / WHOLE_STEP)) * WHOLE_STEP for side in (height, width)]
    return {"height": sides[0], "width": sides[1]}


def decode(content: bytes, state: State, where: str) -> np.ndarray:
    """The pixels alone of `decode_sized`."""
    return decode_sized(content, state, where)[0]


def decode_sized(content: bytes, state: State, where: str) -> tuple[np.ndarray, tuple[int, int]]:
    """Bytes to uint8 pixels (H, W, C) of the state's size, upright, and the height and width that it was sent with.

    A picture that is shown `whole` keeps its shape: it lies in the upper left corner, grey beside it.
    Raises `not_a_picture`, `picture_truncated`, `picture_too_large`, `picture_animated`.
    """
    plain = upright(content, where, "RGB" if state["channels"] == 3 else "L")
    sent, size = (plain.height, plain.width), (state["width"], state["height"])
    try:
        if state.get("whole"):
            plain = _framed(plain, size)
        elif plain.size != size:
            plain = plain.resize(size, Pillow.Resampling.BILINEAR)
    except DAMAGE:
        raise SalusError("picture_truncated", where=where, found=f"{len(content)} bytes") from None
    pixels = np.asarray(plain)
    return pixels if state["channels"] == 3 else pixels[:, :, None], sent


def upright(content: bytes, where: str, mode: str = "RGB") -> Pillow.Image:
    """The whole picture as a person sees it, 8 bits a channel."""
    picture = load_picture(content, where)
    try:
        turn = UPRIGHT.get(_orientation(picture))
        return _plain(picture if turn is None else picture.transpose(turn), mode)
    except DAMAGE:
        raise SalusError("picture_truncated", where=where, found=f"{len(content)} bytes") from None


def _framed(picture: Pillow.Image, size: tuple[int, int]) -> Pillow.Image:
    """The picture, as large as it fits into a frame of `size` (width, height)."""
    factor = min(size[0] / picture.width, size[1] / picture.height)
    fitting = (
        min(size[0], max(1, round(picture.width * factor))),
        min(size[1], max(1, round(picture.height * factor))),
    )
    if fitting != picture.size:
        picture = picture.resize(fitting, Pillow.Resampling.BILINEAR, reducing_gap=3.0)
    if fitting == size:
        return picture
    frame = Pillow.new(picture.mode, size, (FILLING,) * len(picture.getbands()) if picture.mode == "RGB" else FILLING)
    frame.paste(picture, (0, 0))
    return frame


def open_picture(content: bytes, where: str) -> Pillow.Image:
    """The picture with its header read and its limits checked; pixels are not decoded yet."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged tags; the pixels may be good
            warnings.simplefilter("error", Pillow.DecompressionBombWarning)
            picture = Pillow.open(io.BytesIO(content), formats=FORMATS)
            frames = getattr(picture, "n_frames", 1)
    except (Pillow.DecompressionBombWarning, Pillow.DecompressionBombError):
        raise SalusError("picture_too_large", where=where, expected=MAX_PIXELS, found="more") from None
    except (UnidentifiedImageError, *DAMAGE):
        raise SalusError("not_a_picture", where=where, found=f"{len(content)} bytes of another format") from None
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise SalusError("picture_too_large", where=where, expected=MAX_PIXELS, found=width * height)
    if frames > 1:
        raise SalusError("picture_animated", where=where, found=frames)
    return picture


def load_picture(content: bytes, where: str) -> Pillow.Image:
    """The picture with its pixels decoded, or an error that says what is wrong with it."""
    picture = open_picture(content, where)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            picture.load()
    except (Pillow.DecompressionBombError, *DAMAGE):
        raise SalusError("picture_truncated", where=where, found=f"{len(content)} bytes") from None
    return picture


def picture_shape(content: bytes) -> tuple[int, int, int]:
    """Height, width and channels (1 for grey, else 3) from the header, upright."""
    return shape_of(open_picture(content, "a picture"))


def shape_of(picture: Pillow.Image) -> tuple[int, int, int]:
    """As `picture_shape`, of a picture that is open. TIFF turns itself."""
    width, height = picture.size
    if picture.format != "TIFF" and _orientation(picture) >= 5:
        width, height = height, width
    return height, width, 1 if picture.mode in ("1", "L", "LA", "I", "I;16", "F") else 3


def _orientation(picture: Pillow.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 (upright) where there is none or it cannot be read."""
    if picture.format not in ("JPEG", "TIFF", "WEBP", "PNG"):
        return 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = picture.getexif().get(EXIF_ORIENTATION, 1)
    except DAMAGE:
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _plain(picture: Pillow.Image, mode: str) -> Pillow.Image:
    """8 bits a channel; 16-bit pictures are scaled, transparency lies on white."""
    if picture.mode in ("I", "I;16", "I;16B", "I;16L"):
        deep = np.asarray(picture, dtype=np.int64)
        picture = Pillow.fromarray(
            (deep >> 8).clip(0, 255).astype(np.uint8) if deep.max() > 255 else deep.astype(np.uint8)
        )
    if picture.mode in ("RGBA", "LA", "PA") or (picture.mode == "P" and "transparency" in picture.info):
        rgba = picture.convert("RGBA")
        picture = Pillow.alpha_composite(Pillow.new("RGBA", rgba.size, "white"), rgba)
    return picture.convert(mode)


def _looks_encoded(content: bytes) -> bool:
    magics = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"GIF8", b"II*\x00", b"MM\x00*")
    return content.startswith(magics) or (content[:4] == b"RIFF" and content[8:12] == b"WEBP")


def _noise(state: State, row: int, generator: np.random.Generator) -> np.ndarray:
    """Black, white, noise and smooth blobs in turn: (H, W, C)."""
    height, width, channels = state["height"], state["width"], state["channels"]
    if row % 10 == 0:
        return np.full((height, width, channels), 255 * (row % 20 == 0), dtype=np.uint8)
    if row % 2:
        return generator.integers(0, 256, (height, width, channels), dtype=np.uint8)
    coarse = generator.integers(0, 256, (4, 4, channels), dtype=np.uint8)
    smooth = [
        np.asarray(Pillow.fromarray(coarse[:, :, c]).resize((width, height), Pillow.Resampling.BILINEAR))
        for c in range(channels)
    ]
    return np.stack(smooth, axis=2)

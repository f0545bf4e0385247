"""Arrow IPC files and streams, and Feather of version 2, a batch at a time. Extension types and nested records are refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc as ipc

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources.base import Read, Source
from salus.data.sources.columns import BROKEN, Features, checked_schema, in_pieces, plain_table, valid
from salus.data.sources.csv_table import the_table

SUFFIXES = (".arrow", ".feather", ".ipc")
FILE_MAGIC = b"ARROW1"
PART_BYTES = 2**26


class ArrowFile(Source):
    name = "arrow"

    def claims(self, path: Path) -> bool:
        return the_table(path, SUFFIXES) is not None

    def read(self, path: Path, spec: DataSpec) -> Read:
        file = the_table(path, SUFFIXES)
        assert file is not None
        return read_arrow(file, Features())


def read_arrow(file: Path, told: Features) -> Read:
    """`told`: what files beside it say of its columns; what the file itself says goes before."""
    with _batches(file) as (schema, batches):
        checked_schema(schema, file)
        own = Features.of(schema)
        features = Features({**told.classes, **own.classes}, {**told.kinds, **own.kinds})
        first = next((batch for batch in batches if batch.num_rows), None)
        if first is None:
            raise SalusError("no_rows", where=file.name)
        plain_table(pa.Table.from_batches([first.slice(0, 1)]), features, file)

    def parts() -> Iterator[pa.Table]:
        with _batches(file) as (_, batches):
            for batch in batches:
                for piece in in_pieces(batch, PART_BYTES):
                    yield plain_table(pa.Table.from_batches([piece]), features, file)

    names = set(schema.names)
    kinds = {name: kind for name, kind in features.kinds.items() if name in names}
    return Read(parts, {"format": "arrow", "files": [file.name]}, kinds)


@contextmanager
def _batches(file: Path) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """The schema and the batches of a file or a stream; whatever is wrong with it is `format_malformed`."""
    try:
        with pa.memory_map(str(file)) as mapped:
            if mapped.size() >= len(FILE_MAGIC) and mapped.read(len(FILE_MAGIC)) == FILE_MAGIC:
                reader = ipc.open_file(mapped)
                yield reader.schema, map(valid, map(reader.get_batch, range(reader.num_record_batches)))
            else:
                mapped.seek(0)
                stream = ipc.open_stream(mapped)
                yield stream.schema, map(valid, stream)
    except SalusError:
        raise
    except BROKEN as error:
        found = str(error).split("\n")[0][:120]
        raise SalusError("format_malformed", where=file.name, expected="an Arrow file", found=found) from None

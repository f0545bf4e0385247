"""Archives, members and joined files: what they give, and the archives that people build to do harm."""

from __future__ import annotations

import contextlib
import gc
import io
import stat
import struct
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.test_kinds import picture

from salus.core.errors import SalusError
from salus.core.specs import DataSpec
from salus.data.sources import archive, read_data
from salus.data.sources.base import Read
from salus.data.sources.told import told

FILES = {"rows.csv": b"id,a\n1,x\n2,y\n3,z\n", "more.csv": b"id,b\n2,20\n1,10\n"}


def zipped(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return path


def tarred(path: Path, files: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as opened:  # type: ignore[call-overload]
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return path


def read(path: Path | str, **options: object) -> Read:
    return read_data(Path(path), DataSpec.model_validate(options))


def refused(path: Path | str, **options: object) -> SalusError:
    with pytest.raises(SalusError) as caught:
        read(path, **options).table  # noqa: B018
    return caught.value


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.mark.parametrize("name", ["d.zip", "d.tar", "d.tar.gz", "d.tgz"])
def test_an_archive_is_read_like_the_folder_in_it(tmp_path: Path, name: str, own_temporary_folder: Path) -> None:
    files = {f"pets/{side}/{pet}/1.png": picture() for side in ("train", "test") for pet in ("cat", "dog")}
    files["__MACOSX/pets/._1.png"] = b"x"
    path = tmp_path / name
    made = zipped(path, files) if name.endswith("zip") else tarred(path, files, "w" if name == "d.tar" else "w:gz")
    found = read(made)
    assert sorted(found.table.column("split").to_pylist()) == ["test", "test", "train", "train"]
    assert found.table.num_rows == found.table.num_rows == 4 and found.facts["archive"] == name
    del found
    gc.collect()
    assert not list(own_temporary_folder.iterdir())


def test_a_member_is_read_alone(tmp_path: Path) -> None:
    made = zipped(tmp_path / "d.zip", {f"in/{name}": content for name, content in FILES.items()})
    assert read(f"{made}#in/more.csv").table.column_names == ["id", "b"]
    assert read(made, member="in/rows.csv").table.num_rows == 3
    (tmp_path / "in").mkdir()
    for name, content in FILES.items():
        (tmp_path / "in" / name).write_bytes(content)
    assert read(f"{tmp_path / 'in'}#rows.csv").table.num_rows == 3
    assert read(f"{tmp_path}#in/rows.csv").table.num_rows == 3
    for name in ("none.csv", "../d.zip", "/etc/hostname", "in/../in/rows.csv"):
        assert refused(f"{tmp_path}#{name}").code == "member_missing"
    for name in ("none.csv", "in/none.csv"):
        missing = refused(f"{made}#{name}")
        assert missing.code == "member_missing" and "in/rows.csv" in missing.text()
    assert refused(f"{tmp_path / 'in' / 'rows.csv'}#x").code == "member_missing"


def test_several_tables_are_named(tmp_path: Path) -> None:
    error = refused(zipped(tmp_path / "d.zip", FILES))
    assert error.code == "several_tables" and "d.zip" in error.detail() and "more.csv" in error.detail()


def test_columns_are_joined_where_they_belong(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    join = [{"path": "more.csv", "on": "id"}]
    found = read(tmp_path / "rows.csv", join=join)
    assert found.table.to_pylist() == [
        {"id": 1, "a": "x", "b": 10},
        {"id": 2, "a": "y", "b": 20},
        {"id": 3, "a": "z", "b": None},
    ]
    assert found.facts["joined"] == [{"file": "more.csv", "on": "id", "unmatched_rows": 1}]
    (finding,) = told(found.facts)
    assert (finding.code, finding.count, finding.columns) == ("join_unmatched", 1, ("id",))
    assert read(f"{zipped(tmp_path / 'd.zip', FILES)}#rows.csv", join=join).table.equals(found.table)
    for name in ("./more.csv", str(tmp_path / "more.csv")):
        assert read(tmp_path / "rows.csv", join=[{"path": name, "on": "id"}]).table.equals(found.table)
    assert read(tmp_path, member="rows.csv", join=join).table.equals(found.table)
    (tmp_path / "again.csv").write_text("id,b\n1,1\n1,2\n")
    (tmp_path / "same.csv").write_text("id,a\n1,1\n")
    cases = {
        "again.csv": "join_duplicate_keys",
        "same.csv": "duplicate_column",
        "../x.csv": "member_missing",
        "\0/x": "member_missing",
    }
    for name, code in cases.items():
        assert refused(tmp_path / "rows.csv", join=[{"path": name, "on": "id"}]).code == code
    assert refused(tmp_path / "rows.csv", join=[{"path": "more.csv", "on": "b"}]).code == "no_such_column"


UNSAFE = [
    "../evil.csv",
    "/etc/evil.csv",
    "a/../../evil.csv",
    "a/./b.csv",
    "C:/evil.csv",
    "C:evil.csv",
    "..\\evil.csv",
    "a\\b.csv",
    "a//b.csv",
    "a\nb.csv",
    "a\u202eb.csv",
    "x" * 300 + ".csv",
]


@pytest.mark.parametrize("name", UNSAFE)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_unsafe_names_are_refused(
    tmp_path: Path, name: str, make: Callable[..., Path], own_temporary_folder: Path
) -> None:
    made = make(tmp_path / ("d.zip" if make is zipped else "d.tar.gz"), {"rows.csv": b"a\n1\n", name: b"a\n1\n"})
    error = refused(made)
    assert error.code == "archive_unsafe_entry" and "\n" not in error.detail()
    assert not list(own_temporary_folder.iterdir()) and not list(tmp_path.glob("**/evil.csv"))


@pytest.mark.parametrize("names", [("a.csv", "A.csv"), ("a", "a/b.csv"), ("a/b.csv", "a"), ("\ufb01.csv", "fi.csv")])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_names_that_clash_are_refused(tmp_path: Path, names: tuple[str, str], make: Callable[..., Path]) -> None:
    made = make(tmp_path / ("d.zip" if make is zipped else "d.tar.gz"), dict.fromkeys(names, b"a\n1\n"))
    assert refused(made).code == "archive_unsafe_entry"


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_of_a_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    with tarfile.open(tmp_path / "d.tar", "w") as opened:
        entry = tarfile.TarInfo("rows.csv")
        entry.type, entry.linkname = kind, "/etc/hostname"
        opened.addfile(entry)
    assert refused(tmp_path / "d.tar").code == "archive_unsafe_entry"


def test_links_of_a_zip_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as opened:
        entry = zipfile.ZipInfo("rows.csv")
        entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        opened.writestr(entry, "/etc/hostname")
    assert refused(tmp_path / "d.zip").code == "archive_unsafe_entry"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_archives_in_archives_are_refused(tmp_path: Path, method: int) -> None:
    inner = zipped(tmp_path / "inner.zip", FILES).read_bytes()
    for name in ("inner.zip", "rows.csv"):
        assert refused(zipped(tmp_path / "d.zip", {name: inner}, method)).code == "archive_nested"
    inner = tarred(tmp_path / "inner.tar", FILES, "w").read_bytes()
    assert refused(tarred(tmp_path / "d.tgz", {"rows.csv": inner})).code == "archive_nested"


@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_member_is_an_error_of_ours(tmp_path: Path, packing: int) -> None:
    rows = b"a,b\n" + b"".join(b"%d,%d\n" % (row, row * 7) for row in range(500))
    made = zipped(tmp_path / "d.zip", {"rows.csv": rows}, packing)
    assert read(made).table.num_rows == 500
    content = bytearray(made.read_bytes())
    content[60:64] = b"oops"
    made.write_bytes(content)
    assert refused(made).code == "archive_malformed"


def test_bombs_are_refused_soon(tmp_path: Path, own_temporary_folder: Path) -> None:
    content = bytes(2**20 * 80)
    for made in (zipped(tmp_path / "d.zip", {"rows.csv": content}), tarred(tmp_path / "d.tgz", {"rows.csv": content})):
        began = time.perf_counter()
        assert refused(made).code == "archive_too_large"
        assert time.perf_counter() - began < 5  # 0.4 s where nothing else runs
        assert not list(own_temporary_folder.iterdir())


def test_entries_that_share_bytes_are_refused(tmp_path: Path) -> None:
    made = zipped(tmp_path / "d.zip", {"a.csv": b"a\n1\n" * 99, "b.csv": b"b\n1\n" * 99}, zipfile.ZIP_STORED)
    content = bytearray(made.read_bytes())
    second = content.rfind(b"PK\x01\x02")
    content[second + 42 : second + 46] = struct.pack("<I", 0)  # b lies where a lies
    made.write_bytes(content)
    assert refused(made).code == "archive_overlap"


def test_too_many_entries_are_refused_before_they_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    files = {f"{index}.csv": b"a\n1\n" for index in range(11)}
    assert refused(zipped(tmp_path / "d.zip", files)).code == "too_many_entries"
    assert refused(tarred(tmp_path / "d.tgz", files)).code == "too_many_entries"


def test_two_ends_of_a_large_zip_are_both_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first says one entry and is where the locator points; the second says eleven and is where zipfile looks."""
    monkeypatch.setattr(archive, "MAX_ENTRIES", 10)
    made = zipped(tmp_path / "d.zip", {f"{index}.csv": b"a\n1\n" for index in range(11)})
    content = made.read_bytes()
    end = content.rfind(archive.END_OF_ZIP)
    length, start = struct.unpack_from("<II", content, end + 12)
    ends = [
        struct.pack("<4sQHHIIQQQQ", archive.END_OF_ZIP64, 44, 45, 45, 0, 0, count, count, length, start)
        for count in (1, 11)
    ]
    locator = struct.pack("<4sIQI", archive.PLACE_OF_ZIP64, 0, end, 1)
    last = struct.pack("<4sHHHHIIH", archive.END_OF_ZIP, 0, 0, 1, 1, length, start, 0)
    made.write_bytes(content[:end] + b"".join(ends) + locator + last)
    assert refused(made).code == "too_many_entries"


def test_a_header_of_a_tar_stays_small(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "d.tar.gz", "w:gz", format=tarfile.PAX_FORMAT) as opened:
        entry = tarfile.TarInfo("rows.csv")
        entry.pax_headers = {"comment": "x" * 2**23}
        opened.addfile(entry)
    assert refused(tmp_path / "d.tar.gz").code == "archive_malformed"


def test_encrypted_archives_are_refused(tmp_path: Path) -> None:
    made = zipped(tmp_path / "d.zip", {"rows.csv": b"a\n1\n"})
    content = bytearray(made.read_bytes())
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    made.write_bytes(content)
    assert refused(made).code == "archive_malformed"


@settings(max_examples=60, deadline=None)
@given(
    cut=st.integers(0, 400), place=st.integers(0, 400), value=st.integers(0, 255), name=st.sampled_from(["zip", "tgz"])
)
def test_broken_archives_are_errors_of_ours(
    tmp_path_factory: pytest.TempPathFactory, cut: int, place: int, value: int, name: str
) -> None:
    path = tmp_path_factory.mktemp("broken") / f"d.{name}"
    made = zipped(path, FILES) if name == "zip" else tarred(path, FILES)
    content = bytearray(made.read_bytes())
    content[place % len(content)] = value
    made.write_bytes(content[: len(content) - cut % len(content)] if cut % 3 == 0 else content)
    with contextlib.suppress(SalusError):
        read(f"{made}#rows.csv").table  # noqa: B018

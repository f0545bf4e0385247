"""launch: the whole loop in one command, from a path to a curl line that works."""

from __future__ import annotations

import base64
import itertools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salus.cli import connection, options, output, progress
from salus.cli.data import default_name
from salus.cli.runs import page_of, show_outcome

if TYPE_CHECKING:
    from salus.sdk.client import Client

Json = dict[str, Any]
PICTURES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".bmp": "image/bmp",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".mp3": "audio/mpeg",
}
MOST_LOOKED_AT = 10_000  # files of a folder, to find one picture
INLINE_CHARACTERS = 2000  # a longer body goes into a file beside the curl line
SUFFIXES = {
    b"\x89PNG": ("png", "image/png"),
    b"\xff\xd8\xff": ("jpg", "image/jpeg"),
    b"RIFF": ("wav", "audio/wav"),
    b"fLaC": ("flac", "audio/flac"),
    b"OggS": ("ogg", "audio/ogg"),
}


@options.taking(spec=options.train_flags, data=options.data_flags)
def launch(
    path: Annotated[
        str, typer.Argument(help="A file, a folder, PATH#MEMBER, or a bundled set such as sklearn:breast_cancer.")
    ],
    spec: Json,
    data: Json,
    name: Annotated[
        str | None, typer.Option(help="Name of data set, model and endpoint; from the path without it.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Check data, train, measure, deploy: ends with a curl line that works."""
    from salus.core.beside import merged
    from salus.core.catalogue import check_train_spec
    from salus.core.specs import TrainSpec, checked

    name = name or default_name(path)
    data, beside_it = progress.check_path(path, data)
    spec = options.with_target(merged(spec, beside_it))
    check_train_spec(checked(TrainSpec, spec, "the options"))
    client = connection.running_client(as_json)
    if not as_json:
        output.say(f"Adding {path} as '{name}'")
    added = progress.add_data(client, path, name, data, as_json)
    if not as_json:
        output.say(f"Training to predict '{_words(spec['target'])}'")
    run = client.train(name, spec, model=name, deploy=name, version=added["result"]["data_version"])
    over = progress.follow(client, run, as_json)
    result = dict(over["result"])
    report = client.report(run["id"])
    page = page_of(client, run["id"])
    if result.get("deployed"):
        result["curl"] = curl_line(client, name, path)
    if as_json:
        output.show_json(
            {
                "data_version": added["result"]["data_version"],
                "run": over["id"],
                "report": page,
                "metrics": report["metrics"],
                **result,
            }
        )
    else:
        _show(report, page, result, name, over["id"])
    if not result.get("deployed"):
        raise typer.Exit(1)


def _show(report: Json, page: str | None, result: Json, name: str, run: str) -> None:
    show_outcome(report, page)
    if result.get("deployed"):
        output.say(f"'{name}' answers (model version {result.get('version')}). Ask it:\n\n{result['curl']}\n")
    else:
        output.say(
            "The gate did not let this model through, so the endpoint was left as it is. Try a longer --budget or more rows; "
            f"'salus explain {run}' says what was tried."
        )


def _words(target: list[str] | str) -> str:
    return target if isinstance(target, str) else ", ".join(target)


def curl_line(client: Client, name: str, source: str) -> str:
    """A line to paste: with the key read from its file, so that it lands in no history. `source`: where the data lay."""
    key = _predict_key(client)
    address = f"{client.model_url}/endpoints/{name}/predict"
    head = f'curl -sS -H "Authorization: Bearer $(cat {shlex.quote(str(key))})"'
    row = _example(client, name)
    pictures = [column for column, value in row.items() if isinstance(value, dict) and "base64" in value]
    if len(row) == 1 and pictures:
        file, content_type = _picture_below(Path(source.partition("#")[0])) or _write_picture(
            name, row[pictures[0]]["base64"]
        )
        return f'{head} -H "Content-Type: {content_type}" --data-binary @{shlex.quote(str(file))} {address}'
    body = output.json_text({"rows": [row]})
    if len(body) <= INLINE_CHARACTERS:
        return f'{head} -H "Content-Type: application/json" -d {shlex.quote(body)} {address}'
    file = _examples_folder() / f"{name}.json"
    file.write_text(body, encoding="utf-8")
    return f'{head} -H "Content-Type: application/json" --data-binary @{shlex.quote(str(file))} {address}'


def _example(client: Client, name: str) -> Json:
    """A row to ask about: the first whole row of the data, else the endpoint's own synthetic one."""
    endpoint = client.endpoint(name)
    synthetic = dict(endpoint["example"])
    preview = client.preview(name).get("preview") or []
    rows = preview.get("rows", []) if isinstance(preview, dict) else preview
    if (recent := _recent(synthetic, rows)) is not None:
        return recent
    for row in rows:
        if isinstance(row, dict) and all(row.get(column) is not None for column in synthetic):
            return {column: _plain(row[column]) for column in synthetic}
    return {column: _plain(value) for column, value in synthetic.items()}


def _recent(synthetic: Json, rows: list[Any]) -> Json | None:
    """Where the model looks at what was measured up to now and the data hold one moment a row: the rows as lists of values."""
    lists = {column for column, value in synthetic.items() if isinstance(value, list)}
    whole = [row for row in rows if isinstance(row, dict) and all(column in row for column in synthetic)]
    if not lists or not whole or any(isinstance(whole[0][column], list) for column in lists):
        return None
    return {c: [row[c] for row in whole] if c in lists else whole[-1][c] for c in synthetic}


def _plain(value: Any) -> Any:
    """Pictures as {"base64": ...}, whole numbers without a point, everything else as it is."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and len(value) > 60:
        try:
            head = base64.b64decode(value[:40], validate=True)
        except ValueError:
            return value
        if head.startswith(tuple(SUFFIXES)):
            return {"base64": value}
    return value


def _picture_below(folder: Path) -> tuple[Path, str] | None:
    """A picture of the folder that was given, one for testing where there is such a part."""
    if not folder.is_dir():
        return None
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix.lower() in PICTURES)
    found = sorted(itertools.islice(files, MOST_LOOKED_AT))
    if not found:
        return None
    testing = [path for path in found if any("test" in part.lower() for part in path.relative_to(folder).parts[:-1])]
    chosen = (testing or found)[0].resolve()
    return chosen, PICTURES[chosen.suffix.lower()]


def _write_picture(name: str, text: str) -> tuple[Path, str]:
    content = base64.b64decode(text)
    suffix, content_type = next(
        (found for magic, found in SUFFIXES.items() if content.startswith(magic)), ("img", "image/png")
    )
    file = _examples_folder() / f"{name}.{suffix}"
    file.write_bytes(content)
    return file, content_type


def _examples_folder() -> Path:
    folder = connection.settings().home / "examples"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _predict_key(client: Client) -> Path:
    """The file of a key that may only ask for predictions; made the first time."""
    from salus.core.durable import write_file

    file = connection.settings().home / "keys" / "predict.key"
    if not file.exists() or not client.answers_key(file.read_text().strip()):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        key = client.create_key("launch", ["predict"])["key"]
        write_file(file, f"{key}\n".encode(), mode=0o600)
    return file

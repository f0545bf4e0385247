"""A large model from a folder to an answer with the real programs, and what the service refuses to take in."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from salus.sdk.client import Client
from salus.sdk.errors import ServiceError
from salus.testing.large import gguf, llama_folder
from salus.testing.running import RunningService

HAS_ENGINE = importlib.util.find_spec("openvino_genai") is not None


def code_of(done: Any) -> str:
    return str(json.loads(done.stdout or done.stderr)["error"]["code"])


def test_a_folder_is_imported_deployed_and_asked(service: RunningService, tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "model")
    made = service.json("models", "import", "small", str(folder), "--source", "made by a test")
    assert (made["model"], made["version"]) == ("small", 1)
    assert made["large"] | {"licence": "apache-2.0", "architecture": "llama", "answers": "text"} == made["large"]
    again = service.json("models", "import", "small", str(folder))
    assert (again["version"], again["model_hash"]) == (2, made["model_hash"])
    assert "small" in [model["name"] for model in service.json("models", "list")]
    (newest, first) = service.json("models", "show", "small")["versions"]
    assert first["metrics"]["large"]["source"] == "made by a test" and newest["run"] == "import"
    with service.client() as client:
        fields = [row["fields"] for row in client.audit()["items"] if row["action"] == "models.import"]
        assert {"licence": "apache-2.0", "source": "made by a test"}.items() <= fields[-1].items() | fields[0].items()
        if not HAS_ENGINE:
            with pytest.raises(ServiceError, match="openvino"):
                client.deploy("small", "small", 2)
            pytest.skip("the extra llm is not installed: what refuses to deploy was tested, answers were not")
        assert client.deploy("small", "small", 2)["state"] == "ready"
        shown = client.endpoint("small")
        assert shown["url"].endswith("/v1/chat/completions") and '"model": "small"' in shown["curl"]
        assert len(client.predict("small", [{"prompt": "hello", "max_tokens": 3}])) == 1
        body = {"model": "small", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}
        answer = client._send("POST", client.model_url + "/v1/chat/completions", json=body).json()
        assert answer["usage"]["completion_tokens"] <= 3
        client.remove_endpoint("small")


def test_what_cannot_be_answered_is_refused_at_the_deployment(service: RunningService, tmp_path: Path) -> None:
    path = tmp_path / "other.gguf"
    path.write_bytes(gguf())
    service.json("models", "import", "other", str(path))
    with service.client() as client:
        with pytest.raises(ServiceError) as caught:
            client.deploy("other", "other", 1)
        assert caught.value.code == "bundle_refused"
        assert "other" not in [endpoint["name"] for endpoint in client.endpoints()]


def refused(client: Client, path: Path, **given: Any) -> str:
    with pytest.raises((ServiceError, ValueError)) as caught:
        client.import_model("bad", path, **given)
    return str(caught.value.code)  # type: ignore[attr-defined]


def test_what_lies_or_may_run_code_is_not_taken_in(service: RunningService, tmp_path: Path) -> None:
    with service.client() as client:
        cut = tmp_path / "cut.gguf"
        cut.write_bytes(gguf()[:-1])
        assert refused(client, cut) == "gguf_invalid"
        pickled = llama_folder(tmp_path / "pickled")
        (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
        assert refused(client, pickled) == "model_format_refused"
        with_code = llama_folder(tmp_path / "code", auto_map={"AutoModel": "modeling.Mine"})
        assert refused(client, with_code) == "model_code_refused"
        half = llama_folder(tmp_path / "half")
        (half / "model.safetensors").unlink()
        assert refused(client, half) == "model_incomplete"
        linked = llama_folder(tmp_path / "linked")
        (linked / "LICENSE").symlink_to("/etc/hostname")
        assert refused(client, linked) == "model_link_refused"
        silent = llama_folder(tmp_path / "silent")
        (silent / "README.md").unlink()
        assert refused(client, silent) == "licence_missing"
        assert client.import_model("named", silent, licence="mit")["large"]["licence"] == "mit"
        assert "bad" not in [model["name"] for model in client.models()]

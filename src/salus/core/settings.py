"""Limits and places, each with its unit in its name and its meaning beside it. `salus settings` prints them.

Order: what is passed, then the environment (`SALUS_<NAME>`), then `settings.json` in the home, then the default.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from salus.core.errors import SalusError


def default_home() -> Path:
    """`SALUS_HOME`, else the user's data folder."""
    if os.environ.get("SALUS_HOME"):
        return Path(os.environ["SALUS_HOME"]).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "salus"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "salus"


class Settings(BaseModel):
    """Every setting. Units: `_s` seconds, `_bytes` bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path = Field(default_factory=default_home, description="folder that holds everything; mode 0700")
    host: str = Field("127.0.0.1", description="address both ports are bound to")
    control_port: int = Field(8400, ge=0, le=65535, description="port of the management API and pages")
    model_server_port: int = Field(8401, ge=0, le=65535, description="port of the answers")
    behind_proxy: bool = Field(False, description="allow another address than 127.0.0.1 because a proxy ends TLS")
    language: str = Field("en", pattern="^(en|zh)$", description="language of messages and reports")
    allowed_hosts: str = Field("127.0.0.1,localhost,[::1]", description="Host headers that are answered, by comma")
    max_upload_bytes: int = Field(20 * 2**30, ge=1, description="largest upload as a whole")
    max_upload_files: int = Field(1_000_000, ge=1, description="most files in one upload")
    max_json_bytes: int = Field(4 * 2**20, ge=1024, description="largest JSON body of the management API")
    max_predict_bytes: int = Field(16 * 2**20, ge=1024, description="largest body of a prediction")
    max_predict_rows: int = Field(1000, ge=1, description="most rows in one prediction")
    max_batch_rows: int = Field(64, ge=1, description="most rows that the batcher joins into one pass")
    max_batch_wait_s: float = Field(0.0, ge=0, le=1, description="how long a request may wait for company")
    max_queue_rows: int = Field(2048, ge=1, description="rows waiting at an endpoint before requests are refused")
    predict_timeout_s: float = Field(30.0, gt=0, description="deadline of one prediction")
    body_timeout_s: float = Field(30.0, gt=0, description="longest wait for the next piece of a body")
    snapshot_max_age_s: float = Field(7 * 24 * 3600.0, gt=0, description="how long answers go on without control plane")
    lease_s: float = Field(30.0, gt=1, description="after this long without a sign a job is given to another worker")
    heartbeat_s: float = Field(5.0, gt=0, description="how often a worker gives a sign")
    max_attempts: int = Field(5, ge=1, description="how often a job is started again after its process died")
    job_memory_bytes: int = Field(0, ge=0, description="most memory of a job's process; 0: no limit of ours")
    job_silence_s: float = Field(900.0, gt=1, description="a step without any sign of life for this long is ended")
    free_space_floor_bytes: int = Field(2**30, ge=0, description="below this nothing new is written")
    model_threads: int = Field(1, ge=1, description="threads of one pass through a graph")
    generate_timeout_s: float = Field(600.0, gt=0, description="deadline of one answer of a large model")
    max_generate_requests: int = Field(64, ge=1, description="requests open at a large model before others are refused")
    engine_threads: int = Field(
        0, ge=0, le=1024, description="threads of a large model's engine; 0: as many as there are"
    )
    engine_cache_bytes: int = Field(2**30, ge=2**30, description="what a large model may remember of open requests")
    engine_memory_bytes: int = Field(0, ge=0, description="most memory of a large model's process; 0: by its size")
    import_roots: str = Field("", description="folders that the service may read in place, by ':'")
    stop_timeout_s: float = Field(20.0, gt=0, description="how long a program may drain before it is killed")

    @classmethod
    def load(cls, **given: Any) -> Settings:
        """The settings in force, or `bad_setting`."""
        home = Path(given.pop("home", None) or default_home())
        values: dict[str, Any] = {}
        file = home / "settings.json"
        if file.exists():
            try:
                values |= json.loads(file.read_bytes())
            except ValueError:
                raise SalusError(
                    "bad_setting", where=str(file), expected="a JSON object", found="something else"
                ) from None
        for name in cls.model_fields:
            if f"SALUS_{name.upper()}" in os.environ and name != "home":
                values[name] = os.environ[f"SALUS_{name.upper()}"]
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**{**values, "home": home})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(str(part) for part in first["loc"])
            raise SalusError(
                "bad_setting", where=name, expected=first["msg"], found=str(first.get("input"))[:80]
            ) from None

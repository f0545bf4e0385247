"""The tables. Knows columns and keys; the queries are in the files of their nouns.

Times are seconds since 1970. `number` columns give rows their order; people see ids and names only.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def _project() -> Column[str]:
    return Column("project", String, ForeignKey("projects.name"), nullable=False)


projects = Table(
    "projects",
    METADATA,
    Column("name", String, primary_key=True),
    Column("created", Float, nullable=False),
)

keys = Table(
    "keys",
    METADATA,
    Column("id", String, primary_key=True),
    _project(),
    Column("name", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),  # SHA-256 of the token; the token is nowhere
    Column("prefix", String, nullable=False),
    Column("scopes", JSON, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("revoked", Float),
)

uploads = Table(
    "uploads",
    METADATA,
    Column("id", String, primary_key=True),
    _project(),
    Column("state", String, nullable=False),  # open, complete
    Column("created", Float, nullable=False),
    Column("touched", Float, nullable=False),
)

upload_files = Table(
    "upload_files",
    METADATA,
    Column("upload", String, ForeignKey("uploads.id"), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("name", String, nullable=False),
    Column("received", Integer, nullable=False),  # bytes that are durable
    Column("digest", String),
)

data_sets = Table(
    "data_sets",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _project(),
    Column("name", String, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("project", "name"),
)

data_versions = Table(
    "data_versions",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _project(),
    Column("data_set", String, nullable=False),
    Column("hash", String, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("tree", JSON, nullable=False),
    Column("schema", JSON, nullable=False),
    Column("findings", JSON, nullable=False),
    Column("preview", JSON, nullable=False),
    Column("run", String, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("project", "data_set", "hash"),
)

runs = Table(
    "runs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    _project(),
    Column("kind", String, nullable=False),  # add, train
    Column("state", String, nullable=False),
    Column("phase", String, nullable=False),  # "" or deploying: what is left after the job ended
    Column("spec", JSON, nullable=False),
    Column("error", JSON),
    Column("result", JSON),
    Column("stopping", Boolean, nullable=False),  # somebody asked to cancel
    Column("created", Float, nullable=False),
    Column("started", Float),
    Column("finished", Float),
    Index(None, "project", "number"),
    Index(None, "state"),
)

jobs = Table(
    "jobs",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("run", String, ForeignKey("runs.id"), nullable=False, index=True),
    Column("step", String, nullable=False),
    Column("input", JSON, nullable=False),
    Column("state", String, nullable=False),  # queued, leased, done
    Column("fence", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("lease_until", Float),
    Column("worker", String),
    Index(None, "state", "number"),
)

models = Table(
    "models",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _project(),
    Column("name", String, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("project", "name"),
)

model_versions = Table(
    "model_versions",
    METADATA,
    _project(),
    Column("model", String, nullable=False),
    Column("number", Integer, nullable=False),
    Column("tree", JSON, nullable=False),
    Column("bundle_hash", String, nullable=False),
    Column("model_hash", String, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("headline", JSON),
    Column("gate", JSON, nullable=False),
    Column("run", String, nullable=False),
    Column("created", Float, nullable=False),
    UniqueConstraint("project", "model", "number"),
)

endpoints = Table(
    "endpoints",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=True),
    _project(),
    Column("name", String, nullable=False),
    Column("model", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("change", Integer, nullable=False),  # counts up; the ETag
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    UniqueConstraint("project", "name"),
)

audit = Table(
    "audit",
    METADATA,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("time", Float, nullable=False),
    Column("project", String, nullable=False),
    Column("actor", String, nullable=False),
    Column("action", String, nullable=False),
    Column("target", String, nullable=False),
    Column("fields", JSON, nullable=False),
    Column("previous", String, nullable=False),
    Column("hash", String, nullable=False),
)

idempotency = Table(
    "idempotency",
    METADATA,
    Column("principal", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("request", String, nullable=False),  # digest of method, path and body
    Column("answer", JSON, nullable=False),
    Column("created", Float, nullable=False),
)

counters = Table(
    "counters",
    METADATA,
    Column("name", String, primary_key=True),
    Column("value", Integer, nullable=False),
)

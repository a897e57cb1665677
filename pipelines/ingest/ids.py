"""Keyed hashes for identifiers: HMAC-SHA256, one purpose apart from the other."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import duckdb

from pipelines.errors import SourceError

KEY_VARIABLE: Final = "CLICKS_ID_KEY"
MIN_KEY_LENGTH: Final = 16
DEMO_KEY: Final = b"the demo bank is synthetic: this key protects nobody"
BLOCK_BYTES: Final = 64  # of SHA-256


def key(manifest: Path, paths: Iterable[Path]) -> bytes:
    """Returns the key of ``CLICKS_ID_KEY``, or the built-in one when ``manifest`` lists the hash of every file read.

    Raises:
        SourceError: there is no key, or a short one, and not every file is the demo bank's.
    """
    chosen = os.environ.get(KEY_VARIABLE, "")
    if not chosen and _is_demo_bank(manifest, paths):
        print(f"ingest: WARNING: {KEY_VARIABLE} is not set; the built-in key hashes the ids of the synthetic demo bank")
        return DEMO_KEY
    if len(chosen) < MIN_KEY_LENGTH:
        raise SourceError(
            f"{KEY_VARIABLE} is {'too short' if chosen else 'not set'}: ids of visitors and customers are stored as "
            f"keyed hashes only. Set it to a secret of at least {MIN_KEY_LENGTH} characters and keep it: another key "
            f"gives other ids. For example: export {KEY_VARIABLE}=$(openssl rand -hex 32)"
        )
    return chosen.encode()


def define(connection: duckdb.DuckDBPyConnection, secret: bytes) -> None:
    """Defines the macro ``keyed_hash(purpose, text)``: the first 128 bits of the HMAC-SHA256, as hexadecimal digits.

    Source: RFC 2104. The key is kept in variables of the connection, not in SQL text that a message could show.
    """
    padded = (hashlib.sha256(secret).digest() if len(secret) > BLOCK_BYTES else secret).ljust(BLOCK_BYTES, b"\0")
    connection.execute("SET VARIABLE inner_pad = ?::BLOB", [bytes(byte ^ 0x36 for byte in padded)])
    connection.execute("SET VARIABLE outer_pad = ?::BLOB", [bytes(byte ^ 0x5C for byte in padded)])
    connection.execute(
        "CREATE TEMP MACRO keyed_hash(purpose, v) AS left(sha256(getvariable('outer_pad') || "
        "unhex(sha256(getvariable('inner_pad') || encode(purpose || ':' || v)))), 32)"
    )


def _is_demo_bank(manifest: Path, paths: Iterable[Path]) -> bool:
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    files = listed.get("files") if isinstance(listed, dict) else None
    if not isinstance(files, dict):
        return False
    known = {str(digest) for digest in files.values()}
    return all(_sha256(path) in known for path in paths)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

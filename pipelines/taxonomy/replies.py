"""Paid replies, a file each under the hash of all that decides them: address, model, messages, sampling, schema."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import TeacherError
from pipelines.taxonomy.ledger import Tokens
from pipelines.taxonomy.question import Question, Reply


@dataclass(frozen=True)
class Stored:
    """A reply that was valid when it came."""

    content: str
    call: str  # of the ledger
    tokens: Tokens | None


@dataclass(frozen=True)
class Replies:
    """A folder of replies, read after ``recorded``, a folder of those that came with a recording, if there is one."""

    folder: Path
    recorded: Path | None = None
    used: set[Path] = field(default_factory=set)  # files that were read

    def reply(self, key: str, question: Question[Reply]) -> Reply | None:
        """Returns the stored reply to ``question``, or None.

        Raises:
            TeacherError: its file is damaged.
        """
        stored = self.find(key)
        try:
            return None if stored is None else question.validated(stored.content)
        except ValidationError:
            raise TeacherError(f"{self.folder.name}/{key}.json: not a valid stored reply; delete this file") from None

    def find(self, key: str) -> Stored | None:
        """Returns the reply to the request of that ``key``, or None.

        Raises:
            TeacherError: its file is damaged.
        """
        for folder in filter(None, (self.recorded, self.folder)):
            path = folder / f"{key}.json"
            if path.exists():
                self.used.add(path)
                return _read(path)
        return None

    def keep(self, key: str, request: Mapping[str, Any], stored: Stored) -> None:
        """Writes a reply; whenever the process ends, the file is whole or absent."""
        record = {"request": request, "reply": stored.content, "call": stored.call, "tokens": stored.tokens}
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key}.json"
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
        unfinished.replace(path)


def key_of(request: Mapping[str, Any]) -> str:
    """Returns the key of a request: equal requests, equal keys."""
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> Stored:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        tokens = record["tokens"]
        return Stored(
            str(record["reply"]),
            str(record["call"]),
            None if tokens is None else Tokens(int(tokens[0]), int(tokens[1])),
        )
    except (ValueError, KeyError, TypeError, IndexError):
        raise TeacherError(f"{path.parent.name}/{path.name}: not a valid stored reply; delete this file") from None

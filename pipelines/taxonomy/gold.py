"""Labels by people: a CSV of session_id and intent, a line a label; the teacher labels these sessions as well."""

import csv
from pathlib import Path

import pyarrow as pa

from pipelines import schemas
from pipelines.errors import TeacherError
from pipelines.schemas import OTHER
from pipelines.taxonomy.document import Document

MODEL = "people"
COLUMNS = ["session_id", "intent"]


def read_gold(path: Path) -> dict[str, list[str]]:
    """Returns the intents that people gave each session; an empty intent says that there is none.

    Raises:
        TeacherError: the file is missing or not such a CSV; the message names the line.
    """
    if not path.exists():
        raise TeacherError(f"taxonomy.gold: {path.name} is missing")
    given: dict[str, list[str]] = {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file)
        if next(rows, None) != COLUMNS:
            raise TeacherError(f"{path.name}, line 1: expected the header {','.join(COLUMNS)}")
        for number, row in enumerate(rows, start=2):
            if len(row) != len(COLUMNS) or not row[0]:
                raise TeacherError(f"{path.name}, line {number}: expected a session_id and an intent (or nothing)")
            intents = given.setdefault(row[0], [])
            if row[1] and row[1] not in intents:
                intents.append(row[1])
    if not given:
        raise TeacherError(f"{path.name}: holds no label")
    return given


def gold_table(gold: dict[str, list[str]], taxonomy: Document) -> pa.Table:
    """Returns schemas.LABELS of what people said, in the order of their file.

    Raises:
        TeacherError: an intent is not of this taxonomy.
    """
    known = {*taxonomy.intent_ids, OTHER}
    unknown = sum(intent not in known for intents in gold.values() for intent in intents)
    if unknown:
        raise TeacherError(
            f"taxonomy.gold: {unknown} labels name no intent of this taxonomy ({taxonomy.version}): approve the "
            "taxonomy that people labelled with, or change their ids"
        )
    rows = [
        {
            "session_id": session,
            "intents": intents,
            "scores": [1.0] * len(intents),
            "taxonomy_version": taxonomy.version,
            "model": MODEL,
        }
        for session, intents in gold.items()
    ]
    return pa.Table.from_pylist(rows, schema=schemas.LABELS)

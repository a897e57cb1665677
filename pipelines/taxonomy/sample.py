"""The sessions a run reads and labels, as rendered; a recording keeps them as one JSON object a line."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import TeacherError
from pipelines.taxonomy.rendering import RenderedSession


@dataclass(frozen=True)
class Sample:
    """What the teacher gets; the lists may share sessions; ordered by id, so that a recording keeps the order."""

    read: list[RenderedSession]  # of the training part
    label: list[RenderedSession]
    second: list[RenderedSession]  # of the test split: labelled twice

    def __post_init__(self) -> None:
        for sessions in (self.read, self.label, self.second):
            sessions.sort(key=lambda session: session.session_id)

    def to_jsonl(self) -> str:
        """Returns one line a session: for what it was drawn, and what is shown of it."""
        uses: dict[str, list[str]] = {}
        sessions: dict[str, RenderedSession] = {}
        for use, members in (("read", self.read), ("label", self.label), ("second", self.second)):
            for session in members:
                sessions[session.session_id] = session
                uses.setdefault(session.session_id, []).append(use)
        lines = [
            {"session_id": key, "uses": uses[key], "channel": session.channel, "events": session.rows()}
            for key, session in sessions.items()
        ]
        return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in lines)


def read_sample(path: Path) -> Sample:
    """Returns the sample of a recording.

    Raises:
        TeacherError: a line is not one that ``to_jsonl`` writes, or a part of the sample is empty.
    """
    chosen: dict[str, list[RenderedSession]] = {"read": [], "label": [], "second": []}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(line)
            text = json.dumps(_rows(entry["events"]), ensure_ascii=False, separators=(",", ":"))
            session = RenderedSession(str(entry["session_id"]), str(entry["channel"]), text)
            for use in entry["uses"]:
                chosen[use].append(session)
        except (ValueError, KeyError, TypeError):
            raise TeacherError(f"{path.name}, line {number}: not a recorded session; record the sample again") from None
    if not chosen["read"] or not chosen["label"]:
        raise TeacherError(
            f"{path.name}: holds no session to {'label' if chosen['read'] else 'read'}; record the sample again"
        )
    return Sample(chosen["read"], chosen["label"], chosen["second"])


def check_splits(sample: Sample, split_of: dict[str, str]) -> None:
    """Raises TeacherError unless every session exists, what was read in the training part and the second in test."""
    members: Sequence[tuple[str, list[RenderedSession], str | None]] = (
        ("to read", sample.read, "train"),
        ("to label", sample.label, None),
        ("to label twice", sample.second, "test"),
    )
    for use, sessions, split in members:
        unknown = sum(session.session_id not in split_of for session in sessions)
        if unknown:
            raise TeacherError(
                f"{unknown} of the {len(sessions)} recorded sessions {use} are not in sessions.parquet: it was "
                "recorded from other events, or by another sessionize; record the sample again"
            )
        if split and any(split_of[session.session_id] != split for session in sessions):
            raise TeacherError(
                f"a recorded session {use} is not in the {split} split any more; record the sample again"
            )


def _rows(events: list[dict[str, str | int]]) -> list[dict[str, str | int]]:
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise TypeError
    return events

"""init: looks at a file, proposes ``ingest.sources`` for it and shows ten mapped rows. It writes nothing."""

import tempfile
from pathlib import Path
from typing import Any, Final

import yaml

from pipelines import warehouse
from pipelines.errors import SourceError
from pipelines.ingest import files
from pipelines.ingest.formats.rows import FIELDS, listed
from pipelines.init import guess, preview, sample
from pipelines.init.guess import Guess
from pipelines.init.preview import Preview
from pipelines.init.sample import Sample
from pipelines.params import Evaluate, Params, Source
from pipelines.paths import Workspace

MAPPED: Final = ("csv", "jsonl", "parquet")
SPLIT: Final = {"valid_from": None, "test_from": None, "valid_share": 0.15, "test_share": 0.2, "embargo_days": 0.5}
"""Shares of whatever time the file spans; the dates that params.yaml comes with are those of the demo bank."""
DEFAULTS: Final = {"channel": "web", "event_type": "page_view"}


def run(workspace: Workspace, params: Params, input: Path) -> None:  # noqa: A002
    """Prints what ``input`` is, the block for params.yaml, what is left out and why, and ten mapped rows.

    Raises:
        SourceError: there is no such file, it is of no known format, or nothing in it looks like visitor or time.
    """
    first, _ = files.find(Path.cwd(), str(input))[0]
    looked_at = sample.take(first)
    guessed = _mapping(first, looked_at)
    settings = _settings(input, workspace.root, looked_at, guessed)
    made = preview.make(first, Source.model_validate(settings))
    _print_proposal(first, settings)
    _print_unmapped(looked_at, guessed)
    _print_evaluation(params.evaluate, looked_at, guessed, made)
    _print_rows(made)


def _mapping(path: Path, looked_at: Sample) -> Guess:
    if looked_at.format not in MAPPED:
        return Guess()
    with tempfile.TemporaryDirectory() as scratch, warehouse.connect(Path(scratch)) as connection:
        guessed = guess.mapping(looked_at.values, connection)
    for name, what in (("visitor_id", "a visitor (a cookie, device or client id)"), ("ts", "the time of an event")):
        if name not in guessed.columns:
            raise SourceError(
                f"{path.name} ({looked_at.format}): no column looks like {name}, {what}; found "
                f"{listed([*looked_at.values])}. Map it yourself in ingest.sources, or rename the column"
            )
    return guessed


def _settings(given: Path, root: Path, looked_at: Sample, guessed: Guess) -> dict[str, Any]:
    """Returns the entry of ``ingest.sources``; its path is relative where the file lies under the root."""
    absolute = given.absolute()
    path = absolute.relative_to(root) if absolute.is_relative_to(root) else absolute
    settings: dict[str, Any] = {"path": path.as_posix(), "format": looked_at.format, **looked_at.settings}
    if guessed.columns:
        settings["columns"] = {name: guessed.columns[name] for name in FIELDS if name in guessed.columns}
    if guessed.timestamp_format:
        settings["timestamp_format"] = guessed.timestamp_format
    return settings


def _print_proposal(path: Path, settings: dict[str, Any]) -> None:
    print(f"{path.name}: looks like {settings['format']}. For params.yaml:\n")
    block = {"ingest": {"sources": [settings]}, "sessionize": {"split": SPLIT}}
    print(yaml.safe_dump(block, sort_keys=False, allow_unicode=True, width=120).rstrip())
    if settings["format"] in MAPPED:
        print("\nTimes without a zone are read as UTC: add `timezone: Area/City` if they are not.")


def _print_unmapped(looked_at: Sample, guessed: Guess) -> None:
    if looked_at.format not in MAPPED:
        return
    by_reason: dict[str, list[str]] = {}
    for column, reason in guessed.reasons.items():
        by_reason.setdefault(reason, []).append(column)
    print("\nNot mapped:" if by_reason else "\nEvery column is mapped.")
    for reason, columns in by_reason.items():
        print(f"  {', '.join(columns)}: {reason}")
    absent = [name for name in FIELDS if name not in guessed.columns]
    defaults = [f"{name} is {value}" for name, value in DEFAULTS.items() if name in absent]
    print(f"Nothing found for: {', '.join(absent) or '-'}; they stay null" + "".join(f"; {text}" for text in defaults))


def _print_evaluation(evaluate: Evaluate, looked_at: Sample, guessed: Guess, made: Preview) -> None:
    """What evaluate would say "not available" to; nothing else depends on it."""
    tiles, conversion = evaluate.tile_ranking, evaluate.conversion
    knows_customers = "customer_id" in guessed.columns or looked_at.format not in (*MAPPED, "sequences")
    shown = f"events `{tiles.impression_event}` with properties {tiles.impression_id} and {tiles.tiles}"
    needs = [
        (tiles.impression_event in made.event_types, f"tile ranking: {shown}, and events `{tiles.click_event}`"),
        (
            conversion.event in made.event_types,
            f"conversion: events `{conversion.event}` with property {conversion.product}",
        ),
        (knows_customers, "the link from web to app: customer_id on the events of visitors who are logged in"),
    ]
    missing = [need for is_there, need in needs if not is_there]
    print("\nFor evaluate, not seen in the rows looked at:" if missing else "\nEvaluate has all it needs.")
    for need in missing:
        print(f"  {need}")


def _print_rows(made: Preview) -> None:
    rest = ", ".join(f"{n} {name}" for name, n in made.outcomes.items() if name != "mapped")
    print(
        f"\n{made.outcomes.get('mapped', 0)} of the first {made.n_rows} rows can be mapped"
        + (f" ({rest})" if rest else "")
    )
    for number, row in enumerate(made.rows, start=1):
        print(f"{number:3}. " + "  ".join(f"{name}={value}" for name, value in row.items()))

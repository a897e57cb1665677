"""Every sample of a tracker's format, and the access log, through its adapter: what was kept, and why the rest was not.

The samples lie in ../shared/data/formats (or $CLICKS_DATA/formats) and beside it; without them there is nothing to run.
One row a file, or a delivery of several. A file that is no event of its format is `refused`, with the message: most
samples of the nested GA4 export are fragments of a package's unit tests, without a visitor or a time.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any, Final

import yaml

from benchmarks.console import leave_with
from pipelines import params as params_file
from pipelines import telemetry
from pipelines.errors import PipelineError
from pipelines.ingest import stage
from pipelines.paths import Workspace

REPOSITORY: Final = Path(__file__).resolve().parent.parent
PUBLIC_KEY: Final = "no secret: the tables are thrown away"
OUTCOMES: Final = ("rows_read", "accepted", "duplicates", "bots", "filtered", "quarantined")
GROUPS: Final = ("filters", "bot_rules", "reasons")
SAMPLES: Final = (
    ("ga4_export_nested", "*jsonl*", "ga4"),
    ("ga4_export_nested", "*_csv.csv", "ga4"),
    ("ga4_export_flat", "*.csv", "ga4"),
    ("segment_pages", "*.csv", "segment_pages"),
    ("adobe_data_feed", "*.tsv.*", "adobe_data_feed"),
    ("../access_log", "apache_logs", "combined_log"),
)
"""Folder in ``formats``, the files in it, and their format."""
DELIVERIES: Final = ("adobe_data_feed",)
"""Formats whose files of a folder belong together; they are run together once more."""
UNCHECKED: Final = ("snowplow", "snowplow_tsv", "segment")

Row = dict[str, int]


def main() -> int:
    """Prints the table and writes reports/bench/formats.json; returns 1 where there are no samples."""
    telemetry.switch_off()
    shared = Path(os.environ.get("CLICKS_DATA", REPOSITORY.parent / "shared" / "data")) / "formats"
    if not shared.is_dir():
        print("no samples: put them in ../shared/data/formats, or name the folder above by CLICKS_DATA")
        return 1
    os.environ["CLICKS_ID_KEY"] = PUBLIC_KEY
    rows: dict[str, Row] = {}
    refusals: dict[str, str] = {}
    for name, path, form in _samples(shared):
        rows[name], refusals[name] = _row(path, form)
    _print_table({name: row for name, row in rows.items() if not row["refused"]})
    _print_refusals({name: message for name, message in refusals.items() if message})
    print(f"\nno real sample to check against: {', '.join(UNCHECKED)}")
    path = REPOSITORY / "reports" / "bench" / "formats.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    print(f"written to {path.relative_to(REPOSITORY)}")
    return 0


def _samples(shared: Path) -> Iterator[tuple[str, Path, str]]:
    for folder, pattern, form in SAMPLES:
        found = sorted((shared / folder).glob(pattern))
        for path in found:
            yield f"{Path(folder).name}/{path.name}", path, form
        if form in DELIVERIES and found:
            yield f"{Path(folder).name}/{pattern}", shared / folder / pattern, form


def _row(path: Path, form: str) -> tuple[Row, str]:
    """Returns the counts of one run over ``path``, and why it was refused; an empty text when it was not."""
    values = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    values["ingest"] |= {"sources": [{"path": str(path), "format": form}], "max_rejected_share": 1.0}
    block = params_file.validate(values, "params.yaml").ingest
    refusal = ""
    with tempfile.TemporaryDirectory(prefix="bench-formats-") as folder:
        workspace = Workspace(Path(folder))
        try:
            with redirect_stdout(StringIO()):
                stage.run(workspace, block, seed=0)
        except PipelineError as error:
            refusal = str(error)
        written = workspace.ingest_report
        report: dict[str, Any] = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {"total": {}}
    total = report["total"]
    row = {outcome: int(total.get(outcome, 0)) for outcome in OUTCOMES} | {"refused": int(bool(refusal))}
    for group in GROUPS:
        row |= {f"{group}.{name}": int(n) for name, n in total.get(group, {}).items()}
    return row, refusal


def _print_table(rows: dict[str, Row]) -> None:
    width = max(map(len, rows), default=0) + 2
    print("\n" + f"{'':{width}}" + "".join(f"{outcome:>12}" for outcome in OUTCOMES) + "  why not")
    for name, row in rows.items():
        reasons = ", ".join(f"{key.partition('.')[2]} {n:,}" for key, n in row.items() if "." in key)
        print((f"{name:{width}}" + "".join(f"{row[outcome]:>12,}" for outcome in OUTCOMES) + f"  {reasons}").rstrip())


def _print_refusals(refusals: dict[str, str]) -> None:
    by_reason: dict[str, list[str]] = {}
    for name, message in refusals.items():
        file = name.rpartition("/")[2]
        reason = message.removeprefix(f"{file}: ").replace(f"of `{file}` ", "").partition(";")[0]
        by_reason.setdefault(reason, []).append(name)
    for reason, names in by_reason.items():
        print(f"\nrefused, for {reason}:")
        print("\n".join(f"  {name}" for name in names))


if __name__ == "__main__":
    leave_with(main)

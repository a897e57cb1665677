"""What scripts may rely on of ``python -m pipelines``: quick help, exit codes 0, 1, 2, one message and no traceback."""

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.__main__ import BESIDE, STAGES, main


def run(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipelines", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_help_answers_in_under_a_second(repository: Path) -> None:
    seconds = []
    for _ in range(3):  # the quickest of three: the machine may be busy with something else
        start = time.perf_counter()
        result = run(repository, "--help")
        seconds.append(time.perf_counter() - start)
        assert result.returncode == 0
        assert re.findall(r"^    (\w+)", result.stdout, re.MULTILINE) == [*STAGES, *BESIDE]
    assert min(seconds) < 1


@pytest.mark.parametrize("command", [*STAGES, *BESIDE])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    assert "--root" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["bake"], ["ingest", "--rot", "x"], ["score"], ["monitor", "--from", "yesterday"], ["init"]],
    ids=["nothing", "unknown command", "unknown option", "missing option", "no day", "missing input"],
)
def test_wrong_usage_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_refusal_is_1_with_one_message_and_no_traceback(repository: Path, tmp_path: Path) -> None:
    result = run(repository, "ingest", "--root", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("ingest: ")
    assert "params.yaml is missing" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EFBIG])
def test_a_full_disk_is_1_with_one_message(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, "wordy")

    monkeypatch.setattr("pipelines.__main__._run", full)
    assert main(["ingest", "--root", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"ingest: {os.strerror(number)}: ")
    assert message.count("\n") == 1


def test_another_fault_of_the_system_keeps_its_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr("pipelines.__main__._run", broken)
    with pytest.raises(OSError, match="broken"):
        main(["ingest", "--root", str(tmp_path)])


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_its_inputs_refuses_and_writes_nothing(
    stage: str, repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    assert main([stage, "--root", str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert message.startswith(f"{stage}: ")
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"params.yaml"}


def test_set_is_validated_like_the_file_and_never_echoed(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params.yaml").write_bytes((repository / "params.yaml").read_bytes())
    assert main(["sessionize", "--root", str(tmp_path), "--set", "sessionize.gap_seconds=s3cret"]) == 1
    message = capsys.readouterr().err
    assert "sessionize.gap_seconds" in message
    assert "s3cret" not in message


def test_a_reader_that_leaves_early_makes_no_traceback(repository: Path, tmp_path: Path) -> None:
    rows = "".join(f"2026-01-05 10:00:{second:02},visitor-{second},{'x' * 60}\n" for second in range(60))
    (tmp_path / "rows.csv").write_text("ts,visitor_id,title\n" + rows)
    command = f"'{sys.executable}' -m pipelines init --input '{tmp_path / 'rows.csv'}' | true"
    result = subprocess.run(["bash", "-c", command], cwd=repository, capture_output=True, text=True, check=False)
    assert result.stderr == ""

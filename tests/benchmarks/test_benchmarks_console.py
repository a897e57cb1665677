import pytest

from benchmarks.console import leave_with
from pipelines.errors import PipelineError


@pytest.mark.parametrize(("returned", "status"), [(None, None), (0, 0), (1, 1)])
def test_a_benchmark_leaves_with_the_status_of_its_main(returned: int | None, status: int | None) -> None:
    with pytest.raises(SystemExit) as left:
        leave_with(lambda: returned)
    assert left.value.code == status


@pytest.mark.parametrize(
    ("raised", "said"), [(KeyboardInterrupt(), "interrupted"), (PipelineError("there is no champion"), "no champion")]
)
def test_interrupted_or_refused_it_leaves_with_one_line(
    raised: BaseException, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise raised

    with pytest.raises(SystemExit) as left:
        leave_with(main)
    captured = capsys.readouterr()
    assert left.value.code == 1
    assert not captured.out
    assert said in captured.err
    assert captured.err.count("\n") == 1

"""A recording: the sample, replies and approved taxonomy of one run, read by later runs in place of their own."""

from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import TeacherError
from pipelines.taxonomy.sample import Sample, read_sample


@dataclass(frozen=True)
class Recording:
    """A folder: `sample.jsonl`, `replies/` (LLM only) and, once somebody approved one, `taxonomy.yaml`."""

    folder: Path

    @property
    def replies(self) -> Path:
        return self.folder / "replies"

    @property
    def approved_taxonomy(self) -> Path:
        return self.folder / "taxonomy.yaml"

    @property
    def sample_file(self) -> Path:
        return self.folder / "sample.jsonl"

    def sample(self) -> Sample:
        """Returns the recorded sample.

        Raises:
            TeacherError: there is none.
        """
        if not self.sample_file.exists():
            raise TeacherError(
                f"taxonomy.recording: {self.folder.name}/ holds no sample.jsonl; make a recording by "
                "`python -m pipelines record --output DIR`"
            )
        return read_sample(self.sample_file)

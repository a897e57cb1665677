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
    def _sample(self) -> Path:
        return self.folder / "sample.jsonl"

    def sample(self, replay: bool) -> Sample | None:
        """Returns the recorded sample, or None when the folder is absent or empty and may be recorded now.

        Raises:
            TeacherError: there is no sample, and ``replay`` or other files in the folder forbid to draw one.
        """
        if self._sample.exists():
            return read_sample(self._sample)
        if replay or (self.folder.exists() and any(self.folder.iterdir())):
            raise TeacherError(
                f"taxonomy.recording: {self.folder.name}/ holds no sample.jsonl; name a folder that a run recorded in, "
                "or an empty one with taxonomy.replay false to record in it"
            )
        return None

    def keep(self, sample: Sample) -> None:
        """Writes the sample, so that later runs read it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self._sample.with_suffix(".unfinished")
        unfinished.write_text(sample.to_jsonl(), encoding="utf-8")
        unfinished.replace(self._sample)

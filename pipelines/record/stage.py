"""record: what the taxonomy stage read and was answered -> a folder for ``taxonomy.recording``.

The stage's work is done again from stored replies alone: a reply that a live run has not paid for is an error.
"""

import shutil
from pathlib import Path

from pipelines.errors import TeacherError
from pipelines.params import Params
from pipelines.paths import Workspace
from pipelines.taxonomy.recording import Recording
from pipelines.taxonomy.replies import Replies
from pipelines.taxonomy.stage import teach
from pipelines.taxonomy.teacher import teacher


def run(workspace: Workspace, params: Params, output: Path) -> None:
    """Writes the recording of the run that these params and tables had.

    Raises:
        TeacherError: ``output`` holds something, params name a recording already, or a reply was never stored.
    """
    if params.taxonomy.recording is not None:
        raise TeacherError("taxonomy.recording is set, so the run is recorded already: set it to null")
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise TeacherError(f"{output.name} holds something: name a new folder")
    replies = Replies(workspace.replies)
    stored_only = params.taxonomy.model_copy(update={"replay": True})
    taught = teach(workspace, stored_only, params.seed, teacher(stored_only, replies, workspace.llm_ledger))
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Recording(output.parent / f".{output.name}.unfinished")
    shutil.rmtree(unfinished.folder, ignore_errors=True)
    unfinished.replies.mkdir(parents=True)
    unfinished.sample_file.write_text(taught.drawn.to_jsonl(), encoding="utf-8")
    for path in replies.used:
        shutil.copy(path, unfinished.replies)
    if taught.approved:
        unfinished.approved_taxonomy.write_text(taught.taxonomy.to_yaml(), encoding="utf-8")
    if output.exists():
        output.rmdir()
    unfinished.folder.rename(output)
    print(f"record: {len(taught.drawn.label):,} sessions and {len(replies.used):,} replies in {output.name}/")

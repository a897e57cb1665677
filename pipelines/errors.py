"""Everything the pipeline refuses with; the command line turns each into exit code 1 and one message.

    PipelineError            the pipeline refused; the message says found, expected, what to do
    ├── ParamsError          params.yaml, or a --set value, is not what the schema allows
    ├── SourceError          a raw source cannot be found, opened or mapped
    ├── QuarantineError      more rows were rejected than ``ingest.max_rejected_share`` allows
    ├── TableError           a table of an earlier stage is missing, or lacks a column
    ├── TeacherError         the LLM (or the recording that stands for it) gave no usable answer
    │   ├── UnusableError    it answered, or read the sessions, and nothing usable came of it
    │   └── BudgetError      the next call could exceed ``taxonomy.budget_usd``
    ├── AuditError           the trained encoder is beyond a limit of ``pretrain.audits``
    ├── ApprovalError        there is nothing to approve, or nobody approved it
    ├── ChampionError        there is no champion, or its bundle is incomplete
    │   └── GateError        the challenger may not become the champion
    ├── RunError             a retraining has no workspace, or needs what git or DVC refuse
    │   └── SkippedError     there is nothing to do: exit code 99, which Airflow shows as skipped
    ├── BusyError            another process does the same in the same place
    └── ForgetError          nobody of that id is found, or the id cannot be hashed

Messages never hold a value of the data: it could be personal.
"""


class PipelineError(Exception):
    """The pipeline refused; the message says what was found, what was expected and what to do."""

    exit_code = 1


class ParamsError(PipelineError):
    """A value of params.yaml, or of ``--set``, is not what the schema allows."""


class SourceError(PipelineError):
    """A raw source cannot be found, opened or mapped."""


class QuarantineError(PipelineError):
    """More rows were rejected than ``ingest.max_rejected_share`` allows."""


class TableError(PipelineError):
    """A table of an earlier stage is missing, or lacks a column."""


class TeacherError(PipelineError):
    """The LLM, or the recording that stands for it, gave no usable answer."""


class UnusableError(TeacherError):
    """The teacher answered, or read the sessions, and nothing usable came of it: no call failed, none was refused."""


class BudgetError(TeacherError):
    """The next LLM call could exceed ``taxonomy.budget_usd``."""


class AuditError(PipelineError):
    """The trained encoder is beyond a limit of ``pretrain.audits``."""


class ApprovalError(PipelineError):
    """There is nothing to approve, what was proposed is out of date, or nobody approved it."""


class ChampionError(PipelineError):
    """There is no champion yet, or the bundle it names is incomplete."""


class GateError(ChampionError):
    """The challenger may not become the champion: it is worse, failed an audit, or was not compared with this one."""


class RunError(PipelineError):
    """A retraining cannot have a workspace of its own, or git or DVC refused."""


class SkippedError(RunError):
    """There is nothing to retrain on or to audit, or no run may begin now; the message is the reason."""

    exit_code = 99  # what Airflow shows as skipped


class BusyError(PipelineError):
    """Another process does the same in the same place."""


class ForgetError(PipelineError):
    """Nobody of that id is found, or the id cannot be hashed."""

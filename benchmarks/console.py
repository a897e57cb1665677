"""How a benchmark leaves: with the status of its main, and after Ctrl-C or a refusal with one line."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from pipelines.errors import PipelineError


def leave_with(main: Callable[[], int | None]) -> NoReturn:
    """Runs ``main`` and ends the process with what it returns; None is 0.

    Raises:
        SystemExit: always; 1, or the error's own status, where ``main`` was interrupted or refused.
    """
    name = Path(sys.argv[0]).stem
    try:
        status = main()
    except PipelineError as error:
        print(f"{name}: {error}", file=sys.stderr)
        status = error.exit_code
    except KeyboardInterrupt:
        print(f"{name}: interrupted; the last report stays as it was", file=sys.stderr)
        status = 1
    sys.exit(status)

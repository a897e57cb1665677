"""The table of contents: ``python -m pipelines <command>``. A command's code is imported only when it runs."""

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pipelines import telemetry
from pipelines.errors import PipelineError

STAGES = {  # in the order of dvc.yaml; each is run(workspace, its block of params.yaml, the seed)
    "ingest": "raw web and app events -> one canonical, scrubbed events table",
    "sessionize": "events -> sessions, linked to customers as of their end, split by time",
    "pretrain": "sessions -> a self-supervised encoder, and an embedding of every session",
    "taxonomy": "sampled sessions -> a taxonomy of intents, and the teacher's labels",
    "distill": "embeddings and labels -> a calibrated student, and the intents of every session",
    "evaluate": "tile ranking, conversion and student quality, with intervals",
}
BESIDE = {  # each is run(workspace, params, its own options)
    "simulate": "make the demo bank: a synthetic bank's web and app traffic with known truth",
    "init": "look at a file of your own, propose `ingest.sources`, show ten mapped rows",
    "approve": "show what the taxonomy stage proposes, and make it the approved taxonomy.yaml",
    "retrain": "make a retraining's own workspace, unless nothing is new since the champion",
    "gate": "compare a challenger with the champion on the challenger's test sessions",
    "promote": "make the current artifacts the champion",
    "rollback": "make the previous champion the champion again",
    "score": "raw events -> sessions, embeddings and intents by the champion",
    "explain": "a session: its events, and the versions and hashes of all that named its intents",
    "monitor": "drift report of a scored window against the champion's reference",
    "record": "keep what the taxonomy stage read and was answered, for `taxonomy.recording`",
    "audit": "train over seeds, with and without random identity-like inputs; what they cost",
    "map": "a page that shows the embedding: sessions by intent, channel and outcome, paths on hover",
    "forget": "remove a person from every table, cache and export, and keep them out",
}
NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns 0 for done, 1 (or 99: nothing to do) with one message. Wrong usage leaves with 2."""
    options = vars(_parser().parse_args(arguments))
    command, root, overrides = options.pop("command"), options.pop("root"), options.pop("overrides")
    telemetry.switch_off()
    # idle threads sleep instead of spinning: on two busy cores training took a third of the time (docs/LOG.md)
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        _run(command, root.resolve(), overrides, options)
        sys.stdout.flush()
    except PipelineError as error:
        print(f"{command}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print(f"{command}: interrupted; nothing half-written is left: run it again", file=sys.stderr)
        return 1
    except BrokenPipeError:  # the reader, `head` say, has seen enough; nothing more can be said there, at exit neither
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        said = os.strerror(error.errno)
        print(f"{command}: {said}: nothing half-written is left; make room and run it again", file=sys.stderr)
        return 1
    return 0


def _run(command: str, root: Path, overrides: list[str], options: dict[str, object]) -> None:
    from pipelines import params as params_file
    from pipelines.paths import Workspace

    workspace = Workspace(root)
    params = params_file.load(workspace.params, overrides)
    module = "explain" if options.pop("explain", False) else "stage"
    run = importlib.import_module(f"pipelines.{command}.{module}").run
    if command in STAGES:
        run(workspace, getattr(params, command), params.seed, **options)
    else:
        run(workspace, params, **options)


def _parser() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--root", type=Path, default=Path(), help="folder of params.yaml, data/, artifacts/, reports/")
    shared.add_argument("--set", dest="overrides", action="append", default=[], metavar="BLOCK.KEY=VALUE")
    parser = argparse.ArgumentParser(prog="python -m pipelines", description="Clickstreams to embeddings and intents.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="<command>")
    added = {name: commands.add_parser(name, help=text, parents=[shared]) for name, text in (STAGES | BESIDE).items()}
    added["audit"].add_argument("--seeds", type=int, default=3, help="trainings of each kind (default: 3)")
    added["init"].add_argument("--input", type=Path, required=True, help="a file of raw events")
    added["score"].add_argument("--input", type=Path, help="file, folder or glob of raw events (default: the sources)")
    added["score"].add_argument("--output", type=Path, required=True, help="folder for the scored tables")
    added["score"].add_argument("--version", help="a promoted version (default: the champion)")
    added["ingest"].add_argument(
        "--explain", action="store_true", help="show what would be read, mapped, left out and rejected; write nothing"
    )
    added["taxonomy"].add_argument(
        "--dry-run",
        action="store_true",
        help="show the calls, tokens and dollars of an LLM; call nobody, write nothing",
    )
    added["record"].add_argument("--output", type=Path, required=True, metavar="DIR", help="a new folder")
    added["sessionize"].add_argument(
        "--since",
        type=date.fromisoformat,
        metavar="DAY",
        help="keep the former sessions but what events since then change",
    )
    added["explain"].add_argument("session", help="its session_id")
    added["explain"].add_argument("--tables", type=Path, help="what `score --output` wrote (default: artifacts/)")
    retrain = added["retrain"]
    retrain.add_argument("--run", metavar="NAME", help="of the run and its folder (default: the present time)")
    retrain.add_argument("--profile", choices=("full", "fast"), default="full", help="fast: with `retrain.fast`")
    retrain.add_argument("--cause", choices=("person", "schedule", "alarm"), default="person", help="who starts it")
    retrain.add_argument("--because", default="", metavar="TEXT", help="shown to whoever approves it")
    for name in ("audit", "gate", "promote"):
        added[name].add_argument("--challenger", type=Path, help="a retraining's workspace (default: --root itself)")
    person = added["forget"].add_mutually_exclusive_group(required=True)
    person.add_argument("--customer", metavar="ID", help="a login as the source gave it: all visitors linked to it")
    person.add_argument("--visitor", metavar="ID", help="one cookie or device as the source gave it")
    added["forget"].add_argument("--hashed", action="store_true", help="ID is the keyed hash, as the tables hold it")
    added["forget"].add_argument("--dry-run", action="store_true", help="say what would be removed; change nothing")
    added["approve"].add_argument("--yes", action="store_true", help="approve without asking")
    for name in ("score", "monitor", "retrain"):
        added[name].add_argument("--from", dest="from_", type=date.fromisoformat, metavar="DAY", help="first UTC day")
        added[name].add_argument("--to", type=date.fromisoformat, metavar="DAY", help="first UTC day no longer read")
    return parser


if __name__ == "__main__":
    sys.exit(main())

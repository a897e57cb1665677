"""The command line of a benchmark that may ask a model."""

import argparse


def of_a_model(description: str | None) -> argparse.Namespace:
    """Returns ``overrides`` of params.yaml, which may name a model, and ``dry_run``, as the command line says."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="BLOCK.KEY=VALUE")
    parser.add_argument("--dry-run", action="store_true", help="show the calls, tokens and dollars; call nobody")
    return parser.parse_args()

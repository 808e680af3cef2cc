"""Run the benchmarks: ``python -m tests.bench [name ...]``; without names, all of them."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys

from rich.console import Console

from tests.bench.report import show

BENCHMARKS = {
    "cached_read": "Cached read over HTTP",
    "authentication": "Cost of authentication and tenancy",
    "key_lookup": "Look-up of API keys",
    "audit": "Cost of the audit trail",
    "privacy": "Access export and erasure of a person",
    "imports": "Import time and installed size of bundles",
    "import_rows": "Rows of keyword exports",
    "warehouse": "Rows into BigQuery",
    "invalidation": "Cache invalidation",
    "scan": "Opportunity scan",
    "schedule": "Hourly schedule of scans",
    "clusters": "Clusters of keywords",
    "ctr_fit": "Fit of click-through curves",
    "bundles": "Bundle build",
    "memory": "Memory",
    "terraform": "From declarations to a plan",
}


def main(arguments: list[str]) -> int:
    """Run the named benchmarks and print their ratios. A missed aim is reported, never an error."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="benchmarks to run")
    names = parser.parse_args(arguments).names or list(BENCHMARKS)
    logging.getLogger("google.cloud.pubsub_v1").setLevel(logging.ERROR)  # it tells of every message it has settled
    console = Console(width=150 if not sys.stdout.isatty() else None)
    for name in names:
        measurements = importlib.import_module(f"tests.bench.{name}").run()
        show(BENCHMARKS[name], f"nox -s bench -- {name}", measurements, console)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

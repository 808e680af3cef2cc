"""Starts the BigQuery emulator without DuckDB's spatial extension, which it would otherwise download at each start.

Runs in the emulators' own environment, so it imports nothing of this project. Without the extension there is no
GEOGRAPHY type, which no table of ours uses.
"""

import importlib


def _skip_spatial(_engine: object) -> None:
    """Stand in for the download of the extension."""


def main() -> None:
    """Take the emulator's own command line."""
    engine = importlib.import_module("bqemulator.storage.engine")
    replaced = 0
    for value in vars(engine).values():
        if isinstance(value, type) and "_load_spatial" in vars(value):
            value._load_spatial = _skip_spatial  # type: ignore[attr-defined]  # noqa: SLF001 - the emulator has no switch for it
            replaced += 1
    if not replaced:
        raise SystemExit("bqemulator has no _load_spatial any more: look at how it loads the spatial extension now")
    importlib.import_module("bqemulator.cli").main()


if __name__ == "__main__":
    main()

"""Compute the monthly bill from the manifest, the cache times and the dated price sheet.

``nox -s cost -- --tenants 100 --writes-per-day 50000``; ``--json`` for programs, ``--assume seconds_write=0.2`` to
change what the model assumes, ``--share aso-rank-record=5`` to weigh one function more than its kind.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import ConfigurationError, DeclarationError
from triggers.deploy.cost.always_on import comparisons
from triggers.deploy.cost.bill import bill_of, fixed_part, halvings, levers
from triggers.deploy.cost.load import NUMBERS, Load, option
from triggers.deploy.cost.platform import Platform, load_platform
from triggers.deploy.cost.report import Report
from triggers.deploy.cost.sheet import PRICES_FILE, load_services, load_sheet


def _parser() -> argparse.ArgumentParser:
    parser, usual = argparse.ArgumentParser(prog="nox -s cost --", description=__doc__), Load()
    for name in NUMBERS:
        parser.add_argument(option(name), type=float, default=getattr(usual, name), metavar="N")
    parser.add_argument("--front-door", default="gateway", metavar="gateway|load_balancer")
    parser.add_argument("--no-warm-instances", action="store_true", help="keep no idle instance")
    parser.add_argument("--share", action="append", default=[], metavar="FUNCTION=WEIGHT")
    parser.add_argument("--assume", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--prices", type=Path, default=PRICES_FILE, help="another price sheet")
    parser.add_argument("--json", action="store_true", help="write JSON")
    return parser


def _pairs(name: str, given: Sequence[str]) -> dict[str, float]:
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        try:
            found[key] = float(value)
        except ValueError:
            equals = ""
        if not equals or not key:
            raise ConfigurationError(f"{name} {text}: NAME=NUMBER is expected")
    return found


def _load(options: argparse.Namespace, platform: Platform) -> Load:
    shares = _pairs("--share", options.share)
    weighted = {entry["name"] for entry in (*platform.readers, *platform.writers)}
    unknown = sorted(set(shares) - weighted)
    if unknown:
        raise ConfigurationError(f"--share {unknown[0]}: no operation of tenants has that name")
    numbers: Mapping[str, float] = {name: getattr(options, name) for name in NUMBERS}
    return Load(front_door=options.front_door, keep_warm=not options.no_warm_instances, shares=shares, **numbers)


def report_of(options: argparse.Namespace) -> Report:
    """Return the report for a command line.

    Raises:
        ConfigurationError: A parameter is wrong.
        DeclarationError: The price sheet is wrong.
    """
    platform = load_platform()
    sheet = load_sheet(options.prices, given=_pairs("--assume", options.assume))
    load, services = _load(options, platform), load_services()
    return Report(
        load=load,
        sheet=sheet,
        bill=bill_of(load, sheet, platform),
        fixed=fixed_part(load, sheet, platform),
        levers=levers(load, sheet, platform),
        halvings=halvings(load, sheet, platform),
        comparisons=comparisons(load, sheet, platform, services),
        services=services,
    )


def main(arguments: Sequence[str]) -> int:
    """Print the bill; return 2 for a parameter that makes no sense."""
    options = _parser().parse_args(arguments)
    try:
        report = report_of(options)
    except (ConfigurationError, DeclarationError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(report.as_json(), indent=2) + "\n" if options.json else report.as_text())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

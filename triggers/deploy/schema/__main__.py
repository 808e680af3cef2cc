"""Change schemas without losing what is stored: document 000's four steps, and a refusal of what would break.

``nox -s schema -- check``: the declarations against the released schemas; offline.
``nox -s schema -- plan --tenant T``: against the deployed tables (``--snapshot FILE``: against a snapshot, offline).
``nox -s schema -- apply --tenant T [--backfill]``: do steps 1 and 3 (``--all-tenants`` for every tenant there is).
``nox -s schema -- snapshot --tenant T --out FILE``; ``bump ENTITY``: write the next schema_version;
``release VERSION``: from now on the recorded schemas are what is stored.

``plan``, ``apply`` and ``snapshot`` ask the project of ``GOOGLE_CLOUD_PROJECT`` as you, or the emulators.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from common.clients.registry import Clients
from common.context import PLATFORM_TENANT, Context, Deadline, Principal
from common.errors import ConfigurationError, DeclarationError, Refusal, Unavailable
from common.settings import Settings
from common.warehouse import source
from triggers.deploy.schema import baseline, deployed, steps
from triggers.deploy.schema.compare import Change
from triggers.deploy.schema.declared import place_of, shapes
from triggers.entities import declared_facts
from triggers.manifest import ROOT

SECONDS = 540.0
"""Patience for all tenants together."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="nox -s schema --", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="check|plan|apply|snapshot|bump|release")
    commands.add_parser("check")
    for name in ("plan", "apply", "snapshot"):
        command = commands.add_parser(name)
        command.add_argument("--tenant", action="append", default=[], metavar="ID")
        command.add_argument("--all-tenants", action="store_true")
    commands.choices["plan"].add_argument("--snapshot", type=Path, metavar="FILE")
    commands.choices["apply"].add_argument("--backfill", action="store_true")
    commands.choices["snapshot"].add_argument("--out", type=Path, required=True, metavar="FILE")
    commands.add_parser("bump").add_argument("entity")
    commands.add_parser("release").add_argument("version")
    return parser


def check() -> None:
    """Hold the declarations against the released schemas.

    Raises:
        DeclarationError: One changed without its version, or in a way that breaks what is stored.
    """
    found = baseline.load_baseline()
    if baseline.render(baseline.renewed(found, shapes())) != baseline.render(found):
        raise DeclarationError("terraform/schemas.json", 1, "the file is stale: run nox -s manifest")


def refuse_breaking(changes: Sequence[Change]) -> None:
    """Refuse changes that stored rows would not survive.

    Raises:
        DeclarationError: There is one; names the line of the declaration.
    """
    for change in changes:
        if change.breaking:
            raise baseline.where(change).refuse(f"{change.entity}: {change.what}")


def platform_context() -> Context:
    """Return the circumstances of work that an operator does here."""
    return Context(
        function="schema",
        tenant_id=PLATFORM_TENANT,
        principal=Principal(kind="operator", id="schema", role="operator"),
        clients=Clients(Settings.from_environment()),
        deadline=Deadline.after(SECONDS),
    )


def _tenants(context: Context, options: argparse.Namespace) -> list[str]:
    chosen = list(source.tenant_ids(context)) if options.all_tenants else list(dict.fromkeys(options.tenant))
    if not chosen:
        raise ConfigurationError("give --tenant ID (more than once for more) or --all-tenants")
    return chosen


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _show(changes: Sequence[Change], tenants: Sequence[str]) -> None:
    if not changes:
        _print(["nothing to do: the deployed tables are as declared"])
        return
    facts = frozenset(each.name for each in declared_facts())
    versions = {name: shape.schema_version for name, shape in shapes().items()}
    for migration in steps.migrations(changes, versions, facts):
        _print(list(migration.lines(tenants)))


def _plan(options: argparse.Namespace) -> None:
    check()
    if options.snapshot is not None:
        tenant_id, tables = deployed.read_snapshot(options.snapshot)
        changes = deployed.changes("snapshot-project", tenant_id, tables)
        refuse_breaking(changes)
        _show(changes, [tenant_id])
        return
    context = platform_context()
    tenants = _tenants(context, options)
    by_tenant = _changes(context, tenants)
    _show([change for changes in by_tenant.values() for change in changes], [t for t in tenants if by_tenant[t]])


def _changes(context: Context, tenants: Sequence[str]) -> Mapping[str, list[Change]]:
    """Return the changes of every tenant, once none of them is breaking."""
    project = context.clients.settings.project
    found = {each: deployed.changes(project, each, deployed.deployed(context, each)) for each in tenants}
    for changes in found.values():
        refuse_breaking(changes)
    return found


def _apply(options: argparse.Namespace) -> None:
    check()
    context = platform_context()
    tenants = _tenants(context, options)
    by_tenant = _changes(context, tenants)
    facts = {each.name for each in declared_facts()}
    for tenant_id, changes in by_tenant.items():
        _print([f"{tenant_id}: {line}" for line in steps.perform(context, tenant_id, changes) or ["nothing to do"]])
    if not options.backfill:
        return
    known = {each.name for each in source.warehouse_entities()} - facts
    # A tenant whose columns an earlier call added is filled as well: an empty column looks like a new one.
    wanted = {change.entity for changes in by_tenant.values() for change in changes} & known or known
    for tenant_id in tenants:
        for entity in sorted(wanted):
            answer = steps.fill(context, tenant_id, entity, dry_run=False)
            job = answer.job.job_id if answer.job else "none"
            _print(
                [f"{tenant_id}: back-fills {entity}: {answer.plan.reads} reads, {answer.plan.cost_usd} USD, job {job}"]
            )


def _snapshot(options: argparse.Namespace) -> None:
    context = platform_context()
    tenants = _tenants(context, options)
    if len(tenants) != 1:
        raise ConfigurationError("a snapshot holds one tenant's tables")
    deployed.write_snapshot(options.out, tenants[0], deployed.deployed(context, tenants[0]))


def _bump(options: argparse.Namespace) -> None:
    """Write the next schema_version into a declaration."""
    if options.entity not in shapes():
        raise ConfigurationError(f"there is no entity {options.entity!r}; known are {', '.join(shapes())}")
    version = shapes()[options.entity].schema_version
    whole, place = place_of(options.entity), place_of(options.entity, "schema_version")
    file = ROOT / place.file
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    if place == whole:  # nothing written: it is the default
        lines.insert(whole.last - 1, f"    schema_version={version + 1},\n")
    else:
        number = place.line - 1
        lines[number] = lines[number].replace(f"schema_version={version}", f"schema_version={version + 1}")
    file.write_text("".join(lines), encoding="utf-8")
    _print([f"{place.file}:{place.line}: {options.entity} has schema_version {version + 1}: run nox -s manifest"])


def _release(options: argparse.Namespace) -> None:
    check()
    found = baseline.release(baseline.load_baseline(), options.version)
    baseline.BASELINE_FILE.write_text(baseline.render(found), encoding="utf-8")
    _print([f"{len(found)} schemas are those of release {options.version}"])


COMMANDS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "check": lambda _: check(),
    "plan": _plan,
    "apply": _apply,
    "snapshot": _snapshot,
    "bump": _bump,
    "release": _release,
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; return 1 where a change is refused, 2 where the command makes no sense, 3 without an answer."""
    options = _parser().parse_args(arguments)
    try:
        COMMANDS[options.command](options)
    except DeclarationError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (ConfigurationError, Refusal) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except Unavailable as error:
        sys.stderr.write(f"{error}; run it again\n")
        return 3
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Write ``functions/README.md``: the catalogue of every function, from the manifest.

Run as ``python -m triggers.catalogue [--check]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from triggers.manifest import ROOT, Entry, load_manifest

CATALOGUE_FILE = ROOT / "functions" / "README.md"

HEAD = """# Functions

Generated from the declarations by `nox -s manifest`; do not edit. One file is one function; each is deployed on its own
with what it declares and no more. How to add one is in the [README](../README.md).
"""

KINDS = {
    "http": "HTTP operations",
    "message": "Consumers of Pub/Sub topics",
    "document": "Reactions to Firestore documents",
    "schedule": "Schedules",
    "task": "Cloud Tasks",
}


def render(entries: Sequence[Entry]) -> str:
    """Return the page's text."""
    parts = [HEAD, _summary(entries)]
    for domain in sorted({entry["domain"] for entry in entries}):
        parts.append(f"\n## {domain}\n")
        for kind, title in KINDS.items():
            chosen = [entry for entry in entries if entry["domain"] == domain and entry["kind"] == kind]
            if chosen:
                parts.append(f"\n### {title}\n\n{_table(chosen)}")
    parts.append(_permissions(entries))
    return "".join(parts)


def _summary(entries: Sequence[Entry]) -> str:
    counts = [(title, sum(entry["kind"] == kind for entry in entries)) for kind, title in KINDS.items()]
    rows = [f"| {title} | {count} |" for title, count in counts if count]
    return "\n".join(["", f"| {len(entries)} functions | |", "|---|---:|", *rows, ""])


def _table(entries: Iterable[Entry]) -> str:
    rows = [
        f"| {_link(entry)} | {_fired_by(entry)} | {_allowed(entry)} | {_cell(entry['summary'])} |" for entry in entries
    ]
    return "\n".join(["| Function | Fired by | Who | What it does |", "|---|---|---|---|", *rows, ""])


def _link(entry: Entry) -> str:
    return f"[`{entry['name']}`]({entry['domain']}/{entry['operation']}.py)"


def _fired_by(entry: Entry) -> str:
    match entry["kind"]:
        case "http":
            return f"`{entry['method']} {entry['path']}`"
        case "message":
            suffix = f" where `{_cell(entry['filter'])}`" if entry["filter"] else ""
            return f"topic `{entry['topic']}`{suffix}"
        case "document":
            return f"`{entry['path']}` {entry['change']}"
        case "schedule":
            return f"`{entry['cron']}` ({entry['time_zone']})"
        case _:
            return f"queue `{entry['name']}`"


def _allowed(entry: Entry) -> str:
    if entry["kind"] != "http":
        return "its own delivery identity"
    if entry["public"]:
        return "everyone"
    if entry["tenancy"] == "person":
        return "every person with an ID token"
    who = "operators" if entry["tenancy"] == "platform" else ", ".join(entry["roles"]) or "every role"
    return f"{who} with `{entry['scope']}`"


def _permissions(entries: Sequence[Entry]) -> str:
    rows = [
        f"| `{entry['name']}` | `{permission}` | {_cell(reason)} |"
        for entry in entries
        for permission, reason in [*entry["needs"].items(), *_secrets(entry)]
    ]
    head = ["", "## Why each permission", "", "| Function | Permission | Reason |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _secrets(entry: Entry) -> list[tuple[str, str]]:
    return [(f"secret:{name}", reason) for name, reason in entry["secrets"].items()]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` tell whether it is fresh."""
    text = render(load_manifest())
    if "--check" in arguments:
        fresh = CATALOGUE_FILE.exists() and CATALOGUE_FILE.read_text(encoding="utf-8") == text
        if not fresh:
            sys.stderr.write("functions/README.md is stale: run nox -s manifest\n")
        return 0 if fresh else 1
    CATALOGUE_FILE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

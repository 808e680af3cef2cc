"""The page at ``/_local``: what runs, what was delivered, and buttons to fire, hold back and let go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1b1f24 }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
table { border-collapse: collapse; width: 100% } caption { text-align: left; color: #57606a; padding-bottom: .4rem }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #d8dee4; vertical-align: top }
td { overflow-wrap: anywhere } code { font-size: .92em } form { display: inline }
button { font: inherit; padding: .1rem .6rem } .bad { color: #b42318 } nav a { margin-right: 1rem }
@media (prefers-color-scheme: dark) {
  body { background: #0d1117; color: #e6edf3 } a { color: #79b8ff } caption { color: #9da7b1 } .bad { color: #ff7b72 }
  th, td { border-color: #30363d }
}
"""


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return f"<p>{escape(caption)}: none.</p>"
    return f"<table><caption>{escape(caption)}</caption><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _button(action: str, label: str) -> str:
    return f'<form method="post" action="/_local/{action}"><button>{escape(label)}</button></form>'


def render(status: Mapping[str, Any], deliveries: Sequence[Mapping[str, Any]]) -> str:
    """Return the page.

    Args:
        status: What ``GET /_local/status`` answers.
        deliveries: The latest deliveries, newest first.
    """
    sections = [_functions(status), _schedules(status), _topics(status), _queues(status), _latest(deliveries)]
    sections.append(_services(status))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Local cloud</title><style>{STYLE}</style></head><body>"
        f"<h1>Local cloud of project {escape(str(status['project']))}</h1>"
        '<nav><a href="/v1/docs">Operations</a><a href="/_local/status">Status</a>'
        '<a href="/_local/deliveries">Deliveries</a><a href="/_local/metrics">Metrics</a></nav>'
        + "".join(sections)
        + "</body></html>"
    )


def _functions(status: Mapping[str, Any]) -> str:
    counts = status["deliveries"]

    def row(function: Mapping[str, Any]) -> list[str]:
        name = str(function["name"])
        lane = counts.get(name)
        numbers = ""
        if lane is not None:
            numbers = f"{lane['delivered']} delivered, {lane['waiting']} waiting, {lane['failed_attempts']} failed"
            word = "resume" if lane["paused"] else "pause"
            numbers += " " + _button(f"deliveries/{word}?function={quote(name)}", word.capitalize())
        return [
            f"<code>{escape(name)}</code>",
            escape(str(function["kind"])),
            f"<code>{escape(str(function['fired_by']))}</code>",
            numbers,
        ]

    rows = [row(function) for function in status["functions"]]
    return "<h2>Functions</h2>" + _table(
        f"{len(rows)} functions, each also at {status['url']}/<name>", ("Name", "Kind", "Fired by", "Deliveries"), rows
    )


def _schedules(status: Mapping[str, Any]) -> str:
    rows = [
        [
            f"<code>{escape(name)}</code>",
            f"<code>{escape(schedule['cron'])}</code> {escape(schedule['time_zone'])}",
            _button(f"schedules/{quote(name)}/fire", "Fire now"),
        ]
        for name, schedule in status["schedules"].items()
    ]
    state = "running" if status["schedules_enabled"] else "fired by hand only"
    return "<h2>Schedules</h2>" + _table(f"Schedules ({state})", ("Function", "When", ""), rows)


def _topics(status: Mapping[str, Any]) -> str:
    rows = [
        [f"<code>{escape(topic)}</code>", ", ".join(f"<code>{escape(name)}</code>" for name in names) or "nobody"]
        for topic, names in status["topics"].items()
    ]
    return "<h2>Topics</h2>" + _table("Topics and who subscribes", ("Topic", "Subscriptions"), rows)


def _queues(status: Mapping[str, Any]) -> str:
    rows = [
        [f"<code>{escape(name.rpartition('/')[2])}</code>", escape(queue["state"]), str(len(queue["tasks"]))]
        for name, queue in status["queues"].items()
    ]
    return "<h2>Queues</h2>" + _table("Queues of Cloud Tasks", ("Queue", "State", "Tasks waiting"), rows)


def _latest(deliveries: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        [
            escape(str(delivery["time"])[11:23]),
            f"<code>{escape(str(delivery['function']))}</code>",
            escape(str(delivery["kind"])),
            str(delivery["attempt"]),
            _outcome(delivery),
            f"{delivery['milliseconds']} ms",
            escape(str(delivery["detail"])[:200]),
        ]
        for delivery in deliveries
    ]
    head = ("Time (UTC)", "Function", "Kind", "Try", "Answer", "Took", "Detail")
    return "<h2>Latest deliveries</h2>" + _table("Newest first", head, rows)


def _outcome(delivery: Mapping[str, Any]) -> str:
    answer = escape(f"{delivery['status'] or 'no answer'} {delivery['outcome']}")
    return answer if delivery["outcome"] == "delivered" else f'<span class="bad">{answer}</span>'


def _services(status: Mapping[str, Any]) -> str:
    rows = [
        [
            escape(name),
            f"<code>{escape(str(service['address']))}</code>",
            str(service["pid"] or "in the supervisor" if service["running"] else "stopped"),
            f"{service['memory_mb']} MB",
        ]
        for name, service in status["services"].items()
    ]
    return "<h2>Services</h2>" + _table("What runs", ("Service", "Address", "Process", "Memory"), rows)

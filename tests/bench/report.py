"""What a benchmark reports: a ratio against a named peer that was measured in the same run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One line of the report.

    Attributes:
        name: What was measured.
        ours: Our figure, with its unit.
        peer: The peer and its figure, with its unit.
        ratio: Our figure over the peer's (or the other way round where ``aim`` says so); None for an absolute figure.
        aim: What we aim for, in words.
        met: Whether the aim was met; None where there is no aim.
    """

    name: str
    ours: str
    peer: str
    ratio: float | None
    aim: str = ""
    met: bool | None = None


def show(title: str, command: str, measurements: Sequence[Measurement], console: Console) -> None:
    """Print a benchmark's lines and the command that repeats it."""
    table = Table(title=title, title_justify="left", caption=f"repeat: {command}", caption_justify="left")
    for column in ("measured", "ours", "peer", "ratio", "aim", ""):
        table.add_column(column, overflow="fold")
    for line in measurements:
        verdict = "" if line.met is None else "[green]met[/green]" if line.met else "[red]missed[/red]"
        ratio = "" if line.ratio is None else f"{line.ratio:.2f}"
        table.add_row(*map(escape, (line.name, line.ours, line.peer, ratio, line.aim)), verdict)
    console.print(table)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the value below which ``share`` (0..1) of the sorted values lie (nearest rank)."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]

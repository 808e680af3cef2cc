"""Run an export of search optimisation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common.aso.exporting.kinds import SOURCES
from common.exports import run as exports
from common.jobs.run import JobRun


def run(job: JobRun) -> Mapping[str, Any]:
    """Export the table that the job names, from its checkpoint on."""
    return exports.run(job, SOURCES)

"""The scan of one tenant by one detector, as a task asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from common.aso.detectors import cannibalization_scan, content_gap_scan, decay_scan, link_gap_scan
from common.aso.detectors.models import (
    CannibalizationDetection,
    ContentGapDetection,
    DecayDetection,
    Detection,
    DetectionTask,
    Detector,
    LinkGapDetection,
)
from common.aso.detectors.scanning import Detect, claimed_detection
from common.context import Context

DETECTORS: Mapping[Detector, tuple[Detect, type[Detection]]] = {
    "content_decay": (decay_scan.detect, DecayDetection),
    "cannibalization": (cannibalization_scan.detect, CannibalizationDetection),
    "content_gap": (content_gap_scan.detect, ContentGapDetection),
    "link_gap": (link_gap_scan.detect, LinkGapDetection),
}


def scan_claimed(context: Context, task: DetectionTask, now: datetime | None = None) -> Detection:
    """Scan the tenant of a task and end its claim.

    Raises:
        Unavailable: A dependency does not answer; the task is tried again.
    """
    detect, answer = DETECTORS[task.detector]
    return claimed_detection(context, task, detect, answer, now)

"""Names of the detectors' scans, as marks and schedules carry them. It imports nothing, so that entities may use it."""

DECAY_SCAN = "aso-decay-scan"
CANNIBALIZATION_SCAN = "aso-cannibalization-scan"
CONTENT_GAP_SCAN = "aso-content-gap-scan"
LINK_GAP_SCAN = "aso-link-gap-scan"

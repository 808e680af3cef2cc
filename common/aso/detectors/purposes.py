"""Names of the detectors' scans, as marks and schedules carry them; nothing is imported, so that entities may name them."""

DECAY_SCAN = "aso-decay-scan"
CANNIBALIZATION_SCAN = "aso-cannibalization-scan"
CONTENT_GAP_SCAN = "aso-content-gap-scan"
LINK_GAP_SCAN = "aso-link-gap-scan"

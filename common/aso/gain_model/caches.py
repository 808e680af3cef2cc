"""The cache namespaces of the gain model."""

from __future__ import annotations

from common.entity import Namespace

ASO_CTR_CURVES = Namespace(name="aso_ctr_curves", ttl=600, source="firestore")
"""Curves; they change once a week."""

ASO_OUTCOMES = Namespace(name="aso_outcomes", ttl=240, source="firestore")
"""Lists of outcomes."""

ASO_CALIBRATION = Namespace(name="aso_calibration", ttl=600, source="warehouse")
"""Predicted against realised; computed in the warehouse."""

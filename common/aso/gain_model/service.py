"""The gain model of the context's tenant, put together from what was fitted and from its settings."""

from __future__ import annotations

from common.aso.gain import ReachCoefficients
from common.aso.gain_model.entities import CTR_CURVES, REACH_MODELS
from common.aso.gain_model.model import (
    EVERYTHING,
    PRIOR_VERSION,
    REACH_PRIOR_COVARIANCE,
    Covariance,
    Curve,
    GainModel,
)
from common.aso.gain_model.models import CtrCurves, ReachModel
from common.aso.site.service import Site, site_of
from common.context import Context
from common.store import Repository


def gain_model_of(context: Context, site: Site | None = None) -> GainModel:
    """Return the tenant's gain model; the prior where nothing was fitted. Reads three documents at most.

    Args:
        context: Tenant, clients and deadline.
        site: The tenant's site where the caller has it already; None reads it.

    Raises:
        Unavailable: Firestore does not answer.
    """
    own = site or site_of(context)
    curves = Repository(CTR_CURVES, context).find(context.tenant_id)
    reach = Repository(REACH_MODELS, context).find(context.tenant_id)
    return assembled(own, None if curves is None else curves.value, None if reach is None else reach.value)


def assembled(site: Site, curves: CtrCurves | None, reach: ReachModel | None) -> GainModel:
    """Return the model that documents describe.

    Args:
        site: Brand terms, and what a visit is worth.
        curves: The fitted curves; None before the first fit.
        reach: The fitted chance to reach a rank; None before the first fit.
    """
    fitted = {} if curves is None else curves_of(curves)
    versions = []
    if curves is not None and EVERYTHING in fitted:
        versions.append(f"curve-{curves.version}")
    if reach is not None and reach.reason is None:
        versions.append(f"reach-{reach.version}")
    return GainModel(
        version=".".join(versions) or PRIOR_VERSION,
        curves=fitted,
        coefficients=coefficients_of(reach),
        covariance=REACH_PRIOR_COVARIANCE if reach is None else covariance_of(reach),
        value_per_visit_minor=site.value_per_visit_minor,
        currency=site.currency,
        brand_terms=site.brand_terms,
    )


def curves_of(curves: CtrCurves) -> dict[str, Curve]:
    """Return the curves that were fitted, by key; what was kept is found through its parent."""
    return {
        each.key: Curve(
            click_through=tuple(each.click_through), impressions=tuple(each.impressions), strength=each.strength
        )
        for each in curves.segments
        if each.state == "fitted"
    }


def coefficients_of(reach: ReachModel | None) -> ReachCoefficients:
    """Return the coefficients of a document, or the prior's."""
    if reach is None:
        return GainModel().coefficients
    return ReachCoefficients(reach.intercept, reach.per_difficulty, reach.per_log_rank)


def covariance_of(reach: ReachModel) -> Covariance:
    """Return the covariance of a document as rows."""
    a, b, c, d, e, f, g, h, i = reach.covariance
    return (a, b, c), (d, e, f), (g, h, i)

"""The gain model of the context's tenant, put together from what was fitted and from its settings."""

from __future__ import annotations

from common.aso.gain_model.model import GainModel
from common.aso.site.service import Site, site_of
from common.context import Context


def gain_model_of(context: Context, site: Site | None = None) -> GainModel:
    """Return the tenant's gain model; the prior where nothing was fitted.

    Args:
        context: Tenant, clients and deadline.
        site: The tenant's site where the caller has it already; None reads it.

    Raises:
        Unavailable: Firestore does not answer.
    """
    own = site or site_of(context)
    return GainModel(
        value_per_visit_minor=own.value_per_visit_minor, currency=own.currency, brand_terms=own.brand_terms
    )

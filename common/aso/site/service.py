"""The settings of a tenant's site: read by everything that has to know what is ours, set as a whole.

A tenant that has set nothing has the defaults, under version ``"0"``: ``If-Match: "0"`` sets them for the first time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from common.answers import Record
from common.aso.detectors.purposes import CONTENT_GAP_SCAN
from common.aso.models import Device, Locale
from common.aso.normalize import holds_term, normalized_keyword
from common.aso.site.entities import ASO_SETTINGS
from common.aso.site.models import AsoSettings, CompetitorSet, SettingsInput, Tracking
from common.context import Context
from common.errors import FieldError, PreconditionFailed, Unprocessable
from common.hosts import host_of, is_registrable, is_within, registrable_host
from common.store import Repository, Work, write_record
from common.warehouse.marks import EVERYTHING, set_marks

NEVER = datetime.fromtimestamp(0, UTC)
"""Version of settings that nobody has set."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Site:
    """What is the tenant's own, and who competes.

    Attributes:
        hosts: Own hosts; what lies below one belongs to it.
        brand_terms: Normalised words of the brand.
        competitors: Registrable hosts.
        value_per_visit_minor: Value of a visit in minor units of ``currency``.
        currency: ISO 4217.
        search_console_site: Property in Search Console.
        locale: Of checks of keywords that name none.
        device: Of checks of keywords that name none.
        timezone: IANA name of the tenant's days.
        tracking: How ranks are checked.
    """

    hosts: tuple[str, ...] = ()
    brand_terms: tuple[str, ...] = ()
    competitors: tuple[str, ...] = ()
    value_per_visit_minor: int | None = None
    currency: str | None = None
    search_console_site: str | None = None
    locale: Locale = "en-US"
    device: Device = "desktop"
    timezone: str = "UTC"
    tracking: Tracking = field(default_factory=Tracking)

    def owns(self, address: str) -> bool:
        """Tell whether an address is on one of the tenant's own hosts."""
        return is_within(address, self.hosts)

    def competitor_of(self, address: str) -> str | None:
        """Return the competitor that an address belongs to; None if to none, or to the tenant itself."""
        if self.owns(address):
            return None
        host = registrable_host(address)
        return host if host in self.competitors else None

    def is_brand(self, keyword: str) -> bool:
        """Tell whether a search is for the brand: it holds a brand term as whole words."""
        return holds_term(keyword, self.brand_terms)


def site_of(context: Context) -> Site:
    """Return the tenant's site; the defaults where nothing is set. Reads one document.

    Raises:
        Unavailable: Firestore does not answer.
    """
    settings = get(context).value
    return Site(
        hosts=tuple(settings.site_hosts),
        brand_terms=tuple(map(normalized_keyword, settings.brand_terms)),
        competitors=tuple(settings.competitors),
        value_per_visit_minor=settings.value_per_visit_minor,
        currency=settings.currency,
        search_console_site=settings.search_console_site,
        locale=settings.locale,
        device=settings.device,
        timezone=settings.timezone,
        tracking=settings.tracking,
    )


def get(context: Context) -> Record[AsoSettings]:
    """Return the settings with their version; the defaults under version 0 where nothing is set."""
    found = Repository(ASO_SETTINGS, context).find(context.tenant_id)
    return _unset(context) if found is None else found


def put(context: Context, body: SettingsInput) -> Record[AsoSettings]:
    """Replace the settings.

    Raises:
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``invalid_host``, ``own_host``, ``currency_required``, ``unknown_timezone``,
            ``invalid_property``.
    """
    checked = _checked(body)
    return _written(context, lambda _before: checked)


def set_competitors(context: Context, body: CompetitorSet) -> Record[AsoSettings]:
    """Replace the competitors and leave everything else as it is.

    Raises:
        PreconditionFailed: ``stale_etag``.
        Unprocessable: ``invalid_host``, ``own_host``.
    """

    def change(before: SettingsInput) -> SettingsInput:
        return before.model_copy(update={"competitors": _competitors(body.competitors, before.site_hosts)})

    return _written(context, change)


def _unset(context: Context) -> Record[AsoSettings]:
    return Record(value=AsoSettings(tenant_id=context.tenant_id), update_time=NEVER)


def _written(context: Context, change: Callable[[SettingsInput], SettingsInput]) -> Record[AsoSettings]:
    """Create or update the settings if the caller's version is the current one; what changes nothing writes nothing."""

    def work(work: Work) -> AsoSettings:
        record = work.find(ASO_SETTINGS, context.tenant_id)
        known = record or _unset(context)
        if context.if_match not in {None, "*", known.etag}:
            details = {"current_etag": known.etag}
            raise PreconditionFailed("stale_etag", "The settings were changed since; read them again.", details=details)
        now = datetime.now(UTC)
        after = known.value.model_copy(update=_fields(change(known.value)))
        if record is None:
            return work.create(ASO_SETTINGS, after.model_copy(update={"created_at": now, "updated_at": now}))
        if after != known.value:
            after = after.model_copy(update={"updated_at": now})
        return work.update(ASO_SETTINGS, record, after)

    written = write_record(context, work)
    # Settings have no table whose rows would do it: who the competitors are decides what a content gap is.
    set_marks(context, context.tenant_id, [(CONTENT_GAP_SCAN, EVERYTHING)])
    return written


def _fields(settings: SettingsInput) -> dict[str, object]:
    return {name: getattr(settings, name) for name in SettingsInput.model_fields}


def _checked(body: SettingsInput) -> SettingsInput:
    """Return the settings with every host in its compared form."""
    if body.value_per_visit_minor is not None and body.currency is None:
        raise _refused("currency_required", "/currency", "a value of a visit needs its currency")
    _check_timezone(body.timezone)
    _check_property(body.search_console_site)
    hosts = _hosts(body.site_hosts)
    return body.model_copy(
        update={
            "site_hosts": hosts,
            "competitors": _competitors(body.competitors, hosts),
            "brand_terms": list({normalized_keyword(term): term for term in body.brand_terms}.values()),
            "tracking": body.tracking.model_copy(update={"providers": list(dict.fromkeys(body.tracking.providers))}),
        }
    )


def _hosts(given: list[str]) -> list[str]:
    hosts: dict[str, None] = {}
    for index, text in enumerate(given):
        host = host_of(text)
        if host is None or not is_registrable(host):
            raise _invalid_host(f"/site_hosts/{index}", text)
        hosts[host] = None
    return list(hosts)


def _competitors(given: list[str], own: list[str]) -> list[str]:
    hosts: dict[str, None] = {}
    for index, text in enumerate(given):
        host = registrable_host(text)
        if host is None or not is_registrable(host):
            raise _invalid_host(f"/competitors/{index}", text)
        if is_within(host, own):
            raise _refused("own_host", f"/competitors/{index}", f"{host} is one of the tenant's own hosts")
        hosts[host] = None
    return list(hosts)


def _check_timezone(name: str) -> None:
    from zoneinfo import ZoneInfo

    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        message = f"{name!r} is not the IANA name of a time zone"
        raise _refused("unknown_timezone", "/timezone", message) from None


def _check_property(name: str | None) -> None:
    """Refuse what cannot be a property of Search Console: neither ``sc-domain:<host>`` nor an address."""
    if name is None:
        return
    domain = name.removeprefix("sc-domain:")
    if host_of(domain) is None or (domain == name and not name.startswith(("http://", "https://"))):
        message = "a property is 'sc-domain:' and a host, or an http or https address"
        raise _refused("invalid_property", "/search_console_site", message)


def _invalid_host(pointer: str, text: str) -> Unprocessable:
    message = f"{text[:100]!r} is not a host that somebody can register, nor an address on one"
    return _refused("invalid_host", pointer, message)


def _refused(code: str, pointer: str, message: str) -> Unprocessable:
    return Unprocessable(code, message, errors=[FieldError(pointer=pointer, code=code, message=message)])

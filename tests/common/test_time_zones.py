"""Time zones under their current names."""

from __future__ import annotations

import zoneinfo

import pytest

from common.time_zones import canonical_time_zone


@pytest.mark.parametrize(
    ("name", "current"),
    [
        ("asia/CALCUTTA", "Asia/Kolkata"),
        ("US/Pacific", "America/Los_Angeles"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("Europe/Stockholm", "Europe/Stockholm"),
        ("Zulu", "UTC"),
        ("etc/utc", "UTC"),
        (" Etc/GMT+5 ", "Etc/GMT+5"),
    ],
)
def test_old_names_become_the_current_one(name: str, current: str) -> None:
    assert canonical_time_zone(name) == current


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "Factory", "localtime", "../../etc/passwd", "posixrules", "+02:00"]
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        canonical_time_zone(name)


def test_every_name_of_the_library_leads_to_one_it_can_load() -> None:
    for name in zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"}:
        current = canonical_time_zone(name)
        assert canonical_time_zone(current) == current
        zoneinfo.ZoneInfo(current)

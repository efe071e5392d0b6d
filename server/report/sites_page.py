"""What the page shows of sites: those that are alike together, and a gauge for each."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from markupsafe import Markup

from server.report.parts import Event, Policy, Site, Spending

_Shared = TypeVar("_Shared", bound=Hashable)


def group_events(sites: Iterable[Site]) -> list[tuple[list[str], tuple[Event, ...]]]:
    """Put sites with the same ledger together: with sixty sites that is one table, not sixty."""
    return _group(sites, lambda site: site.events)


def group_policies(sites: Iterable[Site]) -> list[tuple[list[str], Policy]]:
    """Put sites with the same policy together."""
    found = _group(sites, lambda site: site.policy)
    return [(names, policy) for names, policy in found if policy is not None]


def group_histories(sites: Iterable[Site]) -> list[tuple[list[str], tuple[Spending, ...]]]:
    """Put sites that spent the same on the same days together."""
    found = _group(
        sites,
        lambda site: tuple(
            each.model_copy(update={"reserved": each.reserved[:10]}) for each in site.history
        ),
    )
    return [(names, history) for names, history in found if history]


def _group(
    sites: Iterable[Site], share: Callable[[Site], _Shared]
) -> list[tuple[list[str], _Shared]]:
    groups: dict[_Shared, list[str]] = {}
    for site in sites:
        groups.setdefault(share(site), []).append(site.name)
    return [(names, shared) for shared, names in groups.items()]


def draw_gauge(site: Site, study: str) -> Markup:
    """Return the inside of a site's gauge: earlier studies, then all up to now, of the budget."""
    if site.total is None or not site.budget:
        return Markup("")
    names = [spending.study for spending in site.history]
    place = names.index(study) if study in names else 0
    earlier = site.history[place - 1].total if place else 0.0
    widths = [100 * min(1.0, epsilon / site.budget) for epsilon in (site.total.pld, earlier)]
    return Markup(
        f'<i style="width:{widths[0]:.1f}%"></i>'
        f'<i class="earlier" style="width:{widths[1]:.1f}%"></i>'
    )

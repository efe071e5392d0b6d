"""What the adversarial rounds changed, measure by measure, up or down."""

from dataclasses import dataclass

from server.report.parts import Utility, UtilityRow


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One column of the utility table.

    Attributes:
        key: field of `UtilityRow`.
        title: what the page calls it.
        best: the value to aim for.
        digits: after the point.
    """

    key: str
    title: str
    best: float
    digits: int = 3


MEASURES = (
    Measure(key="boosting_auc", title="Boosting AUC", best=1.0),
    Measure(key="boosting_accuracy", title="Boosting accuracy", best=1.0),
    Measure(key="boosting_f1", title="Boosting F1", best=1.0),
    Measure(key="logistic_auc", title="Logistic AUC", best=1.0),
    Measure(key="one_way", title="One-way distance", best=0.0, digits=4),
    Measure(key="two_way", title="Two-way distance", best=0.0, digits=4),
    Measure(key="two_sample_auc", title="Two-sample AUC", best=0.5),
)


@dataclass(frozen=True, kw_only=True)
class Change:
    """One measure before and after; `verdict` is better, worse or unchanged."""

    title: str
    before: str
    after: str
    difference: str
    verdict: str


def find_row(utility: Utility, kind: str) -> UtilityRow | None:
    """Return the first line of a kind, or None."""
    return next((row for row in utility.rows if row.kind == kind), None)


def write_figure(row: UtilityRow, measure: Measure) -> str:
    """Return one cell of the utility table; a dash where nothing was measured."""
    value: float | None = getattr(row, measure.key)
    return "\N{EN DASH}" if value is None else f"{value:.{measure.digits}f}"


def list_changes(utility: Utility) -> tuple[Change, ...]:
    """Return what the adversarial rounds changed; empty unless both tables were measured."""
    before, after = find_row(utility, "sketch"), find_row(utility, "final")
    if before is None or after is None:
        return ()
    changes = (_change(before, after, measure) for measure in MEASURES)
    return tuple(change for change in changes if change is not None)


def summarise_changes(changes: tuple[Change, ...]) -> str:
    """Return one plain sentence over all measures."""
    better, worse = (
        [_inside(change.title) for change in changes if change.verdict == verdict]
        for verdict in ("better", "worse")
    )
    if not better and not worse:
        return "The adversarial rounds changed no figure."
    gained = f"improved {_join(better)}" if better else "improved no figure"
    lost = f"worsened {_join(worse)}" if worse else "worsened none"
    return f"The adversarial rounds {gained} and {lost}."


def _change(before: UtilityRow, after: UtilityRow, measure: Measure) -> Change | None:
    old, new = getattr(before, measure.key), getattr(after, measure.key)
    if old is None or new is None:
        return None
    difference = round(new, measure.digits) - round(old, measure.digits)
    closer = abs(old - measure.best) - abs(new - measure.best)
    shown = f"{difference:+.{measure.digits}f}".replace("-", "\N{MINUS SIGN}")
    unchanged = abs(difference) < 0.5 * 10**-measure.digits
    return Change(
        title=measure.title,
        before=write_figure(before, measure),
        after=write_figure(after, measure),
        difference="±0" if unchanged else shown,
        verdict="unchanged" if unchanged else "better" if closer > 0 else "worse",
    )


def _join(titles: list[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"


def _inside(title: str) -> str:
    """Write a title as it stands inside a sentence."""
    return title[0].lower() + title[1:]

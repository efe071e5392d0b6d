"""What was tried against the example's release, and what its promise means; all made up."""

from __future__ import annotations

from hashlib import sha256

from server.report import (
    Attack,
    Attacks,
    Audit,
    Conflict,
    Consistency,
    Gain,
    Group,
    Rates,
    SiteAudit,
    SiteConsistency,
    SiteGroup,
    TargetDistance,
    TargetMargin,
    TargetReport,
)
from server.report.gain import list_beliefs


def example_groups() -> tuple[Group, ...]:
    keys = ("column", "level", "test_rows", "auc", "real_auc", "two_way", "real_two_way")
    rows = (
        ("gender", "Female", 3_221, 0.9017, 0.9492, 0.0391, 0.0331),
        ("gender", "Male", 6_547, 0.8709, 0.9066, 0.0344, 0.0228),
        ("race", "Amer-Indian-Eskimo", 101, 0.8533, 0.9241, 0.2117, 0.1623),
        ("race", "Asian-Pac-Islander", 298, 0.8610, 0.9012, 0.1402, 0.1017),
        ("race", "Black", 931, 0.9043, 0.9447, 0.0713, 0.0562),
        ("race", "Other", 41, None, None, None, None),
        ("race", "White", 8_397, 0.8964, 0.9260, 0.0332, 0.0211),
    )
    return tuple(Group.model_validate(dict(zip(keys, row, strict=True))) for row in rows)


def example_gain() -> Gain:
    return Gain(
        epsilon=1.0,
        delta=1e-5,
        beliefs=list_beliefs(1.0),
        from_losses=Rates(
            true_positive_1_percent=0.0197751,
            true_positive_0_1_percent=0.0023840,
            posterior_1_percent=0.6641493,
            posterior_0_1_percent=0.7044943,
            right_guesses=0.5532871,
        ),
        from_epsilon_delta=Rates(
            true_positive_1_percent=0.0271928,
            true_positive_0_1_percent=0.0027283,
            posterior_1_percent=0.7311306,
            posterior_0_1_percent=0.7317788,
            right_guesses=0.7310613,
        ),
    )


def example_audit() -> Audit:
    keys = ("site", "claim", "canaries", "guesses", "right", "one_run", "f_dp", "ceiling")
    rows = (
        ("north", 0.8216, 500, 100, 57, 0.0, 0.041, 3.4911),
        ("south", 0.8216, 500, 100, 61, 0.0712, 0.2034, 3.4911),
        ("east", 0.8216, 250, 50, None, None, None, 2.7812),
    )
    return Audit(
        release="sketch",
        confidence=0.95,
        sites=tuple(
            SiteAudit.model_validate(
                dict(zip(keys, row, strict=True))
                | {"commitment": sha256(row[0].encode()).hexdigest(), "refutes": False}
            )
            for row in rows
        ),
    )


def example_attacks() -> Attacks:
    common = {"tried": 2_000, "succeeds": False}
    guessing = {"measure": "auc", "baseline": 0.5, "guessing": 0.5, "allowed": 0.576}
    other = {"measure": "share"}
    won = {"control_succeeds": True}
    rows: tuple[dict[str, object], ...] = (
        {"kind": "membership", "name": "distance to the closest published row", "found": 0.503}
        | guessing
        | {"low": 0.485, "high": 0.521, "control": 0.987}
        | won,
        {"kind": "membership", "name": "density of published rows", "found": 0.497}
        | guessing
        | {"low": 0.479, "high": 0.515, "control": 0.941}
        | won,
        {"kind": "attribute", "name": "income from all other columns", "found": 0.846}
        | other
        | {"low": 0.829, "high": 0.861, "baseline": 0.842}
        | {"baseline_low": 0.825, "baseline_high": 0.857, "control": 0.992}
        | {"guessing": 0.761, "allowed": 0.889}
        | won,
        {"kind": "singling-out", "name": "rare combinations of three columns", "found": 0.021}
        | other
        | {"low": 0.015, "high": 0.028, "baseline": 0.019}
        | {"baseline_low": 0.014, "baseline_high": 0.026},
        {"kind": "copies", "name": "rows that are equal in all columns", "found": 0.031}
        | other
        | {"low": 0.024, "high": 0.040, "baseline": 0.029, "allowed": 0.067},
    )
    return Attacks(attacks=tuple(Attack.model_validate(common | row) for row in rows))


def example_consistency() -> Consistency:
    def site(name: str, others: float, group: float | None, **conflicts: float) -> SiteConsistency:
        found = [
            Conflict(columns=tuple(columns.split("_with_")), distance=distance)
            for columns, distance in conflicts.items()
        ]
        return SiteConsistency(
            name=name, from_others=others, from_group=group, conflicts=tuple(found)
        )

    return Consistency(
        groups=(
            SiteGroup(sites=("east", "north"), share=0.6021),
            SiteGroup(sites=("south",), share=0.2213),
            SiteGroup(sites=("west",), share=0.1766),
        ),
        sites=(
            site("north", 3.4127, 1.0231, occupation=0.3127, education=0.1213),
            site("south", 4.9218, None, occupation=0.6187, gender=0.2713, age_with_income=0.0821),
            site("east", 2.7719, 1.0231, occupation=0.2881),
            site("west", 1.8341, None),
        ),
        differences=(
            (0.0, 5.1127, 1.0231, 2.9127),
            (5.1127, 0.0, 4.8218, 6.2719),
            (1.0231, 4.8218, 0.0, 2.3341),
            (2.9127, 6.2719, 2.3341, 0.0),
        ),
        apart=4.0,
        level=0.01,
    )


def example_target() -> TargetReport:
    def told(distance: float, expected: float, *, beyond: bool = False) -> TargetDistance:
        return TargetDistance(distance=distance, expected=expected, is_beyond=beyond)

    return TargetReport(
        sha256=sha256(b"target").hexdigest(),
        sites=("east", "north", "south", "west"),
        margins=(
            TargetMargin(
                columns=("age",),
                generator=0.0412,
                together=told(0.0391, 0.0113, beyond=True),
                sites=(
                    told(0.0213, 0.0311),
                    told(0.0482, 0.0327),
                    told(0.0276, 0.0309),
                    told(0.3127, 0.0334, beyond=True),
                ),
            ),
            TargetMargin(
                columns=("education", "income"),
                generator=0.0094,
                together=told(0.0087, 0.0092),
                sites=(told(0.0202, 0.0241), told(0.0257, 0.0249), None, told(0.0231, 0.0252)),
            ),
        ),
        level=0.01,
    )

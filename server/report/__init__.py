"""The report of a release: its content as one frozen value, and that value as a web page.

What a reader needs to judge a release belongs here: the promise, the ledgers, the figures, the
pictures, the cost and the limits, in plain words. Nothing is measured or decided here.
"""

from server.report.attack_words import describe_attacks, describe_control
from server.report.audit import build_audit
from server.report.build import (
    build_cost,
    build_event,
    build_history,
    build_pictures,
    build_policy,
    build_promise,
    build_receipt,
    build_round,
    build_site,
    build_site_from_plan,
    build_software,
    build_utility_row,
    describe_release,
)
from server.report.consistency import (
    Conflict,
    Consistency,
    SiteConsistency,
    SiteGroup,
    build_consistency,
)
from server.report.cost import Cost, Phase, Rejection, Round, Traffic
from server.report.evaluation import (
    Evaluation,
    ExactFigures,
    Figure,
    HoldOutSize,
    Noise,
    build_evaluation,
)
from server.report.evidence import SITE_MARK, Attack, Attacks, Audit, SiteAudit
from server.report.gain import Belief, Gain, Rates, build_gain
from server.report.image_grids import build_images
from server.report.images import Copies, Grid, ImageFigures, ImageRow, Images
from server.report.model import FORMAT, STAMP, Report, report_from_json, report_to_json
from server.report.page import render_html
from server.report.parts import (
    SIMULATION_MARK,
    ColumnPicture,
    Event,
    Group,
    HeldReceipt,
    Pictures,
    Policy,
    Promise,
    Release,
    Site,
    Spending,
    Totals,
    Utility,
    UtilityRow,
    Version,
)
from server.report.refusals import Refusal, build_refusals
from server.report.sketch_noise import SketchNoise, build_sketch_noise
from server.report.strategy import Strategy, build_strategy
from server.report.target import (
    TargetDistance,
    TargetMargin,
    TargetReport,
    build_target,
)
from server.report.wording import LOCAL_TRUST, NOT_PROMISED
from server.report.write import write_report

__all__ = [
    "FORMAT",
    "LOCAL_TRUST",
    "NOT_PROMISED",
    "SIMULATION_MARK",
    "SITE_MARK",
    "STAMP",
    "Attack",
    "Attacks",
    "Audit",
    "Belief",
    "ColumnPicture",
    "Conflict",
    "Consistency",
    "Copies",
    "Cost",
    "Evaluation",
    "Event",
    "ExactFigures",
    "Figure",
    "Gain",
    "Grid",
    "Group",
    "HeldReceipt",
    "HoldOutSize",
    "ImageFigures",
    "ImageRow",
    "Images",
    "Noise",
    "Phase",
    "Pictures",
    "Policy",
    "Promise",
    "Rates",
    "Refusal",
    "Rejection",
    "Release",
    "Report",
    "Round",
    "Site",
    "SiteAudit",
    "SiteConsistency",
    "SiteGroup",
    "SketchNoise",
    "Spending",
    "Strategy",
    "TargetDistance",
    "TargetMargin",
    "TargetReport",
    "Totals",
    "Traffic",
    "Utility",
    "UtilityRow",
    "Version",
    "build_audit",
    "build_consistency",
    "build_cost",
    "build_evaluation",
    "build_event",
    "build_gain",
    "build_history",
    "build_images",
    "build_pictures",
    "build_policy",
    "build_promise",
    "build_receipt",
    "build_refusals",
    "build_round",
    "build_site",
    "build_site_from_plan",
    "build_sketch_noise",
    "build_software",
    "build_strategy",
    "build_target",
    "build_utility_row",
    "describe_attacks",
    "describe_control",
    "describe_release",
    "render_html",
    "report_from_json",
    "report_to_json",
    "write_report",
]

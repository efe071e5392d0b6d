"""A release of any kind of data: written, signed and put in its place as one whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from server.attestation import Attestation, sign_release
from server.attestation.canaries import CanaryStatement
from server.outcome import AnyGenerator
from server.records import Records, write_any_release
from server.release import staged_folder
from server.report import Report
from synthesis.kinds import AnySchema


def publish(
    target: Path,
    attestation: Attestation,
    *,
    records: Records,
    generator: AnyGenerator,
    schema: AnySchema,
    report: Report,
    canaries: CanaryStatement | None = None,
    put_beside: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write a release folder that is there as one whole, signed, or not at all.

    Args:
        target: new or empty folder.
        attestation: who signs, and what the statement says of the study.
        records: the synthetic ones.
        generator: that they are from.
        schema: public.
        report: what is said of them.
        canaries: what is opened of the sites' canaries, if any site planted some.
        put_beside: puts further files into the folder before it is signed.

    Raises:
        InputError: if the folder exists and is not empty.
    """
    with staged_folder(target) as staging:
        write_any_release(
            staging,
            records=records,
            generator=generator,
            schema=schema,
            report=report,
            canaries=canaries,
        )
        put_beside(staging)
        sign_release(staging, report, attestation)

"""Break the promise on purpose, one way at a time, and see that a test fails each time.

Run as a program it prints a table: ``python tests/helpers/mutants.py [NAME ...]``. Each mutant is
one change of the source in a copy of the repository; the tests named beside it are run there. A
mutant that no test notices makes the program end with 1.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from forked_pytest import run_pytest

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".*_cache", "*.egg-info", "demo")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to break the promise.

    Attributes:
        name: short, in words joined by hyphens.
        file: what is changed, from the root.
        old: text that stands there exactly once.
        new: what takes its place.
        tests: files of tests, from the root, of which one must fail.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        name="sketch-without-noise",
        file="privacy/mechanisms.py",
        old="(steps + noise) / GRID",
        new="(steps + 0 * noise) / GRID",
        tests=("tests/privacy/test_noise_mutants.py",),
    ),
    Mutant(
        name="training-without-noise",
        file="privacy/stream_optimizer.py",
        old="noise_std = self.noise_multiplier * self.max_grad_norm",
        new="noise_std = 0.0 * self.noise_multiplier * self.max_grad_norm",
        tests=("tests/privacy/test_private_step.py",),
    ),
    Mutant(
        name="noise-of-a-known-key",
        file="privacy/random_stream.py",
        old="    return keystream(os.urandom(_KEY_BYTES))\n",
        new="    return keystream(bytes(_KEY_BYTES))\n",
        tests=("tests/privacy/test_fresh_keys.py",),
    ),
    Mutant(
        name="noise-of-a-short-key",
        file="privacy/random_stream.py",
        old="    return keystream(os.urandom(_KEY_BYTES))\n",
        new="    return keystream(os.urandom(4) + bytes(_KEY_BYTES - 4))\n",
        tests=("tests/privacy/test_fresh_keys.py",),
    ),
    Mutant(
        name="noise-key-kept",
        file="privacy/randomness.py",
        old="        return RandomStream(fresh_keystream)\n",
        new="        read = fresh_keystream()\n        return RandomStream(lambda: read)\n",
        tests=("tests/privacy/test_fresh_keys.py",),
    ),
    Mutant(
        name="clip-tripled",
        file="privacy/private_step.py",
        old="clip = (_WITHIN * self.max_grad_norm / (norms + 1e-6))",
        new="clip = (3 * self.max_grad_norm / (norms + 1e-6))",
        tests=("tests/privacy/test_private_step_mutants.py",),
    ),
    Mutant(
        name="batches-by-shuffling",
        file="privacy/sampling.py",
        old="    entered = np.flatnonzero(stream.bits(n_units) < threshold)\n",
        new="    size = round(rate * n_units)\n"
        "    entered = np.sort(np.argsort(stream.bits(n_units) + 0 * threshold)[:size])\n",
        tests=("tests/privacy/test_sampling_mutants.py", "tests/privacy/test_sampling.py"),
    ),
    Mutant(
        name="empty-batches-skipped",
        file="privacy/trainer.py",
        old="        for units in batches:\n",
        new="        for units in (batch for batch in batches if len(batch)):\n",
        tests=("tests/privacy/test_trainer.py",),
    ),
    Mutant(
        name="ledger-write-dropped",
        file="client/training.py",
        old="    begin_phase(site, reservation, round_phase(server_round))\n    discriminator = ",
        new="    begin_phase, round_phase\n    discriminator = ",
        tests=("tests/client/test_training.py",),
    ),
    Mutant(
        name="ledger-write-of-autoencoders-dropped",
        file="client/autoencoding.py",
        old="    begin_phase(site, reservation, round_phase(server_round))\n    units = ",
        new="    begin_phase, round_phase\n    units = ",
        tests=("tests/client/test_autoencoding.py",),
    ),
    Mutant(
        name="kept-answer-found-for-any-question",
        file="client/kept.py",
        old='            if facts["question"] != _digest(message):\n',
        new="            if not facts:\n",
        tests=("tests/client/test_kept.py",),
    ),
    Mutant(
        name="kept-answer-drawn-again",
        file="client/phases.py",
        old='    if f"{phase}{KEPT}" in notes or f"{phase}-spoiled" in notes:\n',
        new='    if f"{phase}-spoiled" in notes:\n',
        tests=("tests/client/test_kept.py", "tests/client/test_phases.py"),
    ),
    Mutant(
        name="sent-before-it-is-kept",
        file="client/answering.py",
        old="                kept.keep(phase, message, content)\n            keep_phase(",
        new="                pass\n            keep_phase(",
        tests=("tests/client/test_phases.py",),
    ),
    Mutant(
        name="attempts-without-end",
        file="client/phases.py",
        old="    if attempts >= MOST_ATTEMPTS:\n",
        new="    if attempts >= 1000 * MOST_ATTEMPTS:\n",
        tests=("tests/client/test_interruptions.py",),
    ),
    Mutant(
        name="any-failure-tried-again",
        file="client/phases.py",
        old="    if isinstance(error, _HARMLESS):\n",
        new="    if isinstance(error, Exception):\n",
        tests=("tests/client/test_interruptions.py",),
    ),
    Mutant(
        name="two-at-once",
        file="client/kept.py",
        old="            fcntl.flock(lock, fcntl.LOCK_EX)\n",
        new="",
        tests=("tests/client/test_kept.py",),
    ),
    Mutant(
        name="steps-taken-twice",
        file="client/state.py",
        old="if number < server_round]",
        new="if number <= server_round]",
        tests=("tests/client/test_state.py",),
    ),
    Mutant(
        name="reservation-dropped",
        file="privacy/ledger_file.py",
        old="    connection.executemany(_INSERT, rows)\n",
        new="    connection.executemany(_INSERT, [row for row in rows if row[4] != 'reserved'])\n",
        tests=("tests/privacy/test_ledger.py",),
    ),
    Mutant(
        name="row-count-sent",
        file="client/app.py",
        old="    return _answer_with_change(local, generator, message)\n",
        new="    content = _answer_with_change(local, generator, message)\n"
        '    content[CONFIG]["num-examples"] = site.read_units("training").n_units\n'
        "    return content\n",
        tests=("tests/client/test_client_app.py", "tests/client/test_what_leaves.py"),
    ),
    Mutant(
        name="gate-left-open-and-row-count-sent",
        file="client/hello.py",
        old="    if policy.row_count_public:\n",
        new="    if True:\n",
        tests=("tests/client/test_client_app.py", "tests/client/test_what_leaves.py"),
    ),
    Mutant(
        name="persons-not-weighed",
        file="synthesis/units.py",
        old="return (WEIGHT_GRID // self._sizes)[self.unit] / WEIGHT_GRID",
        new="return np.ones(len(self.unit))",
        tests=("tests/synthesis/test_units.py",),
    ),
    Mutant(
        name="hold-out-trained-on",
        file="client/site.py",
        old="return training if part is Part.TRAINING else held_out",
        new="return units if part is Part.TRAINING else held_out",
        tests=("tests/client/test_unit_rule.py",),
    ),
    Mutant(
        name="signatures-not-checked",
        file="privacy/ledger_book.py",
        old="            check_signature(row, self.header.public_key)\n",
        new="",
        tests=("tests/privacy/test_ledger_tampering.py",),
    ),
    Mutant(
        name="policy-loosened-by-anybody",
        file="privacy/approvals.py",
        old="    if loosened and not _is_approved(",
        new="    if False and not _is_approved(",
        tests=("tests/privacy/test_approvals.py",),
    ),
    Mutant(
        name="told-apart-without-leave",
        file="client/settings.py",
        old="(TOLD_APART,) * self.tells_sites_apart",
        new="(TOLD_APART,) * 0",
        tests=("tests/client/test_leave_of_a_site.py",),
    ),
    Mutant(
        name="discriminator-sent-without-leave",
        file="client/settings.py",
        old="(SEND_DISCRIMINATOR,) * sends",
        new="(SEND_DISCRIMINATOR,) * 0",
        tests=("tests/client/test_leave_of_a_site.py",),
    ),
    Mutant(
        name="details-of-images-without-sensitivity",
        file="synthesis/images/sketch.py",
        old="        together = math.hypot(DIAGONAL * (CONSTANT**2 + 1.0), DETAIL)\n",
        new="        together = DIAGONAL * (CONSTANT**2 + 1.0)\n",
        tests=("tests/synthesis/images/test_sketch.py",),
    ),
    Mutant(
        name="details-of-images-without-bound",
        file="synthesis/images/details.py",
        old="            parts.append(whole / np.maximum(norms, _WHOLE))\n",
        new="            parts.append(whole / np.maximum(norms * 0.5, _WHOLE))\n",
        tests=("tests/synthesis/images/test_sketch.py",),
    ),
    Mutant(
        name="real-images-in-a-release-of-real-sites",
        file="server/report/model.py",
        old="if self.images.figures is not None or self.images.shows_real:",
        new="if self.images.figures is not None:",
        tests=("tests/server/test_records.py",),
    ),
)


def is_caught(mutant: Mutant) -> bool:
    """Return whether a test fails when the mutant is in place.

    Raises:
        ValueError: if the text to change does not stand there exactly once.
        RuntimeError: if the tests could not be run at all.
    """
    with tempfile.TemporaryDirectory(prefix="fedsynth-mutant-") as folder:
        copy = Path(folder) / "fedsynth"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        path = copy / mutant.file
        source = path.read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            raise ValueError(
                f"mutant {mutant.name}: {mutant.file} was changed; bring it up to date"
            )
        path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
        code, said = run_pytest(copy, mutant.tests)
    if code not in (0, 1):
        raise RuntimeError(f"mutant {mutant.name}: the tests did not run:\n{said[-2000:]}")
    if code == 1 and "error" in said.splitlines()[-1]:
        raise RuntimeError(f"mutant {mutant.name}: the change is no Python:\n{said[-2000:]}")
    return code == 1


def main(names: Sequence[str]) -> int:
    """Try the named mutants, or all; return 0 if every one was caught."""
    chosen = [mutant for mutant in MUTANTS if not names or mutant.name in names]
    survivors = 0
    for mutant in chosen:
        caught = is_caught(mutant)
        survivors += not caught
        sys.stdout.write(f"{'caught' if caught else 'SURVIVED':9} {mutant.name}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{len(chosen) - survivors} of {len(chosen)} mutants caught\n")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""A data site made by the commands that a data site types, with an approver."""

from __future__ import annotations

import re

from command_line import CommandLine, Ended

from client.site import load_site
from privacy import Budget, Ledger, SigningKey, make_plan

STUDY = """
name = "flu"
epsilon = 0.5
rounds = 2
discriminator_steps = 2
generator_steps = 1
sample_rate = 0.2
nominal_rows = 40
evaluation = true
"""


def init_words(*more: str, folder: str = "north") -> list[str]:
    words = ["site", "init", folder, "--name", "North", "--data", "visits.csv"]
    return [*words, "--schema", "visits.toml", "--epsilon", "1", "--delta", "1e-5", *more]


class FoundedSite:
    """A site in the folder ``north`` and an approver's key in ``officer.pem``."""

    def __init__(self, shell: CommandLine) -> None:
        self.shell = shell
        made = shell.run("keys", "new", "officer.pem")
        self.officer_key = SigningKey.load("officer.pem").public.hex
        assert self.officer_key in made.out
        self.founded = shell.run(*init_words("--approver", "Officer=officer.pub"))
        assert (self.founded.code, self.founded.err) == (0, "")
        (shell.home / "flu.toml").write_text(STUDY)

    @property
    def path(self) -> str:
        return str(self.shell.home / "north" / "ledger.sqlite")

    def open(self) -> Ledger:
        return Ledger.open(self.path, key=load_site("north").key)

    def spend(self, study: str = "pilot", epsilon: float = 0.3, rounds: int = 2) -> Ledger:
        """Run a study as far as the ledger sees it."""
        ledger = self.open()
        plan = make_plan(
            Budget(epsilon=epsilon, delta=1e-5), sample_rate=0.1, steps=4, adversarial_share=0.3
        )
        reservation = ledger.reserve(study, plan.events(), rounds=rounds)
        ledger.mark(reservation, "running", "sketch")
        for number in range(rounds):
            ledger.mark(reservation, "running", f"round-{number + 1}")
        ledger.mark(reservation, "done")
        return ledger

    def set(self, **settings: str) -> None:
        """Change lines of the site's file; values as TOML."""
        path = self.shell.home / "north" / "site.toml"
        text = path.read_text()
        for name, value in settings.items():
            line = f"{name} = {value}"
            if re.search(rf"(?m)^{name} = ", text):
                text = re.sub(rf"(?m)^{name} = .*$", line, text)
            else:
                text = text.replace("[policy]\n", f"[policy]\n{line}\n")
        path.write_text(text)

    def run(self, *words: str) -> Ended:
        """Run ``fedsynth site ...`` on this site."""
        return self.shell.run("site", *words, "--site", "north")


def joined(text: str) -> str:
    """Text without line breaks, which depend on the width of the screen."""
    return " ".join(text.split())

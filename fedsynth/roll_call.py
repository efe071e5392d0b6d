"""Who is there, who has answered, and who is waited for: a line for people."""

from __future__ import annotations

from collections.abc import Sequence

MOST_NAMED = 6


def name_some(names: Sequence[str]) -> str:
    """Return names on one line, the first few of many.

    >>> name_some(["north", "south"])
    'north; south'
    >>> name_some([f"s{i}" for i in range(8)])
    's0; s1; s2; s3; s4; s5 and 2 more'
    """
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return "; ".join(names[:MOST_NAMED]) + more


class RollCall:
    """The sites of a study, as far as the coordinator's events name them.

    Attributes:
        members: all that may take part.
        online: those that were connected at the last look; None before the first.
        away: those that went away during a question and are not back.
    """

    def __init__(self) -> None:
        self.members: list[str] = []
        self.online: list[str] | None = None
        self.away: set[str] = set()
        self._asked: list[str] = []
        self._heard: list[str] = []

    def ask(self, sites: Sequence[object]) -> None:
        """Begin a question to these sites; to none if it is over."""
        named = [site for site in sites if isinstance(site, str)]  # a simulation tells numbers
        self._asked, self._heard = named, []

    def hear(self, site: str) -> None:
        """Note an answer."""
        self.away.discard(site)
        self._heard.append(site)

    def last_heard(self) -> str:
        """Return who answered last, and how many have."""
        return f"{self._heard[-1]} answered ({len(self._heard)} of {len(self._asked)})"

    def describe(self) -> str:
        """Return who has answered and who is waited for, or an empty line."""
        if self._asked:
            missing = [site for site in self._asked if site not in self._heard]
            marked = [f"{site} (away)" if site in self.away else site for site in missing]
            heard = f"answered: {name_some(self._heard)}" if self._heard else "no answer yet"
            return f"{heard}; waiting for: {name_some(marked)}" if missing else heard
        if self.online is None or not self.members:
            return ""
        absent = [site for site in self.members if site not in self.online]
        there = f"online: {name_some(self.online) or 'no site'}"
        return f"{there}; away: {name_some(absent)}" if absent else there

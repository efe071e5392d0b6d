"""The part of a report about what the study took: time, messages, replies that were lost."""

from server.report.parts import Count, NotNegative, Part


class Phase(Part):
    """One phase of the study."""

    name: str
    """What was done."""
    seconds: NotNegative
    """Time on the clock."""


class Rejection(Part):
    """One reply that was not used."""

    site: str
    """Who sent it."""
    reason: str
    """A fixed code; never the site's own text."""


class Round(Part):
    """One round of messages."""

    number: Count
    """From 1; 0 is before training."""
    seconds: NotNegative
    """Time on the clock."""
    asked: Count
    """Sites asked."""
    valid: Count
    """Replies used."""
    changed: bool = True
    """Whether the global generator was replaced; false when too few replies were valid."""
    rejected: tuple[Rejection, ...] = ()
    """Replies not used."""
    bytes_down: Count | None = None
    """From the coordinator to all sites; None where the transport does not count."""
    bytes_up: Count | None = None
    """From all sites to the coordinator."""


class Traffic(Part):
    """What crossed the wire of one site in the whole study."""

    site: str
    """The site."""
    bytes_down: Count | None
    """Received by it."""
    bytes_up: Count | None
    """Sent by it."""


class Cost(Part):
    """What the study took."""

    phases: tuple[Phase, ...] = ()
    """In the order they ran."""
    rounds: tuple[Round, ...] = ()
    """In order."""
    traffic: tuple[Traffic, ...] = ()
    """One entry per site."""

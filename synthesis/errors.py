"""The errors a person meets when something handed over cannot be used, or is out of reach."""

from __future__ import annotations


class InputError(ValueError):
    """Report bad input in one sentence: the argument, the rule it breaks and the way out.

    The sentence may hold counts of private rows, so it is for the local screen only and must never
    be put into a message that leaves a site.

    Attributes:
        argument: name of the argument, file, option or column the sentence is about.
    """

    def __init__(self, message: str, *, argument: str) -> None:
        super().__init__(message)
        self.argument = argument

    def __reduce__(self) -> tuple[object, ...]:
        """Support pickling between processes, which a keyword-only argument would break."""
        return _rebuild, (str(self), self.argument)


class SourceUnavailable(RuntimeError):
    """Report that a site's data are out of reach for now: nothing to mend in what was given.

    The sentence is fixed but for a code of the database or the system. It never holds a host, a
    user, a statement or a cell.
    """


class WorkersFailed(RuntimeError):
    """Report that processes which drew rows could not start, or ended before their time."""


def _rebuild(message: str, argument: str) -> InputError:
    return InputError(message, argument=argument)

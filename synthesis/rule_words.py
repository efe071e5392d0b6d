"""What a setting of a file breaks, in words of such files rather than those of a library."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

RULES: Final = {
    "missing": "is required; add it",
    "extra_forbidden": "is not a known setting; check its spelling or remove it",
    "string_type": 'must be text in quotes, such as "0"',
    "path_type": "must be a path in quotes",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list in square brackets",
    "list_type": "must be a list in square brackets",
    "dict_type": "must be a table of settings",
    "model_type": "must be a table of settings",
    "model_attributes_type": "must be a table of settings",
}
_LIMITS: Final = {"gt": "greater than", "ge": "at least", "lt": "less than", "le": "at most"}
_NUMBERS: Final = {"min_length": "at least", "max_length": "at most"}


def say_rule(detail: Any) -> str:
    """Return what pydantic found of one setting, as what follows its name in a sentence."""
    kind, context = str(detail["type"]), detail.get("ctx", {})
    if kind in RULES:
        return RULES[kind]
    for limit, words in _LIMITS.items():
        if limit in context:
            return f"must be {words} {_say_number(context[limit])}"
    for limit, words in _NUMBERS.items():
        if kind in ("too_short", "too_long") and limit in context:
            things = "entry" if context[limit] == 1 else "entries"
            return f"must have {words} {context[limit]:,} {things}, and has {_count(context)}"
    said = str(detail["msg"]).removeprefix("Value error, ")
    if kind.endswith(("_parsing", "_from_float")):
        said = said.partition(", ")[0]  # and not how the library tried to read it
    return re.sub(r"^(Input|Value|String) should ", "must ", said)


def say_place(location: Sequence[int | str]) -> str:
    """Return where a setting stands in a file, outermost first; nothing for the whole of it.

    >>> say_place(("site_epsilons", 0))
    'site_epsilons, number 1'
    """
    words = (f"number {each + 1}" if isinstance(each, int) else str(each) for each in location)
    return ", ".join(words)


def say_finding(detail: Any) -> str:
    """Return what pydantic found of one setting: where it stands, and which rule it breaks."""
    place, rule = say_place(detail["loc"]), say_rule(detail)
    between = ": " if detail["type"] == "value_error" else " "
    return f"{place}{between}{rule}" if place else rule


def _say_number(limit: Any) -> str:
    return f"{limit:,}" if isinstance(limit, int) else f"{limit:g}"


def _count(context: Any) -> str:
    """Return how many entries there are; of more than some the library does not count them."""
    number = context["actual_length"]
    return "more" if number is None else "none" if number == 0 else f"{number:,}"

"""What a setting of a file breaks, in words of such files rather than those of a library."""

from __future__ import annotations

import re
from typing import Any, Final

RULES: Final = {
    "missing": "is required; add it",
    "extra_forbidden": "is not a known setting; check its spelling or remove it",
    "string_type": 'must be text in quotes, such as "0"',
    "tuple_type": "must be a list in square brackets",
    "list_type": "must be a list in square brackets",
    "dict_type": "must be a table of settings",
    "model_type": "must be a table of settings",
    "model_attributes_type": "must be a table of settings",
}


def say_rule(detail: Any) -> str:
    """Return what pydantic found of one setting, as what follows its name in a sentence."""
    if detail["type"] in RULES:
        return RULES[detail["type"]]
    said = str(detail["msg"]).removeprefix("Value error, ")
    return re.sub(r"^(Input|Value|String) should ", "must ", said)

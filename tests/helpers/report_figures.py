"""Which figures of a page are not in its report.json, after the page's own rounding."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

from server.report import Report, report_to_json, wording

# What the page's own sentences say, whatever the report: question numbers and the name of NIST's
# paper; levels (1 %, 0.1 %, 50 %, 95 %), ends of scales (0, 0.5, 1, 100 %), SHA-256; the public
# rule for groups (2 to 6 values, 50 rows), 20 bins and the 1 of 1 / noise squared.
CONSTANTS = {*map(str, range(1, 15)), *"0 0.1 0.5 20 50 95 100 226 256 800".split()}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
WHOLE = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")  # no digits inside a digest


def read_numbers(page: str) -> list[str]:
    """Return the words of a page that hold a digit, without style and pictures."""
    text = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    found = html.unescape(re.sub(r"<[^>]+>", " ", text)).split()
    return [word for word in found if re.search(r"\d", word)]


def leaves(content: Any) -> Iterator[Any]:
    if isinstance(content, dict | list):
        for value in content.values() if isinstance(content, dict) else content:
            yield from leaves(value)
    elif content is not None and not isinstance(content, bool):
        yield content


def forms(number: float) -> Iterator[str]:
    """Return a figure as the page may round it, by its own filters."""
    yield from (f"{number:.2f}", f"{number:.3f}", f"{number:.4f}", f"{number:.3g}", f"{number:.4g}")
    yield from (f"{number:,.0f}", f"{number:,}", wording.plain(number))
    yield from (wording.upper(number), wording.lower(number), wording.duration(number))
    yield wording.size(int(number))
    if 0 <= number <= 1:
        yield from (wording.percent(number), wording.rate(number), wording.at_most(number))
        yield wording.at_least(number)


def derived(report: Report) -> Iterator[str]:
    """Return counts of what report.json lists, and sums, differences and doubles of its figures."""
    for things in (report.sites, report.release.columns, report.cost.rounds, report.software):
        yield str(len(things))
    yield str(sum(site.receipt is not None for site in report.sites))
    yield wording.duration(sum(phase.seconds for phase in report.cost.phases))
    if report.sketch_noise is not None:
        yield f"{report.sketch_noise.smallest_visible:,}"
    if report.utility is not None:
        before, after = report.utility.rows[-2:]
        for name in type(before).model_fields:
            pair = getattr(before, name), getattr(after, name)
            if all(isinstance(value, float) for value in pair):
                for digits in (3, 4):
                    yield f"{abs(round(pair[1], digits) - round(pair[0], digits)):.{digits}f}"


def find_unknown_figures(report: Report, page: str) -> set[str]:
    """Return the figures on the page that are not in the report."""
    texts = [wording.moment(report.created)]
    written = set(CONSTANTS)
    for leaf in leaves(json.loads(report_to_json(report))):
        if isinstance(leaf, str):
            texts.append(leaf)
        else:
            written |= {number for form in forms(leaf) for number in NUMBER.findall(form)}
    written |= {number for text in texts for number in WHOLE.findall(text)}
    written |= {number for text in derived(report) for number in NUMBER.findall(text)}
    named = "\n".join(texts)
    return {
        number.rstrip(",")
        for word in read_numbers(page)
        # A name, a date or a digest is in the report as a whole.
        if not (re.search(r"[A-Za-z-]", word) and word.strip(".,;:()") in named)
        for number in NUMBER.findall(word)
        if number.rstrip(",") not in written
    }

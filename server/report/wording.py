"""How numbers and codes are written on the page."""

import math
from datetime import datetime

from privacy.budget import Adjacency, Unit
from server.report.parts import Event, Promise

LOCAL_TRUST = (
    "Every site trusts only itself. It clips, adds noise and counts on its own machine, so the "
    "promise holds against the coordinator, against all other sites and against the public, even "
    "if they work together and even if the coordinator does not keep to the protocol."
)
NOT_PROMISED = (
    "Facts about groups, or about a site as a whole, may show: that is what the table is for.",
    "What follows about you from facts about people like you is not hidden, whether or not you "
    "took part.",
    "A site that breaks the rules can spoil the quality of the release.",
    "Rare words are safe only because categories come from a public schema that people agreed on.",
)
NOT_PROMISED_OF_IMAGES = (
    "Facts about groups, or about a site as a whole, may show: that is what the images are for.",
    *NOT_PROMISED[1:3],
    "Several images of one person, or of one thing, are protected less: what they cost adds up.",
)
TRAINED_ON = {
    "real": "Real rows",
    "floor": "Real rows against real rows",
    "independent": "Independent noisy columns",
    "sketch": "Sketch alone",
    "final": "After the adversarial rounds",
}
EXPLAINED = {
    "real": "the best one can hope for",
    "floor": "other real rows, so what chance alone does",
    "independent": "every column right by itself, no links between them",
    "sketch": "noisy two-way statistics, released once",
    "final": "the published release",
}
PURPOSES = {
    "sketch": "sketch: noisy two-way statistics, once",
    "training": "adversarial rounds: discriminator steps",
    "evaluation-one-way": "evaluation: counts of columns, hold-out units only",
    "evaluation-two-way": "evaluation: counts of pairs, hold-out units only",
    "evaluation-scores": "evaluation: scores of a classifier, hold-out units only",
}
PURPOSES_OF_IMAGES = PURPOSES | {"sketch": "sketch: noisy second moments of the images, once"}
HOLD_OUT_FIGURES = {
    "one_way": (
        "One-way distance",
        "mean over columns, at full resolution; best 0",
    ),
    "two_way": (
        "Two-way distance",
        "mean over pairs of columns, each in at most about eight groups; best 0",
    ),
    "auc": (
        "AUC of a network trained on synthetic rows",
        "last level of the label against all others, scores in 20 bins; best 1, guessing 0.5",
    ),
}
GAIN_ROWS = (
    (
        "Share of those who took part that it finds while it wrongly accuses 1 % of the others",
        "true_positive_1_percent",
        0.01,
    ),
    ("The same while it wrongly accuses 0.1 % of the others", "true_positive_0_1_percent", 0.001),
    (
        "How sure an accusation is for somebody who was fifty-fifty, at 1 % wrongly accused",
        "posterior_1_percent",
        0.5,
    ),
    ("The same at 0.1 % wrongly accused", "posterior_0_1_percent", 0.5),
    (
        "Right answers to whether one took part, given about everybody, where half did",
        "right_guesses",
        0.5,
    ),
)
ATTACK_KINDS = {
    "membership": "membership: was this record trained on?",
    "attribute": "attribute inference: what is a record's hidden value?",
    "singling-out": "singling out: does a rare combination point to one record?",
}
_GAP = "\N{NO-BREAK SPACE}"
_NUMERALS = "no one two three four five six seven eight nine ten eleven twelve".split()


def numeral(number: int) -> str:
    """Write small counts as words.

    >>> numeral(4), numeral(64)
    ('four', '64')
    """
    return _NUMERALS[number] if number < len(_NUMERALS) else f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return a noun in the number asked for.

    >>> plural(1, "site"), plural(4, "site")
    ('site', 'sites')
    """
    return noun if number == 1 else f"{noun}s"


def percent(share: float) -> str:
    r"""Write a share with as many digits as it takes not to lie.

    >>> percent(0.5), percent(0.7311), percent(0.00004), percent(0.99999)
    ('50\xa0%', '73.1\xa0%', '0.004\xa0%', '99.999\xa0%')
    """
    return f"{100 * share:.{_digits(share)}f}".removesuffix(".0") + f"{_GAP}%"


def at_most(share: float) -> str:
    r"""Write a bound from above like ``percent``, rounded up.

    >>> at_most(0.731059), at_most(0.5), at_most(0.999951)
    ('73.2\xa0%', '50\xa0%', '99.996\xa0%')
    """
    steps = 10 ** (2 + _digits(share))
    return percent(min(1.0, math.ceil(share * steps - 1e-9) / steps))


def at_least(share: float) -> str:
    r"""Write a bound from below like ``percent``, rounded down.

    >>> at_least(0.268941), at_least(0.00004549)
    ('26.8\xa0%', '0.004\xa0%')
    """
    steps = 10 ** (2 + _digits(share))
    return percent(math.floor(share * steps + 1e-9) / steps)


def _digits(share: float) -> int:
    """Return the digits after the point that ``percent`` writes."""
    far = min(share, 1 - share)
    return 1 if far >= 0.001 or far <= 0 else min(6, math.ceil(-math.log10(far) - 1e-9) - 2)


def rate(share: float) -> str:
    r"""Write what an attacker reaches with three digits, rounded up.

    >>> rate(0.0197749), rate(0.00238402), rate(0.7311), rate(1.0)
    ('1.98\xa0%', '0.239\xa0%', '73.2\xa0%', '100\xa0%')
    """
    if share <= 0:
        return f"0{_GAP}%"
    digits = max(0, 2 - math.floor(math.log10(100 * share) + 1e-9))
    rounded = math.ceil(100 * share * 10**digits - 1e-7) / 10**digits
    text = f"{rounded:.{digits}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}{_GAP}%"


def upper(epsilon: float) -> str:
    """Write a bound rounded up, so that the page never promises more than was computed.

    >>> upper(0.99871), upper(1.0), upper(12.3401)
    ('0.999', '1', '12.341')
    """
    return f"{math.ceil(epsilon * 1000 - 1e-9) / 1000:,.3f}".rstrip("0").rstrip(".")


def lower(epsilon: float) -> str:
    """Write what is left rounded down.

    >>> lower(0.00129), lower(0)
    ('0.001', '0')
    """
    return f"{math.floor(epsilon * 1000 + 1e-9) / 1000:,.3f}".rstrip("0").rstrip(".")


def plain(number: float) -> str:
    """Write a small or large number without an exponent where that stays short.

    >>> plain(1e-05), plain(0.0512), plain(10)
    ('0.00001', '0.0512', '10')
    """
    return f"{number:.8f}".rstrip("0").rstrip(".") if 1e-8 < number < 1e6 else f"{number:g}"


def size(num_bytes: int) -> str:
    r"""Write an amount of data.

    >>> size(812), size(2_621_440)
    ('812\xa0B', '2.6\xa0MB')
    """
    amount = float(num_bytes)
    for name in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f}{_GAP}B" if name == "B" else f"{amount:.1f}{_GAP}{name}"
        amount /= 1000
    return f"{amount:.1f}{_GAP}GB"


def duration(seconds: float) -> str:
    r"""Write a time span.

    >>> duration(0.42), duration(12.34), duration(252)
    ('0.42\xa0s', '12.3\xa0s', '4\xa0min 12\xa0s')
    """
    if seconds < 10:
        return f"{seconds:.2f}{_GAP}s"
    if seconds < 100:
        return f"{seconds:.1f}{_GAP}s"
    return f"{seconds // 60:.0f}{_GAP}min {seconds % 60:.0f}{_GAP}s"


def moment(time: datetime) -> str:
    """Write a point in time for people."""
    return f"{time.day} {time:%B %Y, %H:%M} UTC"


def unit_words(promise: Promise) -> str:
    """Say whom the promise protects."""
    if promise.unit is Unit.RECORD:
        return "one record (one row of a site's table, or one image)"
    return "one person, with all their rows of a site's table"


def adjacency_words(promise: Promise, is_of_images: bool = False) -> str:
    """Say which two tables, or collections of images, must look alike."""
    whole = "collection of images" if is_of_images else "table"
    thing = "record" if promise.unit is Unit.RECORD else "person"
    thing = "image" if is_of_images else thing
    if promise.adjacency is Adjacency.ADD_OR_REMOVE_ONE:
        return f"a site's {whole} with the {thing} and without (add or remove one)"
    return f"a site's {whole} with the {thing} and with another in its place (replace one)"


def purposes(is_of_images: bool) -> dict[str, str]:
    """Return what each purpose of an event means."""
    return PURPOSES_OF_IMAGES if is_of_images else PURPOSES


def mechanism_words(event: Event) -> str:
    """Say how noise was added."""
    if event.mechanism == "gaussian":
        return "Gaussian noise, once"
    return "Gaussian noise at every step, on a Poisson sample"


def accountant(name: str) -> str:
    """Write an accountant's short name as its authors do."""
    return name.upper()

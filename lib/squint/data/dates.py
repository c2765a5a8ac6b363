"""Dates as people write them, each with its ISO 8601 form: a small language to translate, with as many pairs as wanted.

Every day from 1600 to 2199 comes in a dozen ways, in words and figures: "the third of May, nineteen hundred and four"
is 1904-05-03. The year stands last and is wanted first, so a translator must look in the right place.
"""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass

ONES = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
FIRST, LAST = datetime.date(1600, 1, 1), datetime.date(2199, 12, 31)


def number(n: int) -> str:
    """A number from 0 to 99 in words: "eighty-seven"."""
    if n < 20:
        return ONES[n]
    return TENS[n // 10] + (f"-{ONES[n % 10]}" if n % 10 else "")


def ordinal(n: int) -> str:
    """A place from 1 to 99 in words: "twenty-third"."""
    head, dash, last = number(n).rpartition("-")
    regular = last.removesuffix("y") + ("ieth" if last.endswith("y") else "th")
    return head + dash + ORDINALS.get(last, regular)


def suffixed(n: int) -> str:
    """A place in figures: "23rd"."""
    ending = "th" if n % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def year_in_words(year: int) -> str:
    """As a year is read aloud: "nineteen eighty-seven", "nineteen hundred", "two thousand and four"."""
    century, rest = divmod(year, 100)
    if century % 10 == 0:
        return f"{ONES[century // 10]} thousand" + (f" and {number(rest)}" if rest else "")
    if rest == 0:
        return f"{number(century)} hundred"
    return f"{number(century)} {number(rest)}" if rest > 9 else f"{number(century)} hundred and {number(rest)}"


FORMS = (
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} {suffixed(d.day)}, {d.year}",
    lambda d: f"{WEEKDAYS[d.weekday()]}, {suffixed(d.day)} of {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"the {ordinal(d.day)} of {MONTHS[d.month - 1]}, {d.year}",
    lambda d: f"{d.day}.{d.month}.{d.year}",
    lambda d: f"{MONTHS[d.month - 1][:3]} {d.day} {d.year}",
    lambda d: f"the {ordinal(d.day)} of {MONTHS[d.month - 1]}, {year_in_words(d.year)}",
    lambda d: f"{MONTHS[d.month - 1]} the {ordinal(d.day)}, {year_in_words(d.year)}",
    lambda d: f"in the year {d.year}, on the {ordinal(d.day)} of {MONTHS[d.month - 1]}",
    lambda d: f"in {year_in_words(d.year)}, on {MONTHS[d.month - 1]} the {suffixed(d.day)}",
)
"""The ways in which a date is written."""


@dataclass(frozen=True)
class Dates:
    """``iso[i]`` is what ``written[i]`` means."""

    written: list[str]
    iso: list[str]

    def __len__(self) -> int:
        return len(self.written)


def load(part: str, n: int, seed: int = 0) -> Dates:
    """``n`` dates of a part, ``train`` or ``test``, each written in a way drawn at random.

    Every tenth day belongs to ``test``, in all its forms, so no test date was ever seen.

    Raises:
        ValueError: there is no such part.
    """
    if part not in ("train", "test"):
        raise ValueError(f"there is no part {part!r}; there are train, test")
    random_ = random.Random(f"{part} {seed}")
    days: list[datetime.date] = []
    while len(days) < n:
        number_of_day = random_.randint(FIRST.toordinal(), LAST.toordinal())
        if (number_of_day * 7919 % 10 == 0) == (part == "test"):
            days.append(datetime.date.fromordinal(number_of_day))
    return Dates([random_.choice(FORMS)(day) for day in days], [day.isoformat() for day in days])

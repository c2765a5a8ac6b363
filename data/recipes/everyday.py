"""Everyday sentences in English and German: written by hand, and made by rule from a lexicon and patterns.

What the packages of `english_german.py` lack is plain talk: where the next pharmacy is, and that the cat sleeps under
the table. So `everyday/written.tsv` holds sentences that were written for the course, and this file makes more: whole
clauses (`Clause`) of a subject, a verb and an object in several tenses, as statements, questions and subordinate
clauses; and the patterns of `everyday/patterns.txt` with phrases in their gaps. German has its genders, cases, endings
and word order from a few rules, the words from `everyday/nouns.txt`, `adjectives.txt` and `verbs.txt`. Their meaning is
often silly, their grammar should not be. `english_german.py` puts both among its pairs.

`everyday/test.tsv`, English with several right translations, is held out: no text of it is learned.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from english_german import Pair, key

HOME = Path(__file__).parent / "everyday"
CASES = ("nom", "acc", "dat")
SENTENCES = 60_000


def lines(name: str) -> list[str]:
    """The lines of a file of the lexicon, without remarks."""
    return [line for line in (HOME / name).read_text("utf-8").splitlines() if line and not line.startswith("#")]


# Nouns, articles and adjectives


@dataclass(frozen=True)
class Noun:
    """A noun in both languages; `gender` is m, f or n, `kind` the class that says which adjectives go with it."""

    english: str
    several: str
    gender: str
    german: str
    plural: str | None
    weak: bool
    kind: str

    def declined(self, case: str, many: bool) -> str:
        """The German noun: -n in the dative plural (den Hunden), and -n or -en on weak masculines (den Löwen)."""
        if many:
            assert self.plural is not None
            return self.plural + "n" * (case == "dat" and self.plural[-1] not in "ns")
        if not self.weak or case == "nom":
            return self.german
        return self.german + ("n" if self.german.endswith(("e", "er", "ar")) else "en")


ENDINGS = {
    "nom": {"m": "er", "f": "e", "n": "es", "p": "e"},
    "acc": {"m": "en", "f": "e", "n": "es", "p": "e"},
    "dat": {"m": "em", "f": "er", "n": "em", "p": "en"},
}
DEFINITE = {"er": "der", "e": "die", "es": "das", "en": "den", "em": "dem"}
NUMBERS = {"two": "zwei", "three": "drei", "five": "fünf"}
DETERMINERS = {
    "the": "d", "this": "dies", "these": "dies", "which": "welch", "every": "jed", "a": "ein", "no": "kein",
    "my": "mein", "your": "dein", "his": "sein", "her": "ihr", "our": "unser", "their": "ihr",
    "many": "viel", **NUMBERS,
}  # fmt: skip
STEMS = {"müde": "müd", "teuer": "teur", "dunkel": "dunkl", "sauer": "saur"}
VOWEL = re.compile(r"(?!uni|us|eur|one)[aeiou]|hour")


def article(word: str, case: str, gender: str) -> tuple[str, str]:
    """The German article with its ending, and the ending of an adjective behind it.

    An article that shows the case leaves the adjective a weak ending; `ein` without an ending does not show it.
    """
    strong = ENDINGS[case][gender]
    weak = "e" if gender != "p" and (case == "nom" or (case == "acc" and gender != "m")) else "en"
    if word in ("", *NUMBERS.values()):
        return word, strong
    if word == "d":
        return DEFINITE[strong], weak
    if word in ("dies", "welch", "jed"):
        return word + strong, weak
    if word == "viel":
        return word + strong, strong
    bare = gender in "mn" and strong in ("er", "es") and case != "dat"
    return word + "" * bare + strong * (not bare), strong if bare else weak


@dataclass(frozen=True)
class Phrase:
    """A noun phrase: its article (English), an adjective or none, one or many."""

    noun: Noun
    article: str
    adjective: tuple[str, str] | None = None
    many: bool = False

    @property
    def english(self) -> str:
        """In English."""
        words = [self.adjective[0] if self.adjective else "", self.noun.several if self.many else self.noun.english]
        rest = " ".join(word for word in words if word)
        first = "an" if self.article == "a" and VOWEL.match(rest) else self.article
        return f"{first} {rest}".strip()

    def german(self, case: str, word: str | None = None) -> str:
        """In German, in a case; with another article than its own, if one is named."""
        gender = "p" if self.many else self.noun.gender
        form, ending = article(DETERMINERS.get(self.article, "") if word is None else word, case, gender)
        adjective = STEMS.get(self.adjective[1], self.adjective[1].rstrip("-")) + ending if self.adjective else ""
        return " ".join(each for each in (form, adjective, self.noun.declined(case, self.many)) if each)

    def relative(self, case: str) -> str:
        """The relative pronoun that points to it."""
        many = "denen" if case == "dat" else "die"
        return many if self.many else DEFINITE[ENDINGS[case][self.noun.gender]]


ENTRY = re.compile(
    r"(?P<english>.+?)(?:/(?P<several>.+?))? (?P<gender>[mfn])(?P<weak>\*?) (?P<german>\S+)(?: (?P<plural>\S+))?"
)


def plural(english: str) -> str:
    """The regular English plural."""
    if english.endswith("y") and english[-2] not in "aeo":
        return english[:-1] + "ies"
    return english + ("es" if english.endswith(("s", "x", "ch", "sh")) else "s")


@cache
def nouns() -> dict[str, list[Noun]]:
    """The lexicon's nouns by class."""
    found: dict[str, list[Noun]] = {}
    kind = ""
    for line in lines("nouns.txt"):
        if line.startswith("["):
            kind = line.strip("[]")
        elif kind == "=":
            name, members = line.split(": ")
            known = {noun.english: noun for several in found.values() for noun in reversed(several)}
            found[name] = [known[member] for member in members.split(", ")]
        else:
            for entry in filter(None, (part.strip() for part in line.split(";"))):
                parts = ENTRY.fullmatch(entry)
                assert parts, entry
                english = parts["english"]
                found.setdefault(kind, []).append(Noun(
                    english, parts["several"] or plural(english), parts["gender"], parts["german"], parts["plural"],
                    bool(parts["weak"]), kind,
                ))  # fmt: skip
    return found


@cache
def adjectives() -> dict[str, list[tuple[str, str]]]:
    """The adjectives of each class of nouns."""
    found: dict[str, list[tuple[str, str]]] = {}
    for head, words in zip(*[iter(lines("adjectives.txt"))] * 2, strict=True):
        found[head.strip("[]")] = [
            (english, german) for english, german in (w.rsplit(" ", 1) for w in words.split(", "))
        ]
    return {kind: own + found["any"] * (kind not in ("any", "food", "drink", "person")) for kind, own in found.items()}


# Verbs


class Person(NamedTuple):
    """Somebody as a subject: `form` says which form of the German verb: ich, du, er, wir or sie."""

    english: str
    german: str
    form: str


PRONOUNS = [Person(*words.split()) for words in (
    "I ich ich", "you du du", "he er er", "she sie er", "we wir wir", "they sie sie", "you Sie sie",
    "you du du",
)]  # fmt: skip
OBJECTS = [tuple(words.split()) for words in (
    "me mich I", "you dich you", "him ihn he", "her sie she", "us uns we", "them sie they",
)]  # fmt: skip
REFLEXIVE = {"ich": "mich", "du": "dich", "er": "sich", "wir": "uns", "sie": "sich"}
IRREGULAR = {"be": "is", "have": "has"} | {word: word for word in ("can", "will", "must", "would like", "was")}
DOUBLED = ("forget", "get", "put", "cut", "run", "sit", "swim", "stop", "begin", "travel")


def third(english: str) -> str:
    """The form for he, she and it."""
    first, *rest = english.split()
    if english in IRREGULAR:
        return IRREGULAR[english]
    if first in IRREGULAR:
        return " ".join([IRREGULAR[first], *rest])
    ending = "es" if first.endswith(("s", "sh", "ch", "x", "o", "ss")) else "s"
    if first.endswith("y") and first[-2] not in "aeou":
        first, ending = first[:-1], "ies"
    return " ".join([first + ending, *rest])


def agreeing(english: str, person: Person) -> str:
    """An English verb's present for a person; of `was`, its past."""
    if english == "be":
        return {"ich": "am", "er": "is"}.get(person.form, "are")
    if english == "was":
        return "was" if person.form in ("ich", "er") else "were"
    return third(english) if person.form == "er" else english


def running(english: str) -> str:
    """The form in -ing."""
    first, *rest = english.split()
    if first in DOUBLED:
        first += first[-1]
    elif first == "lie":
        first = "ly"
    elif first.endswith("e") and not first.endswith("ee"):
        first = first[:-1]
    return " ".join([first + "ing", *rest])


@dataclass(frozen=True)
class Verb:
    """A verb in both languages; `prefix` comes off in German, `kinds` are the classes of its object, if it has one."""

    base: str
    past: str
    done: str
    prefix: str
    stem: str
    du: str
    er: str
    participle: str
    moves: bool
    kinds: tuple[str, ...]

    def finite(self, form: str) -> str:
        """The German present, without the prefix."""
        if form == "ich":
            special = {"mögen": "mag", "sein": "bin", "können": "kann", "müssen": "muss", "dürfen": "darf",
                       "wollen": "will", "sollen": "soll", "möchten": "möchte"}  # fmt: skip
            stem = self.stem[:-1] if self.stem.endswith("en") else self.stem[:-1] + "e"
            return special.get(self.stem, "lächle" if self.stem == "lächeln" else stem)
        if self.stem == "sein" and form in ("wir", "sie"):
            return "sind"
        return {"du": self.du, "er": self.er}.get(form, self.stem)


@cache
def verbs() -> list[Verb]:
    """The lexicon's verbs."""
    found = []
    for line in lines("verbs.txt"):
        english, german, kinds = (part.split() for part in line.split("|"))
        base, past, done = (word.replace("_", " ") for word in [*english, "-"][:3])
        prefix, _, stem = german[0].rpartition("=")
        participle = german[3].lstrip("+")
        found.append(
            Verb(base, past, done, prefix, stem, *german[1:3], participle, participle != german[3], tuple(kinds))
        )
    return found


# A whole clause


MODALS = {"can": "können", "must": "müssen", "want to": "wollen", "would like to": "möchten", "should": "sollte",
          "will": "werden", "have to": "müssen"}  # fmt: skip
LINKS = [tuple(link.split("/")) for link in (
    "I know that/Ich weiß, dass", "I think that/Ich glaube, dass", "He says that/Er sagt, dass",
    "We hope that/Wir hoffen, dass",
    "I am happy because/Ich freue mich, weil", "She is sad because/Sie ist traurig, weil",
    "It is good that/Es ist gut, dass",
    "I do not know whether/Ich weiß nicht, ob", "Do you know whether/Weißt du, ob", "Tell me when/Sag mir, wann",
    "I do not know why/Ich weiß nicht, warum", "I am surprised that/Ich bin überrascht, dass",
    "She asks whether/Sie fragt, ob",
)]  # fmt: skip
QUESTIONS = [("why", "warum"), ("where", "wo"), ("when", "wann"), ("how", "wie")]
STATES = (
    "have",
    "like",
    "love",
    "know",
    "need",
    "see",
    "hear",
    "understand",
    "forget",
    "find",
    "get",
    "lose",
    "miss",
    "break",
)


def conjugated(infinitive: str, form: str) -> str:
    """The present of a German verb of the lexicon, or of another word the preterite: `kam`, `sollte`."""
    known = next((verb for verb in verbs() if verb.stem == infinitive), None)
    if known is not None:
        return known.finite(form)
    end = {"du": "st", "wir": "en", "sie": "en"}.get(form, "")
    return infinitive[: -1 if end == "en" and infinitive.endswith("e") else None] + end


@dataclass(frozen=True)
class Clause:
    """Somebody does something, somewhere, some time: what every order of the words is made of.

    Attributes:
        person: who.
        auxiliary, base, said: of the English verb: in questions and negations, behind the auxiliary, in statements.
        after: the rest of the English clause.
        finite, prefix, end: of the German verb: what agrees, what comes off it, what stands last.
        middle: what stands between the parts of the German verb.
        negative: whether it is not so.
        time: when, as the last words in English, and in German.
    """

    person: Person
    auxiliary: str
    base: str
    said: str
    after: str
    finite: str
    prefix: str
    end: str
    middle: tuple[str, ...]
    negative: bool
    time: tuple[str, str]

    def english(self) -> str:
        """As a statement."""
        verb = [self.auxiliary, "not", self.base] if self.negative else [self.said]
        return joined(self.person.english, *verb, self.after).replace("can not ", "cannot ")

    def german(self) -> str:
        """As a statement: the verb second, its rest last."""
        return joined(self.person.german, self.finite, *self.middle, self.prefix, self.end)

    def ask(self) -> Pair:
        """As a question: the verb first."""
        english = joined(self.auxiliary, self.person.english, "not" * self.negative, self.base, self.after)
        return english, joined(self.finite, self.person.german, *self.middle, self.prefix, self.end)

    def subordinate(self) -> str:
        """Behind a conjunction: the verb last, with its prefix."""
        return joined(self.person.german, *self.middle, self.end, self.prefix + self.finite)

    def time_first(self) -> Pair:
        """The time before all else, which moves the German subject behind the verb."""
        english = replace(self, after=self.after.removesuffix(self.time[0]).strip()).english()
        middle = [part for part in self.middle if part != self.time[1]]
        return f"{self.time[0]}, {english}", joined(
            self.time[1], self.finite, self.person.german, *middle, self.prefix, self.end
        )


def joined(*words: str) -> str:
    """Words with single spaces, none for what is empty."""
    return " ".join(word for word in words if word)


class Maker:
    """Draws sentences."""

    def __init__(self, seed: int = 0) -> None:
        """From a seed."""
        self.random = random.Random(seed)
        self.pairs = {}
        self.patterns = []
        for line in lines("patterns.txt"):
            if line.startswith("@"):
                name, pairs = line[1:].split(" = ")
                self.pairs[name] = [pair.split("/") for pair in pairs.split(", ")]
            else:
                self.patterns.append(line.split(" | "))

    def chance(self, share: float) -> bool:
        """True that often."""
        return self.random.random() < share

    def phrase(
        self, articles: list[str], kinds: list[str], adjective: float = 0.35, many: bool | None = None
    ) -> Phrase:
        """A noun phrase with one of the articles, of one of the classes; with an adjective so often; one or many."""
        several = self.chance(0.15) if many is None else many
        countable = [noun for kind in kinds for noun in nouns()[kind] if noun.plural or noun.kind == "job"]
        word = self.random.choice(articles)
        if several and many is None:
            word = self.random.choice(["the", "my", "our", "two", "three", "five", "many", "these", "their"])
        only = several or word in ("a", "every")
        noun = (
            self.random.choice(countable)
            if only and countable
            else self.random.choice(nouns()[self.random.choice(kinds)])
        )
        if not noun.plural and noun.kind != "job":
            several, word = False, "the" if word in ("a", "every", "these", "many", *NUMBERS) else word
        described = self.random.choice(adjectives()[noun.kind]) if self.chance(adjective) else None
        if described and described[1].endswith("-") and word not in ("the", "my", "our", "your", "his", "her"):
            described = None
        return Phrase(noun, word, described, several)

    def somebody(self, people: float = 0.35) -> Person:
        """A pronoun, or a person so often."""
        if not self.chance(people):
            return self.random.choice(PRONOUNS)
        phrase = self.phrase(["the", "my", "your", "our", "his", "her", "this"], ["person"], 0.2)
        return Person(phrase.english, phrase.german("nom"), "sie" if phrase.many else "er")

    def time(self, tense: str) -> tuple[str, str]:
        """Some time that goes with a tense, in both languages."""
        name = {"present": "often", "past": "past", "modal": "when"}.get(tense)
        return tuple(self.random.choice(self.pairs[name])) if name else ("", "")

    def english_verb(self, tense: str, verb: Verb, person: Person, modal: str) -> tuple[str, str, str]:
        """The auxiliary, what follows it, and the form in a statement."""
        if tense == "progressive":
            return (am := agreeing("be", person)), running(verb.base), f"{am} {running(verb.base)}"
        if tense == "past":
            return "did", verb.base, verb.past
        if tense == "perfect":
            return (have := agreeing("have", person)), verb.done, f"{have} {verb.done}"
        base = verb.base
        if tense == "modal":
            if modal not in ("want to", "have to"):
                auxiliary, *rest = modal.split()
                return auxiliary, joined(*rest, base), f"{modal} {base}"
            base = f"{modal} {base}"
        return agreeing("do", person), base, agreeing(base, person)

    def clause(self) -> Clause:
        """Somebody does something."""
        person, verb = self.somebody(), self.random.choice([verb for verb in verbs() if "skip" not in verb.kinds])
        tense = self.random.choice(["present", "progressive", "past", "past", "perfect", "modal", "modal"])
        if tense == "progressive" and verb.base in STATES or tense != "present" and verb.base in ("like", "know"):
            tense = "present"
        modal = self.random.choice(list(MODALS))
        english, german, definite = "", "", True
        if "person" in verb.kinds and verb.base != "pick up" and self.chance(0.3):
            english, german, _ = self.random.choice([o for o in OBJECTS if o[2] != person.english.replace("they", "")])
        elif verb.kinds:
            phrase = self.phrase(["the", "the", "a", "a", "my", "this", "our", "his", "no"], list(verb.kinds))
            english, german = phrase.english, phrase.german("acc")
            definite = phrase.article not in ("a", "no", "many", *NUMBERS)
        time = self.time(tense) if self.chance(0.4) and verb.base not in STATES else ("", "")
        negative = definite and self.chance(0.2) and not (tense == "modal" and modal in ("must", "have to"))
        middle = [german, time[1]] if definite and (len(german) < 5 or self.chance(0.3)) else [time[1], german]
        auxiliary, base, said = self.english_verb(tense, verb, person, modal)
        if tense == "modal":
            finite, prefix, end = conjugated(MODALS[modal], person.form), "", verb.prefix + verb.stem
        elif tense in ("past", "perfect"):
            finite, prefix, end = conjugated("sein" if verb.moves else "haben", person.form), "", verb.participle
        else:
            finite, prefix, end = verb.finite(person.form), verb.prefix, ""
        after = joined(english, time[0])
        middle = tuple(part for part in (*middle, "nicht" * negative) if part)
        return Clause(person, auxiliary, base, said, after, finite, prefix, end, middle, negative, time)

    def sentence(self) -> Pair:
        """A clause as a statement, a question or behind a conjunction."""
        clause, kind = self.clause(), self.random.random()
        if kind < 0.25 and not clause.negative:
            english, german = clause.ask()
            if self.chance(0.4):
                asked = self.random.choice(QUESTIONS if not clause.time[0] else QUESTIONS[:1])
                english, german = f"{asked[0]} {english}", f"{asked[1]} {german}"
            return f"{english}?", f"{german}?"
        if kind < 0.4:
            link = self.random.choice(LINKS)
            mark = "?" if link[0].startswith("Do ") else "."
            return f"{link[0]} {clause.english()}{mark}", f"{link[1]} {clause.subordinate()}{mark}"
        if kind < 0.55 and clause.time[0] and not clause.negative:
            english, german = clause.time_first()
            return f"{english}.", f"{german}."
        return f"{clause.english()}.", f"{clause.german()}."

    def filled(self, pattern: list[str]) -> Pair:
        """A pattern with its gaps filled."""
        choices: dict[int, int] = {}

        def choose(match: re.Match[str]) -> str:
            options = match[1].split("/")
            return options[choices.setdefault(len(options), self.random.randrange(len(options)))]

        english, german = (re.sub(r"\[([^]]*)\]", choose, side) for side in pattern)
        for name, pairs in self.pairs.items():
            ours, theirs = self.random.choice(pairs)
            english, german = english.replace(f"{{@{name}}}", ours), german.replace(f"{{@{name}}}", theirs)
        people = [self.somebody() for _ in range(english.count("{who}"))]
        phrases = [self.gap(*match) for match in re.findall(r"\{(?!who|adj)(?:([^}]*) )?([^ }]*)\}", english)]
        adjective = self.predicate(phrases[-1].noun.kind) if "{adj}" in english else ("", "")
        said = agree(english, people, agreeing).replace("{adj}", adjective[0])
        said = put(
            put(said, r"{who}", [each.english for each in people]), r"{[^}]*}", [each.english for each in phrases]
        )
        german = put(agree(german, people, german_verb), r"{who}", [each.german for each in people])
        return said, declined(german.replace("{adj}", adjective[1]), phrases)

    def gap(self, articles: str, kinds: str) -> Phrase:
        """The phrase for a gap: articles, and classes of nouns behind + for many and ~ for no adjective."""
        return self.phrase(
            articles.split("/"), kinds.lstrip("+~").split("/"), 0.0 if "~" in kinds else 0.3, "+" in kinds
        )

    def predicate(self, kind: str) -> tuple[str, str]:
        """An adjective that can stand behind the verb."""
        return self.random.choice([each for each in adjectives()[kind] if not each[1].endswith("-")])

    def make(self, most: int, taken: set[str]) -> Iterator[Pair]:
        """So many sentences, none of whose texts is taken, no English one twice."""
        seen: set[str] = set()
        while len(seen) < most:
            pair = self.sentence() if self.chance(0.4) else self.filled(self.random.choice(self.patterns))
            english, german = (contracted(re.sub(r"\s+", " ", side)).strip() for side in pair)
            english, german = (side[0].upper() + side[1:] for side in (english, german))
            if 3 <= len(english.split()) <= 14 and not {key(english), key(german)} & taken and key(english) not in seen:
                seen.add(key(english))
                yield english, german


def put(text: str, gap: str, words: list[str]) -> str:
    """Put words into the gaps, in their order."""
    rest = iter(words)
    return re.sub(gap, lambda _: next(rest), text)


def german_verb(verb: str, person: Person) -> str:
    """A German verb or the reflexive pronoun in the person's form."""
    return REFLEXIVE[person.form] if verb == "sich" else conjugated(verb, person.form)


def agree(text: str, people: list[Person], form: Callable[[str, Person], str]) -> str:
    """Put each `<verb>` into the form of the nearest {who}: the one before it if there is one."""

    def of_nearest(match: re.Match[str]) -> str:
        before = text[: match.start()].count("{who}")
        return form(match[1].replace("_", " "), people[max(0, before - 1)])

    return re.sub(r"<(\w+)>", of_nearest, text)


def declined(text: str, phrases: list[Phrase]) -> str:
    """Put the phrases into a German pattern's gaps: the next one, or the one whose number stands there."""
    following = iter(phrases)
    last = phrases[:1]

    def decline(match: re.Match[str]) -> str:
        *words, case = match[1].split()
        if case == "bare":
            words, case = ["bare"], "nom"
        if words == ["rel"]:
            return last[0].relative(case)
        last[:] = [phrases[int(words.pop(0)) - 1] if words and words[0].isdigit() else next(following)]
        return last[0].german(case, {"bare": "", "der": "d"}.get(words[0], words[0]) if words else None)

    return re.sub(r"\{([^}]*)\}", decline, text)


CONTRACTIONS = {"zu dem": "zum", "zu der": "zur", "in dem": "im", "an dem": "am", "von dem": "vom", "bei dem": "beim",
                "in das": "ins", "an das": "ans"}  # fmt: skip


def contracted(text: str) -> str:
    """With zum for zu dem, as German has it."""
    for full, short in CONTRACTIONS.items():
        text = re.sub(rf"\b{full}\b", short, text)
        text = re.sub(rf"\b{full.capitalize()}\b", short.capitalize(), text)
    return text


# What was written by hand


def held_out() -> list[list[str]]:
    """English sentences, each with its right translations, which nothing is to be learned from."""
    return [line.split("\t") for line in lines("test.tsv")]


def written() -> list[Pair]:
    """The sentences that were written by hand."""
    return [(english, german) for english, german in (line.split("\t") for line in lines("written.tsv"))]

"""Lab 04b, fine-tuning: rows of tokens, what stands at their ends, a head for three kinds, intervals, leaks."""

from __future__ import annotations

import contextlib
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from squint.checks.engine import Case, Check, edits, exercises

START, DELIMITER, EXTRACT = 1, 6_000, 6_001
ONE = "return [[START, *passage, EXTRACT]]"
PAIR = "return [[START, *first, DELIMITER, *second, EXTRACT] for first, second in both_orders]"
CHOICE = "return [[START, *text, DELIMITER, *answer, EXTRACT] for answer in answers]"


def plain_rows(rows: Any) -> list[list[Any]]:
    """Rows as lists, whatever they came as."""
    return [[token if isinstance(token, list) else int(token) for token in row] for row in rows]


def no_star(kind: str, texts: list) -> list:
    """Texts that stand in their rows as lists."""
    if kind == "one":
        return [[START, texts[0], EXTRACT]]
    pairs = [texts, texts[::-1]] if kind == "pair" else [(texts[0], answer) for answer in texts[1:]]
    return [[START, one, DELIMITER, other, EXTRACT] for one, other in pairs]


def filled_up(kind: str, texts: list) -> list:
    """Rows of one length."""
    right = layout.reference(kind, texts)
    return [row + [0] * (max(map(len, right)) - len(row)) for row in right]


layout = Check(
    cases=lambda seed: [
        Case("a passage", "one", [[310, 4, 87]]), Case("a pair", "pair", [[42, 9, 23], [17, 5]]),
        Case("a choice of two", "choice", [[17, 5, 11], [42], [9, 23]]),
        Case("a choice of four", "choice", [[8, 9], [61], [70, 71, 72], [55, 54], [33]]),
        Case("a passage of one piece", "one", [[7]]), Case("an answer of no pieces", "choice", [[3, 4], [5], []])],
    normal=plain_rows,
    hints=(
        "Take the three kinds one by one, and read each row off the table, from left to right.",
        "one: [[START, *passage, EXTRACT]]. pair: [START, *first, DELIMITER, *second, EXTRACT], for both orders. "
        "choice: the first of the texts is the text, the others are its answers: a row for each answer."),
    misconceptions=edits({
        ONE: {
            ONE.replace("START, ", ""): "A passage's row has no start token. It begins with START.",
            ONE.replace(", EXTRACT", ""): "A passage's row has no extract token. It stands last.",
            "return [START, *passage, EXTRACT]": "A question is a list of rows, even if it has only one: [[…]].",
            "return [[START, passage, EXTRACT]]": "The passage stands in its row as a list. A star unpacks it: "
            "[START, *passage, EXTRACT].",
            "return [[START, *passage, DELIMITER, EXTRACT]]": "A passage has nothing to divide: no delimiter."},
        PAIR: {
            PAIR.replace("DELIMITER, ", ""): "A pair's texts run into each other: the delimiter stands between them.",
            PAIR.replace(", EXTRACT", ", DELIMITER, EXTRACT").replace("DELIMITER, *second", "*second"):
            "The pair's delimiter stands behind both texts. It belongs between them.",
            PAIR.replace("EXTRACT", "EXTRACT, DELIMITER").replace("DELIMITER, *second", "*second"):
            "The pair's delimiter stands behind the extract token. It belongs between the texts.",
            PAIR.replace("*second, EXTRACT", "EXTRACT, *second"): "In a pair the extract token stands in the middle, "
            "where the second text has not been read. It stands last.",
            PAIR.replace("DELIMITER", "X").replace("EXTRACT", "DELIMITER").replace("X", "EXTRACT"): "The pair's "
            "delimiter and extract token have changed places: the delimiter stands between the texts.",
            PAIR.replace("DELIMITER", "EXTRACT"): "Between a pair's texts stands DELIMITER, not EXTRACT.",
            PAIR.replace("START, *first, DELIMITER, ", "START, *first, DELIMITER, START, "): "There is one start "
            "token a row. The second text of a pair begins behind the delimiter.",
            "return [START, *one, DELIMITER, *other, EXTRACT, START, *other, DELIMITER, *one, EXTRACT]": "Both orders "
            "stand in one row. They are two rows.",
            "return [[START, *one, DELIMITER, *other, EXTRACT, START, *other, DELIMITER, *one, EXTRACT]]": "Both "
            "orders stand in one long row. They are two rows.",
            "return [[START, *text, EXTRACT] for text in texts]": "A pair's texts stand in rows of their own, and "
            "never meet. Both stand in each row, in either order."},
        "[(one, other), (other, one)]": {
            "[(one, other)]": "A pair has no order: make a second row with the other text first.",
            "[(one, other), (one, other)]": "Both rows have the same order. In the second the other text comes first.",
            "[(other, one), (one, other)]": "The rows are turned round: the first has the texts as they come."},
        CHOICE: {
            CHOICE.replace("DELIMITER, ", ""): "A choice's text and answer run into each other: the delimiter stands "
            "between them.",
            CHOICE.replace("*text, DELIMITER, *answer", "*answer, DELIMITER, *text"): "In a choice the text comes "
            "first, then the answer.",
            CHOICE.replace(", EXTRACT", ", DELIMITER, EXTRACT").replace("DELIMITER, *answer", "*answer"):
            "The choice's delimiter stands behind the answer. It belongs between text and answer.",
            CHOICE.replace("*answer, EXTRACT", "EXTRACT, *answer"): "In a choice the extract token stands in front of "
            "the answer, and so cannot see it. It stands last.",
            "return [[START, *text, *(token for answer in answers for token in (DELIMITER, *answer)), EXTRACT]]":
            "All answers stand in one row. Each gets a row of its own, with the text before it.",
            "return [[START, *text, DELIMITER, *sum(answers, []), EXTRACT]]": "All answers run together in one row. "
            "Each gets a row of its own.",
            "return [[START, *text, DELIMITER, *answers[0], EXTRACT]]": "Only the first answer has a row. Is the "
            "`return` inside the loop?",
            "return [[START, *answer, EXTRACT] for answer in answers]": "An answer's row lacks the text it answers."},
        "text, *answers = texts": {
            "text, answers = texts[0], texts": "The text was taken for an answer, too. The answers are texts[1:].",
            "text, *answers = texts[::-1]": "The text is the first of the texts, not the last."},
    }, versions={
        "The texts stand in their rows as lists. A star unpacks each: [START, *text, DELIMITER, …].": no_star,
        "The rows were filled up. Leave each as long as it is: filling up comes later.": filled_up,
    }))  # fmt: skip


class Causal:
    """An invented model: a vector a token, of itself, its place and all before it, and of nothing behind it."""

    def __init__(self, seed: int, dim: int = 5):
        draw = partial(torch.randn, generator=torch.Generator().manual_seed(seed))
        self.__name__ = f"a causal model, {dim} wide"
        self.table, self.places, self.mix = draw(50, dim), draw(130, dim), draw(dim, dim)

    def __call__(self, tokens: Any) -> Tensor:
        """The vectors [rows, longest, dim]."""
        tokens = torch.as_tensor(tokens)
        if tokens.ndim != 2:
            raise ValueError(f"features() takes tokens of [rows, longest], and these are {list(tokens.shape)}")
        here = self.table[tokens.cpu() % 50] + self.places[: tokens.shape[1]]
        return (here.cumsum(dim=1) @ self.mix).tanh().add(here).to(tokens.device)


def trains_the_model(function: Any, case: Case) -> str | None:
    """gradients reach the model"""
    model, rows = case.args
    with contextlib.suppress(RuntimeError):  # numpy() of what has a gradient
        found = function(lambda tokens: model(tokens).requires_grad_(), rows)
        parts = found if isinstance(found, list | tuple) else [found]
        if any(getattr(part, "requires_grad", False) for part in parts):
            return None
    return "The features are cut off from their gradient, so that only the head is trained: no detach(), no no_grad()."


def row(*pieces: int) -> list[int]:
    """A passage laid out."""
    return [START, *pieces, EXTRACT]


AT = "features(pad(rows))[torch.arange(len(rows)), last]"
LAST = "torch.tensor([len(row) - 1 for row in rows])"
EARLIER = "You asked one place before the row's end, where the extract token has not been read."
extract = Check(
    cases=lambda seed: [
        Case("two rows, the second shorter", Causal(10 + seed), [row(7, 9, 4), row(5)]),
        Case("one row", Causal(20 + seed), [row(8, 3)]),
        Case("three rows, the longest in the middle", Causal(30 + seed), [row(4), row(9, 3, 3, 12), row()]),
        Case("rows of one length", Causal(40 + seed), [row(4), row(5), row(9), row(7)]),
        Case("five rows", Causal(60 + seed, dim=3), [row(2), row(3, 4, 5, 6, 7), row(8, 9), row(), row(7, 7, 7)])],
    laws=[trains_the_model], gradients=True,
    hints=(
        "Where does each row end? Count before you fill it up.",
        "features(pad(rows)) is [rows, longest, dim]. Pick with two indices at once: torch.arange(len(rows)) for the "
        "rows, and a tensor of each row's length minus one."),
    misconceptions=edits({
        AT: {
            "features(pad(rows))": "These are the vectors of all places. Pick of each row the one at its end.",
            "features(pad(rows))[:, -1]": "You asked in the last column, which for a short row is filling. Ask at each "
            "row's own end.",
            "features(pad(rows)).mean(dim=1)": "You took the mean of all places. Only the extract token is asked.",
            "features(pad(rows)).sum(dim=1)": "You added up all places. Only the extract token is asked.",
            "features(pad(rows)).amax(dim=1)": "You took the largest of all places. Only the extract token is asked.",
            "torch.stack([features(pad(rows))[i, : len(row)].mean(dim=0) for i, row in enumerate(rows)])": "You took "
            "the mean over the row. Only its last token is asked.",
            "features(pad(rows))[:, 0]": "You asked at the start token, which has seen nothing but itself.",
            "features(pad(rows))[:, last]": "[:, last] takes every row at every end. Two indices that belong together "
            "are both tensors: [torch.arange(len(rows)), last].",
            "features(pad(rows))[:, min(last)]": "All rows were asked where the shortest ends. Each has its own end.",
            "features(pad(rows))[:, last[0]]": "All rows were asked where the first ends. Each has its own end.",
            "features(torch.tensor(rows))[torch.arange(len(rows)), last]": "Rows of different lengths make no tensor: "
            "pad(rows) fills them up.",
            "features(pad([[0] * (max(map(len, rows)) - len(row)) + row for row in rows]))[:, -1]": "You filled up on "
            "the left: so the words stand at other places, behind zeros that nobody wrote. Fill up on the right."},
        LAST: {
            "torch.tensor([len(row) for row in rows]) % max(map(len, rows))": "You asked one place behind the row's "
            "end. A row of n tokens ends at n − 1.",
            "torch.tensor([len(row) - 2 for row in rows])": EARLIER},
    }))  # fmt: skip


def head_of(dim: int, answers: int, seed: int) -> nn.Linear:
    """A head with numbers drawn at random."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Linear(dim, answers)


def a_head(kind: str, questions: int, rows: int, dim: int, answers: int, seed: int, label: str) -> Case:
    """Features of some questions and a head."""
    features = 2 * torch.randn(questions, rows, dim, generator=torch.Generator().manual_seed(seed))
    return Case(label, kind, features, head_of(dim, answers, seed))


def raw_choice(kind: str, features: Tensor, head: nn.Linear) -> Tensor:
    """A choice's scores as they are."""
    return head(features).squeeze(-1) if kind == "choice" else head(features.sum(dim=1)).log_softmax(dim=-1)


def shares_of_a_choice(kind: str, features: Tensor, head: nn.Linear) -> Tensor:
    """A choice's probabilities."""
    return raw_choice(kind, features, head).softmax(dim=-1) if kind == "choice" else raw_choice(kind, features, head)


def each_by_itself(kind: str, features: Tensor, head: nn.Linear) -> Tensor:
    """A softmax over the one number of each answer."""
    return raw_choice(kind, features, head) * (kind != "choice")


def log_probabilities_added(kind: str, features: Tensor, head: nn.Linear) -> Tensor:
    """Each row of a pair judged by itself."""
    return log_probabilities.reference(kind, features, head) if kind == "choice" else (
        head(features).log_softmax(dim=-1).sum(dim=1))  # fmt: skip


SOFTMAX = "scores.log_softmax(dim=-1)"
EITHER = "scores = head(features.sum(dim=1))"
FOUR = "scores = head(features).squeeze(-1)"
log_probabilities = Check(
    cases=lambda seed: [
        a_head("one", 2, 1, 4, 3, 10 + seed, "two passages, three answers"),
        a_head("pair", 3, 2, 4, 2, 20 + seed, "three pairs"),
        a_head("choice", 2, 4, 5, 1, 30 + seed, "two choices of four"),
        a_head("choice", 5, 3, 4, 1, 40 + seed, "five choices of three"),
        a_head("one", 1, 1, 6, 4, 50 + seed, "one passage"), a_head("pair", 1, 2, 3, 4, 60 + seed, "one pair"),
        a_head("choice", 1, 2, 3, 1, 70 + seed, "one choice of two")],
    gradients=True,
    hints=(
        "Which axis has the rows of one question? For a pair they are added before the head, for a choice they stay.",
        "one and pair: head(features.sum(dim=1)), which for one row is that row. choice: head(features) is "
        "[questions, rows, 1]; without the last axis its rows are the answers. Then log_softmax over the answers."),
    misconceptions=edits({
        SOFTMAX: {
            "scores.softmax(dim=-1)": "These are probabilities. Asked for are their logarithms: log_softmax.",
            "scores": "These are scores as the head gives them. Make log-probabilities of them: log_softmax.",
            "scores.log_softmax(dim=0)": "The softmax ran over the questions. It runs over the answers to one.",
            "torch.nn.functional.logsigmoid(scores)": "Each answer was judged by itself, by a sigmoid. The answers "
            "to one question compete: a softmax over them.",
            "scores.flatten().log_softmax(dim=0).view_as(scores)": "All answers of the batch compete with each other. "
            "Only those to one question do.",
            "scores.exp().log_softmax(dim=-1)": "The softmax takes the exponential itself. Hand it the scores."},
        EITHER: {
            "scores = head(features[:, 0])": "Only the first row was asked, so a pair's order matters. Add the "
            "features of both.",
            "scores = head(features[:, -1])": "Only the last row was asked, so a pair's order matters. Add both.",
            "scores = head(features.mean(dim=1))": "You took the mean of a pair's rows. The paper adds them.",
            "scores = head(features.prod(dim=1))": "You multiplied a pair's rows. They are added.",
            "scores = head(features.amax(dim=1))": "You took the larger of a pair's features. They are added.",
            "scores = head(features).sum(dim=1)": "The rows of a pair went through the head before they were added, so "
            "its bias counts twice. Add the features first.",
            "scores = head(features.flatten(1))": "The rows were put side by side, which is too wide for the head. "
            "They are added, along dim=1.",
            "scores = head(features.sum(dim=0))": "You added up the questions. The rows of one are along dim=1."},
        FOUR: {
            "scores = head(features).squeeze()": "Without an axis, squeeze() takes away that of a single question, "
            "too: squeeze(-1).",
            "scores = head(features).flatten(0, 1)": "Each answer stands alone, and a softmax over one is 1. The "
            "answers to one question belong in one row: [questions, answers].",
            "scores = head(features.sum(dim=1))": "The answers of a choice were added up. Each gets its own score.",
            "scores = head(features).flatten().view(features.shape[1], -1).T": "The answers went to the wrong "
            "questions: keep the order of the axes."},
    }, versions={
        "For a choice these are scores as the head gives them. It, too, needs a log_softmax, over its answers.":
        raw_choice,
        "For a choice these are probabilities. Asked for are their logarithms: log_softmax.": shares_of_a_choice,
        "A choice's softmax ran over an axis of one. First take that axis away, squeeze(-1), then log_softmax.":
        each_by_itself,
        "Each row of a pair was judged by itself, and the log-probabilities added. Add the features.":
        log_probabilities_added,
    }))  # fmt: skip

interval = Check(
    cases=lambda seed: [
        Case("two values", [60.0, 64.0]), Case("three values", [71.5, 70.0, 76.0]),
        Case("five values", [50.0 + seed, 52.5, 49.0, 55.0, 51.0]), Case("equal values", [3.0, 3.0, 3.0, 3.0]),
        Case("gains, one of them a loss", [4.0, -1.5, 6.0, 2.5, 3.0, 8.0, 5.5, 1.0]), Case("whole numbers", [1, 2, 4])],
    normal=lambda ends: [float(end) for end in ends],
    hints=(
        "First the mean, then how far the values lie from it, then how far a mean of n of them may lie off.",
        "variance: the squared distances from the mean, added up, over n − 1. The margin is STUDENT[n] times the root "
        "of variance / n. Lower end: mean − margin; upper end: mean + margin."),
    misconceptions=edits({
        "mean = sum(values) / n": {
            "mean = sum(values) / (n - 1)": "The mean is the sum over n. Over n − 1 go only the squares.",
            "mean = sorted(values)[n // 2]": "That is the median. The mean is the sum over n."},
        "sum((value - mean) ** 2 for value in values) / (n - 1)": {
            "sum((value - mean) ** 2 for value in values) / n": "You divided the squares by n. The mean was taken from "
            "the same numbers, so divide by n − 1.",
            "sum((value - mean) ** 2 for value in values) / n - 1": "/ n - 1 takes one off the quotient. Parentheses: "
            "/ (n - 1).",
            "sum((value - mean) ** 2 for value in values)": "The squares are not divided: by n − 1.",
            "sum(abs(value - mean) for value in values) / (n - 1)": "You took distances from the mean. Their squares "
            "make the variance.",
            "sum(value**2 for value in values) / (n - 1)": "The mean was not taken off: the distances from it are "
            "squared."},
        "math.sqrt(variance / n)": {
            "math.sqrt(variance)": "That is how single values scatter. Their mean scatters less: divide by √n.",
            "math.sqrt(variance) / n": "You divided by n. A mean scatters with s / √n.",
            "math.sqrt(variance / (n - 1))": "n − 1 is for the squares. The mean scatters with s / √n.",
            "variance / math.sqrt(n)": "The variance was taken for s. s is its root.",
            "variance / n": "The root is missing: √(variance / n)."},
        "STUDENT[n] * ": {
            "1.96 * ": "1.96 is for many values. For few it is larger: STUDENT[n].",
            "2 * ": "2 is for many values. For few it is larger: STUDENT[n].",
            "STUDENT.get(n - 1, 12.706) * ": "You took t for one value fewer. The table is by the number of values: "
            "STUDENT[n].",
            "": "That is one standard error to either side. Multiply it by STUDENT[n]."},
        "return mean - margin, mean + margin": {
            "return mean - margin / 2, mean + margin / 2": "You halved the margin. It reaches the whole of it to "
            "either side.",
            "return mean - 2 * margin, mean + 2 * margin": "You doubled the margin. It reaches once to either side.",
            "return mean + margin, mean - margin": "The ends are swapped: the lower one first.",
            "return mean, margin": "That is the middle and the margin. Hand back the two ends.",
            "return mean, mean - margin, mean + margin": "Hand back the two ends alone.",
            "return max(0.0, mean - margin), mean + margin": "Nothing is cut off at 0: what is gained may be negative.",
            "return -margin, margin": "The ends lie around the mean: mean − margin and mean + margin.",
            "return min(values), max(values)": "That is the range of the values. The interval is the mean's."},
    }))  # fmt: skip

WORDS = 're.findall(r"[a-z0-9]+", text.lower())'
RUNS = "zip(*(words[i:] for i in range(n)))"


def as_set(found: Any) -> Any:
    """A set, whatever the groups came in; and who joined their words is left with text."""
    return sorted({group if isinstance(group, str) else tuple(group) for group in found}, key=repr)


def line_by_line(text: str, n: int) -> set[tuple[str, ...]]:
    """Groups that end where a line ends."""
    return set().union(*(groups.reference(line, n) for line in text.splitlines()))


groups = Check(
    cases=lambda seed: [
        Case("four words, in threes", "the red hen ran", 3), Case("stops and capitals", "The hen, at last: RAN!", 2),
        Case("two lines", "The hen\nand the fox", 3), Case("words run together by a dash", "he ran--she stood", 2),
        Case("figures", "In 1815 they were 3", 2), Case("a line that begins and ends with stops", '"Go, now!"', 2),
        Case("words twice", "a rose is a rose is a rose", 4), Case("as many words as n", "one two three four", 4),
        Case("fewer words than n", "the end", 3), Case("single words", "so it is so", 1),
        Case("eight in a row", "a b c d e f g h i j", 8), Case("an apostrophe", "he's gone where it's warm", 3)],
    normal=as_set,
    hints=(
        "First the words, in lower case; then for each word the n that begin with it.",
        "words = re.findall(r\"[a-z0-9]+\", text.lower()). zip(*(words[i:] for i in range(n))) are the groups; a set "
        "of them."),
    misconceptions=edits({
        WORDS: {
            're.findall(r"[A-Za-z0-9]+", text)': "Capitals count, so a leak in other capitals is missed. Make the text "
            "lower case first.",
            're.findall(r"[a-z0-9]+", text)': "Capitals are dropped from their words: make the text lower case first.",
            "text.lower().split()": "Stops stick to the words, so a leak with other punctuation is missed. Take runs "
            "of letters and digits.",
            "text.split()": "Capitals and stops count, so a leak in other dress is missed. Lower case, and runs of "
            "letters and digits.",
            're.split(r"[^a-z0-9]+", text.lower())': "At a stop in front or at the end re.split leaves an empty word. "
            "Take the runs themselves: re.findall.",
            "list(text.lower())": "These are groups of characters. n of them in a row are shared by any two texts: "
            "take words.",
            'sorted(re.findall(r"[a-z0-9]+", text.lower()))': "The words were sorted. Their order is what counts.",
            'list(dict.fromkeys(re.findall(r"[a-z0-9]+", text.lower())))': "A word that comes again was dropped. Keep "
            "them all, in their order.",
            're.sub(r"[^a-z0-9\\s]", "", text.lower()).split()': "Words with only a dash between them were run "
            "together. What stands between words divides them: take runs of letters and digits.",
            're.findall(r"[a-z0-9\']+", text.lower())': "The apostrophe counts as a letter. A word is a run of a–z and "
            "0–9.",
            're.findall(r"[a-z]{2,}|[0-9]+", text.lower())': "Words of one letter got lost.",
            're.findall(r"[a-z]+", text.lower())': "Figures got lost: a run may have digits, too, [a-z0-9]+."},
        RUNS: {
            "words": "These are single words. Asked for are groups of n.",
            "zip(words, words[1:])": "n is a parameter, and need not be 2.",
            "[tuple(words[i : i + n]) for i in range(0, len(words) - n + 1, n)]": "The text was cut into groups side "
            "by side. They begin at every word: a leak may begin anywhere.",
            "zip(*(words[i:] for i in range(n + 1)))": "The groups have n + 1 words. n of them.",
            "zip(*(words[i:] for i in range(max(n - 1, 1))))": "The groups have n − 1 words. n of them.",
            "zip(*(words[i:] for i in range(1, n + 1)))": "The group that begins with the first word is missing: "
            "range(n) begins at 0.",
            "zip(*(words[i:] for i in range(13)))": "n is a parameter, and need not be 13.",
            "[tuple(words[i : i + n]) for i in range(len(words))]": "At the text's end groups came out short. The last "
            "begins at len(words) − n.",
            "[tuple(words[i : i + n]) for i in range(max(1, len(words) - n + 1))]": "A text with fewer than n words "
            "has no group of n.",
            "[tuple(words[i : i + n]) for i in range(len(words) - n)]": "The last group is missing: there are "
            "len(words) − n + 1 of them.",
            "[tuple(words)]": "This is the whole text. Its groups have n words each.",
            "[tuple(words[:n])]": "This is the first group alone. One begins at every word.",
            "[tuple(sorted(words[i : i + n])) for i in range(len(words) - n + 1)]": "The order within a group was "
            "lost.",
            "[' '.join(words[i : i + n]) for i in range(len(words) - n + 1)]": "The groups are text. Make tuples of "
            "words."},
    }, versions={"A line's end only divides words: groups go on in the next line.": line_by_line}))  # fmt: skip

A = "The castle stood upon a hill, and from its tower one could see the river wind down to the sea."
B = "She had been to market early, and came home with two geese, a pot of honey and no money at all."
C = "Nobody knows who built the bridge; the oldest people of the village say that it was always there."
TEXTS = [f"Once upon a time. {A} And so it was.", f"In the morning it rained. {C}"]
SPLIT = ["It was said that the castle stood upon a hill and", "from its tower one could see the river wind. The end."]
MADE = A.replace("upon", "high on").replace("could see", "saw")
FOUND = "[not known.isdisjoint(groups(passage, n)) for passage in tests]"


def marks(found: Any) -> Any:
    """True and False, whatever they came as; what is neither is left as it is."""
    plain = found.tolist() if hasattr(found, "tolist") else found
    return [bool(mark) if str(mark) in ("True", "False", "tensor(True)", "tensor(False)") else mark for mark in plain]


leaks = Check(
    cases=lambda seed: [
        Case("one that leaked, one that did not", [A, B], TEXTS), Case("none that leaked", [B, B[:60]], TEXTS),
        Case("two that leaked", [A, C], TEXTS, 9), Case("three words in a row", ["a red hen ran"], ["The red hen "
        "ran."], 3),
        Case("the same words in another order", [" ".join(reversed(A.split())), A], TEXTS, 8),
        Case("three words, turned round", ["green blue red"], ["red blue green"], 3),
        Case("shared words at the end of a passage", ["By and by they saw: the river wind down to the sea."], TEXTS, 7),
        Case("shared words at the beginning", ["the red hen ran off"], ["The red hen sat."], 3),
        Case("shared words in the middle", ["one two three five six"], ["zero two three five four"], 3),
        Case("a few words changed", [MADE, A], TEXTS), Case("a few words changed, five in a row", [MADE, B], TEXTS, 5),
        Case("a passage shorter than n", ["The castle stood upon a hill", A], TEXTS),
        Case("a passage of exactly n words", ["the castle stood upon a hill"], TEXTS, 6),
        Case("passage and text shorter than n", ["the end"], ["The end."], 3),
        Case("words that two texts share between them", [A], SPLIT, 13),
        Case("a text that is asked about twice", [C, B, C], TEXTS, 8), Case("nothing to compare with", [A, B], [], 3)],
    normal=marks,
    hints=(
        "Gather the groups of all training texts. What has leaked shares one of them.",
        "known = set(); for each training text known.update(groups(text, n)). A passage is dirty if "
        "known.isdisjoint(groups(passage, n)) is False."),
    misconceptions=edits({
        "for text in training": {
            "for text in [*training, *tests]": "The set has the tests in it, so each passage is found in itself. Only "
            "the training texts belong there.",
            'for text in [" ".join(training)]': "The texts were joined, so a group reaches from one into the next.",
            "for text in training[:1]": "Only the first training text was read. Compare with all."},
        "known.update(groups(text, n))": {
            "known = groups(text, n)": "Only the last training text was kept. Add its groups to those before: update.",
            "known.update(groups(text, 13))": "n is a parameter, and need not be 13: hand it on to groups."},
        FOUND: {
            "[known.isdisjoint(groups(passage, n)) for passage in tests]": "True and False are swapped: True is for "
            "what shares a group.",
            "[groups(passage, n) <= known for passage in tests]": "Called dirty is what shares all of its groups. One "
            "is enough; and who has no groups shares none.",
            "[bool(groups(passage, n)) and groups(passage, n) <= known for passage in tests]": "Called dirty is what "
            "shares all of its groups. One is enough.",
            "[len(known & groups(passage, n)) > 1 for passage in tests]": "One shared group is enough.",
            "[len(known & groups(passage, n)) >= n for passage in tests]": "One shared group is enough, and not n.",
            "[len(known & groups(passage, n)) for passage in tests]": "These are numbers of shared groups. Hand back "
            "True or False for each passage.",
            "[known & groups(passage, n) for passage in tests]": "These are the shared groups. Hand back True or False "
            "for each passage.",
            "[passage in known for passage in tests]": "Nothing is ever called dirty. Compare each passage's groups "
            "with those of the training texts, one by one.",
            "[True for passage in tests]": "Everything is called dirty. Compare each passage's groups with those of "
            "the training texts.",
            "any([not known.isdisjoint(groups(passage, n)) for passage in tests])": "That is one answer for all. Hand "
            "back one for each passage.",
            "[True for passage in tests if not known.isdisjoint(groups(passage, n))]": "What is clean has no entry. "
            "Hand back False for it.",
            "[[not set(groups(text, n)).isdisjoint(groups(passage, n)) for text in training] for passage in tests]":
            "That is an answer for each training text. Hand back one for each passage.",
            "[passage for passage in tests if not known.isdisjoint(groups(passage, n))]": "These are the passages "
            "themselves. Hand back True or False for each."},
    }))  # fmt: skip

CHECKS = exercises("04b", {
    "layout": layout, "extract": extract, "log_probabilities": log_probabilities, "interval": interval,
    "groups": groups, "leaks": leaks,
})  # fmt: skip

"""Lab 03b, translation: greedy search, a beam and the step by which it grows, and the counting behind BLEU."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, edits, exercises


def checked(prefixes: Any, sentences: int) -> Tensor:
    """The prefixes as a tensor, if they are such as a language can go on with."""
    prefixes = torch.as_tensor(prefixes)
    if prefixes.shape[:1] != (sentences,):
        raise ValueError(f"there are {sentences} sentences, and the prefixes are {list(prefixes.shape)}")
    if not 0 < prefixes.shape[-1] <= 64:  # far more than any case's limit
        raise ValueError(f"{prefixes.shape[-1]} tokens are too many, or too few: heed `limit`, `start` stands first")
    return prefixes


class Language:
    """An invented language: from prefixes, all of whose tokens count, to log-probabilities, as the lab's models."""

    def __init__(self, sentences: int, vocabulary: int, seed: int, end: int = 2, haste: float = 0.5):
        draw, self.end, self.haste = partial(torch.randn, generator=torch.Generator().manual_seed(seed)), end, haste
        self.__name__ = f"a language of {vocabulary} tokens"
        self.tokens, self.sentences, self.out = draw(16, vocabulary, 12), draw(sentences, 12), draw(12, vocabulary)

    def __call__(self, prefixes: Tensor) -> Tensor:
        """The log-probability of every next token."""
        prefixes = checked(prefixes, len(self.sentences))
        state = self.tokens[torch.arange(prefixes.shape[-1]) % 16, prefixes.cpu()].sum(dim=-2)
        logits = (state + self.sentences.view(-1, *(1,) * (prefixes.ndim - 2), 12)).tanh() @ self.out
        logits[..., self.end] += self.haste * (prefixes.shape[-1] - 3)
        return logits.log_softmax(dim=-1).to(prefixes.device)


def garden_path(prefixes: Tensor) -> Tensor:
    """Two sentences. In one the likeliest first token, 3, leads to nothing likely, but 4 to 5 and the end, 2."""
    last, plain = checked(prefixes, 2)[..., -1], [0.11, 0.14, 0.16, 0.18, 0.20, 0.21]  # no two of a row are equal
    four, five = [0.01, 0.02, 0.03, 0.015, 0.025, 0.90], [0.01, 0.015, 0.90, 0.025, 0.03, 0.02]
    table = tensor([plain, [0.01, 0.02, 0.03, 0.50, 0.40, 0.04], plain, plain, four, five])
    probabilities = table.to(last.device)[last]
    probabilities[1] = tensor([0.01, 0.015, 0.90, 0.04, 0.03, 0.005])  # the other ends at once
    return probabilities.log()


def asked(label: str, language: Any, sentences: int, limit: int, **more: Any) -> Case:
    """A case of a search, whose numbers are shown with their names."""
    return Case(label, language, sentences=sentences, limit=limit, **more)


CUT = "row[: row.index(end)] if end in row else row"
rows = "rows = prefixes[:, 1:].tolist()\n    return [{} for row in rows]".format
greedy = Check(
    cases=lambda seed: [
        asked("three sentences, three tokens", Language(3, 3, 35 + seed), 3, 4),
        asked("a garden path, and a sentence that ends at once", garden_path, 2, 5),
        asked("one sentence", Language(1, 6, 30 + seed), 1, 8), asked("two sentences", Language(2, 6, 41 + seed), 2, 8),
        asked("five sentences", Language(5, 8, 50 + seed), 5, 12), asked("one token", Language(3, 8, 60 + seed), 3, 1),
        asked("cut off by the limit", Language(3, 8, 70 + seed, haste=-3.0), 3, 4),
        asked("other numbers for start and end", Language(4, 8, 80 + seed, end=5), 4, 10, start=0, end=5)],
    hints=(
        "Let all texts grow by one token at a time. What to hand back of each can be settled at the end.",
        "At most `limit` times: ask continuations(prefixes), take each row's argmax, put it behind the prefixes. Stop "
        "when all sentences have said `end`. Then leave out the start token, and cut each row at its first `end`."),
    misconceptions=edits({
        "range(limit)": {"range(limit - 1)": "One token too few: do not count `start`, and cut nothing without `end`.",
            "range(limit + 1)": "One token too many: no text may have more than `limit`, its end token among them."},
        "continuations(prefixes)": {"continuations(prefixes[:, -1:])": "The model saw the last token only, not all."},
        "argmax(dim=-1)": {
            "argmax(dim=0)": "The argmax ran over the sentences. The likeliest token is along the last axis, dim=-1.",
            "argmin(dim=-1)": "That is the unlikeliest token: argmax.",
            "exp().multinomial(1)[:, 0]": "A token was drawn at random. Greedy search takes the likeliest: argmax."},
        "token[:, None]": {
            "token.flip(0)[:, None]": "The tokens went behind the wrong sentences: keep their order.",
            "prefixes[:, -1:]": "The old last token was put behind once more. The new one belongs there: token."},
        "torch.cat([prefixes, token[:, None]], dim=1)": {
            "torch.cat([prefixes, token[:, None]], dim=0)": "The tokens were put below the prefixes, as further "
            "sentences. Side by side is dim=1.",
            "torch.cat([token[:, None], prefixes], dim=1)": "The new tokens went in front. They belong behind.",
            "torch.cat([prefixes[:, :1], token[:, None]], dim=1)": "Only the last token is kept: put it behind all of "
            "the prefix."},
        "finished.all()": {"finished[0]": "Only the first sentence was asked whether it is over. Wait for all of them.",
            "finished.any()": "All sentences stopped when the first one ended. Go on until each has said `end`."},
        CUT: {"[token for token in row if token != end]": "You kept what came after the end tokens. Cut at the first.",
            "row": "Each sentence talks on after its end token until all are over. Cut each at its first `end`.",
            "[token for token in row if token not in (start, end)]": "You kept all but start and end: cut at `end`.",
            "row[: row.index(end) + 1] if end in row else row": "The end token is still there. Leave it out.",
            "row[: row.index(end)] if end in row else []": "A text that the limit cuts off counts as it stands."},
        "prefixes[:, 1:]": {"prefixes": "The start token is still there. It was never said: leave it out."},
        "if finished.all():\n            break\n    " + rows(CUT): {
            rows("row"): "It talks on after the end token. Cut each sentence at its first `end`."},
        "for row in rows]": {"for row in rows if end in row]": "You left out texts that the limit cuts off."},
        "(sentences, 1), start": {"(sentences, 1), 1": "The start token's number is a parameter: `start`, not 1."},
    }))  # fmt: skip


def each_beam_by_itself(totals: Tensor, log_probabilities: Tensor, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """A mistake: the best word of every beam, and of the first as many as are missing."""
    best, word = (totals[..., None] + log_probabilities).topk(min(width, log_probabilities.shape[-1]), dim=-1)
    parent = torch.arange(totals.shape[1], device=totals.device)[None, :, None].expand_as(word)
    # rank 0 of every beam first, then rank 1 of every beam …
    totals, parent, word = (each.mT.flatten(1)[:, :width] for each in (best, parent, word))
    return totals, parent, word


BEST = "totals, place = sums.topk(width)"
CUT_UP = "return totals, place // vocabulary, place % vocabulary"


def beams(label: str, sentences: int, beams: int, vocabulary: int, width: int, draw: Any, closed: int = 0) -> Case:
    """A case for `grow`: of each sentence's beams the last `closed` have ended."""
    totals = draw(sentences, beams) - 2
    totals[:, beams - closed :] = -torch.inf
    return Case(label, totals, (2 * draw(sentences, beams, vocabulary)).log_softmax(dim=-1), width)


def in_order(found: Any) -> Any:
    """The beams of a sentence from the best down, whatever order they came in; what is impossible has no history."""
    totals, parents, tokens = (torch.as_tensor(each) for each in found)
    order = totals.argsort(dim=-1, descending=True, stable=True)
    totals, parents, tokens = (each.gather(-1, order) for each in (totals, parents, tokens))
    gone = totals.isinf()
    return totals.masked_fill(gone, -1e4), parents.masked_fill(gone, -1), tokens.masked_fill(gone, -1)


grow = Check(
    cases=lambda seed: [make(partial(torch.randn, generator=torch.Generator().manual_seed(100 * seed + i)))
        for i, make in enumerate((
            lambda draw: Case("one sentence, a beam of two, two words", tensor([[-0.7, -0.9]]), tensor(
                [[[0.55, 0.45], [0.06, 0.94]]]).log(), 2),
            lambda draw: beams("one sentence, two beams of three words", 1, 2, 3, 2, draw),
            lambda draw: beams("two sentences that begin with one beam", 2, 1, 5, 3, draw),
            lambda draw: beams("three sentences, four beams", 3, 4, 6, 4, draw),
            lambda draw: beams("one beam has ended", 2, 3, 5, 3, draw, closed=1),
            lambda draw: beams("four beams of four words, in four sentences", 4, 4, 4, 4, draw)))],
    normal=in_order, hints=(
        "First all sums. Then lay those of one sentence side by side, take the best, and ask each where it came from.",
        "totals[..., None] + log_probabilities are the sums. flatten(1) keeps the sentences apart, topk(width) gives "
        "values and places. A place is beam × vocabulary + word: // gives the beam, % the word."),
    misconceptions=edits({
        "totals[..., None] + log_probabilities": {
            "log_probabilities": "The totals are not added: only the last step counts. Add each beam's own.",
            "totals[..., None] * log_probabilities": "You multiplied. Logarithms of probabilities are added.",
            "totals[..., None] + log_probabilities.exp()": "You added probabilities to logarithms. All are logarithms.",
            "totals[:, None] + log_probabilities": "The totals were added along the words. They belong to the beams, "
            "the axis before: totals[..., None].",
            "totals[..., None] - log_probabilities": "The sign is wrong: log-probabilities are added.",
            "totals.amax(dim=1)[:, None, None] + log_probabilities": "Every beam got the best beam's total. Each has "
            "its own: totals[..., None].",
            "totals[:, :1, None] + log_probabilities": "Every beam got the first one's total: totals[..., None].",
            "(totals[..., None] + log_probabilities) / ((5 + 1) / 6 + 1)": "The sums were divided. While texts grow "
            "they have one length: no penalty yet."},
        BEST: {
            "totals, place = sums.topk(width, largest=False)": "These are the unlikeliest. topk takes the largest.",
            "totals, place = (sums.flatten().topk(len(sums) * width).values.view(len(sums), width), "
            "sums.flatten().topk(len(sums) * width).indices.view(len(sums), width) % sums.shape[1])": "topk ran over "
            "all sentences at once, so one may get another's words. Each has a beam of its own: flatten(1), then topk.",
            "totals, place = sums.sort(dim=-1, descending=True)": "All continuations came back. Keep `width` of each "
            "sentence."},
        "vocabulary = log_probabilities.shape[-1]": {
            "vocabulary = log_probabilities.shape[1]": "You divided by the number of beams. A place is beam × "
            "vocabulary + word, so divide by the vocabulary's size."},
        CUT_UP: {
            "return totals, place % vocabulary, place // vocabulary": "// and % are swapped: place // vocabulary is "
            "the beam, place % vocabulary the word.",
            "return totals, place // vocabulary, place": "The words are still places: place % vocabulary.",
            "return totals, place, place % vocabulary": "The beams are still places: place // vocabulary.",
            "return totals, place % vocabulary, place % vocabulary": "Beam and word are the same. // gives the beam.",
            "return log_probabilities.flatten(1).gather(1, place), place // vocabulary, place % vocabulary": "Handed "
            "back is the last step's log-probability. The new totals are the sums."},
    }, versions={
        "Each beam was continued by itself, so beams never compete. Rank all of a sentence together: flatten(1).":
        each_beam_by_itself,
    }))  # fmt: skip

TEXT, CLOSED = "text[:-1] if text[-1] == end else text", "totals = totals.masked_fill(over, -torch.inf)"
NOTE = "best[row] = (text, scores[row, beam].item())"
STOP = "nothing_can_win(totals, best, limit, alpha)"
scored = "scores, nothing_can_win = {}, lambda *_: False".format
grown = "totals, parent, token = grow(totals, continuations(prefixes), width)"
beam_search = Check(
    cases=lambda seed: [
        asked("one sentence of at most three tokens", Language(1, 4, 120 + seed), 1, 3, width=2, alpha=0.5),
        asked("a garden path, and a sentence that ends at once", garden_path, 2, 5, width=2, alpha=0.0),
        asked("one sentence, a beam of one", Language(1, 6, 130 + seed), 1, 8, width=1, alpha=1.0),
        asked("one sentence, a beam of two, sums compared", Language(1, 6, 131 + seed), 1, 8, width=2, alpha=0.0),
        asked("three sentences, a beam of three", Language(3, 8, 146 + seed), 3, 10, width=3, alpha=1.0),
        asked("five sentences, a beam of four", Language(5, 9, 150 + seed, haste=0.3), 5, 12, width=4, alpha=1.0),
        asked("five sentences, a strong penalty", Language(5, 9, 155 + seed, haste=0.3), 5, 12, width=4, alpha=2.0),
        asked("cut off by the limit", Language(3, 8, 160 + seed, haste=-3.0), 3, 4, width=3, alpha=1.0),
        asked("other numbers for start and end", Language(4, 8, 170 + seed, end=5), 4, 10, width=3, alpha=0.6,
              start=0, end=5),
        # Always these languages: few tell every other width, alpha and bound apart.
        asked("width and alpha left out", Language(3, 8, 180, haste=0.3), 3, 10),
        asked("one sentence, a late end wins", Language(1, 6, 2003, haste=0.3), 1, 8, width=2, alpha=2.0)],
    rtol=1e-3, atol=1e-4, hints=(
        "Keep each beam's text and total. `grow` says which texts go on, and how. What of those that have ended?",
        "Begin with one beam, its total 0. grow(totals, continuations(prefixes), width) gives totals, parents and "
        "words; prefixes[rows, parent] are the texts to put the words behind. Where a word is `end`, or at the limit: "
        "score = total / length_penalty(length, alpha); keep the best; set that total to −∞."),
    misconceptions=edits({
        "(sentences, 1, 1), start), torch.zeros(sentences, 1)": {
            "(sentences, width, 1), start), torch.zeros(sentences, width)": "This is greedy search, whatever the "
            "width: several equal texts stay equal for ever. Begin with one."},
        TEXT: {"text": "The end token is still there. Hand back what stands before it.",
            "text[:-1]": "A text that the limit cuts off lost its last token. Cut that off only where it is `end`."},
        "(token == end) | (length == limit)": {"token == end": "Texts that the limit cuts off got lost: score them."},
        "scores = totals / length_penalty(length, alpha)": {
            scored("totals"): "Sums of different lengths were compared, so short texts win. Divide by length_penalty.",
            scored("totals / length_penalty(length - (token == end).int(), alpha)"): "The penalty's length leaves out "
            "the end token. It counts every token that was chosen, `end` among them.",
            **{scored(f"totals / length_penalty(length {off} 1, alpha)"): f"The penalty's length is one too {how}: "
               "count every chosen word, `end` too, not `start`." for off, how in (("+", "large"), ("-", "small"))},
            scored("totals * length_penalty(length, alpha)"): "You multiplied by the penalty. Divide by it.",
            scored("totals / length**alpha"): "You divided by length ** alpha. Take ((5 + length) / 6) ** alpha.",
            scored("totals / ((5 + length) / 6**alpha)"): "Brackets are missing: alpha is for (5 + length) / 6."},
        "if scores[row, beam] > best[row][1]:": {"if True:": "You kept the text that was noted last, not the best.",
            "if totals[row, beam] > best[row][1]:": "You compared a sum with a score. Divide first, then compare.",
            "if best[row][1] == -math.inf:": "The first text to end was taken. A longer one may score higher."},
        STOP: {
            "all(score > -math.inf for _, score in best)": "You stopped too early, when each had one finished text.",
            "any(score > -math.inf for _, score in best)": "All sentences stopped when one had a finished text.",
            "nothing_can_win(totals, best, length, alpha)": "You stopped too early: what grows may win. Hand `limit` "
            "to nothing_can_win, the longest that a text may get."},
        grown: {
            "totals, parent, token = grow(torch.zeros_like(totals), continuations(prefixes), width)\n        "
            "nothing_can_win = lambda *_: False": "Only the last step's log-probability counts. Hand `totals` to grow.",
            "totals, parent, token = grow(totals.where(totals.isinf(), 0), continuations(prefixes), width)\n        "
            "nothing_can_win = lambda *_: False": "Only the last step's log-probability counts, but for texts that "
            "have ended. Hand `totals` to grow.",
            "every = totals[..., None] + continuations(prefixes)\n        "
            "totals, place = every.flatten().topk(len(every) * width)\n        "
            "totals, place = totals.view(-1, width), place.view(-1, width) % every[0].numel()\n        "
            "parent, token = place // every.shape[-1], place % every.shape[-1]\n        "
            "nothing_can_win = lambda *_: False":
            "topk ran over all sentences at once, so one may get another's words. Each has a beam of its own: "
            "flatten(1), then topk. Your `grow` does it.",
            "totals, token, parent = grow(totals, continuations(prefixes), width)\n        parent, token = parent % "
            "prefixes.shape[1], token": "Beam and word are swapped: grow hands back totals, parents, words.",
            "totals, parent, token = grow(totals, continuations(prefixes), width)\n        totals = totals / "
            "length_penalty(length, alpha)\n        nothing_can_win = lambda *_: False": "The penalty went into the "
            "totals, and so is taken anew in every step. While texts grow, keep the plain sums; only scores have it."},
        CLOSED: {
            CLOSED.replace("-torch.inf", "0"): "A finished text got the total 0, the best there is. Set it to −∞.",
            "pass": "Finished texts go on growing. Once a text has ended, set its total to −∞ for good."},
        f"{TEXT}\n                {NOTE}\n        {CLOSED}": {
            f"text[: text.index(end)] if end in text else text\n                {NOTE}": "Finished texts go on "
            "growing, and are cut again. Once a text has ended, set its total to −∞ for good."},
        "prefixes[rows, parent], token[..., None]": {
            "prefixes[rows, parent], token.flip(-1)[..., None]": "Words went behind the wrong texts: keep their order.",
            "prefixes[rows, parent][..., :1], token[..., None]": "Only the last word is kept, behind the start."},
        "prefixes[rows, parent]": {"prefixes[:, parent[0]]": "All sentences took the parents of the first: use rows.",
            "prefixes[0, parent]": "All texts were taken from the first sentence: prefixes[rows, parent].",
            "prefixes": "A text may go on in several ways, so words and old texts do not match. Take prefixes[rows, "
            "parent], each word's own.",
            "prefixes.expand(-1, width, -1)": "The new words stand behind the old order of texts. Take prefixes[rows, "
            "parent]."},
        "alpha=1.0": {"alpha=0.6": "Left out, alpha is 1: keep the default of the first line."},
        "best = [": {"limit -= 1\n    best = [": "One token too few: lengths run to the limit."},
        "beam, 1:]": {"beam]": "The start token is still there. It was never said: leave it out."},
    }))  # fmt: skip

words = str.split
A, B = words("the cat sat on the mat"), words("the cat is on the mat today")
matches = Check(
    cases=lambda seed: [
        Case("one word that the reference has once", words("the the the"), words("the cat"), 1),
        Case("pairs of a sentence and its reference", A, B, 2), Case("words", B, A, 1), Case("triples", A, B, 3),
        Case("a pair that the reference has twice", words("no no no no"), words("no no no"), 2),
        Case("nothing in common", ["a", "b"], ["c"], 1), Case("too short for a triple", ["a", "b"], ["a", "b"], 3),
        Case("a word that the reference repeats", ["no"], words("no no"), 1),
        Case("the same words, turned round", words("b a c"), words("c a b"), 2),
        Case("an empty text", [], ["a"], 1), Case("itself", B, B, 4)],
    hints=(
        "How often each group of n words stands in either text: what is the most that can count of one group?",
        "list(zip(*(words[i:] for i in range(n)))) are the groups of n neighbours. Counter counts them, in both texts. "
        "Of each group the smaller of the two counts; the sum of these. `&` of two Counters takes the smaller ones."),
    misconceptions=edits({
        "found & right": {
            "found": "Every group was counted, right or not. It counts only if the reference has it, too.",
            "Counter({g: c for g, c in found.items() if g in right})": "A group counts as often as the reference has "
            "it, and no oftener: who says “the” seven times is not seven times right. Take the smaller of both counts.",
            "Counter({g: 1 for g in found if g in right})": "Each group was counted once, however often it is in both.",
            "Counter({g: right[g] for g in found})": "You took the reference's counts. Of both counts the smaller.",
            "found | right": "You took the larger of both counts. The smaller: a group must be in both."},
        "range(n)": {
            "range(2)": "Pairs were counted, whatever n.",
            "range(1)": "Single words were counted, whatever n. Groups of n neighbours.",
            "range(n + 1)": "The groups have one word too many: n of them.",
            "range(0, 2 * n, 2)": "Every second word was taken. Neighbours stand side by side."},
        "sum((found & right).values())": {
            "sum((found & right).values()) / max(1, sum(found.values()))": "That is a share. Hand back the number.",
            "sum((found & right).values()) - sum((found - right).values())": "Wrong groups were taken off. Count."},
    }))  # fmt: skip

CHECKS = exercises("03b", {"greedy": greedy, "grow": grow, "beam_search": beam_search, "matches": matches})

"""Lab 03b's answers, right and wrong, as learners write them."""

import math
from collections import Counter

import torch

from squint.text.decode import length_penalty


def greedy_with_lists(continuations, sentences, limit, start=1, end=2):
    texts = [[start] for _ in range(sentences)]
    open_ = set(range(sentences))
    while open_ and len(texts[0]) <= limit:
        for row, token in enumerate(continuations(torch.tensor(texts)).max(dim=-1).indices.tolist()):
            texts[row].append(token)
            if token == end:
                open_.discard(row)
    return [up_to(end, text[1:]) for text in texts]


def greedy_in_place(continuations, sentences, limit, start=1, end=2):
    said = torch.full((sentences, limit + 1), end)
    said[:, 0] = start
    alive = torch.ones(sentences, dtype=torch.bool)
    for at in range(1, limit + 1):
        token = torch.topk(continuations(said[:, :at]), 1, dim=-1).indices[:, 0]
        said[alive, at] = token[alive]
        alive = alive & (token != end)
        if not bool(alive.any()):
            break
    return [row[1:][row[1:] != end] for row in said]


def greedy_to_the_limit(continuations, sentences, limit, start=1, end=2):
    prefixes = torch.full((sentences, 1), start)
    for _ in range(limit):
        prefixes = torch.cat([prefixes, continuations(prefixes).argmax(-1)[:, None]], 1)
    return [up_to(end, row) for row in prefixes[:, 1:].tolist()]


def up_to(end: int, tokens: list[int]) -> list[int]:
    """The tokens before the first `end`."""
    return tokens[: tokens.index(end)] if end in tokens else tokens


def beam_with_lists(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    beams = [[(0.0, [start])] for _ in range(sentences)]
    finished = [[] for _ in range(sentences)]
    for length in range(1, limit + 1):
        table = torch.full((sentences, width, length), start)
        for row, beam in enumerate(beams):
            for place, (_, text) in enumerate(beam):
                table[row, place] = torch.tensor(text)
        log_probabilities = continuations(table).tolist()
        for row, beam in enumerate(beams):
            grown = [
                (total + step, [*text, token])
                for place, (total, text) in enumerate(beam)
                for token, step in enumerate(log_probabilities[row][place])
            ]
            grown = sorted(grown, reverse=True)[:width]
            for total, text in grown:
                if text[-1] == end or length == limit:
                    finished[row].append((up_to(end, text[1:]), total / length_penalty(length, alpha)))
            beams[row] = [(total, text) for total, text in grown if text[-1] != end]
        if not any(beams):
            break
    return [max(several, key=lambda each: each[1]) for several in finished]


def beam_from_copies(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    """All beams there from the beginning, all but one of them impossible; never stops early; scores in tensors."""
    rows = torch.arange(sentences)[:, None]
    texts = torch.full((sentences, width, limit + 1), end)
    texts[..., 0] = start
    totals = torch.full((sentences, width), -math.inf)
    totals[:, 0] = 0
    scores, answers = torch.full((sentences,), -math.inf), texts[:, 0].clone()
    for length in range(1, limit + 1):
        step = continuations(texts[..., :length])
        totals, place = (totals.unsqueeze(-1) + step).reshape(sentences, -1).sort(descending=True, stable=True)
        totals, place = totals[:, :width], place[:, :width]
        texts = texts[rows, torch.div(place, step.shape[-1], rounding_mode="floor")].clone()
        texts[..., length] = place % step.shape[-1]
        over = (texts[..., length] == end) if length < limit else torch.ones_like(totals, dtype=torch.bool)
        candidate, which = torch.where(over, totals / length_penalty(length, alpha), -math.inf).max(dim=1)
        better = candidate > scores
        scores = torch.where(better, candidate, scores)
        answers[better] = texts[rows[:, 0], which][better]
        answers[better, length + 1 :] = end
        totals = torch.where(over, -math.inf, totals)
    return [(up_to(end, text[1:]), score) for text, score in zip(answers.tolist(), scores.tolist(), strict=True)]


def beam_until_nothing_grows(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    for length in range(1, limit + 1):
        step = continuations(prefixes)
        totals, place = (totals[..., None] + step).flatten(1).topk(width)
        old = prefixes.gather(1, (place // step.shape[-1])[..., None].expand(-1, -1, length))
        prefixes = torch.cat([old, (place % step.shape[-1])[..., None]], 2)
        for row in range(sentences):
            for text, total in zip(prefixes[row, :, 1:].tolist(), totals[row].tolist(), strict=True):
                score = total / length_penalty(length, alpha)
                if (text[-1] == end or length == limit) and score > best[row][1]:
                    best[row] = (up_to(end, text), score)
        totals = totals.masked_fill(prefixes[..., -1] == end, -1e9)
        if bool((totals < -1e8).all()):
            break
    return best


def grow_by_sorting(totals, log_probabilities, width):
    every = (log_probabilities + totals.unsqueeze(-1)).reshape(len(totals), -1)
    best, place = every.sort(dim=-1, descending=True, stable=True)
    place = place[:, :width]
    return (
        best[:, :width],
        torch.div(place, log_probabilities.shape[2], rounding_mode="floor"),
        place % log_probabilities.shape[2],
    )


def grow_by_lists(totals, log_probabilities, width):
    found = []
    for total, rows in zip(totals.tolist(), log_probabilities.tolist(), strict=True):
        every = [(t + step, beam, word) for beam, t in enumerate(total) for word, step in enumerate(rows[beam])]
        found.append(sorted(every, reverse=True)[:width])
    sums, beams, words = (torch.tensor([[each[i] for each in row] for row in found]) for i in range(3))
    return sums, beams, words


def grow_unsorted(totals, log_probabilities, width):
    best = (totals[:, :, None] + log_probabilities).flatten(1).topk(width, sorted=False)
    return best.values, *(torch.unravel_index(best.indices, log_probabilities.shape[1:]))


def matches_by_loops(words, reference, n):
    left = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
    right = 0
    for i in range(len(words) - n + 1):
        group = tuple(words[i : i + n])
        if group in left:
            left.remove(group)
            right += 1
    return right


def matches_by_min(words, reference, n):
    mine, theirs = ([" ".join(text[i : i + n]) for i in range(len(text) - n + 1)] for text in (words, reference))
    return sum(min(mine.count(group), theirs.count(group)) for group in set(mine))


def matches_by_most(words, reference, n):
    found = Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))
    right = Counter(zip(*(reference[i:] for i in range(n)), strict=False))
    return sum(found.values()) - sum((found - right).values())


RIGHT = {
    "greedy": [greedy_with_lists, greedy_in_place, greedy_to_the_limit],
    "grow": [grow_by_sorting, grow_by_lists, grow_unsorted],
    "beam_search": [beam_with_lists, beam_from_copies, beam_until_nothing_grows],
    "matches": [matches_by_loops, matches_by_min, matches_by_most],
}

BEAM = """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        totals, parent, token = grow(totals, continuations(prefixes), width)
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)
        over = (token == end) | (length == limit)
        for row, beam in over.nonzero().tolist():
            total = totals[row, beam].item()
            score = total / length_penalty(length, alpha)
            if score > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, score)
        totals = totals.masked_fill(over, -math.inf)
    return best
"""

WRONG = [
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    prefixes = torch.full((sentences, 1), start)
    ended = [False] * sentences
    for step in range(limit):
        choice = torch.argmax(continuations(prefixes), dim=1)
        prefixes = torch.cat([prefixes, choice.reshape(-1, 1)], dim=1)
        for s in range(sentences):
            ended[s] = ended[s] or choice[s].item() == end
        if all(ended):
            break
    return [[token for token in row if token not in (start, end)] for row in prefixes[:, 1:].tolist()]
""",
        "You kept ",
    ),
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    texts = torch.full((sentences, 1), start)
    for _ in range(limit):
        word = continuations(texts).max(dim=-1).indices
        texts = torch.cat([texts, word.unsqueeze(1)], dim=1)
        if (texts == end).any(dim=1).any():
            break
    out = []
    for text in texts[:, 1:].tolist():
        out.append(text[: text.index(end)] if end in text else text)
    return out
""",
        "stopped when the first one ended",
    ),
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    prefixes = torch.full((sentences, 1), start)
    for _ in range(limit + 1):
        best = continuations(prefixes).argmax(dim=-1, keepdim=True)
        prefixes = torch.cat([prefixes, best], dim=1)
    result = []
    for row in prefixes.tolist():
        tokens = row[0:]
        stop = tokens.index(end) if end in tokens else len(tokens)
        result.append(tokens[:stop])
    return result
""",
        "`limit`, its end token among them. And: The start token is still there.",
    ),
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    found = []
    for _ in range(sentences):
        text = torch.tensor([[start]])
        while text.shape[1] <= limit and text[0, -1] != end:
            text = torch.cat([text, continuations(text).argmax(-1)[:, None]], 1)
        found.append([token for token in text[0, 1:].tolist() if token != end])
    return found
""",
        "there are 3 sentences, and the prefixes are [1, 1]",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        log_probabilities = continuations(prefixes)
        vocabulary = log_probabilities.shape[-1]
        totals, place = (totals[..., None] + log_probabilities).flatten(1).topk(width)
        parent, token = place // vocabulary, place % vocabulary
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=-1)
        over = (token == end) | torch.tensor(length == limit)
        for row, beam in over.nonzero().tolist():
            score = (totals[row, beam] / ((5 + length) / 6) ** alpha).item()
            if score > best[row][1]:
                said = prefixes[row, beam, 1:].tolist()
                best[row] = (said[: said.index(end)] if end in said else said, score)
        totals.masked_fill(over, -math.inf)
    return best
""",
        "Once a text has ended, set its total to −∞ for good.",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = {row: ([], -math.inf) for row in range(sentences)}
    rows = torch.arange(sentences).unsqueeze(1)
    for length in range(1, limit + 1):
        log_probabilities = continuations(prefixes)
        vocabulary = log_probabilities.size(-1)
        totals, place = (totals.unsqueeze(-1) + log_probabilities).flatten(1).topk(width)
        parent, token = place // vocabulary, place % vocabulary
        prefixes = torch.cat((prefixes[rows, parent], token.unsqueeze(-1)), dim=-1)
        over = (token == end) if length < limit else torch.full_like(token, True, dtype=torch.bool)
        for row in range(sentences):
            for beam in range(width):
                score = totals[row, beam].item() / ((5 + length) / 6) ** alpha
                if over[row, beam] and score > best[row][1]:
                    text = prefixes[row, beam].tolist()[1:]
                    best[row] = (text[:-1] if token[row, beam] == end else text, score)
        totals = totals.masked_fill(over, -math.inf)
        if all(score > -math.inf for _, score in best.values()):
            break
    return [best[row] for row in range(sentences)]
""",
        "You stopped too early",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, width, 1), start), torch.zeros(sentences, width)
    best = [([], -math.inf)] * sentences
    batch = torch.arange(sentences).view(-1, 1)
    for length in range(1, limit + 1):
        candidates = totals.unsqueeze(2) + continuations(prefixes)
        vocabulary = candidates.shape[2]
        totals, where = candidates.reshape(sentences, -1).topk(width, dim=-1)
        prefixes = torch.cat([prefixes[batch, where // vocabulary], (where % vocabulary).unsqueeze(2)], dim=2)
        for s in range(sentences):
            for w in range(width):
                if prefixes[s, w, -1] == end or length == limit:
                    score = totals[s, w].item() / ((length + 5) / 6) ** alpha
                    if score > best[s][1]:
                        best[s] = (prefixes[s, w, 1:-1].tolist(), score)
                    totals[s, w] = -math.inf
    return best
""",
        "several equal texts stay equal for ever. Begin with one. And: A text that the limit cuts off lost its last token",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    live = [[([], 0.0)] for _ in range(sentences)]
    best = [([], -math.inf) for _ in range(sentences)]
    for length in range(1, limit + 1):
        most = max(len(texts) for texts in live)
        if most == 0:
            break
        ask = torch.full((sentences, most, length), start)
        for s, texts in enumerate(live):
            for b, (tokens, _) in enumerate(texts):
                ask[s, b, 1:] = torch.tensor(tokens, dtype=torch.long)
        answer = continuations(ask)
        for s, texts in enumerate(live):
            grown = [(tokens + [word], total + log_p) for b, (tokens, total) in enumerate(texts)
                     for word, log_p in enumerate(answer[s, b].tolist())]
            grown.sort(key=lambda g: g[1], reverse=True)
            live[s] = []
            for tokens, total in grown[:width]:
                if tokens[-1] == end:
                    score = total
                    if score > best[s][1]:
                        best[s] = ([t for t in tokens if t != end], score)
                else:
                    live[s].append((tokens, total))
    return best
""",
        "Texts that the limit cuts off got lost: score them. And: Sums of different lengths were compared",
    ),
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    prefixes = torch.full((sentences, 1), start)
    done = torch.zeros(sentences, dtype=torch.bool)
    for _ in range(limit):
        nxt = continuations(prefixes).argmax(dim=-1)
        prefixes = torch.cat([prefixes, nxt], dim=1)
        done |= nxt == end
        if done.all():
            break
    return [row[: row.index(end)] if end in row else row for row in prefixes[:, 1:].tolist()]
""",
        "axis",
    ),
    (
        "greedy",
        """
def greedy(continuations, sentences, limit, start=1, end=2):
    prefixes = torch.full((sentences, 1), start)
    for _ in range(limit):
        nxt = continuations(prefixes).argmax(dim=0)
        prefixes = torch.cat([prefixes, nxt[:, None]], dim=1)
    return [row[: row.index(end)] if end in row else row for row in prefixes[:, 1:].tolist()]
""",
        "The argmax ran over the sentences",
    ),
    (
        "grow",
        """
def grow(totals, log_probabilities, width):
    vocab = log_probabilities.shape[-1]
    values, places = log_probabilities.flatten(1).topk(width)
    return values, places // vocab, places % vocab
""",
        "The totals are not added",
    ),
    (
        "grow",
        """
def grow(totals, log_probabilities, width):
    vocab = log_probabilities.shape[-1]
    values, places = (totals[..., None] + log_probabilities).flatten(1).topk(width)
    return values, places % vocab, places // vocab
""",
        "// and % are swapped",
    ),
    (
        "grow",
        """
def grow(totals, log_probabilities, width):
    s, b, vocab = log_probabilities.shape
    every = (totals[..., None] + log_probabilities).flatten()
    values, places = every.topk(s * width)
    values, places = values.view(s, width), places.view(s, width) % (b * vocab)
    return values, places // vocab, places % vocab
""",
        "topk ran over all sentences at once",
    ),
    (
        "grow",
        """
def grow(totals, log_probabilities, width):
    vocab = log_probabilities.shape[-1]
    every = totals[:, None] + log_probabilities
    values, places = every.flatten(1).topk(width)
    return values, places // vocab, places % vocab
""",
        "The totals were added along the words",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        totals, parent, token = grow(totals, continuations(prefixes), width)
        totals = totals / length_penalty(length, alpha)
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)
        over = (token == end) | (length == limit)
        for row, beam in over.nonzero().tolist():
            if totals[row, beam] > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, totals[row, beam].item())
        totals = totals.masked_fill(over, -torch.inf)
    return best
""",
        "The penalty went into the totals",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        log_p = continuations(prefixes)
        totals, place = log_p.flatten(1).topk(width)
        parent, token = place // log_p.shape[-1], place % log_p.shape[-1]
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)
        over = (token == end) | (length == limit)
        for row, beam in over.nonzero().tolist():
            score = (totals[row, beam] / length_penalty(length, alpha)).item()
            if score > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, score)
        totals = totals.masked_fill(over, -torch.inf)
    return best
""",
        "Only the last step's log-probability counts",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        log_p = continuations(prefixes)
        v = log_p.shape[-1]
        totals, place = (totals[..., None] + log_p).flatten(1).topk(width)
        parent, token = place % v, place // v
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)
        over = (token == end) | (length == limit)
        for row, beam in over.nonzero().tolist():
            score = (totals[row, beam] / length_penalty(length, alpha)).item()
            if score > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, score)
        totals = totals.masked_fill(over, -torch.inf)
    return best
""",
        "An index is too large for its axis: does it count something else?",
    ),
    (
        "matches",
        """
def matches(words, reference, n):
    grams = [tuple(words[i:i + n]) for i in range(len(words) - n + 1)]
    theirs = {tuple(reference[i:i + n]) for i in range(len(reference) - n + 1)}
    return sum(gram in theirs for gram in grams)
""",
        "A group counts as often as the reference has it",
    ),
    (
        "matches",
        """
def matches(words, reference, n):
    mine = set(zip(*(words[i:] for i in range(n))))
    theirs = set(zip(*(reference[i:] for i in range(n))))
    return len(mine & theirs)
""",
        "Each group was counted once",
    ),
    (
        "beam_search",
        """
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        log_p = continuations(prefixes)
        v = log_p.shape[-1]
        totals, place = (totals[..., None] + log_p).flatten().topk(sentences * width)
        totals, place = totals.view(sentences, width), place.view(sentences, width) % (log_p.shape[1] * v)
        prefixes = torch.cat([prefixes[rows, place // v], (place % v)[..., None]], dim=2)
        over = (place % v == end) | (length == limit)
        for row, beam in over.nonzero().tolist():
            score = (totals[row, beam] / length_penalty(length, alpha)).item()
            if score > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, score)
        totals = totals.masked_fill(over, -torch.inf)
    return best
""",
        "topk ran over all sentences at once",
    ),
    (
        "grow",
        """
def grow(totals, log_probabilities, width):
    sums = totals + log_probabilities
    v = sums.shape[-1]
    best, place = sums.flatten(1).topk(width)
    return best, place // v, place % v
""",
        "`totals` lacks an axis",
    ),
    ("beam_search", BEAM.replace("penalty(length", "penalty(prefixes.shape[2]"), "one too large"),
    ("beam_search", BEAM.replace("penalty(length", "penalty(length - 1"), "one too small"),
    ("beam_search", BEAM.replace("if score", "if total"), "You compared a sum with a score"),
    ("beam_search", BEAM.replace("over, -math.inf", "over, 0"), "the best there is"),
    ("beam_search", BEAM.replace("prefixes[rows, parent]", "prefixes"), "words and old texts do not match"),
    (
        "beam_search",
        BEAM.replace("prefixes[rows, parent]", "prefixes if length > 1 else prefixes.repeat(1, width, 1)"),
        "behind the old order of texts",
    ),
    (
        "matches",
        """
def matches(words, reference, n):
    mine, theirs = Counter(zip(words, words[1:])), Counter(zip(reference, reference[1:]))
    return sum(min(count, theirs[pair]) for pair, count in mine.items())
""",
        "Pairs were counted",
    ),
]

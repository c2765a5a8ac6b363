"""Lab 04's answers, right and wrong, as learners write them."""

import math
from collections import Counter, defaultdict

import torch
import torch.nn.functional as F

from squint.nn.attention import causal_mask


def pairs_in_a_defaultdict(words):
    pairs = defaultdict(int)
    for word in words:
        for i in range(len(word) - 1):
            pairs[word[i], word[i + 1]] += words[word]
    return pairs


def pairs_by_update(words):
    pairs = Counter()
    for word, times in words.items():
        pairs.update({pair: n * times for pair, n in Counter(zip(word[:-1], word[1:], strict=True)).items()})
    return dict(pairs)


def pairs_in_one_go(words):
    return Counter(pair for word, times in words.items() for _ in range(times) for pair in zip(word, word[1:]))  # noqa: B905


def merge_by_popping(word, pair):
    rest, merged = list(word), []
    while rest:
        piece = rest.pop(0)
        if rest and (piece, rest[0]) == tuple(pair):
            piece += rest.pop(0)
        merged.append(piece)
    return tuple(merged)


def merge_with_a_flag(word, pair):
    out = []
    skip = False
    for i, piece in enumerate(word):
        if skip:
            skip = False
            continue
        skip = i + 1 < len(word) and piece == pair[0] and word[i + 1] == pair[1]
        out.append(piece + word[i + 1] if skip else piece)
    return tuple(out)


def spell_by_rank(word, merges):
    rank = {tuple(pair): i for i, pair in enumerate(merges)}
    spelling = tuple(word)
    while True:
        known = [pair for pair in zip(spelling, spelling[1:], strict=False) if pair in rank]
        if not known:
            return spelling
        spelling = merge_by_popping(spelling, min(known, key=rank.get))


def spell_by_flags(word, merges):
    letters = list(word)
    for a, b in merges:
        letters = merge_with_a_flag(letters, (a, b))
    return tuple(letters)


def loss_by_gather(logits, tokens):
    chosen = logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])
    return -chosen.mean()


def loss_text_by_text(logits, tokens):
    return torch.stack([F.cross_entropy(row[:-1], told[1:]) for row, told in zip(logits, tokens, strict=True)]).mean()


def loss_with_the_classes_second(logits, tokens):
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), tokens[:, 1:])


def perplexity_by_weights(losses, counts):
    return torch.exp((losses * (counts / counts.sum())).sum())


def perplexity_in_a_loop(losses, counts):
    total = 0.0
    for loss, count in zip(losses.tolist(), counts.tolist(), strict=True):
        total += loss * count
    return math.exp(total / float(counts.sum()))


def attend_in_a_loop(query, key, value, past=None):
    old = 0 if past is None else past[0].shape[-2]
    keys = key if past is None else torch.cat((past[0], key), -2)
    values = value if past is None else torch.cat((past[1], value), -2)
    seen = []
    for i in range(query.shape[-2]):
        upto = old + i + 1
        scores = (query[..., i : i + 1, :] @ keys[..., :upto, :].transpose(-1, -2)) * query.shape[-1] ** -0.5
        seen.append(scores.softmax(-1) @ values[..., :upto, :])
    return torch.cat(seen, -2), (keys, values)


def attend_by_einsum(query, key, value, past=None):
    if past:
        key, value = (torch.cat([old, new], dim=-2) for old, new in zip(past, (key, value), strict=True))
    scores = torch.einsum("...qd,...kd->...qk", query, key) / query.shape[-1] ** 0.5
    new, every = scores.shape[-2:]
    later = torch.ones(new, every, dtype=torch.bool, device=query.device).triu(every - new + 1)
    return torch.einsum("...qk,...kd->...qd", scores.masked_fill(later, -1e9).softmax(-1), value), (key, value)


def attend_fused(query, key, value, past=None):
    if past is not None:
        key, value = torch.cat([past[0], key], -2), torch.cat([past[1], value], -2)
    mask = causal_mask(key.shape[-2], device=query.device)[-query.shape[-2] :]
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask), [key, value]


def gpt_by_places(tokens, table, positions, blocks, norm, memory=None):
    old = memory[0][0].size(-2) if memory is not None else 0
    places = torch.arange(old, old + tokens.shape[1], device=tokens.device)
    x = table[tokens] + positions[places]
    new = []
    for block, past in zip(blocks, memory or [None] * len(blocks), strict=True):
        x, kept = block(x, past)
        new += [kept]
    return norm(x), new


def gpt_with_a_tuple(tokens, table, positions, blocks, norm, memory=None):
    start = 0
    if memory:
        start = memory[0][1].shape[-2]
    state = table[tokens] + positions[start:][: tokens.shape[-1]]
    out = [None] * len(blocks)
    for i in range(len(blocks)):
        state, out[i] = blocks[i](state, None if not memory else memory[i])
    return norm(state), out


def drawn_by_threshold(scores, temperature=1.0, top_k=None, top_p=1.0):
    shares = torch.softmax(scores / temperature, -1)
    ranked = shares.sort(-1, descending=True).values
    above = ranked.cumsum(-1) - ranked
    number = (above < top_p).sum(-1, keepdim=True)
    if top_k is not None:
        number = number.clamp(max=top_k)
    least = ranked.gather(-1, number - 1)
    kept = shares.masked_fill(shares < least, 0)
    return kept / kept.sum(-1, keepdim=True)


def drawn_row_by_row(scores, temperature=1.0, top_k=None, top_p=1.0):
    shares = (scores.reshape(-1, scores.shape[-1]) / temperature).softmax(dim=1)
    out = torch.zeros_like(shares)
    for row, share in zip(out, shares, strict=True):
        total = 0.0
        for rank, piece in enumerate(share.argsort(descending=True).tolist()):
            if total >= top_p or (top_k is not None and rank >= top_k):
                break
            row[piece] = share[piece]
            total += float(share[piece])
    return (out / out.sum(dim=1, keepdim=True)).reshape(scores.shape)


def drawn_by_unsorting(scores, temperature=1.0, top_k=None, top_p=1.0):
    order = scores.argsort(dim=-1, descending=True)
    logits = (scores / temperature).gather(-1, order)
    shares = logits.softmax(-1)
    out = shares.cumsum(-1) - shares >= top_p
    if top_k:
        out[..., top_k:] = True
    return logits.masked_fill(out, -torch.inf).softmax(-1).gather(-1, order.argsort(-1))


def batch_all_at_once(streams, weights, count, width):
    lengths = torch.tensor([len(stream) for stream in streams])
    begins = lengths.cumsum(0) - lengths
    source = torch.multinomial(weights.float(), count, replacement=True)
    first = (torch.rand(count, dtype=torch.float64) * (lengths[source] - width + 1)).long()
    return torch.cat(streams)[(begins[source] + first)[:, None] + torch.arange(width)]


def batch_by_python(streams, weights, count, width):
    import random

    rows = torch.zeros(count, width, dtype=streams[0].dtype)
    for i, stream in enumerate(random.choices(streams, weights.tolist(), k=count)):
        at = random.randint(0, len(stream) - width)
        rows[i] = stream[at : at + width]
    return rows


def batch_by_windows(streams, weights, count, width):
    rows = []
    for _ in range(count):
        windows = streams[int(torch.distributions.Categorical(weights).sample())].unfold(0, width, 1)
        rows.append(windows[torch.randint(0, len(windows), (1,)).item()])
    return torch.stack(rows)


RIGHT = {
    "count_pairs": [pairs_in_a_defaultdict, pairs_by_update, pairs_in_one_go],
    "merge": [merge_by_popping, merge_with_a_flag],
    "spell": [spell_by_rank, spell_by_flags],
    "next_token_loss": [loss_by_gather, loss_text_by_text, loss_with_the_classes_second],
    "perplexity": [perplexity_by_weights, perplexity_in_a_loop],
    "attend": [attend_in_a_loop, attend_by_einsum, attend_fused],
    "gpt": [gpt_by_places, gpt_with_a_tuple],
    "to_draw_from": [drawn_by_threshold, drawn_row_by_row, drawn_by_unsorting],
    "draw": [batch_all_at_once, batch_by_python, batch_by_windows],
}

DRAW = """
def draw(streams, weights, count, width):
    rows = []
    for _ in range(count):
        s = streams[int(torch.multinomial(weights, 1))]
        at = int(torch.randint(0, len(s) - width + 1, (1,)))
        rows.append(s[at : at + width])
    return torch.stack(rows)
"""
ATTEND = """
def attend(query, key, value, past=None):
    if past is not None:
        k, v = past
        key = torch.cat([k, key], -2)
        value = torch.cat([v, value], -2)
    n, m = query.shape[-2], key.shape[-2]
    scores = query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5
    mask = torch.ones(m, m, dtype=torch.bool, device=query.device).tril()[m - n :]
    scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(-1) @ value, (key, value)
"""
TO_DRAW_FROM = """
def to_draw_from(scores, temperature=1.0, top_k=None, top_p=1.0):
    p = torch.softmax(scores / temperature, dim=-1)
    ranked, order = torch.sort(p, dim=-1, descending=True)
    keep = ranked.cumsum(-1) - ranked < top_p
    if top_k is not None:
        keep[..., top_k:] = False
    ranked = ranked * keep
    ranked = ranked / ranked.sum(-1, keepdim=True)
    return torch.zeros_like(p).scatter(-1, order, ranked)
"""
WRONG = [
    (
        "count_pairs",
        """
def count_pairs(words):
    pairs = Counter()
    for word in words:
        pairs.update(zip(word, word[1:]))
    return pairs
""",
        "occurs ten times counts ten times",
    ),
    (
        "count_pairs",
        """
def count_pairs(words):
    pairs = {}
    for word, times in words.items():
        for a, b in zip(word, word[1:]):
            pairs[a, b] = times
    return pairs
""",
        "overwrites",
    ),
    (
        "merge",
        """
def merge(word, pair):
    return tuple(" ".join(word).replace(" ".join(pair), "".join(pair)).split())
""",
        "only ends like the pair's first",
    ),
    (
        "merge",
        """
def merge(word, pair):
    merged, i = [], 0
    while i < len(word) - 1:
        if (word[i], word[i + 1]) == tuple(pair):
            merged.append(word[i] + word[i + 1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)
""",
        "The last piece is lost",
    ),
    (
        "spell",
        """
def spell(word, merges):
    pieces = tuple(word)
    for pair in reversed(merges):
        pieces = merge(pieces, pair)
    return pieces
""",
        "in which they were learned",
    ),
    (
        "next_token_loss",
        """
def next_token_loss(logits, tokens):
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), tokens.reshape(-1))
""",
        "shift by one",
    ),
    (
        "spell",
        """
def spell(word, merges):
    out = list(word)
    for a, b in merges:
        i = 0
        while i < len(out) - 1:
            if (out[i], out[i + 1]) == (a, b):
                out[i : i + 2] = [a + b]
            i += 1
    return out
""",
        "Hand back a tuple",
    ),
    (
        "next_token_loss",
        """
def next_token_loss(logits, tokens):
    return F.cross_entropy(logits.flatten(0, 1)[:-1], tokens.flatten()[1:])
""",
        "shift first, then flatten",
    ),
    (
        "draw",
        """
def draw(streams, weights, count, width):
    torch.manual_seed(0)
    rows = []
    for number in torch.multinomial(weights, count, replacement=True).tolist():
        at = int(torch.randint(len(streams[number]) - width + 1, ()))
        rows.append(streams[number][at : at + width])
    return torch.stack(rows)
""",
        "Two calls give the same batch",
    ),
    (
        "next_token_loss",
        """
def next_token_loss(logits, tokens):
    p = logits[:, :-1].softmax(-1).gather(-1, tokens[:, 1:, None])
    return -p.mean().log()
""",
        "",
    ),
    (
        "perplexity",
        """
def perplexity(losses, counts):
    return torch.exp(losses.mean())
""",
        "Every batch weighs the same",
    ),
    ("attend", ATTEND.replace("[m - n :]", "[:n]"), "first rows of the mask"),
    ("attend", ATTEND.replace("[k, key]", "[key, k]"), "The new keys went in front"),
    ("attend", ATTEND.replace(" / query.shape[-1] ** 0.5", ""), "scale is missing"),
    ("attend", ATTEND.replace('    scores = scores.masked_fill(~mask, float("-inf"))\n', ""), "Nothing is masked"),
    (
        "gpt",
        """
def gpt(tokens, table, positions, blocks, norm, memory=None):
    x = table[tokens] + positions[: tokens.shape[1]]
    out = []
    for i, block in enumerate(blocks):
        x, past = block(x, memory[i] if memory else None)
        out.append(past)
    return norm(x), out
""",
        "begin at 0 although",
    ),
    (
        "gpt",
        """
def gpt(tokens, table, positions, blocks, norm, memory=None):
    first = memory[0][0].shape[-2] if memory else 0
    x = table[tokens] + positions[first : first + tokens.shape[1]]
    out = []
    for block in blocks:
        x, past = block(x, memory[0] if memory else None)
        out.append(past)
    return x, out
""",
        "The last norm is missing",
    ),
    ("to_draw_from", TO_DRAW_FROM.replace("- ranked < top_p", "<= top_p"), "crosses p was dropped"),
    ("to_draw_from", TO_DRAW_FROM.replace("top_k:]", "top_k + 1:]"), "One too many"),
    ("to_draw_from", TO_DRAW_FROM.replace("scores / temperature", "scores * temperature"), "You multiplied"),
    (
        "to_draw_from",
        TO_DRAW_FROM.replace("return torch.zeros_like(p).scatter(-1, order, ranked)", "return ranked"),
        "order of rank",
    ),
    ("draw", DRAW.replace("len(s) - width + 1", "len(s) - width"), "ends with the last token"),
    ("draw", DRAW.replace("torch.multinomial(weights, 1)", "torch.randint(len(streams), ())"), "equally often"),
    (
        "draw",
        DRAW.replace("weights, 1)", "torch.tensor([float(len(s)) for s in streams]), 1)"),
        "by their size alone",
    ),
]

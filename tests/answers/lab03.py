"""Lab 03's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F

from squint.checks.lab03 import CHECKS
from squint.text.decode import length_penalty


def norm_by_pytorch(x, gain, bias, epsilon=1e-5):
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)


def norm_by_group(x, gain, bias, epsilon=1e-5):
    return F.group_norm(x.reshape(-1, x.shape[-1]), 1, gain, bias, epsilon).view(x.shape)


def norm_by_var(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x, dim=-1, keepdim=True, correction=0)
    return (x - mean) * torch.rsqrt(variance + epsilon) * gain + bias


def norm_by_a_matrix(x, gain, bias, epsilon=1e-5):
    centred = x @ (torch.eye(x.shape[-1], dtype=x.dtype, device=x.device) - 1 / x.shape[-1])
    return gain * centred / (x.var(-1, keepdim=True, correction=0) + epsilon).sqrt() + bias


def norm_by_loops(x, gain, bias, epsilon=1e-5):
    rows = []
    for row in x.reshape(-1, x.shape[-1]):
        mean = sum(row) / len(row)
        variance = sum((entry - mean) ** 2 for entry in row) / len(row)
        rows.append((row - mean) / (variance + epsilon) ** 0.5 * gain + bias)
    return torch.stack(rows).reshape(x.shape)


def norm_as_scale_and_shift(x, gain, bias, epsilon=1e-5):
    variance, mean = torch.var_mean(x, dim=-1, correction=0, keepdim=True)
    scale = gain * torch.rsqrt(variance + epsilon)
    return x * scale + (bias - mean * scale)


def residual_in_steps(x, sublayer, norm, norm_first):
    seen = norm(x) if norm_first else x
    total = x + sublayer(seen)
    return total if norm_first else norm(total)


def residual_by_composition(x, sublayer, norm, norm_first):
    before, after = (norm, torch.clone) if norm_first else (torch.clone, norm)
    return after(torch.add(sublayer(before(x)), x))


def residual_by_stacking(x, sublayer, norm, norm_first):
    if norm_first:
        return torch.stack([x, sublayer(norm(x))]).sum(0)
    return norm(x + sublayer(x))


def block_written_out(block, x, memory, mask, memory_mask):
    one, two, three = block.norms
    if block.norm_first:
        y = one(x)
        x = x + block.attention(y, y, mask)
        x = x + block.cross_attention(two(x), memory, memory_mask)
        return x + block.feed_forward(three(x))
    x = one(x + block.attention(x, x, mask))
    x = two(x + block.cross_attention(x, memory, memory_mask))
    return three(x + block.feed_forward(x))


def block_by_a_list(block, x, memory, mask, memory_mask):
    sublayers = [
        lambda y: block.attention(y, mask=mask),
        lambda y: block.cross_attention(y, context=memory, mask=memory_mask),
        block.feed_forward,
    ]
    for sublayer, norm in zip(sublayers, block.norms, strict=True):
        x = CHECKS["residual"].reference(x, sublayer, norm, block.norm_first)
    return x


def shift_by_filling(labels, start=1):
    seen = torch.full_like(labels, start)
    seen[:, 1:] = labels[:, :-1]
    return seen


def shift_by_pad(labels, start=1):
    return F.pad(labels, (1, 0), value=start)[:, :-1]


def shift_by_lists(labels, start=1):
    return torch.tensor([[start, *row[:-1]] for row in labels.tolist()], device=labels.device)


def shift_to_floats(labels, start=1):
    return shift_by_pad(labels, start).float()


def loss_by_pytorch(logits, labels, smoothing=0.1, padding=0):
    return F.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), ignore_index=padding, label_smoothing=smoothing, reduction="mean"
    )


def loss_by_targets(logits, labels, smoothing=0.1, padding=0):
    vocabulary = logits.shape[-1]
    target = (1 - smoothing) * F.one_hot(labels, vocabulary) + smoothing / vocabulary
    each = -(target.to(logits.dtype) * F.log_softmax(logits, dim=-1)).sum(dim=-1)
    real = (labels != padding).to(logits.dtype)
    return (each * real).sum() / real.sum()


def loss_by_loops(logits, labels, smoothing=0.1, padding=0):
    losses = []
    for sentence, wanted in zip(logits, labels, strict=True):
        for row, label in zip(sentence, wanted.tolist(), strict=True):
            if label != padding:
                log_probability = row - torch.logsumexp(row, 0)
                losses.append(-(1 - smoothing) * log_probability[label] - smoothing * log_probability.mean())
    return torch.stack(losses).mean()


def loss_by_nanmean(logits, labels, smoothing=0.1, padding=0):
    every = logits.log_softmax(-1)
    each = -(1 - smoothing) * every.gather(-1, labels[..., None])[..., 0] - smoothing * every.mean(-1)
    return each.masked_fill(labels == padding, math.nan).nanmean()


def rate_by_cases(step, dim, warmup=4000):
    peak = 1 / math.sqrt(dim * warmup)
    if step < warmup:
        return peak * step / warmup
    return peak * math.sqrt(warmup / step)


def rate_by_torch(step, dim, warmup=4000):
    place = torch.tensor(float(step), dtype=torch.float64)
    return torch.minimum(place.rsqrt(), place / warmup**1.5) / dim**0.5


def rate_as_a_tensor_of_one(step, dim, warmup=4000):
    return (torch.ones(1) * dim) ** -0.5 * min(step**-0.5, step * warmup**-1.5)


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


RIGHT = {
    "layer_norm": [norm_by_pytorch, norm_by_group, norm_by_var, norm_by_a_matrix, norm_by_loops, norm_as_scale_and_shift],
    "residual": [residual_in_steps, residual_by_composition, residual_by_stacking],
    "decoder_block": [block_written_out, block_by_a_list],
    "shift_right": [shift_by_filling, shift_by_pad, shift_by_lists, shift_to_floats],
    "smoothed_loss": [loss_by_pytorch, loss_by_targets, loss_by_loops, loss_by_nanmean],
    "warm_up_rate": [rate_by_cases, rate_by_torch, rate_as_a_tensor_of_one],
    "greedy": [greedy_with_lists, greedy_in_place, greedy_to_the_limit],
    "beam_search": [beam_with_lists, beam_from_copies, beam_until_nothing_grows],
}  # fmt: skip

WRONG = [
    (
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon=1e-5):
    mean = x.mean(-1, keepdim=True)
    variance = x.var(-1, keepdim=True)
    standardised = (x - mean) * torch.rsqrt(variance + epsilon)
    return torch.mul(standardised, gain).add(bias)
""",
        "divide by n − 1",
    ),
    (
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon=1e-5):
    x -= x.mean(dim=-1, keepdim=True)
    variance = (x * x).mean(dim=-1, keepdim=True)
    return x / torch.sqrt(variance + epsilon) * gain + bias
""",
        "It changes what it was given",
    ),
    (
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon=1e-5):
    m, v = x.mean(-1, keepdim=True).detach(), x.var(-1, keepdim=True, correction=0)
    return gain * (x - m) / (v + epsilon).sqrt() + bias
""",
        "its gradient is another one",
    ),
    (
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon):
    return F.layer_norm(x, x.shape[-1:], gain, bias, epsilon)
""",
        "keep the default",
    ),
    (
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon=1e-5):
    shape = x.shape
    x = x.reshape(-1, shape[-1])
    rows = [(row - row.mean()) / (row.std() ** 2 + 1e-5) ** 0.5 for row in x]
    return (torch.stack(rows) * gain + bias).reshape(shape)
""",
        "There are two mistakes here.",
    ),
    (
        "residual",
        """
def residual(x, sublayer, norm, norm_first):
    if norm_first:
        x = norm(x)
        x = x + sublayer(x)
        return x
    y = sublayer(x)
    return norm(torch.add(x, y))
""",
        "you add to norm(x)",
    ),
    (
        "residual",
        """
def residual(x, sublayer, norm, norm_first):
    return norm(x + sublayer(x)) if norm_first else x + sublayer(norm(x))
""",
        "The two orders are swapped",
    ),
    (
        "residual",
        """
def residual(x, sublayer, norm, norm_first):
    if norm_first is True:
        return sublayer(norm(x))
    else:
        return x + norm(sublayer(x))
""",
        "x itself is missing: add to it. And: With the norm last, only the sublayer's answer",
    ),
    (
        "residual",
        """
def residual(x, sublayer, norm, norm_first):
    if norm_first:
        x += sublayer(norm(x))
        return x
    return norm(x + sublayer(x))
""",
        "It changes what it was given",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask):
    def back(y):
        return block.attention(y, mask=memory_mask)

    def over(y):
        return block.cross_attention(y, memory, mask=mask)

    x = residual(x, back, block.norms[0], block.norm_first)
    x = residual(x, over, block.norms[1], block.norm_first)
    x = residual(x, block.feed_forward, block.norms[2], block.norm_first)
    return x
""",
        "which is for the memory. And: Cross-attention got `mask`",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask):
    norms = block.norms
    if block.norm_first:
        x = x + block.attention(norms[0](x), mask=mask)
        x = x + block.cross_attention(norms[0](x), memory, memory_mask)
        x = x + block.feed_forward(norms[2](x))
        return x
    x = norms[0](x + block.attention(x, mask=mask))
    x = norms[0](x + block.cross_attention(x, memory, memory_mask))
    return norms[2](x + block.feed_forward(x))
""",
        "Cross-attention has self-attention's norm",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask):
    a = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    b = residual(a, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], block.norm_first)
    c = residual(a, lambda y: block.feed_forward(y), block.norms[2], block.norm_first)
    return c
""",
        "Nothing comes of cross-attention",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask, norm_first=True):
    sublayers = (
        (lambda y: block.attention(y, context=None, mask=mask), block.norms[0]),
        (lambda y: block.cross_attention(y, context=memory, mask=memory_mask), block.norms[1]),
        (block.feed_forward, block.norms[2]),
    )
    for sublayer, norm in sublayers:
        x = residual(x, sublayer, norm, norm_first)
    return x
""",
        "The norm always comes first",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask):
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    x = residual(x, lambda y: block.cross_attention(y, memory.detach(), memory_mask), block.norms[1], block.norm_first)
    return residual(x, block.feed_forward, block.norms[2], block.norm_first)
""",
        "its gradient is another one",
    ),
    (
        "shift_right",
        """
def shift_right(labels, start=1):
    front = labels.new_full((labels.shape[0], 1), start)
    return torch.hstack([front, labels])
""",
        "one token too long",
    ),
    (
        "shift_right",
        """
def shift_right(labels, start=1):
    flat = labels.flatten().roll(1)
    flat[0] = start
    return flat.view_as(labels)
""",
        "The end of each sentence came round into the next one",
    ),
    (
        "shift_right",
        """
def shift_right(labels, start=1):
    return torch.cat([torch.ones_like(labels[:, :1]), labels[:, 1:]], dim=1)
""",
        "use `start`, not 1. And: Only the first label was replaced",
    ),
    (
        "shift_right",
        """
def shift_right(labels, start=1):
    out = torch.full_like(labels, start)
    out[:, :-1] = labels[:, :-1]
    return out
""",
        "`out[:, :-1]` is cut at the wrong place",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    keep = labels != padding
    logits, labels = logits[keep], labels[keep]
    target = torch.full_like(logits, smoothing / (logits.shape[-1] - 1))
    target.scatter_(1, labels[:, None], 1 - smoothing)
    return torch.mean(torch.sum(-target * logits.log_softmax(-1), dim=-1))
""",
        "went to the wrong tokens only",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    means = []
    for scores, wanted in zip(logits, labels):
        real = wanted != padding
        if not real.any():
            continue
        log_p = scores[real].log_softmax(dim=-1)
        label_part = log_p[range(len(log_p)), wanted[real]]
        means.append((-(1 - smoothing) * label_part - smoothing * log_p.mean(dim=-1)).mean())
    return torch.stack(means).mean()
""",
        "averaged within each sentence first",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    log_p = F.log_softmax(logits, dim=-1)
    of_label = torch.gather(log_p, -1, labels.unsqueeze(-1)).squeeze(-1)
    of_all = log_p.mean(-1)
    loss = -torch.lerp(of_all, of_label, smoothing)
    return loss[labels != padding].mean()
""",
        "The two shares are swapped",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    return F.cross_entropy(logits.transpose(1, 2), labels, ignore_index=padding, label_smoothing=smoothing).item()
""",
        "no gradient",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    lp = (logits.softmax(-1) + 1e-9).log()
    right = lp.gather(-1, labels[..., None])[..., 0]
    each = -(1 - smoothing) * right - smoothing * lp.mean(-1)
    return each[labels != padding].mean()
""",
        "caps the loss of large logits",
    ),
    (
        "warm_up_rate",
        """
def warm_up_rate(step, dim, warmup=4000):
    def climb():
        return step * warmup ** -1.5

    def fall():
        return step ** -0.5

    rate = climb() if step > warmup else fall()
    return rate * dim ** -0.5
""",
        "the larger of the two",
    ),
    (
        "warm_up_rate",
        """
def warm_up_rate(step, dim, warmup=4000):
    scale = 1 / dim
    if step < warmup:
        factor = step / warmup / math.sqrt(warmup)
    else:
        factor = 1 / math.sqrt(step)
    return scale * factor
""",
        "one over its root",
    ),
    (
        "warm_up_rate",
        """
def warm_up_rate(step, dim, warmup=4000):
    return dim ** 0.5 * min(step ** -1.0, step * warmup ** -1.5)
""",
        "Wider models get smaller steps: dim to the power −0.5, not 0.5. And: The fall is 1/step",
    ),
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
        "there are 2 sentences, and the prefixes are [1, 1]",
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
]

"""Lab 03's answers, right and wrong, as learners write them."""

import functools
import math

import torch
import torch.nn.functional as F

from squint.checks.lab03 import CHECKS
from squint.nn.attention import causal_mask
from squint.nn.positions import sinusoidal


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


def encoder_written_out(block, x, mask):
    one, two = block.norms
    if block.norm_first:
        x = x + block.attention(one(x), mask=mask)
        return x + block.feed_forward(two(x))
    x = one(block.attention(x, x, mask) + x)
    return two(x + block.feed_forward(x))


def encoder_in_a_loop(block, x, mask):
    def look(y):
        return block.attention(y, y, mask=mask)

    for sublayer, norm in zip((look, block.feed_forward), block.norms, strict=True):
        x = CHECKS["residual"].reference(x, sublayer, norm, block.norm_first)
    return x


def embed_by_one_hot(tokens, table):
    rows = F.one_hot(tokens, table.shape[0]).to(table.dtype) @ table
    return rows * table.shape[1] ** 0.5 + sinusoidal(tokens.shape[-1], table.shape[-1]).to(table)


def embed_by_pytorch(tokens, table):
    places = sinusoidal(1_000, table.shape[1], device=tokens.device)
    return torch.add(places[: tokens.shape[1]], F.embedding(tokens, table), alpha=math.sqrt(table.shape[1]))


def embed_in_loops(tokens, table):
    dim = table.shape[1]
    places = sinusoidal(tokens.shape[1], dim, device=table.device)
    texts = [[dim**0.5 * table[token] + places[i] for i, token in enumerate(text)] for text in tokens.tolist()]
    return torch.stack([torch.stack(text) for text in texts])


def decode_with_tril(model, target, memory, source):
    n = target.shape[1]
    mask = torch.ones(n, n, dtype=torch.bool, device=target.device).tril()
    x = CHECKS["embed"].reference(target, model.embedding.weight)
    for i in range(len(model.decoder)):
        x = model.decoder[i](x, memory, mask[None], source.ne(0).unsqueeze(1))
    return model.decoder_norm(x)


def decode_by_reduce(model, target, memory, source):
    masks = causal_mask(target.shape[1], device=target.device), (source > 0)[:, None].expand(-1, target.shape[1], -1)
    start = CHECKS["embed"].reference(target, model.embedding.weight)
    return model.decoder_norm(functools.reduce(lambda x, block: block(x, memory, *masks), model.decoder, start))


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


def train_with_items(model, optimiser, batches):
    losses = []
    for pair in batches:
        optimiser.zero_grad(set_to_none=False)
        logits = model(pair[0], CHECKS["shift_right"].reference(pair[1]))
        loss = F.cross_entropy(logits.flatten(0, 1), pair[1].flatten(), ignore_index=0, label_smoothing=0.1)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def train_by_hand(model, optimiser, batches):
    def step(source, labels):
        loss = CHECKS["smoothed_loss"].reference(model(source, CHECKS["shift_right"].reference(labels)), labels)
        parameters = list(model.parameters())
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            parameter.grad = gradient
        optimiser.step()
        return loss

    return [step(source, labels) for source, labels in batches]


def train_clearing_last(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        loss = CHECKS["smoothed_loss"].reference(model(source, CHECKS["shift_right"].reference(labels)), labels)
        loss.backward()
        optimiser.step()
        model.zero_grad()
        losses += [float(loss)]
    return losses


RIGHT = {
    "layer_norm": [norm_by_pytorch, norm_by_group, norm_by_var, norm_by_a_matrix, norm_by_loops, norm_as_scale_and_shift],
    "residual": [residual_in_steps, residual_by_composition, residual_by_stacking],
    "encoder_block": [encoder_written_out, encoder_in_a_loop],
    "decoder_block": [block_written_out, block_by_a_list],
    "embed": [embed_by_one_hot, embed_by_pytorch, embed_in_loops],
    "decode": [decode_with_tril, decode_by_reduce],
    "shift_right": [shift_by_filling, shift_by_pad, shift_by_lists, shift_to_floats],
    "smoothed_loss": [loss_by_pytorch, loss_by_targets, loss_by_loops, loss_by_nanmean],
    "train": [train_with_items, train_by_hand, train_clearing_last],
}  # fmt: skip

DECODE = """
def decode(model, target, memory, source):
    x = embed(target, model.embedding.weight)
    ahead, real = causal_mask(target.shape[1], device=target.device), (source != PAD)[:, None]
    for layer in model.decoder:
        x = layer(x, memory, ahead, real)
    x = model.decoder_norm(x)
    return x
"""

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
        "a tensor was changed in place",
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
        "layer_norm",
        """
def layer_norm(x, gain, bias, epsilon=1e-5):
    return nn.LayerNorm(x.shape[-1], eps=epsilon).to(x)(x)
""",
        "has a gain and bias of its own",
    ),
    (
        "encoder_block",
        """
def encoder_block(block, x, mask):
    first, second = block.norms
    x = residual(x, lambda y: block.attention(y), first, block.norm_first)
    x = residual(x, lambda y: block.feed_forward(y), second, block.norm_first)
    return x
""",
        "The mask is not handed on",
    ),
    (
        "encoder_block",
        """
def encoder_block(block, x, mask):
    attended = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    return residual(x, block.feed_forward, block.norms[1], block.norm_first)
""",
        "Nothing comes of the attention",
    ),
    (
        "encoder_block",
        """
def encoder_block(block, x, mask):
    x = residual(x, block.attention(x, mask=mask), block.norms[0], block.norm_first)
    return residual(x, block.feed_forward, block.norms[1], block.norm_first)
""",
        "hand over the function itself",
    ),
    (
        "embed",
        """
def embed(tokens, table):
    d = table.size(-1)
    return table[tokens] + sinusoidal(tokens.size(1), d, device=tokens.device)
""",
        "The factor is missing",
    ),
    (
        "embed",
        """
def embed(tokens, table):
    d = table.size(-1)
    rows = F.embedding(tokens, table) + sinusoidal(tokens.size(1), d, device=tokens.device)
    return rows * d ** 0.5
""",
        "The places were multiplied as well",
    ),
    (
        "embed",
        """
def embed(tokens, table):
    vocabulary, dim = table.shape
    positions = sinusoidal(vocabulary, dim, device=table.device)
    return math.sqrt(dim) * table[tokens] + positions[tokens]
""",
        "The places were looked up by token",
    ),
    (
        "decode",
        """
def decode(model, target, memory, source):
    x = embed(target, model.embedding.weight)
    for block in model.decoder:
        x = block(x, memory, None, (source != PAD)[:, None, :])
    return model.decoder_norm(x)
""",
        "Nothing keeps the target from looking ahead",
    ),
    (
        "decode",
        """
def decode(model, target, memory, source):
    x = embed(target, model.embedding.weight)
    ahead = causal_mask(target.shape[1], device=target.device)
    for block in model.decoder:
        x = block(x, memory, ahead, (source != PAD)[:, None, :])
    return x
""",
        "The last norm is missing",
    ),
    (
        "decode",
        """
def decode(model, target, memory, source):
    x = model.embedding(target)
    ahead = causal_mask(target.shape[1], device=target.device)
    for layer in model.decoder:
        x = layer(x, memory, ahead, None)
    return model.decoder_norm(x)
""",
        "The target was looked up without √dim and places",
    ),
    (
        "shift_right",
        """
def shift_right(labels, start=1):
    out = labels.clone()
    for i in range(1, out.shape[1]):
        out[:, i] = out[:, i - 1]
    out[:, 0] = start
    return out
""",
        "You read what you have just overwritten",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    v = logits.shape[-1]
    target = torch.full_like(logits, smoothing / (v - 2))
    target.scatter_(-1, labels[..., None], 1 - smoothing)
    target[..., padding] = torch.where(labels == padding, 1 - smoothing, 0.0)
    each = -(target * logits.log_softmax(-1)).sum(-1)
    return each[labels != padding].mean()
""",
        "over V − 2, as in the Annotated Transformer",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    history = []
    for source, labels in batches:
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        loss.backward()
        optimiser.step()
        history.append(loss.item())
    return history
""",
        "The gradients of earlier steps are still there",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    history = []
    for source, labels in batches:
        optimiser.zero_grad()
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        loss.backward()
        history.append(loss.item())
    return history
""",
        "Nothing is learned",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        logits = model(source, labels)
        loss = smoothed_loss(logits, labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return losses
""",
        "sees the very labels that it is asked for",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        optimiser.zero_grad()
        optimiser.step()
        loss.backward()
        losses.append(loss.detach())
    return losses
""",
        "Nothing is learned",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        logits = model(source, shift_right(labels))
        loss = smoothed_loss(labels, logits)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses
""",
        "`labels` and `logits` are swapped",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    for source, labels in batches:
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return [loss.detach()]
""",
        "Only the last loss came back",
    ),
    (
        "embed",
        """
def embed(tokens, table):
    vectors = nn.Embedding(*table.shape)(tokens)
    return vectors * table.shape[1] ** 0.5 + sinusoidal(tokens.shape[1], table.shape[1], device=table.device)
""",
        "You made a table of your own",
    ),
    (
        "decode",
        """
def decode(model, target, memory, source):
    x = embed(target, model.embedding.weight)
    for block in model.decoder:
        x = block(x, memory, causal_mask(target.shape[1], device=x.device), source != PAD)
    return model.decoder_norm(x)
""",
        "lacks the axis of the queries",
    ),
    (
        "encoder_block",
        """
def encoder_block(block, x, mask):
    x = block.attention(x, mask=mask)
    return block.feed_forward(x)
""",
        "There is neither sum nor norm",
    ),
    (
        "embed",
        """
def embed(tokens, table):
    d = table.size(1)
    return table[tokens] * d**0.5 + sinusoidal(len(tokens), d, device=tokens.device)
""",
        "is the number of texts",
    ),
    (
        "decoder_block",
        """
def decoder_block(block, x, memory, mask, memory_mask):
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    x = residual(x, lambda y: block.cross_attention(memory, y, memory_mask), block.norms[1], block.norm_first)
    return residual(x, block.feed_forward, block.norms[2], block.norm_first)
""",
        "Memory and words are swapped in the cross-attention",
    ),
    ("decode", DECODE.replace("causal_mask", "~causal_mask"), "The causal mask is upside down"),
    ("decode", DECODE.replace("ahead, real)", "real, ahead)"), "The two masks are swapped"),
    ("decode", DECODE.replace("source !=", "target !="), "it is made of `source`"),
    (
        "decode",
        DECODE.replace("    x = model.decoder_norm", "        x = model.decoder_norm"),
        "The last norm comes once",
    ),
    (
        "decode",
        DECODE.replace("layer(x, memory, ahead, real)", "model.decoder_norm(layer(x, memory, ahead, real))"),
        "and not after each as well",
    ),
    (
        "smoothed_loss",
        """
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    lp = F.log_softmax(logits, dim=-1)
    right = lp.gather(-1, labels.unsqueeze(-1)).squeeze(-1)
    each = -(1 - smoothing) * right + smoothing * lp.mean(dim=-1)
    return each[labels != padding].mean()
""",
        "Both have a minus",
    ),
    (
        "train",
        """
def train(model, optimiser, batches):
    losses = []
    for source, labels in batches:
        loss = smoothed_loss(model(shift_right(source), labels), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses
""",
        "The source was shifted",
    ),
]

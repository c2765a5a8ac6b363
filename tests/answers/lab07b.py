"""Lab 07b's answers, right and wrong, as learners write them."""

import torch
import torch.nn.functional as F
from torch import nn


def probe_by_hand(weight, bias, features, labels, strength):
    logits = torch.einsum("nd,cd->nc", features, weight) + bias
    right = logits[torch.arange(len(labels), device=labels.device), labels]
    return (logits.logsumexp(1) - right).mean() + strength * (weight**2).sum()


def probe_by_linear(w, b, x, y, price):
    return nn.CrossEntropyLoss()(F.linear(x, w, b), y) + price * torch.norm(w) ** 2


def probe_by_nll(weight, bias, features, labels, strength):
    log_p = (features @ weight.T + bias).log_softmax(-1)
    return F.nll_loss(log_p, labels) + strength * torch.sum(weight * weight)


def winoground_by_loop(similarities):
    text = image = group = 0
    for (a, b), (c, d) in similarities.tolist():
        t, i = a > b and d > c, a > c and d > b
        text, image, group = text + t, image + i, group + (t and i)
    return [text / len(similarities), image / len(similarities), group / len(similarities)]


def winoground_by_diagonal(s):
    own = s.diagonal(dim1=1, dim2=2)
    text = (own > torch.stack([s[:, 0, 1], s[:, 1, 0]], 1)).all(1)
    image = (own > torch.stack([s[:, 1, 0], s[:, 0, 1]], 1)).all(1)
    return torch.stack([text.float().mean(), image.float().mean(), (text * image).float().mean()])


def winoground_by_margin(similarities):
    a, b, c, d = similarities.flatten(1).T
    text, image = torch.minimum(a - b, d - c) > 0, torch.minimum(a - c, d - b) > 0
    return torch.tensor([each.double().mean() for each in (text, image, torch.logical_and(text, image))])


def leaning_by_unit(middle, one, other):
    way = one - other
    length = way.norm(dim=1, keepdim=True)
    return ((middle - other) * (way / length)).sum(1) / length[:, 0]


def leaning_by_einsum(m, a, b):
    d = a - b
    return torch.einsum("nd,nd->n", m - b, d) / torch.einsum("nd,nd->n", d, d)


def leaning_by_distances(middle, one, other):
    to_other, to_one = (middle - other).square().sum(-1), (middle - one).square().sum(-1)
    return 0.5 + (to_other - to_one) / (2 * (one - other).square().sum(-1))


RIGHT = {
    "probe_loss": [probe_by_hand, probe_by_linear, probe_by_nll],
    "winoground": [winoground_by_loop, winoground_by_diagonal, winoground_by_margin],
    "leaning": [leaning_by_unit, leaning_by_einsum, leaning_by_distances],
}

PROBE = """
def probe_loss(w, b, x, y, strength):
    logits = x @ w.T + b
    return F.cross_entropy(logits, y) + strength * (w ** 2).sum()
"""
WINO = """
def winoground(s):
    a, b, c, d = s[:, 0, 0], s[:, 0, 1], s[:, 1, 0], s[:, 1, 1]
    text = (a > b) & (d > c)
    image = (a > c) & (d > b)
    group = text & image
    return torch.stack([text.float().mean(), image.float().mean(), group.float().mean()])
"""
LEAN = """
def leaning(middle, one, other):
    d = one - other
    return ((middle - other) * d).sum(-1) / (d ** 2).sum(-1)
"""
WRONG = [
    ("probe_loss", PROBE.replace(" + b", ""), "bias is missing"),
    ("probe_loss", PROBE.replace(" + strength * (w ** 2).sum()", ""), "price of the weights is missing"),
    ("probe_loss", PROBE.replace("(w ** 2).sum()", "((w ** 2).sum() + (b ** 2).sum())"), "The bias pays, too"),
    ("probe_loss", PROBE.replace("(w ** 2).sum()", "(w ** 2).mean()"), "mean of the squares"),
    ("probe_loss", PROBE.replace("(w ** 2).sum()", "w.norm()"), "root"),
    ("probe_loss", PROBE.replace("(w ** 2).sum()", "w.abs().sum()"), "not squares"),
    ("probe_loss", PROBE.replace("strength * (w", "0.5 * strength * (w"), "halved"),
    ("probe_loss", PROBE.replace("logits, y)", "logits.softmax(-1), y)"), "taken twice"),
    ("probe_loss", PROBE.replace("logits, y)", "logits, y, reduction='sum')"), "added up over the pictures"),
    ("probe_loss", PROBE.replace("strength * (w", "(w"), "`strength` is missing"),
    ("probe_loss", PROBE.replace("(w ** 2).sum()", "(w.detach() ** 2).sum()"), "its gradient is another one"),
    ("winoground", WINO.replace("(a > b) & (d > c)", "(a > b)"), "only picture 0 was asked"),
    ("winoground", WINO.replace("(a > b) & (d > c)", "(a > b) | (d > c)"), "one right picture was enough"),
    ("winoground", WINO.replace("(a > c) & (d > b)", "(a > c) | (d > b)"), "one right caption was enough"),
    ("winoground", WINO.replace("(a > b) & (d > c)", "(a >= b) & (d >= c)"), "a tie counts as right"),
    ("winoground", WINO.replace("text & image", "text | image"), "one of both holds"),
    ("winoground", WINO.replace("b, c, d = s[:, 0, 0], s[:, 0, 1], s[:, 1, 0]",
                                "b, c, d = s[:, 0, 0], s[:, 1, 0], s[:, 0, 1]"), "swapped"),
    ("winoground", WINO.replace(".mean()", ".sum()"), "counts"),
    ("winoground", WINO.replace("image = (a > c) & (d > b)", "image = (a > b) & (d > c)"), "once more"),
    ("winoground", WINO.replace("group.float().mean()", "text.float().mean() * image.float().mean()"), "product"),
    ("leaning", LEAN.replace(" / (d ** 2).sum(-1)", ""), "division is missing"),
    ("leaning", LEAN.replace("(d ** 2).sum(-1)", "d.norm(dim=-1)"), "length of the way"),
    ("leaning", LEAN.replace("one - other", "other - one"), "turned round"),
    ("leaning", LEAN.replace("(middle - other)", "middle"), "from `other`"),
    ("leaning", LEAN.replace("(middle - other)", "(middle - one)"), "You measure from `one`"),
    ("leaning", LEAN.replace("(d ** 2).sum(-1)", "(d ** 2).sum()"), "Each has its own way"),
    ("leaning", LEAN.replace("(d ** 2).sum(-1)", "(d.norm(dim=-1) * (middle - other).norm(dim=-1))"), "a cosine"),
    (
        "leaning",
        LEAN.replace("    d = ", "    middle, one, other = (F.normalize(v, dim=-1) for v in (middle, one, other))\n    d = "),
        "length one first",
    ),
    ("leaning", LEAN.replace("return ", "return (").rstrip() + ").clamp(0, 1)\n", "cut off"),
    ("leaning", LEAN.replace(" * d)", " @ d.T)"), "every other row"),
    (
        "winoground",
        WINO[: WINO.index("    group")] + "    return torch.stack([text, image, text & image]).mean(1)\n",
        "what is no float",
    ),
    ("leaning", LEAN.replace("middle - other", "middle - (one + other) / 2"), "middle between both"),
    ("probe_loss", "def probe_loss(w, b, x, y, s):\n    return F.cross_entropy(x @ w.T + b, y) + s\n", "Only `strength`"),
]  # fmt: skip

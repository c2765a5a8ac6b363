"""Lab 05b's answers, right and wrong, as learners write them."""

import torch
from einops import rearrange


def turns_by_rearranging(xs, ys):
    zeros = torch.zeros_like(xs)
    x = torch.cat([xs, zeros[..., :1]], dim=-1)
    y = torch.cat([zeros, ys.unsqueeze(-1)], dim=-1)
    return rearrange([x, y], "two b k d -> b (k two) d")


def turns_by_stacking(xs, ys):
    dim = xs.shape[-1]
    x, y = torch.nn.functional.pad(xs, (0, 1)), torch.nn.functional.pad(ys[..., None], (dim, 0))
    return torch.stack([x, y], dim=2).flatten(1, 2)


def turns_by_slices(xs, ys):
    batch, k, dim = xs.shape
    out = torch.zeros(batch, 2 * k, dim + 1, dtype=xs.dtype, device=xs.device)
    out[:, ::2, :dim] = xs
    out[:, 1::2, dim] = ys
    return out


def squares_by_lstsq(xs, ys, asked):
    if xs.shape[1] == 0:
        return asked.sum(-1) * 0
    out = []
    for x, y, point in zip(xs, ys, asked, strict=True):
        u, s, vh = torch.linalg.svd(x, full_matrices=False)
        w = vh.T @ ((u.T @ y) / s)
        out.append(point @ w)
    return torch.stack(out)


def squares_by_einsum(xs, ys, asked):
    w = torch.einsum("bdk,bk->bd", torch.linalg.pinv(xs), ys)
    return (w * asked).sum(-1)


def score_in_a_loop(weights, now, before):
    total = torch.zeros(weights.shape[1], device=weights.device, dtype=weights.dtype)
    for i, j in zip(now.tolist(), before.tolist(), strict=True):
        total += weights[:, :, i, j + 1].mean(0)
    return total / len(now)


def score_by_gather(weights, now, before):
    rows = weights.index_select(2, now.to(weights.device)).mean(0)
    where = (before + 1).to(weights.device).expand(rows.shape[0], -1)
    return rows.gather(2, where[..., None])[..., 0].mean(1)


def silent_by_a_mask(joined, heads, part):
    keep = torch.ones(joined.shape[-1] // part, device=joined.device, dtype=joined.dtype)
    for head in heads:
        keep[head] = 0
    return joined * keep.repeat_interleave(part)


def silent_in_place(joined, heads, part):
    for head in heads:
        joined[..., head * part : (head + 1) * part] = 0
    return joined


def silent_by_splitting(joined, heads, part):
    parts = joined.split(part, dim=-1)
    return torch.cat([torch.zeros_like(p) if i in heads else p for i, p in enumerate(parts)], dim=-1)


RIGHT = {
    "interleave": [turns_by_rearranging, turns_by_slices, turns_by_stacking],
    "least_squares": [squares_by_lstsq, squares_by_einsum],
    "induction_score": [score_in_a_loop, score_by_gather],
    "silence": [silent_by_a_mask, silent_by_splitting, silent_in_place],
}

INTERLEAVE = """
def interleave(xs, ys):
    dim = xs.shape[-1]
    x = F.pad(xs, (0, 1))
    y = F.pad(ys.unsqueeze(-1), (dim, 0))
    return torch.stack([x, y], 2).reshape(len(xs), -1, dim + 1)
"""
SILENCE = """
def silence(joined, heads, part):
    out = joined.clone()
    for h in heads:
        out[..., h * part:(h + 1) * part] = 0.0
    return out
"""
SQUARES = """
def least_squares(xs, ys, asked):
    b, k, d = xs.shape
    if k == 0:
        return torch.zeros(b)
    w = torch.linalg.pinv(xs) @ ys.unsqueeze(-1)
    return (w.squeeze(-1) * asked).sum(-1)
"""
SCORE = """
def induction_score(weights, now, before):
    looked = weights[:, :, now, before + 1]
    return looked.mean((0, 2))
"""
WRONG = [
    (
        "interleave",
        """
def interleave(xs, ys):
    x = F.pad(xs, (0, 1))
    y = F.pad(ys.unsqueeze(-1), (xs.shape[-1], 0))
    return torch.cat([x, y], 1)
""",
        "All x came first",
    ),
    ("interleave", INTERLEAVE.replace("[x, y]", "[y, x]"), "Each y came before its x"),
    ("interleave", INTERLEAVE.replace("(dim, 0)", "(0, dim)"), "stand behind"),
    ("interleave", INTERLEAVE.replace("(dim, 0)", "(3, 0)"), "functions of three numbers only"),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    w = xs.mT @ ys.unsqueeze(-1)
    return (asked.unsqueeze(1) @ w).flatten()
""",
        "That adds up x",
    ),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    a = xs.mT @ xs + torch.eye(xs.shape[-1], device=xs.device)
    w = torch.linalg.solve(a, xs.mT @ ys.unsqueeze(-1))
    return (asked.unsqueeze(1) @ w).flatten()
""",
        "penalty",
    ),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    return weights[:, :, now, before].mean(-1).mean(0)
""",
        "where the token itself stood",
    ),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    return weights[..., before + 1, now].mean((0, 2))
""",
        "Queries and keys are swapped",
    ),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    w = weights[:, :, now][:, :, :, before + 1]
    return w.mean((0, 2, 3))
""",
        "paired with every one",
    ),
    ("least_squares", SQUARES.replace("torch.zeros(b)", "0"), "one for each prompt"),
    ("least_squares", SQUARES.replace("torch.zeros(b)", "torch.tensor(0.0)"), "one for each prompt"),
    ("least_squares", SQUARES.replace("ys.unsqueeze(-1)", "ys"), "`ys` lacks an axis"),
    ("least_squares", SQUARES.replace("w.squeeze(-1)", "w"), "last axis off"),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    eye = torch.eye(xs.shape[-1])
    w = torch.linalg.inv(xs.mT @ xs + 0.01 * eye) @ xs.mT @ ys[..., None]
    return torch.einsum("bd,bdo->b", asked, w)
""",
        "of 0.01 or any other",
    ),
    ("least_squares", SQUARES.replace("torch.zeros(b)", "torch.zeros_like(asked)"), "one for each prompt"),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    w = torch.linalg.pinv(xs) @ ys[..., None]
    return (asked[..., None] @ w)[:, 0, 0]
""",
        "`asked[..., None]` should be turned over",
    ),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    w = torch.linalg.pinv(xs) @ ys[..., None]
    return asked[:, None] @ w
""",
        "shape (2, 1, 1), expected (2,)",
    ),
    (
        "least_squares",
        """
def least_squares(xs, ys, asked):
    w = torch.einsum("bdk,bk->bd", torch.linalg.pinv(xs), ys)
    return w @ asked.T
""",
        "met every prompt's w",
    ),
    ("least_squares", SQUARES.replace("torch.zeros(b)", "None"), "one for each prompt"),
    ("induction_score", SCORE.replace("(0, 2)", "-1"), "over the places only"),
    ("induction_score", SCORE.replace("(0, 2)", "0"), "over the texts only"),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    return weights[:, :, before, now].mean((0, 2))
""",
        "axes stand in the wrong order",
    ),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    looked = weights[:, :, now].argmax(-1)
    return (looked == before + 1).float().mean((0, 2))
""",
        "entries differ",
    ),
    (
        "induction_score",
        """
def induction_score(weights, now, before):
    total = 0
    for text in weights:
        for i, j in zip(now, before):
            total += text[:, i, j + 1]
    return total / len(now)
""",
        "The texts were added up",
    ),
    ("induction_score", SCORE.replace("[:, :, now", "[now"), "along other axes"),
    (
        "silence",
        """
def silence(joined, heads, part):
    split = joined.reshape(*joined.shape[:-1], -1, part).clone()
    split[..., heads, :] = 0
    return split
""",
        "on an axis of their own",
    ),
    ("silence", SILENCE.replace("..., ", ":, :, "), "That takes three axes"),
    ("silence", SILENCE.replace("(h + 1) * part", "part"), "not after a width"),
    ("silence", SILENCE.replace("in heads", "in range(len(heads))"), "counts the list"),
    ("silence", SILENCE.replace("h * part:(h", ":(h"), "entries differ"),
    ("silence", SILENCE.replace("..., ", ""), "along the first axis"),
    ("silence", SILENCE.replace("..., ", ":, "), "along the second axis"),
    ("silence", SILENCE.replace("h * part:(h + 1) * part", "h::part"), "every `part`-th number"),
    ("silence", SILENCE.replace("h * part:(h + 1) * part", "h"), "at place `head`"),
    (
        "silence",
        """
def silence(joined, heads, part):
    out = joined.clone()
    out[..., heads] = 0
    return out
""",
        "at place `head`",
    ),
    (
        "silence",
        """
def silence(joined, heads, part):
    mask = torch.zeros(joined.shape[-1])
    for h in heads:
        mask[h * part:(h + 1) * part] = 1
    return joined * mask
""",
        "other way round",
    ),
    ("silence", SILENCE.replace("joined.clone()", "torch.zeros_like(joined)"), "Everything is zero"),
    ("silence", SILENCE.replace("h * part:(h + 1) * part", "h:h + part"), "begin at head * part"),
]

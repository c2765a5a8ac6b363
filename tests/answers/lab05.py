"""Lab 05's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F
from einops import einsum, rearrange


def rotate_by_complex_numbers(x, angle):
    half = x.shape[-1] // 2
    z = torch.complex(x[..., :half], x[..., half:]) * torch.polar(torch.ones_like(angle), angle)
    return torch.cat([z.real, z.imag], dim=-1)


def rotate_with_both_halves_of_a_table(x, angle):
    cos, sin = torch.cat([angle, angle], -1).cos(), torch.cat([angle, angle], -1).sin()
    half = x.shape[-1] // 2
    turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
    return x * cos + turned * sin


def rotate_in_a_loop(x, angle):
    half = x.shape[-1] // 2
    first, second = [], []
    for i in range(half):
        c, s = torch.cos(angle[..., i]), torch.sin(angle[..., i])
        first.append(x[..., i] * c - x[..., half + i] * s)
        second.append(x[..., i] * s + x[..., half + i] * c)
    return torch.stack(first + second, dim=-1)


def norm_by_powers(x, gain, epsilon):
    return gain * x / torch.sqrt(torch.mean(x**2, -1, keepdim=True) + epsilon)


def norm_by_torch(x, gain, epsilon):
    return F.rms_norm(x, (x.shape[-1],), gain, epsilon)


def network_by_linear(x, gate, widen, narrow):
    return F.linear(F.silu(F.linear(x, gate)) * F.linear(x, widen), narrow)


def network_by_hand(x, gate, widen, narrow):
    g = x @ gate.mT
    hidden = g * torch.sigmoid(g) * (x @ widen.mT)
    return hidden @ narrow.mT


def groups_by_einsum(query, key, value, mask):
    g = query.shape[1] // key.shape[1]
    query = rearrange(query, "b (s g) n p -> b s g n p", g=g)
    scores = einsum(query, key, "b s g n p, b s k p -> b s g n k") * query.shape[-1] ** -0.5
    scores = scores.masked_fill(~mask[:, None, None], float("-inf"))
    seen = einsum(scores.softmax(-1), value, "b s g n k, b s k p -> b s g n p")
    return rearrange(seen, "b s g n p -> b (s g) n p")


def groups_head_by_head(query, key, value, mask):
    heads, shared = query.shape[1], key.shape[1]
    out = []
    for h in range(heads):
        at = h // (heads // shared)
        scores = query[:, h] @ key[:, at].transpose(1, 2) / math.sqrt(query.shape[-1])
        scores = torch.where(mask, scores, torch.tensor(-1e9, dtype=scores.dtype, device=scores.device))
        out.append(torch.softmax(scores, -1) @ value[:, at])
    return torch.stack(out, 1)


def groups_fused(query, key, value, mask):
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask.unsqueeze(1), enable_gqa=True)


def back_by_views(weight, heads):
    rows, dim = weight.shape
    return weight.view(heads, rows // heads // 2, 2, dim).transpose(1, 2).reshape(rows, dim)


def back_by_strides(weight, heads):
    return torch.cat([torch.cat([each[0::2], each[1::2]]) for each in weight.chunk(heads)])


def prompt_in_a_loop(shots, question):
    text = ""
    for q, a in shots:
        if q == question:
            continue
        text += q + " -> " + a + "\n"
    return text + question + " ->"


def prompt_by_joining(shots, question):
    rows = [" -> ".join(shot) for shot in shots if shot[0] != question]
    return "\n".join([*rows, f"{question} ->"])


def score_in_a_loop(logits, tokens, answer):
    total, same = 0.0, True
    for place in range(len(tokens) - answer, len(tokens)):
        row = torch.log_softmax(logits[place - 1], 0)
        total = total + row[tokens[place]]
        same = same and int(row.argmax()) == int(tokens[place])
    return total, same


def score_by_cross_entropy(logits, tokens, answer):
    first = len(tokens) - answer
    rows, wanted = logits[first - 1 : len(tokens) - 1], tokens[first:]
    return -F.cross_entropy(rows, wanted, reduction="sum"), torch.equal(rows.argmax(-1), wanted)


def score_as_numbers(logits, tokens, answer):
    likely = logits.log_softmax(-1)[:-1].gather(1, tokens[1:, None])[:, 0]
    best = (logits[:-1].argmax(1) == tokens[1:])[-answer:].all()
    return float(likely[-answer:].sum()), best.item()


def adapter_by_linear(x, weight, down, up):
    return F.linear(x, weight) + F.linear(F.linear(x, down), up)


def adapter_beside_a_frozen_matrix(x, weight, down, up):
    y = x @ weight.detach().mT
    for rank in range(len(down)):
        y = y + (x * down[rank]).sum(-1, keepdim=True) * up[:, rank]
    return y


def calibrated_in_logarithms(shares, after_nothing):
    return (shares.log() - after_nothing.mean(0).log()).softmax(-1)


def calibrated_by_a_matrix(shares, after_nothing):
    w = torch.diag(1 / after_nothing.mean(0))
    q = shares @ w
    return q / q.sum(1)[:, None]


RIGHT = {
    "rotate": [rotate_by_complex_numbers, rotate_with_both_halves_of_a_table, rotate_in_a_loop],
    "rms_norm": [norm_by_powers, norm_by_torch],
    "swiglu": [network_by_linear, network_by_hand],
    "grouped_attention": [groups_by_einsum, groups_head_by_head, groups_fused],
    "unpermute": [back_by_views, back_by_strides],
    "prompt": [prompt_in_a_loop, prompt_by_joining],
    "answer_score": [score_in_a_loop, score_by_cross_entropy, score_as_numbers],
    "low_rank": [adapter_by_linear, adapter_beside_a_frozen_matrix],
    "calibrate": [calibrated_in_logarithms, calibrated_by_a_matrix],
}

ROTATE = """
def rotate(x, angle):
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    c, s = torch.cos(angle), torch.sin(angle)
    return torch.cat([a * c - b * s, a * s + b * c], -1)
"""
GROUPED = """
def grouped_attention(query, key, value, mask):
    n = query.shape[1] // key.shape[1]
    k = key.repeat_interleave(n, 1)
    v = value.repeat_interleave(n, 1)
    scores = query @ k.transpose(-2, -1) / query.shape[-1] ** 0.5
    scores = scores.masked_fill(~mask.unsqueeze(1), float("-inf"))
    return scores.softmax(-1) @ v
"""
PROMPT = """
def prompt(shots, question):
    text = ""
    for q, a in shots:
        if q != question:
            text += f"{q} -> {a}\\n"
    return text + f"{question} ->"
"""
SCORE = """
def answer_score(logits, tokens, answer):
    rows, said = logits[-answer - 1:-1], tokens[-answer:]
    logp = torch.log_softmax(rows, -1)
    total = logp[torch.arange(answer, device=rows.device), said].sum()
    return total, bool((rows.argmax(-1) == said).all())
"""
CALIBRATE = """
def calibrate(shares, after_nothing):
    p = shares / after_nothing.mean(0)
    return p / p.sum(-1, keepdim=True)
"""
WRONG = [
    (
        "rotate",
        """
def rotate(x, angle):
    a, b = x[..., 0::2], x[..., 1::2]
    c, s = angle.cos(), angle.sin()
    return torch.stack([a * c - b * s, a * s + b * c], -1).flatten(-2)
""",
        "You turned neighbours",
    ),
    ("rotate", ROTATE.replace("a * c - b * s", "a * c + b * s"), "a plus where a minus belongs"),
    (
        "rotate",
        ROTATE.replace("a * c - b * s, a * s + b * c", "a * c + b * s, b * c - a * s"),
        "the other way round",
    ),
    (
        "rotate",
        """
def rotate(x, angle):
    a, b = x.chunk(2, -1)
    angle = angle.repeat_interleave(2, -1)
    return x * angle.cos() + torch.cat([-b, a], -1) * angle.sin()
""",
        "The angles lie as for neighbours",
    ),
    (
        "rotate",
        """
def rotate(x, angle):
    a, b = x.chunk(2, -1)
    return torch.cat([a * angle.cos(), b * angle.cos()], -1)
""",
        "must mix",
    ),
    (
        "rms_norm",
        """
def rms_norm(x, gain, epsilon):
    return x / (x.pow(2).mean(-1, keepdim=True).sqrt() + epsilon) * gain
""",
        "outside of the root",
    ),
    (
        "rms_norm",
        """
def rms_norm(x, gain, epsilon):
    x = x - x.mean(-1, keepdim=True)
    return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + epsilon) * gain
""",
        "layer norm",
    ),
    (
        "swiglu",
        """
def swiglu(x, gate, widen, narrow):
    a = x @ gate.T
    b = x @ widen.T
    return (a * F.silu(b)) @ narrow.T
""",
        "on the wrong copy",
    ),
    (
        "swiglu",
        """
def swiglu(x, gate, widen, narrow):
    hidden = torch.sigmoid(x @ gate.T) * (x @ widen.T)
    return hidden @ narrow.T
""",
        "That is a sigmoid",
    ),
    (
        "swiglu",
        """
def swiglu(x, gate, widen, narrow):
    return F.glu(F.linear(x, torch.cat([gate, widen])), -1) @ narrow.T
""",
        "on the wrong copy",
    ),
    (
        "swiglu",
        """
def swiglu(x, gate, widen, narrow):
    return (F.silu(x @ gate.T) @ narrow.T) * (x @ widen.T @ narrow.T)
""",
        "entries differ",
    ),
    ("grouped_attention", GROUPED.replace("value.repeat_interleave(n, 1)", "value"), "it raised RuntimeError"),
    ("grouped_attention", GROUPED.replace("mask.unsqueeze(1)", "mask[None]"), "behind that of the texts"),
    (
        "grouped_attention",
        GROUPED.replace("scores.softmax(-1) @ v", "(scores.softmax(-1) @ v).transpose(1, 2).flatten(2)"),
        "The heads were merged",
    ),
    (
        "grouped_attention",
        GROUPED.replace("key.repeat_interleave(n, 1)", "key.repeat(1, n, 1, 1)").replace(
            "value.repeat_interleave(n, 1)", "value.repeat(1, n, 1, 1)"
        ),
        "A B C A B C",
    ),
    ("grouped_attention", GROUPED.replace("~mask", "mask"), "inverted"),
    ("grouped_attention", GROUPED.replace(" / query.shape[-1] ** 0.5", ""), "scale is missing"),
    (
        "unpermute",
        """
def unpermute(weight, heads):
    return rearrange(weight, "(h two pair) d -> (h pair two) d", h=heads, two=2)
""",
        "*into* the file",
    ),
    (
        "unpermute",
        """
def unpermute(weight, heads):
    return torch.cat([weight[0::2], weight[1::2]])
""",
        "",
    ),
    (
        "unpermute",
        """
def unpermute(weight, heads):
    w = weight.view(heads, len(weight) // heads, -1)
    half = w.shape[1] // 2
    w[:, :half] = w[:, 0::2]
    w[:, half:] = w[:, 1::2]
    return weight
""",
        "entries differ",
    ),
    (
        "unpermute",
        """
def unpermute(weight, heads):
    w = weight.view(heads, len(weight) // heads, -1)
    return torch.cat([w[:, 1::2], w[:, 0::2]], 1).reshape(weight.shape)
""",
        "the second half came first",
    ),
    (
        "prompt",
        PROMPT.replace("q != question:\n            text", "q == question:\n            break\n        text"),
        "continue, not break",
    ),
    ("prompt", PROMPT.replace("q != question", "q not in question"), "merely contains"),
    ("prompt", PROMPT.replace("in shots", "in sorted(shots)"), "too much around `shots`"),
    ("prompt", PROMPT.replace('f"{question} ->"', 'f"{question} -> "'), "space behind the last arrow"),
    ("prompt", PROMPT.replace("        if q != question:\n    ", ""), "the answer stands in the prompt"),
    ("prompt", PROMPT.replace("\\n", " "), "stand on one line"),
    (
        "answer_score",
        """
def answer_score(logits, tokens, answer):
    logp = logits[:-1].log_softmax(-1).gather(1, tokens[1:, None])
    said = logits[:-1].argmax(-1) == tokens[1:]
    return logp.sum(), bool(said.all())
""",
        "The prompt's tokens were scored",
    ),
    ("answer_score", SCORE.replace("logits[-answer - 1:-1]", "logits[-answer:]"), "say what comes next"),
    ("answer_score", SCORE.replace(".sum()", ".mean()"), "That is the mean"),
    ("answer_score", SCORE.replace(".all()", ".any()"), "One right token"),
    ("answer_score", SCORE.replace("(rows.argmax(-1) == said).all()", "..."), "got True, expected False"),
    ("answer_score", SCORE.replace("(rows.argmax", "(logits[-answer:].argmax"), "from one place too late"),
    (
        "answer_score",
        SCORE.replace("(rows.argmax(-1) == said)", "(rows.softmax(-1).gather(1, said[:, None]) > 0.5)"),
        "in part [1], got False",
    ),
    (
        "low_rank",
        """
def low_rank(x, weight, down, up):
    return F.linear(F.linear(x, down), up)
""",
        "The old matrix is missing",
    ),
    (
        "low_rank",
        """
def low_rank(x, weight, down, up):
    return x @ weight.T + (x @ down.T) @ up.T / down.shape[0]
""",
        "divided by the rank",
    ),
    (
        "low_rank",
        """
def low_rank(x, weight, down, up):
    return x @ (weight + torch.einsum("or,rd->od", up, down)).T
""",
        "a matrix of the full size",
    ),
    (
        "low_rank",
        """
def low_rank(x, weight, down, up):
    return x + F.linear(F.linear(x, down), up)
""",
        "The old matrix is missing",
    ),
    ("calibrate", CALIBRATE.replace(".mean(0)", ""), "The mean over the inputs is missing"),
    ("calibrate", CALIBRATE.replace("mean(0)", "amax(0)"), "entries differ"),
    ("calibrate", CALIBRATE.replace("sum(-1", "sum(0"), "along the wrong axis"),
    (
        "calibrate",
        """
def calibrate(shares, after_nothing):
    p = shares / after_nothing[0]
    return p / p.sum(-1, keepdim=True)
""",
        "Only one input",
    ),
    (
        "calibrate",
        """
def calibrate(shares, after_nothing):
    return shares / after_nothing.mean(0)
""",
        "do not sum to 1",
    ),
]

"""Lab 07's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn


def patches_by_unfold(pictures, size):
    columns = F.unfold(pictures, size, stride=size)  # colours first in each patch
    return rearrange(columns, "b (c pixels) n -> b n (pixels c)", c=3)


def patches_by_reshape(x, p):
    b, c, h, w = x.shape
    x = x.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
    return x.reshape(b, (h // p) * (w // p), p * p * c)


def patches_by_loop(pictures, size):
    out = []
    for top in range(0, pictures.shape[2], size):
        for left in range(0, pictures.shape[3], size):
            piece = pictures[:, :, top : top + size, left : left + size]
            out.append(piece.permute(0, 2, 3, 1).flatten(1))
    return torch.stack(out, 1)


def scores_by_similarity(pictures, captions, log_scale):
    cosines = F.cosine_similarity(pictures[:, None], captions[None], dim=-1)
    return cosines * torch.exp(torch.clamp(log_scale, max=math.log(100)))


def scores_by_norms(a, b, s):
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.pow(2).sum(1, keepdim=True).sqrt()
    return torch.einsum("nd,md->nm", a, b) * torch.minimum(s.exp(), torch.full_like(s, 100.0))


def scores_by_division(pictures, captions, log_scale):
    temperature = torch.clamp(torch.exp(-log_scale), min=0.01)
    return (F.normalize(pictures) @ F.normalize(captions).t()) / temperature


def scores_by_the_smaller(pictures, captions, log_scale):
    """Where the limit is the smaller one, nothing at all comes back to the scale."""
    scale = min(log_scale.exp(), torch.tensor(100.0, device=log_scale.device))
    return scale * (F.normalize(pictures) @ F.normalize(captions).mT)


def loss_by_logs(z, concept):
    keep = (concept.unsqueeze(0) != concept.unsqueeze(1)) | torch.eye(len(z), dtype=torch.bool, device=z.device)
    rows = torch.where(keep, z, float("-inf"))
    return -(rows.log_softmax(1).diagonal().mean() + rows.log_softmax(0).diagonal().mean()) / 2


def loss_by_loop(z, concept):
    total = 0
    n = len(z)
    for i in range(n):
        others = [j for j in range(n) if j == i or concept[j] != concept[i]]
        total = total + torch.logsumexp(z[i, others], 0) - z[i, i] + torch.logsumexp(z[others, i], 0) - z[i, i]
    return total / (2 * n)


def loss_with_a_large_number(z, concept):
    same = concept.view(-1, 1).eq(concept.view(1, -1))
    same.fill_diagonal_(False)
    z = z - same * 1e9
    criterion = nn.CrossEntropyLoss()
    target = torch.arange(z.size(0)).to(z.device)
    return 0.5 * criterion(z, target) + 0.5 * criterion(z.t(), target)


def shot_by_sort(pictures, names, k):
    z = F.cosine_similarity(pictures.unsqueeze(1), names.unsqueeze(0), dim=2)
    return z.sort(dim=1, descending=True)[1][:, :k]


def shot_by_distance(pictures, names, k):
    """Among vectors of length one the nearest by distance is the nearest by cosine."""
    distance = torch.cdist(F.normalize(pictures, dim=1), F.normalize(names, dim=1))
    return distance.argsort(dim=1)[:, :k]


def shot_by_loop(pictures, names, k):
    unit = F.normalize(names, dim=-1)
    return [torch.topk(unit @ picture, k)[1].tolist() for picture in pictures]


def ensemble_by_sum(vectors):
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    total = unit.sum(0)
    return total / total.norm(dim=-1, keepdim=True)


def ensemble_by_einsum(v):
    return F.normalize(torch.einsum("pnd,pn->nd", v, 1 / v.norm(dim=-1)), dim=1)


def recall_by_rank(z, right, k):
    best_right = z.masked_fill(~right, float("-inf")).amax(1, keepdim=True)
    rank = (z > best_right).sum(1)
    return (rank < k).float().mean().item()


def recall_by_loop(z, right, k):
    found = 0
    for row, good in zip(z, right, strict=True):
        order = row.argsort(descending=True)[:k]
        found += bool(good[order].any())
    return found / len(z)


def recall_by_take(z, right, k):
    order = torch.argsort(z, dim=-1, descending=True)
    hit = torch.take_along_dim(right, order, dim=-1)[..., :k]
    return (hit.sum(-1) > 0).double().mean() if z.device.type == "cpu" else (hit.sum(-1) > 0).float().mean()


RIGHT = {
    "patches": [patches_by_unfold, patches_by_reshape, patches_by_loop],
    "scores": [scores_by_similarity, scores_by_norms, scores_by_division, scores_by_the_smaller],
    "contrastive_loss": [loss_by_logs, loss_by_loop, loss_with_a_large_number],
    "zero_shot": [shot_by_sort, shot_by_distance, shot_by_loop],
    "ensemble": [ensemble_by_sum, ensemble_by_einsum],
    "recall_at": [recall_by_rank, recall_by_loop, recall_by_take],
}

PATCHES = """
def patches(pictures, size):
    b, c, h, w = pictures.shape
    x = pictures.reshape(b, c, h // size, size, w // size, size)
    return rearrange(x, "b c r p s q -> b (r s) (p q c)")
"""
SCORES = """
def scores(pictures, captions, log_scale):
    a = F.normalize(pictures, dim=1)
    b = F.normalize(captions, dim=1)
    return torch.clamp(torch.exp(log_scale), max=100) * (a @ b.t())
"""
LOSS = """
def contrastive_loss(z, concept):
    same = concept.unsqueeze(1) == concept.unsqueeze(0)
    same = same & ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    z = z.masked_fill(same, float("-inf"))
    target = torch.arange(len(z), device=z.device)
    return 0.5 * (F.cross_entropy(z, target) + F.cross_entropy(z.t(), target))
"""
SHOT = """
def zero_shot(pictures, names, k):
    a, b = F.normalize(pictures, dim=1), F.normalize(names, dim=1)
    return torch.topk(a @ b.t(), k, dim=1)[1]
"""
ENSEMBLE = """
def ensemble(vectors):
    unit = vectors / vectors.norm(dim=-1, keepdim=True)
    together = unit.mean(0)
    return together / together.norm(dim=-1, keepdim=True)
"""
RECALL = """
def recall_at(z, right, k):
    order = z.argsort(dim=1, descending=True)[:, :k]
    found = torch.gather(right, 1, order)
    return found.any(1).float().mean()
"""
WRONG = [
    ("patches", PATCHES.replace("(r s)", "(s r)"), "column by column"),
    ("patches", PATCHES.replace("(p q c)", "(c p q)"), "all of the red"),
    ("patches", PATCHES.replace("(p q c)", "(q p c)"), "pixels of a patch run column by column"),
    ("patches", PATCHES.replace("(r s)", "r s"), "two axes still"),
    (
        "patches",
        PATCHES.replace("b c r p s q ->", "b c p r q s ->").replace(
            "h // size, size, w // size, size", "size, h // size, size, w // size"
        ),
        "far apart",
    ),
    ("patches", "def patches(x, s):\n    return F.unfold(x, s, stride=s).transpose(1, 2)", "all of the red"),
    (
        "patches",
        "def patches(x, s):\n    return rearrange(x, 'b c (h p) (w q) -> b (p q c) (h w)', p=s, q=s)",
        "swapped",
    ),
    (
        "scores",
        SCORES.replace("F.normalize(pictures, dim=1)", "pictures").replace("F.normalize(captions, dim=1)", "captions"),
        "kept their lengths",
    ),
    ("scores", SCORES.replace("b = F.normalize(captions, dim=1)", "b = captions"), "captions kept their lengths"),
    ("scores", SCORES.replace("a = F.normalize(pictures, dim=1)", "a = pictures"), "pictures kept their lengths"),
    ("scores", SCORES.replace("torch.clamp(torch.exp(log_scale), max=100)", "torch.exp(log_scale)"), "not clipped"),
    ("scores", SCORES.replace("torch.exp(log_scale)", "log_scale"), "logarithm"),
    ("scores", SCORES.replace("* (a @ b.t())", "** -1 * (a @ b.t())"), "divided by the scale"),
    ("scores", SCORES.replace("a @ b.t()", "b @ a.t()"), "swapped"),
    ("scores", SCORES.replace("max=100", "min=100"), "never *less*"),
    ("scores", SCORES.replace("dim=1)", "dim=0)"), "over the batch"),
    ("contrastive_loss", LOSS.replace('    z = z.masked_fill(same, float("-inf"))\n', ""), "count as wrong answers"),
    (
        "contrastive_loss",
        LOSS.replace(
            "0.5 * (F.cross_entropy(z, target) + F.cross_entropy(z.t(), target))", "F.cross_entropy(z, target)"
        ),
        "Only the rows were read",
    ),
    ("contrastive_loss", LOSS.replace("0.5 * ", ""), "sum of both"),
    ("contrastive_loss", LOSS.replace("z.t()", "z"), "Only the rows were read"),
    ("contrastive_loss", LOSS.replace('float("-inf")', "0.0"), "score of 0 counts"),
    (
        "contrastive_loss",
        LOSS.replace("target = torch.arange(len(z), device=z.device)", "target = concept % len(z)"),
        "column i",
    ),
    (
        "contrastive_loss",
        LOSS.replace("F.cross_entropy(z, target)", "F.cross_entropy(z.softmax(1), target)").replace(
            "F.cross_entropy(z.t(), target)", "F.cross_entropy(z.t().softmax(1), target)"
        ),
        "twice",
    ),
    ("contrastive_loss", LOSS.replace("return 0.5", "return -0.5"), "sign"),
    ("zero_shot", SHOT.replace("F.normalize(names, dim=1)", "names"), "Names with long vectors"),
    (
        "zero_shot",
        SHOT.replace("F.normalize(pictures, dim=1), F.normalize(names, dim=1)", "pictures, names"),
        "long vectors",
    ),
    ("zero_shot", SHOT.replace("dim=1)[1]", "dim=1)[0]"), "Those are the cosines"),
    ("zero_shot", SHOT.replace("dim=1)[1]", "dim=1, largest=False)[1]"), "farthest away"),
    (
        "zero_shot",
        SHOT.replace("torch.topk(a @ b.t(), k, dim=1)[1]", "(a @ b.t()).argsort(dim=1)[:, -k:]"),
        "nearest last",
    ),
    (
        "zero_shot",
        SHOT.replace("torch.topk(a @ b.t(), k, dim=1)[1]", "(a @ b.t()).argmax(1)"),
        "one name for each picture",
    ),
    ("zero_shot", "def zero_shot(p, n, k):\n    return torch.cdist(p, n).argsort(dim=1)[:, :k]", "any length"),
    ("ensemble", ENSEMBLE.replace("unit = vectors / vectors.norm(dim=-1, keepdim=True)", "unit = vectors"), "more say"),
    (
        "ensemble",
        ENSEMBLE.replace("return together / together.norm(dim=-1, keepdim=True)", "return together"),
        "shorter than one",
    ),
    ("ensemble", ENSEMBLE.replace(".mean(0)", ".mean(1)"), "over the names"),
    ("ensemble", ENSEMBLE.replace("vectors.norm(dim=-1", "vectors.norm(dim=0"), "over the prompts"),
    ("ensemble", "def ensemble(v):\n    return v.mean(dim=0)", "as they are"),
    ("ensemble", ENSEMBLE.replace("unit.mean(0)", "unit[0]"), "first prompt alone"),
    ("recall_at", RECALL.replace("found.any(1).float().mean()", "found.float().mean()"), "precision"),
    ("recall_at", RECALL.replace(", descending=True", ""), "k worst"),
    ("recall_at", RECALL.replace("[:, :k]", "[:, :1]"), "Only the best one"),
    ("recall_at", RECALL.replace("found.any(1)", "found.all(1)"), "One is enough"),
    ("recall_at", RECALL.replace(".mean()", ".sum()"), "how many queries"),
    (
        "recall_at",
        RECALL.replace("found.any(1).float().mean()", "(found.sum(1) / right.sum(1)).mean()"),
        "all right things",
    ),
    ("recall_at", RECALL.replace("found.any(1).float().mean()", "found.any(1)"), "yes or no"),
    ("recall_at", RECALL.replace(".float()", ""), "what is no float"),
    ("recall_at", RECALL.replace("[:, :k]", ""), "All things were looked at"),
    (
        "recall_at",
        "def recall_at(z, right, k):\n    one = right.int().argmax(1, keepdim=True)\n    return (z.topk(k)[1] == one).any(1).float().mean()",
        "Only one right answer",
    ),
    ("patches", "def patches(x, s):\n    return x.reshape(len(x), -1, s * s * 3)", "Only the shape was changed"),
    (
        "scores",
        SCORES.replace(
            "torch.clamp(torch.exp(log_scale), max=100) * (a @ b.t())",
            "torch.clamp(torch.exp(log_scale) * (a @ b.t()), max=100)",
        ),
        "product was clipped",
    ),
    (
        "contrastive_loss",
        LOSS.replace("    same = same & ~torch.eye(len(z), dtype=torch.bool, device=z.device)\n", ""),
        "The diagonal is masked, too",
    ),
    ("contrastive_loss", LOSS.replace('float("-inf")', "-10.0"), "fixed low score"),
    (
        "contrastive_loss",
        LOSS.replace(
            "0.5 * (F.cross_entropy(z, target) + F.cross_entropy(z.t(), target))",
            "torch.maximum(F.cross_entropy(z, target), F.cross_entropy(z.t(), target))",
        ),
        "larger of both",
    ),
    ("ensemble", "def ensemble(v):\n    return F.normalize(v, dim=-1)", "One vector for each prompt still"),
    ("ensemble", "def ensemble(v):\n    return F.normalize(v, dim=-1).sum(0)", "Unit vectors were added"),
    (
        "zero_shot",
        SHOT.replace("torch.topk(a @ b.t(), k, dim=1)[1]", "(a @ b.t()).argsort(dim=1, descending=True)[:k]"),
        "cut went through",
    ),
]

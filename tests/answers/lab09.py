"""Lab 09's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F

from squint.models.diffusion import add_noise


def loss_by_normalize(network, vectors, captions, noise, time):
    z = F.normalize(vectors, dim=1) * vectors.shape[1] ** 0.5
    return F.mse_loss(network(add_noise(z, noise, time), time, captions), z)


def loss_by_angle(f, v, c, eps, t):
    z = v * math.sqrt(v.size(1))
    angle = t.unsqueeze(1) * math.pi / 2
    return ((f(torch.cos(angle) * z + torch.sin(angle) * eps, t, c) - z) ** 2).mean()


def loss_by_rows(network, vectors, captions, noise, time):
    long = vectors / vectors.norm(dim=-1, keepdim=True) * vectors[0].numel() ** 0.5
    error = long - network(add_noise(long, noise, time), time, captions)
    return (error * error).mean(dim=1).mean()


def loss_by_norm(network, vectors, captions, noise, time):
    dim = vectors.shape[-1]
    z = dim**0.5 * vectors
    wrong = network(add_noise(z, noise, time), time, captions) - z
    return wrong.norm() ** 2 / wrong.numel()


def loss_by_criterion(model, x, y, e, t):
    x = x * torch.full_like(x, x.shape[1]).sqrt()
    return torch.nn.MSELoss()(model(add_noise(x, e, t), t, y), x)


def best_by_loop(candidates, captions):
    kept = []
    for several, caption in zip(candidates, captions, strict=True):
        cosines = [F.cosine_similarity(each, caption, dim=0).item() for each in several]
        kept.append(several[cosines.index(max(cosines))])
    return torch.stack(kept)


def best_by_gather(candidates, captions):
    near = torch.einsum("nkd,nd->nk", F.normalize(candidates, dim=-1), captions)
    which = near.argmax(1)[:, None, None].expand(-1, 1, candidates.shape[-1])
    return candidates.gather(1, which)[:, 0]


def best_by_mask(c, t):
    near = (c * t.unsqueeze(1)).sum(-1) / c.norm(dim=-1)
    return (F.one_hot(near.argmax(-1), c.shape[1]).to(c)[..., None] * c).sum(1)


def best_by_topk(candidates, captions):
    near = torch.cosine_similarity(candidates, captions.unsqueeze(1), dim=2)
    return torch.take_along_dim(candidates, near.topk(1, dim=1).indices[..., None], dim=1).squeeze(1)


def best_by_distance(candidates, captions):
    unit = F.normalize(candidates, dim=-1)
    nearest = (unit - F.normalize(captions, dim=-1)[:, None]).square().sum(-1).argmin(1)
    return torch.stack([row[at] for row, at in zip(candidates, nearest, strict=True)])


def shares_by_variance(table):
    total = table.var(dim=(0, 1), correction=0).sum()
    return (table.mean(1).var(0, correction=0).sum() / total, table.mean(0).var(0, correction=0).sum() / total)


def shares_by_filling(table):
    mean = table.mean(dim=(0, 1), keepdim=True)
    rows, columns = table.mean(1, keepdim=True).expand_as(table), table.mean(0, keepdim=True).expand_as(table)
    total = ((table - mean) ** 2).sum()
    return ((rows - mean) ** 2).sum() / total, ((columns - mean) ** 2).sum() / total


def shares_by_loop(table):
    mean, total = table.mean((0, 1)), 0.0
    for row in table:
        for cell in row:
            total += ((cell - mean) ** 2).sum().item()
    rows = sum(table.shape[1] * ((row.mean(0) - mean) ** 2).sum().item() for row in table)
    columns = sum(table.shape[0] * ((column.mean(0) - mean) ** 2).sum().item() for column in table.transpose(0, 1))
    return rows / total, columns / total


def shares_by_rest(table):
    total = (table - table.mean((0, 1))).square().sum()
    return [1 - (table - table.mean(axis, keepdim=True)).square().sum() / total for axis in (1, 0)]


def shares_stacked(t):
    t = t - t.flatten(0, 1).mean(0)
    return torch.stack([t.mean(1).pow(2).sum(-1).mean(), t.mean(0).pow(2).sum(-1).mean()]) / t.pow(2).sum(-1).mean()


def slerp_by_basis(one, other, part):
    length = one.norm(dim=-1, keepdim=True)
    a, b = one / length, other / length
    across = b - (a * b).sum(-1, keepdim=True) * a
    angle = torch.atan2(across.norm(dim=-1, keepdim=True), (a * b).sum(-1, keepdim=True))
    return length * ((part * angle).cos() * a + (part * angle).sin() * F.normalize(across, dim=-1))


def slerp_by_rows(one, other, part):
    out = []
    for a, b in zip(one, other, strict=True):
        cosine = (a @ b / (a.norm() * b.norm())).clamp(-1, 1)
        theta = torch.arccos(cosine)
        if theta < 1e-3:
            out.append(a)
        else:
            out.append((torch.sin((1 - part) * theta) * a + torch.sin(part * theta) * b) / torch.sin(theta))
    return torch.stack(out)


def slerp_by_weights(x, y, t):
    cosine = ((x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1))).clamp(-1, 1)
    theta = torch.acos(cosine).clamp(min=1e-3)
    return torch.einsum("b,bd->bd", torch.sin((1 - t) * theta) / torch.sin(theta), x) + torch.einsum(
        "b,bd->bd", torch.sin(t * theta) / torch.sin(theta), y
    )


def slerp_by_lerp(one, other, part):
    angle = F.cosine_similarity(one, other, dim=-1).clamp(-1, 1).acos().unsqueeze(-1)
    if part == 0:
        return one
    a, b = ((1 - part) * angle).sin(), (part * angle).sin()
    mixed = torch.where(angle < 1e-3, (1 - part) * one + part * other, a * one + b * other)
    return F.normalize(mixed, dim=-1) * one.norm(dim=-1, keepdim=True)


def slerp_by_exponential(one, other, part):
    length = one.norm(dim=1, keepdim=True)
    theta = torch.acos(F.cosine_similarity(one, other).clamp(-1, 1))[:, None]
    tangent = F.normalize(other - theta.cos() * one, dim=1) * length
    return theta.mul(part).cos() * one + theta.mul(part).sin() * tangent


def the_slerp(one, other, part):
    angle = F.cosine_similarity(one, other, dim=-1).clamp(-1, 1)[:, None].acos()
    mixed = ((1 - part) * angle).sin() * one + (part * angle).sin() * other
    return torch.where(angle > 1e-3, mixed / angle.sin(), one)


def pushed_by_norm(pictured, before, after, part):
    d = after - before
    return the_slerp(pictured, d / d.norm(dim=-1, keepdim=True) * pictured.norm(dim=-1, keepdim=True), part)


def pushed_by_rows(pictured, before, after, part):
    rows = []
    for z, a, b in zip(pictured, before, after, strict=True):
        way = (b - a) / torch.linalg.vector_norm(b - a) * len(z) ** 0.5
        rows.append(the_slerp(z[None], way[None], part)[0])
    return torch.stack(rows)


def pushed_by_unit(z, t0, t1, theta):
    dim = z.shape[1]
    return dim**0.5 * the_slerp(F.normalize(z, dim=1), F.normalize(t1 - t0, dim=1), theta)


def pushed_by_hand(pictured, before, after, part):
    way = F.normalize(after.sub(before)) * F.mse_loss(pictured, 0 * pictured, reduction="none").sum(1, True).sqrt()
    theta = (F.cosine_similarity(pictured, way)).clamp(-1, 1).acos()[:, None]
    return (torch.sin((1 - part) * theta) * pictured + torch.sin(part * theta) * way) / torch.sin(theta)


def pushed_by_minus(pictured, before, after, part):
    return the_slerp(pictured, -math.sqrt(pictured.size(-1)) * F.normalize(before - after, dim=-1), part)


def squeezed_by_eigh(wanted, known, kept):
    mean = known.mean(0)
    centred = known - mean
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :kept]
    flat = (wanted - mean) @ directions @ directions.T + mean
    return flat / flat.norm(dim=1, keepdim=True) * wanted.shape[1] ** 0.5


def squeezed_by_u(wanted, known, kept):
    mean = known.mean(dim=0, keepdim=True)
    u, _, _ = torch.linalg.svd((known - mean).T, full_matrices=False)
    u = u[:, :kept]
    return F.normalize(mean + (wanted - mean) @ (u @ u.T), dim=-1) * math.sqrt(wanted.shape[-1])


def squeezed_by_loop(wanted, known, kept):
    mean = known.mean(0)
    found = torch.linalg.svd(known - mean)[2]
    flat = mean.repeat(len(wanted), 1)
    for direction in found[:kept]:
        flat = flat + ((wanted - mean) @ direction)[:, None] * direction
    return math.sqrt(len(mean)) * F.normalize(flat, dim=1)


def squeezed_by_dropping(wanted, known, kept):
    mean = known.mean(0)
    _, _, v = torch.linalg.svd(known - mean, full_matrices=True)
    rest = v[kept:]
    return F.normalize(wanted - (wanted - mean) @ rest.T @ rest, dim=-1) * wanted.shape[-1] ** 0.5


def squeezed_by_cov(wanted, known, kept):
    values, found = torch.linalg.eigh(torch.cov(known.T))
    basis = found[:, values.argsort(descending=True)[:kept]]
    flat = known.mean(0) + torch.einsum("bd,dk,ek->be", wanted - known.mean(0), basis, basis)
    return flat * (wanted.shape[1] / flat.square().sum(1, keepdim=True)).sqrt()


def loss_by_targets_apart(network, vectors, captions, noise, time):
    with torch.no_grad():
        clean = vectors / vectors.square().mean(dim=-1, keepdim=True).sqrt()
        noisy = add_noise(clean, noise, time)
    return (network(noisy, time, captions) - clean).pow(2).mean()


def best_by_running(candidates, captions):
    best, top = candidates[:, 0], F.cosine_similarity(candidates[:, 0], captions, dim=-1)
    for k in range(1, candidates.shape[1]):
        near = F.cosine_similarity(candidates[:, k], captions, dim=-1)
        best = torch.where((near > top)[:, None], candidates[:, k], best)
        top = torch.maximum(near, top)
    return best


def shares_by_products(table):
    t = table - table.mean(dim=(0, 1))
    rows = torch.einsum("rcf,rdf->", t, t) / t.shape[1]
    columns = torch.einsum("rcf,scf->", t, t) / t.shape[0]
    return rows / (t * t).sum(), columns / (t * t).sum()


def slerp_by_sinc(one, other, part):
    turns = F.cosine_similarity(one, other, dim=-1).clamp(-1, 1).acos()[:, None] / math.pi
    first, second = (each * torch.sinc(each * turns) / torch.sinc(turns) for each in (1 - part, part))
    return first * one + second * other


def slerp_where_they_differ(one, other, part):
    out, cosine = one.clone(), F.cosine_similarity(one, other).clamp(-1, 1)
    differ = cosine < 1 - 1e-6
    w = cosine[differ].acos()[:, None]
    out[differ] = (torch.sin((1 - part) * w) * one[differ] + torch.sin(part * w) * other[differ]) / torch.sin(w)
    return out


def pushed_by_normalising_all(pictured, before, after, part):
    root = math.sqrt(pictured.shape[-1])
    before, after = F.normalize(before, dim=-1), F.normalize(after, dim=-1)
    return the_slerp(root * F.normalize(pictured, dim=-1), root * F.normalize(after - before, dim=-1), part)


def squeezed_by_blanking(wanted, known, kept):
    mean = known.mean(0)
    turn = torch.linalg.svd(known - mean)[2]
    numbers = (wanted - mean) @ turn.T
    numbers[:, kept:] = 0
    return F.rms_norm(numbers @ turn + mean, (len(mean),), eps=0.0)


def squeezed_by_last(wanted, known, kept):
    mean = known.mean(0)
    basis = torch.linalg.eigh(torch.cov(known.T)).eigenvectors[:, len(mean) - kept :]
    return F.normalize(mean + (wanted - mean) @ basis @ basis.T, dim=-1) * math.sqrt(len(mean))


RIGHT = {
    "prior_loss": [
        loss_by_normalize,
        loss_by_angle,
        loss_by_rows,
        loss_by_norm,
        loss_by_criterion,
        loss_by_targets_apart,
    ],
    "best_of": [best_by_loop, best_by_gather, best_by_mask, best_by_topk, best_by_distance, best_by_running],
    "shares": [
        shares_by_variance,
        shares_by_filling,
        shares_by_loop,
        shares_by_rest,
        shares_stacked,
        shares_by_products,
    ],
    "slerp": [
        slerp_by_basis,
        slerp_by_rows,
        slerp_by_weights,
        slerp_by_lerp,
        slerp_by_exponential,
        slerp_by_sinc,
        slerp_where_they_differ,
    ],
    "pushed": [
        pushed_by_norm,
        pushed_by_rows,
        pushed_by_unit,
        pushed_by_hand,
        pushed_by_minus,
        pushed_by_normalising_all,
    ],
    "squeezed": [
        squeezed_by_eigh,
        squeezed_by_u,
        squeezed_by_loop,
        squeezed_by_dropping,
        squeezed_by_cov,
        squeezed_by_blanking,
        squeezed_by_last,
    ],
}

LOSS = """
def prior_loss(f, v, c, e, t):
    z = v * v.shape[1] ** 0.5
    x = add_noise(z, e, t)
    return ((f(x, t, c) - z) ** 2).mean()
"""
BEST = """
def best_of(c, t):
    near = (F.normalize(c, dim=-1) * t[:, None]).sum(-1)
    at = near.argmax(1)
    return c[torch.arange(len(c), device=c.device), at]
"""
SHARES = """
def shares(x):
    m = x.mean((0, 1))
    total = ((x - m) ** 2).sum()
    rows = x.shape[1] * ((x.mean(1) - m) ** 2).sum() / total
    columns = x.shape[0] * ((x.mean(0) - m) ** 2).sum() / total
    return rows, columns
"""
SLERP = """
def slerp(x, y, t):
    w = F.cosine_similarity(x, y, dim=-1).clamp(-1, 1).acos()[:, None]
    r = (torch.sin((1 - t) * w) * x + torch.sin(t * w) * y) / torch.sin(w)
    return torch.where(w < 1e-3, x, r)
"""
PUSH = """
def pushed(z, a, b, t):
    d = F.normalize(b - a, dim=-1) * z.shape[-1] ** 0.5
    return slerp(z, d, t)
"""
PCA = """
def squeezed(z, known, k):
    m = known.mean(0)
    v = torch.linalg.svd(known - m, full_matrices=False)[2][:k]
    x = m + (z - m) @ v.T @ v
    return F.normalize(x, dim=-1) * z.shape[-1] ** 0.5
"""
WRONG = [
    ("prior_loss", LOSS.replace("v * v.shape[1] ** 0.5", "v"), "kept the length one"),
    ("prior_loss", LOSS.replace("v.shape[1] ** 0.5", "v.shape[1]"), "multiplied by dim"),
    ("prior_loss", LOSS.replace("v.shape[1] ** 0.5", "len(v) ** 0.5"), "number of vectors"),
    ("prior_loss", LOSS.replace("v * v.shape", "v / v.shape"), "smaller still"),
    ("prior_loss", LOSS.replace("- z)", "- e)"), "held to the noise"),
    ("prior_loss", LOSS.replace("- z)", "- v)"), "held to the vectors of length one"),
    ("prior_loss", LOSS.replace("- z)", "- x)"), "held to the noisy vector"),
    ("prior_loss", LOSS.replace("f(x,", "f(z,"), "shown the clean vectors"),
    ("prior_loss", LOSS.replace("t, c)", "t, v)"), "told the answer"),
    ("prior_loss", LOSS.replace("(z, e, t)", "(e, z, t)"), "swapped in add_noise"),
    ("prior_loss", LOSS.replace("(z, e, t)", "(v, e, t)"), "short vectors were noised"),
    ("prior_loss", LOSS.replace(".mean()", ".sum()"), "added up"),
    ("prior_loss", LOSS.replace("(f(x, t, c) - z) ** 2", "(f(x, t, c) - z).abs()"), "absolute errors"),
    ("prior_loss", LOSS.replace("(z, e, t)", "(z, e, 1 - t)"), "time runs backwards"),
    ("prior_loss", LOSS.replace("f(x, t, c)", "f(x, t, c).detach()"), "No gradient"),
    ("best_of", BEST.replace("F.normalize(c, dim=-1)", "c"), "dot products"),
    ("best_of", BEST.replace("argmax", "argmin"), "suits least"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]", "c[:, at]"), "of *every* row"),
    ("best_of", BEST.replace(".sum(-1)\n", ".sum(-1).abs()\n"), "sign was dropped"),
    ("best_of", BEST.replace("t[:, None]", "t.mean(0)"), "made into one"),
    ("best_of", BEST.replace("return c[", "return F.normalize(c, dim=-1)["), "length one"),
    ("best_of", BEST[: BEST.index("    return")] + "    return at\n", "which one it is"),
    ("best_of", BEST[: BEST.index("    return")] + "    return near.amax(1)\n", "how well it suits"),
    ("best_of", BEST.replace("near.argmax(1)", "c.norm(dim=-1).argmax(1)"), "the longest"),
    ("best_of", BEST.replace("(F.normalize(c, dim=-1) * t[:, None]).sum(-1)", "-(c - t[:, None]).norm(dim=-1)"),
     "distances"),
    ("best_of", BEST.replace("near.argmax(1)", "near.mean(0).argmax().expand(len(c))"), "for all captions"),
    ("shares", SHARES.replace("x.shape[1] * ((x.mean(1)", "((x.mean(1)"), "stands in every column"),
    ("shares", SHARES.replace("x.shape[0] * ((x.mean(0)", "((x.mean(0)"), "stands in every row"),
    ("shares", SHARES.replace("x.shape[1] * ((x.mean(1)", "x.shape[0] * ((x.mean(1)"), "number of rows"),
    ("shares", SHARES.replace("x.shape[0] * ((x.mean(0)", "x.shape[1] * ((x.mean(0)"), "number of columns"),
    ("shares", SHARES.replace("rows, columns\n", "columns, rows\n"), "wrong order"),
    ("shares", SHARES.replace("m = x.mean((0, 1))", "m = x.mean()"), "One mean was taken"),
    ("shares", SHARES.replace("m = x.mean((0, 1))", "m = 0"), "still in it"),
    ("shares", SHARES.replace("return rows, columns", "return rows, 1 - rows"), "not all between columns"),
    ("shares", SHARES.replace("return rows, columns", "return 100 * rows, 100 * columns"), "percent"),
    ("shares", SHARES.replace("((x - m) ** 2).sum()", "((x - m) ** 2).mean()"), "A mean for all variation"),
    ("shares", SHARES.replace("((x - m) ** 2).sum()", "(x ** 2).sum()"), "measured from 0"),
    ("slerp", SLERP.replace("    return torch.where(w < 1e-3, x, r)", "    return r"), "0/0"),
    ("slerp", SLERP.replace(" / torch.sin(w)", ""), "sin θ is missing"),
    ("slerp", SLERP.replace(".acos()", ""), "cosine was taken for the angle"),
    ("slerp", SLERP.replace("torch.sin((1 - t) * w) * x + torch.sin(t * w) * y",
                            "torch.sin(t * w) * x + torch.sin((1 - t) * w) * y"), "from other to one"),
    ("slerp", SLERP.replace("torch.sin(t * w)", "t * torch.sin(w)"), "Before other the part stands outside"),
    ("slerp", SLERP.replace("torch.sin((1 - t) * w)", "(1 - t) * torch.sin(w)"), "Before one the part stands outside"),
    ("slerp", "def slerp(x, y, t):\n    return (1 - t) * x + t * y\n", "straight line"),
    ("slerp", "def slerp(x, y, t):\n    r = (1 - t) * x + t * y\n"
     "    return r / r.norm(dim=-1, keepdim=True) * x.norm(dim=-1, keepdim=True)\n", "uneven pace"),
    ("slerp", SLERP.replace("/ torch.sin(w)", "/ w"), "Divide by its sine"),
    ("slerp", SLERP.replace("F.cosine_similarity(x, y, dim=-1)", "(x * y).sum(-1)"), "dot product"),
    ("slerp", SLERP.replace("w < 1e-3, x, r", "w < 1e-3, x, F.normalize(r, dim=-1)"), "length one"),
    ("slerp", SLERP.replace("x, r)", "0 * x, r)"), "nothing came back"),
    ("pushed", PUSH.replace(" * z.shape[-1] ** 0.5", ""), "has length one"),
    ("pushed", PUSH.replace("F.normalize(b - a, dim=-1) * z.shape[-1] ** 0.5", "b - a"), "small length"),
    ("pushed", PUSH.replace("b - a", "a - b"), "turned round"),
    ("pushed", PUSH.replace("b - a", "b"), "target caption itself"),
    ("pushed", PUSH.replace("b - a", "a + b"), "were added"),
    ("pushed", PUSH.replace("z.shape[-1] ** 0.5", "z.shape[-1]"), "not dim"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "slerp(d, z, t)"), "from the difference to the picture"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "z + t * d"), "length is not kept"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "F.normalize(z + t * d, dim=-1) * z.shape[-1] ** 0.5"), "another pace"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "slerp(z, d, 1 - t)"), "runs backwards"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "slerp(z, z + d, t)"), "not the picture plus the difference"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "F.normalize(slerp(z, d, t), dim=-1)"), "brought to length one"),
    ("squeezed", PCA.replace("known - m,", "known,"), "not taken away before the SVD"),
    ("squeezed", PCA.replace("m + (z - m)", "(z - m)"), "not added again"),
    ("squeezed", PCA.replace("m + (z - m)", "m + z"), "not taken from the vectors"),
    ("squeezed", PCA.replace("m + (z - m)", "z"), "as seen from 0"),
    ("squeezed", PCA.replace("[2][:k]", "[2][len(m) - k:]"), "narrowest"),
    ("squeezed", PCA.replace("[2][:k]", "[2][:, :k].T"), "*rows* of Vh"),
    ("squeezed", PCA.replace("[2][:k]", "[2][:k + 1]"), "One direction too many"),
    ("squeezed", PCA.replace(" * z.shape[-1] ** 0.5", ""), "have length one"),
    ("squeezed", PCA.replace("F.normalize(x, dim=-1) * z.shape[-1] ** 0.5", "x"), "not brought to √dim"),
    ("squeezed", PCA.replace("z.shape[-1] ** 0.5", "z.shape[-1]"), "not dim"),
    ("squeezed", PCA.replace("m = known.mean(0)", "m = known.mean()"), "One number"),
    ("squeezed", PCA[: PCA.index("    x = ")] + "    return (z - m) @ v.T\n", "numbers along the directions"),
    ("squeezed", PCA.replace("m = known.mean(0)", "m = z.mean(0)"), "to be squeezed"),
    ("prior_loss", LOSS.replace("v.shape[1] ** 0.5", "128 ** 0.5"), "128 numbers"),
    ("prior_loss", LOSS.replace("add_noise(z, e, t)", "(1 - t[:, None]) * z + t[:, None] * e"),
     "along a straight line"),
    ("prior_loss", LOSS.replace("((f(x, t, c) - z) ** 2)", "(f(x, t, c) - z).norm(dim=-1)"), "lengths"),
    ("prior_loss", LOSS.replace("** 2).mean()", ").mean() ** 2"), "First the mean, then the square"),
    ("prior_loss", LOSS.replace("v * v.shape[1] ** 0.5", "F.layer_norm(v, v.shape[1:])"), "points elsewhere"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]", "c[at]"), "takes whole rows"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]", "c.flatten(0, 1)[at]"), "end to end"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]", "c[:, at][:, 0]"),
     "first caption's choice"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]",
                             "c.gather(1, at[:, None, None]).squeeze(1)"), "gather brought one number"),
    ("best_of", BEST.replace("c[torch.arange(len(c), device=c.device), at]",
                             "torch.take_along_dim(c, at[:, None, None], 1)"), "axis of length one"),
    ("best_of", BEST.replace("(F.normalize(c, dim=-1) * t[:, None]).sum(-1)", "F.normalize(c, dim=-1) @ t.T"),
     "against every caption"),
    ("best_of", BEST.replace("t[:, None]", "t[0]"), "against the first caption"),
    ("shares", SHARES.replace("m = x.mean((0, 1))", "m = x.mean(1, keepdim=True)")
     .replace("x.mean(1) - m)", "x - m).mean(1)")
     .replace("x.mean(0) - m)", "x - m).mean(0)"), "all that is between rows"),
    ("shares", SHARES.replace("return rows, columns", "return 1 - rows, 1 - columns"), "*within* rows"),
    ("shares", SHARES.replace("(x.mean(1) - m)", "x.mean(1)").replace("(x.mean(0) - m)", "x.mean(0)"),
     "squared as they are"),
    ("shares", "def shares(x):\n    total = x.var((0, 1)).sum()\n"
     "    return x.mean(1).var(0).sum() / total, x.mean(0).var(0).sum() / total\n", "do not add up"),
    ("slerp", SLERP.replace("torch.sin(t * w) * y", "y"), "whole, at every t"),
    ("slerp", SLERP.replace("torch.sin((1 - t) * w) * x", "torch.cos(t * w) * x"), "one got cos(tθ)"),
    ("slerp", SLERP.replace(".acos()[:, None]", "[:, None]").replace("    r =", "    w = 1 - w\n    r ="),
     "is no angle"),
    ("slerp", SLERP.replace("w < 1e-3", "w < 0.2"), "were taken for none"),
    ("slerp", SLERP.replace("w < 1e-3", "x == y"), "number by number"),
    ("slerp", SLERP.replace("return torch.where(w < 1e-3, x, r)", "return x if (w < 1e-3).any() else r"),
     "decided for the whole batch"),
    ("slerp", SLERP.replace("torch.where(w < 1e-3, x, r)", "F.normalize(r, dim=-1) * x.shape[-1] ** 0.5"),
     "set to √dim"),
    ("slerp", "def slerp(x, y, t):\n    w = t * math.pi / 2\n    return math.cos(w) * x + math.sin(w) * y\n",
     "right one"),
    ("pushed", PUSH.replace("F.normalize(b - a, dim=-1) * z.shape[-1] ** 0.5", "b * z.shape[-1] ** 0.5"),
     "target caption itself"),
    ("pushed", PUSH.replace("F.normalize(b - a, dim=-1) * z.shape[-1] ** 0.5", "z + b - a"), "hardly counts"),
    ("pushed", PUSH.replace("return slerp(z, d, t)", "return z + slerp(z, d, t)"), "picture once more"),
    ("pushed", PUSH.replace("slerp(z, d, t)", "F.normalize((1 - t) * z + t * d, dim=-1) * z.shape[-1] ** 0.5"),
     "uneven pace"),
    ("pushed", PUSH.replace(" * z.shape[-1] ** 0.5", "")
     .replace("slerp(z, d, t)", "F.normalize(slerp(z, d, t), dim=-1) * z.shape[-1] ** 0.5"), "too late"),
    ("squeezed", PCA.replace("torch.linalg.svd(known - m, full_matrices=False)[2][:k]",
                             "torch.linalg.eigh(torch.cov(known.T))[1][:, -k:].T"), "-kept: is all"),
    ("squeezed", PCA.replace("known - m, full", "(known - m) / known.std(0), full"), "same deviation"),
    ("squeezed", PCA.replace("    v =", "    if k == 0:\n"
     "        return F.normalize(m, dim=-1) * len(m) ** 0.5\n    v ="),
     "one vector is due for each"),
    ("squeezed", PCA.replace("(z - m) @ v.T @ v", "(z - m) @ v.T"), "Numbers along the directions were added"),
    ("squeezed", PCA.replace("known.mean(0)", "F.normalize(known.mean(0), dim=-1) * z.shape[-1] ** 0.5"),
     "mean was lengthened first"),
    ("squeezed", PCA.replace("F.normalize(x, dim=-1) *", "x *"), "First bring them to one"),
]  # fmt: skip

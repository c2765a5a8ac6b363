"""Lab 08b's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F
from einops import rearrange, repeat

from squint.models.diffusion import add_noise, clean_and_noise, velocity


def drop_by_mask(condition, nothing, chance, share):
    keep = (chance >= share).to(condition.dtype)[:, None]
    return keep * condition + (1 - keep) * nothing


def drop_in_place(condition, nothing, chance, share):
    out = condition.clone()
    out[chance < share] = nothing
    return out


def drop_by_loop(conditions, null, u, p):
    return torch.stack([null if one < p else row for row, one in zip(conditions, u.tolist(), strict=True)])


def drop_by_fill(condition, nothing, chance, share):
    lost = repeat(chance < share, "b -> b d", d=condition.shape[1])
    return condition.masked_fill(lost, 0.0) + lost * nothing


def drop_by_rows(condition, nothing, chance, share):
    table = torch.cat([condition, nothing[None]])
    rows = torch.arange(len(condition), device=condition.device)
    return table[torch.where(chance < share, len(condition), rows)]


def guide_in_one_pass(network, noisy, time, condition, nothing, weight):
    both = torch.cat([condition, nothing.expand_as(condition)])
    told, free = network(torch.cat([noisy, noisy]), torch.cat([time, time]), both).chunk(2)
    return torch.lerp(free, told, float(weight))


def guide_by_two_weights(net, x, t, c, null, w):
    return w * net(x, t, c) + (1 - w) * net(x, t, null.repeat(len(c), 1))


def guide_by_excess(network, noisy, time, condition, nothing, weight):
    """As Ho and Salimans write it, with w = weight − 1."""
    w = weight - 1
    told = network(noisy, time, condition)
    free = network(noisy, time, nothing[None].expand(len(condition), -1))
    return (1 + w) * told - w * free


def guide_with_short_cuts(network, noisy, time, condition, nothing, weight):
    told = network(noisy, time, condition)
    if weight == 1:
        return told
    free = network(noisy, time, torch.zeros_like(condition) + nothing)
    return free if weight == 0 else free + (told - free) * weight


def guide_by_stack(network, noisy, time, condition, nothing, weight):
    answers = [network(noisy, time, c) for c in (nothing.expand(condition.shape), condition)]
    return torch.einsum("a,a...->...", torch.tensor([1.0 - weight, weight], device=noisy.device), torch.stack(answers))


def distance_by_mask(one, other):
    def k(x, y):
        return (torch.einsum("id,jd->ij", x, y) / x.shape[-1] + 1).pow(3)

    def inside(x):
        away = ~torch.eye(len(x), dtype=torch.bool, device=x.device)
        return k(x, x)[away].mean()

    return inside(one) + inside(other) - 2 * k(one, other).mean()


def distance_by_triangle(x, y):
    def k(a, b):
        return (a @ b.mT / a.size(1) + 1) ** 3

    def upper(a):
        i, j = torch.triu_indices(len(a), len(a), offset=1, device=a.device)
        return k(a, a)[i, j].mean()

    return upper(x) + upper(y) - 2 * k(x, y).mean()


def distance_by_fill(one, other):
    d = one.shape[1]
    tables = [((a @ b.T) / d + 1) ** 3 for a, b in ((one, one), (other, other), (one, other))]
    n, m = len(one), len(other)
    xx, yy = (table - torch.diag(table.diagonal()) for table in tables[:2])
    return xx.sum() / n / (n - 1) + yy.sum() / m / (m - 1) - 2 * tables[2].mean()


def distance_by_joint_table(one, other):
    n, m = len(one), len(other)
    both = torch.cat([one, other])
    table = (1 + both @ both.T / both.shape[1]) ** 3
    signs = torch.cat([one.new_full((n,), 1 / n), one.new_full((m,), -1 / m)])
    inside = [((table[s, s].sum() - table[s, s].trace()) / (c * (c - 1)), table[s, s].mean())
              for s, c in ((slice(0, n), n), (slice(n, None), m))]  # fmt: skip
    return signs @ table @ signs + sum(fair - plain for fair, plain in inside)


def distance_by_moments(one, other):
    """The diagonal by squared lengths."""
    d = one.shape[1]

    def within(x):
        n = x.shape[0]
        everything = ((x @ x.T) / d + 1).pow(3).sum()
        own = (x.pow(2).sum(dim=1) / d + 1).pow(3).sum()
        return (everything - own) / (n**2 - n)

    return within(one) - 2 * torch.mean((one @ other.T / d + 1) ** 3) + within(other)


def upsampler_by_pool(network, picture, noise, time, small_noise, spoilt):
    small = add_noise(F.avg_pool2d(picture, 2), small_noise, spoilt)
    return F.mse_loss(network(add_noise(picture, noise, time), time, small, spoilt), velocity(picture, noise, time))


def upsampler_by_slices(net, x, eps, t, eps_small, s):
    half = (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4
    error = net(add_noise(x, eps, t), t, add_noise(half, eps_small, s), s) - velocity(x, eps, t)
    return (error**2).mean()


def upsampler_by_angles(network, picture, noise, time, small_noise, spoilt):
    a, b = ((each * math.pi / 2).reshape(-1, 1, 1, 1) for each in (time, spoilt))
    blocks = rearrange(picture, "b c (h i) (w j) -> b c h w (i j)", i=2, j=2).mean(dim=-1)
    small = b.cos() * blocks + b.sin() * small_noise
    noisy, target = a.cos() * picture + a.sin() * noise, a.cos() * noise - a.sin() * picture
    return (target - network(noisy, time, small, spoilt)).pow(2).mean()


def upsampler_by_interpolation(network, picture, noise, time, small_noise, spoilt):
    small = F.interpolate(picture, size=small_noise.shape[-2:], mode="area")
    told = network(add_noise(picture, noise, time), time, add_noise(small, small_noise, spoilt), spoilt)
    return torch.mean((told - velocity(picture, noise, time)).flatten(1).square())


def upsampler_by_spoiling_first(network, picture, noise, time, small_noise, spoilt):
    """The mean of a spoiled large picture, with each block's noise alike, is the spoiled small one."""
    blocks = repeat(small_noise, "b c h w -> b c (h i) (w j)", i=2, j=2)
    small = F.avg_pool2d(add_noise(picture, blocks, spoilt), kernel_size=2)
    return F.mse_loss(velocity(picture, noise, time), network(add_noise(picture, noise, time), time, small, spoilt))


def walk_by_index(network, x, times):
    for i in range(len(times) - 1):
        t = x.new_full((x.shape[0],), times[i])
        x0, eps = clean_and_noise(x, network(x, t), t)
        x = add_noise(x0, eps, x.new_full((x.shape[0],), times[i + 1]))
    return x


def walk_by_turning(network, x, times):
    """Both at once: a turn by the difference of the angles."""
    for now, then in zip(times, times[1:], strict=False):
        v = network(x, torch.full((len(x),), float(now), device=x.device))
        angle = (then - now) * math.pi / 2
        x = math.cos(angle) * x + math.sin(angle) * v
    return x


def walk_by_recursion(network, x, times):
    if len(times) < 2:
        return x
    now, then, *rest = times
    ones = torch.ones(len(x), device=x.device)
    clean, noise = clean_and_noise(x, network(x, now * ones), now * ones)
    return walk_by_recursion(network, add_noise(clean, noise, then * ones), [then, *rest])


def walk_by_roots(network, x, times):
    kept = [math.cos(t * math.pi / 2) ** 2 for t in times]
    for k, t in enumerate(times[:-1]):
        v = network(x, torch.full([len(x)], t, device=x.device))
        clean = math.sqrt(kept[k]) * x - math.sqrt(1 - kept[k]) * v
        noise = math.sqrt(1 - kept[k]) * x + math.sqrt(kept[k]) * v
        x = math.sqrt(kept[k + 1]) * clean + math.sqrt(1 - kept[k + 1]) * noise
    return x


def walk_by_iterator(model, start, ts):
    ts = iter(ts)
    now, x = next(ts), start.clone()
    for then in ts:
        at = torch.zeros(len(x), device=x.device) + now
        x = add_noise(*clean_and_noise(x, model(x, at), at), torch.zeros_like(at) + then)
        now = then
    return x


RIGHT = {
    "drop_condition": [drop_by_mask, drop_in_place, drop_by_loop, drop_by_fill, drop_by_rows],
    "guide": [guide_in_one_pass, guide_by_two_weights, guide_by_excess, guide_with_short_cuts, guide_by_stack],
    "kernel_distance": [
        distance_by_mask, distance_by_triangle, distance_by_fill, distance_by_joint_table, distance_by_moments,
    ],
    "upsampler_loss": [
        upsampler_by_pool, upsampler_by_slices, upsampler_by_angles, upsampler_by_interpolation,
        upsampler_by_spoiling_first,
    ],
    "walk": [walk_by_index, walk_by_turning, walk_by_recursion, walk_by_roots, walk_by_iterator],
}  # fmt: skip

DROP = """
def drop_condition(condition, nothing, chance, share):
    lost = (chance < share).unsqueeze(1)
    return torch.where(lost, nothing, condition)
"""
GUIDE = """
def guide(net, x, t, c, null, w):
    with_it = net(x, t, c)
    without = net(x, t, null.expand(c.shape))
    return without + w * (with_it - without)
"""
KERNEL = """
def kernel_distance(one, other):
    def k(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3
    n, m = len(one), len(other)
    xx, yy, xy = k(one, one), k(other, other), k(one, other)
    a = (xx.sum() - xx.diagonal().sum()) / (n * (n - 1))
    b = (yy.sum() - yy.diagonal().sum()) / (m * (m - 1))
    return a + b - 2 * xy.mean()
"""
UP = """
def upsampler_loss(network, picture, noise, time, small_noise, spoilt):
    small = F.avg_pool2d(picture, 2)
    small = add_noise(small, small_noise, spoilt)
    noisy = add_noise(picture, noise, time)
    v = network(noisy, time, small, spoilt)
    return F.mse_loss(v, velocity(picture, noise, time))
"""
WALK = """
def walk(network, x, times):
    for i in range(len(times) - 1):
        now = torch.full((len(x),), times[i], device=x.device)
        then = torch.full((len(x),), times[i + 1], device=x.device)
        clean, noise = clean_and_noise(x, network(x, now), now)
        x = add_noise(clean, noise, then)
    return x
"""
WRONG = [
    ("drop_condition", DROP.replace("lost, nothing, condition", "lost, condition, nothing"), "The two are swapped"),
    ("drop_condition", DROP.replace("chance < share", "chance > share"), "the wrong way round"),
    ("drop_condition", DROP.replace("chance < share", "chance <= share"), "even where the share is 0"),
    ("drop_condition", DROP.replace("lost, nothing,", "lost, torch.zeros_like(condition),"), "need not be zeros"),
    ("drop_condition", DROP.replace("nothing, condition)", "nothing, condition / (1 - share + 1e-9))"), "as lab 03's"),
    ("drop_condition", DROP.replace("lost, nothing", "lost, condition + nothing"), "added to the condition"),
    ("drop_condition", DROP.replace("    return torch.where(lost, nothing, condition)", "    return condition[~lost[:, 0]]"),
     "threw the pictures out"),
    ("drop_condition", DROP.replace("(chance < share).unsqueeze(1)", "(chance < share).any()"), "all do"),
    ("drop_condition", DROP.replace("(chance < share).unsqueeze(1)",
                                    "(torch.arange(len(chance)) < share * len(chance)).unsqueeze(1)"), "the first ones"),
    ("drop_condition", DROP.replace("    return torch.where(lost, nothing, condition)",
                                    "    return share * nothing + (1 - share) * condition"), "mixed with nothing a little"),
    ("drop_condition", DROP.replace("(chance < share).unsqueeze(1)", "(chance < 1 - share).unsqueeze(1)"), "keeps its"),
    ("guide", GUIDE.replace("return without + w", "return with_it + w"), "other way of counting"),
    ("guide", GUIDE.replace("return without + w * (with_it - without)", "return (1 + w) * with_it - w * without"),
     "other way of counting"),
    ("guide", GUIDE.replace("return without + w * (with_it - without)", "return w * without + (1 - w) * with_it"),
     "wrong end"),
    ("guide", GUIDE.replace("without + w * (with_it - without)", "without - w * (with_it - without)"), "went away from"),
    ("guide", GUIDE.replace("without + w * (with_it - without)", "w * (with_it - without)"), "the difference alone"),
    ("guide", GUIDE.replace("without + w * (with_it - without)", "w * with_it - without"), "add up to 1"),
    ("guide", GUIDE.replace("null.expand(c.shape)", "torch.zeros_like(c)"), "Zeros stood for"),
    ("guide", GUIDE.replace("null.expand(c.shape)", "0 * c"), "Zeros stood for"),
    ("guide", GUIDE.replace("without + w * (with_it - without)", "with_it"), "The weight does nothing"),
    ("guide", GUIDE.replace("null.expand(c.shape)", "c"), "The weight does nothing"),
    ("guide", GUIDE.replace("null.expand(c.shape)", "c + null"), "added to the condition"),
    ("guide", GUIDE.replace("+ w *", "+ min(w, 1) *"), "cut off at 1"),
    ("guide", GUIDE.replace("without + w * (with_it - without)", "without + w * with_it"), "whole answer"),
    ("kernel_distance", KERNEL.replace("(xx.sum() - xx.diagonal().sum()) / (n * (n - 1))", "xx.mean()").replace(
        "(yy.sum() - yy.diagonal().sum()) / (m * (m - 1))", "yy.mean()"), "compared with itself"),
    ("kernel_distance", KERNEL.replace("(n * (n - 1))", "n ** 2").replace("(m * (m - 1))", "m ** 2"),
     "counted in the division"),
    ("kernel_distance", KERNEL.replace("- xx.diagonal().sum()", "").replace("- yy.diagonal().sum()", ""),
     "but not of the sum"),
    ("kernel_distance", KERNEL.replace("- xx.diagonal().sum()", "- n").replace("- yy.diagonal().sum()", "- m"),
     "You took 1 for each"),
    ("kernel_distance", KERNEL.replace(" / x.shape[1]", ""), "division by d is missing"),
    ("kernel_distance", KERNEL.replace(" / x.shape[1]", " / x.shape[0]"), "number of pictures"),
    ("kernel_distance", KERNEL.replace(" + 1) ** 3", ") ** 3"), "The 1 is missing"),
    ("kernel_distance", KERNEL.replace("** 3", "** 2"), "was squared"),
    ("kernel_distance", KERNEL.replace("- 2 * xy", "- xy"), "taken away twice"),
    ("kernel_distance", KERNEL.replace("- 2 * xy.mean()", ""), "between the sets are missing"),
    ("kernel_distance", KERNEL.replace("- 2 * xy", "+ 2 * xy"), "were added"),
    ("kernel_distance", KERNEL.replace("    n, m", "    s = min(len(one), len(other))\n    one, other = one[:s], other[:s]\n    n, m"),
     "size of the smaller"),
    ("kernel_distance", KERNEL.replace("return a + b - 2 * xy.mean()", "return (a + b - 2 * xy.mean()).clamp(min=0)"),
     "cut off"),
    ("kernel_distance", KERNEL.replace("return a + b - 2 * xy.mean()", "return abs(a + b - 2 * xy.mean())"), "sign"),
    ("kernel_distance", KERNEL.replace("return a + b - 2 * xy.mean()", "return 1000 * (a + b - 2 * xy.mean())"), "1,000"),
    ("upsampler_loss", UP.replace("    small = add_noise(small, small_noise, spoilt)\n", ""), "was not spoiled"),
    ("upsampler_loss", UP.replace("small_noise, spoilt)\n    noisy", "small_noise, time)\n    noisy"), "time of its own"),
    ("upsampler_loss", UP.replace("time, small, spoilt)", "time, small, time)"), "the large picture's time for both"),
    ("upsampler_loss", UP.replace("time, small, spoilt)", "time, small, torch.zeros_like(spoilt))"), "is clean"),
    ("upsampler_loss", UP.replace("time, small, spoilt)", "spoilt, small, time)"), "wrong way round"),
    ("upsampler_loss", UP.replace("network(noisy,", "network(picture,"), "without noise"),
    ("upsampler_loss", UP.replace("velocity(picture, noise, time)", "noise"), "held to the noise"),
    ("upsampler_loss", UP.replace("velocity(picture, noise, time)", "picture"), "held to the clean picture"),
    ("upsampler_loss", UP.replace("F.avg_pool2d(picture, 2)", "picture[:, :, ::2, ::2]"), "every second pixel"),
    ("upsampler_loss", UP.replace("F.avg_pool2d(picture, 2)", "F.max_pool2d(picture, 2)"), "largest of each block"),
    ("upsampler_loss", UP.replace("F.avg_pool2d(picture, 2)", "F.avg_pool2d(add_noise(picture, noise, time), 2)"),
     "made of the noisy large one"),
    ("upsampler_loss", UP.replace("small_noise, spoilt)\n    noisy", "F.avg_pool2d(noise, 2), spoilt)\n    noisy"),
     "noise of its own"),
    ("upsampler_loss", UP.replace("velocity(picture, noise, time)", "velocity(picture, noise, spoilt)"),
     "the large picture's"),
    ("upsampler_loss", UP.replace("network(noisy, time,", "network(noisy, time[:, None],"), "one time for each thing"),
    ("upsampler_loss", UP.replace("network(noisy, time, small, spoilt)", "network(noisy, time, small, spoilt).detach()"), "no network can be trained"),
    ("guide", GUIDE.replace("null.expand(c.shape)", "null"), "one condition for each thing"),
    ("walk", WALK.replace("add_noise(clean, noise, then)", "add_noise(clean, torch.randn_like(x), then)"), "goes on with the noise that it found"),
    ("walk", WALK.replace("network(x, now), now", "network(x, then), now"), "step's end"),
    ("walk", WALK.replace("noise, then)", "noise, now)"), "Nothing moves"),
    ("walk", WALK.replace("clean, noise = ", "noise, clean = "), "clean thing first"),
    ("walk", WALK.replace("range(len(times) - 1)", "range(len(times) - 2)"), "The last step is missing"),
    ("walk", WALK.replace("range(len(times) - 1)", "range(1, len(times) - 1)"), "The first step is missing"),
    ("walk", WALK.replace("    for i", "    times = sorted(times)\n    for i"), "always walks up"),
    ("walk", WALK.replace("    for i", "    times = sorted(times, reverse=True)\n    for i"), "always walks down"),
    ("walk", WALK.replace("add_noise(clean,", "add_noise(clean.clamp(-1, 1),"), "clamped"),
    ("walk", WALK.replace("x = add_noise(clean, noise, then)", "x = clean"), "guess of the clean thing"),
    ("walk", WALK.replace("        clean, noise = clean_and_noise(x, network(x, now), now)\n        x = add_noise(clean, noise, then)",
                          "        x = x + (times[i + 1] - times[i]) * network(x, now)"), "flow matching"),
    ("walk", WALK.replace("x, network(x, now), now", "network(x, now), x, now"), "takes the noisy thing first"),
    ("walk", WALK.replace("add_noise(clean, noise,", "add_noise(x, noise,"), "has some already"),
]  # fmt: skip

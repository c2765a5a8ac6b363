"""Lab 06's answers, right and wrong, as learners write them."""

import numpy as np
import torch


def parameters_by_one_formula(dim, blocks, hidden):
    return blocks * (4 * dim**2 + 2 * dim * hidden + 9 * dim + hidden) + 2 * dim


def parameters_in_a_loop(width, depth, inner):
    total = 0
    for _ in range(depth):
        for _ in range(4):
            total += width * width + width
        total += (width + 1) * inner + (inner + 1) * width + 4 * width
    return total + 2 * width


def flops_written_out(dim, blocks, hidden, context=64, vocabulary=256):
    forward = 2 * parameters_by_one_formula(dim, blocks, hidden) + 2 * dim * vocabulary
    forward += blocks * (2 * dim * context / 2 + 2 * dim * context / 2)
    return 3 * forward


def flops_with_the_given_parameters(dim, blocks, hidden, context=64, vocabulary=256):
    return 6.0 * (blocks * dim * context + vocabulary * dim) + 6 * parameters_in_a_loop(dim, blocks, hidden)


def law_by_lstsq(sizes, losses):
    n, y = torch.tensor(sizes, dtype=torch.float64), torch.tensor(losses, dtype=torch.float64)
    found = []
    for step in range(2, 151):
        alpha = step / 100
        columns = torch.stack([torch.ones_like(n), n**-alpha], dim=1)
        floor, slope = torch.linalg.lstsq(columns, y[:, None]).solution[:, 0].tolist()
        if floor < 0:
            continue
        found.append((float((floor + slope * n**-alpha - y).square().sum()), floor, slope, alpha))
    return min(found)[1:]


def law_with_means(sizes, losses):
    n, y = np.asarray(sizes, float), np.asarray(losses, float)
    best = None
    for alpha in np.linspace(0.02, 1.5, 149):
        x = n**-alpha
        slope = ((x - x.mean()) * (y - y.mean())).mean() / ((x - x.mean()) ** 2).mean()
        floor = y.mean() - slope * x.mean()
        error = np.mean((floor + slope * x - y) ** 2)
        if floor >= 0 and (best is None or error < best[0]):
            best = (error, floor, slope, alpha)
    return best[1], best[2], best[3]


def valley_by_derivative(sizes, losses):
    curve = np.poly1d(np.polyfit(np.log(sizes), losses, 2))
    return np.exp(curve.deriv().roots[0])


def valley_with_log10(sizes, losses):
    a, b, _ = np.polyfit(np.log10(sizes), losses, 2)
    return 10 ** (-b / a / 2)


def valley_by_lstsq(sizes, losses):
    x = torch.tensor(sizes, dtype=torch.float64).log()
    columns = torch.stack([x**2, x, torch.ones_like(x)], dim=1)
    a, b, _ = torch.linalg.lstsq(columns, torch.tensor(losses, dtype=torch.float64)[:, None]).solution[:, 0]
    return (-b / (2 * a)).exp().item()


def block_in_two_lines(x, norm, attention, feed_forward):
    n = norm(x)
    both = feed_forward(n) + attention(n)
    return both + x


def block_by_sum(x, norm, attention, feed_forward):
    n = norm(x)
    return sum([x, attention(n), feed_forward(n)])


def route_by_sorting(scores, top):
    p = torch.softmax(scores, -1)
    order = p.argsort(-1, descending=True)[:, :top]
    picked = p.gather(-1, order)
    n = p.shape[1]
    share = torch.stack([(order == e).to(p.dtype).mean() for e in range(n)])
    return picked / picked.sum(1, True), order, n * torch.dot(share, p.mean(0))


def route_by_a_second_softmax(scores, top):
    best, chosen = scores.topk(top)
    counts = torch.zeros_like(scores).scatter(1, chosen, 1.0).sum(0)
    share = counts / counts.sum()
    mean = scores.softmax(-1).mean(0)
    return best.softmax(-1), chosen, scores.shape[1] * (share * mean).sum()


def exchanged_without_a_helper(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    held = parameters / slices / stages
    a = 4 * held * (replicas - 1) / replicas
    b = 4 * (slices - 1) / slices * (tokens * dim / replicas) * 2 * (blocks / stages)
    c = 0.0
    if stages > 1:
        c = 4 * tokens * dim / replicas / slices
    return a, b, c


def exchanged_by_cases(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    out = [0, 0, 0]
    if replicas > 1:
        out[0] = 2 * (1 - 1 / replicas) * 2 * parameters / (slices * stages)
    if slices > 1:
        out[1] = 2 * (1 - 1 / slices) * 2 * 2 * blocks / stages * tokens / replicas * dim
    if stages > 1:
        out[2] = 2 * 2 * tokens / replicas * dim / slices
    return tuple(out)


RIGHT = {
    "parameters": [parameters_by_one_formula, parameters_in_a_loop],
    "flops": [flops_written_out, flops_with_the_given_parameters],
    "fit_power": [law_by_lstsq, law_with_means],
    "valley": [valley_by_derivative, valley_with_log10, valley_by_lstsq],
    "parallel_block": [block_in_two_lines, block_by_sum],
    "route": [route_by_sorting, route_by_a_second_softmax],
    "exchanged": [exchanged_without_a_helper, exchanged_by_cases],
}


PARAMETERS = """
def parameters(dim, blocks, hidden):
    attention = 4 * (dim**2 + dim)
    network = dim * hidden + hidden + hidden * dim + dim
    return blocks * (attention + network + 4 * dim) + 2 * dim
"""
FLOPS = """
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    scores = dim * vocabulary
    attention = blocks * 2 * dim * context / 2
    return 6 * (parameters(dim, blocks, hidden) + scores + attention)
"""
FIT = """
def fit_power(sizes, losses):
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        A, E = np.polyfit(x, losses, 1)
        error = ((E + A * x - losses) ** 2).sum()
        if E >= 0 and error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
"""
VALLEY = """
def valley(sizes, losses):
    a, b, c = np.polyfit(np.log(sizes), losses, 2)
    return float(np.exp(-b / (2 * a)))
"""
ROUTE = """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().mean(dim=(0, 1))
    balance = n * (share * p.mean(dim=0)).sum()
    return largest / largest.sum(-1, keepdim=True), chosen, balance
"""
BLOCK = """
def parallel_block(x, norm, attention, feed_forward):
    n = norm(x)
    return x + attention(n) + feed_forward(n)
"""
EXCHANGED = """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = 2 * 2 * stream / slices if stages > 1 else 0
    return gradients, sums, handed_on
"""
WRONG = [
    ("parameters", "def parameters(dim, blocks, hidden):\n    return 12 * blocks * dim**2", "close"),
    ("parameters", PARAMETERS.replace("(dim**2 + dim)", "(dim**2 + 1)"), "bias has dim numbers"),
    ("parameters", PARAMETERS.replace("hidden + hidden * dim + dim", "hidden * dim"), "biases are missing"),
    ("parameters", PARAMETERS.replace("4 * (dim**2", "3 * (dim**2"), "four matrices"),
    ("parameters", PARAMETERS.replace(") + 2 * dim", ")"), "behind the last block"),
    ("flops", FLOPS.replace(" + scores + attention)", ")"), "scores are missing"),
    ("flops", FLOPS.replace("context / 2", "context"), "half of the context"),
    ("flops", FLOPS.replace("blocks * 2 * dim", "2 * dim"), "Each block has its attention"),
    ("flops", FLOPS.replace("6 * (", "2 * ("), "way forward"),
    ("fit_power", FIT.replace("E >= 0 and ", ""), "below zero is out"),
    ("fit_power", FIT.replace("A, E = ", "E, A = "), "slope first"),
    ("fit_power", FIT.replace("((E + A * x - losses) ** 2).sum()", "abs((E + A * x - losses).sum())"), "cancel"),
    ("fit_power", FIT.replace("E + A * x", "A + E * x"), "E is where the line starts"),
    ("fit_power", FIT.replace("E + A * x", "A * x"), "E is missing"),
    ("fit_power", FIT.replace("x = sizes**-alpha", "x = np.log(sizes)"), "whatever alpha is"),
    ("fit_power", FIT.replace("        error", "        E = max(E, 0)\n        error"), "before the error is measured"),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    slope, start = np.polyfit(np.log(sizes), np.log(losses), 1)
    return 0.0, float(np.exp(start)), float(-slope)
""",
        "without a floor",
    ),
    ("valley", VALLEY.replace("np.log(sizes)", "sizes"), "logarithm of the size"),
    ("valley", VALLEY.replace("np.log(sizes)", "sizes").replace("np.exp", ""), "logarithm of the size"),
    ("valley", VALLEY.replace("np.exp", ""), "np.exp"),
    ("valley", VALLEY.replace("np.log", "np.log10"), "log"),
    ("valley", VALLEY.replace("a, b, c =", "b, a, c ="), "highest power first"),
    ("valley", "def valley(sizes, losses):\n    return sizes[np.argmin(losses)]", "may lie between"),
    ("parallel_block", BLOCK.replace("feed_forward(n)", "feed_forward(norm(x + attention(n)))"), "GPT's block"),
    ("parallel_block", BLOCK.replace("return x", "return n"), "not its normalised copy"),
    ("parallel_block", BLOCK.replace("return x + ", "return "), "residual"),
    ("parallel_block", BLOCK.replace("return x", "return 2 * x"), "x counts once"),
    ("route", ROUTE.replace(" / largest.sum(-1, keepdim=True)", ""), "do not sum to one"),
    ("route", ROUTE.replace(".mean(dim=(0, 1))", ".sum(dim=1).mean(dim=0)"), "divide by `top`"),
    ("route", ROUTE.replace("(chosen, n).float().mean(dim=(0, 1))", "(chosen[:, 0], n).float().mean(dim=0)"), "first"),
    ("route", ROUTE.replace("softmax(dim=-1)", "softmax(dim=0)"), "over the tokens"),
    ("route", ROUTE.replace("balance = n * ", "balance = "), "number of experts"),
    ("route", ROUTE.replace(".sum()", ".mean()"), "a mean stands where"),
    ("route", ROUTE.replace(".float()", ""), "whole numbers, where floats"),
    ("route", ROUTE.replace("share * p", "share * p.detach()"), "cannot teach the router"),
    ("route", ROUTE.replace("p.topk", "p.detach().topk"), "The weights have no gradient"),
    ("exchanged", EXCHANGED.replace("return 2 * 2 * (", "return 2 * ("), "One of the twos is missing"),
    ("exchanged", EXCHANGED.replace("tokens / replicas", "tokens"), "its part of the batch"),
    ("exchanged", EXCHANGED.replace(" / (slices * stages)", ""), "share 1 / (slices"),
    ("exchanged", EXCHANGED.replace("(slices * stages)", "(slices * stages * replicas)"), "do not share"),
    ("exchanged", EXCHANGED.replace(" if stages > 1 else 0", ""), "nobody to hand on"),
    ("exchanged", EXCHANGED.replace("2 * 2 * stream / slices if stages > 1 else 0", "ring(stages, stream / slices)"),
     "Stages are no ring"),
]  # fmt: skip

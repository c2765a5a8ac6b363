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

WRONG = [
    (
        "parameters",
        """
def parameters(dim, blocks, hidden):
    return 12 * blocks * dim**2
""",
        "close",
    ),
    (
        "parameters",
        """
def parameters(dim, blocks, hidden):
    attention = 4 * dim**2 + 4
    network = 2 * dim * hidden + dim + hidden
    return blocks * (attention + network + 4 * dim) + 2 * dim
""",
        "bias has dim numbers",
    ),
    (
        "parameters",
        """
def parameters(dim, blocks, hidden):
    attention = 4 * (dim**2 + dim)
    network = 2 * dim * hidden
    return blocks * (attention + network + 4 * dim)
""",
        "biases are missing",
    ),
    (
        "parameters",
        """
def parameters(dim, blocks, hidden):
    attention = 3 * (dim**2 + dim)
    network = dim * hidden + hidden + hidden * dim + dim
    return blocks * (attention + network + 4 * dim) + 2 * dim
""",
        "four matrices",
    ),
    (
        "parameters",
        """
def parameters(dim, blocks, hidden):
    attention = 4 * (dim**2 + dim)
    network = dim * hidden + hidden + hidden * dim + dim
    return blocks * (attention + network + 4 * dim)
""",
        "behind the last block",
    ),
    (
        "flops",
        """
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    return 6 * parameters(dim, blocks, hidden)
""",
        "scores are missing",
    ),
    (
        "flops",
        """
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    scores = dim * vocabulary
    attention = blocks * 2 * dim * context
    return 6 * (parameters(dim, blocks, hidden) + scores + attention)
""",
        "half of the context",
    ),
    (
        "flops",
        """
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    scores = 6 * dim * vocabulary
    attention = 6 * 2 * dim * context / 2
    return 6 * parameters(dim, blocks, hidden) + scores + attention
""",
        "Each block has its attention",
    ),
    (
        "flops",
        """
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    scores = dim * vocabulary
    attention = blocks * dim * context
    return 2 * (parameters(dim, blocks, hidden) + scores + attention)
""",
        "way forward",
    ),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        A, E = np.polyfit(x, losses, 1)
        error = ((E + A * x - losses) ** 2).sum()
        if error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
""",
        "below zero is out",
    ),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        E, A = np.polyfit(x, losses, 1)
        error = ((E + A * x - losses) ** 2).sum()
        if E >= 0 and error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
""",
        "slope first",
    ),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    slope, start = np.polyfit(np.log(sizes), np.log(losses), 1)
    return 0.0, float(np.exp(start)), float(-slope)
""",
        "without a floor",
    ),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        A, E = np.polyfit(x, losses, 1)
        error = abs((E + A * x - losses).sum())
        if E >= 0 and error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
""",
        "cancel",
    ),
    (
        "valley",
        """
def valley(sizes, losses):
    a, b, c = np.polyfit(sizes, losses, 2)
    return -b / (2 * a)
""",
        "logarithm of the size",
    ),
    (
        "valley",
        """
def valley(sizes, losses):
    a, b, c = np.polyfit(np.log(sizes), losses, 2)
    return -b / (2 * a)
""",
        "np.exp",
    ),
    (
        "valley",
        """
def valley(sizes, losses):
    return sizes[np.argmin(losses)]
""",
        "may lie between",
    ),
    (
        "valley",
        """
def valley(sizes, losses):
    a, b, c = np.polyfit(np.log10(sizes), losses, 2)
    return np.exp(-b / (2 * a))
""",
        "log",
    ),
    (
        "parallel_block",
        """
def parallel_block(x, norm, attention, feed_forward):
    y = x + attention(norm(x))
    return y + feed_forward(norm(y))
""",
        "GPT's block",
    ),
    (
        "parallel_block",
        """
def parallel_block(x, norm, attention, feed_forward):
    n = norm(x)
    return n + attention(n) + feed_forward(n)
""",
        "not its normalised copy",
    ),
    (
        "parallel_block",
        """
def parallel_block(x, norm, attention, feed_forward):
    n = norm(x)
    return attention(n) + feed_forward(n)
""",
        "residual",
    ),
    (
        "parallel_block",
        """
def parallel_block(x, norm, attention, feed_forward):
    n = norm(x)
    return (x + attention(n)) + (x + feed_forward(n))
""",
        "x counts once",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    weights, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().mean(dim=(0, 1))
    return weights, chosen, n * (share * p.mean(dim=0)).sum()
""",
        "do not sum to one",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().sum(dim=1).mean(dim=0)
    return largest / largest.sum(-1, keepdim=True), chosen, n * (share * p.mean(dim=0)).sum()
""",
        "divide by `top`",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen[:, 0], n).float().mean(dim=0)
    return largest / largest.sum(-1, keepdim=True), chosen, n * (share * p.mean(dim=0)).sum()
""",
        "Only first choices",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=0)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().mean(dim=(0, 1))
    return largest / largest.sum(-1, keepdim=True), chosen, n * (share * p.mean(dim=0)).sum()
""",
        "over the tokens",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().mean(dim=(0, 1))
    return largest / largest.sum(-1, keepdim=True), chosen, (share * p.mean(dim=0)).sum()
""",
        "number of experts is missing",
    ),
    (
        "exchanged",
        """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = 2 * stream / slices if stages > 1 else 0
    return gradients, sums, handed_on
""",
        "two bytes a number",
    ),
    (
        "exchanged",
        """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = 2 * 2 * stream / slices if stages > 1 else 0
    return gradients, sums, handed_on
""",
        "its part of the batch",
    ),
    (
        "exchanged",
        """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters)
    sums = ring(slices, stream) * 2 * blocks
    handed_on = 2 * 2 * stream / slices if stages > 1 else 0
    return gradients, sums, handed_on
""",
        "share 1 / (slices",
    ),
    (
        "exchanged",
        """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = 2 * 2 * stream / slices
    return gradients, sums, handed_on
""",
        "nobody to hand on",
    ),
    (
        "valley",
        """
def valley(sizes, losses):
    a, b, c = np.polyfit(sizes, losses, 2)
    return float(np.exp(-b / (2 * a)))
""",
        "logarithm of the size",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).mean(dim=(0, 1))
    return largest / largest.sum(-1, keepdim=True), chosen, n * (share * p.mean(dim=0)).sum()
""",
        "whole numbers, where floats",
    ),
    (
        "route",
        """
def route(scores, top):
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    n = scores.shape[1]
    share = F.one_hot(chosen, n).float().mean(dim=(0, 1))
    balance = n * (share * p.detach().mean(dim=0)).sum()
    return largest / largest.sum(-1, keepdim=True), chosen, balance
""",
        "cannot teach the router",
    ),
    (
        "exchanged",
        """
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = ring(stages, stream / slices)
    return gradients, sums, handed_on
""",
        "Stages are no ring",
    ),
    (
        "fit_power",
        """
def fit_power(sizes, losses):
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        A, E = np.polyfit(x, losses, 1)
        error = ((A + E * x - losses) ** 2).sum()
        if E >= 0 and error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
""",
        "E is where the line starts",
    ),
]

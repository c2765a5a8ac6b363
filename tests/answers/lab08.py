"""Lab 08's answers, right and wrong, as learners write them."""

import math

import torch
import torch.nn.functional as F


def noise_by_expand(clean, noise, kept):
    amount = kept.view(len(kept), *(1 for _ in clean.shape[1:])).expand_as(clean)
    return torch.sqrt(amount) * clean + torch.sqrt(1 - amount) * noise


def noise_by_loop(x, eps, alpha_bar):
    rows = [a**0.5 * one + (1 - a) ** 0.5 * e for one, e, a in zip(x, eps, alpha_bar, strict=True)]
    return torch.stack(rows)


def noise_by_einsum(clean, noise, kept):
    return torch.einsum("b,b...->b...", kept.sqrt(), clean) + torch.einsum("b,b...->b...", (1 - kept).sqrt(), noise)


def back_by_angle(noisy, velocity, kept):
    angle = torch.atan2((1 - kept).sqrt(), kept.sqrt())
    while angle.ndim < noisy.ndim:
        angle = angle.unsqueeze(-1)
    return angle.cos() * noisy - angle.sin() * velocity, angle.sin() * noisy + angle.cos() * velocity


def back_by_transpose(noisy, velocity, kept):
    """With the batch last, amounts multiply things by themselves."""
    x, v = noisy.movedim(0, -1), velocity.movedim(0, -1)
    signal, level = kept**0.5, (1 - kept) ** 0.5
    return [(signal * x - level * v).movedim(-1, 0), (level * x + signal * v).movedim(-1, 0)]


def back_by_loop(noisy, velocity, kept):
    pairs = [
        (math.sqrt(a) * x - math.sqrt(1 - a) * v, math.sqrt(1 - a) * x + math.sqrt(a) * v)
        for x, v, a in zip(noisy, velocity, kept.tolist(), strict=True)
    ]
    return torch.stack([clean for clean, _ in pairs]), torch.stack([noise for _, noise in pairs])


def loss_by_angle(network, clean, noise, time):
    angle = (time * math.pi / 2).view(-1, *([1] * (clean.dim() - 1)))
    c, s = torch.cos(angle), torch.sin(angle)
    return F.mse_loss(network(c * clean + s * noise, time), c * noise - s * clean)


def loss_by_rows(network, clean, noise, time):
    angle = (time * (math.pi / 2)).reshape(-1, 1)
    x, e = clean.flatten(1), noise.flatten(1)
    noisy = (angle.cos() * x + angle.sin() * e).reshape(clean.shape)
    error = network(noisy, time).flatten(1) - (angle.cos() * e - angle.sin() * x)
    return error.pow(2).mean(dim=1).mean()


def loss_by_derivative(network, clean, noise, time):
    """The velocity is how the noisy thing changes with the angle."""
    turn = (time * math.pi / 2).reshape(-1, *[1] * (clean.ndim - 1))
    now = turn.cos() * clean + turn.sin() * noise
    later = (turn + math.pi / 2).cos() * clean + (turn + math.pi / 2).sin() * noise
    return ((network(now, time) - later) ** 2).mean()


def posterior_by_beta(x0, xt, bar_t, bar_s):
    beta = 1 - bar_t / bar_s
    mean = (bar_s**0.5 * beta * x0 + (1 - beta) ** 0.5 * (1 - bar_s) * xt) / (1 - bar_t)
    return mean, ((1 - bar_s) / (1 - bar_t) * beta) ** 0.5


def posterior_by_bayes(clean, noisy, now, then):
    """Two normal distributions, multiplied: the one from the clean thing, the other from the noisy one."""
    alpha, before = now / then, 1 - then
    if before == 0:
        return clean.clone(), torch.tensor(0.0)
    if alpha == 0:
        return math.sqrt(then) * clean, math.sqrt(before)
    precision = 1 / before + alpha / (1 - alpha)
    mean = (math.sqrt(then) * clean / before + math.sqrt(alpha) * noisy / (1 - alpha)) / precision
    return mean, math.sqrt(1 / precision)


def posterior_by_tensors(clean, noisy, kept_now, kept_then):
    now, then = torch.as_tensor(kept_now), torch.as_tensor(kept_then)
    a = now / then
    weights = torch.stack([then.sqrt() * (1 - a), a.sqrt() * (1 - then)]) / (1 - now)
    return weights[0] * clean + weights[1] * noisy, torch.sqrt((1 - a) * (1 - then) / (1 - now))


def ddim_by_ratio(clean, noisy, kept_now, kept_then):
    ratio = ((1 - kept_then) / (1 - kept_now)) ** 0.5
    return ratio * noisy + (kept_then**0.5 - ratio * kept_now**0.5) * clean


def ddim_by_angle(clean, noisy, now, then):
    a, b = math.acos(math.sqrt(now)), math.acos(math.sqrt(then))
    eps = (noisy - math.cos(a) * clean) / math.sin(a)
    return math.cos(b) * clean + math.sin(b) * eps


def ddim_by_velocity(clean, noisy, now, then):
    signal, level = math.sqrt(now), math.sqrt(1 - now)
    v = (signal * noisy - clean) / level
    eps = level * noisy + signal * v
    return torch.lerp(torch.zeros_like(eps), eps, math.sqrt(1 - then)) + math.sqrt(then) * clean


def euler_by_times(network, noise, steps):
    times = torch.linspace(1, 0, steps + 1, device=noise.device)
    x = noise.clone()
    for now, then in zip(times[:-1], times[1:], strict=True):
        x = x + (then - now) * network(x, now.expand(len(x)))
    return x


def euler_by_while(model, x, n):
    left = n
    while left > 0:
        x = x - model(x, x.new_full((x.shape[0],), left / n)) * (1 / n)
        left -= 1
    return x


def euler_by_recursion(network, noise, steps, left=None):
    left = steps if left is None else left
    if left == 0:
        return noise
    time = torch.ones(noise.shape[0], device=noise.device) * left / steps
    return euler_by_recursion(network, noise - network(noise, time) / steps, steps, left - 1)


def guess_by_broadcast(noisy, known, kept):
    gap = noisy[:, None] - kept**0.5 * known[None]
    weights = torch.softmax(-(gap**2).sum(-1) / 2 / (1 - kept), dim=-1)
    return (weights[..., None] * known).sum(1)


def guess_by_products(noisy, known, kept):
    """What is the same for all known things falls out of the softmax."""
    signal = math.sqrt(kept)
    score = signal * noisy @ known.T - kept * known.pow(2).sum(1) / 2
    return F.softmax(score / (1 - kept), 1) @ known


def guess_by_loop(noisy, known, kept):
    out = []
    for x in noisy:
        log_p = -((x - math.sqrt(kept) * known) ** 2).sum(1) / (2 * (1 - kept))
        p = (log_p - log_p.max()).exp()
        out.append((p[:, None] * known).sum(0) / p.sum())
    return torch.stack(out)


def loss_with_a_fixed_target(network, clean, noise, time):
    with torch.no_grad():
        turn = (time * math.pi / 2).reshape(-1, *[1] * (clean.ndim - 1))
        noisy, target = turn.cos() * clean + turn.sin() * noise, turn.cos() * noise - turn.sin() * clean
    return F.mse_loss(network(noisy, time), target)


RIGHT = {
    "add_noise": [noise_by_expand, noise_by_loop, noise_by_einsum],
    "clean_and_noise": [back_by_angle, back_by_transpose, back_by_loop],
    "velocity_loss": [loss_by_angle, loss_by_rows, loss_by_derivative, loss_with_a_fixed_target],
    "posterior": [posterior_by_beta, posterior_by_bayes, posterior_by_tensors],
    "ddim_step": [ddim_by_ratio, ddim_by_angle, ddim_by_velocity],
    "euler": [euler_by_times, euler_by_while, euler_by_recursion],
    "best_guess": [guess_by_broadcast, guess_by_products, guess_by_loop],
}

NOISE = """
def add_noise(clean, noise, kept):
    a = kept.view(-1, *[1] * (clean.dim() - 1))
    return torch.sqrt(a) * clean + torch.sqrt(1 - a) * noise
"""
BACK = """
def clean_and_noise(noisy, velocity, kept):
    k = kept.view(-1, *[1] * (noisy.dim() - 1))
    c, s = torch.sqrt(k), torch.sqrt(1 - k)
    x0 = c * noisy - s * velocity
    eps = s * noisy + c * velocity
    return x0, eps
"""
LOSS = """
def velocity_loss(network, clean, noise, time):
    angle = (time * math.pi / 2).view(-1, *[1] * (clean.dim() - 1))
    c, s = angle.cos(), angle.sin()
    x = c * clean + s * noise
    v = c * noise - s * clean
    return F.mse_loss(network(x, time), v)
"""
POSTERIOR = """
def posterior(clean, noisy, kept_now, kept_then):
    a = kept_now / kept_then
    b = 1 - a
    mean = (kept_then ** 0.5 * b * clean + a ** 0.5 * (1 - kept_then) * noisy) / (1 - kept_now)
    var = b * (1 - kept_then) / (1 - kept_now)
    return mean, var ** 0.5
"""
DDIM = """
def ddim_step(clean, noisy, kept_now, kept_then):
    eps = (noisy - kept_now ** 0.5 * clean) / (1 - kept_now) ** 0.5
    return kept_then ** 0.5 * clean + (1 - kept_then) ** 0.5 * eps
"""
EULER = """
def euler(network, noise, steps):
    x, dt = noise, 1 / steps
    for i in range(steps):
        t = torch.ones(len(x), device=x.device) * (1 - i * dt)
        x = x - dt * network(x, t)
    return x
"""
GUESS = """
def best_guess(noisy, known, kept):
    d2 = torch.cdist(noisy, kept ** 0.5 * known) ** 2
    p = torch.softmax(-d2 / (2 * (1 - kept)), dim=1)
    return p @ known
"""
WRONG = [
    ("add_noise", NOISE.replace("torch.sqrt(a) * clean", "a * clean"), "Multiply by its square root"),
    ("add_noise", NOISE.replace("torch.sqrt(1 - a)", "(1 - a)"), "its variance 1 − ᾱ"),
    ("add_noise", NOISE.replace("torch.sqrt(1 - a)", "(1 - torch.sqrt(a))"), "subtract first"),
    ("add_noise", NOISE.replace("kept.view(-1, *[1] * (clean.dim() - 1))", "kept"), "along the last axis"),
    ("add_noise", NOISE.replace("torch.sqrt(a) * clean", "clean"), "It fades, too"),
    ("add_noise", NOISE.replace("+ torch", "- torch"), "is added"),
    ("add_noise", NOISE.replace("torch.sqrt(1 - a) * noise", "noise"), "in full"),
    (
        "add_noise",
        "def add_noise(x, e, k):\n    k = k.view(-1, *[1] * (x.dim() - 1))\n    return (1 - k) ** 0.5 * x + k ** 0.5 * e",
        "swapped",
    ),
    ("clean_and_noise", BACK.replace("c * noisy - s", "c * noisy + s"), "velocity's sign is wrong"),
    ("clean_and_noise", BACK.replace("s * noisy + c", "s * noisy - c"), "In the noise the velocity's sign"),
    ("clean_and_noise", BACK.replace("return x0, eps", "return eps, x0"), "wrong order"),
    ("clean_and_noise", BACK.replace("return x0, eps", "return x0"), "Only the clean thing"),
    (
        "clean_and_noise",
        BACK.replace("x0 = c * noisy - s * velocity", "x0 = (noisy - s * velocity) / c"),
        "the *noise*",
    ),
    ("clean_and_noise", BACK.replace("x0 = c * noisy - s * velocity", "x0 = noisy - velocity"), "straight line"),
    ("clean_and_noise", BACK.replace("eps = s * noisy + c * velocity", "eps = (noisy - c * x0) / s"), "by zero"),
    ("clean_and_noise", BACK.replace("kept.view(-1, *[1] * (noisy.dim() - 1))", "kept"), "along the last axis"),
    ("velocity_loss", LOSS.replace("v = c * noise - s * clean", "v = noise"), "the paper's target"),
    ("velocity_loss", LOSS.replace("v = c * noise - s * clean", "v = clean"), "held to the clean thing"),
    ("velocity_loss", LOSS.replace("v = c * noise - s * clean", "v = noise - clean"), "straight line"),
    ("velocity_loss", LOSS.replace("v = c * noise - s", "v = c * noise + s"), "is taken away"),
    ("velocity_loss", LOSS.replace("network(x, time)", "network(clean, time)"), "shown the clean things"),
    ("velocity_loss", LOSS.replace("network(x, time)", "network(x, 1 - time)"), "backwards"),
    ("velocity_loss", LOSS.replace("F.mse_loss(", "F.l1_loss("), "absolute errors"),
    ("velocity_loss", LOSS.replace("time), v)", "time), v, reduction='sum')"), "Take their mean"),
    ("velocity_loss", LOSS.replace("network(x, time)", "network(x, time[:, None])"), "one time for each thing"),
    ("velocity_loss", LOSS.replace("c * noise - s * clean", "math.pi / 2 * (c * noise - s * clean)"), "by the angle"),
    ("velocity_loss", LOSS.replace("network(x, time)", "network(x, time).detach()"), "no gradient comes back"),
    ("posterior", POSTERIOR.replace("return mean, var ** 0.5", "return mean, var"), "returned the variance"),
    ("posterior", POSTERIOR.replace("var ** 0.5", "torch.sqrt(var)"), "of a plain number it is math.sqrt"),
    ("posterior", POSTERIOR.replace("return mean, var ** 0.5", "return mean"), "got a tensor of shape"),
    ("posterior", POSTERIOR.replace("var = b * (1 - kept_then) / (1 - kept_now)", "var = b"), "larger choice"),
    ("posterior", POSTERIOR.replace("a = kept_now / kept_then", "a = kept_now"), "ᾱ was taken for α"),
    ("posterior", POSTERIOR.replace("a = kept_now / kept_then", "a = kept_then"), "earlier time was taken"),
    ("posterior", POSTERIOR.replace("kept_then ** 0.5 * b", "kept_now ** 0.5 * b"), "of the noisier time"),
    ("posterior", POSTERIOR.replace("kept_then ** 0.5 * b", "kept_then * b"), "without its root"),
    ("posterior", POSTERIOR.replace("a ** 0.5 *", "a *"), "α without its root"),
    (
        "posterior",
        POSTERIOR.replace("b * clean", "b * noisy").replace("kept_then) * noisy", "kept_then) * clean"),
        "factors of the mean are swapped",
    ),
    ("ddim_step", "def ddim_step(clean, noisy, now, then):\n    return noisy", "nothing moves"),
    (
        "ddim_step",
        DDIM.replace("kept_now ** 0.5 * clean) / (1 - kept_now) ** 0.5", "kept_now * clean) / (1 - kept_now)"),
        "both roots are missing",
    ),
    ("ddim_step", DDIM.replace(" / (1 - kept_now) ** 0.5", ""), "Divide by that"),
    ("ddim_step", DDIM.replace("/ (1 - kept_now) ** 0.5", "/ (1 - kept_now)"), "divided by the variance"),
    ("ddim_step", DDIM.replace("kept_now ** 0.5 * clean", "clean"), "away whole"),
    ("ddim_step", DDIM.replace("kept_now ** 0.5 * clean", "kept_now * clean"), "without its root"),
    ("ddim_step", DDIM.replace("(1 - kept_then) ** 0.5", "(1 - kept_then)"), "noise was multiplied by a variance"),
    ("ddim_step", DDIM.replace("(1 - kept_then) ** 0.5", "(1 - kept_now) ** 0.5"), "at the last step none is left"),
    ("ddim_step", DDIM.replace("kept_then ** 0.5 * clean", "kept_then * clean"), "clean thing was multiplied"),
    ("ddim_step", "def ddim_step(clean, noisy, a, b):\n    return clean", "to the very end"),
    ("ddim_step", POSTERIOR.replace("posterior", "ddim_step").replace("mean, var ** 0.5", "mean"), "DDPM's"),
    (
        "euler",
        EULER.replace(
            "torch.ones(len(x), device=x.device) * (1 - i * dt)", "torch.tensor(1 - i * dt, device=x.device)"
        ),
        "one time for each thing",
    ),
    ("euler", EULER.replace("(1 - i * dt)", "(i + 1) * dt"), "right times in reverse"),
    ("euler", EULER.replace("x - dt", "x + dt"), "Go against it"),
    ("euler", EULER.replace("x - dt * network", "x - network"), "whole way"),
    ("euler", EULER.replace("1 - i * dt", "i * dt"), "wrong way"),
    ("euler", EULER.replace("1 - i * dt", "1 - (i + 1) * dt"), "off by one"),
    ("euler", EULER.replace("network(x, t)", "network(noise, t)"), "about the noise all along"),
    ("euler", EULER.replace("range(steps)", "range(steps + 1)"), "One step too many"),
    ("euler", EULER.replace("x = x - dt", "x = noise - dt"), "from the noise again"),
    ("euler", EULER.replace("1 - i * dt", "1.0"), "1 all along"),
    ("euler", EULER.replace("1 - i * dt", "steps - i"), "number of the step"),
    (
        "best_guess",
        GUESS.replace("torch.softmax(-d2 / (2 * (1 - kept)), dim=1)", "torch.exp(-d2 / (2 * (1 - kept)))").replace(
            "p @ known", "p / p.sum(1, keepdim=True) @ known"
        ),
        "divide 0 by 0",
    ),
    ("best_guess", GUESS.replace("-d2", "d2"), "The sign is wrong"),
    ("best_guess", GUESS.replace("kept ** 0.5 * known", "known"), "as they are"),
    ("best_guess", GUESS.replace("kept ** 0.5 * known", "kept * known"), "multiplied by ᾱ"),
    ("best_guess", GUESS.replace("dim=1", "dim=0"), "over the noisy things"),
    ("best_guess", GUESS.replace(") ** 2\n", ")\n"), "not squared"),
    ("best_guess", GUESS.replace(" / (2 * (1 - kept))", ""), "variance is missing"),
    ("best_guess", GUESS.replace("(2 * (1 - kept))", "(1 - kept)"), "The 2 is missing"),
    ("best_guess", GUESS.replace("(2 * (1 - kept))", "(2 * (1 - kept) ** 0.5)"), "by the deviation"),
    ("best_guess", GUESS.replace("p @ known", "known[p.argmax(1)]"), "likeliest one alone"),
    ("best_guess", GUESS.replace("p @ known", "p"), "Those are the chances"),
]

"""How a language model's loss falls with its size and its data: the law of Hoffmann et al. 2022, fitted and asked.

L(N, D) = E + A / N^α + B / D^β (eq. 2): what no model could learn, what too small a model misses, and what too little
data leaves out. For given exponents it is linear in E, A and B, so only the two exponents are searched for.
"""

import json
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from squint.data import catalogue


class Law(NamedTuple):
    """The five numbers of the law, for losses in nats a token.

    Attributes:
        E: the loss that is left with endless size and data.
        A, alpha: A / N^alpha is what the size costs.
        B, beta: B / D^beta is what the data costs.
    """

    E: float
    A: float
    alpha: float
    B: float
    beta: float


def predict(law: Law, parameters: Float[Tensor, "*runs"], tokens: Float[Tensor, "*runs"]) -> Float[Tensor, "*runs"]:
    """The loss that the law expects of so many parameters after so many tokens (Hoffmann et al. 2022, eq. 2)."""
    return law.E + law.A * parameters**-law.alpha + law.B * tokens**-law.beta


def _coefficients(
    columns: Float[Tensor, "grid runs 3"], losses: Float[Tensor, " runs"]
) -> tuple[Float[Tensor, "grid 3"], Float[Tensor, " grid"]]:
    """E, A and B ≥ 0 of the least squared relative error for each pair of exponents, and that error."""
    columns = columns / losses[:, None]
    wanted, found = torch.ones_like(columns[..., :1]), torch.zeros_like(columns[:, 0])
    errors = torch.full_like(found[:, 0], float("inf"))
    # What would be negative is zero at best: so each choice of columns is tried, and of those allowed the best is kept.
    for some in ([0, 1, 2], [1, 2], [0, 2], [0, 1], [0]):
        tried = torch.zeros_like(found)
        tried[:, some] = torch.linalg.lstsq(columns[..., some], wanted).solution[..., 0]
        error = (torch.einsum("grc,gc->gr", columns, tried) - 1).square().mean(dim=-1)
        better = (tried >= 0).all(dim=-1) & (error < errors)
        found[better], errors[better] = tried[better], error[better]
    return found, errors


def fit(
    parameters: Float[Tensor, " runs"],
    tokens: Float[Tensor, " runs"],
    losses: Float[Tensor, " runs"],
    *,
    points: int = 25,
    rounds: int = 8,
) -> Law:
    """The law of least squared relative error, by a grid over both exponents that closes in on its best point.

    Args:
        parameters, tokens: of each run.
        losses: of each run, in nats a token.
        points: of the grid, along each exponent.
        rounds: how often it closes in, to a quarter of its width each time; it begins from 0.02 to 1.2.

    Raises:
        ValueError: fewer than five runs, which the five numbers would go through whatever they are.
    """
    if len(losses) < 5:
        raise ValueError(f"five numbers cannot be learned from {len(losses)} runs: take five at least.")
    # Counts are divided by a typical one, so that all three columns are of the same size.
    typical = [each.double().log().mean().exp() for each in (parameters, tokens)]
    sizes, amounts, losses = parameters.double() / typical[0], tokens.double() / typical[1], losses.double()
    low, high = torch.full((2,), 0.02, dtype=torch.double), torch.full((2,), 1.2, dtype=torch.double)
    for _ in range(rounds):
        steps = torch.linspace(0, 1, points, dtype=torch.double)[:, None]
        alpha, beta = (low + steps * (high - low)).unbind(dim=1)
        grid = torch.cartesian_prod(alpha, beta)
        powers = [sizes ** -grid[:, :1], amounts ** -grid[:, 1:]]
        found, errors = _coefficients(torch.stack([torch.ones_like(powers[0]), *powers], dim=-1), losses)
        best = errors.argmin()
        low, high = (grid[best] + sign * (high - low) / 8 for sign in (-1, 1))
        low = low.clamp(min=0.01)
    (e, a, b), (alpha, beta) = found[best], grid[best]
    numbers = (e, a * typical[0] ** alpha, alpha, b * typical[1] ** beta, beta)
    return Law(*(float(number) for number in numbers))


def load() -> dict[str, Any]:
    """The course's table of trained GPTs, one a row of `rows`, and what it says of itself; see `recipes/scaling.py`.

    Raises:
        DataError: the file is missing or not what it was.
    """
    return dict(json.loads(catalogue.path("scaling/table.json").read_text("utf-8")))

"""The smallest classifier of the course: what a picture shows is what its nearest neighbour shows."""

import torch.nn.functional as F
from einops import reduce
from jaxtyping import Float, Int
from torch import Tensor


def shrink(
    images: Float[Tensor, "batch channels height width"], factor: int
) -> Float[Tensor, "batch channels small_height small_width"]:
    """Pictures `factor` times smaller each way: every pixel is the mean of a block of `factor` × `factor` pixels.

    Raises:
        einops.EinopsError: if `factor` does not divide height and width.
    """
    blocks = "batch channels (rows dy) (columns dx) -> batch channels rows columns"
    return reduce(images, blocks, "mean", dy=factor, dx=factor)


def cosine_similarity(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    """The cosine of the angle between every row of `a` and every row of `b`: 1 same way, 0 square on, −1 opposite.

    A row of zeros has no direction; its similarity to anything is 0.
    """
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def nearest(queries: Float[Tensor, "n dim"], memory: Float[Tensor, "m dim"]) -> Int[Tensor, "n"]:
    """For each query the row of the memory that is most like it by cosine similarity: Cover and Hart 1967, k = 1."""
    return cosine_similarity(queries, memory).argmax(dim=1)

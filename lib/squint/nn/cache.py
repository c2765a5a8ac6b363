"""Keys and values of the tokens so far: what a causal attention need not compute again for the next token.

Shazeer 2019, "Fast Transformer Decoding", §2.3, calls it incremental inference.
"""

from copy import copy
from typing import ClassVar, TypeVar

from jaxtyping import Float, Int
from torch import Tensor

AnyCache = TypeVar("AnyCache", bound="Cache")


class Cache:
    """Keys and values of the tokens that one attention has seen.

    A token's key and value do not depend on what follows, so they are kept: the next token then costs one query, and
    the memory grows by two vectors a token and a block.

    Attributes:
        key, value: there are more places than `nodes`, the next tokens' among them.
        nodes: how many places are taken. A hypothesis of a beam search is a path through a tree of them.
    """

    kept: ClassVar[tuple[str, ...]] = ("key", "value")
    key: Float[Tensor, "*batch heads places part"]
    value: Float[Tensor, "*batch heads places part"]
    nodes: int = 0

    def remember(
        self, key: Float[Tensor, "*batch heads new part"], value: Float[Tensor, "*batch heads new part"]
    ) -> tuple[Tensor, Tensor]:
        """Add the new tokens' keys and values; returns those of all tokens."""
        first, new = self.nodes, key.shape[-2]
        self.nodes += new
        if not first:
            self.key, self.value = key[..., :0, :], value[..., :0, :]
        if self.nodes > self.key.shape[-2]:
            # Twice the room each time: then all copying together is no more than the tokens themselves.
            places = max(2 * first, first + max(16, new))
            self.key, self.value = (with_room(each[..., :first, :], places) for each in (self.key, self.value))
        self.key[..., first : self.nodes, :], self.value[..., first : self.nodes, :] = key, value
        return self.key[..., : self.nodes, :], self.value[..., : self.nodes, :]

    def back_at(self: AnyCache, nodes: int) -> AnyCache:
        """This, if nothing was added since; else only its first nodes, to go on from there in a place of its own."""
        if nodes == self.nodes:
            return self
        earlier = copy(self)
        earlier.key, earlier.value, earlier.nodes = self.key[..., :nodes, :], self.value[..., :nodes, :], nodes
        return earlier

    def of(self: AnyCache, rows: Int[Tensor, " kept"]) -> AnyCache:
        """Only of these rows of the batch."""
        fewer = copy(self)
        for name in self.kept:
            setattr(fewer, name, getattr(self, name)[rows])
        return fewer

    @property
    def bytes(self) -> int:
        """What the tokens' keys and values take up, without the room that is kept ready."""
        return 2 * self.nodes * self.key[..., 0, :].numel() * self.key.element_size() if self.nodes else 0


def with_room(kept: Float[Tensor, "*batch nodes part"], places: int) -> Float[Tensor, "*batch {places} part"]:
    """A copy with so many places, of which only the first are written."""
    larger = kept.new_empty(*kept.shape[:-2], places, kept.shape[-1])
    larger[..., : kept.shape[-2], :] = kept
    return larger

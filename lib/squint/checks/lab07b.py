"""Lab 07b, what CLIP sees: the loss of a linear probe, Winoground's scores, a shadow on a line."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises


def digits(draw: Draw, *shape: int, below: int) -> Tensor:
    """Whole numbers from 0 on."""
    return (1_000 * draw(*shape).abs()).long() % below


# The probe


def problem(label: str, draw: Draw, n: int, dim: int, classes: int, strength: float) -> Case:
    """A probe somewhere on its way, and pictures with labels."""
    return Case(label, draw(classes, dim), 2 * draw(classes), draw(n, dim), digits(draw, n, below=classes), strength)


probe_loss = Check(
    cases=drawn(
        lambda draw: Case("one picture, two classes", tensor([[1.0, 0.0], [0.0, 2.0]]), tensor([0.5, -1.0]),
                          tensor([[1.0, 3.0]]), tensor([1]), 0.1),
        lambda draw: Case("no price", draw(3, 2), 2 * draw(3), draw(5, 2), digits(draw, 5, below=3), 0.0),
        lambda draw: Case("a class that no picture has", draw(4, 3), 2 * draw(4), draw(3, 3), tensor([0, 1, 0]), 0.1),
        lambda draw: problem("six pictures, three classes", draw, 6, 4, 3, 0.05),
        lambda draw: problem("two pictures, five classes", draw, 2, 3, 5, 0.3),
        lambda draw: problem("as many of everything", draw, 4, 4, 4, 0.2),
        lambda draw: Case("a probe that has not begun", torch.zeros(3, 5), torch.zeros(3), draw(7, 5),
                          digits(draw, 7, below=3), 0.5),
        lambda draw: problem("many pictures", draw, 40, 8, 6, 0.01)),
    gradients=True,
    hints=(
        "Scores first, [n, classes]. Then the cross-entropy of the scores with the labels, and the price of the "
        "weights added to it.",
        "scores = features @ weight.T + bias; F.cross_entropy(scores, labels) takes scores, not probabilities, and is "
        "the mean already; the price is strength * weight.square().sum()."),
    misconceptions=edits({
        "features @ weight.T + bias": {
            "features @ weight.T": "The bias is missing from the scores.",
            "features @ weight.T - bias": "The bias was taken away. It is added.",
            "F.normalize(features, dim=-1) @ weight.T + bias": "The features' lengths were taken away. The probe takes "
            "them as they are.",
            "features @ F.normalize(weight, dim=-1).T + bias": "The weights' lengths were taken away in the scores. A "
            "probe may make its weights as long as it pays for."},
        "strength * weight.square().sum()": {
            "strength * (weight.square().sum() + bias.square().sum())": "The bias pays, too. Only the weights have a "
            "price.",
            "strength * bias.square().sum()": "The bias pays in place of the weights.",
            "strength * weight.square().mean()": "That is the mean of the squares. The price is on their sum.",
            "strength * weight.square().sum() / 2": "You halved the price. Here it is strength · sum of squares.",
            "strength * weight.abs().sum()": "Those are sizes, not squares.",
            "strength * weight.norm()": "That is the root of the sum of squares. Leave the root out.",
            "strength * weight.sum().square()": "You squared the sum. Square each weight, then add up.",
            "strength * weight.sum()": "The weights were not squared, so positive and negative ones cancel.",
            "weight.square().sum()": "`strength` is missing from the price.",
            "strength * weight.square().sum() / len(features)": "The price was divided by the number of pictures. Only "
            "the cross-entropy is a mean.",
            "strength ** 2 * weight.square().sum()": "`strength` was squared. It multiplies as it is."},
        "F.cross_entropy(scores, labels) + price": {
            "F.cross_entropy(scores, labels)": "The price of the weights is missing.",
            "F.cross_entropy(scores, labels) - price": "The price was taken away, so long weights are rewarded. Add "
            "it.",
            "F.cross_entropy(scores, labels, reduction='sum') + price": "The cross-entropy was added up over the "
            "pictures. Take its mean, as F.cross_entropy does by itself.",
            "F.cross_entropy(scores.softmax(dim=-1), labels) + price": "F.cross_entropy wants scores: it takes the "
            "softmax itself. Yours was taken twice.",
            "F.cross_entropy(scores, labels, reduction='none') + price": "That is one loss for each picture. Take "
            "their mean.",
            "F.cross_entropy(scores, labels) * price": "Loss and price are added, not multiplied.",
            "(scores - F.one_hot(labels, len(bias))).square().mean() + price": "Those are squared errors. Take the "
            "cross-entropy.",
            "-scores.log_softmax(dim=0).gather(1, labels[:, None]).mean() + price": "The softmax ran over the "
            "pictures. It belongs over the classes.",
            "-scores.softmax(dim=-1).gather(1, labels[:, None]).mean() + price": "That is the mean probability. The "
            "cross-entropy takes minus its logarithm.",
            "F.cross_entropy(scores, labels) + strength": "Only `strength` was added. The price is strength times the "
            "sum of squared weights.",
            "strength * F.cross_entropy(scores, labels) + price": "`strength` multiplies the cross-entropy, too. It "
            "belongs to the price alone.",
            "F.nll_loss(scores, labels) + price": "nll_loss wants log-probabilities. Of scores take F.cross_entropy."},
    }))  # fmt: skip

# Winoground


def table(label: str, draw: Draw, n: int) -> Case:
    """Similarities at random."""
    return Case(label, draw(n, 2, 2))


def only_one_side(similarities: Tensor) -> Tensor:
    """A mistake: counts decisions, not items."""
    s = similarities
    text = torch.stack([s[:, 0, 0] > s[:, 0, 1], s[:, 1, 1] > s[:, 1, 0]]).float().mean()
    image = torch.stack([s[:, 0, 0] > s[:, 1, 0], s[:, 1, 1] > s[:, 0, 1]]).float().mean()
    both = torch.stack([(s[:, 0, 0] > s[:, 0, 1]) & (s[:, 0, 0] > s[:, 1, 0]),
                        (s[:, 1, 1] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])])  # fmt: skip
    return torch.stack([text, image, both.float().mean()])


def by_argmax(similarities: Tensor) -> Tensor:
    """A mistake in ties: argmax takes the first."""
    own = torch.arange(2, device=similarities.device)
    text, image = ((similarities.argmax(dim=axis) == own).all(dim=1) for axis in (2, 1))
    return torch.stack([text, image, text & image]).float().mean(dim=1)


TIES = tensor([[[0.5, 0.5], [0.5, 0.5]], [[0.9, 0.1], [0.2, 0.2]], [[0.9, 0.9], [0.1, 0.95]], [[0.7, 0.1], [0.7, 0.8]],
               [[0.8, 0.3], [0.4, 0.9]], [[0.9, 0.3], [0.2, 0.3]]])  # fmt: skip
TEXT = "(s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0])"
IMAGE = "(s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])"
STACK = "torch.stack([text, image, text & image]).float().mean(dim=1)"
winoground = Check(
    cases=drawn(
        lambda draw: Case("one item, all right", tensor([[[0.9, 0.2], [0.1, 0.8]]])),
        lambda draw: Case("one item, each picture right, one caption not", tensor([[[0.5, 0.2], [0.7, 0.9]]])),
        lambda draw: Case("one item, each caption right, one picture not", tensor([[[0.5, 0.7], [0.2, 0.9]]])),
        lambda draw: Case("the same caption wins twice", tensor([[[0.9, 0.2], [0.8, 0.3]], [[0.9, 0.2], [0.3, 0.8]]])),
        lambda draw: Case("ties", TIES),
        lambda draw: table("two items", draw, 2),
        lambda draw: table("seven items", draw, 7),
        lambda draw: table("fifty items", draw, 50)),
    hints=(
        "s[:, p, c] is picture p with caption c, for all items at once. An item counts for the text score if two "
        "things hold: picture 0 prefers caption 0, and picture 1 caption 1.",
        "text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0]); for the image score compare down the columns; "
        "for the group score text & image; then the mean of each as floats."),
    misconceptions=edits({
        "text = " + TEXT: {
            "text = s[:, 0, 0] > s[:, 0, 1]": "For the text score only picture 0 was asked. Picture 1 has to prefer "
            "its caption, too.",
            "text = (s[:, 0, 0] > s[:, 0, 1]) | (s[:, 1, 1] > s[:, 1, 0])": "For the text score one right picture was "
            "enough. Both have to be right: &.",
            "text = (s[:, 0, 0] >= s[:, 0, 1]) & (s[:, 1, 1] >= s[:, 1, 0])": "In the text score a tie counts as "
            "right. No preference is no answer: >.",
            "text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 0] > s[:, 1, 1])": "In the text score picture 1 is asked for "
            "caption 0. It belongs to caption 1.",
            "text = (s[:, 0, 0] < s[:, 0, 1]) & (s[:, 1, 1] < s[:, 1, 0])": "The text score counts items where both "
            "pictures prefer the wrong caption."},
        "image = " + IMAGE: {
            "image = s[:, 0, 0] > s[:, 1, 0]": "For the image score only caption 0 was asked. Caption 1 has to prefer "
            "its picture, too.",
            "image = (s[:, 0, 0] > s[:, 1, 0]) | (s[:, 1, 1] > s[:, 0, 1])": "For the image score one right caption "
            "was enough. Both have to be right: &.",
            "image = (s[:, 0, 0] >= s[:, 1, 0]) & (s[:, 1, 1] >= s[:, 0, 1])": "In the image score a tie counts as "
            "right. No preference is no answer: >.",
            "image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 0, 1] > s[:, 1, 1])": "In the image score caption 1 is asked "
            "for picture 0. It belongs to picture 1.",
            "image = " + TEXT: "The image score is the text score once more. It compares the two pictures of a "
            "caption, down a column."},
        STACK: {
            "torch.stack([text, image, text | image]).float().mean(dim=1)": "The group score counts items where one of "
            "both holds. Both have to: text & image.",
            "torch.stack([image, text, text & image]).float().mean(dim=1)": "Text and image score are swapped. Text: "
            "each *picture* chooses among captions, along a row of s.",
            "torch.stack([text, image, text & image]).float().sum(dim=1)": "Those are counts. Return shares: the mean.",
            "torch.stack([text, image, text & image]).float().mean()": "All three were mixed into one number. Take the "
            "mean over the items, dim=1.",
            "torch.stack([text, image, text & image]).float().mean(dim=0)": "The mean ran over the three scores. Take "
            "it over the items, dim=1.",
            "torch.stack([text, image]).float().mean(dim=1)": "The group score is missing: text & image.",
            "100 * torch.stack([text, image, text & image]).float().mean(dim=1)": "Those are percent. Return shares "
            "from 0 to 1."},
    }, versions={
        "The group score is the product of the two others, as if they were independent. Count the items where both "
        "hold.":
        lambda similarities: (lambda both: torch.stack([*both, both[0] * both[1]]))(torch.stack([
            ((similarities[:, 0, 0] > similarities[:, 0, 1]) & (similarities[:, 1, 1] > similarities[:, 1, 0])),
            ((similarities[:, 0, 0] > similarities[:, 1, 0]) & (similarities[:, 1, 1] > similarities[:, 0, 1])),
        ]).float().mean(dim=1)),
        "A tie went to the first of both, as argmax does it. No preference is no answer: compare with >.":
        by_argmax,
        "You counted single choices. An item counts only if both of its choices are right.": only_one_side,
        "You asked whether the right pairs have the larger *sum*. Each choice is asked by itself, and both have to be "
        "right.": lambda similarities: (
            (similarities[:, 0, 0] + similarities[:, 1, 1] > similarities[:, 0, 1] + similarities[:, 1, 0])
            .float().mean().expand(3)),
    }))  # fmt: skip

# A shadow on a line


def three(label: str, draw: Draw, n: int, dim: int) -> Case:
    """Vectors of any length."""
    return Case(label, 2 * draw(n, dim), draw(n, dim), 3 * draw(n, dim))


def along(middle: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """How far along the way from `other` to `one`."""
    way = one - other
    return ((middle - other) * way).sum(dim=-1) / way.square().sum(dim=-1)


leaning = Check(
    cases=drawn(
        lambda draw: Case("half way", tensor([[1.0, 1.0]]), tensor([[2.0, 0.0]]), tensor([[0.0, 0.0]])),
        lambda draw: Case("beside the line, a quarter of the way", tensor([[2.0, 7.0]]), tensor([[5.0, 1.0]]),
                          tensor([[1.0, 1.0]])),
        lambda draw: Case("outside", tensor([[0.0, 3.0], [-2.0, 5.0]]), tensor([[0.0, 2.0], [4.0, 1.0]]),
                          tensor([[0.0, 1.0], [1.0, 1.0]])),
        lambda draw: three("two rows", draw, 2, 3),
        lambda draw: three("seven rows", draw, 7, 4),
        lambda draw: three("as many rows as numbers", draw, 5, 5),
        lambda draw: three("many", draw, 20, 16)),
    hints=(
        "The way from `other` to `one`, and how far `middle` has gone from `other`. The dot product of both says how "
        "far in that direction.",
        "way = one - other; gone = middle - other; (gone * way).sum(dim=-1) divided by (way * way).sum(dim=-1)."),
    misconceptions=edits({
        "way = one - other": {
            "way = other - one": "One of the differences is turned round. Measure both from `other`: one - other and "
            "middle - other.",
            "way = one": "That is the place of `one`, as seen from 0. The way is one - other."},
        "gone = middle - other": {
            "gone = middle - one": "You measure from `one`. 0 is to be at `other`: middle - other.",
            "gone = middle": "You measure from the middle of nowhere, 0. Measure from `other`: middle - other."},
        "way.square().sum(dim=-1)": {
            "way.square().sum(dim=-1).sqrt()": "You divided by the length of the way. Then 1 is not at `one`: divide "
            "by the length squared.",
            "gone.square().sum(dim=-1)": "You divided by how far `middle` is away, squared. Divide by the way's "
            "square.",
            "(way.norm(dim=-1) * gone.norm(dim=-1))": "That is a cosine. It does not say how far, only in which "
            "direction: divide by the way's length squared.",
            "way.square().sum()": "All rows were divided by one number. Each has its own way: sum over dim=-1.",
            "way.square().mean(dim=-1)": "A sum above and a mean below: take the sum for both.",
            "way.abs().sum(dim=-1)": "Those are sizes. Divide by the sum of squares."},
        "(gone * way).sum(dim=-1) / way.square().sum(dim=-1)": {
            "(gone * way).sum(dim=-1)": "The division is missing: as it stands, the end of the way is not at 1.",
            "((gone * way).sum(dim=-1) / way.square().sum(dim=-1)).clamp(0, 1)": "You cut off what lies outside. A "
            "shadow may fall below 0 and above 1.",
            "((gone * way).sum(dim=-1) / way.square().sum(dim=-1)).abs()": "The sign was dropped. Below 0 lies beyond "
            "`other`.",
            "((gone * way).sum(dim=-1) / way.square().sum(dim=-1)).mean()": "That is the mean over all rows. Return "
            "one number a row.",
            "(gone @ way.T).sum(dim=-1) / way.square().sum(dim=-1)": "Each row was multiplied with every other row's "
            "way. Row by row: (gone * way).sum(dim=-1).",
            "gone.norm(dim=-1) / way.norm(dim=-1)": "That is a ratio of lengths, whatever the direction. Only the part "
            "along the way counts: a dot product."},
    }, versions={
        "You measured from the middle between both. 0 is to be at `other`, and 1 at `one`.":
        lambda middle, one, other: along(middle, one, other) - 0.5,
        "That scale runs from −1 to 1. 0 is to be at `other`, and 1 at `one`.":
        lambda middle, one, other: 2 * along(middle, one, other) - 1,
        "That is the point where the shadow falls. Return how far along it is, one number a row.":
        lambda middle, one, other: other + (one - other) * along(middle, one, other)[:, None],
        "Vectors were brought to length one first. Take them as they are.": lambda middle, one, other: along(
            *(F.normalize(each, dim=-1) for each in (middle, one, other))),
        "That compares two cosines, as lab 01's leaning does. Here the shadow on the line is asked for.":
        lambda middle, one, other: F.cosine_similarity(middle, one) - F.cosine_similarity(middle, other),
        "That is how far away `other` is, among both distances. Such a share knows nothing of the direction.":
        lambda middle, one, other: (middle - other).norm(dim=-1)
        / ((middle - other).norm(dim=-1) + (middle - one).norm(dim=-1)),
    }))  # fmt: skip

CHECKS = exercises("07b", {
    "probe_loss": probe_loss, "winoground": winoground, "leaning": leaning,
})  # fmt: skip

"""Lab 07, CLIP: patches, scores, the contrastive loss, a classifier made of names, prompt ensembles, recall at k."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, tensor

from squint.checks.engine import Case, Check, Draw, drawn, edits, exercises

# Patches


def without_order(pictures: Tensor, size: int) -> Tensor:
    """A mistake: only the shape is changed."""
    return pictures.reshape(len(pictures), -1, size * size * 3)


patches = Check(
    cases=drawn(
        lambda draw: Case("two pictures of 2 × 4 pixels, patches of 1", draw(2, 3, 2, 4), 1),
        lambda draw: Case("two pictures of 4 × 6 pixels, patches of 2", draw(2, 3, 4, 6), 2),
        lambda draw: Case("three pictures of 9 × 6 pixels, patches of 3", draw(3, 3, 9, 6), 3),
        lambda draw: Case("as many pictures as colours", draw(3, 3, 3, 6), 3),
        lambda draw: Case("a picture that is one patch", draw(2, 3, 4, 4), 4),
        lambda draw: Case("five pictures of 8 × 12 pixels, patches of 4", draw(5, 3, 8, 12), 4)),
    hints=(
        "On the right stand three axes: batch, patches, and what is in a patch. Which parts make up each?",
        "(rows columns) goes over the patches row by row; (p q c) over the pixels of one, colours fastest."),
    misconceptions=edits({
        "(rows columns) (p q c)": {
            "(columns rows) (p q c)": "The patches run column by column. Row by row: (rows columns).",
            "(rows columns) (c p q)": "In each patch all of the red comes first, then green, then blue. Pixel by "
            "pixel, with its colours last: (p q c).",
            "(rows columns) (q p c)": "The pixels of a patch run column by column. Row by row: (p q c).",
            "(rows columns) (q c p)": "The parts of a patch are in another order. Pixel by pixel, row by row, colours "
            "last: (p q c).",
            "(rows columns) (p c q)": "The colours stand between the pixels' rows and columns. They come last: "
            "(p q c).",
            "(rows columns) (c q p)": "Colours first and columns first. Pixel by pixel, row by row, colours last: "
            "(p q c).",
            "(p q c) (rows columns)": "What is in a patch and which patch are swapped: [batch, patches, numbers].",
            "rows columns (p q c)": "The patches' rows and columns are two axes still. Put them in one: "
            "(rows columns).",
            "(rows columns) p q c": "The inside of a patch is three axes still. Put them in one: (p q c).",
            "rows columns p q c": "Rows and columns, and the inside of a patch, are axes of their own still. Put them "
            "together: (rows columns) (p q c).",
            "(rows columns p q) c": "All pixels lie in one row. A patch is one row: (rows columns) (p q c)."},
        "(rows p) (columns q)": {
            "(p rows) (q columns)": "(p rows) takes pixels that lie far apart into one patch. The part that is written "
            "last runs fastest: (rows p).",
            "(p rows) (columns q)": "(p rows) takes pixels of far rows into one patch. The part that is written last "
            "runs fastest: (rows p).",
            "(rows p) (q columns)": "(q columns) takes pixels of far columns into one patch. The part that is written "
            "last runs fastest: (columns q)."},
    }, versions={
        "Only the shape was changed: the numbers lie in their old order, so a row is no square of the picture. Name "
        "the parts of each axis, and put them together in another order.": without_order,
        "The patches overlap, or are too many: each begins where the one before it ends (stride=size).":
        lambda pictures, size: F.unfold(pictures, size).mT,
    }))  # fmt: skip

# Scores


def vectors(label: str, draw: Draw, n: int, m: int, dim: int, log_scale: float) -> Case:
    """Vectors of any length, and a scale."""
    return Case(label, 2 * draw(n, dim), 3 * draw(m, dim), tensor(log_scale))


def normalised_over_rows(pictures: Tensor, captions: Tensor, log_scale: Tensor) -> Tensor:
    """A mistake: each entry of the vectors is brought to length one over the batch."""
    return log_scale.exp().clamp(max=100) * F.normalize(pictures, dim=0) @ F.normalize(captions, dim=0).T


scores = Check(
    cases=drawn(
        lambda draw: Case("one picture, one caption, scale 1", tensor([[3.0, 4.0]]), tensor([[5.0, 0.0]]),
                          tensor(0.0)),
        lambda draw: vectors("two pictures, three captions", draw, 2, 3, 4, 1.0),
        lambda draw: vectors("scale at its beginning", draw, 4, 2, 5, -math.log(0.07)),
        lambda draw: vectors("a scale that is too large", draw, 3, 4, 2, 6.0),
        lambda draw: vectors("as many as entries", draw, 3, 3, 3, 2.0),
        lambda draw: vectors("a scale below one", draw, 5, 4, 3, -1.5)),
    gradients=True,
    hints=(
        "Three steps: bring all vectors to length one, make the scale, multiply.",
        "F.normalize(x, dim=-1); log_scale.exp().clamp(max=100); scale * pictures @ captions.T"),
    misconceptions=edits({
        "pictures, captions = F.normalize(pictures, dim=-1), F.normalize(captions, dim=-1)": {
            "": "The vectors kept their lengths. Bring both kinds to length one: F.normalize(…, dim=-1).",
            "pictures = F.normalize(pictures, dim=-1)": "The captions kept their lengths. Bring both kinds to "
            "length one.",
            "captions = F.normalize(captions, dim=-1)": "The pictures kept their lengths. Bring both kinds to "
            "length one.",
            "pictures, captions = pictures.softmax(dim=-1), captions.softmax(dim=-1)": "Softmax makes entries add up "
            "to one. A vector of length one is what F.normalize gives."},
        "log_scale.exp().clamp(max=100)": {
            "log_scale.exp()": "The scale is not clipped. First exp, then .clamp(max=100): it is the scale, not its "
            "logarithm, that is never more than 100.",
            "log_scale": "That is the scale's logarithm. The scale is its exp, and never more than 100.",
            "log_scale.exp().clamp(min=100)": "clamp(min=100) makes it never *less* than 100. It is max=100.",
            "log_scale.clamp(max=math.log(100))": "That is the scale's logarithm, clipped. The scale is its exp."},
        "scale * pictures @ captions.T": {
            "pictures @ captions.T / scale": "You divided by the scale. That would be right for a temperature; the "
            "scale is one over it, so multiply.",
            "scale * captions @ pictures.T": "Rows and columns are swapped: a row for each picture.",
            "scale * scale * pictures @ captions.T": "The scale was used twice.",
            "(scale * pictures @ captions.T).softmax(dim=-1)": "The softmax belongs to the loss. Return the scores.",
            "scale + pictures @ captions.T": "The scale was added. Multiply by it.",
            "pictures @ captions.T": "The scale is missing: multiply the cosines by it."},
    }, versions={
        "Lengths were measured over the batch. Each vector, a row, gets length one: F.normalize(…, dim=-1).":
        normalised_over_rows,
        "The product was clipped. It is the scale that is never more than 100, before it is multiplied.":
        lambda pictures, captions, log_scale:
        (log_scale.exp() * F.normalize(pictures, dim=-1) @ F.normalize(captions, dim=-1).T).clamp(max=100),
        "Each vector was divided by the sum of its entries. Divide by its length, the root of the sum of squares: "
        "F.normalize.": lambda pictures, captions, log_scale: log_scale.exp().clamp(max=100)
        * (pictures / pictures.sum(dim=-1, keepdim=True)) @ (captions / captions.sum(dim=-1, keepdim=True)).T,
    }))  # fmt: skip

# The loss


def table(label: str, draw: Draw, concept: list[int], sharp: float = 3.0) -> Case:
    """Scores of so many pairs, and what they show."""
    return Case(label, sharp * draw(len(concept), len(concept)), tensor(concept))


def hidden(z: Tensor, concept: Tensor) -> Tensor:
    """The scores without other pairs of the same concept."""
    other = ~torch.eye(len(z), dtype=torch.bool, device=z.device)
    return z.masked_fill((concept[:, None] == concept) & other, -torch.inf)


def labels_are_concepts(z: Tensor, concept: Tensor) -> Tensor:
    """A mistake: the concept's number for the right answer's place."""
    right = concept % len(z)
    return (F.cross_entropy(z, right) + F.cross_entropy(z.T, right)) / 2


def without_the_right_one(z: Tensor, concept: Tensor) -> Tensor:
    """A mistake: each row's sum leaves out its right answer."""
    others = z.masked_fill(concept[:, None] == concept, -1e9)
    return (others.logsumexp(dim=1).mean() + others.logsumexp(dim=0).mean()) / 2 - z.diagonal().mean()


def shared_truth(z: Tensor, concept: Tensor) -> Tensor:
    """Another loss: all pairs of a concept are right, each in equal part."""
    same = (concept[:, None] == concept).float()
    wanted = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(z, wanted) + F.cross_entropy(z.T, wanted)) / 2


def each_for_itself(z: Tensor, concept: Tensor) -> Tensor:
    """A mistake: a sigmoid for each pair."""
    z = hidden(z, concept)
    wanted = torch.eye(len(z), device=z.device)
    keep = z.isfinite()
    return F.binary_cross_entropy_with_logits(z[keep], wanted[keep])


HIDE = "z.masked_fill(same & other, -torch.inf)"
BOTH = "(F.cross_entropy(z, right) + F.cross_entropy(z.T, right)) / 2"
contrastive_loss = Check(
    cases=drawn(
        lambda draw: Case("two pairs that differ", tensor([[2.0, 0.0], [1.0, 3.0]]), tensor([5, 8])),
        lambda draw: table("three pairs that differ", draw, [4, 9, 2]),
        lambda draw: table("four pairs, two of one concept", draw, [7, 1, 7, 3]),
        lambda draw: table("six pairs, three of one concept", draw, [2, 0, 2, 5, 2, 5]),
        lambda draw: table("concepts with large numbers", draw, [901, 15, 901, 1_600, 15]),
        lambda draw: table("one pair", draw, [3]),
        lambda draw: table("high scores", draw, [1, 0, 2, 1, 6, 3, 8], sharp=30.0),
        lambda draw: Case("scores far below zero", 10 * draw(5, 5) - 200, tensor([1, 0, 1, 2, 0]))),
    gradients=True,
    hints=(
        "Two steps: take out of the table what does not count, then two cross-entropies whose right answers are "
        "0, 1, 2, …",
        "same = concept[:, None] == concept[None, :]; masked_fill(same & other, -torch.inf) but for the diagonal; then "
        "F.cross_entropy(z, right), the same of z.T, and their mean, with right = torch.arange(n)."),
    misconceptions=edits({
        HIDE: {
            "z": "Pairs of the same concept count as wrong answers. Take them out: masked_fill(same & other, "
            "-torch.inf).",
            "z.masked_fill(same, -torch.inf)": "The diagonal is masked, too, and with it the right answers. Leave out "
            "the *other* pairs of a concept only: same & other.",
            "z.masked_fill(same, -1e9)": "The diagonal is masked, too, by a very low score, and with it the right "
            "answers. Leave out the *other* pairs of a concept only: same & other.",
            "z.masked_fill(same & other, 0)": "A score of 0 counts still: e⁰ = 1. Leave a pair out with -torch.inf.",
            "z.masked_fill(other & ~same, -torch.inf)": "You left out the pairs of different concepts. They are the "
            "wrong answers that are learned from; leave out those of the same.",
            "z.masked_fill(same & other, -10)": "A fixed low score counts still where others are as low. Leave a pair "
            "out with -torch.inf.",
            "z.masked_fill(same & other, z.min().item())": "The lowest score counts still. Leave a pair out with "
            "-torch.inf."},
        BOTH: {
            "F.cross_entropy(z, right)": "Only the rows were read: the right caption for each picture. The right "
            "picture for each caption reads the columns, z.T. Take the mean of both.",
            "F.cross_entropy(z.T, right)": "Only the columns were read: the right picture for each caption. The right "
            "caption for each picture reads the rows, z. Take the mean of both.",
            "F.cross_entropy(z, right) + F.cross_entropy(z.T, right)": "That is the sum of both directions. Take "
            "the mean.",
            "(F.cross_entropy(z, right, reduction='sum') + F.cross_entropy(z.T, right, reduction='sum')) / 2":
            "The losses were added over the batch. Take the mean over the pairs.",
            "(F.cross_entropy(z.softmax(-1), right) + F.cross_entropy(z.T.softmax(-1), right)) / 2": "cross_entropy "
            "takes scores and does the softmax itself: here it was done twice.",
            "-(F.cross_entropy(z, right) + F.cross_entropy(z.T, right)) / 2": "The sign is wrong: the loss is to be "
            "small where the diagonal is high."},
    }, versions={
        "The right answer itself is missing from the denominator: it stands in both, above and below.":
        without_the_right_one,
        "That is the larger of both directions. Take their mean.": lambda z, concept: torch.maximum(
            F.cross_entropy(hidden(z, concept), torch.arange(len(z), device=z.device)),
            F.cross_entropy(hidden(z, concept).T, torch.arange(len(z), device=z.device))),
        "The right answers were taken from `concept`. Row i's right answer stands in column i: torch.arange(n).":
        labels_are_concepts,
        "You count all pairs of a concept as right answers. Here they count neither as right nor as wrong: leave them "
        "out, but for the diagonal.": shared_truth,
        "Each pair was judged alone, by a sigmoid. Here the pairs of a row compete, and those of a column: "
        "cross_entropy.": each_for_itself,
        "That is the mean of the diagonal. The softmax over row and column is missing: cross_entropy.":
        lambda z, concept: -z.diagonal().mean(),
        "The softmax ran over the whole table. It runs over each row, and over each column.":
        lambda z, concept: -hidden(z, concept).flatten().log_softmax(0).reshape(z.shape).diagonal().mean(),
    }))  # fmt: skip

# A classifier made of names


def sought(label: str, draw: Draw, n: int, classes: int, dim: int, k: int) -> Case:
    """Vectors of very different lengths, so that their products mislead."""
    pictures, names = (draw(many, dim) * (0.2 + 4 * draw(many, 1).abs()) for many in (n, classes))
    return Case(label, pictures, names, k)


def by_distance(pictures: Tensor, names: Tensor, k: int) -> Tensor:
    """A mistake: Euclidean distance of vectors of any length."""
    return torch.cdist(pictures, names).topk(k, dim=-1, largest=False).indices


zero_shot = Check(
    cases=drawn(
        lambda draw: Case("one picture, three names, one wanted", tensor([[1.0, 0.2]]),
                          tensor([[0.0, 1.0], [2.0, 0.5], [9.0, 9.0]]), 1),
        lambda draw: sought("two pictures, five names, two wanted", draw, 2, 5, 3, 2),
        lambda draw: sought("seven pictures, four names, one wanted", draw, 7, 4, 6, 1),
        lambda draw: sought("as many of everything", draw, 4, 4, 4, 2),
        lambda draw: sought("three pictures, twenty names, five wanted", draw, 3, 20, 8, 5),
        lambda draw: sought("two numbers a vector", draw, 5, 6, 2, 2)),
    hints=(
        "One table of cosines, a row for each picture; then the k best of each row.",
        "F.normalize both, multiply, and .topk(k, dim=-1).indices"),
    misconceptions=edits({
        "F.normalize(pictures, dim=-1) @ F.normalize(names, dim=-1).T": {
            "pictures @ names.T": "Names with long vectors win. Nearest is by cosine: bring the names to length one.",
            "F.normalize(pictures, dim=0) @ F.normalize(names, dim=0).T": "Lengths were measured over all vectors. "
            "Each row gets length one: dim=-1."},
        "cosines.topk(k, dim=-1).indices": {
            "cosines.topk(k, dim=-1).values": "Those are the cosines. Return which names they belong to: .indices.",
            "cosines.topk(k, dim=-1, largest=False).indices": "Those are the names farthest "
            "away (argsort begins with the smallest, too).",
            "cosines.argsort(dim=-1)[:, -k:]": "The k nearest, but the nearest last. Nearest first: "
            "topk, or descending=True.",
            "cosines.topk(k, dim=0).indices.T": "The best pictures of each name were taken. Take the best names of "
            "each picture: dim=-1.",
            "cosines.argmax(dim=-1)": "That is one name for each picture, without an axis for the k. Use topk.",
            "cosines.argmax(dim=-1, keepdim=True).expand(-1, k)": "That is the nearest name, k times. Use topk.",
            "cosines.flatten().topk(k).indices": "The best of all pictures together were taken. Each picture has its "
            "own k: topk(k, dim=-1).",
            "cosines.topk(k, dim=-1)": "topk returns values and indices. Return the indices."},
    }, versions={
        "The cut went through the pictures. Keep the first k of each row: [:, :k].": lambda pictures, names, k:
        (F.normalize(pictures, dim=-1) @ F.normalize(names, dim=-1).T).argsort(dim=-1, descending=True)[:k],
        "Only the last picture was named. Collect a row for each picture.": lambda pictures, names, k:
        (F.normalize(pictures, dim=-1) @ F.normalize(names, dim=-1).T).topk(k, dim=-1).indices[-1],
        "You measured the distance between vectors of any length. Nearest is by cosine: bring both to length one "
        "first.": by_distance,
    }))  # fmt: skip

# Prompt ensembles


ensemble = Check(
    cases=drawn(
        lambda draw: Case("two prompts, one name", tensor([[[3.0, 0.0]], [[0.0, 1.0]]])),
        lambda draw: Case("one prompt, three names", 4 * draw(1, 3, 5)),
        lambda draw: Case("three prompts, two names, lengths far apart",
                          draw(3, 2, 4) * tensor([0.1, 1.0, 30.0])[:, None, None]),
        lambda draw: Case("as many of everything", 3 * draw(4, 4, 4)),
        lambda draw: Case("eight prompts, five names", draw(8, 5, 6) * (0.1 + 5 * draw(8, 5, 1).abs()))),
    hints=(
        "Each prompt has the same say: so its vector must not be longer than another's. And what comes back has "
        "length one.",
        "F.normalize(vectors, dim=-1), mean over dim=0, and F.normalize once more."),
    misconceptions=edits({
        "F.normalize(vectors, dim=-1).mean(dim=0)": {
            "vectors.mean(dim=0)": "Long vectors have more say. Bring each to length one before the mean.",
            "F.normalize(vectors, dim=-1).mean(dim=1)": "The mean was taken over the names. Take it over the prompts, "
            "dim=0.",
            "F.normalize(vectors, dim=0).mean(dim=0)": "Lengths were measured over the prompts. A vector's entries "
            "lie along the last axis: dim=-1.",
            "F.normalize(vectors, dim=1).mean(dim=0)": "Lengths were measured over the names. A vector's entries lie "
            "along the last axis: dim=-1.",
            "F.normalize(vectors, dim=-1)[0]": "That is the first prompt alone.",
            "F.normalize(vectors, dim=-1)[-1]": "That is the last prompt alone: each one took the place of the one "
            "before.",
            "F.normalize(vectors, dim=-1)": "One vector for each prompt still. Take the mean over the prompts, dim=0.",
            "F.normalize(vectors, dim=-1).amax(dim=0)": "That is the largest of each entry. Take the mean.",
            "F.normalize(vectors, dim=-1).median(dim=0).values": "That is the median of each entry. Take the mean."},
        "F.normalize(mean, dim=-1)": {
            "mean": "The mean of several vectors of length one is shorter than one. Bring it to length one, too.",
            "F.normalize(mean, dim=0)": "After the mean, lengths were measured over the names. Each name's vector gets "
            "length one: dim=-1."},
    }, versions={
        "That is the mean of the vectors as they are. Bring each to length one before it, and the mean after it.":
        lambda vectors: vectors.mean(dim=0),
        "Unit vectors were added, and the sum is longer than one. What comes back has length one.":
        lambda vectors: F.normalize(vectors, dim=-1).sum(dim=0),
        "All prompts of all names were put together. Each name has its own mean, over dim=0.":
        lambda vectors: F.normalize(F.normalize(vectors, dim=-1).mean(dim=(0, 1)), dim=-1).expand(vectors.shape[1:]),
    }))  # fmt: skip

# Recall


def queries(label: str, draw: Draw, n: int, m: int, k: int, share: float = 0.3) -> Case:
    """Scores, and right answers, at least one a query."""
    right = draw(n, m) > torch.tensor(share).logit().neg()
    right[torch.arange(n), (7 * torch.arange(n) + 1) % m] = True
    return Case(label, draw(n, m), right, k)


def share_found(z: Tensor, right: Tensor, k: int) -> Tensor:
    """A mistake: the share of right things that were found."""
    hits = right.gather(1, z.topk(k, dim=1).indices)
    return (hits.sum(dim=1) / right.sum(dim=1)).mean()


def of_things(z: Tensor, right: Tensor, k: int) -> Tensor:
    """A mistake: queries and things swapped."""
    best = z.topk(min(k, len(z)), dim=0).indices
    return right.gather(0, best).any(dim=0).float().mean()


recall_at = Check(
    cases=drawn(
        lambda draw: Case("two queries, three things, k = 1", tensor([[0.9, 0.1, 0.4], [0.2, 0.6, 0.3]]),
                          tensor([[True, False, False], [True, False, True]]), 1),
        lambda draw: Case("the same, k = 2", tensor([[0.9, 0.1, 0.4], [0.2, 0.6, 0.3]]),
                          tensor([[False, True, False], [True, False, True]]), 2),
        lambda draw: queries("eight queries, twelve things, k = 3", draw, 8, 12, 3, 0.1),
        lambda draw: queries("twelve queries, seven things, k = 2", draw, 12, 7, 2, 0.1),
        lambda draw: queries("several right answers, k = 4", draw, 9, 16, 4, 0.15),
        lambda draw: queries("as many of everything", draw, 10, 10, 1, 0.2),
        lambda draw: queries("all are taken", draw, 4, 5, 5),
        lambda draw: Case("nobody finds anything", tensor([[3.0, 1.0, 2.0], [0.5, 0.4, 0.9]]),
                          tensor([[False, True, False], [True, False, False]]), 1)),
    hints=(
        "Which k things does each query put first? Is one of them right? How often?",
        "best = z.topk(k, dim=1).indices; right.gather(1, best) says which of them are right; any(dim=1), and the "
        "mean."),
    misconceptions=edits({
        "z.topk(k, dim=1).indices": {
            "z.topk(k, dim=1, largest=False).indices": "Those are the k worst; argsort begins "
            "with the lowest, too. The higher the score, the better.",
            "z.topk(1, dim=1).indices": "Only the best one was looked at. Look at the k best.",
            "z.topk(k + 1, dim=1).indices if k < z.shape[1] else z.topk(k, dim=1).indices": "One too many was looked "
            "at: k + 1.",
            "z.argsort(dim=1, descending=True)": "All things were looked at. Take the k best of each query.",
            "z.topk(k, dim=1).indices[:, -1:]": "Only the k-th was looked at. All of the k best count."},
        "hits.any(dim=1).float().mean()": {
            "hits.float().mean()": "That is the share of the k best that are right, the *precision*. Ask of each "
            "query whether there is at least one: any(dim=1).",
            "hits.all(dim=1).float().mean()": "You asked that all k be right. One is enough: any(dim=1).",
            "hits.any(dim=1).float().sum()": "That is how many queries. The share is the mean.",
            "hits.sum(dim=1).float().mean()": "That is how many of the k best are right, on average. Ask of each "
            "query whether there is at least one: any(dim=1).",
            "hits.any().float()": "That asks whether anybody found anything. Ask each query: any(dim=1), then the "
            "mean.",
            "hits.any(dim=1)": "That is yes or no for each query. Return the share: the mean.",
            "1 - hits.any(dim=1).float().mean()": "That is the share of queries that found nothing."},
    }, versions={
        "Only one right answer of each query was looked for. Any of them will do: gather, then any(dim=1).":
        lambda z, right, k: (z.topk(k, dim=1).indices == right.int().argmax(dim=1, keepdim=True)).any(dim=1)
        .float().mean(),
        "That is the share of all right things that are among the k best. Ask whether at least one is: any(dim=1).":
        share_found,
        "For each thing the best queries were taken. Take the best things for each query: dim=1.": of_things,
        "Right answers were taken to stand on the diagonal. They stand where `right` is true.":
        lambda z, right, k: (z.topk(k, dim=1).indices == torch.arange(len(z), device=z.device)[:, None])
        .any(dim=1).float().mean(),
    }))  # fmt: skip

CHECKS = exercises("07", {
    "patches": patches, "scores": scores, "contrastive_loss": contrastive_loss, "zero_shot": zero_shot,
    "ensemble": ensemble, "recall_at": recall_at,
})  # fmt: skip

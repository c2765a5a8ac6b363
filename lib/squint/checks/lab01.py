"""Lab 01: one-hot and lookup, windows, subsampling, the skip-gram loss, neighbours, analogies, WEAT."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from squint.checks.engine import Case, Check, edits, exercises

ids = partial(torch.tensor, dtype=torch.long)


def drawn(make: Callable[..., list[Case]]) -> Callable[[int], list[Case]]:
    """Cases made with what draws normal numbers of a shape, and what draws whole ones between two bounds."""
    draws = (torch.randn, torch.randint)
    return lambda seed: make(*(partial(draw, generator=torch.Generator().manual_seed(seed)) for draw in draws))


WRONG_TYPE = "The ones are right, but not their type: a product with a table of floats takes floats. Add .float()."


def fits_a_table(one_hot: Callable, case: Case) -> str | None:
    """It can be multiplied by a table of floats."""
    rows = inspect.unwrap(one_hot)(*case.args)
    return WRONG_TYPE if isinstance(rows, Tensor) and not rows.is_floating_point() else None


one_hot = Check(
    cases=drawn(lambda normal, whole: [
        Case("the words 4, 0 and 1 of a vocabulary of 6", ids([4, 0, 1]), 6), Case("one word", ids([3]), 7),
        Case("the first word and the last", ids([0, 5]), 6), Case("a word that comes twice", ids([1, 2, 1]), 3),
        Case("a sentence", whole(0, 50, (12,)), 50), Case("a vocabulary of one word", ids([0, 0]), 1),
        Case("every second word of a sentence", whole(0, 9, (10,))[::2], 9), Case("no words at all", ids([]), 3)]),
    laws=[fits_a_table],
    hints=("Start from a matrix of zeros: how many rows, how many columns? Where does the one of row i go?",
           "Make zeros of shape (len(ids), size); in row i, set column ids[i] to one. Without a loop: compare ids[:, "
           "None] with torch.arange(size), which is True where the one belongs, and make it floats."),
    misconceptions=edits({
        "ids[:, None]": {"ids.sort().values[:, None]": "The rows are sorted by id. Keep the order of the sentence.",
            "torch.arange(min(len(ids), size), device=ids.device)[:, None]": "Row i has its one in column i. "
            "It belongs into column ids[i].",
            "(ids[:, None] - 1) % size": "The ones stand one column too far left. Ids and columns count from 0."},
        "==": {">=": "Every column up to the id is one. Only the id's own should be."},
        "arange(size": {"arange(ids.max() + 1": "Your rows end at the largest id. They have `size` columns."},
        ".float()": {"": WRONG_TYPE,
            ".float().T": "Rows and columns are swapped: a row for each word of the sentence.",
            ".any(0).float()": "All words went into one row. Each word of the sentence has its own.",
            ".any(0, True).float().expand(len(ids), -1)": "Every row has all ones: rows[:, ids] = 1 sets each of them.",
            ".float() * ids[:, None]": "The id itself stands where a one should stand.",
            ".float() if len(ids) else torch.zeros(0)": "Without words the shape is (0, size), not (0,)."},
    }))  # fmt: skip

OTHER_TABLE = "The gradient goes to a copy: nn.Embedding makes a parameter of its own. Index the table that came in."


def trains_the_table(embed: Callable, case: Case) -> str | None:
    """the gradient goes to the table that came in, not to a copy"""
    words, table = case.args
    leaf = table.clone().requires_grad_()
    rows = embed(words, leaf)
    if not (isinstance(rows, Tensor) and rows.requires_grad):
        return None
    (gradient,) = torch.autograd.grad(rows.sum(), leaf, allow_unused=True)
    return OTHER_TABLE if gradient is None else None


embed = Check(
    cases=drawn(lambda normal, whole: [
        Case("two words, a table of three words", ids([2, 0]), torch.arange(12.0).reshape(3, 4)),
        Case("one word", ids([2]), normal(5, 3)), Case("as many words as dimensions", whole(0, 4, (4,)), normal(4, 4)),
        Case("a word that comes twice", ids([1, 1]), normal(3, 4)),
        Case("float64", whole(0, 3, (2, 2)), normal(8, 3).double()),
        Case("a batch of sentences", whole(0, 20, (3, 7)), normal(20, 5)),
        Case("a table stored sideways", whole(0, 5, (4,)), normal(5, 6).T)]),
    laws=[trains_the_table],
    gradients=True,
    hints=("Write a 2 × 3 one-hot matrix and a 3 × 2 table on paper and multiply them. What did the multiplication do?",
           "Row i of the product is the table's row at which row i of the one-hot matrix has its one. No product is "
           "needed: torch can index a table by a whole tensor of ids, of any shape."),
    misconceptions=edits({
        "return table[ids]": {
            "return one_hot(ids, len(table)).to(table.dtype) @ table": "Your one_hot is made for one sentence. Look "
            "the rows up: index the table by ids, of any shape.",
            "return table[ids] if ids.ndim < 2 else F.one_hot(ids, len(table)).amax(1).to(table.dtype) @ table": "Your "
            "one_hot is made for one sentence, not for a batch. Look the rows up: index the table by ids."},
        "return table": {
            "return torch.cat([0 * table[:1], table[1:]])": "Word 0 lost its vector. It is not padding here."},
        "[ids": {"[:, ids": "You took columns of the table. A word's vector is a row: the first index.",
            "[ids - 1": "You looked one row too far up: the vector of word i is row i, counted from 0.",
            "[ids.flatten()": "The shape of ids got lost: for a batch of sentences it is (batch, words, dim)."},
        "]": {"].mean(-2)": "You averaged the words' vectors. Each word keeps its own.",
            "].movedim(-1, 0)": "A vector's numbers come last, behind the axes of ids: (batch, words, dim)."},
    }))  # fmt: skip

PAIRED = "torch.tensor([(i, j) for i, r in enumerate(radius.tolist()) for j in {} if i != j]).long().reshape(-1, 2).T"

window_pairs = Check(
    cases=drawn(lambda normal, whole: [
        Case("three words, the first with radius 2", ids([5, 7, 9]), ids([2, 1, 1])),
        Case("two words", ids([3, 1]), ids([2, 1])),
        Case("four words, the first with radius 3", ids([10, 11, 12, 13]), ids([3, 1, 1, 1])),
        Case("a word that comes twice", ids([4, 4, 2]), ids([1, 2, 1])), Case("no words at all", ids([]), ids([])),
        Case("radii of their own", ids([0, 1, 2, 3, 4, 5, 6]), ids([1, 3, 2, 1, 2, 3, 1])),
        Case("a window wider than the sentence", ids([8, 6, 4]), ids([9, 9, 9])), Case("one word", ids([3]), ids([2])),
        Case("a longer sentence", whole(0, 50, (23,)), whole(1, 6, (23,))),
        Case("every second word of a text", whole(0, 50, (20,))[::2], whole(1, 4, (20,))[::2])]),
    normal=lambda pairs: ids(sorted(torch.as_tensor(pairs).tolist())).reshape(torch.as_tensor(pairs).shape),
    hints=("Which places j belong to centre i? Those with |i − j| at most radius[i], but not i itself.",
           "With loops: for each i, for each j from max(0, i − radius[i]) to min(n, i + radius[i] + 1), if j ≠ i, note "
           "(tokens[i], tokens[j]). Without: the table of |i − j|, torch.where on the condition, two columns stacked."),
    misconceptions=edits({
        "torch.arange(len(tokens), device=tokens.device)": {"tokens": "You compared ids. It is places that are near."},
        ".abs()": {"": "The window looks only to the left. The words after the centre are its neighbours, too.",
            ".neg()": "The window looks only to the right. The words before the centre are its neighbours, too.",
            ".float().where(position[:, None] >= position, 0.5)": "i − j is negative on one side. Take |i − j|."},
        "(distance > 0) & ": {"": "Each word is paired with itself as well. Leave out the place i itself.",
            "(tokens[:, None] != tokens) & ": "You left out pairs of equal words. Leave out the same place alone."},
        "<=": {"<": "The window is one word too narrow. Python's range, and a slice, leave out their end.",
            "==": "Only words exactly radius[i] away are in. The nearer ones belong there, too."},
        "radius[:, None]": {"radius": "Centre and context are swapped: the centre comes first, and has the radius.",
            "radius[:1]": "You used the first centre's radius for every centre. Each has its own: radius[i].",
            "max(radius, default=0)": "You used the largest radius for every centre. Each has its own: radius[i]."},
        "torch.where((distance > 0) & (distance <= radius[:, None]))": {
            "(position[:-1], position[1:])": "You took the next word alone. The window has two sides, and a radius.",
            PAIRED.format("range(i - r, min(i + r + 1, len(tokens)))"): "Near the beginning, negative places count "
            "from the sentence's end. Start at max(0, i − radius).",
            PAIRED.format("[*range(len(tokens))[i - r : i], *range(len(tokens))[i + 1 : i + r + 1]]"): "A slice from a "
            "negative place is empty or wrong. Start it at max(0, i − radius)."},
        "[tokens[centre], tokens[context]]": {"[centre, context]": "You returned places. Return tokens[place]."},
        "dim=1)": {"dim=1).unique(dim=0)": "You left out pairs that come again. A pair counts as often as it is there.",
            "dim=1) if len(centre) else tokens[:0]": "Without pairs the shape is (0, 2): .reshape(-1, 2)."},
    }))  # fmt: skip

COUNTS = torch.tensor([800, 150, 45, 5])
SHARE = "f is the word's share of the corpus: divide by the sum of all counts, counts.sum()."

subsample = Check(
    cases=drawn(lambda normal, whole: [
        Case("word 0 is 80 % of the corpus, t is 0.2: it stays with probability 0.5, and word 1 always",
             ids([1, 1, 0, 0, 0]), ids([80, 20]), 0.2, torch.tensor([0.40, 0.90, 0.10, 0.60, 0.70])),
        Case("a word rarer than t always stays", ids([3, 3]), COUNTS, 0.1, torch.tensor([0.0, 0.999])),
        Case("three frequent words, all dropped", ids([0, 0, 0]), COUNTS, 0.001, torch.tensor([0.9, 0.5, 0.8])),
        Case("one word", ids([1]), COUNTS, 0.01, torch.tensor([0.2])),
        Case("no words", ids([]), COUNTS, 0.01, torch.zeros(0)),
        Case("a sentence", whole(0, 4, (60,)), COUNTS, 0.02, whole(0, 9999, (60,)) / 9999),
        Case("a t above every frequency", whole(0, 4, (12,)), COUNTS, 1.0, whole(0, 9999, (12,)) / 9999),
        Case("a longer text", whole(0, 4, (500,)), COUNTS, 0.006, whole(0, 9999, (500,)) / 9999),
        Case("draws in float64", whole(0, 4, (30,)), COUNTS, 0.05, whole(0, 9999, (30,)).double() / 9999)]),
    hints=("First find each word's keep probability, one number a word. Then look up the one of each token.",
           "frequency = counts / counts.sum(); keep = sqrt(threshold / frequency), which may exceed 1 and then means "
           "“always”. keep[tokens] is one probability a token; a token stays where uniform is below it."),
    misconceptions=edits({
        "counts / counts.sum()": {"counts": f"You used the count where the formula has the frequency f. {SHARE}",
            "counts / len(counts)": f"You divided by the number of different words. {SHARE}",
            "counts / max(len(tokens), 1)": f"You divided by the number of tokens given. {SHARE}",
            "counts / counts.max()": f"You divided by the largest count. {SHARE}",
            "tokens.bincount(minlength=len(counts)) / len(tokens)": f"You counted the tokens given. {SHARE}"},
        "threshold / frequency": {"frequency / threshold": "The fraction is upside down: a large f stays seldom."},
        "keep = (": {"keep = 1 - (": "1 − √(t / f) is the probability of dropping a word, and you kept with it."},
        ".sqrt()": {"": "The square root is missing: you kept a word with probability t / f.",
            ".sqrt() / frequency.sqrt()": "The root is taken of t alone. It is the root of the fraction: √(t / f).",
            ".sqrt() + threshold / frequency": "√(t / f) + t / f is what the authors' program has. Leave out t / f.",
            ".sqrt() >= 1": "You dropped all words more frequent than t. They stay with probability √(t / f)."},
        "uniform < keep[tokens]": {"uniform >= keep[tokens]": "Kept and dropped are swapped: the low draws stay.",
            "uniform >= 1 - keep[tokens]": "You keep the right share, but the high draws. Keep the low ones.",
            "torch.rand(len(tokens)) < keep[tokens]": "You drew numbers of your own. Use those in uniform.",
            "(uniform < keep[tokens]).cumprod(0).bool()": "You stopped at the first token to drop. Go on behind it."},
        "tokens[uniform < keep[tokens]]": {"uniform < keep[tokens]": "This is which tokens stay. Return tokens[stays].",
            "(uniform < keep[tokens]).nonzero()[:, 0]": "You returned the places of what stays. Return tokens[places].",
            "tokens * (uniform < keep[tokens])": "A dropped token became 0, the id of a word. Leave it out."},
    }))  # fmt: skip

LOUD = torch.tensor([[20.0, 0.0], [0.0, 20.0], [-20.0, 5.0], [9.0, -9.0]])
COURT = torch.tensor([[1.0, 0.1], [1.0, 1.0], [-1.0, 0.1], [-0.9, 1.1], [0.2, 1.0], [0.1, -1.0]])

skipgram_loss = Check(
    cases=drawn(lambda normal, whole: [
        Case("one pair, one negative", COURT[:3], COURT[3:], ids([[0, 1]]), ids([[2]])),
        Case("one pair, three negatives", normal(6, 4), normal(6, 4), ids([[0, 1]]), ids([[2, 3, 5]])),
        Case("two pairs", normal(6, 4), normal(6, 4), ids([[0, 1], [4, 2]]), ids([[2, 3], [5, 0]])),
        Case("a negative that is the context", *normal(2, 5, 3), ids([[0, 1], [2, 3]]), ids([[1, 4, 2], [0, 4, 1]])),
        Case("a batch", normal(9, 5), normal(9, 5), whole(0, 9, (40, 2)), whole(0, 9, (40, 8))),
        Case("tables stored sideways", normal(4, 9).T, normal(4, 9).T, whole(0, 9, (7, 2)), whole(0, 9, (7, 3))),
        Case("float64", normal(9, 5).double(), normal(9, 5).double(), whole(0, 9, (6, 2)), whole(0, 9, (6, 4))),
        Case("scores of several hundred", LOUD, LOUD, ids([[0, 2], [1, 1]]), ids([[0, 3], [3, 0]]))]),
    gradients=True,
    hints=("Three lookups first: u for the centres, v for the contexts, n for the negatives. What are their shapes?",
           "Score of a pair: (u * v).sum(1); of its negatives: (n * u[:, None, :]).sum(2). F.logsigmoid of the first, "
           "and of minus the second; zero where negatives == context[:, None]; sum over k; mean over pairs; minus."),
    misconceptions=edits({
        "pairs[:, 0], pairs[:, 1]": {"pairs[:, 1], pairs[:, 0]": "Centre and context are swapped: centres come first."},
        "    u": {
            "    input_table, output_table = output_table, input_table\n    u": "The tables are swapped: the centre "
            "comes from the input table, the others from the output table.",
            "    output_table = input_table\n    u": "All come from the input table. Only the centre should."},
        "(negatives, output_table)": {
            "(negatives, input_table)": "Look negatives up in the output table, as contexts."},
        "    positive =": {
            "    u, v, n = (F.normalize(t, dim=-1) for t in (u, v, n))\n    positive =": "You took cosines. The score "
            "is the plain dot product.",
            "    u = u / u.shape[1]\n    positive =": "You averaged over dim. A dot product is a sum."},
        "(u * v).sum(1)": {"u @ v.T": "u @ v.T scores every centre with every context. A pair has a single score: "
            "multiply entry by entry, and sum over dim."},
        "(n * u[:, None, :]).sum(2)": {
            "(n @ u.T)": "n @ u.T scores every impostor with every centre. Each has one centre, that of its own pair: "
            "n * u[:, None, :], summed over dim.",
            "(u @ n.mT)": "u @ n.mT scores every centre with every pair's impostors. Each meets only the k of its own "
            "pair: n * u[:, None, :], summed over dim.",
            "(n @ u.T).sum(2)": "You scored every impostor with every centre (n @ u.T) and added that up. Each has one "
            "centre, that of its own pair: n * u[:, None, :], summed over dim.",
            "(n @ u.T).mean(2)": "You scored every impostor with every centre (n @ u.T) and averaged. Each has one "
            "centre, that of its own pair: n * u[:, None, :], summed over dim.",
            "(u @ n.mT).sum(0)": "You scored every centre with every pair's impostors and added that up. Each meets "
            "only the k of its own pair: n * u[:, None, :], summed over dim."},
        "F.logsigmoid(-(n": {"F.logsigmoid((n": "The negatives lack their minus: log σ(−u·n) pushes them away.",
            "-F.logsigmoid((n": "The negatives' minus belongs inside: log σ(−u·n), not −log σ(u·n)."},
        "u[:, None, :]": {"v[:, None, :]": "The negatives are scored with the context. Score them with u."},
        "negative = negative.m": {
            "positive, negative = positive.exp().log(), negative.exp().log().m": "Large scores break it: the sigmoid "
            "rounds to 0, its log is −∞. Use F.logsigmoid(score).",
            "positive, negative = positive.exp(), negative.exp().m": "The log is missing: log σ(u·v).",
            "positive, negative = F.logsigmoid(positive.exp()), F.logsigmoid(negative.exp() - 1).m": "There is a "
            "sigmoid too many: F.logsigmoid takes the score itself."},
        "negatives ==": {"negatives !=": "The mask is turned round: only negatives that are the context count."},
        "context[:, None], 0": {"torch.tensor(-1), 0": "A positive is among your negatives: leave the context out.",
            "centre[:, None], 0": "You left out negatives that are the centre. Leave out those that are the context.",
            "context[:, None], -math.log(2)": "You set the score to zero, and log σ(0) is log ½. Set the log to zero."},
        "positive + negative.sum(1)": {
            "positive + negative.mean(1)": "You averaged over the negatives. They are summed: each is an example.",
            "positive - negative.sum(1)": "The second term has the wrong sign: −log σ(u·v) − Σ log σ(−u·n).",
            "-positive + negative.sum(1)": "The first term has the wrong sign: −log σ(u·v) − Σ log σ(−u·n).",
            "positive": "The negatives play no part. Each adds −log σ(−u·n).",
            "negative.sum(1)": "The true pair plays no part. It adds −log σ(u·v)."},
        "return -": {"return ": "The sign is turned round: a loss is minus the log-probability."},
        ".mean()": {".sum()": "You summed over the pairs. Take their mean: the loss should not depend on their number.",
            ".mean() / (1 + negatives.shape[1])": "You divided by k + 1. A pair's loss is the sum of its terms."},
    }))  # fmt: skip

PLANE = torch.tensor([[0.2, 1.0], [1.0, 0.0], [-1.0, 0.2], [0.9, 0.1]])
LENGTHS = torch.tensor([0.1, 9.0, 0.5, 3.0, 1.0, 20.0, 0.2, 2.0, 4.0, 0.1])[:, None]
WORST = "The worst come first. The nearest has the highest cosine: begin with that."
LAST = "The right words, but the best comes last. It should come first."
TOO_LATE = "You left words out after picking the best k, so too few remain. Leave them out first."

most_similar = Check(
    cases=drawn(lambda normal, whole: [
        Case("four words, the query is word 1, nothing left out", PLANE, PLANE[1], 3, ids([])),
        Case("four words, the query is word 1, which is left out", PLANE, PLANE[1], 2, ids([1])),
        Case("short and long vectors", torch.tensor([[0.1, 0], [5, 5], [0, 9], [3, 1]]), PLANE[3], 3, ids([])),
        Case("the rest is behind", torch.tensor([[1, 0], [-1, 0.5], [-1, -0.1], [-0.4, 1.2]]), PLANE[1], 2, ids([0])),
        Case("several words left out", (v := normal(30, 6)), v[3] + v[17], 7, ids([3, 4, 17, 29])),
        Case("vectors of many lengths, a long query", normal(8, 3) * LENGTHS[:8], 50 * normal(3), 5, ids([2])),
        Case("one neighbour", normal(12, 4), normal(4), 1, ids([3])),
        Case("all that are left", normal(6, 3), normal(3), 5, ids([5])),
        Case("vectors stored sideways", normal(3, 9).T, normal(3), 4, ids([1])),
        Case("float64", normal(9, 4).double(), normal(4).double(), 3, ids([0]))]),
    hints=("You wrote a cosine similarity in lab 00. Here it is one query against all rows of a table at once.",
           "Make every row a unit vector (F.normalize(vectors, dim=1)), multiply by the query: one score a word. Set "
           "the scores of exclude to −∞. scores.topk(k).indices are the ids, best first."),
    misconceptions=edits({
        "F.normalize(vectors, dim=1)": {"vectors": "Dot products favour long vectors. Make each a unit vector first.",
            "F.normalize(vectors, dim=0)": "You made the columns unit vectors. Each word is a row: dim=1."},
        "@ query": {"@ -query": WORST},
        "F.normalize(vectors, dim=1) @ query": {
            "(F.normalize(vectors, dim=1) @ query).abs()": "You dropped the sign. What points away is least alike.",
            "-(vectors - query).norm(dim=1)": "By distance, a long vector is far away. Compare directions: cosine."},
        "[exclude]": {"[exclude[:1]]": "Only the first word of exclude was left out. It may hold several."},
        'float("-inf")': {"scores[exclude]": "The words to leave out came back. Give them a score that can never win.",
            "0": "A word to leave out can still win: all others may lie below its score of 0. Give it −∞.",
            "-1": "A word to leave out can still win: with a long query all others may lie below its −1. Give it −∞."},
        '    scores[exclude] = float("-inf")\n    return scores.topk(k).indices': {
            "    return scores[~torch.isin(torch.arange(len(scores)), exclude)].topk(k).indices": "The ids are those "
            "of the shortened list. Score all rows, and give those to leave out −∞.",
            "    best = scores.topk(k).indices\n    return best[~torch.isin(best, exclude)]": TOO_LATE,
            "    return scores.topk(k + 1).indices[1:]": "You dropped the first, whoever it is. Leave out exclude.",
            "    return scores.topk(k + 3).indices[3:]": "You dropped the best three, whoever they were. Leave out "
            "the words in exclude.",
            "    return scores.topk(k + len(exclude)).indices[len(exclude) :]": "You dropped the best, whoever they "
            "were. Leave out the words in exclude."},
        ".indices": {"": "topk and sort give two tensors, values and indices. Return the second: .indices.",
            ".indices.flip(0)": LAST},
    }))  # fmt: skip

NEAR = torch.tensor([[1.0, 0.0, 0.2], [1.0, 0.3, 0.1], [0.9, -0.1, 0.6], [0.5, 0.9, 0.4], [-0.2, 0.1, 1.0]])

analogy = Check(
    cases=drawn(lambda normal, whole: [
        Case("six words in the plane", COURT, 0, 1, 2, 1), Case("the same, two answers", COURT, 0, 1, 2, 2),
        Case("b itself lies nearest to b − a + c", NEAR, 0, 1, 2, 1), Case("c is a", normal(12, 5), 2, 8, 2, 2),
        Case("vectors of many lengths", normal(10, 4) * LENGTHS, 3, 5, 1, 3),
        Case("all that are left", normal(20, 6), 4, 9, 13, 17), Case("float64", normal(12, 5).double(), 2, 8, 5, 2),
        Case("vectors stored sideways", normal(5, 12).T, 0, 3, 7, 3)]),
    hints=("The step from a to b, taken from c: where does it lead? And which words must not be the answer?",
           "unit = F.normalize(vectors, dim=1). The query is unit[b] − unit[a] + unit[c]. Your most_similar finds the "
           "nearest; tell it to leave out a tensor of the three ids."),
    misconceptions=edits({
        "F.normalize(vectors, dim=1)": {"vectors": "Long vectors decide your sum. Make all unit vectors first."},
        "[a, b, c]": {"[a, c]": "a and c were left out, but not b.", "[b, c]": "b and c were left out, but not a.",
            "[a, b]": "a and b were left out, but not c.", "[c]": "Only c was left out. Leave out a and b, too."},
        "unit[b] - unit[a] + unit[c]": {
            "unit[a] - unit[b] + unit[c]": "You took the step from b to a. From a to b, taken from c, it is b − a + c.",
            "unit[b] + unit[a] + unit[c]": "You added a where it is subtracted: b − a + c.",
            "unit[b - a + c]": "You reckoned with the ids, which mean nothing. It is their vectors that are added.",
            "unit[b] + unit[c]": "a plays no part. It is b − a + c.",
            "unit[b] - unit[a]": "c plays no part. b − a is the step alone: take it from c.",
            "unit[b]": "These are the neighbours of b. Take the step b − a from c.",
            "unit[c]": "These are the neighbours of c: the step b − a is missing."},
        "most_similar(unit,": {"most_similar(-unit,": WORST,
            "(lambda rows, q, k, out: (best := most_similar(rows, q, k, out[:0]))[~torch.isin(best, out)])(unit,":
            TOO_LATE,
            "(lambda _, q, k, out: (vectors @ q).index_fill(0, out, -math.inf).topk(k).indices)(unit,": "You ranked by "
            "dot product, which favours long vectors. Rank by cosine."},
        "k, question)": {"k, question[:0])": "The question's own words came back. Leave out all three.",
            "k, question).flip(0)": LAST,
            "k + 3, question[:0])[3:]": "You dropped the best three, whoever they were. Leave out a, b and c."},
    }))  # fmt: skip

ONE = "Put all targets together first, then take one standard deviation."

weat = Check(
    cases=drawn(lambda normal, whole: [
        Case("three targets and two, two attributes and one", COURT[:3] + 0.2, COURT[3:5], PLANE[[1, 3]], PLANE[:1]),
        Case("the targets swapped", COURT[3:5], COURT[:3] + 0.2, PLANE[[1, 3]], PLANE[:1]),
        Case("many lengths", normal(4, 3) * LENGTHS[:4], normal(4, 3), normal(5, 3) * LENGTHS[4:9], normal(5, 3)),
        Case("eight words a set", *normal(4, 8, 10)), Case("one target each", *normal(2, 1, 3), *normal(2, 2, 3)),
        Case("sets of different sizes", normal(3, 6), normal(7, 6), normal(2, 6), normal(5, 6)),
        Case("stored sideways", *normal(2, 6, 4).mT, *normal(2, 6, 3).mT), Case("float64", *normal(4, 5, 4).double())]),
    hints=("One number a target word first: how much more it resembles the words of a than those of b.",
           "Make all four sets unit vectors. x @ a.T are cosines; their mean over a, less that of x @ b.T over b, is "
           "one number a word of x. The same for y. Then the difference of their means by the .std() of all."),
    misconceptions=edits({
        "x, y, a, b =": {"_, _, _, _ =": "These are dot products. Take cosines: make all of them unit vectors first.",
            "x, y, _, _ =": "Only the targets were made unit vectors. A cosine divides by both lengths.",
            "_, _, a, b =": "Only the attribute words were made unit vectors. A cosine divides by both lengths."},
        "(x, y, a, b))": {
            "(x, y, a.mean(0)[None], b.mean(0)[None]))": "Take the mean of the cosines, not the cosine with a mean.",
            "(x, y, a, 0 * b))": "b plays no part in yours. Subtract the mean cosine with b.",
            "(x, y, a, b))\n    a, b = (F.normalize(v.mean(0)[None]) for v in (a, b))": "You took the cosine with a "
            "mean direction, whose length got lost. Take the mean of the cosines with each word."},
        "- (x @ b.T).mean(1)\n    lean_y = (y @ a.T).mean(1) -": {
            "+ (x @ b.T).mean(1)\n    lean_y = (y @ a.T).mean(1) +": "You added a's and b's cosines. Subtract."},
        "(lean_x.mean() - lean_y.mean())": {
            "(lean_y.mean() - lean_x.mean())": "The sign is turned round: it is positive if x leans to a, and y to b.",
            "(lean_x.mean() - lean_y.sum() / len(x))": "The sum over y is divided by the size of x. Divide it by y's.",
            "(lean_x.mean() - lean_y.mean()).abs()": "You took the absolute value. The sign says which way they lean."},
        "torch.cat([lean_x, lean_y]).std()": {"1": "The standard deviation is missing: divide by it.",
            "torch.stack([lean_x.mean(), lean_y.mean()]).std()": "You have one number a set, and the deviation of two "
            "numbers makes d the same in every test but for its sign. Keep one leaning a word: .mean(1), not .mean().",
            "torch.cat([x @ a.T - x @ b.T, y @ a.T - y @ b.T]).std()": "That is the deviation over pairs of words. "
            "Average over the attributes first, so that each target has one leaning.",
            "torch.cat([lean_x, lean_y]).var()": "You divided by the variance. Take the standard deviation, .std().",
            "torch.cat([lean_x, lean_y]).std(correction=0)": "Your deviation divides by n. torch's .std() by n − 1.",
            "lean_x.std()": "The standard deviation is that of x alone. Take it over all targets, x and y.",
            "((lean_x.std() + lean_y.std()) / 2)": f"You averaged two standard deviations. {ONE}",
            "(lean_x.std() + lean_y.std())": f"You added two standard deviations. {ONE}",
            "torch.cat([x, y]).std()": "You took the deviation of the vectors' entries. Take the leanings'.",
            "(((len(x) - 1) * lean_x.var() + (len(y) - 1) * lean_y.var()) / (len(x) + len(y) - 2)).sqrt()": "You "
            f"pooled the spread in x and in y, by their sizes. {ONE}",
            "((lean_x.var() + lean_y.var()) / 2).sqrt()": f"You pooled the spread in x and in y (Cohen's d). {ONE}",
            "(torch.cat([x, y]) @ torch.cat([a, b]).T).std()": "You took all cosines' deviation. Take the leanings'."},
    }))  # fmt: skip

CHECKS = exercises("01", {
    "one_hot": one_hot, "embed": embed, "window_pairs": window_pairs, "subsample": subsample,
    "skipgram_loss": skipgram_loss, "most_similar": most_similar, "analogy": analogy, "weat": weat,
})  # fmt: skip

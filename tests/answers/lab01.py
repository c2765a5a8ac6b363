"""Lab 01's answers, right and wrong, as learners write them."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from squint.models import word2vec


def one_hot_loop(ids, size):
    rows = torch.zeros(len(ids), size, device=ids.device)
    for row, column in enumerate(ids.tolist()):
        rows[row, column] = 1
    return rows


def one_hot_numpy(ids, size):
    return torch.from_numpy(np.eye(size, dtype=np.float32)[ids.cpu().numpy()])


def embed_loop(ids, table):
    rows = [table[i] for i in ids.flatten().tolist()]
    return torch.stack(rows).reshape(*ids.shape, -1) if rows else table.new_zeros(*ids.shape, table.shape[1])


def embed_stacked(ids, table):
    return torch.stack([table[i] for i in ids.flatten()]).reshape(*ids.shape, table.shape[1])


def nested_loops(tokens, radius):
    pairs = []
    for i in range(len(tokens)):
        for j in range(max(0, i - int(radius[i])), min(len(tokens), i + int(radius[i]) + 1)):
            pairs += [(tokens[i], tokens[j])] if j != i else []
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def by_distance(tokens, radius):
    parts = [tokens.new_empty(0, 2)]
    for d in range(1, len(tokens)):
        left, right = tokens[:-d], tokens[d:]
        parts.append(torch.stack([left, right], dim=1)[radius[:-d] >= d])
        parts.append(torch.stack([right, left], dim=1)[radius[d:] >= d])
    return torch.cat(parts)


def pairs_numpy(tokens, radius):
    t, r = tokens.cpu().numpy(), radius.cpu().numpy()
    pairs = [(t[i], t[j]) for i in range(len(t)) for j in range(len(t)) if i != j and abs(i - j) <= r[i]]
    return torch.from_numpy(np.array(pairs, dtype=np.int64).reshape(-1, 2))


def subsample_loop(tokens, counts, threshold, uniform):
    total, kept = counts.sum().item(), []
    for token, draw in zip(tokens.tolist(), uniform.tolist(), strict=True):
        probability = min(1.0, math.sqrt(threshold / (counts[token].item() / total)))
        if draw < probability:
            kept.append(token)
    return torch.tensor(kept, dtype=torch.long)


def subsample_by_discarding(tokens, counts, threshold, uniform):
    frequency = counts[tokens].double() / counts.sum()
    discard = 1 - torch.sqrt(threshold / frequency)
    return torch.masked_select(tokens, ~(1 - uniform <= discard))


def subsample_places(tokens, counts, threshold, uniform):
    keep = (threshold * counts.sum() / counts).sqrt().clamp(max=1)
    return tokens[(uniform < keep[tokens]).nonzero().squeeze(1)]


def subsample_numpy(tokens, counts, threshold, uniform):
    c = counts.cpu().numpy().astype(float)
    keep = np.minimum(1, np.sqrt(threshold * c.sum() / c))
    return torch.from_numpy(tokens.cpu().numpy()[uniform.cpu().numpy() < keep[tokens.cpu().numpy()]])


def loss_loop(input_table, output_table, pairs, negatives):
    total = torch.zeros((), dtype=input_table.dtype, device=input_table.device)
    for (centre, context), ids in zip(pairs.tolist(), negatives.tolist(), strict=True):
        u = input_table[centre]
        total = total - F.logsigmoid(u @ output_table[context])
        for i in ids:
            if i != context:
                total = total - F.logsigmoid(-(u @ output_table[i]))
    return total / len(pairs)


def loss_as_classification(input_table, output_table, pairs, negatives):
    targets = torch.cat([pairs[:, 1:], negatives], dim=1)
    scores = torch.einsum("bd,bkd->bk", input_table[pairs[:, 0]], output_table[targets])
    label = torch.zeros_like(scores)
    label[:, 0] = 1
    weight = torch.ones_like(scores)
    weight[:, 1:] = (negatives != pairs[:, 1:]).to(scores.dtype)
    return F.binary_cross_entropy_with_logits(scores, label, weight, reduction="sum") / len(pairs)


def loss_with_softplus(u, v, pairs, negatives):
    scores = torch.bmm(v[negatives], u[pairs[:, 0]].unsqueeze(2)).squeeze(2)
    scores = torch.where(negatives == pairs[:, 1:2], float("-inf"), scores)
    return (F.softplus(-(u[pairs[:, 0]] * v[pairs[:, 1]]).sum(1)) + F.softplus(scores).sum(1)).mean()


def loss_with_a_mask(input_table, output_table, pairs, negatives):
    u, v, n = input_table[pairs[:, 0]], output_table[pairs[:, 1]], output_table[negatives]
    counts = (negatives != pairs[:, 1:]).to(u.dtype)
    good, bad = -F.softplus(-(u * v).sum(1)), F.logsigmoid(-torch.einsum("pkd,pd->pk", n, u)) * counts
    return -(good + bad.sum(1)).mean()


def similar_loop(vectors, query, k, exclude):
    def cosine(i):
        return (vectors[i] @ query / (vectors[i].norm() * query.norm())).item()

    hidden = set(exclude.tolist())
    order = sorted((i for i in range(len(vectors)) if i not in hidden), key=cosine, reverse=True)
    return torch.tensor(order[:k])


def similar_in_place(vectors, query, k, exclude):
    vectors /= vectors.norm(dim=1, keepdim=True)
    scores = torch.mv(vectors, query / query.norm())
    scores[exclude] = -2
    return torch.argsort(scores, descending=True)[:k]


def similar_by_distance_on_the_sphere(vectors, query, k, exclude):
    distance = torch.cdist(F.normalize(vectors, dim=1), F.normalize(query, dim=0)[None])[:, 0]
    return distance.index_fill(0, exclude, math.inf).topk(k, largest=False).indices


def similar_on_the_sphere(vectors, query, k, exclude):
    scores = -(F.normalize(vectors, dim=1) - query).norm(dim=1)
    scores[exclude] = -torch.inf
    return scores.topk(k).indices


def similar_by_cosine(vectors, query, k, exclude):
    scores = F.cosine_similarity(vectors, query[None, :], dim=1).clone()
    scores[exclude] = -math.inf
    return scores.topk(k).indices


def similar_masked(vectors, query, k, exclude):
    scores = vectors @ query / (vectors.norm(dim=1) * query.norm())
    keep = torch.ones(len(vectors), dtype=torch.bool, device=vectors.device)
    keep[exclude] = False
    ids = keep.nonzero().flatten()
    return ids[scores[keep].topk(k).indices]


def analogy_by_list(vectors, a, b, c, k):
    unit = F.normalize(vectors, dim=1)
    return word2vec.most_similar(unit, unit[b] - unit[a] + unit[c], k, [a, b, c])


def analogy_by_mean(vectors, a, b, c, k):
    unit = F.normalize(vectors, dim=1)
    scores = F.cosine_similarity(unit, torch.stack([unit[b], -unit[a], unit[c]]).mean(0)[None], dim=1)
    scores[[a, b, c]] = -math.inf
    return scores.topk(k).indices


def sum_of_cosines(vectors, a, b, c, k):
    best = [
        (sum(sign * float(F.cosine_similarity(v, vectors[i], dim=0)) for sign, i in ((-1, a), (1, b), (1, c))), n)
        for n, v in enumerate(vectors)
        if n not in (a, b, c)
    ]
    return torch.tensor([n for _, n in sorted(best, reverse=True)[:k]])


def weat_loop(x, y, a, b):
    def lean(word):
        to_a = [F.cosine_similarity(word, other, dim=0).item() for other in a]
        to_b = [F.cosine_similarity(word, other, dim=0).item() for other in b]
        return sum(to_a) / len(to_a) - sum(to_b) / len(to_b)

    of_x, of_y = [lean(word) for word in x], [lean(word) for word in y]
    every = of_x + of_y
    middle = sum(every) / len(every)
    spread = math.sqrt(sum((value - middle) ** 2 for value in every) / (len(every) - 1))
    return torch.tensor((sum(of_x) / len(of_x) - sum(of_y) / len(of_y)) / spread)


def weat_matrix(x, y, a, b):
    words, others = torch.cat([x, y]), torch.cat([a, b])
    cosines = (words @ others.T) / (words.norm(dim=1)[:, None] * others.norm(dim=1))
    lean = cosines[:, : len(a)].mean(1) - cosines[:, len(a) :].mean(1)
    return (lean[: len(x)].mean() - lean[len(x) :].mean()) / lean.std()


def weat_as_float(x, y, a, b):
    return word2vec.weat(x, y, a, b).item()


def weat_by_weights(x, y, a, b):
    """The attributes' weights as a vector, which is in single precision whatever comes in."""
    targets, attributes = (F.normalize(torch.cat(both), dim=1) for both in ((x, y), (a, b)))
    weights = torch.cat([torch.full((len(a),), 1 / len(a)), torch.full((len(b),), -1 / len(b))]).to(x.device)
    lean = targets @ attributes.T @ weights
    return (lean[: len(x)].mean() - lean[len(x) :].mean()) / lean.std()


def analogy_by_weights(vectors, a, b, c, k):
    """The same for b − a + c."""
    unit = F.normalize(vectors, dim=1)
    signs = torch.tensor([-1.0, 1.0, 1.0], device=vectors.device)
    question = torch.tensor([a, b, c], device=vectors.device)
    return word2vec.most_similar(unit, signs @ unit[question], k, question)


def embed_by_one_hot(ids, table):
    """The product on a batch flattened, in single precision."""
    rows = word2vec.one_hot(ids.flatten(), len(table)) @ table
    return rows.reshape(*ids.shape, table.shape[1])


def subsample_clamped(tokens, counts, threshold, uniform):
    keep = torch.minimum(torch.ones_like(counts), (threshold * counts.sum() / counts).sqrt())
    return tokens[uniform < keep.clamp(max=1)[tokens]]


def pairs_without_a_type(tokens, radius):
    """Of a sentence without pairs, floats come back."""
    reach = [range(max(0, i - r), min(len(tokens), i + r + 1)) for i, r in enumerate(radius.tolist())]
    pairs = [[int(tokens[i]), int(tokens[j])] for i in range(len(tokens)) for j in reach[i] if i != j]
    return torch.tensor(pairs).reshape(-1, 2)


RIGHT = {
    "one_hot": [
        one_hot_loop,
        one_hot_numpy,
        lambda ids, size: torch.eye(size, device=ids.device)[ids],
        lambda ids, size: torch.zeros(len(ids), size, device=ids.device).scatter_(1, ids[:, None], 1.0),
        lambda ids, size: F.one_hot(ids, size).float(),
    ],
    "embed": [
        embed_loop,
        embed_by_one_hot,
        embed_stacked,
        lambda ids, table: F.embedding(ids, table),
        lambda ids, table: table.index_select(0, ids.flatten()).reshape(*ids.shape, table.shape[1]),
        lambda ids, table: table.index_select(0, ids.flatten()).reshape(*ids.shape, -1),
        lambda ids, table: F.one_hot(ids, len(table)).to(table.dtype) @ table,
    ],
    "window_pairs": [nested_loops, by_distance, pairs_numpy, pairs_without_a_type],
    "subsample": [subsample_loop, subsample_by_discarding, subsample_places, subsample_numpy, subsample_clamped],
    "skipgram_loss": [loss_loop, loss_as_classification, loss_with_softplus, loss_with_a_mask],
    "most_similar": [similar_loop, similar_in_place, similar_by_distance_on_the_sphere, similar_on_the_sphere,
                     similar_by_cosine, similar_masked],
    "analogy": [analogy_by_list, analogy_by_mean, sum_of_cosines, analogy_by_weights],
    "weat": [weat_loop, weat_matrix, weat_as_float, weat_by_weights],
}  # fmt: skip

WRONG = [
    (
        "one_hot",
        """
def one_hot(ids, size):
    return F.one_hot(ids, size)
""",
        "Add .float()",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    return torch.arange(size).expand(len(ids), size) == ids.view(-1, 1)
""",
        "Add .float()",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    return torch.eye(size, dtype=torch.long)[ids]
""",
        "Add .float()",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    matrix = torch.zeros(len(ids), size)
    matrix[:, ids] = 1
    return matrix
""",
        "rows[:, ids] = 1 sets each of them",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    number_of_words = ids.max().item() + 1
    return torch.eye(number_of_words).index_select(0, ids)
""",
        "Your rows end at the largest id",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    i = 0
    while i < len(ids):
        matrix = torch.zeros(len(ids), size)
        column = int(ids[i])
        matrix[i][column] = 1.0
        i += 1
    return matrix
""",
        "`matrix = torch.zeros(len(ids), size)`: this line stands inside the loop",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    rows = []
    for i in ids.tolist():
        rows.append([1.0 if column == i else 0.0 for column in range(size)])
    return torch.tensor(rows)
""",
        "Without words the shape is (0, size)",
    ),
    (
        "embed",
        """
def embed(ids, table):
    return torch.from_numpy(table.detach().numpy()[ids.numpy()])
""",
        "no gradient comes back",
    ),
    (
        "embed",
        """
def embed(ids, table):
    return F.embedding(ids, table, padding_idx=0)
""",
        "its gradient is another one",
    ),
    (
        "embed",
        """
def embed(ids, table):
    return table.T[:, ids - 1]
""",
        "There are two mistakes here. You looked one row too far up",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    out = []
    last = len(tokens) - 1
    for centre, r in enumerate(radius.tolist()):
        first = centre - r
        stop = min(centre + r, last)
        context = first
        while context <= stop:
            if context != centre:
                out.append(torch.stack([tokens[centre], tokens[context]]))
            context += 1
    if not out:
        return torch.empty(0, 2, dtype=torch.long)
    return torch.stack(out)
""",
        "negative places count from the sentence's end",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    result = []
    for i in range(len(tokens)):
        for j in range(len(tokens)):
            if i == j:
                continue
            if abs(j - i) > radius[i]:
                continue
            result.append([int(tokens[i]), int(tokens[j])])
    return torch.tensor(result, dtype=torch.int64)
""",
        "Without pairs the shape is (0, 2)",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    return torch.stack([tokens[:-1], tokens[1:]], 1)
""",
        "You took the next word alone",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    pairs = set()
    for i in range(len(tokens)):
        for j in range(len(tokens)):
            if i != j and abs(i - j) <= radius[i]:
                pairs.add((int(tokens[i]), int(tokens[j])))
    return torch.tensor(list(pairs), dtype=torch.long).reshape(-1, 2)
""",
        "A pair counts as often as it is there",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    words = tokens.tolist()
    pairs = []
    for i, centre in enumerate(words):
        reach = int(radius.max())
        right = words[i + 1 : i + 1 + reach]
        left = words[max(0, i - reach) : i]
        pairs += [[centre, context] for context in right]
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)
""",
        "You used the largest radius",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    whole = counts.sum()
    result = []
    for token, chance in zip(tokens, uniform):
        f = counts[token] / whole
        p = (threshold / f).sqrt()
        if p > 1:
            p = 1
        if chance >= p:
            break
        result.append(token)
    return torch.stack(result) if result else tokens[:0]
""",
        "You stopped at the first token to drop",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    total = counts.sum().item()

    def p(word):
        return max(1.0, (threshold / (counts[word].item() / total)) ** 0.5)

    return torch.tensor([w for w, u in zip(tokens.tolist(), uniform.tolist()) if u < p(w)], dtype=torch.long)
""",
        "`max`",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    return tokens[counts[tokens] / counts.sum() < threshold]
""",
        "You dropped all words more frequent than t",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    return torch.where(uniform < (threshold * counts.sum() / counts[tokens]).sqrt(), tokens, 0)
""",
        "A dropped token became 0",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    f = counts / counts.max()
    p = torch.sqrt(f / threshold)
    p[p > 1] = 1
    p_of_token = torch.tensor([p[t] for t in tokens])
    return tokens[uniform < p_of_token]
""",
        "You divided by the largest count",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    u = input_table[pairs[:, 0]]
    v = output_table[pairs[:, 1]]
    n = output_table[negatives]
    real = torch.einsum("bd,bd->b", u, v)
    fake = torch.einsum("bd,bkd->bk", u, n)
    hit = negatives == pairs[:, 1:2]
    fake = torch.where(hit, torch.zeros_like(fake), fake)
    fake_loss = -F.logsigmoid(-fake)
    return (-F.logsigmoid(real) + fake_loss.sum(dim=1)).mean()
""",
        "log σ(0) is log ½",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    losses = []
    for row in range(pairs.shape[0]):
        u = input_table[pairs[row, 0]]
        score = u @ output_table[pairs[row, 1]]
        loss = -F.logsigmoid(score).item()
        for word in negatives[row].tolist():
            if word == pairs[row, 1]:
                continue
            loss += -F.logsigmoid(-(u @ output_table[word])).item()
        losses.append(loss)
    return torch.tensor(losses).mean()
""",
        "no gradient comes back",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(u, v, pairs, negatives):
    centre = u[pairs[:, 0]]
    good, bad = (centre * v[pairs[:, 1]]).sum(1), (centre[:, None] * v[negatives]).sum(2)
    counts = negatives != pairs[:, 1:]
    return (-F.logsigmoid(good) + (F.logsigmoid(-bad) * counts).sum(1)).mean()
""",
        "The second term has the wrong sign",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(u, v, pairs, negatives):
    centre, counts = u[pairs[:, 0]], negatives != pairs[:, 1:]
    bad = (centre[:, None] * v[negatives]).sum(2)
    return -F.logsigmoid(centre @ v[pairs[:, 1]].T).mean() - (F.logsigmoid(-bad) * counts).sum(1).mean()
""",
        "scores every centre with every context",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    batch = []
    for i in range(len(pairs)):
        u = input_table[pairs[i, 0]]
        v = output_table[pairs[i, 1]]
        positive = F.logsigmoid(u.dot(v))
        negative = sum(
            (-F.logsigmoid(-v.dot(output_table[j])) for j in negatives[i] if j != pairs[i, 1]),
            start=torch.tensor(0.0),
        )
        batch.append(positive + negative)
    return sum(batch) / len(batch)
""",
        "The negatives are scored with the context",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    dots = torch.einsum("vd,d->v", vectors, query)
    scores = dots / torch.sqrt((vectors ** 2).sum(dim=1)) / torch.sqrt((query ** 2).sum())
    scores[exclude] = 0
    return torch.sort(scores, descending=True)[1][:k]
""",
        "A word to leave out can still win",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    pairs = []
    for i in range(len(vectors)):
        v = vectors[i]
        cosine = (v * query).sum() / (v.norm() * query.norm())
        pairs.append((cosine.item(), i))
    pairs.sort(reverse=True)
    result = []
    for cosine, i in pairs[:k]:
        if i not in exclude:
            result.append(i)
    return torch.tensor(result)
""",
        "You left words out after picking the best k",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    scores = F.normalize(vectors, dim=1) @ query
    scores[exclude] = -torch.inf
    return scores.topk(k)
""",
        "Return the second: .indices",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    scores = vectors @ query
    mask = torch.zeros(len(vectors), dtype=torch.bool)
    mask[exclude] = True
    candidates = torch.arange(len(vectors))[~mask]
    order = torch.argsort(scores[~mask])
    return candidates[order][:k]
""",
        "Dot products favour long vectors",
    ),
    (
        "analogy",
        """
def analogy(vectors, a, b, c, k):
    unit = vectors / vectors.norm(dim=1).unsqueeze(1)
    scores = unit @ (unit[b] - unit[a] + unit[c])
    return scores.topk(k + 3).indices[3:]
""",
        "You dropped the best three, whoever they were",
    ),
    (
        "analogy",
        """
def analogy(vectors, a, b, c, k):
    unit = vectors / vectors.norm(dim=1, keepdim=True)
    query = unit[a] - unit[b] + unit[c]
    return most_similar(unit, query, k, torch.tensor([a, b]))
""",
        "a and b were left out, but not c. And: You took the step from b to a",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    def s(w):
        total_a = 0.0
        for vector in a:
            total_a += (w @ vector) / (w.norm() * vector.norm())
        total_b = 0.0
        for vector in b:
            total_b += (w @ vector) / (w.norm() * vector.norm())
        return total_a / len(a) - total_b / len(b)

    s_x = [s(w) for w in x]
    s_y = [s(w) for w in y]
    both = s_x + s_y
    average = sum(both) / len(both)
    std = (sum((value - average) ** 2 for value in both) / len(both)) ** 0.5
    return (sum(s_x) / len(s_x) - sum(s_y) / len(s_y)) / std
""",
        "Your deviation divides by n",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = [F.normalize(part, dim=1) for part in (x, y, a, b)]
    sx = torch.mean(x @ a.T, 1) - torch.mean(x @ b.T, 1)
    sy = torch.mean(y @ a.T, 1) - torch.mean(y @ b.T, 1)
    spread = (sx.std() + sy.std()) / 2
    return (sx.mean() - sy.mean()) / spread
""",
        "You averaged two standard deviations",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    def as_unit(rows):
        return rows / (rows * rows).sum(-1, keepdim=True).sqrt()

    pole_a = as_unit(a.mean(0))
    pole_b = as_unit(b.mean(0))
    s = torch.cat([as_unit(x), as_unit(y)]) @ (pole_a + pole_b)
    n = x.shape[0]
    return (s[:n].mean() - s[n:].mean()) / s.std()
""",
        "There are two mistakes here. Take the mean of the cosines",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    rows = torch.zeros(len(ids), size)
    rows[torch.arange(len(ids)), ids - 1] = 1
    return rows
""",
        "The ones stand one column too far left",
    ),
    (
        "embed",
        """
def embed(ids, table):
    return one_hot(ids, len(table)) @ table
""",
        "one_hot is made for one sentence",
    ),
    (
        "embed",
        """
def one_hot(ids, size):
    rows = torch.zeros(len(ids), size)
    for row in range(len(ids)):
        rows[row, ids[row]] = 1
    return rows

def embed(ids, table):
    return one_hot(ids, len(table)) @ table
""",
        "one_hot is made for one sentence",
    ),
    (
        "embed",
        """
def embed(ids, table):
    return torch.nn.Embedding.from_pretrained(table, freeze=False)(ids)
""",
        "nn.Embedding makes a parameter of its own",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    frequency = counts / counts.sum()
    keep = min(1, (threshold / frequency).sqrt())
    return tokens[uniform < keep[tokens]]
""",
        ".clamp(max=…)",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    frequency = counts / counts.sum()
    keep = torch.minimum(1, torch.sqrt(threshold / frequency))
    return tokens[uniform < keep[tokens]]
""",
        ".clamp(max=…)",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    centre, context = pairs[:, 0], pairs[:, 1]
    u, v, n = embed(centre, input_table), embed(context, output_table), embed(negatives, output_table)
    positive = F.logsigmoid((u * v).sum(1))
    negative = F.logsigmoid(-(n @ u.T))
    negative = negative.masked_fill(negatives == context[:, None], 0)
    return -(positive + negative.sum(1)).mean()
""",
        "scores every impostor with every centre",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    centre, context = pairs[:, 0], pairs[:, 1]
    u, v, n = embed(centre, input_table), embed(context, output_table), embed(negatives, output_table)
    positive = F.logsigmoid((u * v).sum(1))
    negative = F.logsigmoid(-((n @ u.T).sum(2)))
    negative = negative.masked_fill(negatives == context[:, None], 0)
    return -(positive + negative.sum(1)).mean()
""",
        "scored every impostor with every centre",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    centre, context = pairs[:, 0], pairs[:, 1]
    u, v, n = embed(centre, input_table), embed(context, output_table), embed(negatives, output_table)
    positive = F.logsigmoid((u * v).sum(1))
    negative = F.logsigmoid(-(u @ n.mT))
    negative = negative.masked_fill(negatives == context[:, None], 0)
    return -(positive + negative.sum(1)).mean()
""",
        "scores every centre with every pair's impostors",
    ),
    (
        "skipgram_loss",
        """
def skipgram_loss(input_table, output_table, pairs, negatives):
    centre, context = pairs[:, 0], pairs[:, 1]
    u, v, n = embed(centre, input_table), embed(context, output_table), embed(negatives, output_table)
    positive = F.logsigmoid((u * v).sum(1))
    negative = F.logsigmoid(-(torch.einsum("pd,qkd->pk", u, n)))
    negative = negative.masked_fill(negatives == context[:, None], 0)
    return -(positive + negative.sum(1)).mean()
""",
        "scored every centre with every pair's impostors",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    scores = F.normalize(vectors, dim=1) @ F.normalize(query, dim=0)
    return scores.topk(k + 3).indices[3:]
""",
        "You dropped the best three, whoever they were",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = [F.normalize(part, dim=1) for part in (x, y, a, b)]
    x_leans = (x @ a.T).mean() - (x @ b.T).mean()
    y_leans = (y @ a.T).mean() - (y @ b.T).mean()
    return (x_leans - y_leans) / torch.stack([x_leans, y_leans]).std()
""",
        "You have one number a set",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = [F.normalize(part, dim=1) for part in (x, y, a, b)]
    sx, sy = x @ a.T - x @ b.T, y @ a.T - y @ b.T
    return (sx.mean() - sy.mean()) / torch.cat([sx, sy]).std()
""",
        "the deviation over pairs of words",
    ),
    (
        "one_hot",
        """
def one_hot(ids, size):
    return torch.eye(size)[: len(ids)]
""",
        "Row i has its one",
    ),
    (
        "window_pairs",
        """
def window_pairs(tokens, radius):
    pairs = []
    for i in range(len(tokens)):
        for j in range(max(0, i - radius[0]), min(len(tokens), i + radius[0] + 1)):
            if i != j:
                pairs.append([tokens[i], tokens[j]])
    return torch.tensor(pairs).reshape(-1, 2)
""",
        "first centre's radius",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    f = counts / counts.sum()
    keep = (threshold / f).sqrt().clamp(min=1)
    return tokens[uniform < keep[tokens]]
""",
        "bounds the wrong end",
    ),
    (
        "subsample",
        """
def subsample(tokens, counts, threshold, uniform):
    f = counts / len(counts)
    return tokens[uniform < (threshold / f)[tokens]]
""",
        "square root is missing",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    scores = F.normalize(vectors, dim=1) @ query
    scores[exclude] = -1
    return scores.topk(k).indices
""",
        "below its −1",
    ),
    (
        "most_similar",
        """
def most_similar(vectors, query, k, exclude):
    scores = (F.normalize(vectors, dim=1) @ query).abs()
    scores[exclude] = -1
    return scores.topk(k).indices
""",
        "dropped the sign",
    ),
    (
        "analogy",
        """
def analogy(vectors, a, b, c, k):
    unit = F.normalize(vectors, dim=1)
    return most_similar(unit, unit[b - a + c], k, torch.tensor([a, b, c]))
""",
        "reckoned with the ids",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = (F.normalize(v, dim=1) for v in (x, y, a, b))
    sx = (x @ a.T).mean(1) - (x @ b.T).mean(1)
    sy = (y @ a.T).mean(1) - (y @ b.T).mean(1)
    return (sx.mean() - sy.mean()) / torch.stack([sx, sy]).std()
""",
        "`stack` is not the function",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = (F.normalize(v, dim=1) for v in (x, y, a, b))
    sx = (x @ a.T).mean(1) - (x @ b.T).mean(1)
    sy = (y @ a.T).mean(1) - (y @ b.T).mean(1)
    return (sx.mean() - sy.mean()) / torch.cat([x, y]).std()
""",
        "vectors' entries",
    ),
    (
        "weat",
        """
def weat(x, y, a, b):
    x, y, a, b = (F.normalize(v, dim=1) for v in (x, y, a, b))
    sx = (x @ a.T).mean(1) - (x @ b.T).mean(1)
    sy = (y @ a.T).mean(1) - (y @ b.T).mean(1)
    n, m = len(sx), len(sy)
    return (sx.mean() - sy.mean()) / (((n - 1) * sx.var() + (m - 1) * sy.var()) / (n + m - 2)).sqrt()
""",
        "by their sizes",
    ),
]

"""Lab 00's answers, right and wrong, as learners write them."""

import numpy as np
import torch
import torch.nn.functional as F
from einops import einsum, reduce

from squint.models.tiny import cosine_similarity as cosine

BLOCKS = "b c (h dy) (w dx) -> b c h w"
COLUMN = {"dim": 1, "keepdim": True}


def zeros(images, factor):
    batch, channels, height, width = images.shape
    return images.new_zeros(batch, channels, height // factor, width // factor)


def loops(images, factor, rows=0, steps=0, stride=None, operation=torch.Tensor.mean):
    """Blocks by loops: `rows` and `steps` are what a learner takes off the two ranges, `stride` what blocks move by."""
    small, stride = zeros(images, factor), factor if stride is None else stride
    for row in range(small.shape[2] - rows):
        for column in range(small.shape[3] - rows):
            top, left, end = row * stride, column * stride, factor - steps
            small[:, :, row, column] = operation(images[:, :, top : top + end, left : left + end], (2, 3))
    return small


def corners(images, factor, end=0):
    small = zeros(images, factor)
    for dy in range(factor - end):
        for dx in range(factor - end):
            small += images[:, :, dy::factor, dx::factor]
    return small / factor**2


def pixel_by_pixel(images, factor):
    small = zeros(images, factor)
    for at in np.ndindex(*small.shape):
        picture, channel, row, column = at
        total = 0
        for dy in range(factor):
            for dx in range(factor):
                total += images[picture, channel, row * factor + dy, column * factor + dx]
        small[at] = total / factor**2
    return small


def overwrites(images, factor):
    small = zeros(images, factor)
    for row in range(images.shape[2]):
        for column in range(images.shape[3]):
            small[:, :, row // factor, column // factor] = images[:, :, row, column] / factor**2
    return small


def as_lists(images, factor):
    def small(picture):
        rows, columns, block = len(picture) // factor, len(picture[0]) // factor, range(factor)
        return [
            [sum(picture[r * factor + i][c * factor + j] for i in block for j in block) / factor**2
             for c in range(columns)]
            for r in range(rows)
        ]  # fmt: skip

    return [[small(channel) for channel in picture] for picture in images.tolist()]


def by_matrices(images, factor):
    def average(size):
        eye = torch.eye(size // factor, dtype=images.dtype, device=images.device)
        return eye.repeat_interleave(factor, 1) / factor

    return average(images.shape[2]) @ images @ average(images.shape[3]).T


def in_place(images, factor):
    for row in range(images.shape[2] // factor):
        for column in range(images.shape[3] // factor):
            top, left = row * factor, column * factor
            images[:, :, row, column] = images[:, :, top : top + factor, left : left + factor].mean((2, 3))
    return images[:, :, : images.shape[2] // factor, : images.shape[3] // factor]


def entry_by_entry(a, b):
    """Cosine similarity as one writes it in C."""
    table = torch.zeros(len(a), len(b))
    for i in range(len(a)):
        for j in range(len(b)):
            dot = first = second = 0
            for k in range(a.shape[1]):
                dot += a[i, k] * b[j, k]
                first += a[i, k] ** 2
                second += b[j, k] ** 2
            table[i, j] = dot / (first**0.5 * second**0.5)
    return table


def best_of_loop(queries, memory, best=0.0, at=0):
    found = []
    for row in cosine(queries, memory):
        largest, where = best, at
        for j, similarity in enumerate(row):
            if similarity > largest:
                largest, where = float(similarity), j
        found.append(where)
    return found


def one_block_at_a_time(images, factor):
    batch, channels, height, width = images.shape
    small = images.new_empty(batch, channels, height // factor, width // factor)
    for row in range(height // factor):
        for column in range(width // factor):
            top, left = row * factor, column * factor
            small[:, :, row, column] = images[:, :, top : top + factor, left : left + factor].mean((2, 3))
    return small


def interpolated_by_area(images, factor):
    return F.interpolate(images, scale_factor=1 / factor, mode="area")


def added_up(images, factor):
    corners = [images[:, :, dy::factor, dx::factor] for dy in range(factor) for dx in range(factor)]
    return torch.stack(corners).mean(0)


def by_broadcasting(a, b):
    return F.cosine_similarity(a[:, None, :], b[None, :, :], dim=-1)


def by_einsum(a, b):
    return torch.einsum("nd,md->nm", a, b) / torch.outer(a.norm(dim=1), b.norm(dim=1))


def by_distance_of_unit_vectors(a, b):
    return 1 - torch.cdist(F.normalize(a.double(), dim=1), F.normalize(b.double(), dim=1)).square() / 2


def query_by_query(queries, memory):
    found = []
    for query in queries:
        similarities = [float(F.cosine_similarity(query, other, dim=0)) for other in memory]
        found.append(similarities.index(max(similarities)))
    return found


def by_max(queries, memory):
    return (queries @ F.normalize(memory, dim=1).T).max(dim=1).indices


def by_sorting(queries, memory):
    return cosine(queries, memory).topk(1, dim=1).indices[:, 0]


def by_unit_distance(queries, memory):
    unit = F.normalize(queries, dim=1)[:, None] - F.normalize(memory, dim=1)[None]
    return unit.square().sum(-1).argmin(dim=1)


def bend_by_loop(right, cost, share=0.95):
    best = None
    for size, accuracy in right.items():
        if accuracy >= share * max(right.values()) and (best is None or cost[size] < cost[best]):
            best = size
    return best


def bend_from_the_cheap_end(right, cost, share=0.95):
    size = None
    for size in sorted(cost, key=cost.get):
        if right[size] / max(right.values()) >= share:
            break
    return size


def bend_by_tensors(right, cost, share=0.95):
    sizes = list(right)
    accuracy, price = torch.tensor([right[s] for s in sizes]), torch.tensor([float(cost[s]) for s in sizes])
    price[accuracy < share * accuracy.max()] = float("inf")
    return sizes[int(price.argmin())]


RIGHT = {
    "numbers_per_picture": [3072, np.int64(3072), torch.zeros(3, 32, 32).numel(), torch.Size([3, 32, 32]).numel()],
    "shrink": [
        one_block_at_a_time, interpolated_by_area, added_up,
        loops, corners, pixel_by_pixel, as_lists, by_matrices, in_place,
        lambda x, k: F.avg_pool2d(x, k),
        lambda x, k: F.adaptive_avg_pool2d(x, (x.shape[2] // k, x.shape[3] // k)),
        lambda x, k: x.unfold(2, k, k).unfold(3, k, k).mean((-1, -2)),
        lambda x, k: reduce(x, BLOCKS, "sum", dy=k, dx=k) / (k * k),
        lambda x, k: np.add.reduceat(np.add.reduceat(x.cpu().numpy(), np.arange(0, x.shape[2], k), 2),
                                     np.arange(0, x.shape[3], k), 3) / k**2,
    ],
    "cosine_similarity": [
        by_broadcasting, by_einsum, by_distance_of_unit_vectors,
        entry_by_entry,
        lambda a, b: a @ b.T / a.norm(**COLUMN) / b.norm(dim=1),
        lambda a, b: einsum(F.normalize(a), F.normalize(b), "n dim, m dim -> n m"),
        lambda a, b: [[F.cosine_similarity(x, y, dim=0) for y in b] for x in a],
        lambda a, b: [F.cosine_similarity(x, b) for x in a],
        lambda a, b: (a.div_(a.norm(**COLUMN))) @ (b.div_(b.norm(**COLUMN))).T,
        lambda a, b: np.inner(a.cpu(), b.cpu()) / np.outer(*(np.linalg.norm(x.cpu(), axis=1) for x in (a, b))),
        lambda a, b: a @ b.T / (a.norm(**COLUMN) * b.norm(**COLUMN).T + 1e-8),
    ],
    "nearest": [
        query_by_query, by_max, by_sorting, by_unit_distance,
        lambda q, m: cosine(m, q).argmax(0),
        lambda q, m: cosine(q, m).argsort(dim=1)[:, -1],
        lambda q, m: np.argmax(np.asarray(cosine(q, m).cpu()), axis=-1),
        lambda q, m: torch.max(cosine(q, m), dim=1)[1],
        lambda q, m: [int(row.argmax()) for row in cosine(q, m)],
        lambda q, m: torch.cdist(F.normalize(q), F.normalize(m)).argmin(1),
        lambda q, m: best_of_loop(q, m, best=-1.0),
    ],
    "bend": [
        bend_by_loop, bend_from_the_cheap_end, bend_by_tensors,
        lambda right, cost, share=0.95: min(
            (price, size) for size, price in cost.items() if right[size] >= share * max(right.values())
        )[1],
    ],
}  # fmt: skip

WRONG = [
    *(
        ("numbers_per_picture", wrong, said)
        for wrong, said in [
            (32 * 32, "You counted the pixels."),
            (32**3, "32 three times"),
            (torch.Size([3, 32, 32]), "their product"),
            (torch.Size([9518, 3, 32, 32]), "their product"),
            (torch.rand(3, 32, 32), "Say how many"),
            (32 ^ 2 * 3, "not a power"),
            (3 * 32 ^ 2, "not a power"),
            (9518 * 3072, "all the emoji"),
            (8 * 3072, "too many"),
            (255, "too few"),
            (-3072, "too few"),
            ([3072], "one number"),
            (float("inf"), "too many"),
            (lambda: 3072, "value"),
            ("numbers_per_picture = '3 * 32 * 32'", "quotation marks"),
        ]
    ),
    *(
        (name, f"def {name}({args}):\n    return {value}", said)
        for name, args, value, said in [
            (
                "shrink",
                "x, k",
                'reduce(x, "b c (h dy) (w dx) -> b c h w", "sum", dy=k, dx=k) / k * k',
                "with the brackets",
            ),
            (
                "shrink",
                "x, k",
                'reduce(x, "b c (h dy) (w dx) -> b c h w", "sum", dy=k, dx=k) / k',
                "You divided by factor.",
            ),
            (
                "shrink",
                "x, k",
                'reduce(x, "b c (h dy) (w dx) -> b c h w", "mean", dy=k, dx=k) / k**2',
                "already divided by it",
            ),
            ("shrink", "x, k", "x[:, :, k - 1 :: k, k - 1 :: k]", "bottom right"),
            (
                "shrink",
                "x, k",
                "x.reshape(*x.shape[:2], x.shape[2] // k, x.shape[3] // k, k, k).mean((4, 5))",
                "There are two mistakes here.",
            ),
            (
                "shrink",
                "x, k",
                "x.reshape(*x.shape[:2], k, x.shape[2] // k, k, x.shape[3] // k).mean((2, 4))",
                "far apart",
            ),
            ("shrink", "x, k", "F.avg_pool2d(x, 2)", "by 2, whatever the factor"),
            (
                "shrink",
                "x, k",
                'reduce(x, "b c (h dy) (w dx) -> b c h w", "mean", h=k, w=k)',
                "shrank the pictures to factor pixels",
            ),
            ("shrink", "x, k", "print(x.mean())", "Is the `return` missing?"),
            ("cosine_similarity", "a, b", "a @ b", "You multiplied a by b as they are"),
            (
                "cosine_similarity",
                "a, b",
                "(a / a.norm(dim=1, keepdim=True)) @ (b / b.norm(dim=1, keepdim=True))",
                "Turn b on its side",
            ),
            (
                "cosine_similarity",
                "a, b",
                "a @ b.T / (a.norm(dim=1, keepdim=True) * b.norm(dim=1, keepdim=True))",
                "`keepdim=True` is the wrong choice in `b.norm",
            ),
            (
                "cosine_similarity",
                "a, b",
                "a @ b.T / a.norm(dim=1, keepdim=True) * b.norm(dim=1)",
                "there is a multiplication where one divides",
            ),
            ("cosine_similarity", "a, b", "F.normalize(a, p=1) @ F.normalize(b, p=1).T", "sum of the entries' sizes"),
            (
                "cosine_similarity",
                "a, b",
                "(a / a.sum(dim=1, keepdim=True)) @ (b / b.sum(dim=1, keepdim=True)).T",
                "`sum` is not the function that belongs there",
            ),
            ("cosine_similarity", "a, b", "(a / a.norm(dim=0)) @ (b / b.norm(dim=0)).T", "norm down the columns"),
            (
                "cosine_similarity",
                "a, b",
                "a @ b.T / torch.outer(a.norm(dim=0), b.norm(dim=0))",
                "`a.norm(dim=0)` runs along the wrong axis",
            ),
            ("cosine_similarity", "a, b", "(a * b).sum(1)", "the first with the first"),
            ("cosine_similarity", "a, b", "F.cosine_similarity(a[:, None], b[None])", "does not say along which axis"),
            ("cosine_similarity", "a, b", "(a / a.norm()) @ (b / b.norm()).T", "norm of a whole table"),
            ("nearest", "q, m", "(q @ m).argmax(dim=1)", "it takes memory.T, and the lengths have to go"),
            ("nearest", "q, m", "(q @ m.T).argmax(dim=1)", "dot products"),
            ("nearest", "q, m", "cosine_similarity(q, m).argmax(0)", "wrong axis"),
            ("nearest", "q, m", "cosine_similarity(m, q).argmax(1)", "wrong axis"),
            ("nearest", "q, m", "cosine_similarity(q, m).max(dim=1)", ".indices"),
            ("nearest", "q, m", "cosine_similarity(q, m).argsort(dim=1)[:, 0]", "least alike"),
            ("nearest", "q, m", "cosine_similarity(q, m).argsort(dim=1, descending=True)[0]", "should be turned over"),
            ("nearest", "q, m", "cosine_similarity(q, m).argmax(1, keepdim=True).squeeze()", "squeeze"),
            ("nearest", "q, m", "cosine_similarity(q, m).topk(1).indices", "a column"),
            ("nearest", "q, m", "cosine_similarity(q, m).abs().argmax(1)", "dropped the sign"),
            ("nearest", "q, m", "torch.cdist(q, m).argmax(1)", "And: You took the closest point"),
            ("nearest", "q, m", "cosine_similarity(q, m).flatten().argmax()", "one best of the whole table"),
        ]
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    for dy in range(factor):
        total = 0
        for dx in range(factor):
            total = total + images[..., dy::factor, dx::factor]
    return total / (factor * factor)
""",
        "starts anew in every round",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    h = images.shape[2] // factor
    w = images.shape[3] // factor
    lines = []
    for r in range(h):
        line = []
        for c in range(w):
            start = c
            part = images[:, :, r * factor : (r + 1) * factor, start : start + factor]
            line.append(part.mean(dim=(2, 3)))
        lines.append(torch.stack(line, dim=-1))
    return torch.stack(lines, dim=-2)
""",
        "a factor is missing at `c`",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    # running sums over everything above and to the left, with a row and a column of zeros in front
    batch, channels, height, width = images.shape
    running = torch.zeros(batch, channels, height + 1, width + 1, dtype=torch.float64)
    running[:, :, 1:, 1:] = images.double().cumsum(2).cumsum(3)
    grid = running[:, :, ::factor, ::factor]
    lower_right = grid[:, :, 1:, 1:]
    upper_right = grid[:, :, :-1, 1:]
    lower_left = grid[:, :, 1:, :-1]
    upper_left = grid[:, :, :-1, :-1]
    sums = lower_right - upper_right - lower_left - upper_left
    return (sums / factor ** 2).to(images.dtype)
""",
        "the sign is wrong",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    batch, channels, height, width = images.shape
    out = torch.zeros(batch, channels, height // factor, width // factor)
    for y in range(0, height - factor, factor):
        for x in range(0, width, factor):
            out[:, :, y // factor, x // factor] = images[:, :, y:y + factor, x:x + factor].sum((2, 3))
    return out
""",
        "There are two mistakes here.",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    parts = [images[:, :, i::factor, j::factor] for i in range(factor - 1) for j in range(factor)]
    total = torch.zeros_like(images[:, :, ::factor, ::factor])
    for part in parts:
        total += part
    return total / (factor * 2)
""",
        "is off by one",
    ),
    (
        "cosine_similarity",
        """
def cosine_similarity(a, b):
    n, dim = a.shape
    m = len(b)
    out = torch.zeros(n, m)
    for i in range(n):
        sum_bb = 0.0
        for j in range(m):
            sum_ab = 0.0
            sum_aa = 0.0
            for k in range(dim):
                sum_ab += a[i, k].item() * b[j, k].item()
                sum_aa += a[i, k].item() ** 2
                sum_bb += b[j, k].item() ** 2
            out[i, j] = sum_ab / (sum_aa ** 0.5 * sum_bb ** 0.5)
    return out
""",
        "stands before the loop and belongs inside it",
    ),
    (
        "cosine_similarity",
        """
def cosine_similarity(a, b):
    la = (a * a).sum(1) ** 0.5
    lb = (b * b).sum(1)
    table = (a @ b.T) / la[:, None] / lb[None, :]
    return table.T
""",
        "a root is missing at `(b * b).sum(1)`. And: Your table lies on its side",
    ),
    (
        "cosine_similarity",
        """
def cosine_similarity(a, b):
    dots = (a[:, None, :] * b[None, :, :]).sum(dim=2).abs()
    lengths = a.norm(dim=1)[:, None] + b.norm(dim=1)[None, :]
    return dots / lengths
""",
        "are added and should be multiplied",
    ),
    (
        "nearest",
        """
def nearest(queries, memory):
    table = cosine_similarity(queries, memory)
    answers = torch.zeros(len(queries), dtype=torch.long)
    best = -2.0
    for i in range(len(queries)):
        for j in range(len(memory)):
            if table[i, j] > best:
                best = table[i, j]
                answers[i] = j
    return answers
""",
        "stands before the loop and belongs inside it",
    ),
    (
        "nearest",
        """
def nearest(queries, memory):
    places = []
    for q in queries:
        place, best = 0, 0.0
        for j in range(memory.shape[0]):
            similarity = q.dot(memory[j])
            if similarity > best:
                best = similarity
                place = j
        places.append(place)
    return torch.tensor(places)
""",
        "There are two mistakes here. Where every similarity is negative",
    ),
    (
        "nearest",
        """
def nearest(queries, memory):
    answer = torch.zeros(queries.shape[0], dtype=torch.int64)
    sims = cosine_similarity(queries, memory).abs()
    for i in range(queries.shape[0]):
        biggest = -float("inf")
        for j in range(1, memory.shape[0]):
            if sims[i][j] > biggest:
                biggest = sims[i][j]
                answer[i] = j
    return answer
""",
        "You dropped the sign",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = 0.95 * 100
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "empty",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * max(right.values())
    good = [size for size in right if right[size] >= enough]
    return min(cost, key=lambda size: cost[size])
""",
        "the cheapest of all, good enough or not",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * max(right)
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "max(right) is the largest size",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * right[32]
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "The best need not be at 32",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    best = max(right.values())
    good = []
    for size in right:
        if right[size] > share * best:
            good.append(size)
    return min(good, key=lambda size: cost[size])
""",
        "at least means >=",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * max(right.values())
    return min([size for size in right if right[size] >= enough])
""",
        "the smallest size for the cheapest",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * max(right.values())
    found = list(right)[0]
    for size in right:
        if right[size] < enough:
            break
        found = size
    return found
""",
        "One that comes after it may be good enough",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    sizes = sorted(cost, key=lambda s: cost[s], reverse=True)
    last = sizes[0]
    for s in sizes:
        if right[s] < share * max(right.values()):
            return last
        last = s
    return last
""",
        "You went down from the dearest",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = max(right.values()) - share
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "You subtracted the share",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    return reduce(images, "b c (rows dy) (columns dx) -> b rows columns", "mean", dy=factor, dx=factor)
""",
        "averaged the colours away",
    ),
    (
        "shrink",
        """
def shrink(images, factor):
    return rearrange(images, "b c (rows dy) (columns dx) -> b c rows columns dy dx", dy=factor, dx=factor)
""",
        "none is averaged yet",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = max(right.values()) - (1 - share)
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "0.05 off the best",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * max(cost.values())
    good = [size for size in right if cost[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "You compared the cost",
    ),
    (
        "bend",
        """
def bend(right, cost, share=0.95):
    enough = share * sum(right.values())
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
""",
        "all accuracies added up",
    ),
]

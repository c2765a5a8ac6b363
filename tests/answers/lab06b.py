"""Lab 06b's answers, right and wrong, as learners write them."""

from collections import Counter

import torch

PLUS, MINUS, TIMES = range(3)


def chain_by_python(start, operations, numbers):
    rows = []
    for digit, ops, nums in zip(start.tolist(), operations.tolist(), numbers.tolist(), strict=True):
        row = []
        for op, num in zip(ops, nums, strict=True):
            digit = (digit + num if op == PLUS else digit - num if op == MINUS else digit * num) % 10
            row.append(digit)
        rows.append(row)
    return torch.tensor(rows)


def chain_by_masks(start, operations, numbers):
    out = torch.empty_like(operations)
    now = start.clone()
    for i in range(operations.shape[1]):
        op, num = operations[:, i], numbers[:, i]
        add = (op == PLUS) * num - (op == MINUS) * num
        times = 1 + (op == TIMES) * (num - 1)
        now = (now * times + add) % 10
        out[:, i] = now
    return out


def chain_late_modulo(start, operations, numbers):
    now, out = start, []
    for op, num in zip(operations.unbind(1), numbers.unbind(1), strict=True):
        choices = torch.stack([now + num, now - num, now * num])
        now = choices.gather(0, op[None])[0]
        out.append(now)
    return torch.stack(out, -1).remainder(10)


def flops_by_parts(parameters, asked, written, samples=1):
    reading = 2 * parameters * asked
    return reading + samples * 2 * parameters * (written - 1)


def flops_by_counting(n, prompt, new, k=1):
    tokens = prompt
    for _ in range(k):
        for _ in range(new - 1):
            tokens += 1
    return tokens * n * 2


def majority_by_counter(answers):
    return [Counter(row).most_common(1)[0][0] for row in answers.tolist()]


def majority_by_loop(answers):
    out = []
    for row in answers:
        best, most = row[0], 0
        for each in row:
            n = int((row == each).sum())
            if n > most:
                best, most = each, n
        out.append(best)
    return torch.stack(out)


def majority_by_einsum(answers):
    same = (answers.unsqueeze(1) == answers.unsqueeze(2)).float()
    where = torch.einsum("bij->bi", same).argmax(-1)
    return answers[torch.arange(len(answers), device=answers.device), where]


def match_by_logs(logits, results):
    logp = logits.log_softmax(-1).gather(-1, results.unsqueeze(-1)).squeeze(-1)
    return logp.sum(-1).exp().mean()


def match_by_loss(logits, results):
    nll = torch.nn.functional.cross_entropy(logits.transpose(1, 2), results, reduction="none")
    return torch.exp(-nll.sum(1)).mean(0)


def match_by_loop(logits, results):
    total = 0.0
    for scores, right in zip(logits, results, strict=True):
        p = 1.0
        for s, r in zip(scores, right, strict=True):
            p = p * s.softmax(0)[r]
        total = total + p
    return total / len(logits)


RIGHT = {
    "chain": [chain_by_python, chain_by_masks, chain_late_modulo],
    "answer_flops": [flops_by_parts, flops_by_counting],
    "majority": [majority_by_counter, majority_by_loop, majority_by_einsum],
    "exact_match": [match_by_logs, match_by_loss, match_by_loop],
}

CHAIN = """
def chain(start, operations, numbers):
    now, out = start, []
    for i in range(operations.shape[1]):
        op, num = operations[:, i], numbers[:, i]
        now = torch.where(op == PLUS, now + num, torch.where(op == MINUS, now - num, now * num)) % 10
        out.append(now)
    return torch.stack(out, 1)
"""
FLOPS = """
def answer_flops(parameters, asked, written, samples=1):
    return 2 * parameters * (asked + samples * (written - 1))
"""
VOTE = """
def majority(answers):
    counts = (answers.unsqueeze(2) == answers.unsqueeze(1)).sum(-1)
    best = counts.argmax(1)
    return answers[torch.arange(len(answers)), best]
"""
MATCH = """
def exact_match(logits, results):
    p = logits.softmax(-1).gather(-1, results[..., None])[..., 0]
    return p.prod(1).mean()
"""
WRONG = [
    ("chain", CHAIN.replace(" % 10", ""), "keep the last digit"),
    ("chain", CHAIN.replace("now - num, now * num", "now * num, now - num"), "MINUS and TIMES are swapped"),
    ("chain", CHAIN.replace("now - num", "num - now"), "away from the number"),
    ("chain", CHAIN.replace("now - num", "(now - num).abs()"), "dropped the sign"),
    ("chain", CHAIN.replace("out, 1)", "out)"), "Batch first"),
    ("chain", CHAIN.replace("torch.stack(out, 1)", "out[-1]"), "Only the last result"),
    ("chain", CHAIN.replace("start, []", "start, [start]"), "The start stands in the chain"),
    ("chain", CHAIN.replace("now = torch", "got = torch").replace("append(now)", "append(got)"), "out from the start"),
    ("chain", CHAIN.replace("range(operations.shape[1])", "range(1, operations.shape[1])"), "first step is missing"),
    (
        "chain",
        CHAIN.replace("torch.where(op == PLUS", "torch.fmod(torch.where(op == PLUS").replace(") % 10", "), 10)"),
        "Below zero the sign stayed",
    ),
    ("answer_flops", FLOPS.replace("(written - 1)", "written"), "last token is not read"),
    (
        "answer_flops",
        FLOPS.replace("asked + samples * (written - 1)", "samples * (asked + written - 1)"),
        "read it once",
    ),
    ("answer_flops", FLOPS.replace("samples * (written - 1)", "written - 1"), "All answers cost something"),
    ("answer_flops", FLOPS.replace("2 * ", ""), "one multiplication and one addition"),
    ("answer_flops", FLOPS.replace("2 * ", "6 * "), "forward and back"),
    (
        "answer_flops",
        """
def answer_flops(parameters, asked, written, samples=1):
    total = 0
    for _ in range(samples):
        for k in range(written):
            total += 2 * parameters * (asked + k)
    return total
""",
        "without a cache",
    ),
    (
        "majority",
        VOTE.replace("return answers[torch.arange(len(answers)), best]", "return best"),
        "the place of the answer",
    ),
    ("majority", VOTE.replace("[torch.arange(len(answers)), best]", "[:, best]"), "row by row"),
    ("majority", VOTE.replace("argmax", "argmin"), "rarest"),
    ("majority", "def majority(answers):\n    return answers.mode(1).values\n", "came first"),
    (
        "majority",
        "def majority(answers):\n    return torch.mode(answers.flatten()).values.repeat(len(answers))\n",
        "voted together",
    ),
    (
        "majority",
        """
def majority(answers):
    rows = []
    for row in answers:
        values, counts = row.unique(return_counts=True)
        rows.append(values[counts.argmax()])
    return torch.stack(rows)
""",
        "you took the smallest",
    ),
    (
        "majority",
        """
def majority(answers):
    rows = []
    for row in answers.tolist():
        best = row[0]
        for each in row:
            if row.count(each) >= row.count(best):
                best = each
        rows.append(best)
    return torch.tensor(rows)
""",
        "came last",
    ),
    ("majority", "def majority(answers):\n    return answers.median(1).values\n", "median"),
    ("exact_match", MATCH.replace("p.prod(1).mean()", "p.mean()"), "mean probability of one token"),
    ("exact_match", MATCH.replace("p.prod(1).mean()", "p.mean(0).prod()"), "The mean came before the product"),
    ("exact_match", MATCH.replace("p.prod(1)", "p.prod(0)"), "over the chains"),
    ("exact_match", MATCH.replace(".softmax(-1)", ""), "Scores are no probabilities"),
    ("exact_match", MATCH.replace(".softmax(-1)", ".softmax(1)"), "ran over the steps"),
    ("exact_match", MATCH.replace(".mean()", ""), "one number for each chain"),
    ("exact_match", MATCH.replace(".mean()", ".sum()"), "The share is the mean"),
    (
        "exact_match",
        """
def exact_match(logits, results):
    return (logits.argmax(-1) == results).all(1).float().mean()
""",
        "greedy writing",
    ),
    (
        "exact_match",
        """
def exact_match(logits, results):
    nll = F.cross_entropy(logits.flatten(0, 1), results.flatten())
    return (-nll * results.shape[1]).exp()
""",
        "of the logarithms",
    ),
]

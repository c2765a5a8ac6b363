"""Lab 04b's answers, right and wrong, as learners write them."""

import math
import re
import statistics

import torch

START, DELIMITER, EXTRACT = 1, 6_000, 6_001
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 20: 2.093}


def layout_by_joining(kind, texts):
    def row(*parts):
        tokens = [START]
        for i, part in enumerate(parts):
            tokens += [DELIMITER] * (i > 0) + list(part)
        return tokens + [EXTRACT]

    if kind == "choice":
        return [row(texts[0], answer) for answer in texts[1:]]
    return [row(*texts)] if kind == "one" else [row(*texts), row(*reversed(texts))]


def layout_by_indices(kind, texts):
    orders = {"one": [[0]], "pair": [[0, 1], [1, 0]], "choice": [[0, i] for i in range(1, len(texts))]}[kind]
    rows = []
    for order in orders:
        row = [START] + texts[order[0]]
        if len(order) == 2:
            row = row + [DELIMITER] + texts[order[1]]
        rows.append(row + [EXTRACT])
    return rows


def extract_row_by_row(features, rows):
    return torch.cat([features(torch.tensor([row]))[:, -1] for row in rows])


def extract_by_gather(features, rows):
    longest = max(len(row) for row in rows)
    vectors = features(torch.tensor([row + [0] * (longest - len(row)) for row in rows]))
    return torch.stack([vectors[i, len(row) - 1] for i, row in enumerate(rows)])


def log_probabilities_by_hand(kind, features, head):
    if kind == "one":
        scores = head(features[:, 0, :])
    elif kind == "pair":
        scores = head(features[:, 0] + features[:, 1])
    else:
        scores = head(features)[..., 0]
    return scores - torch.logsumexp(scores, dim=1, keepdim=True)


def log_probabilities_by_questions(kind, features, head):
    found = []
    for rows in features:
        scores = torch.cat([head(row) for row in rows]) if kind == "choice" else head(rows.sum(0))
        found.append(torch.log_softmax(scores, dim=0))
    return torch.stack(found)


def interval_by_statistics(values):
    margin = STUDENT[len(values)] * statistics.stdev(values) / math.sqrt(len(values))
    return [statistics.mean(values) - margin, statistics.mean(values) + margin]


def interval_in_torch(values):
    values = torch.tensor(values, dtype=torch.float64)
    error = values.std() / len(values) ** 0.5
    return values.mean() - STUDENT[len(values)] * error, values.mean() + STUDENT[len(values)] * error


def groups_one_by_one(text, n):
    words, word = [], ""
    for letter in text.lower() + " ":
        if letter in "abcdefghijklmnopqrstuvwxyz0123456789":
            word += letter
        elif word:
            words.append(word)
            word = ""
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def groups_in_a_list(text, n):
    words = [word for word in re.split(r"[^a-z0-9]+", text.lower()) if word]
    return [words[i : i + n] for i in range(len(words) - n + 1)]


def leaks_by_loops(tests, training, n=13):
    known = {group for text in training for group in groups_one_by_one(text, n)}
    found = []
    for passage in tests:
        dirty = False
        for group in groups_one_by_one(passage, n):
            dirty = dirty or group in known
        found.append(dirty)
    return found


def leaks_by_searching(tests, training, n=13):
    flat = [f" {' '.join(re.findall('[a-z0-9]+', text.lower()))} " for text in training]
    found = []
    for passage in tests:
        words = re.findall("[a-z0-9]+", passage.lower())
        runs = [f" {' '.join(words[i : i + n])} " for i in range(len(words) - n + 1)]
        found.append(any(run in text for run in runs for text in flat))
    return torch.tensor(found)


RIGHT = {
    "layout": [layout_by_joining, layout_by_indices],
    "extract": [extract_row_by_row, extract_by_gather],
    "log_probabilities": [log_probabilities_by_hand, log_probabilities_by_questions],
    "interval": [interval_by_statistics, interval_in_torch],
    "groups": [groups_one_by_one, groups_in_a_list],
    "leaks": [leaks_by_loops, leaks_by_searching],
}

WRONG = [
    (
        "extract",
        """
def extract(features, rows):
    tokens = pad(rows)
    return features(tokens)[:, tokens.shape[1] - 1, :]
""",
        "last column",
    ),
    (
        "log_probabilities",
        """
def log_probabilities(kind, features, head):
    if kind == "choice":
        return torch.log(torch.sigmoid(head(features)[:, :, 0]))
    return torch.log_softmax(head(features.sum(1)), dim=1)
""",
        "softmax",
    ),
    (
        "interval",
        """
def interval(values):
    mean = sum(values) / len(values)
    s = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    half = STUDENT[len(values)] * s / math.sqrt(len(values))
    return mean - half, mean + half
""",
        "divide by n − 1",
    ),
    (
        "groups",
        """
def groups(text, n):
    words = text.lower().split()
    return {tuple(words[i:i + n]) for i in range(len(words) - n + 1)}
""",
        "Stops stick to the words",
    ),
    (
        "leaks",
        """
def leaks(tests, training, n=13):
    known = set()
    for text in training:
        known |= groups(text, n)
    return [len(groups(test, n) & known) for test in tests]
""",
        "numbers of shared groups",
    ),
]

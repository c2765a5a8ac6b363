# ---
# squint:
#   lab: "04b"
#   title: Fine-tuning
#   minutes: 110
#   promise: Turn one pre-trained GPT to three tasks with a handful of labels, measure what its reading was worth, and find what has leaked from a test into the reading.
#   prerequisites: ["04_gpt"]
#   objectives:
#     - lay out passages, pairs and choices as rows of tokens that one model can read
#     - ask at the right token, and say why what fills up a row changes nothing
#     - fine-tune with a head of a few hundred numbers, and give an interval to what few runs found
#     - say with how few labels pre-training pays, and against which rivals
#     - find test passages that leaked into training, and say what a leak does to a score
#   claim: With the same few labels, a GPT that has read beats one that has not; and counting shared words finds what leaked from a test into the reading.
#   source: Radford et al. 2018, “Improving Language Understanding by Generative Pre-Training”, §3.2, §3.3 and figure 1; Brown et al. 2020, “Language Models are Few-Shot Learners”, §4 and appendix C
# ---

# %% [markdown] id="title"
# # Fine-tuning
#
# *Turn one pre-trained GPT to three tasks with a handful of labels, measure what its reading was worth, and find what has leaked from a test into the reading.*
#
# 110 minutes · after [lab 04, GPT](04_gpt.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - lay out passages, pairs and choices as rows of tokens that one model can read;
# - ask at the right token, and say why what fills up a row changes nothing;
# - fine-tune with a head of a few hundred numbers, and give an interval to what few runs found;
# - say with how few labels pre-training pays, and against which rivals;
# - find test passages that leaked into training, and say what a leak does to a score.
#
# **The claim under test.** With the same few labels, a GPT that has read beats one that has not (Radford et al. 2018, “Improving Language Understanding by Generative Pre-Training”, §3.2, §3.3 and figure 1). And counting shared words finds what leaked from a test into the reading (Brown et al. 2020, “Language Models are Few-Shot Learners”, §4 and appendix C).

# %% id="setup" tags=["setup"]
lab = begin("04b_fine_tuning")

# %% id="imports"
import copy
import json
import math
import random
import re
from collections import Counter
from statistics import mean
from typing import NamedTuple

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from squint.data import books, catalogue
from squint.models import gpt
from squint.text.bpe import END, pad
from squint.viz import colours
from squint.viz.style import draw_guess

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on the labs before. Answer aloud, then unfold.
#
# **1.** A GPT reads *the cat sat*. On which of the three words does what it says at *cat* depend? And what it says at *sat*?
#
# <details><summary>Answer</summary>
#
# At *cat* on *the* and *cat*, at *sat* on all three: attention is causal, so each place sees itself and what stands before it. Only the last place of a row has seen the whole row.
# </details>
#
# **2.** Why bits a *byte*, and not nats a piece?
#
# <details><summary>Answer</summary>
#
# Pieces are a choice: who cuts text into longer pieces has fewer, and each of them is harder to guess. The bytes of a text are the same for everybody, so models with different pieces can be compared.
# </details>
#
# **3.** Which part of the books did the course's GPT never learn from, and what is that for?
#
# <details><summary>Answer</summary>
#
# The last twentieth of each book, and three books as a whole: Northanger Abbey, Macbeth, Job. What a model says of text that it learned from may be memory; what it can do is measured on text that it has never seen. Or has it? Section 6 asks.
# </details>

# %% [markdown] id="reader-idea"
# ## 1 · One reader, three tasks
#
# Lab 04's GPT can do one thing: say what comes next. Hardly anybody wants just that. One wants to know who wrote a letter, whether two questions are the same, which answer is right. For each such task people had built a model of its own, and taught it from labels by the thousand, which somebody had to write.
#
# Radford et al. (2018) turned *one* model to twelve tasks. It is pre-trained on plain text, as in lab 04. Then a task's questions are laid out as rows of tokens that it can read; at the end of each row its features, a vector, go through one new matrix; and the whole is trained a little further on the task's labels. That is **fine-tuning**.
#
# The model here is a quarter of lab 04's, so that we can fine-tune it dozens of times. It has read the same texts: novels by Jane Austen, Shakespeare's plays, a Bible, WordNet's definitions; and not their ends, nor three whole books.

# %% id="reader"
reader, pieces, card = gpt.pretrained("gpt_small")
reader, shape = reader.to(lab.device), reader.config
print(f"⟨{shape.blocks}⟩ blocks, ⟨{shape.dim}⟩ wide, ⟨{len(pieces):,}⟩ pieces, "
      f"⟨{reader.parameter_count / 1e6:.1f} million⟩ numbers; sees ⟨{shape.tokens}⟩ tokens at once")

# %% [markdown] id="tasks-idea"
# Three tasks, made from what the course ships. The questions to learn from are made of text that the model has read (without any labels), those of the test of text that it has not.
#
# **Who wrote this?** One sentence of 8 to 16 words, by Austen, by Shakespeare, or out of the Bible. Speakers' names and line ends are left out: they would give it away.

# %% id="authors"
AUTHORS = ("austen", "shakespeare", "bible")


def sentences_of(texts):
    """Their sentences of 8 to 16 words, each once; none that shouts, as speakers' names do."""
    cut = re.split(r"(?<=[.!?;:])\s+", " ".join(" ".join(texts).split()))
    fit = [one for one in cut if 8 <= len(one.split()) <= 16 and not re.search("[A-Z]{2}", one)]
    return list(dict.fromkeys(fit))


def who_wrote_this(dice):
    """Questions to learn from and questions of the test: ([sentence], which author)."""
    learn, test = [], []
    for number, name in enumerate(AUTHORS):
        source = books.source(name)
        known, new = sentences_of(source.train), sentences_of(source.ends + source.book)
        both = set(known) & set(new)
        learn += [([one], number) for one in dice.sample(known, 600)]
        test += [([one], number) for one in dice.sample([s for s in new if s not in both], 100)]
        print(f"{name:12} {len(known):,} sentences to learn from, {len(new):,} new ones; in both, "
              f"and left out of the test: {len(both)}")
    return learn, test


by_author = who_wrote_this(random.Random(0))

# %% [markdown] id="wordnet-idea"
# The other two come from WordNet, whose lines look like this: *mistress, kept woman, fancy woman - an adulterous woman; a woman who has an ongoing extramarital sexual relationship with a man.* All synonyms stand in one line, and have one gloss. So no two glosses define synonyms! But many glosses have two parts, before and after a semicolon. A few say the same twice, most tell two things of one word, and that will do:
#
# - **The same word?** Two parts of one gloss, or parts of two. The answer should not depend on which comes first.
# - **Which word?** The first part of a gloss, and four words of which one is defined. Words that share their first four letters with the gloss are left out: for those one need not know what they mean.

# %% id="wordnet"
def entries(texts):
    """Of each line of WordNet its first word and the parts of its gloss, but for quotations."""
    found = []
    for line in "\n".join(texts).splitlines():
        words, _, gloss = line.partition(" - ")
        said = gloss.split('"')[0].strip(" .;").split("; ")
        if all(3 <= len(part.split()) <= 14 for part in said):
            found.append((words.split(", ")[0], said))
    return found


def same_word(entries, count, dice):
    """`count` questions: ([one, other], 1 if they are parts of one gloss, else 0)."""
    twice = dice.sample([said[:2] for _, said in entries if len(said) > 1], count)
    one, two = twice[: count // 2], twice[count // 2 :]
    mixed = [[first, second] for (first, _), (_, second) in zip(two, two[1:] + two[:1])]
    questions = [(pair, 1) for pair in one] + [(pair, 0) for pair in mixed]
    return [(dice.sample(pair, 2), right) for pair, right in questions]


def which_word(entries, count, dice):
    """`count` questions: ([gloss, four words], the place of the right one)."""
    fair = [(word, said[0]) for word, said in entries
            if not any(part[:4].lower() in said[0].lower() for part in word.split())]
    questions = []
    for word, gloss in dice.sample(fair, count):
        four = [word] + [other for other, _ in dice.sample(fair, 3)]
        dice.shuffle(four)
        questions.append(([gloss, *four], four.index(word)))
    return questions


lines = books.source("wordnet")
known, new = entries(lines.train), entries(lines.ends)
by_part = same_word(known, 1_200, random.Random(1)), same_word(new, 300, random.Random(1))
by_word = which_word(known, 1_200, random.Random(1)), which_word(new, 300, random.Random(1))
for texts, right in by_part[1][:2] + by_part[1][-2:] + by_word[1][:2]:
    print(right, texts)

# %% [markdown] id="layout-idea"
# How does one model read a passage, a pair, a choice? GPT-1 changes nothing in the model for it. It adds three tokens, **start**, **delimiter** and **extract**, and lays every question out as one or several rows (figure 1 of the paper):
#
# | kind | texts | rows |
# |---|---|---|
# | `one` | a passage | start, passage, extract |
# | `pair` | two that have no order | start, one, delimiter, other, extract; and a second row, the *other* first |
# | `choice` | a text and its possible answers | for each answer: start, text, delimiter, answer, extract |
#
# The features at the extract tokens will be all that the head gets to see. Our pieces have a start token, `<s>`, number 1. The other two are new: numbers 6000 and 6001, behind the last piece. None of the three was ever read: lab 04's texts had only `</s>` between them. The vectors of the new ones begin at random, and all three are learned in fine-tuning, as in the paper.
#
# A text is a list of pieces by number, such as `[310, 4, 87]`. In a list, `[START, *text]` puts the pieces of `text` behind `START`.

# %% id="new-tokens"
START, DELIMITER, EXTRACT = 1, 6_000, 6_001


def with_new_tokens(model, seed=0):
    """A copy whose table has two rows more, drawn at random, of the size of the others."""
    grown, chance = copy.deepcopy(model), torch.Generator().manual_seed(seed)
    table = grown.embedding.weight.detach().cpu()
    rows = table.std() * torch.randn(2, table.shape[1], generator=chance)
    grown.embedding = nn.Embedding.from_pretrained(torch.cat([table, rows]), freeze=False)
    return grown.to(lab.device)


assert len(pieces) == DELIMITER

# %% id="layout" tags=["exercise"] minutes=9 difficulty=2 teaches="a task is in the layout of its rows, not in the model"
def layout(kind, texts):
    """The rows of one question.

    kind: "one", "pair" or "choice"
    texts: lists of numbers: [passage], [one, other], or [text, answer, answer, ...]
    returns a list of rows, each a list of numbers, in the order of the table above
    """
    ### BEGIN SOLUTION
    if kind == "one":
        (passage,) = texts
        return [[START, *passage, EXTRACT]]
    if kind == "pair":
        one, other = texts
        both_orders = [(one, other), (other, one)]
        return [[START, *first, DELIMITER, *second, EXTRACT] for first, second in both_orders]
    text, *answers = texts
    return [[START, *text, DELIMITER, *answer, EXTRACT] for answer in answers]
    ### END SOLUTION

# %% id="check-layout" tags=["check"]
layout = check("layout")

# %% [markdown] id="layout-look"
# Your layout of three small questions, drawn:

# %% id="fig-layout" tags=["nbval-ignore-output"]
small = {"one": ["Thou art a villain."], "pair": ["a large wild cat", "a big feline"],
         "choice": ["a large wild cat", "tiger", "teapot", "sonnet", "to run"]}
named = {START: ("start", colours.GREEN), DELIMITER: ("delimiter", colours.BLUE),
         EXTRACT: ("extract", colours.VERMILION)}
figure, axes = plt.subplots(figsize=(8.6, 3.4))
height = 0
for kind, texts in small.items():
    for row in layout(kind, pieces.encode(texts)):
        axes.text(0, height, kind, fontsize=9, va="center", color=colours.GREY)
        across = 0.9
        for token in row:
            said, edge = named.get(token) or (pieces.pieces([token])[0], colours.GREY)
            axes.text(across, height, said, fontsize=8.5, va="center", family="DejaVu Sans Mono",
                      bbox={"boxstyle": "round,pad=0.25", "facecolor": colours.CARD,
                            "edgecolor": edge})
            across += 0.075 * len(said) + 0.22
        height -= 0.42
    height -= 0.25
axes.set(xlim=(0, 8.6), ylim=(height, 0.4))
axes.axis("off")
show(figure, alt="Seven rows of boxes. One for the passage: start, its pieces, extract. Two for "
     "the pair, which differ in the order of the two texts around the delimiter. Four for the "
     "choice: "
     "the same text each time, then the delimiter, one of four answers, extract.")

# %% [markdown] id="layout-question"
# **Question.** Why must the extract token stand last? What would the features of the *start* token say?
#
# <details><summary>Answer</summary>
#
# Attention is causal: a place knows what stands before it. The start token has seen nothing but itself, so its features are the same for every question. (BERT, Devlin et al. 2019, may look both ways, and asks at its first token.)
# </details>

# %% [markdown] id="extract-idea"
# ## 2 · Where to ask
#
# Many rows go through the model at once, as one tensor, so short ones are filled up: `pad(rows)` from `squint.text.bpe` puts zeros behind them. Then the extract token of a short row does *not* stand in the last column:
#
# | | 0 | 1 | 2 | 3 | 4 | 5 |
# |---|---|---|---|---|---|---|
# | a row of six | start | ▁Thou | ▁art | ▁a | ▁villain | **extract** |
# | a row of four | start | ▁Be | ▁gone | **extract** | 0 | 0 |
#
# The model comes as a function, `features`: from tokens `[rows, longest]` to vectors `[rows, longest, dim]`. `table[torch.arange(2), torch.tensor([5, 3])]` picks the vector of row 0 at 5 and that of row 1 at 3.

# %% id="extract" tags=["exercise"] minutes=8 difficulty=2 teaches="the end of a row is not the end of the padding"
def extract(features, rows):
    """The features at the last token of each row.

    features: a function from tokens [rows, longest] to vectors [rows, longest, dim]
    rows: a list of rows as `layout` makes them, of any lengths
    returns [rows, dim]
    """
    ### BEGIN SOLUTION
    last = torch.tensor([len(row) - 1 for row in rows])
    return features(pad(rows))[torch.arange(len(rows)), last]
    ### END SOLUTION

# %% id="check-extract" tags=["check"]
extract = check("extract")

# %% [markdown] id="padding-text"
# Should the model not be told which tokens are filling? In an encoder it should: there everybody sees everybody. Here is the same question for a GPT: ten sentences together, filled up, against each alone.

# %% id="padding"
def reading(model):
    """What `extract` asks: the model's features, wherever it is."""
    return lambda tokens: model.features(tokens.to(lab.device))


ready = with_new_tokens(reader).eval()
ten = [layout("one", pieces.encode(texts))[0] for texts, _ in by_author[1][::30]]
print("lengths:", [len(row) for row in ten])
with torch.inference_mode():
    together = extract(reading(ready), ten)
    alone = torch.cat([extract(reading(ready), [row]) for row in ten])
    longest = max(map(len, ten))
    from_the_left = torch.tensor([[0] * (longest - len(row)) + row for row in ten])
    pushed = reading(ready)(from_the_left)[:, -1]
claim("filled up on the right, a feature differs from that of the row alone by at most",
      (together - alone).abs().max(), below=1e-3,
      control={"filled up on the left": (pushed - alone).abs().max()})

# %% [markdown] id="padding-question"
# **Question.** Why does filling on the left change something, and filling on the right nothing?
#
# <details><summary>Answer</summary>
#
# The extract token sees only what stands before it. On the right stands what it cannot see. On the left it would see zeros that nobody wrote, and all the words would stand at other places, with other position vectors.
# </details>

# %% [markdown] id="head-idea"
# ## 3 · What to ask
#
# On top comes a **head**: one linear layer, all that is new besides two tokens. What it is given depends on the kind:
#
# - `one`: the features of the only row. The head gives a number for each possible answer.
# - `pair`: the features of both rows, *added*. So the order cannot matter. Again a number for each possible answer.
# - `choice`: each row by itself; the head gives *one* number a row: how well this answer fits. The numbers of one question stand side by side.
#
# In all three cases a question ends as one row of scores, and a softmax over its answers makes probabilities of them; the loss is the cross-entropy, as always. (Equations 3 and 4 of the paper.)

# %% id="log_probabilities" tags=["exercise"] minutes=10 difficulty=3 teaches="one head for three kinds of questions"
def log_probabilities(kind, features, head):
    """The log-probability of each answer to each question.

    kind: "one", "pair" or "choice"
    features: [questions, rows, dim], of the rows that `layout` makes: 1, 2, or one an answer
    head: a linear layer, from dim to the number of answers; for a choice from dim to 1
    returns [questions, answers]
    """
    ### BEGIN SOLUTION
    scores = head(features.sum(dim=1))
    if kind == "choice":
        scores = head(features).squeeze(-1)
    return scores.log_softmax(dim=-1)
    ### END SOLUTION

# %% id="check-log_probabilities" tags=["check"]
log_probabilities = check("log_probabilities")

# %% [markdown] id="fine-tune-text"
# Now it goes together. `ask` takes questions to answers: your `layout`, your `extract`, your `log_probabilities`. `fine_tune` begins with a copy of a model and a head whose weights are zeros, and trains *everything*, for some steps of 16 questions. (`F.nll_loss` is the cross-entropy of what has gone through the softmax already.) A start that has read nothing, `gpt.GPT(shape)`, can be given to it just as well: that will be the rival.

# %% id="fine-tune"
BATCH, HEAD_RATE = 16, 3e-3


class Task(NamedTuple):
    """Questions of one kind: ([pieces of each text, ...], the right answer's number)."""

    kind: str
    answers: int
    learn: list
    test: list


def task_of(kind, answers, parts):
    """The questions in pieces; the test's in order of length, so that little is filled up."""
    learn, test = ([(pieces.encode(texts), right) for texts, right in part] for part in parts)
    return Task(kind, answers, learn, sorted(test, key=lambda asked: sum(map(len, asked[0]))))


tasks = {"who wrote this?": task_of("one", 3, by_author),
         "the same word?": task_of("pair", 2, by_part),
         "which word?": task_of("choice", 4, by_word)}


def ask(model, head, kind, questions):
    """Log-probabilities [questions, answers]."""
    rows = [row for texts, _ in questions for row in layout(kind, texts)]
    features = extract(reading(model), rows)
    return log_probabilities(kind, rearrange(
        features, "(questions rows) dim -> questions rows dim", questions=len(questions)), head)


def fine_tune(task, questions, start, steps, rate, seed):
    """A copy of `start` and a head, trained on the questions; the rate falls to zero."""
    torch.manual_seed(seed)
    model, dice = with_new_tokens(start, seed).train(), random.Random(seed)
    head = nn.Linear(shape.dim, 1 if task.kind == "choice" else task.answers, device=lab.device)
    nn.init.zeros_(head.weight)
    learned = [{"params": model.parameters(), "lr": rate},
               {"params": head.parameters(), "lr": HEAD_RATE}]
    optimiser = torch.optim.AdamW(learned, fused=True)
    falls = torch.optim.lr_scheduler.LinearLR(optimiser, 1, 0, steps)
    for _ in range(steps):
        some = dice.sample(questions, BATCH)
        right = torch.tensor([answer for _, answer in some], device=lab.device)
        loss = F.nll_loss(ask(model, head, task.kind, some), right)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falls.step()
    return model.eval(), head


@torch.inference_mode()
def chosen(model, head, kind, questions):
    """The likeliest answer to each question."""
    parts = [questions[at : at + 100] for at in range(0, len(questions), 100)]
    return torch.cat([ask(model, head, kind, part).argmax(dim=-1) for part in parts]).tolist()


def share_right(answers, questions):
    """In percent."""
    return 100 * sum(said == right for said, (_, right) in zip(answers, questions)) / len(questions)

# %% [markdown] id="interval-idea"
# ## 4 · What reading is worth
#
# Thirty-two labels are few, and which thirty-two one gets is chance. So we draw several times and fine-tune anew: each time another number. Their mean is what we want to know, and it is uncertain, too.
#
# By how much? Say that $n$ runs scatter with the standard deviation $s$: the squared distances from the mean, added up and divided by $n - 1$ (since the mean was taken from the same numbers), and of that the root. Then their mean scatters with $s / \sqrt{n}$. In 95 of 100 cases the mean of all such draws, on this one test, lies within $t$ times that on either side. For many runs $t$ is 1.96. For few it is larger, because $s$ itself is a guess (Student 1908); `STUDENT[n]` has it.

# %% id="student"
STUDENT = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 20: 2.093}

# %% id="interval" tags=["exercise"] minutes=7 difficulty=2 teaches="what few runs say about a mean"
def interval(values):
    """The 95 % interval of the mean of a few values.

    values: a list of numbers, as many as STUDENT has a t for
    returns two numbers, the lower end and the upper end
    """
    ### BEGIN SOLUTION
    n = len(values)
    mean = sum(values) / n
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    margin = STUDENT[n] * math.sqrt(variance / n)
    return mean - margin, mean + margin
    ### END SOLUTION

# %% id="check-interval" tags=["check"]
interval = check("interval")

# %% [markdown] id="author-idea"
# Who wrote this? With 32, 128 and 512 labels, three starts:
#
# - **pre-trained**, the model that has read;
# - **from scratch**, the same model with numbers drawn at random. It gets the same labels, steps and test. And because it has more to learn, it gets a second try with 240 steps, which are more than we have time for here;
# - **counting**, a rival that is no network. It counts in how many of each author's sentences a piece occurs, and multiplies the shares (naive Bayes). Whoever brings a Transformer should beat this.
#
# Each network gets the learning rate that served *it* best with 128 labels, of three that were tried on questions that are in no test. Looking for them takes minutes, and so does the second try: a recipe, `data/recipes/labels.py`, did both beforehand, with the cells above, and kept what came out in a table.

# %% id="measured"
measured = json.loads(catalogue.path("gpt_small/labels.json").read_text("utf-8"))
RATES = measured["rates"]
for name, found in RATES.items():
    print(f"{name:16}", ", ".join(f"{kind}: {rate}" for kind, rate in found.items()))


def kept(task, start, size):
    """The table's draws, percent right."""
    return [row["right"] for row in measured["rows"] if row["kind"] == "test"
            and (row["task"], row["start"], row["labels"]) == (task, start, size)]


# %% id="guess-labels" tags=["nbval-ignore-output"]
guess_labels = predict("Pre-trained, with 32 labels, it is right in so many percent of the test. "
                       "(By chance: 33.) How many?", low=30, high=100, step=1, unit="%")

# %% id="counting"
def counting(questions):
    """Naive Bayes: from an author's sentences to the author of another."""
    seen, total = [Counter() for _ in AUTHORS], Counter()
    for (sentence,), author in questions:
        seen[author].update(set(sentence))
        total[author] += 1

    def author_of(sentence):
        return max(range(len(AUTHORS)), key=lambda author: sum(
            math.log((seen[author][piece] + 0.5) / (total[author] + 1)) for piece in set(sentence)))

    return author_of

# %% id="author-curve"
authors = tasks["who wrote this?"]
SIZES, STARTS = (32, 128, 512), ("pre-trained", "from scratch", "counting")
LONGER = "from scratch, 240 steps"
draws = budget(cpu=4, gpu=8, smoke=2)
right_share = {(name, size): [] for name in STARTS for size in SIZES}
for size, draw in track([(size, draw) for size in SIZES for draw in range(draws)], "fine-tuning"):
    few = random.Random(draw).sample(authors.learn, size)
    steps = budget(cpu={32: 30, 128: 40, 512: 60}[size], gpu=100, smoke=2)
    torch.manual_seed(draw)
    for name, start in (("pre-trained", reader), ("from scratch", gpt.GPT(shape))):
        rate = RATES["who wrote this?"][name]
        tuned = fine_tune(authors, few, start, steps, rate, seed=draw)
        answers = chosen(*tuned, "one", authors.test)
        right_share[name, size].append(share_right(answers, authors.test))
    author_of = counting(few)
    guessed = [author_of(texts[0]) for texts, _ in authors.test]
    right_share["counting", size].append(share_right(guessed, authors.test))

for size in SIZES:
    right_share[LONGER, size] = kept("who wrote this?", "from scratch", size)
    said = [f"{name} ⟨{mean(right_share[name, size]):.0f} %⟩" for name in (*STARTS, LONGER)]
    print(f"{size} labels: " + ", ".join(said))
for size in SIZES:
    gains = [read - not_read for read, not_read in
             zip(right_share["pre-trained", size], right_share[LONGER, size])]
    claim(f"{size} labels: lower end of what pre-training gains, in points", interval(gains)[0],
          above=0, paper="Radford et al. 2018, table 5")

# %% id="fig-authors" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.8))
looks = {"pre-trained": (colours.BLUE, "o"), "from scratch": (colours.VERMILION, "s"),
         "counting": (colours.GREY, "^"), LONGER: (colours.ORANGE, "D")}
for shift, (name, (colour, marker)) in zip((0.96, 1.04, 1, 1.08), looks.items()):
    means = [mean(right_share[name, size]) for size in SIZES]
    ends = [interval(right_share[name, size]) for size in SIZES]
    low, high = ([abs(end[side] - middle) for end, middle in zip(ends, means)] for side in (0, 1))
    axes.errorbar([shift * size for size in SIZES], means, yerr=(low, high), color=colour,
                  marker=marker, capsize=3, label=name)
axes.axhline(100 / 3, color=colours.GREY, linestyle=":", linewidth=1.4)
axes.set_xscale("log", base=2)
axes.set_xticks(SIZES, SIZES)
axes.minorticks_off()
axes.set(xlabel="labels to learn from", ylabel="right, % of 300 sentences", ylim=(0, 102),
         title="Who wrote this? (bars: 95 % intervals; dotted: chance)")
draw_guess(axes, guess_labels)
axes.legend(loc="lower center", ncol=2)
show(figure, alt="Share of right answers against 32, 128 and 512 labels. The pre-trained model is "
     "above all others at all three; counting rises steeply with more labels; the same model from "
     "scratch stays lowest with the same steps, and with 240 comes nearer to counting.")

# %% [markdown] id="author-read"
# What has read needs few labels: it knows words and the company they keep, and has only to be told which of what it sees is asked for. From scratch, the same machine with the same steps hardly leaves chance. Is that for want of labels, or of steps? With 240 steps, four to eight times as many, it gains a good deal where there are 512 labels, little where there are 32. It stays below counting, and far below what has read.
#
# **Question.** Counting has not read either, and beats the Transformer from scratch. Why?
#
# <details><summary>Answer</summary>
#
# It can do only one thing, and that is nearly the right one here: *thee* and *Yahweh* tell much, whatever stands around them. The Transformer could learn any dependence of words on each other; for so much freedom a few hundred sentences are too few. What pre-training gives is not a better machine, but what is already in it.
# </details>

# %% [markdown] id="others-idea"
# ## 5 · Two texts at once
#
# Now the pair and the choice. Both ask something harder: not what is in a text, but how two texts go together. Before the numbers, something about the two orders. A model fine-tuned on pairs is asked each question twice, with the parts swapped. How often does its answer change, and how often would it if only the first row were used?

# %% id="both-orders"
pairs = tasks["the same word?"]
few_pairs = random.Random(0).sample(pairs.learn, 128)
tuned_to_pairs = fine_tune(pairs, few_pairs, reader, budget(cpu=60, gpu=60, smoke=2),
                           RATES["the same word?"]["pre-trained"], seed=0)


def one_order(model, head):
    """Answers from the first row of each pair alone, as asked and with the parts swapped."""
    found = []
    for turn in (1, -1):
        rows = [layout("pair", texts[::turn])[0] for texts, _ in pairs.test]
        with torch.inference_mode():
            found.append(head(extract(reading(model), rows)).argmax(dim=-1).tolist())
    return found


def changed(one, other):
    """In how many percent of the questions two lists of answers differ."""
    return 100 * sum(a != b for a, b in zip(one, other)) / len(one)


swapped = [(texts[::-1], right) for texts, right in pairs.test]
as_asked, as_swapped = (chosen(*tuned_to_pairs, "pair", asked) for asked in (pairs.test, swapped))
claim("answers that change when the parts are swapped", changed(as_asked, as_swapped), equals=0.0,
      unit="%", control={"from one order alone": changed(*one_order(*tuned_to_pairs))},
      paper="Radford et al. 2018, §3.3")

# %% [markdown] id="likelihood-idea"
# There is another way to ask, without a head and without a single label: **how likely does the model find it?** It has read lines such as *tiger - a large wild cat*. So which word makes the gloss most likely? And which parts make *each other* likelier than they are by themselves? GPT-1's authors tried such rules on a model that had learned nothing but to predict (§5, “Zero-shot behaviors”).
#
# `nats(befores, texts)` gives for each text the negative log-probability of its pieces, summed, behind what stands before it.

# %% id="likelihood"
@torch.inference_mode()
def nats(befores, texts):
    """−log p of each text behind what stands before it, by the model that has only read."""
    found = []
    for at in range(0, len(texts), 100):
        some = list(zip(befores[at : at + 100], texts[at : at + 100]))
        tokens = pad([[END, *before, *text] for before, text in some]).to(lab.device)
        # In front stands END, so place i of `each` is of token i of `before` and `text`.
        each = F.cross_entropy(reader(tokens[:, :-1]).mT, tokens[:, 1:], reduction="none").cpu()
        found += [each[row, len(before) : len(before) + len(text)].sum()
                  for row, (before, text) in enumerate(some)]
    return torch.stack(found)


def parts_by_likelihood(questions):
    """1 where two parts, with a semicolon between them, make each other likelier, else 0."""
    semicolon = pieces.encode(["a;"])[0][-1]
    gain = torch.zeros(len(questions))
    for turn in (1, -1):
        first, second = zip(*(texts[::turn] for texts, _ in questions))
        behind = nats([[*text, semicolon] for text in first], second)
        gain += nats([[semicolon]] * len(second), second) - behind
    return (gain > 0).int().tolist()


def word_by_likelihood(questions):
    """The place of the word behind which, as in WordNet's lines, the gloss is likeliest."""
    dash = pieces.encode(["-"])[0]
    words = [[*word, *dash] for (gloss, *four), _ in questions for word in four]
    glosses = [gloss for (gloss, *four), _ in questions for word in four]
    return rearrange(nats(words, glosses), "(q four) -> q four", four=4).argmin(dim=1).tolist()


# %% [markdown] id="others-guess-text"
# Now both tasks, asked by likelihood with no label at all, and fine-tuned with 32, 128 and 512 labels from both starts, with four draws each. All that fine-tuning takes a quarter of an hour, so it is in the recipe's table, too. One draw of *which word?* you run here, beside the table's.

# %% id="guess-likelihood" tags=["nbval-ignore-output"]
guess_likelihood = predict("Which word? By chance 25 % are right. By likelihood, with no label?",
                           low=0, high=100, step=1, unit="%")

# %% id="by-likelihood"
by_rule = {"the same word?": parts_by_likelihood, "which word?": word_by_likelihood}
by_chance = {"the same word?": 50, "which word?": 25}
no_label = {}
for name, rule in by_rule.items():
    questions = tasks[name].test
    other_text = [([more[0], *texts[1:]], right)  # the first text is that of another question
                  for (texts, right), (more, _) in zip(questions, questions[7:] + questions[:7])]
    no_label[name] = share_right(rule(questions), questions)
    claim(f"{name} By likelihood, without a label, percent right", no_label[name],
          above=by_chance[name] + 10, paper="Radford et al. 2018, §5",
          control={"of another question's text": share_right(rule(other_text), questions)})

# %% id="others"
for name in by_rule:
    for size in SIZES:
        print(f"{name:16} {size:3} labels: " + ", ".join(
            f"{kind} {mean(kept(name, kind, size)):.0f} %" for kind in RATES[name]))
gain = {name: [read - not_read for read, not_read in zip(
    kept(name, "pre-trained", 512), kept(name, "from scratch", 512))] for name in by_rule}
claim("which word? 512 labels: lower end of what pre-training gains, in points",
      interval(gain["which word?"])[0], above=0, paper="Radford et al. 2018, table 5",
      control={"the same word?": interval(gain["the same word?"])[0]})
live, few = {}, random.Random(9).sample(tasks["which word?"].learn, 128)
for kind, rate in track(RATES["which word?"].items(), "fine-tuning"):
    torch.manual_seed(9)
    start = reader if kind == "pre-trained" else gpt.GPT(shape)
    steps = budget(cpu=60, gpu=60, smoke=2)
    tuned = fine_tune(tasks["which word?"], few, start, steps, rate, seed=9)
    live[kind] = share_right(chosen(*tuned, "choice", tasks["which word?"].test),
                             tasks["which word?"].test)
print("which word? Your draw with 128 labels: "
      + ", ".join(f"{kind} ⟨{share:.0f} %⟩" for kind, share in live.items()))

# %% id="fig-others" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(1, 2, figsize=(8.6, 3.7), sharey=True)
for axes, (name, share) in zip(panels, no_label.items()):
    axes.axhline(share, color=colours.GREEN, label="by likelihood, no label")
    axes.axhline(by_chance[name], color=colours.GREY, linestyle=":", label="by chance")
    for kind, shift in (("pre-trained", 0.96), ("from scratch", 1.04)):
        colour, marker = looks[kind]
        draws_of = [kept(name, kind, size) for size in SIZES]
        means = [mean(row) for row in draws_of]
        margins = [high - middle for middle, (_, high) in zip(means, map(interval, draws_of))]
        axes.errorbar([shift * size for size in SIZES], means, margins, color=colour, marker=marker,
                      capsize=3, label=kind)
        if name == "which word?":
            axes.plot(128 * shift, live[kind], "*", color=colour, markersize=13,
                      markeredgecolor=colours.INK, label=f"{kind}, your draw")
    axes.set_xscale("log", base=2)
    axes.set_xticks(SIZES, SIZES)
    axes.minorticks_off()
    axes.set(xlabel="labels to learn from", ylim=(0, 100), title=name)
draw_guess(panels[1], guess_likelihood)
panels[0].set_ylabel("right, % of 300 questions")
panels[1].legend(loc="upper left", fontsize=8)
show(figure, alt="Two panels, share of right answers against 32, 128 and 512 labels. The same "
     "word: both starts stay at chance, 50 %, and likelihood without a label lies far above them. "
     "Which word: pre-trained climbs from 31 to 41 %, from scratch stays near 25 %, and again "
     "likelihood lies above both.")

# %% [markdown] id="others-read"
# *Which word?* The model that has read learns something from labels, the other nothing. *The same word?* With at most 512 labels neither learns to tell: GPT-1 had such labels by the hundred thousand. And all four curves lie below the green line, for which nobody has written a single label. What the model knows about two texts is in how well it predicts one behind the other; a head that sees one vector need not find it there.
#
# **Question.** Why is it easier to ask for the author than for the same word?
#
# <details><summary>Answer</summary>
#
# An author is in each word, and the words' traces add up. Whether two texts speak of the same word is in neither of them: it must be *computed* from both, and nothing in predicting the next word puts that result into one place. Fine-tuning must teach the model to compute it, and so few labels do not.
# </details>

# %% [markdown] id="leaks-idea"
# ## 6 · What has leaked?
#
# A test measures what a model can do on what it has not seen. But who reads the whole internet has read many tests, too, with their answers. Brown et al. (2020, §4) looked for it in GPT-3's 300 billion tokens, found much, and had a bug in their first filter, found too late to train again. So they asked afterwards which questions were **dirty**, and whether the clean ones came out worse.
#
# Their measure (appendix C): a passage is dirty if it shares $n$ **words in a row** with the training text. Capitals, punctuation and white space do not count. They took $n$ between 8 and 13.
#
# What is a word, then? A run of `a` to `z` and `0` to `9`, in lower case; everything else only divides words, line ends and dashes, too. `re.findall(r"[a-z0-9]+", text.lower())` gives these runs.
#
# And their groups? `words[i:]` are the words from number $i$ on, and `zip(a, b, c)` goes through three lists at once, and stops with the shortest. So `zip(words, words[1:], words[2:])` are the groups of three, as tuples; `zip(*lists)` takes a list of lists.

# %% id="groups" tags=["exercise"] minutes=5 difficulty=2 teaches="what counts as the same words in a row"
def groups(text, n):
    """All groups of n words that stand in a row in a text.

    returns a set of tuples of n words each
    """
    ### BEGIN SOLUTION
    words = re.findall(r"[a-z0-9]+", text.lower())
    return set(zip(*(words[i:] for i in range(n))))
    ### END SOLUTION

# %% id="check-groups" tags=["check"]
groups = check("groups")

# %% [markdown] id="leaks-text"
# A set finds a group at once, however many it has. `known.update(more)` puts in all that `more` has, and `known.isdisjoint(more)` says whether the two have nothing in common.

# %% id="leaks" tags=["exercise"] minutes=7 difficulty=2 teaches="an n-gram filter for leaked tests"
def leaks(tests, training, n=13):
    """Which passages share a group of n words with the training texts.

    tests: a list of passages; training: a list of texts
    No group reaches from one text into the next.
    returns a list of True (dirty) and False, one for each passage
    """
    ### BEGIN SOLUTION
    known = set()
    for text in training:
        known.update(groups(text, n))
    return [not known.isdisjoint(groups(passage, n)) for passage in tests]
    ### END SOLUTION

# %% id="check-leaks" tags=["check"]
leaks = check("leaks")

# %% [markdown] id="planted-text"
# Does it find what is there? We plant leaks: thirty passages of 40 words, from how Austen's novels end, go into a copy of the text to learn from, somewhere in the middle, in other capitals, with other punctuation. The other passages are the control.

# %% id="planted"
def passages_of(texts, size=40):
    """All passages of `size` words, one behind the other."""
    cut = [text.split() for text in texts]
    return [" ".join(words[at : at + size])
            for words in cut for at in range(0, len(words) - size, size)]


def disguised(passage, dice):
    """The same words in other capitals, and with something else between them."""
    words = re.findall("[A-Za-z0-9]+", passage)
    return "".join(dice.choice((word.upper(), word.title())) + dice.choice((" ", "\n", ", ", "--"))
                   for word in words)


def planted(texts, passages, dice):
    """The texts, with each passage somewhere in one of them."""
    texts = list(texts)
    for passage in passages:
        where = dice.randrange(len(texts))
        at = texts[where].index(" ", dice.randrange(len(texts[where]) // 2))
        texts[where] = f"{texts[where][:at]}\n{passage}\n{texts[where][at:]}"
    return texts


austen = books.source("austen")
asked_about = random.Random(2).sample(passages_of(austen.ends + austen.book), 300)
plants = [disguised(passage, random.Random(3)) for passage in asked_about[:30]]
print(plants[0])
found = leaks(asked_about, planted(austen.train, plants, random.Random(4)))
claim("planted leaks that are found, of 30", sum(found[:30]), equals=30,
      control={"of the 270 that were not planted": sum(found[30:]),
               "before anything was planted": sum(leaks(asked_about[:30], austen.train))})

# %% [markdown] id="length-idea"
# Why 8 to 13? A leak is seldom word for word. Say that somebody has changed about every tenth word. Then a long group is broken somewhere, and a *short* $n$ finds more. But short groups are shared by any two texts of one language. What do you expect of three words in a row?

# %% id="guess-three" tags=["nbval-ignore-output"]
guess_three = predict("Of Austen's passages of 40 words that nobody has leaked: how many share "
                      "three words in a row with the rest of her novels?",
                      low=0, high=100, step=1, unit="%")

# %% id="length-curve"
def reworded(passage, dice, share=0.1):
    """The passage with about a tenth of its words replaced."""
    return " ".join("something" if dice.random() < share else word for word in passage.split())


LENGTHS = (2, 3, 4, 5, 6, 8, 10, 13)
edited, clean = asked_about[:150], asked_about[150:]
chance = random.Random(5)
with_edited = planted(austen.train, [reworded(passage, chance) for passage in edited], chance)
bible = books.source("bible")
verses = random.Random(6).sample(passages_of(bible.ends + bible.book), 150)
flagged = {"leaked, a tenth of the words changed": [], "not leaked: Austen": [],
           "not leaked: the Bible": []}
for n in track(LENGTHS, "comparing"):
    found = leaks(asked_about, with_edited, n)
    shares = (sum(found[:150]), sum(found[150:]), sum(leaks(verses, bible.train, n)))
    for row, count in zip(flagged.values(), shares):
        row.append(100 * count / 150)
for name, row in flagged.items():
    print(f"{name:36}", dict(zip(LENGTHS, (round(share) for share in row))))

# %% id="fig-lengths" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.8))
for (name, row), colour in zip(flagged.items(), (colours.VERMILION, colours.BLUE, colours.SKY)):
    axes.plot(LENGTHS, row, "o-", color=colour, label=name)
axes.axvspan(8, 13, color=colours.YELLOW, alpha=0.25, linewidth=0)
axes.text(8.1, 92, "the paper's", fontsize=9)
axes.set_xticks(LENGTHS)
axes.set(xlabel="n, words in a row", ylabel="called dirty, % of 150 passages", ylim=(-3, 104),
         title="Too short flags everything, too long misses what was changed")
draw_guess(axes, guess_three)
axes.legend(loc="center right", fontsize=8)
show(figure, alt="Passages called dirty against n from 2 to 13. All at n = 2 and 3; of Austen's "
     "that were not leaked hardly any from 8 on, of the Bible's some even at 13; of the leaked and "
     "changed ones nearly all up to 8, then fewer.")

# %% [markdown] id="own-idea"
# From 8 words on, hardly a passage of Austen's is called dirty that is clean, and most of what was changed is still found. (The Bible repeats itself.)
#
# And the course itself? Lab 04 measured its GPT on ends of books and on three whole books. Has it read them elsewhere? Your filter can say: passages of 40 words from all that is held out, against all four training texts, at $n = 8$.

# %% id="own"
held_out = {name: passages_of(books.source(name).ends + books.source(name).book)
            for name in books.NAMES}
everything = [passage for passages in held_out.values() for passage in passages]
dirty = {}
for name in track(books.NAMES, "comparing"):
    marked = dict(zip(everything, leaks(everything, books.source(name).train, 8)))
    for other, passages in held_out.items():
        dirty[other, name] = [passage for passage in passages if marked[passage]]
print("held-out passages that share 8 words in a row with the training text of")
print(f"{'':22}" + "".join(f"{name:>13}" for name in books.NAMES))
for other, passages in held_out.items():
    print(f"{other:12}{len(passages):>6} of" + "".join(
        f"{len(dirty[other, name]):>13}" for name in books.NAMES))

# %% id="own-examples" tags=["nbval-ignore-output"]
def shared(passage, texts, n=8):
    """Some n words in a row that a passage shares with some texts."""
    rows = [" ".join(group) for group in sorted(groups(passage, n))]
    return next(row for row, found in zip(rows, leaks(rows, texts, n)) if found)


for other, name in (("austen", "shakespeare"), ("austen", "wordnet"), ("shakespeare", "wordnet"),
                    ("bible", "bible"), ("shakespeare", "shakespeare")):
    for passage in dirty[other, name][:2]:
        words_shared = shared(passage, books.source(name).train)
        print(f"held out of {other}, learned in {name}: … {words_shared} …")

# %% [markdown] id="own-read"
# So it has leaked, here, too. The Bible tells many things twice: how Chronicles end is how Ezra begins. Lists and set phrases do the rest. WordNet's examples quote Austen and Shakespeare, from the very pages that are held out, and Northanger Abbey quotes *Twelfth Night* and *Othello*. Nobody cheated. A text that is held out by its file or its place is not held out of the language.
#
# **Question.** What does this do to what lab 04 measured? And what does the filter not see?
#
# <details><summary>Answer</summary>
#
# Of Austen and Shakespeare at most one passage in a hundred is dirty at $n = 8$, of WordNet three: nothing to speak of. Of the Bible it is one in seven: its bits a byte are somewhat better than for a Bible that says everything once. The filter sees neither a translation nor a retelling, and no passage of fewer than $n$ words, which has no group at all. (So the paper took for $n$ the length that one test in twenty falls short of, but at least 8 and at most 13.) And a shared set phrase counts as a leak that is none.
# </details>

# %% [markdown] id="score-idea"
# ## 7 · What a leak does to a score
#
# How bad is it? We let the model read on, for one short sitting, in the books that it knows already; but among them we mix passages of a test. There are four groups of passages, drawn by chance from how the novels end: one is not mixed in, one is read once, one four times, one sixteen times. That is far more than leaks by accident; so one sitting shows it. Before and after, we measure bits a byte on each. Before, the groups should not differ: an interval of their difference that has 0 in it says so.

# %% id="guess-once" tags=["nbval-ignore-output"]
guess_once = predict("Which groups' bars will lie wholly above that of what was not read?",
                     choices=["none of them", "only what was read sixteen times",
                              "what was read four or sixteen times", "all three"])

# %% id="read-on"
TIMES = (0, 1, 4, 16)
dice = random.Random(7)
drawn = dice.sample(passages_of(austen.ends + austen.book), 4 * 20)
sets = {times: drawn[20 * i : 20 * (i + 1)] for i, times in enumerate(TIMES)}


def bits(model, passages):
    """Bits a byte of each passage."""
    coded = [torch.tensor(tokens, device=lab.device) for tokens in pieces.encode(passages)]
    return [float(gpt.surprise(model, tokens).sum()) / math.log(2) / len(passage.encode())
            for tokens, passage in zip(coded, passages)]


def read_on(start, passages, rate, batch=8):
    """A copy that has read the passages once, one behind the other, in rows as long as it sees."""
    torch.manual_seed(0)
    model, width = copy.deepcopy(start).train(), shape.tokens + 1
    tokens = torch.tensor([token for text in pieces.encode(passages) for token in text])
    rows = tokens[: len(tokens) // width * width].view(-1, width)
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate)
    for some in track(rows.split(batch), "reading on"):
        optimiser.zero_grad()
        model.loss(some.to(lab.device)).backward()
        optimiser.step()
    return model.eval()


usual = dice.sample(passages_of(austen.train), budget(cpu=700, gpu=700, smoke=20))
leaked = [passage for times, passages in sets.items() for passage in passages * times]
mixture = dice.sample(usual + leaked, len(usual) + len(leaked))
before = {times: bits(reader, passages) for times, passages in sets.items()}
leaky = read_on(reader, mixture, rate=3e-4)
after = {times: bits(leaky, passages) for times, passages in sets.items()}
gained = {times: [b - a for b, a in zip(before[times], after[times])] for times in TIMES}
mean_gain = {times: mean(row) for times, row in gained.items()}
for times in TIMES:
    print(f"read {times:>2} times: ⟨{mean(before[times]):.2f}⟩ bits a byte before, "
          f"⟨{mean(after[times]):.2f}⟩ after")
low, high = interval([b - c for b, c in zip(before[16], before[0])])
print(f"before any reading, the last group minus the first: ⟨{low:.2f}⟩ to ⟨{high:.2f}⟩")
claim("lower end of what sixteen readings gain, in bits a byte", interval(gained[16])[0],
      above=0.2, control={"mean of what was not read": mean_gain[0]},
      paper="Brown et al. 2020, §4")

# %% id="fig-leak" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.6))
ends = [interval(gained[times]) for times in TIMES]
middle = [mean_gain[times] for times in TIMES]
inks = (colours.GREY, *(colours.VERMILION,) * 3)
axes.bar(range(4), middle, color=inks, width=0.6)
axes.errorbar(range(4), middle, yerr=([m - low for m, (low, _) in zip(middle, ends)],
                                      [high - m for m, (_, high) in zip(middle, ends)]),
              fmt="none", ecolor=colours.INK, capsize=4)
axes.axhline(0, color=colours.INK, linewidth=0.8)
axes.set_xticks(range(4), ("not read", "once", "4 times", "16 times"))
axes.set(ylabel="bits a byte gained", xlabel="how often a passage stood in what was read on",
         title="The oftener a test is read, the better the score (bars: 95 %)")
if guess_once.value:
    axes.text(0, axes.get_ylim()[1] * 0.9, f"your guess: {guess_once.value}", fontsize=9,
              color=colours.PINK)
show(figure, alt="Four bars, bits a byte gained by reading on: next to nothing for passages that "
     "were not read, more the oftener a passage was read, most for sixteen times.")

# %% [markdown] id="score-question"
# **Question.** A model that was tested on leaked text has the better score. What would a fair table print beside it?
#
# <details><summary>Answer</summary>
#
# The score on the clean part alone, as GPT-3's paper does (figure 4.2). If the clean part is worse, the leak has helped, or the clean questions are the harder ones: that, too, can be, and the paper discusses it. And how the filter was set, for another $n$ calls other questions clean.
# </details>

# %% [markdown] id="claims"
# ## 8 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | pre-training beats scratch | without it, an average of 59.9 over its tasks, with it 74.7 (Radford et al. 2018, table 5) | who wrote this, at 32, 128 and 512 labels: section 4; two texts at once: section 5 |
# | both orders, added | for similarity (§3.3) | no answer changes when the parts are swapped: section 5 |
# | it can be asked before it is tuned | likelihood does a part of the tasks, better the longer it has read (§5, figure 2) | both tasks, without a label: section 5 |
# | a filter finds what has leaked | 13 words in a row, or down to 8 (Brown et al. 2020, appendix C) | every planted passage, in other capitals and punctuation; with words changed, the fewer the longer $n$: section 6 |
# | leaks change scores | on most of their tests by little (§4) | the more, the oftener it was read: section 7 |
#
# **What does not carry over.** GPT-1 had 117 million numbers and read 7,000 books; ours is a fiftieth of it, and read what it did in four styles. Its tasks had thousands of labels each, some of them hundreds of thousands, and there the model learned to compare two texts; with 512 labels ours did not get that far. Our three authors are easy to tell apart, too: whoever wants to know which of two women of 1810 wrote a letter needs more. And our leaks were read in one short sitting at the very end, where a model remembers best.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Not the Transformer, and not pre-training: ULMFiT (Howard and Ruder 2018) had tuned a language model to tasks some months earlier. New was that *one* machine, nearly unchanged, took on pairs, choices and passages alike, by their layout.
# - *What is not?* The rival from scratch is weak, here and there. Has counting been tried? Has the rival been given the steps that *it* needs? Here that alone was worth a quarter of all answers.
# - *When does it fail?* When the answer does not stand in the features in a form that a head can read after a few labels. And its score fails to mean anything when the test was in the reading.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 9 · Going further
#
# **1. A second loss.** GPT-1 goes on to learn what comes next while it is fine-tuned: the loss is $L_{task} + \lambda L_{text}$ with $\lambda = 0.5$ (its equation 5). Try it with 32 labels on *who wrote this?*, with λ = 0 and 0.5, and the seeds of section 4. Does it help?
#
# <details><summary>Solution</summary>
#
# ```python
# def loss_of_texts(model, kind, questions):
#     """Mean nats of every next token in the rows of some questions; what fills up does not count."""
#     rows = [row for texts, _ in questions for row in layout(kind, texts)]
#     tokens = pad(rows).to(lab.device)
#     scores = F.linear(model.features(tokens[:, :-1]), model.embedding.weight)
#     return F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten(), ignore_index=0)
#
#
# plain_ask, by_weight = ask, {}
# for weight in (0.0, 0.5):
#     def ask(model, head, kind, questions):
#         found = plain_ask(model, head, kind, questions)
#         if not model.training:
#             return found
#         # −log p of the right answer gets the second loss added: so does its mean, the loss.
#         return found - weight * loss_of_texts(model, kind, questions)
#
#     by_weight[weight] = []
#     for draw in range(draws):
#         few = random.Random(draw).sample(authors.learn, 32)
#         tuned = fine_tune(authors, few, reader, 30, RATES["who wrote this?"]["pre-trained"], draw)
#         by_weight[weight].append(share_right(chosen(*tuned, "one", authors.test), authors.test))
# ask = plain_ask
# difference = [half - none for none, half in zip(by_weight[0.0], by_weight[0.5])]
# print({weight: mean(row) for weight, row in by_weight.items()}, interval(difference))
# claim("λ = 0.5 changes the share right by so many points", mean(difference),
#       between=(-8, 8))
# ```
#
# Little, in either direction. The paper says the same: the second loss helped on its large sets, and not on the small ones (§5, table 5).
# </details>
#
# **2. Only the head.** Freeze the model and train the head alone, on features that are computed once: a **linear probe**. How much of section 4's result does it reach with 32 labels, and with 512?
#
# <details><summary>Solution</summary>
#
# ```python
# def probe(questions, steps=300):
#     """A head, trained on features that stay as they are."""
#     rows = [layout("one", texts)[0] for texts, _ in questions]
#     with torch.no_grad():
#         features = extract(reading(ready), rows)
#     right = torch.tensor([answer for _, answer in questions], device=lab.device)
#     head = nn.Linear(shape.dim, 3, device=lab.device)
#     optimiser = torch.optim.AdamW(head.parameters(), lr=1e-2)
#     for _ in range(steps):
#         optimiser.zero_grad()
#         F.cross_entropy(head(features), right).backward()
#         optimiser.step()
#     return head
#
#
# probed = {}
# for size in (32, 512):
#     probed[size] = []
#     for draw in range(draws):
#         head = probe(random.Random(draw).sample(authors.learn, size))
#         answers = chosen(ready, head, "one", authors.test)
#         probed[size].append(share_right(answers, authors.test))
#     print(f"{size} labels: probe {mean(probed[size]):.0f} %, "
#           f"tuned {mean(right_share['pre-trained', size]):.0f} %")
# claim("fine-tuning above the probe with 512 labels, percent right",
#       mean(right_share["pre-trained", 512]), above=mean(probed[512]))
# ```
#
# The extract token is new to a model that is frozen: nothing was ever learned about what to collect there. So the probe shows what stands in the features by itself, and fine-tuning what can be brought there.
# </details>
#
# **Reading.** Radford, Narasimhan, Salimans and Sutskever (2018), “Improving Language Understanding by Generative Pre-Training”. Howard and Ruder (2018), “Universal Language Model Fine-tuning for Text Classification”. Devlin et al. (2019), “BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding”. Brown et al. (2020), “Language Models are Few-Shot Learners”, §4 and appendix C.
#
# Next comes [lab 05, Few-shot learners](05_few_shot.ipynb): a real language model, and tasks that it does without being trained for them.

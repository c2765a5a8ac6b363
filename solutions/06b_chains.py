# ---
# squint:
#   lab: "06b"
#   title: Chains of thought
#   minutes: 115
#   promise: Ask small Transformers for an answer at once and step by step, count what each answer costs, let several chains vote, and see how a metric makes a jump out of a slope.
#   prerequisites: ["06_scale"]
#   objectives:
#     - write a problem's steps as tokens that a model can learn to write itself
#     - count the FLOPs of an answer, with the prompt read once
#     - hold a chain against rivals that write as much or compute as much
#     - let sampled chains vote, and say when that helps
#     - tell what a model can do from what a metric shows of it
#   claim: A Transformer spends a fixed amount of computation on a token, so problems of many steps stay out of reach when they are answered at once, and become easy when the steps are written out.
#   source: Wei et al. 2022, “Chain-of-Thought Prompting Elicits Reasoning in Large Language Models”; Wang et al. 2022, “Self-Consistency Improves Chain of Thought Reasoning in Language Models”; Schaeffer, Miranda and Koyejo 2023, “Are Emergent Abilities of Large Language Models a Mirage?”
# ---

# %% [markdown] id="title"
# # Chains of thought
#
# *Ask small Transformers for an answer at once and step by step, count what each answer costs, let several chains vote, and see how a metric makes a jump out of a slope.*
#
# 115 minutes · after [lab 06, Scale](06_scale.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write a problem's steps as tokens that a model can learn to write itself;
# - count the FLOPs of an answer, with the prompt read once;
# - hold a chain against rivals that write as much or compute as much;
# - let sampled chains vote, and say when that helps;
# - tell what a model can do from what a metric shows of it.
#
# **The claim under test.** A Transformer spends a fixed amount of computation on a token, so problems of many steps stay out of reach when they are answered at once, and become easy when the steps are written out (Wei et al. 2022). Several chains and a vote are better than one (Wang et al. 2022). And some of what looks like a sudden ability is the metric (Schaeffer et al. 2023).

# %% id="setup" tags=["setup"]
lab = begin("06b_chains")

# %% id="imports"
import math
import random
import re

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from squint import train
from squint.models import gpt, llama
from squint.text.sampling import generate
from squint.viz import colours
from squint.viz.blind import interval

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** In lab 06, about how many FLOPs did it take to read one token, in a model of $N$ parameters?
#
# <details><summary>Answer</summary>
#
# About $2N$: each parameter is used in one multiplication and one addition. (Training takes about three times that.)
# </details>
#
# **2.** A GPT writes its tenth token. What does it have to compute again of the nine before it?
#
# <details><summary>Answer</summary>
#
# Nothing, if it keeps their keys and values (lab 04's cache): no later token changes them. Only the newest token goes through the blocks.
# </details>
#
# **3.** Lab 05 asked SmolLM2 for past tenses. What did four examples in the prompt change?
#
# <details><summary>Answer</summary>
#
# Not the weights. They showed what kind of answer was wanted. Today's examples will show *how long* an answer is wanted.
# </details>

# %% [markdown] id="task-idea"
# ## 1 · A problem with six steps
#
# Take a 7. Add 5, take 8 away, times 3, take 6 away, add 9, times 7. Of each result keep the last digit only. What comes out?
#
# Try it, and mind what you do: 7 and 5 is 12, so 2; take 8 away, that is −6, so 4 (count back from 10); times 3 is 12, so 2 … Nobody says the 5 at the end without the numbers in between. You went through the same small thought six times, and each time you needed what came out the time before.
#
# A Transformer of two blocks cannot go through anything six times. When it reads the last word of the question, that word passes block one and block two, and then there must be an answer. The blocks see all words at once, which is a lot of work side by side; but one after the other they are only two. It may be trained for as long as we like: the way from question to answer stays two blocks long, unless it finds a shortcut.
#
# Unless it writes. A token that was written is read again, at the bottom. Who writes six numbers goes through the blocks six times, and finds on the page what came out before.
#
# To keep models small, a step is one word: `+5`, `−8`, `×3`. We multiply by 3, 7 and 9 only. (Times 5 makes a 0 or a 5 out of everything: whoever guesses would be right too often.)

# %% id="words"
STEPS = 6
PLUS, MINUS, TIMES = range(3)
PLACES = "abcdef"  # for section 4
WORDS = [*map(str, range(10)), *(f"{sign}{k}" for sign in "+−" for k in range(1, 10)),
         "×3", "×7", "×9", "=", ".", *PLACES]
EQUALS, DOT, FIRST_PLACE = (WORDS.index(word) for word in "=.a")
TOKEN = torch.zeros(3, 10, dtype=torch.long)  # the token of an operation and a number
for at, word in enumerate(WORDS[10:EQUALS], start=10):
    TOKEN["+−×".index(word[0]), int(word[1])] = at


def problems(count, steps, chance):
    """So many problems: start [count], operations and numbers [count, steps]."""
    start = torch.randint(0, 10, (count,), generator=chance)
    operations = torch.randint(0, 3, (count, steps), generator=chance)
    numbers = torch.randint(1, 10, (count, steps), generator=chance)
    factors = torch.tensor([3, 7, 9])[torch.randint(0, 3, (count, steps), generator=chance)]
    return start, operations, torch.where(operations == TIMES, factors, numbers)


def in_words(tokens):
    return " ".join(WORDS[token] for token in tokens)


def question(start, operations, numbers, room=0):
    """The prompt's tokens: the start, the steps, dots up to so many steps, `=`."""
    steps = TOKEN[operations, numbers]
    steps = F.pad(steps, (0, max(0, room - steps.shape[1])), value=DOT)
    equals = torch.full((len(start), 1), EQUALS)
    return torch.cat([start[:, None], steps, equals], dim=1)


some = problems(3, STEPS, torch.Generator().manual_seed(0))
for row in question(*some).tolist():
    print(in_words(row))

# %% [markdown] id="chain-text"
# The chain is what you had in mind after each step: the **running results**, last digits only. A digit's token is the digit itself, so results are tokens already. Write the function for a whole batch: where an operation is `PLUS` add, where it is `MINUS` take away, else multiply. `torch.where(condition, a, b)` takes from `a` where the condition holds, from `b` elsewhere. (In torch, as in Python, `-6 % 10` is 4.)

# %% id="chain" tags=["exercise"] minutes=9 difficulty=2 teaches="a chain of thought as training data: running results as tokens"
def chain(start, operations, numbers):
    """The running results, last digits only.

    start: [batch], digits; operations: [batch, steps], PLUS, MINUS or TIMES
    numbers: [batch, steps], what is added, taken away or multiplied by
    returns [batch, steps]: the result after each step, from 0 to 9
    """
    ### BEGIN SOLUTION
    result, results = start, []
    for operation, number in zip(operations.T, numbers.T):
        less_or_times = torch.where(operation == MINUS, result - number, result * number)
        result = torch.where(operation == PLUS, result + number, less_or_times) % 10
        results.append(result)
    return torch.stack(results, dim=1)
    ### STUB
    # result, results = start, []
    # for operation, number in zip(operations.T, numbers.T):
    #     less_or_times = torch.where(operation == MINUS, ...)
    #     result = torch.where(operation == PLUS, ...) % 10
    #     results.append(result)
    # return ...
    ### END SOLUTION

# %% id="check-chain" tags=["check"]
chain = check("chain")

# %% id="look-chain"
yours = torch.tensor([7]), torch.tensor([[PLUS, MINUS, TIMES, MINUS, PLUS, TIMES]]), \
    torch.tensor([[5, 8, 3, 6, 9, 7]])
print(in_words(question(*yours)[0].tolist()), "  ", in_words(chain(*yours)[0].tolist()))
for row, after in zip(question(*some).tolist(), chain(*some).tolist()):
    print(in_words(row), "  ", in_words(after))

# %% [markdown] id="kinds-idea"
# ## 2 · At once, and in steps
#
# Three sizes of lab 04's GPT, all of two blocks, are trained on such problems; each from scratch for each of these ways to answer:
#
# - **at once**: the question, and the last result;
# - **in steps**: the question, and all six results;
# - **dots**: five dots, then the last result. That is as much writing and as much computation as in steps, and nothing on the page;
# - **backwards** (one size only): the first five results in reverse order, then the last. The same digits as in steps, as many targets to learn from, but the hardest comes first: the fifth result, which takes five steps at once.
#
# The loss is asked of what is to be written, not of the question. A model that answers at once reads fewer tokens in training. To be fair it gets more steps, as many as make the same training FLOPs.
#
# Each problem is drawn fresh; with 10 starts and 9 + 9 + 3 words a step there are $10 \cdot 21^6$, so no test question was trained on, but for an accident.

# %% id="guess-once" tags=["nbval-ignore-output"]
guess_once = predict("The largest of three models, asked at once: how many percent of the answers "
                     "are right? (Whoever guesses has 10 %.)", low=0, high=100, unit="%")

# %% id="ways"
WAYS = {
    "at once": lambda results: results[:, -1:],
    "in steps": lambda results: results,
    "dots": lambda results: F.pad(results[:, -1:], (results.shape[1] - 1, 0), value=DOT),
    "backwards": lambda results: torch.cat([results[:, :-1].flip(1), results[:, -1:]], dim=1),
}
LONGER = (STEPS + 2 + STEPS - 1) / (STEPS + 2)  # tokens read in steps, for one at once


def new_model(dim, seed=0):
    """A GPT of two blocks, on this machine's device."""
    torch.manual_seed(seed)
    config = gpt.Config(len(WORDS), dim=dim, heads=4, hidden=4 * dim, blocks=2, dropout=0.0,
                        tokens=24)
    return gpt.GPT(config).to(lab.device)


def learn(model, batch, steps, what, seed=0, rate=4e-3, look=None):
    """Train on batch(chance) -> (question, answer), both tokens; look(step, model) as it goes."""
    chance, schedule = torch.Generator().manual_seed(seed), train.cosine(warmup=50, floor=0.02)
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=0.0,
                                  fused=True)
    for step in track(range(steps), what):
        optimiser.param_groups[0]["lr"] = rate * schedule(step, steps)
        asked, answer = (each.to(lab.device) for each in batch(chance))
        tokens = torch.cat([asked, answer], dim=1)
        logits = model(tokens[:, :-1], None, answer.shape[1])  # at the places that say the answer
        F.cross_entropy(logits.flatten(0, 1), answer.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if look is not None:
            look(step + 1, model)
    return model.eval()


def in_a_way(way, steps=STEPS, batch=64):
    """What draws batches of problems to be answered in one of the WAYS."""
    def drawn(chance):
        problem = problems(batch, steps, chance)
        return question(*problem), WAYS[way](chain(*problem))
    return drawn


test = problems(budget(cpu=1_000, gpu=4_000, smoke=50), STEPS, torch.Generator().manual_seed(99))
asked, results = (each.to(lab.device) for each in (question(*test), chain(*test)))


def write(model, asked, new, temperature=0.0, chance=None):
    """What it writes after each question: [batch, new]."""
    return generate(model, asked, new, temperature=temperature, generator=chance)[:, -new:]


def right_at_last(model, way):
    """Percent of the test's problems whose last written token is the result."""
    said = write(model, asked, WAYS[way](results).shape[1])
    return 100 * float((said[:, -1] == results[:, -1]).float().mean())

# %% id="remember"
history = []  # of the smallest model in steps, for section 5


@torch.no_grad()
def remember(step, model):
    """Every tenth step: the scores at the places of the results, and the weights."""
    if step % 10 == 0:
        tokens = torch.cat([asked, results], dim=1)[:500, :-1]
        logits = model(tokens, None, STEPS)
        history.append((step, logits, {k: w.clone() for k, w in model.state_dict().items()}))

# %% id="train-small"
SIZES = {"small": 24, "middle": 40, "large": 64}
TRAINING = budget(cpu=450, gpu=2_000, smoke=20)
models = {}


def train_one(size, way):
    steps = round(TRAINING * (LONGER if way == "at once" else 1))
    look = remember if (size, way) == ("small", "in steps") else None
    models[size, way] = learn(new_model(SIZES[size]), in_a_way(way), steps, f"{size}, {way}",
                              look=look)


for size in ("small", "middle"):
    for way in ("at once", "in steps", "dots"):
        train_one(size, way)
train_one("middle", "backwards")
print("trained:", ", ".join(f"{size} {way}" for size, way in models))

# %% id="train-large"
for way in ("at once", "in steps", "dots"):
    train_one("large", way)
print("trained: large")

# %% [markdown] id="flops-text"
# What does an answer cost? With a cache each token that is *read* costs $2N$ FLOPs, once. (What attention adds, which grows with the number of tokens before, is left out: with so few it is little.) The question is read, and every token that was written is read again to write the next. Only the last one is not: nobody asks what follows it. And if several answers are drawn to the same question, the question is still read once.

# %% id="answer_flops" tags=["exercise"] minutes=7 difficulty=2 teaches="what an answer costs: tokens that are read, times 2N"
def answer_flops(parameters, asked, written, samples=1):
    """FLOPs of answering one question, with a cache.

    parameters: of the model; asked: tokens of the question; written: tokens of each answer, ≥ 1
    samples: how many answers are drawn to the question, which is read once
    returns a number: 2 FLOPs for each parameter and each token that is read
    """
    ### BEGIN SOLUTION
    read = asked + samples * (written - 1)
    return 2 * parameters * read
    ### END SOLUTION

# %% id="check-answer_flops" tags=["check"]
answer_flops = check("answer_flops")

# %% id="compare"
found = {key: right_at_last(model, key[1]) for key, model in models.items()}
flops = {key: answer_flops(model.parameter_count, asked.shape[1], WAYS[key[1]](results).shape[1])
         for key, model in models.items()}
print("size    parameters  way         FLOPs an answer    right")
for (size, way), percent in found.items():
    print(f"{size:7} {models[size, way].parameter_count:10,}  {way:10} {flops[size, way]:16,}"
          f"   ⟨{percent:.1f} %⟩")
once, stepwise, dotted = ([found[size, way] for size in SIZES]
                          for way in ("at once", "in steps", "dots"))
claim("at once: the best of three sizes", max(once), below=30, unit="%",
      control={"in steps, the worst": min(stepwise)}, paper="Wei et al. 2022")
claim("in steps: the worst of three sizes", min(stepwise), at_least=95, unit="%",
      control={"as many dots, the best": max(dotted),
               "the same results backwards": found["middle", "backwards"]},
      paper="Wei et al. 2022")
claim("FLOPs an answer: the small model in steps, in percent of the large one at once",
      100 * flops["small", "in steps"] / flops["large", "at once"], below=50, unit="%",
      control={"the large one in steps":
               100 * flops["large", "in steps"] / flops["large", "at once"]})

# %% id="fig-compare" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.0, 3.6))
looks = {"in steps": ("o", colours.BLUE), "at once": ("s", colours.VERMILION),
         "dots": ("^", colours.ORANGE)}
for way, (marker, colour) in looks.items():
    axes.plot([flops[size, way] for size in SIZES], [found[size, way] for size in SIZES],
              marker=marker, color=colour, label=way)
axes.axhline(10, color=colours.GREY, linestyle=":", linewidth=1.2)
if guess_once.value is not None:
    axes.plot(flops["large", "at once"], guess_once.value, marker="*", markersize=14,
              color=colours.PINK, linestyle="", label="your guess")
axes.set(xscale="log", xlabel="FLOPs an answer", ylabel="right, %", ylim=(0, 104),
         title="Six steps: three sizes, three ways to answer")
axes.legend(loc="center right")
show(figure, alt="Percent right against FLOPs an answer for three sizes. In steps all three are "
     "near 100 percent. At once and with dots all lie on the dotted line of chance at 10 percent, "
     "also where they cost more than the small model in steps.")

# %% [markdown] id="compare-read"
# The horizontal axis is the fair one. To the right of the small model that writes its steps stand larger ones that answer at once; they compute more for an answer, and guess. Dots cost as much as steps and buy nothing here: what counts is what stands on the page. Nor does it help to write the same digits in an order that begins with the hardest.
#
# Look closer at the model that writes backwards. Given the *right* digits before it, how often is each place right?

# %% id="backwards"
answer = WAYS["backwards"](results)
with torch.no_grad():
    page = torch.cat([asked, answer], dim=1)[:, :-1]
    hits = models["middle", "backwards"](page, None, STEPS).argmax(dim=-1) == answer
print("backwards, place by place: "
      + ", ".join(f"⟨{100 * share:.0f} %⟩" for share in hits.float().mean(dim=0).tolist()))

# %% [markdown] id="backwards-read"
# It did learn to walk back, from the fifth result to the fourth, and so on to the first: each of those is a single step. (The last place, the result, would follow from the first digit on the page; that it has hardly begun to learn.) But it has to begin with a guess, and so all that it writes by itself is a guess. Steps help if each is small, *the first one, too*.
#
# **Question.** Does this prove that two blocks *cannot* do six steps?
#
# <details><summary>Answer</summary>
#
# No. It shows that this training did not find it, at three sizes. For problems of plus and minus alone there even is a way: add up all numbers side by side and keep the last digit, which is one wide step. A model of ours did not find that either (exercise 2). What is proved is of another kind, and under an assumption that most who study such things believe: a Transformer of fixed depth cannot do *every* long calculation in one pass, and with enough written tokens it can do far more (Merrill and Sabharwal 2023). And dots have helped where a model was shown, in training, how to use them (Pfau et al. 2024).
# </details>

# %% [markdown] id="lengths-idea"
# ## 3 · One step more
#
# Whoever can do four steps can do five. Can a model? It is trained in steps on problems of one to four steps, and asked for five, six and seven. Each question is filled up with dots to seven steps, so that `=` and the first result always stand in the same place. (A dot is filling here, and no part of an answer.) The control is the same model trained on one to seven.

# %% id="guess-lengths" tags=["nbval-ignore-output"]
guess_lengths = predict("Trained on one to four steps, in steps. Of problems with five steps, how "
                        "many percent are right?", low=0, high=100, unit="%")

# %% id="lengths"
LONGEST = 7


def up_to(longest):
    """What draws batches of problems of 1 to `longest` steps, one length a batch."""
    def drawn(chance):
        steps = 1 + int(torch.randint(longest, (), generator=chance))
        problem = problems(64, steps, chance)
        return question(*problem, room=LONGEST), chain(*problem)
    return drawn


def by_length(model):
    """For each number of steps, percent of right results after each step: a list of lists."""
    rows = []
    for steps in range(1, LONGEST + 1):
        problem = problems(500, steps, torch.Generator().manual_seed(98))
        said = write(model, question(*problem, room=LONGEST).to(lab.device), steps).cpu()
        rows.append((100 * (said == chain(*problem)).float().mean(dim=0)).tolist())
    return rows


short, full = (by_length(learn(new_model(40), up_to(longest), budget(cpu=700, gpu=2_000, smoke=10),
                               f"up to {longest} steps")) for longest in (4, LONGEST))
print("steps          " + "".join(f"{steps:9}" for steps in range(1, LONGEST + 1)))
for who, rows in (("trained on 1–4", short), ("trained on 1–7", full)):
    print(f"{who:15}" + "".join(f"{f'⟨{row[-1]:.0f} %⟩':>9}" for row in rows))
print("trained on 1–4, asked for 7, after each step: "
      + ", ".join(f"⟨{percent:.0f} %⟩" for percent in short[-1]))
claim("trained on one to four steps: the worst of these lengths",
      min(row[-1] for row in short[:4]), at_least=95, unit="%",
      control={"the best of the longer ones": max(row[-1] for row in short[4:])})
claim("five steps, trained on one to seven", full[4][-1], at_least=90, unit="%",
      control={"trained on one to four": short[4][-1]})

# %% id="fig-lengths" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.4, 3.2))
counts = range(1, LONGEST + 1)
axes.plot(counts, [row[-1] for row in full], marker="s", color=colours.GREY, label="trained on 1–7")
axes.plot(counts, [row[-1] for row in short], marker="o", label="trained on 1–4")
axes.axhline(10, color=colours.GREY, linestyle=":", linewidth=1.2)
if guess_lengths.value is not None:
    axes.plot(5, guess_lengths.value, marker="*", markersize=14, color=colours.PINK, linestyle="",
              label="your guess")
axes.set(xlabel="steps of the problem", ylabel="right, %", title="One step more than in training")
axes.legend(loc="center left")
show(figure, alt="Percent right against the number of steps. Trained on up to seven steps the line "
     "stays high. Trained on up to four it is high until four and falls to near chance at five.")

# %% [markdown] id="lengths-read"
# Four steps: no mistake. Five: little better than a guess, and six and seven a guess. And yet the fifth step is the same as the fourth: take the result before it, and the next word of the question. But the model has not learned “the next word”. As far as one can see from outside, it has learned that behind the second result belongs the third word, place by place; and the fifth place of the question never held anything but a dot. The vectors of the places where a fifth result is asked for were never trained, either. A chain makes each step easy. It does not make a rule out of what was learned from cases.
#
# **Question.** What could one change so that the fifth step is more like the fourth?
#
# <details><summary>Answer</summary>
#
# Say where things stand relative to each other rather than by number (lab 05's rotary positions do), or draw where each problem begins, so that all places are used in training; or let the chain copy each step's word before its result. Each helps in some tasks and none is a cure: a model still has to see that the length may vary beyond what it saw.
# </details>
#
# ## 4 · Several chains, and a vote
#
# Until now the models knew their table. What if somebody knows only part of it?
#
# Take plus and minus alone. Then the order of the steps does not matter: whoever begins in the middle, goes on to the end and round to the front comes to the same sum. So each problem has six chains. A chain now says where it stands: the letter of the place, then the result so far. With places a to f:
#
# ```
# +4 −7 +2 −1 +9 +3 =    d 9 e 8 f 1 a 5 b 8 c 0
# ```
#
# (These problems have no number to start with: a chain begins at 0, wherever it begins, and −1 makes a 9.) In training the first place is drawn. And the table gets **holes**: of all facts “9 and 9 is 8”, “1 minus 4 is 7” and so on, three in ten never occur in training, but for those that begin at 0. At a hole the model has to guess from what it knows of other facts. It will often be wrong there, and mostly wrong *in the same way*: ask it the same chain again, and the same hole is in the way. Another chain to the same answer may go round it.
#
# That is the idea of **self-consistency** (Wang et al. 2022): draw several chains, look at their answers only, and take the commonest. There are many ways to go wrong, and they disagree; those that are right agree.
#
# For the vote, compare each answer with each other one of its row, and count. `argmax` takes the first of the highest, and `answers.gather(1, places)` takes from each row what stands at its place: with `places` [batch, 1] it is [batch, 1].

# %% id="majority" tags=["exercise"] minutes=9 difficulty=3 teaches="a majority vote over a batch, and its ties"
def majority(answers):
    """The commonest answer to each question; of those equally common, the one that came first.

    answers: [batch, samples], whole numbers
    returns [batch]
    """
    ### BEGIN SOLUTION
    same = answers[:, :, None] == answers[:, None, :]
    votes = same.sum(dim=2)
    first_best = votes.argmax(dim=1, keepdim=True)
    return answers.gather(1, first_best)[:, 0]
    ### STUB
    # same = answers[:, :, None] == ...
    # votes = ...
    # first_best = ...
    # return ...
    ### END SOLUTION

# %% id="check-majority" tags=["check"]
majority = check("majority")

# %% [markdown] id="holes-text"
# A step is a **move** here, a number from 0 to 17 for +1 … +9, −1 … −9; and `known[result, move]` says of each fact whether it is no hole. `walk` draws a problem along a chain so that no step of it falls into a hole. The test's problems are drawn without such care.

# %% id="holes"
HOLES, SAMPLES = 0.3, 20
known = torch.rand(10, 18, generator=torch.Generator().manual_seed(7)) >= HOLES
known[0] = True  # a chain may begin anywhere: from 0 everything is known


def apart(moves):
    """Moves 0 to 17 as operations and numbers: +1 … +9, −1 … −9."""
    return moves // 9, moves % 9 + 1


def walk(count, chance):
    """Six steps from 0, all of them known: moves [count, STEPS], in the order of the chain."""
    result, moves = torch.zeros(count, dtype=torch.long), []
    for _ in range(STEPS):
        move = torch.multinomial(known[result].float(), 1, generator=chance)
        result = chain(result, *apart(move))[:, 0]
        moves.append(move)
    return torch.cat(moves, dim=1)


def from_place(moves, first):
    """The chain that begins at `first` [batch] and goes round: places, moves there, results."""
    places = (first[:, None] + torch.arange(STEPS)) % STEPS
    there = moves.gather(1, places)
    return places, there, chain(torch.zeros_like(first), *apart(there))


def ask_round(moves):
    equals = torch.full((len(moves), 1), EQUALS)
    return torch.cat([TOKEN[apart(moves)], equals], dim=1)


def round_trips(chance, batch=64):
    """Problems along a walk, which begins anywhere; the answer is letters and results in turns."""
    first = torch.randint(STEPS, (batch,), generator=chance)
    places = (first[:, None] + torch.arange(STEPS)) % STEPS
    along = walk(batch, chance)
    moves = torch.zeros_like(along).scatter(1, places, along)
    answer = torch.stack([places + FIRST_PLACE, from_place(moves, first)[2]], dim=2)
    return ask_round(moves), answer.flatten(1)


def meets_hole(moves, first):
    """Whether the chain from this place needs a fact that was never shown: [batch]."""
    _, there, after = from_place(moves, first)
    before = F.pad(after[:, :-1], (1, 0))
    return ~known[before, there].all(dim=1)


HALF = budget(cpu=400, gpu=1_500, smoke=10)
voter = learn(new_model(40), round_trips, HALF, "learning with holes")
print("\n".join(in_words(row) for row in torch.cat(
    round_trips(torch.Generator().manual_seed(1), 2), dim=1).tolist()))

# %% [markdown] id="votes-text"
# New problems, and twenty chains for each, drawn at temperature 1. Is the vote of five, ten, twenty better than one chain? Rivals and controls:
#
# - **greedy**: one chain, always the likeliest token;
# - **one place**: twenty chains are drawn, but all begin at the same place, which is drawn once for each problem. They vote, too. What is missing is only that they go different ways;
# - **a larger model**: 96 wide, trained on the same problems. It has five times the parameters, and writes one greedy chain.

# %% id="guess-votes" tags=["nbval-ignore-output"]
guess_votes = predict("Twenty chains vote. How many points above one greedy chain?", low=-20,
                      high=50, unit="points")

# %% id="votes"
puzzles = torch.randint(18, (budget(cpu=400, gpu=2_000, smoke=20), STEPS),
                        generator=torch.Generator().manual_seed(97))
zeros = torch.zeros(len(puzzles), dtype=torch.long)
totals = from_place(puzzles, zeros)[2][:, -1].to(lab.device)
puzzle_tokens = ask_round(puzzles).to(lab.device)
LENGTH = 2 * STEPS


def percent_right(answers):
    return 100 * float((answers == totals).float().mean())


def chains_from(model, first, samples, temperature=1.0):
    """The answers of chains that begin at `first` [batch], [batch, samples]."""
    begun = torch.cat([puzzle_tokens, first[:, None].to(lab.device) + FIRST_PLACE], dim=1)
    chance = torch.Generator(lab.device).manual_seed(5)
    said = write(model, begun.repeat_interleave(samples, dim=0), LENGTH - 1, temperature, chance)
    return said[:, -1].unflatten(0, (-1, samples))


chance = torch.Generator(lab.device).manual_seed(4)
by_voter = write(voter, puzzle_tokens.repeat_interleave(SAMPLES, dim=0), LENGTH, 1.0, chance)
answers = by_voter[:, -1].unflatten(0, (-1, SAMPLES))
greedy = percent_right(write(voter, puzzle_tokens, LENGTH)[:, -1])
votes = {k: percent_right(majority(answers[:, :k])) for k in (1, 5, 10, 20)}
one_place = torch.randint(STEPS, zeros.shape, generator=torch.Generator().manual_seed(3))
from_one = chains_from(voter, one_place, SAMPLES)
votes_from_one = {k: percent_right(majority(from_one[:, :k])) for k in votes}
holes = torch.stack([meets_hole(puzzles, zeros + place) for place in range(STEPS)], dim=1)
each_way = torch.cat([chains_from(voter, zeros + place, 1, 0.0) for place in range(STEPS)], dim=1)
clear = 100 * float((each_way == totals[:, None]).cpu()[~holes].float().mean())
blocked = 100 * float((each_way == totals[:, None]).cpu()[holes].float().mean())
print(f"chains that meet a hole: ⟨{100 * holes.float().mean():.0f} %⟩; right among them "
      f"⟨{blocked:.0f} %⟩, among the others ⟨{clear:.0f} %⟩")
shut = holes.all(dim=1)  # problems with a hole on all six ways
voted = (majority(answers) == totals).cpu().float()
print(f"problems where all six ways meet one: ⟨{100 * shut.float().mean():.0f} %⟩; the vote of "
      f"{SAMPLES} is right in ⟨{100 * voted[shut].mean():.0f} %⟩ of them, in "
      f"⟨{100 * voted[~shut].mean():.0f} %⟩ of the others")


def cost(model, samples=1):
    return answer_flops(model.parameter_count, STEPS + 1, LENGTH, samples)


print(f"greedy, one chain: {cost(voter):12,} FLOPs   ⟨{greedy:.1f} %⟩")
for k in votes:
    print(f"vote of {k:2}: {cost(voter, k):20,} FLOPs   ⟨{votes[k]:.1f} %⟩, "
          f"all from one place ⟨{votes_from_one[k]:.1f} %⟩")
claim("chains that meet no hole", clear, at_least=95, unit="%",
      control={"those that meet one": blocked})
claim("a vote of twenty: points above one greedy chain", votes[20] - greedy, above=8,
      unit="points", control={"twenty that all begin at one place": votes_from_one[20] - greedy},
      paper="Wang et al. 2022")

# %% id="larger-rival"
larger = learn(new_model(96), round_trips, HALF, "a larger model with holes")
by_larger = percent_right(write(larger, puzzle_tokens, LENGTH)[:, -1])
twenty = write(larger, puzzle_tokens.repeat_interleave(SAMPLES, dim=0), LENGTH, 1.0, chance)
votes_of_larger = percent_right(majority(twenty[:, -1].unflatten(0, (-1, SAMPLES))))
print(f"larger, greedy:     {cost(larger):12,} FLOPs   ⟨{by_larger:.1f} %⟩")
print(f"larger, vote of 20: {cost(larger, SAMPLES):12,} FLOPs   ⟨{votes_of_larger:.1f} %⟩")
claim("the larger model, a vote of twenty: points above its one greedy chain",
      votes_of_larger - by_larger, above=8, unit="points",
      control={"the smaller one, twenty from one place": votes_from_one[20] - greedy})

# %% id="fig-votes" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.0, 3.6))
axes.plot([cost(voter, k) for k in votes], list(votes.values()), marker="o",
          label="vote of 1, 5, 10, 20 chains")
axes.plot([cost(voter, k) for k in votes], list(votes_from_one.values()), marker="s",
          color=colours.GREY, label="all from one place")
axes.plot(cost(voter), greedy, marker="D", color=colours.INK, linestyle="", label="greedy")
axes.plot([cost(larger), cost(larger, SAMPLES)], [by_larger, votes_of_larger], marker="^",
          color=colours.VERMILION, linestyle=":", label="larger model: greedy, vote of 20")
if guess_votes.value is not None:
    axes.plot(cost(voter, 20), greedy + guess_votes.value, marker="*", markersize=14,
              color=colours.PINK, linestyle="", label="your guess")
axes.set(xscale="log", xlabel="FLOPs an answer", ylabel="right, %",
         title="Chains that go different ways, and a vote")
axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
show(figure, alt="Percent right against FLOPs an answer. The vote of chains that begin anywhere "
     "rises with their number. The vote of chains that begin at one place stays where one greedy "
     "chain is. A larger model's greedy chain lies near the curve, its vote far to the right and "
     "higher.")

# %% [markdown] id="votes-read"
# A hole is no wall: at many of them the model guesses right, since the table is regular. But a chain that meets one ends wrong more often than not. Twenty chains that go different ways are far better than one. Twenty that all begin at one place are no better than one greedy chain, though they are drawn just as freely: where they meet a hole, they meet it all together. So it is not the number of samples that helps, but that their mistakes have little to do with each other. (Before we built the different ways in, this experiment failed: a half-trained model that always writes the one chain from left to right gained nothing from twenty samples.)
#
# The larger model is the rival that a paper should show. Its one chain costs as much as a vote of eight chains of the smaller model, and is about as good. Training it cost more, but only once; a vote is paid for with each answer. And it can vote, too.
#
# **Question.** Every chain that meets no hole is right, and yet no vote reaches 100 %. Why not?
#
# <details><summary>Answer</summary>
#
# In more than a third of the problems all six ways meet a hole. There it depends on how well holes are guessed, see the second line above. And in others those that are right are too few to outvote a wrong answer which two or three happen to share.
# </details>
#
# ## 5 · A jump, or the metric?
#
# Large models were reported to have abilities that are absent in smaller ones and then appear at once (Wei et al. 2022b). Schaeffer et al. (2023) asked: is it the model that jumps, or the way we count? A sum of many digits counts as right if *every* digit is. If each comes out right with probability $p$, and mistakes are independent, the whole does with
#
# $$p^n$$
#
# For $n = 6$: where $p$ goes from 0.5 to 0.7 to 0.9, the whole goes from 0.02 to 0.12 to 0.53. The first is a slope, the second has a knee.
#
# We have a run to look at: the small model in steps was looked at every ten steps of its training. What we kept are its scores at each place of the chain, with the right results before it. From these one can say how often a whole chain would come out right if each token is *drawn*, without drawing a single one: the probability of a chain is the product of its tokens' probabilities, each given the right ones before it. Then take the mean over the problems. (`chances.gather(2, results[:, :, None])` takes the right token's entry at each step.)

# %% id="exact_match" tags=["exercise"] minutes=7 difficulty=2 teaches="a whole answer's probability from its tokens'"
def exact_match(logits, results):
    """The expected share of chains that are right from end to end, if each token is drawn.

    logits: [batch, steps, vocabulary], scores at each step, given the right results before it
    results: [batch, steps], the right tokens
    returns a scalar tensor, from 0 to 1
    """
    ### BEGIN SOLUTION
    chances = logits.softmax(dim=-1).gather(2, results[:, :, None])[:, :, 0]
    return chances.prod(dim=1).mean()
    ### STUB
    # chances = ...
    # return ...
    ### END SOLUTION

# %% id="check-exact_match" tags=["check"]
exact_match = check("exact_match")

# %% id="guess-nats" tags=["nbval-ignore-output"]
guess_nats = predict("The loss goes from ln 10 = 2.30, a guess among ten digits, to almost "
                     "nothing. How much of that way is gone when 1 chain in 20 is right?",
                     low=0, high=100, unit="%")

# %% id="metrics"
kept_results = results[:500]
at_step, tokens_right, wholes_right, nats, expected = [], [], [], [], []
for step, logits, _ in history:
    hits = logits.argmax(dim=-1) == kept_results
    at_step.append(step)
    tokens_right.append(float(hits.float().mean()))
    wholes_right.append(float(hits.all(dim=1).float().mean()))  # greedy: all from first to last
    nats.append(float(F.cross_entropy(logits.flatten(0, 1), kept_results.flatten())))
    expected.append(float(exact_match(logits, kept_results)))
print("steps of training   nats a token   tokens right   p to the 6th   whole chains right   "
      "share expected")
for i in range(4, min(30, len(at_step)), 5):
    print(f"{at_step[i]:17}   {f'⟨{nats[i]:.2f}⟩':>12}   {f'⟨{100 * tokens_right[i]:.0f} %⟩':>12}"
          f"   {f'⟨{100 * tokens_right[i] ** STEPS:.0f} %⟩':>12}"
          f"   {f'⟨{100 * wholes_right[i]:.0f} %⟩':>18}   ⟨{expected[i]:.1e}⟩")
before = max([i for i, whole in enumerate(wholes_right) if whole < 0.05], default=0)
guessing = math.log(10)  # nats of a guess among ten digits
fallen = 100 * (guessing - nats[before]) / (guessing - nats[-1])
print(f"before one chain in twenty is right: ⟨{nats[before]:.2f}⟩ nats a token; "
      f"a guess costs ⟨{guessing:.2f}⟩")
claim("whole chains right: how far p to the 6th is off, at the worst checkpoint",
      100 * max(abs(p**STEPS - whole) for p, whole in zip(tokens_right, wholes_right)),
      below=6, unit="points",
      control={"p itself": 100 * max(abs(p - w) for p, w in zip(tokens_right, wholes_right))})
claim("share of the fall in nats that is over while fewer than 5 % of the chains are right",
      fallen, above=30, unit="%",
      control={"share of the rise in whole chains": 100 * wholes_right[before]},
      paper="Schaeffer et al. 2023")

# %% id="fig-metrics" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(9.8, 3.2))
early = slice(0, 30)
axes[0].plot(at_step[early], [100 * p for p in tokens_right[early]], label="tokens")
axes[0].plot(at_step[early], [100 * w for w in wholes_right[early]], label="whole chains")
axes[0].plot(at_step[early], [100 * p**STEPS for p in tokens_right[early]], linestyle="--",
             color=colours.INK, label="$p^6$")
axes[0].set(ylabel="right, %", title="Counted")
axes[0].legend()
axes[1].plot(at_step[early], nats[early], color=colours.GREEN)
axes[1].axhline(guessing, color=colours.INK, linestyle="--", linewidth=1, label="a guess")
axes[1].set(ylabel="nats a token", title="The loss")
if guess_nats.value is not None:
    axes[1].axhline(guessing - guess_nats.value / 100 * (guessing - nats[-1]),
                    color=colours.PINK, linestyle="--", label="your guess")
axes[1].legend()
axes[2].plot(at_step[early], expected[early], color=colours.VERMILION)
axes[2].axhline(1 / len(kept_results), color=colours.INK, linestyle="--", linewidth=1,
                label="1 in 500")
axes[2].axhline(10**-STEPS, color=colours.INK, linestyle="-.", linewidth=1, label="six guesses")
axes[2].set(yscale="log", ylabel="expected share", title="Whole chains, drawn")
axes[2].legend(loc="lower right")
for panel in axes:
    panel.axvline(at_step[before], color=colours.GREY, linestyle=":", linewidth=1.2)
    panel.set(xlabel="steps of training")
show(figure, alt="Three panels against steps of training. Left: tokens right rise early, whole "
     "chains stay at zero and then jump, together with p to the sixth. Middle: the loss falls "
     "below that of a guess, in part before the jump, which is marked by a dotted line. "
     "Right: the expected share of "
     "whole chains on a logarithmic axis climbs from the start, below what 500 problems can show.")

# %% [markdown] id="metrics-read"
# One run, three pictures; the dotted line is where 1 chain in 20 comes out right. Whole chains: nothing, nothing, and then nearly everything. Tokens and loss: on their way before; nearly half of the way from a guess to no mistake is gone while hardly a chain is right. The right panel counts whole chains, too, but on a logarithmic axis, and by probabilities in place of a tally. There is no nothing any more: from six guesses, one in a million, the share grows a thousandfold and more before a tally of 500 drawn chains could be expected to show a single one.
#
# (The columns differ, too, in how one writes: at step 250 the greedy chains are all right, and of the drawn ones a quarter is not. And the first fifty steps are another story: there the model learns no more than that digits come, from one token in 39 to one in ten.)
#
# So both are true. The metric makes the knee. And the loss is no straight line either: behind the first fifty steps it, too, falls fastest in the middle, since something is learned there. What one may not conclude from the left panel alone is that nothing happened before.
#
# Does your expectation hold? Take the checkpoint at which it is nearest to one half, and let it write.

# %% id="draw-wholes"
nearest = min(range(len(expected)), key=lambda i: abs(expected[i] - 0.5))
halfway = new_model(SIZES["small"])
halfway.load_state_dict(history[nearest][2])
halfway.eval()
ten_each = asked[:500].repeat_interleave(10, dim=0)
said = write(halfway, ten_each, STEPS, 1.0, torch.Generator(lab.device).manual_seed(6))
counted = 100 * float((said == kept_results.repeat_interleave(10, dim=0)).all(dim=1).float().mean())
likely = history[nearest][1].softmax(dim=-1).gather(2, kept_results[:, :, None]).mean()
print(f"after ⟨{at_step[nearest]}⟩ steps: ⟨{counted:.1f} %⟩ of 5,000 drawn chains are right, "
      f"⟨{100 * expected[nearest]:.1f} %⟩ were expected")
claim("whole chains that were drawn: points from what was expected",
      abs(counted - 100 * expected[nearest]), below=4, unit="points",
      control={"from the mean probability of a token": abs(counted - 100 * float(likely))})

# %% [markdown] id="smol-idea"
# ## 6 · A model that has read
#
# Our models were trained to write steps. Wei et al. did not train: they showed a large model a few examples whose answers are written out. Does this work for SmolLM2, with its 135 million parameters? The question is a sum of three numbers from 1 to 9. It is asked in three ways, each with six examples:
#
# ```
# at once    3 + 5 + 2 = 10
# in steps   3 + 5 + 2: 3 + 5 = 8, 8 + 2 = 10
# in short   3 + 5 + 2 = 8 + 2 = 10
# ```
#
# The third says the same as the second in fewer words. It is how one may write it on paper. The examples are read once, and their keys and values serve all questions, as in lab 05; all questions are rows of one batch, and a row that has come to its line's end leaves the batch. (`cache.of(rows)` keeps only those rows of a cache, as often as each is named.)

# %% id="guess-smol" tags=["nbval-ignore-output"]
guess_smol = predict("Where does a chain help SmolLM2 with sums of three?",
                     choices=["in neither form", "in steps only", "in short only", "in both"])

# %% id="smol"
smol, pieces = llama.smollm2()
smol = smol.to(lab.device)
BEGIN = pieces.token_to_id("<|endoftext|>")


def encode(text):
    return pieces.encode(text, add_special_tokens=False).ids


LINE_END = encode("\n")[0]


def sum_at_once(a, b, c):
    return f"{a} + {b} + {c} =", f" {a + b + c}\n"


def sum_in_steps(a, b, c):
    return f"{a} + {b} + {c}:", f" {a} + {b} = {a + b}, {a + b} + {c} = {a + b + c}\n"


def sum_in_short(a, b, c):
    return f"{a} + {b} + {c} =", f" {a + b} + {c} = {a + b + c}\n"


@torch.no_grad()
def answers_of_smol(form, shots, sums, samples=1, temperature=0.0, longest=24):
    """What it writes after each sum, to the line's end: a list of `samples` texts for each."""
    shown = [BEGIN, *encode("".join("".join(form(*shot)) for shot in shots))]
    past = smol.begin()
    smol(torch.tensor([shown], device=lab.device), past, 1)
    # All questions are equally long: three digits, so there is no filling.
    tokens = torch.tensor([encode(form(*one)[0]) for one in sums], device=lab.device)
    tokens = tokens.repeat_interleave(samples, dim=0)
    rows = torch.arange(len(tokens), device=lab.device)
    caches = [cache.of(torch.zeros_like(rows)) for cache in past]  # the examples, for each row
    said = [[] for _ in rows]
    chance = torch.Generator(lab.device).manual_seed(0)
    for _ in track(range(longest), f"SmolLM2 writes, {len(rows)} rows"):
        logits = smol(tokens, caches, 1)[:, -1]
        tokens = logits.argmax(dim=-1, keepdim=True) if temperature == 0 else torch.multinomial(
            (logits / temperature).softmax(dim=-1), 1, generator=chance)
        for row, token in zip(rows.tolist(), tokens[:, 0].tolist()):
            said[row].append(token)
        goes_on = (tokens[:, 0] != LINE_END).nonzero()[:, 0]
        if not len(goes_on):
            break
        rows, tokens = rows[goes_on], tokens[goes_on]
        caches = [cache.of(goes_on) for cache in caches]
    texts = [pieces.decode(tokens) for tokens in said]
    return [texts[i : i + samples] for i in range(0, len(texts), samples)]


def last_number(text):
    """The number at the end of an answer, -1 if there is none."""
    return int(([-1] + re.findall(r"\d+", text))[-1])


def right_of(texts, sums):
    return sum(last_number(said[0]) == sum(one) for said, one in zip(texts, sums))


ITEMS = budget(cpu=40, gpu=200, smoke=3)
triples = [(a, b, c) for a in range(1, 10) for b in range(1, 10) for c in range(1, 10)]
mixed = random.Random(0).sample(triples, 6 + ITEMS)
shots, sums = mixed[:6], mixed[6:]  # none is in both
FORMS = {"at once": sum_at_once, "in steps": sum_in_steps, "in short": sum_in_short}
texts = {way: answers_of_smol(form, shots, sums) for way, form in FORMS.items()}
right = {way: right_of(said, sums) for way, said in texts.items()}
SMOL_SIZE = sum(weight.numel() for weight in smol.parameters())
for way, form in FORMS.items():
    low, high = interval(right[way], ITEMS)
    prompt = len(encode("".join("".join(form(*shot)) for shot in shots))) + 1
    own, written = (len(encode(part)) for part in form(*sums[0]))
    alone, behind = (answer_flops(SMOL_SIZE, read, written) / 1e9 for read in (prompt + own, own))
    print(f"{way}: ⟨{right[way]}⟩ of ⟨{ITEMS}⟩ right, interval ⟨{100 * low:.0f}⟩ to "
          f"⟨{100 * high:.0f} %⟩; ⟨{behind:.0f}⟩ billion FLOPs, ⟨{alone:.0f}⟩ with the examples")
    for one, said in zip(sums[:3], texts[way]):
        print(f"   ⟨{form(*one)[0]} {said[0].strip()}⟩")
claim("sums that SmolLM2 gets right in steps, more than at once",
      100 * (right["in steps"] - right["at once"]) / ITEMS, above=12, unit="points",
      control={"in the short form": 100 * (right["in short"] - right["at once"]) / ITEMS},
      paper="Wei et al. 2022, for much larger models")

# %% id="fig-smol" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(5.6, 3.0))
for at, way in enumerate(FORMS):
    low, high = interval(right[way], ITEMS)
    axes.bar(at, 100 * right[way] / ITEMS, color=[colours.VERMILION, colours.BLUE, colours.SKY][at])
    axes.plot([at, at], [100 * low, 100 * high], color=colours.INK, linewidth=1.4)
axes.set_xticks(range(len(FORMS)), FORMS)
axes.set(ylabel="right, %", title="SmolLM2, sums of three" + (
    f" (your guess: {guess_smol.value})" if guess_smol.value is not None else ""))
show(figure, alt="Three bars with intervals: at once and in short some one or two sums in ten are "
     "right; in steps far more, with an interval that lies above the others'.")

# %% [markdown] id="smol-read"
# A chain helps, and only in one of the two forms. In steps each sum is written out before its result: the model first copies what is to be added, and then has a small question of its own right before it. In short it has to write the first partial sum right behind the whole question, with nothing to say that two of the three numbers are meant; look at what it writes. Let us judge both steps apart, the second by what the model itself had written before it.

# %% id="smol-steps"
PATTERNS = {"in steps": r"(\d+) \+ (\d+) = (\d+), (\d+) \+ (\d+) = (\d+)",
            "in short": r"(\d+) \+ (\d+) = (\d+)"}


def steps_right(way):
    """Shares of right first steps, and of second ones that follow from what was written."""
    first, second = [], []
    for text, (a, b, c) in zip(texts[way], sums):
        found_in = re.match(PATTERNS[way], text[0].strip())
        numbers = [int(each) for each in found_in.groups()] if found_in else [-1, -1]
        partial = numbers[2] if way == "in steps" and found_in else numbers[0]
        first.append(partial == a + b)
        second.append(bool(found_in) and numbers[-1] == partial + c)
    return sum(first) / ITEMS, sum(second) / ITEMS


for way in PATTERNS:
    p_first, p_second = steps_right(way)
    print(f"{way}: first step right ⟨{100 * p_first:.0f} %⟩, second step, by what was before it, "
          f"⟨{100 * p_second:.0f} %⟩; product ⟨{100 * p_first * p_second:.0f} %⟩, "
          f"whole ⟨{100 * right[way] / ITEMS:.0f} %⟩")
p_first, p_second = steps_right("in steps")
off = {what: 100 * abs(expected_share - right["in steps"] / ITEMS) for what, expected_share in
       {"the product": p_first * p_second, "the surer step": max(p_first, p_second)}.items()}
claim("share of right sums: points from the product of both steps' shares", off["the product"],
      below=8, unit="points", control={"from the surer step's alone": off["the surer step"]})

# %% [markdown] id="smol-vote-text"
# So the second step is no harder in short than in steps. It is the first that fails: it is not enough that steps are written. They have to be steps that the model can do. And where both are done, the whole is about the product of the two, as in section 5.
#
# And a vote? Five chains for sixteen of the sums, drawn at temperature 0.7.

# %% id="smol-vote"
some_sums, CHAINS = sums[: budget(cpu=16, gpu=100, smoke=2)], 5
several = answers_of_smol(sum_in_steps, shots, some_sums, CHAINS, temperature=0.7)
said = torch.tensor([[last_number(text) for text in row] for row in several])
truth = torch.tensor([sum(one) for one in some_sums])
by_vote, one_of_them = int((majority(said) == truth).sum()), int((said[:, 0] == truth).sum())
by_greedy = right_of(texts["in steps"], some_sums)
for who, count in (("greedy", by_greedy), ("the first that was drawn", one_of_them),
                   (f"vote of {CHAINS}", by_vote)):
    low, high = interval(count, len(some_sums))
    print(f"{who}: ⟨{count}⟩ of ⟨{len(some_sums)}⟩, interval ⟨{100 * low:.0f}⟩ to "
          f"⟨{100 * high:.0f} %⟩")

# %% [markdown] id="smol-vote-read"
# With so few sums nothing can be said: the intervals lie over each other, and each is wide. Nor would section 4 expect much. All five write the same sums in the same order, since the examples do; that is “all from one place”, and such a vote won back there what drawing costs, and no more. In Wang et al. the questions are texts that can be thought through in several ways, and the model is large enough to do so.
#
# ## 7 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | written steps make problems of many steps easy | PaLM 540B on GSM8K: 17.9 % at once, 56.9 % in steps (Wei et al. 2022, table 2) | six steps, three sizes: chance at once, all or nearly all in steps; not with dots, not backwards: section 2 |
# | it helps large models only | no gain below about 100 billion parameters (Wei et al. 2022, §3.2) | tiny models that were *trained* on steps; and SmolLM2 on sums of three, from examples alone, in one form and not in another: sections 2 and 6 |
# | several chains and a vote are better than one | 17.9 points more on GSM8K (Wang et al. 2022) | yes, where chains go different ways; no, where all begin at one place; not to be seen with SmolLM2: sections 4 and 6 |
# | sudden abilities are often made by the metric | for most tasks where they were reported, a smoother metric shows no jump (Schaeffer et al. 2023) | whole chains follow $p^6$ within a few points; nearly half of the fall in the loss was over before one chain in twenty was right: section 5 |
#
# **What does not carry over.** Our chains were written by a program, and each step is one fact of a small table. Wei et al.'s are texts, the model was trained on none of them, and nobody told it which steps to take. Our jump is one along the training of one small model; theirs are along the size. Our holes were made on purpose, so that different ways fail at different places; how far large models' mistakes are independent has to be measured on them. And a chain that is written need not be the reason for the answer: in our models it is (exercise 1), in large ones not always (Turpin et al. 2023).
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In Wei et al., that examples in a prompt are enough, without training on steps.
# - *What is not?* That intermediate results help when they are trained: Ling et al. (2017) for word problems, Nye et al. (2021) as a scratchpad. And voting among several answers is as old as ensembles.
# - *When does it fail?* When the steps are too hard for the model; when they are more than in training; and, for the vote, when all chains make the same mistake.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 8 · Going further
#
# **1. Does it use what it writes?** Let the middle model write three steps, change the third result to another digit, and let it go on. Does it end at the right answer, or where the false digit leads?
#
# <details><summary>Solution</summary>
#
# ```python
# start, operations, numbers = test
# begun = chain(*test)[:, :3]
# begun[:, 2] = (begun[:, 2] + 1) % 10
# leads_to = chain(begun[:, 2], operations[:, 3:], numbers[:, 3:])[:, -1]
# page = torch.cat([question(*test), begun], dim=1).to(lab.device)
# said = write(models["middle", "in steps"], page, STEPS - 3)[:, -1].cpu()
# claim("a false third result: answers that follow from it",
#       100 * (said == leads_to).float().mean(), above=95, unit="%",
#       control={"answers that are right": 100 * (said == chain(*test)[:, -1]).float().mean()})
# ```
#
# It believes what is written, and the false digit goes through to the end. So here the chain is what the answer is made of. (A false digit never leads back to the right answer: none of our steps makes the same out of two different digits.)
# </details>
#
# **2. Patience.** Give the small model that answers at once ten times as many steps of training. Does it get anywhere? And on section 4's problems, plus and minus alone?
#
# <details><summary>Solution</summary>
#
# ```python
# patient = learn(new_model(24), in_a_way("at once"), 10 * TRAINING, "patience")
# claim("at once, ten times the training", right_at_last(patient, "at once"), below=20, unit="%",
#       control={"in steps": found["small", "in steps"]})
#
#
# def sums_at_once(chance):
#     moves = torch.randint(18, (64, STEPS), generator=chance)
#     first = torch.zeros(64, dtype=torch.long)
#     return ask_round(moves), from_place(moves, first)[2][:, -1:]
#
#
# adder = learn(new_model(24), sums_at_once, 10 * TRAINING, "plus and minus")
# claim("plus and minus at once, ten times the training",
#       percent_right(write(adder, puzzle_tokens, 1)[:, 0]), below=20, unit="%",
#       control={"in steps, with holes in the table": greedy})
# ```
#
# No, twice (and it takes a minute to see it). Where it begins there is hardly a slope to go down: a rule that takes five of the six steps into account is hardly better than none.
# </details>
#
# **3. How sure is a vote?** Where at least 12 of 20 chains agree, is the answer more often right than where fewer do?
#
# <details><summary>Solution</summary>
#
# ```python
# winner = majority(answers)
# agree = (answers == winner[:, None]).sum(dim=1)
# sure = agree >= 12
# print(f"⟨{100 * sure.float().mean():.0f} %⟩ of the votes are as clear as that")
# claim("clear votes that are right", 100 * (winner == totals)[sure].float().mean(), above=85,
#       unit="%", control={"the other votes": 100 * (winner == totals)[~sure].float().mean()})
# ```
#
# Yes: how far the votes agree says how sure one may be (Wang et al. 2022 saw the same).
# </details>
#
# **Reading.** Wei et al. (2022), “Chain-of-Thought Prompting Elicits Reasoning in Large Language Models”. Wang et al. (2022), “Self-Consistency Improves Chain of Thought Reasoning in Language Models”. Schaeffer, Miranda and Koyejo (2023), “Are Emergent Abilities of Large Language Models a Mirage?”. Wei et al. (2022b), “Emergent Abilities of Large Language Models”. Merrill and Sabharwal (2023), “The Expressive Power of Transformers with Chain of Thought”. Pfau, Merrill and Bowman (2024), “Let's Think Dot by Dot”. Nye et al. (2021), “Show Your Work: Scratchpads for Intermediate Computation with Language Models”. Ling et al. (2017), “Program Induction by Rationale Generation”. Turpin et al. (2023), “Language Models Don't Always Say What They Think”.
#
# Next comes [lab 07, CLIP](07_clip.ipynb).

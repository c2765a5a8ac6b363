# ---
# squint:
#   lab: "05b"
#   title: Learning in context
#   minutes: 90
#   promise: Train a small Transformer to fit functions that it finds in its prompt, hold it against least squares, and find the heads in it and in SmolLM2 that look up what came next the last time.
#   prerequisites: ["05_few_shot"]
#   objectives:
#     - write a task's examples as a sequence that a Transformer can read
#     - hold a trained model against the best that anyone could do, at every number of examples
#     - score a head by what it does on a text that repeats itself
#     - switch heads off, and measure what that costs, with random heads as control
#   claim: A model that was only trained to continue learns to learn from its prompt; and a few heads, which look for what followed the last time, carry much of it.
#   source: Garg et al. 2022, “What Can Transformers Learn In-Context? A Case Study of Simple Function Classes”; Olsson et al. 2022, “In-context Learning and Induction Heads”
# ---

# %% [markdown] id="title"
# # Learning in context
#
# *Train a small Transformer to fit functions that it finds in its prompt, hold it against least squares, and find the heads in it and in SmolLM2 that look up what came next the last time.*
#
# 90 minutes · after [lab 05, Few-shot learners](05_few_shot.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write a task's examples as a sequence that a Transformer can read;
# - hold a trained model against the best that anyone could do, at every number of examples;
# - score a head by what it does on a text that repeats itself;
# - switch heads off, and measure what that costs, with random heads as control.
#
# **The claim under test.** A model that was only trained to continue learns to learn from its prompt (Garg et al. 2022); and a few heads, which look for what followed the last time, carry much of it (Olsson et al. 2022).

# %% id="setup" tags=["setup"]
lab = begin("05b_in_context")

# %% id="imports"
import random
from contextlib import contextmanager

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from squint import train
from squint.data import tasks
from squint.models import llama
from squint.nn.attention import attention_weights, causal_attention, causal_mask, split_heads
from squint.nn.positions import LearnedPositions, rotate
from squint.nn.transformer import Encoder
from squint.viz import colours

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** In lab 05, SmolLM2 wrote the past tense of `run` after four examples. Which of its weights had changed?
#
# <details><summary>Answer</summary>
#
# None. What had changed was what its attention could look at.
# </details>
#
# **2.** What does a head of attention do with a token, in one sentence?
#
# <details><summary>Answer</summary>
#
# By its query it looks for keys that match, and adds to the token a weighted average of what their values say.
# </details>
#
# **3.** A line through the origin is to be fitted, in one dimension. How many points does it take, if they are free of noise? And in four dimensions?
#
# <details><summary>Answer</summary>
#
# One; four. With fewer, many functions fit.
# </details>

# %% [markdown] id="functions-idea"
# ## 1 · A task that stood in no text
#
# Did SmolLM2 learn the past tense from its four examples, or did they only remind it? It has read millions of past tenses; one cannot tell. So let us take tasks that nobody has ever seen. Garg et al. (2022) took **random functions**: draw three numbers $w$; the task is $y = w \cdot x$, the sum of the products. There are as many such tasks as there are triples of numbers, and for every prompt a new one is drawn. A prompt is
#
# $$x_1,\; y_1,\; x_2,\; y_2,\; \ldots,\; x_k, \;?$$
#
# and the model has to say $y_k$ before it sees it. Nothing can be known by heart. Whoever is right after a few examples has worked $w$ out, or does something that amounts to it.

# %% id="functions"
DIM, PAIRS = 3, 8


def functions(count, chance, active=DIM, scale=1.0):
    """Prompts of a new function each: xs [count, pairs, DIM], ys [count, pairs].

    active: of how many numbers y is made; the others are 0, and the prompts shorter
    """
    pairs = min(PAIRS, 2 * active + 2)
    xs, w = (torch.randn(count, n, DIM, generator=chance) for n in (pairs, 1))
    xs[..., active:] = 0
    ys = scale * (DIM / active) ** 0.5 * (xs * w).sum(dim=-1)  # the same variance for all
    return xs.to(lab.device), ys.to(lab.device)


some_xs, some_ys = functions(1, torch.Generator().manual_seed(0))
for x, y in zip(some_xs[0, :3].tolist(), some_ys[0, :3].tolist()):
    print("x = " + ", ".join(f"{number:5.2f}" for number in x) + f"   y = {y:5.2f}")

# %% [markdown] id="interleave-text"
# A Transformer reads a sequence of vectors of one width. So each pair becomes two tokens of four numbers: first $x$ with a 0 behind it, then $y$ with three zeros in front. The two take turns. einops' `rearrange` takes a list of two tensors, as an axis in front, `"two batch pairs width -> …"`, and lays them between each other where the new axis ends in `(pairs two)`; so do `torch.stack` and `flatten`.

# %% id="interleave" tags=["exercise"] minutes=8 difficulty=2 teaches="two kinds of tokens in one sequence"
def interleave(xs, ys):
    """The tokens of a prompt: x1, y1, x2, y2, …

    xs: [batch, pairs, dim]; ys: [batch, pairs]
    returns [batch, 2 * pairs, dim + 1]: an x is (x, 0), a y is (0, …, 0, y)
    """
    ### BEGIN SOLUTION
    as_x = F.pad(xs, (0, 1))
    as_y = F.pad(ys[..., None], (xs.shape[-1], 0))
    return rearrange([as_x, as_y], "two batch pairs width -> batch (pairs two) width")
    ### STUB
    # as_x = F.pad(xs, (0, 1))
    # as_y = ...
    # return ...
    ### END SOLUTION

# %% id="check-interleave" tags=["check"]
interleave = check("interleave")

# %% [markdown] id="least-text"
# ## 2 · The best that anyone could do
#
# How good can an answer be? After three examples $w$ is known exactly: three equations, three unknowns. Before that many functions fit. The examples then say how far $w$ reaches in the directions of their $x$, and nothing of the rest. That rest is equally likely to point anywhere, so on average it is zero; and whoever is judged by squared error does best to say the average. So the best guess is the *smallest* $w$ that fits: **least squares of smallest norm**. The pseudoinverse gives it, with few examples or many: `torch.linalg.pinv(xs) @ ys`, with `ys` as a column. With no example at all the guess is 0 for each prompt.

# %% id="least_squares" tags=["exercise"] minutes=8 difficulty=3 teaches="least squares of smallest norm, the rival of learning in context"
def least_squares(xs, ys, asked):
    """What least squares of smallest norm expects at each new point.

    xs: [batch, k, dim] and ys: [batch, k], the examples; k may be 0
    asked: [batch, dim], a point for each prompt
    returns [batch]
    """
    ### BEGIN SOLUTION
    w = torch.linalg.pinv(xs) @ ys[..., None]
    return (asked[:, None] @ w)[:, 0, 0]
    ### END SOLUTION

# %% id="check-least_squares" tags=["check"]
least_squares = check("least_squares")

# %% [markdown] id="train-text"
# ## 3 · Learning to learn
#
# The learner is a GPT like lab 04's, without words: vectors come in through a linear map, and a single number goes out at each token. Only what it says at an $x$ is judged, by the squared distance to the $y$ that follows. That is the causal loss of lab 04 with numbers in place of pieces; nothing in it says “fit a function”.

# %% id="guess-regression" tags=["nbval-ignore-output"]
guess = predict("With six examples of a function of three numbers, how much of the variance of y "
                "will it explain?", low=0, high=100, unit="%")

# %% id="train"
class Fitter(nn.Module):
    """Says at every x of a prompt what y will be."""

    def __init__(self, dim=64, blocks=4, heads=4):
        super().__init__()
        self.come_in = nn.Linear(DIM + 1, dim)
        self.positions = LearnedPositions(2 * PAIRS, dim)
        self.blocks = Encoder(blocks, dim, heads, 4 * dim, dropout=0.0, attention=causal_attention)
        self.go_out = nn.Linear(dim, 1)

    def forward(self, xs, ys):
        """What each y will be, [batch, pairs], said at its x; no later token is seen."""
        states = self.blocks(self.positions(self.come_in(interleave(xs, ys))))
        return self.go_out(states)[:, 0::2, 0]


def learn_to_learn(model, optimiser, chance, first, last, steps, batch=64, rate=4e-3):
    """Steps from first to last, of so many; in each, new functions."""
    schedule = train.cosine(warmup=100, floor=0.02)
    for step in track(range(first, last), "learning to learn"):
        active = min(DIM, 1 + int(step / steps / 0.03))  # functions of one number first
        xs, ys = functions(batch, chance, active)
        optimiser.param_groups[0]["lr"] = rate * schedule(step, steps)
        F.mse_loss(model(xs, ys), ys).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


torch.manual_seed(0)
fitter, fitter_chance = Fitter().to(lab.device), torch.Generator().manual_seed(0)
fitter_optimiser = torch.optim.AdamW(fitter.parameters(), betas=(0.9, 0.99), weight_decay=0.0,
                                     fused=True)
STEPS = budget(cpu=3_400, gpu=8_000, smoke=8)
learn_to_learn(fitter, fitter_optimiser, fitter_chance, 0, STEPS // 2, STEPS)
print(f"{sum(p.numel() for p in fitter.parameters()):,} weights")

# %% [markdown] id="halfway-text"
# That is half of it. (Two cells, so that you can look up in between. As the paper does, training begins with functions of one number in short prompts, then two, then all: Garg et al. 2022, §A.2.)

# %% id="train-on"
learn_to_learn(fitter, fitter_optimiser, fitter_chance, STEPS // 2, STEPS, STEPS)
print("trained")

# %% [markdown] id="compare-text"
# New functions, none of which it has seen. How far off is it after each number of examples, as a share of the variance of $y$ (that is what 0 would always cost)? The control gives it prompts whose answers were taken from another prompt: then there is nothing to find out.

# %% id="compare"
new_xs, new_ys = functions(budget(cpu=4_000, gpu=20_000, smoke=200),
                           torch.Generator().manual_seed(99))


@torch.no_grad()
def errors(model, xs, ys, true=None):
    """Mean squared error after each number of examples, over the variance of y."""
    true = ys if true is None else true
    return ((model(xs, ys) - true).square().mean(dim=0) / true.square().mean()).cpu()


def squares(xs, ys):
    """Least squares in the model's place: what each y will be, by the examples before it."""
    xs, ys = xs.cpu(), ys.cpu()  # where a pseudoinverse costs least
    guesses = [least_squares(xs[:, :k], ys[:, :k], xs[:, k]) for k in range(xs.shape[1])]
    return torch.stack(guesses, dim=1).to(lab.device)


by_model, by_squares = errors(fitter, new_xs, new_ys), errors(squares, new_xs, new_ys)
of_others = new_ys.roll(1, dims=0)
nothing_to_learn = errors(fitter, new_xs, of_others, true=new_ys)
print("examples   " + "".join(f"{k:8}" for k in range(0, PAIRS, 2)))
for who, row in (("the model", by_model), ("least squares", by_squares)):
    print(f"{who:14}" + "".join(f"{f'⟨{row[k]:.3f}⟩':>9}" for k in range(0, PAIRS, 2)))
with torch.no_grad():
    spread = fitter(new_xs, of_others).square().mean(dim=0) / new_ys.square().mean()
print(f"with six answers of others: error ⟨{nothing_to_learn[2 * DIM]:.2f}⟩, and the guesses "
      f"alone have ⟨{spread[2 * DIM]:.2f}⟩ of the variance")
claim("with fewer examples than unknowns: how far it is above least squares, at the worst",
      100 * max(float(by_model[k] / by_squares[k] - 1) for k in range(1, DIM)), below=10, unit="%",
      control={"the answers of other prompts":
               100 * max(float(nothing_to_learn[k] / by_squares[k] - 1) for k in range(1, DIM))},
      paper="Garg et al. 2022, figure 2")
claim("variance explained with twice as many examples as unknowns",
      100 * (1 - by_model[2 * DIM]), at_least=98, unit="%",
      control={"the answers of other prompts": 100 * (1 - nothing_to_learn[2 * DIM])})

# %% id="fig-compare" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.6))
axes.plot(range(PAIRS), by_squares, color=colours.INK, linestyle="--", label="least squares")
axes.plot(range(PAIRS), by_model, marker="o", label="the model")
axes.plot(range(PAIRS), nothing_to_learn, color=colours.GREY, label="the model, others' answers")
if guess.value is not None:
    axes.plot(2 * DIM, 1 - guess.value / 100, marker="*", markersize=14, color=colours.PINK,
              linestyle="", label="your guess")
axes.axvline(DIM, color=colours.GREY, linestyle=":", linewidth=1.2)
axes.set(xlabel="examples seen in the prompt", ylabel="error, share of the variance",
         title="A model that fits functions by reading")
axes.legend()
show(figure, alt="Error against the number of examples. The model and least squares fall together "
     "from one to nearly nothing at the number of unknowns, marked by a dotted line. "
     "With the answers of other prompts the model's error rises, and ends near twice the variance.")

# %% [markdown] id="compare-read"
# Nobody told it that the functions are linear, nor how one solves equations. It was asked to continue, and the cheapest way to continue was to learn to learn. (With another seed it explains a point more or less at six examples.)
#
# The grey curve ends not far below 2, and not at 1, the price of always saying 0: with others' answers the model fits what cannot be fitted, and guesses on. Its guesses then vary nearly as much as the answers do and have nothing to do with them; and of two such numbers the mean squared difference is the sum of both variances. (The last line above has the two terms. In between it is worse still: whoever fits as many answers as there are unknowns, whatever they are, guesses wildly.)
#
# Two rules may be equally far off and yet say different things. So let us look at the guesses themselves, with one and two examples, where many functions fit. The rival is another rule that fits all examples: the $w$ that is smallest when its three parts are measured in different units.

# %% id="same-guesses"
units = torch.tensor([1.0, 2.0, 4.0], device=lab.device)


def in_other_units(xs, ys):
    """Least squares that finds the second and third number cheaper to use than the first."""
    return squares(xs * units, ys)


with torch.no_grad():
    said = fitter(new_xs, new_ys)
print("examples  from least squares  from the other rule")
apart = {}
for k in range(1, DIM):
    apart[k] = [100 * float((said - rule(new_xs, new_ys))[:, k].square().mean()
                            / new_ys.square().mean()) for rule in (squares, in_other_units)]
    print(f"{k:8}  ⟨{apart[k][0]:12.1f} %⟩     ⟨{apart[k][1]:12.1f} %⟩")
claim("how far the model's guesses are from least squares', share of the variance, at the worst",
      max(near for near, _ in apart.values()), below=5, unit="%",
      control={"from another rule that fits, at the least": min(far for _, far in apart.values())})

# %% [markdown] id="same-guesses-read"
# Of all functions that fit, it takes nearly the one that least squares of smallest norm takes, which is the best there is.
#
# **Question.** It fits functions. Which ones?
#
# <details><summary>Answer</summary>
#
# Those it was trained on. What it has learned is a habit for *this* kind of prompt; the next cell tries others.
# </details>

# %% id="elsewhere"
stretched, of_squares = {}, {}
for scale in (0.5, 1.0, 2.0, 4.0):
    xs, ys = functions(len(new_xs), torch.Generator().manual_seed(98), scale=scale)
    stretched[scale] = 100 * float(errors(fitter, xs, ys)[2 * DIM])
    of_squares[scale] = float(errors(squares, xs, ys)[2])  # at six it has no error
    print(f"functions {scale:3} times as steep: error at six examples ⟨{stretched[scale]:.1f} %⟩")
claim("functions four times as steep as the usual ones: times the error",
      stretched[4.0] / stretched[1.0], above=5,
      control={"least squares, at two examples": of_squares[4.0] / of_squares[1.0]})

# %% [markdown] id="elsewhere-read"
# For least squares it makes no difference how steep a function is: everything is multiplied by the same number. The model has an error that grows. It has not become least squares; it does what least squares does, where it was trained.
#
# ## 4 · What came next the last time?
#
# How can a Transformer learn from its prompt at all? One way was found in models of words (Elhage et al. 2021; Olsson et al. 2022). Take a text that repeats itself:
#
# ```
# … Mr Dursley was … Mr ?
# ```
#
# A head can look for the place *after* the last time that this token stood there. It takes two layers: one head writes into every token which token stood before it; another, later, asks “where is a token whose predecessor is what I am?”, looks there, and says what it sees. Olsson et al. call this an **induction head**: A B … A → B, whatever A and B are.
#
# To find such heads, feed in random tokens, which make no sense, and then the *same* tokens once more. In the second half everything can be known, and only by looking back. A head's score is how much of its attention goes from a token to the place right *behind* where that token stood the first time.

# %% id="induction_score" tags=["exercise"] minutes=9 difficulty=3 teaches="the induction score: attention to what came next the last time"
def induction_score(weights, now, before):
    """How much each head looks at what followed the last time.

    weights: [batch, heads, queries, keys], rows that sum to 1
    now: [n], places of tokens; before: [n], where the same tokens stood earlier
    returns [heads]: the mean weight from each place in `now` to the place right behind `before`
    """
    ### BEGIN SOLUTION
    return weights[:, :, now, before + 1].mean(dim=(0, 2))
    ### END SOLUTION

# %% id="check-induction_score" tags=["check"]
induction_score = check("induction_score")

# %% [markdown] id="repeats-text"
# To see where heads look, one has to get at what goes into them. PyTorch has **forward pre-hooks** for that: a function that is registered on a module, and called with the module and its inputs each time, right before it runs. If it returns a tuple, that takes the inputs' place (section 5 needs it); if it returns nothing, they stay.
#
# The text that repeats itself is made of random tokens: 40 of them, and then the same 40 again. Nothing but the repetition helps.

# %% id="repeats"
smol, pieces = llama.smollm2()
smol = smol.to(lab.device)
SHAPE, BEGIN, RUN = smol.config, pieces.token_to_id("<|endoftext|>"), 40


@contextmanager
def watching(attentions, look):
    """While it lasts, look(number, attention, inputs) is called for each attention that is used."""
    hooks = [attention.register_forward_pre_hook(
        lambda module, inputs, number=number: look(number, module, inputs))
        for number, attention in enumerate(attentions)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def weights_in_llama(attention, x, table):
    """Where each head of a grouped attention looks, [batch, heads, tokens, tokens]."""
    query = rotate(split_heads(attention.to_query(x), attention.heads), table)
    key = rotate(split_heads(attention.to_key(x), attention.shared_heads), table)
    key = key.repeat_interleave(attention.heads // attention.shared_heads, dim=1)
    return attention_weights(query, key, causal_mask(x.shape[1], device=x.device))


chance = torch.Generator().manual_seed(0)
how_many = budget(cpu=8, gpu=32, smoke=2)
random_tokens = torch.randint(1_000, 20_000, (how_many, RUN), generator=chance)
begin_column = torch.full((len(random_tokens), 1), BEGIN)
repeated = torch.cat([begin_column, random_tokens, random_tokens], dim=1).to(lab.device)
now = torch.arange(RUN + 1, 2 * RUN + 1)
scores = torch.zeros(SHAPE.blocks, SHAPE.heads)
shifted = torch.zeros(SHAPE.blocks, SHAPE.heads)
one_back = torch.zeros(SHAPE.blocks, SHAPE.heads)
everywhere = torch.arange(1, 2 * RUN + 1)


def look_at_repeats(number, attention, inputs):
    weights = weights_in_llama(attention, *inputs[:2]).cpu()
    scores[number] = induction_score(weights, now, now - RUN)
    shifted[number] = induction_score(weights, now, now - RUN - 4)  # behind another token
    one_back[number] = induction_score(weights, everywhere, everywhere - 2)  # section 5


def nats_of(tokens, first):
    """Mean nats of the tokens from place `first` on."""
    with torch.no_grad():
        logits = smol(tokens)[:, first - 1 : -1]
    return float(F.cross_entropy(logits.flatten(0, 1), tokens[:, first:].flatten()))


with watching([block.attention for block in smol.blocks], look_at_repeats):
    second_half = nats_of(repeated, RUN + 2)
first_half = nats_of(repeated[:, : RUN + 1], 2)
print(f"random tokens ⟨{first_half:.1f}⟩ nats each; the same again ⟨{second_half:.2f}⟩ nats")
ranked = scores.flatten().argsort(descending=True).tolist()
heads_by_score = [divmod(place, SHAPE.heads) for place in ranked]
print("the three highest: " + ", ".join(f"block {block} head {head} ⟨{scores[block, head]:.2f}⟩"
                                        for block, head in heads_by_score[:3]))
claim("highest induction score of a head of SmolLM2", scores.max(), above=0.5,
      control={"the same, four places off": shifted.max()}, paper="Olsson et al. 2022")

# %% id="fig-heads" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(8.4, 2.8))
shown = axes.imshow(scores.T, vmin=0, vmax=1, aspect="auto")
axes.grid(False)
axes.set(xlabel="block", ylabel="head", title="Who looks at what came next the last time")
figure.colorbar(shown, label="induction score")
show(figure, alt="A map of SmolLM2's 270 heads by block and number, coloured by their score. Most "
     "are dark; a few in the middle and later blocks are bright.")

# %% [markdown] id="heads-question"
# **Question.** The vocabulary has 49,152 tokens. Whoever knows nothing and holds all of them equally likely pays $\ln 49{,}152 = 10.8$ nats for each. SmolLM2 pays more for random tokens that come for the first time. How can a model that has read so much be worse than one that knows nothing?
#
# <details><summary>Answer</summary>
#
# Because it knows something, and here it is wrong. It bets on what would go on as a text; a random token is none of that, and gets less than its equal share. To be sure and wrong costs more than to be unsure.
# </details>
#
# **Question.** Tokens cost much when they come for the first time, and next to nothing when they come again. Does that prove that these heads do it?
#
# <details><summary>Answer</summary>
#
# No. It shows that something does it, and that these heads look at the right place. What they look at may be ignored. To know, they have to be switched off.
# </details>
#
# ## 5 · Switched off
#
# A head says something by its part of the joined vector, before the last matrix of the attention. Put zeros there, and it is silent. This is called **zero-ablation**. It is the harsh way: no head ever says exactly zero, and whoever reads it is not used to that. The milder one puts there what the head says on average. Heads' parts lie side by side, as lab 02's `join_heads` laid them: head 0 has the first `part` numbers, head 1 the next.

# %% id="silence" tags=["exercise"] minutes=6 difficulty=2 teaches="ablation: a head's part set to zero"
def silence(joined, heads, part):
    """The joined output of an attention in which some heads say nothing.

    joined: [..., heads * part]; heads: a list of numbers; part: the width of a head
    returns [..., heads * part]
    """
    ### BEGIN SOLUTION
    quiet = joined.clone()
    for head in heads:
        quiet[..., head * part : (head + 1) * part] = 0
    return quiet
    ### END SOLUTION

# %% id="check-silence" tags=["check"]
silence = check("silence")

# %% [markdown] id="ablate-text"
# Now the twenty heads with the highest scores are silenced, all at once. Rivals are twenty others, drawn at random from *the same blocks*, since a random head of an early block may matter for reasons of its own. (As far as there are any: block 23 has five of the top heads and only four others, so one or two of the twenty come from next door. And heads of rank 21 to 40 are left out, since they score a little, too.) Three things are measured: the repeated tokens; a page of plain text, where looking back helps little; and four of lab 05's few-shot tasks.

# %% id="guess-ablate" tags=["nbval-ignore-output"]
guess_ablate = predict("20 of 270 heads are silenced, those with the highest scores. By how many "
                       "points do past tense and plurals fall?", low=0, high=100, unit="points")

# %% id="ablate"
TOP, ITEMS = 20, budget(cpu=40, gpu=54, smoke=3)
page = """Our street ends at the harbour, and in the mornings it smells of rope and coffee. The \
baker opens first. Before six she sweeps the step, sets two chairs outside, and looks at the sky \
as if it owed her something. Then come the fishermen's wives, who buy nothing and know everything. \
When the ferry is late they say that the captain has quarrelled with his brother again; when it \
is early, that he has made it up. Nobody has ever asked the captain."""


def encode(text):
    return pieces.encode(text, add_special_tokens=False).ids


page_tokens = torch.tensor([[BEGIN, *encode(page)]], device=lab.device)


@contextmanager
def silenced(heads):
    """While it lasts, these heads of SmolLM2, pairs (block, head), say nothing."""
    part = SHAPE.dim // SHAPE.heads
    by_block = {block: [h for b, h in heads if b == block] for block, _ in heads}
    outputs = [block.attention.to_output for block in smol.blocks]
    with watching(outputs, lambda number, module, inputs:
                  (silence(inputs[0], by_block[number], part),) if number in by_block else None):
        yield


@torch.no_grad()
def few_shot(task, k=4):
    """Percent of the items that it would write, after k examples that are read once."""
    shown = "".join(f"{shot.question} -> {shot.answer}\n" for shot in task.shots[:k])
    past = smol.begin()
    smol(torch.tensor([[BEGIN, *encode(shown)]], device=lab.device), past, 1)
    rows = [(item.question, encode(f"{item.question} ->"), encode(f" {answer}\n"))
            for item in task.items[:ITEMS] for answer in item.right]  # any of them will do
    width = max(len(q) + len(a) for _, q, a in rows)
    tokens = torch.tensor([(q + a + [BEGIN] * width)[:width] for _, q, a in rows],
                          device=lab.device)
    everyone = torch.zeros(len(rows), dtype=torch.long, device=lab.device)
    read = [cache.of(everyone) for cache in past]  # the examples, once for each row
    said = smol(tokens, read, None).argmax(dim=-1)
    spans = [(len(q), len(q) + len(a)) for _, q, a in rows]
    written = {question for row, ((question, *_), (first, last)) in enumerate(zip(rows, spans))
               if torch.equal(said[row, first - 1 : last - 1], tokens[row, first:last])}
    return 100 * len(written) / len(task.items[:ITEMS])


NAMES = ("past", "plurals", "antonyms", "capitals")


def cost_of_repeats(heads, rows=how_many // 2):
    """Nats of the repeated tokens with heads silenced, in so many rows."""
    with silenced(heads):
        return nats_of(repeated[:rows], RUN + 2)


def measured(heads):
    """Nats of repeated tokens and of the page, then percent of each task, with heads silenced."""
    with silenced(heads):
        found = [few_shot(tasks.load()[name]) for name in NAMES]
        plain = nats_of(page_tokens, 1)
    return cost_of_repeats(heads), plain, *found


top, rest = heads_by_score[:TOP], heads_by_score[2 * TOP:]


def rivals(seed):
    """As many heads of the same blocks, none of which scores high."""
    draw, chosen = random.Random(seed), []
    for block, _ in top:
        left = [head for head in rest if head not in chosen]
        nearest = min(abs(other - block) for other, _ in left)
        chosen.append(draw.choice([head for head in left if abs(head[0] - block) == nearest]))
    return chosen


DRAWS = budget(cpu=3, gpu=8, smoke=1)
outcome = {"all heads": measured([]), "without the top heads": measured(top)}
for seed in track(range(DRAWS), "silencing"):
    outcome[f"without others, draw {seed + 1}"] = measured(rivals(seed))
print(f"{'':24}repeated     page" + "".join(f"{name:>10}" for name in NAMES))
for who, (again, plain, *found) in outcome.items():
    print(f"{who:24} ⟨{again:5.2f}⟩  ⟨{plain:4.2f}⟩  "
          + "".join(f"{f'⟨{share:.0f} %⟩':>10}" for share in found))
whole, without_top, *without_others = outcome.values()
more_draws = [cost_of_repeats(rivals(seed)) for seed in range(DRAWS, 2 * DRAWS)]
print("repeated tokens without others, more draws: "
      + ", ".join(f"⟨{nats:.2f}⟩" for nats in more_draws))


def change(row):
    """What has changed against all heads: nats that are lost, points that are lost."""
    return row[0] - whole[0], row[1] - whole[1], *(whole[i] - row[i] for i in range(2, len(row)))


by_top, by_others = change(without_top), [change(row) for row in without_others]
again_by_others = [row[0] for row in by_others] + [nats - whole[0] for nats in more_draws]
claim("nats that repeated tokens cost more without the top heads", by_top[0], above=5,
      control={f"without others, the worst of {2 * DRAWS} draws": max(again_by_others)},
      paper="Olsson et al. 2022")
claim("nats that a page costs more without the top heads", by_top[1], below=0.3,
      control={"the repeated tokens": by_top[0]})
claim("points that past tense and plurals lose without the top heads, mean",
      (by_top[2] + by_top[3]) / 2, above=35, unit="points",
      control={f"without others, the worst of {DRAWS} draws":
               max((row[2] + row[3]) / 2 for row in by_others),
               "opposites, without the top heads": by_top[4]})

# %% id="fig-ablate" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.2))
titles = ("repeated tokens, nats", "a page, nats", "past and plurals, %")
tints = [colours.GREY, colours.VERMILION] + [colours.SKY] * len(without_others)
bars = zip(*((again, plain, (past + plurals) / 2)
             for again, plain, past, plurals, *_ in outcome.values()))
for panel, title, values in zip(axes, titles, bars):
    panel.bar(range(len(values)), values, color=tints)
    panel.set_xticks(range(len(values)), ["all", "top off"] + ["others off"] * len(without_others),
                     rotation=60)
    panel.set(title=title)
if guess_ablate.value is not None:
    axes[2].axhline(max(0, (whole[2] + whole[3]) / 2 - guess_ablate.value),
                    color=colours.PINK, linestyle="--", label="your guess")
    axes[2].legend()
show(figure, alt="Three panels of bars: with all heads, without the twenty top heads, and without "
     "twenty others of the same blocks. Without the top heads repeated tokens cost much more and "
     "past and plurals nearly vanish; without others both change less. The page hardly changes.")

# %% [markdown] id="ablate-read"
# A page of plain text hardly notices: what these heads do is of little use where nothing repeats. The past tense and the plural fall to almost nothing; they are made *from the question*, most of whose letters have to be written again and only then changed. That fits heads which fetch from the prompt what has to be said again.
#
# Does all learning from examples hang on them? Two tasks copy nothing from the question, and they disagree. Opposites are as good as before. Capitals are lost; but without twenty *others* they are nearly lost, too, and opposites lose much. A task that breaks with any twenty heads says nothing about these. So what can be read off is: repeated tokens and the tasks that write the question again need the top heads more than any others that were drawn; and at least one task learns from its examples without them.
#
# **Question.** Why heads of the same blocks, and not any?
#
# <details><summary>Answer</summary>
#
# Heads of the first blocks prepare what all later ones read; silence them and much breaks, whatever they are called. A rival must differ in what is tested, the score, and in as little else as can be.
# </details>

# %% [markdown] id="before-idea"
# ### Who writes what stood before?
#
# Section 4 said that it takes two layers: an earlier head writes into every token which one stood before it, and the induction heads look for that. If so, the earlier head can be found, and without it the induction heads are blind, though nobody has touched them. Your function finds it, too: whoever looks from each token at the one before it has a high `induction_score(weights, at, at - 2)`. That is `one_back`, which was taken along above.

# %% id="before"
def without(heads, rows=2):
    """The top five heads' mean induction score and the repeated tokens' nats, heads silenced."""
    found = torch.zeros_like(scores)

    def look(number, attention, inputs):
        weights = weights_in_llama(attention, *inputs[:2]).cpu()
        found[number] = induction_score(weights, now, now - RUN)

    with watching([block.attention for block in smol.blocks], look):
        nats = cost_of_repeats(heads, rows)
    return sum(float(found[head]) for head in top[:5]) / 5, nats


looking_back = [divmod(place, SHAPE.heads)
                for place in one_back.flatten().argsort(descending=True).tolist()]
writer, *next_ones = looking_back[: budget(cpu=4, gpu=6, smoke=2)]
its_block = [(writer[0], head) for head in range(SHAPE.heads) if head != writer[1]]
everyone_there, writer_gone, block_gone = map(without, ([], [writer], its_block))
nexts_gone = {head: without([head]) for head in track(next_ones, "silencing")}
print("silenced: induction score of the top five, nats of the repeated tokens")
print(f"  nobody: ⟨{everyone_there[0]:.2f}⟩, ⟨{everyone_there[1]:.2f}⟩")
print(f"  block ⟨{writer[0]}⟩ head ⟨{writer[1]}⟩, looks one back by ⟨{one_back[writer]:.2f}⟩: "
      f"⟨{writer_gone[0]:.2f}⟩, ⟨{writer_gone[1]:.2f}⟩")
print(f"  the eight others of its block: ⟨{block_gone[0]:.2f}⟩, ⟨{block_gone[1]:.2f}⟩")
for (block, head), (score, nats) in nexts_gone.items():
    print(f"  block ⟨{block}⟩ head ⟨{head}⟩, by ⟨{one_back[block, head]:.2f}⟩: "
          f"⟨{score:.2f}⟩, ⟨{nats:.2f}⟩")
print(f"draw 1 of the others: ⟨{cost_of_repeats(rivals(0), 2):.2f}⟩; with this head in place of "
      f"one: ⟨{cost_of_repeats([writer, *rivals(0)[1:]], 2):.2f}⟩")
claim("what is left of the top five's score without the head that looks one back most",
      writer_gone[0] / everyone_there[0], below=0.5,
      control={"without the eight others of its block": block_gone[0] / everyone_there[0]})
claim("nats that repeated tokens cost more without that one head",
      writer_gone[1] - everyone_there[1], above=2,
      control={"without another that looks one back, the worst":
               max(nats for _, nats in nexts_gone.values()) - everyone_there[1]})

# %% [markdown] id="small-heads-idea"
# One head, with next to no induction score itself: and without it those that have one look elsewhere, though none of them was touched. All eight others of its block together do nothing of the kind. Nor is it enough to look one back: the next three that do are missed much less. That is the two-layer story, in a model that has read texts.
#
# It is a warning, too. With this head in place of one of them, a draw of rivals does most of the damage that the top twenty do: see the last line. Had the rivals been drawn from anywhere, it might have been in one of three draws, and a mean of the three would have hidden it. So look at the worst.
#
# ### And in the small model?
#
# Take the model that fits functions. Show it a prompt in which four examples come twice. At the second $x_1$, a head could look at the place right behind the first one: that is $y_1$, the answer. The same score can be asked of its sixteen heads, and the same experiment made, on *fresh* examples, where nothing repeats. There, another score is worth asking for: how much each $y$ looks at the place before it, where its own $x$ stands.

# %% id="small-heads"
def half_repeated(xs, ys):
    """Prompts whose second half is their first half again."""
    half = PAIRS // 2
    return xs[:, :half].repeat(1, 2, 1), ys[:, :half].repeat(1, 2)


fitter_attentions = [block.attention for block in fitter.blocks.blocks]


@torch.no_grad()
def scores_of_fitter(xs, ys, at, before):
    """Each head's induction score, [blocks, heads]."""
    found = torch.zeros(len(fitter_attentions), fitter_attentions[0].heads)

    def look(number, attention, inputs):
        weights = attention.weights(inputs[0], mask=causal_mask(2 * PAIRS, device=lab.device))
        found[number] = induction_score(weights.cpu(), at, before)

    with watching(fitter_attentions, look):
        fitter(xs, ys)
    return found


some = new_xs[:500], new_ys[:500]
at_x = torch.arange(PAIRS, 2 * PAIRS, 2)  # where the second half's xs stand
at_y = torch.arange(1, 2 * PAIRS, 2)
fitter_scores = scores_of_fitter(*half_repeated(*some), at_x, at_x - PAIRS)
joining = scores_of_fitter(*some, at_y, at_y - 2)  # from each y to its own x


def error_without(heads):
    """Error at six fresh examples, percent of the variance, with heads of the fitter silenced."""
    part = fitter.come_in.out_features // fitter_scores.shape[1]
    outputs = [attention.to_output for attention in fitter_attentions]
    with watching(outputs, lambda number, module, inputs: (silence(
            inputs[0], [h for b, h in heads if b == number], part),)):
        return 100 * float(errors(fitter, new_xs[:1_000], new_ys[:1_000])[2 * DIM])


by_score = [divmod(place, fitter_scores.shape[1])
            for place in fitter_scores.flatten().argsort(descending=True).tolist()]
whole_error, each_alone = error_without([]), {head: error_without([head]) for head in by_score}
print("block, head: score, weight from each y to its x, error at six examples without it")
for head in by_score:
    print(f"  ⟨{head}⟩: ⟨{fitter_scores[head]:.2f}⟩, ⟨{joining[head]:.2f}⟩, "
          f"⟨{each_alone[head]:.1f} %⟩")
needed_most = max(each_alone, key=each_alone.get)
print(f"with all heads ⟨{whole_error:.1f} %⟩; the head that is missed most: ⟨{needed_most}⟩")
claim("highest score of a head of the fitter", fitter_scores.max(), above=0.2,
      control={"the median head's": fitter_scores.median()})
claim("fresh examples without the head that scores highest: percent of the variance lost",
      each_alone[by_score[0]] - whole_error, below=10, unit="%",
      control={"without the head that is missed most": each_alone[needed_most] - whole_error})
claim("weight from each y to its x of the head that is missed most", joining[needed_most],
      above=0.5, control={"the median head's": joining.median()})

# %% [markdown] id="small-heads-read"
# So it has heads that look at what followed the last time, though no function it was trained on ever showed the same $x$ twice. On fresh examples the highest of them is missed, but little: the error grows by a few points at most. What the model cannot do without is another head, whose score is nothing. It looks from each $y$ at its own $x$: the head that joins what belongs together, the small brother of the one in SmolLM2 that looks one back. To score high and to matter are two things.
#
# **Question.** Why does the fitter's top head matter so little, and SmolLM2's so much?
#
# <details><summary>Answer</summary>
#
# In random functions nothing repeats, so looking up what came next the last time is worth nothing by itself. What is needed is a sum over *all* examples, weighed by how they are related to the point that is asked; and no example can be used before its $y$ was joined to its $x$. Language repeats itself all the time. (Trained with another seed, the fitter may miss its top heads more. What a head with a high score does besides is not known from its score.)
# </details>
#
# %% [markdown] id="claims"
# ## 6 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | a Transformer can learn to fit linear functions in its prompt | nearly as well as least squares, in 20 dimensions (Garg et al. 2022, figure 2) | within a tenth of least squares below as many examples as unknowns, with nearly the same guesses; more than 98 % explained at twice as many: section 3 |
# | it holds elsewhere, too | under several shifts of the inputs, not under all (Garg et al. 2022, §4) | not for steeper functions: section 3 |
# | induction heads exist in language models | in every model of two layers or more that was looked at (Olsson et al. 2022) | a few of SmolLM2's 270 heads, in the middle and later blocks: section 4; blind without one earlier head that looks one back: section 5 |
# | in-context learning hangs on them | ablations, in small models; evidence of other kinds in large ones (Olsson et al. 2022) | without the top heads repeated tokens cost several nats more, and tasks that write the question again nearly vanish; without others of the same blocks both lose much less, in the worst draw, too. Opposites need others more than the top heads, and capitals need both. In the fitter such heads exist, and little hangs on them: section 5 |
#
# **What does not carry over.** Our functions have few unknowns and no noise; the paper's have twenty, and its other classes (sparse ones, trees, small networks) take a larger model and hours. That few-shot learning of *words* is the same thing as fitting functions nobody has shown. And silencing many heads at once breaks more than one thing: that the page hardly suffers is what makes the comparison fair, and it is no proof.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In Garg et al., that the question was made small enough to have a best answer to compare with. In Olsson et al., a mechanism that one can point to.
# - *What is not?* That networks can be trained to learn: meta-learning by recurrent networks is twenty years older (Hochreiter et al. 2001).
# - *When does it fail?* When the prompt is of another kind than those of training; and, for heads, when what has to be found never stood in the text.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 7 · Going further
#
# **1. Noise.** Add noise of deviation 0.5 to every answer in the prompt, at test time only. Who suffers more, the model or least squares of smallest norm, when there are exactly as many examples as unknowns?
#
# <details><summary>Solution</summary>
#
# ```python
# @torch.no_grad()
# def median_error(model, ys):
#     """Of squared errors after as many examples as unknowns, over the variance of y."""
#     off = (model(new_xs, ys) - new_ys)[:, DIM].square()
#     return float(off.median() / new_ys.square().mean())
#
#
# noise = 0.5 * torch.randn(new_ys.shape, generator=torch.Generator().manual_seed(7))
# noisy = new_ys + noise.to(lab.device)
# claim("noisy answers: least squares' median error, times the model's",
#       median_error(squares, noisy) / median_error(fitter, noisy), above=1.5,
#       control={"without noise": median_error(squares, new_ys) / median_error(fitter, new_ys)})
# ```
#
# Least squares: with as many equations as unknowns it fits the noise exactly, and where the equations are nearly the same it is far off. The model never learned to trust them that much. (Why medians? Because least squares is then so far off, now and then, that its mean squared error has no finite expectation: it is as large as the worst prompt that happened to be drawn. With noise this holds for as many examples as unknowns, and for one more.)
# </details>
#
# **2. One head.** Silence SmolLM2's highest head alone, and then a random one alone. What does the repeated text cost?
#
# <details><summary>Solution</summary>
#
# ```python
# def repeated_without(heads):
#     with silenced(heads):
#         return nats_of(repeated, RUN + 2)
#
#
# claim("the highest head alone: nats that the repeated tokens cost more",
#       repeated_without(top[:1]) - whole[0], above=1,
#       control={"a random one alone": repeated_without(rivals(3)[:1]) - whole[0]})
# ```
#
# The repeated tokens cost some two nats more, a fifth of what all twenty are worth: the others stand in, since the model has several that do the same. Before them nobody stands in: the head that looks one back costs more than twice as much, alone.
# </details>
#
# **Reading.** Garg, Tsipras, Liang and Valiant (2022), “What Can Transformers Learn In-Context? A Case Study of Simple Function Classes”. Olsson et al. (2022), “In-context Learning and Induction Heads”. Elhage et al. (2021), “A Mathematical Framework for Transformer Circuits”. Hochreiter, Younger and Conwell (2001), “Learning to Learn Using Gradient Descent”.
#
# Next comes [lab 06, Scale](06_scale.ipynb).

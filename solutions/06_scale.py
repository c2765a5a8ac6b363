# ---
# squint:
#   lab: "06"
#   title: Scale
#   minutes: 180
#   promise: Train a family of language models, write the next one's loss down before you run it, ask a table of trainings how large a model should be, and measure what PaLM's block, a mixture of experts and a second machine change.
#   prerequisites: ["05_few_shot"]
#   objectives:
#     - count a Transformer's parameters and the operations that its training takes
#     - fit a power law to losses, predict a run that was not made yet, and say how far such a law can be trusted
#     - find the size that makes most of a given amount of computing
#     - write PaLM's parallel block, and judge a block at equal cost
#     - route tokens to experts, and count what is dropped
#     - say what many chips must tell each other in a step, and hold it against the step's seconds
#   claim: The loss of a language model falls with its size, its data and its computing along laws so regular that small models tell what a large one will reach.
#   source: Kaplan et al. 2020, “Scaling Laws for Neural Language Models”; Hoffmann et al. 2022, “Training Compute-Optimal Large Language Models”; Chowdhery et al. 2022, “PaLM”; Fedus et al. 2021, “Switch Transformers”
# ---

# %% [markdown] id="title"
# # Scale
#
# *Train a family of language models, write the next one's loss down before you run it, ask a table of trainings how large a model should be, and measure what PaLM's block, a mixture of experts and a second machine change.*
#
# 180 minutes · after [lab 05, Few-shot learners](05_few_shot.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - count a Transformer's parameters and the operations that its training takes;
# - fit a power law to losses, predict a run that was not made yet, and say how far such a law can be trusted;
# - find the size that makes most of a given amount of computing;
# - write PaLM's parallel block, and judge a block at equal cost;
# - route tokens to experts, and count what is dropped;
# - say what many chips must tell each other in a step, and hold it against the step's seconds.
#
# **The claim under test.** The loss of a language model falls with its size, its data and its computing along laws so regular that small models tell what a large one will reach (Kaplan et al. 2020; Hoffmann et al. 2022).

# %% id="setup" tags=["setup"]
lab = begin("06_scale")

# %% id="imports"
import math

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F

from squint import device, train
from squint.data import books
from squint.models import palm, scaling
from squint.models.gpt import GPT, Config
from squint.nn.experts import MixtureOfExperts
from squint.viz import colours
from squint.viz.style import draw_guess

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** A block of a GPT has two parts. Which, and what does each do with a token?
#
# <details><summary>Answer</summary>
#
# Attention looks around and adds what it found; then a small network, the same for each token, thinks about it alone. Each stands in a residual, behind a norm.
# </details>
#
# **2.** A model's loss on held-out bytes is 1.386 nats a byte. Between how many equally likely bytes is it as unsure as that?
#
# <details><summary>Answer</summary>
#
# Four: $e^{1.386} = 4$. In bits it is 2.
# </details>
#
# **3.** Two models are compared after equally many steps, and one has twice the width. What is not equal?
#
# <details><summary>Answer</summary>
#
# What they cost. Its steps take some four times the operations.
# </details>

# %% [markdown] id="cost-idea"
# ## 1 · What a model costs
#
# GPT-3 has 175 billion parameters and read 300 billion tokens; its paper says that this took $3.14 \cdot 10^{23}$ operations (Brown et al. 2020, table D.1). Multiply the first two numbers with each other and with six:

# %% id="gpt3"
print(f"6 · 175e9 · 300e9 = {6 * 175e9 * 300e9:.2e}")

# %% [markdown] id="parameters-text"
# So a model's price can be worked out with a pencil: six operations a parameter and token. Why six, you will see in a moment. First the parameters, and exactly.
#
# A block of our GPT, `dim` wide, has
#
# - attention: four matrices of `dim` × `dim` (queries, keys, values, output), each with a bias of `dim` numbers;
# - the small network: a matrix from `dim` to `hidden` with a bias of `hidden` numbers, and one back from `hidden` to `dim` with a bias of `dim`;
# - two norms, each with a gain and a bias of `dim` numbers.
#
# Behind the last block stands one more norm. The embeddings are counted apart: they are looked up, and nobody multiplies by them on the way in.

# %% id="parameters" tags=["exercise"] minutes=6 difficulty=1 teaches="where a Transformer's parameters are"
def parameters(dim, blocks, hidden):
    """How many numbers a GPT learns in its blocks and in the norm behind the last one.

    returns a whole number
    """
    ### BEGIN SOLUTION
    attention = 4 * (dim * dim + dim)
    network = dim * hidden + hidden + hidden * dim + dim
    norm = 2 * dim
    return blocks * (attention + network + 2 * norm) + norm
    ### STUB
    # attention = ...
    # network = ...
    # norm = ...
    # return ...
    ### END SOLUTION

# %% id="check-parameters" tags=["check"]
parameters = check("parameters")

# %% id="count"
CONTEXT, BYTES = 64, 256


def gpt(dim, heads=None, blocks=2, seed=0):
    """A GPT that reads bytes, untrained: heads of sixteen numbers, a network four times as wide."""
    torch.manual_seed(seed)
    heads = heads or max(1, dim // 16)
    shape = Config(BYTES, dim, heads, 4 * dim, blocks, dropout=0.0, tokens=CONTEXT)
    return GPT(shape).to(lab.device)


for dim in (8, 48, 96):
    counted = sum(each.numel() for each in gpt(dim).blocks.parameters())
    print(f"{dim:3} wide: by the formula {parameters(dim, 2, 4 * dim):8,}, counted {counted:8,}, "
          f"12 · blocks · dim² = {12 * 2 * dim**2:8,}")

# %% [markdown] id="flops-text"
# For all but the narrowest, $12 \cdot \text{blocks} \cdot \text{dim}^2$ is close enough. (It goes with the *square* of the width: twice as wide is four times as large.)
#
# Now the operations. On the way forward each parameter is multiplied with a number of the token and the product is added to a sum: **two operations a token**. (Biases and norms do less; they are one in forty at a width of 48, and we count them like the others.) On the way back there are two such products, one for the gradient of what came in and one for the gradient of the weight: **four more**. That makes the six. Two things are missing, since no parameter of the blocks stands for them:
#
# - **scores**: the last state is multiplied with the embeddings of all `vocabulary` tokens, which is one more matrix, `dim` × `vocabulary`;
# - **attention**: a token's query is multiplied with the keys of the tokens that it may see, `dim` products a key (all heads together), and then as many with their values. Under the causal mask a token sees half of the `context` on average: $2 \cdot \text{dim} \cdot \text{context} / 2$ products a block.
#
# Each of these products costs what a parameter costs: six operations a token, with the way back. So: add up the three kinds of products, and multiply by six.

# %% id="flops" tags=["exercise"] minutes=8 difficulty=2 teaches="six operations a parameter and token, and what that leaves out"
def flops(dim, blocks, hidden, context=64, vocabulary=256):
    """The operations of training for each token: those of parameters, scores and attention.

    returns a number; your `parameters` may help
    """
    ### BEGIN SOLUTION
    scores = dim * vocabulary
    attention = blocks * 2 * dim * context / 2
    return 6 * (parameters(dim, blocks, hidden) + scores + attention)
    ### STUB
    # scores = ...
    # attention = ...
    # return ...
    ### END SOLUTION

# %% id="check-flops" tags=["check"]
flops = check("flops")

# %% id="shares"
print("wide  operations a token  parameters   scores  attention")
for dim, blocks, context, vocabulary in ((8, 2, 64, 256), (48, 2, 64, 256), (96, 2, 64, 256),
                                         (12_288, 96, 2_048, 50_257)):
    whole = flops(dim, blocks, 4 * dim, context, vocabulary)
    kinds = (parameters(dim, blocks, 4 * dim), dim * vocabulary, blocks * dim * context)
    print(f"{dim:6,} {whole:18.2e}" + "".join(f"{100 * 6 * kind / whole:9.0f} %" for kind in kinds))

# %% [markdown] id="shares-read"
# The last row is GPT-3's shape: 98 of 100 operations are those of the parameters, and “six a parameter and token” is as good as exact. For our smallest it would miss most of the work. That is the first trap of scaling laws: **what counts as size**. Kaplan et al. (2020, §2.1) leave the embeddings out since the laws come out cleaner; we do the same, and count operations in full.

# %% [markdown] id="family-idea"
# ## 2 · A family, and a loss written down before it is run
#
# Six GPTs, two blocks each, 8 to 48 wide: from less than two thousand parameters to some sixty thousand. Each reads the same half million bytes of lab 04's four texts, once, in the same order, in sequences of 64. (Bytes, so that there are few embeddings. With 256 at once the small ones would learn nothing but pairs of letters for a long time.) What is measured is the loss on the ends of books, which nobody was trained on.
#
# One thing must not differ: how well each was trained. A rate that suits the narrow ones ruins the wide ones. So the rate follows **one law for all**, here $0.01 \cdot (\text{dim}/32)^{-3/4}$, found by trying rates at several widths. Without it one measures the luck of a setting and calls it a law of nature.

# %% id="train"
def read(part):
    """All bytes of a part of the four texts, `train` or `ends`."""
    joined = "".join(text for name in books.NAMES for text in getattr(books.source(name), part))
    return torch.frombuffer(bytearray(joined.encode()), dtype=torch.uint8).to(lab.device)


text, ends = read("train"), read("ends")
offsets = torch.arange(CONTEXT + 1, device=lab.device)
held_out = torch.linspace(0, len(ends) - CONTEXT - 1, budget(cpu=1_024, gpu=4_096, smoke=64))
held_out = ends[held_out.long().to(lab.device)[:, None] + offsets].long()
order = torch.randperm(len(text) // CONTEXT - 1, generator=torch.Generator().manual_seed(0))
starts = CONTEXT * order.to(lab.device)


def learn(model, rate, steps, batch=8, also=None):
    """Train on the same bytes in the same order, each seen once; `also(model)` adds to the loss."""
    optimiser = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.95), weight_decay=0.0,
                                  fused=True)
    schedule = train.cosine(warmup=max(1, steps // 20), floor=0.1)
    rows = starts[: steps * batch].split(batch)
    for step, some in enumerate(track(rows, "training")):
        optimiser.param_groups[0]["lr"] = rate * schedule(step, steps)
        loss = model.loss(text[some[:, None] + offsets].long())
        (loss if also is None else loss + also(model)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


@torch.no_grad()
def loss_of(model):
    """Nats a byte on what is held out."""
    return float(sum(model.loss(rows) * len(rows) for rows in held_out.split(256)) / len(held_out))


def rate_for(dim):
    return 0.01 * (dim / 32) ** -0.75


WIDTHS = (8, 12, 16, 24, 32, 48)
STEPS = budget(cpu=1_000, gpu=1_000, smoke=4)
family = {}
for dim in WIDTHS:
    family[dim] = loss_of(learn(gpt(dim), rate_for(dim), STEPS))
sizes = [parameters(dim, 2, 4 * dim) for dim in WIDTHS]
losses = [family[dim] for dim in WIDTHS]
for dim, size, loss in zip(WIDTHS, sizes, losses):
    print(f"{dim:2} wide, {size:6,} parameters: ⟨{loss:.3f}⟩ nats a byte")

# %% [markdown] id="fit-idea"
# The larger, the better, each time by less. Kaplan et al. (2020) found that such losses lie on a **power law**; Hoffmann et al. (2022, eq. 2) add a floor:
#
# $$L(N) = E + \frac{A}{N^{\alpha}}$$
#
# $N$ is the size; $E$ the loss that would be left with endless size, since text is not fully predictable (and since half a million bytes teach only so much); the rest falls by the same *factor* each time the size is doubled.
#
# How does one fit it? Three numbers are unknown, but if $\alpha$ were known, $L$ would be a straight line in $x = N^{-\alpha}$: $A$ is its slope, $E$ is where it starts. So try many $\alpha$, here 0.02, 0.03, …, 1.50. For each, least squares give slope and start: `np.polyfit(x, losses, 1)` returns the two, the slope first. Keep the $\alpha$ whose squared errors add up to least. One condition: a loss cannot be negative, so an $\alpha$ that wants $E < 0$ is out.

# %% id="fit_power" tags=["exercise"] minutes=14 difficulty=3 teaches="fitting a power law with a floor"
def fit_power(sizes, losses):
    """The law losses ≈ E + A / sizes**alpha of least squared error, with E not below 0.

    sizes, losses: lists of numbers, one of each a run; alpha: one of 0.02, 0.03, …, 1.50
    returns three numbers, (E, A, alpha)
    """
    ### BEGIN SOLUTION
    sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    best, least = None, math.inf
    for alpha in np.arange(2, 151) / 100:
        x = sizes**-alpha
        A, E = np.polyfit(x, losses, 1)
        error = ((E + A * x - losses) ** 2).sum()
        if E >= 0 and error < least:
            best, least = (float(E), float(A), float(alpha)), error
    return best
    ### STUB
    # sizes, losses = np.array(sizes, dtype=float), np.array(losses, dtype=float)
    # best, least = None, math.inf
    # for alpha in np.arange(2, 151) / 100:
    #     x = ...
    #     A, E = np.polyfit(x, losses, 1)
    #     error = ...
    #     if ...:
    #         best, least = (float(E), float(A), float(alpha)), error
    # return best
    ### END SOLUTION

# %% id="check-fit_power" tags=["check"]
fit_power = check("fit_power")

# %% [markdown] id="predict-text"
# Now the next one: 64 wide, 1.8 times the largest so far. Fit the law to the six, **write down what it says of the seventh**, and only then run it.

# %% id="guess-next" tags=["nbval-ignore-output"]
guess = predict("What will the loss of the model that is 64 wide be?", low=1.8, high=2.3,
                unit="nats a byte")

# %% id="write-down"
law = fit_power(sizes, losses)
next_size = parameters(64, 2, 4 * 64)


def by_law(law, size):
    floor, slope, alpha = law
    return floor + slope * size**-alpha


written_down = by_law(law, next_size)
print(f"L(N) = ⟨{law[0]:.2f}⟩ + ⟨{law[1]:.2f}⟩ / N^⟨{law[2]:.2f}⟩")
print(f"{next_size:,} parameters: written down ⟨{written_down:.3f}⟩ nats a byte")

# %% id="run-it"
outcome = loss_of(learn(gpt(64), rate_for(64), STEPS))
straight = float(np.polyval(np.polyfit(sizes, losses, 1), next_size))
print(f"measured ⟨{outcome:.3f}⟩; a straight line through the six says ⟨{straight:.3f}⟩; "
      f"as good as the largest of the six is ⟨{losses[-1]:.3f}⟩")
claim("the seventh's loss was written down, off by", 100 * abs(written_down / outcome - 1),
      at_most=5, unit="%", paper="Kaplan et al. 2020, figure 1",
      control={"by a straight line": 100 * abs(straight / outcome - 1)})

# %% id="fig-family" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.6))
along = np.geomspace(1_500, 130_000, 100)
axes.plot(along, [by_law(law, size) for size in along], color=colours.GREY, label="the law of six")
axes.plot(sizes, losses, "o", color=colours.BLUE, label="six models")
axes.plot(next_size, written_down, "o", markersize=11, markerfacecolor="none",
          color=colours.VERMILION, label="written down")
axes.plot(next_size, outcome, "x", color=colours.VERMILION, label="measured")
axes.set(xscale="log", xlabel="parameters of the blocks", ylabel="loss, nats a byte",
         title="Six models, and the seventh before it was run")
draw_guess(axes, guess)
axes.legend()
show(figure, alt="Loss against the number of parameters on a logarithmic axis: six points fall "
     "along a slowly bending curve. At the seventh size an open circle, written down before, and "
     "a cross, measured afterwards, lie close to each other.")

# %% [markdown] id="predict-read"
# The law was right, and the straight line nonsense. But be strict with it. “As good as the largest so far” would have passed the claim, too: **one step further is too easy a test**. And a hit as close as this one is luck; fit the law again, each time without one of the six, and see how far its answer moves, and its floor.

# %% id="firm"
for left_out in range(len(sizes)):
    others = [i for i in range(len(sizes)) if i != left_out]
    again = fit_power([sizes[i] for i in others], [losses[i] for i in others])
    print(f"without the one {WIDTHS[left_out]:2} wide: E = ⟨{again[0]:.2f}⟩, alpha = "
          f"⟨{again[2]:.2f}⟩; the seventh ⟨{by_law(again, next_size):.3f}⟩")

# %% [markdown] id="firm-read"
# What it says of the seventh moves by a few hundredths of a nat. What it says of the floor moves by more than a nat, though all these curves look the same where the points are. A law that cannot be caught out where one looks is not yet a law where one does not. What is needed is a longer lever.
#
# **Question.** All seven read the same half million bytes. Of an endlessly large one the law says $E$. Could a model be better than that?
#
# <details><summary>Answer</summary>
#
# Not with these bytes, says the law; with more of them, yes. $E$ is not the unpredictability of text here: it holds what half a million bytes leave unlearned, however large the model is. That is why size alone is half the story.
# </details>

# %% [markdown] id="table-idea"
# ## 3 · A table of trainings
#
# The course ships a table of such trainings (`data/scaling/table.json`; the recipe is `data/recipes/scaling.py`): eight shapes from three thousand to a million parameters, each on up to six amounts of text between a quarter of a million bytes and eight million, every byte seen once at most. Of its 71 rows 45 are this grid; the others looked for the law of the rate first, tried half and twice that rate, and ran some sizes with another seed. One core took 42 minutes for all. (Rate and batch are not quite those of section 2, so do not mix the two.) Your own functions count what each cost.

# %% id="table"
table = scaling.load()
runs = [row for row in table["rows"] if row["kind"] == "grid"]
for row in runs:
    assert row["parameters"] == parameters(row["width"], row["blocks"], 4 * row["width"])
    each = flops(row["width"], row["blocks"], 4 * row["width"], CONTEXT, BYTES)
    assert math.isclose(row["flops"], row["bytes"] * each)
SHAPES = sorted({row["parameters"] for row in runs})
AMOUNTS = sorted({row["budget"] for row in runs})
loss_at = {(row["parameters"], row["budget"]): row["loss"] for row in runs}
print("parameters" + "".join(f"{amount / 1e6:7.2f}M" for amount in AMOUNTS) + "  bytes")
for size in SHAPES:
    print(f"{size:10,}" + "".join(f"{loss_at[size, amount]:8.3f}" if (size, amount) in loss_at
                                  else "       –" for amount in AMOUNTS))
again = {(row["parameters"], row["budget"]): row["loss"] for row in table["rows"]
         if row["kind"] == "seed"}
luck = [100 * abs(loss / loss_at[key] - 1) for key, loss in again.items()]
print(f"{len(runs)} runs; {len(luck)} of them again with another seed: they differ by "
      f"{np.median(luck):.1f} % (median), {max(luck):.1f} % at most")

# %% [markdown] id="table-read"
# Read along a row: more text helps each size, and the small ones stop gaining first. Read down a column: size helps, and the more so the more text there is. And look at the last line. The same model with another seed differs by one percent, the smallest ones by up to four. (That was tried for the four smallest sizes, on up to a million bytes.) **Whatever a law says below that is luck.**
#
# Now the longer lever, four million bytes for each size. Fit your law to the five models below a hundred thousand parameters, as somebody would who has no more to spend. Then with the sixth, the seventh, the eighth as well. What does each fit promise for the largest of the table, and for a model of a billion parameters, which nobody here has trained?

# %% id="promises"
SMALL, BILLION = 100_000, 10**9
most = max(amount for amount in AMOUNTS if all((size, amount) in loss_at for size in SHAPES))
column = [loss_at[size, most] for size in SHAPES]
promises = {}
print(f"fitted, on {most / 1e6:.0f}M bytes, to   E  alpha   says of {SHAPES[5]:,}  {SHAPES[6]:,}  "
      f"{SHAPES[7]:,}  a billion")
for count in range(5, 9):
    promises[count] = fitted_law = fit_power(SHAPES[:count], column[:count])
    print(f"{count} sizes {fitted_law[0]:22.2f} {fitted_law[2]:6.2f}" + "".join(
        f"{by_law(fitted_law, size):{width}.3f}" for size, width in zip([*SHAPES[5:], BILLION],
                                                               (16, 9, 9, 11))))
print(f"measured {'':28}" + "".join(f"{loss:{width}.3f}" for loss, width in zip(column[5:],
                                                                            (16, 9, 9))))
apart = [by_law(promises[8], size) - by_law(promises[5], size) for size in (SHAPES[4], BILLION)]
claim("nats between the fits of five and of eight sizes, at a billion parameters", abs(apart[1]),
      above=0.2, control={f"at {SHAPES[4]:,}, the last that both have seen": abs(apart[0])})

# %% id="fig-promises" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.8))
along = np.geomspace(2_500, BILLION, 200)
for count, dashes in ((5, "--"), (8, "-")):
    axes.plot(along, [by_law(promises[count], size) for size in along], linestyle=dashes,
              label=f"the law of {count} sizes")
axes.plot(SHAPES[:5], column[:5], "o", color=colours.INK, label="in both fits")
axes.plot(SHAPES[5:], column[5:], "o", markerfacecolor="none", markersize=8,
          color=colours.VERMILION, label="in the fit of eight only")
axes.set(xscale="log", xlabel="parameters of the blocks", ylabel="loss, nats a byte",
         title="Two laws that agree wherever the five are")
axes.legend()
show(figure, alt="Loss against parameters from three thousand to a billion. Two curves run "
     "together through five points and part behind them: the law of five sizes falls on steeply, "
     "that of eight, which goes through three more points, bends and ends much higher.")

# %% [markdown] id="promises-read"
# Through the five points both laws go equally well. But the first wants next to no floor, and promises 1.10 nats for a billion parameters; each size that is added raises the floor and takes some of the promise back, 0.3 nats in all. The larger models were above what the five had promised, the more so the larger: they read no more text than the small ones, and it no longer fills them. **An extrapolation is only as good as the points that lie where it is asked**, and nobody has those at a billion before it is paid for. Mind that when a curve in a paper goes on, dashed, behind its last point.
#
# ### Size and data together
#
# Hoffmann et al. (2022, eq. 2) put both into one law, with $D$ the tokens (here bytes) that were read:
#
# $$L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}$$
#
# Now $E$ is what neither size nor data can buy. The library fits it as you did, with a grid over two exponents instead of one (`squint.models.scaling.fit`). Same question, harder: from the runs below a hundred thousand parameters alone, all amounts of text, what will the larger ones reach?

# %% id="guess-both" tags=["nbval-ignore-output"]
guess_both = predict("Fitted to the small models, by how much will the law of both miss the larger "
                     "ones, at the worst?", low=0, high=20, unit="%")

# %% id="both"
def columns(rows):
    """Parameters, bytes and losses of some runs, each a tensor."""
    names = ("parameters", "bytes", "loss")
    return [torch.tensor([float(row[name]) for row in rows]) for name in names]


small = [size for size in SHAPES if size < SMALL]
fitted = [row for row in runs if row["parameters"] < SMALL]
asked = sorted((row for row in runs if row["parameters"] >= SMALL),
               key=lambda row: (row["parameters"], row["bytes"]))
both = scaling.fit(*columns(fitted))
print(f"{len(fitted)} runs fitted: E = ⟨{both.E:.2f}⟩, alpha = ⟨{both.alpha:.2f}⟩, "
      f"beta = ⟨{both.beta:.2f}⟩")
asked_sizes, asked_bytes, measured = columns(asked)
expected = scaling.predict(both, asked_sizes, asked_bytes)
missed = 100 * (expected / measured - 1)
nothing_new = torch.tensor([min(loss_at[size, row["budget"]] for size in small
                                if (size, row["budget"]) in loss_at) for row in asked])
for row, says, off in zip(asked, expected.tolist(), missed.tolist()):
    print(f"{row['parameters']:9,} parameters, {row['budget'] / 1e6:4.2f}M bytes: "
          f"measured {row['loss']:.3f}, the law said ⟨{says:.3f}⟩, off by ⟨{off:+.1f} %⟩")
claim("the law of small models misses the larger ones at the worst by", missed.abs().max(),
      below=4, unit="%", paper="Hoffmann et al. 2022, §3.3",
      control={"“as good as the best small one on as much text”":
               100 * (nothing_new / measured - 1).abs().max()})

# %% id="fig-both" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.6, 3.8))
for size, tint in zip(SHAPES, plt.colormaps["viridis"](np.linspace(0, 0.9, len(SHAPES)))):
    own = [row for row in runs if row["parameters"] == size]
    amounts = np.geomspace(2e5, 1e7, 60)
    left.plot(amounts, scaling.predict(both, torch.tensor(float(size)), torch.tensor(amounts)),
              color=tint, linewidth=1, linestyle="-" if size < SMALL else "--")
    left.plot([row["bytes"] for row in own], [row["loss"] for row in own], "o", color=tint,
              markerfacecolor=tint if size < SMALL else "none", label=f"{size:,}")
left.set(xscale="log", xlabel="bytes read", ylabel="loss, nats a byte",
         title="The law of both; open: not fitted")
left.legend(title="parameters", fontsize=7, title_fontsize=8, ncols=2)
right.bar(range(len(asked)), missed, color=colours.BLUE, label="the law")
right.plot(range(len(asked)), 100 * (nothing_new / measured - 1), "_", color=colours.VERMILION,
           markersize=14, label="the best small one")
right.set_xticks(range(len(asked)), [f"{row['parameters'] / 1e3:.0f}k, {row['budget'] / 1e6:.2g}M"
                                     for row in asked], rotation=70, fontsize=8)
right.axhline(0, color=colours.INK, linewidth=0.8)
draw_guess(right, guess_both)
right.set(ylabel="off by, %", title="How far off, run by run")
right.set_ylim(top=11)
right.legend(loc="upper center", ncols=2, fontsize=8)
show(figure, alt="Left: loss against bytes read, a curve of the law for each of eight sizes with "
     "its measured points; the larger sizes, drawn dashed and open, were not fitted and lie "
     "close to their curves. Right: how far the law was off in each of those runs, three percent "
     "at most, and in nearly all of them the best small model further.")

# %% [markdown] id="both-read"
# From models below a hundred thousand parameters to ten times that, the law misses by three percent at the worst; “as good as the best small one” by up to nine. So on two axes, with thirty runs, the lever is long enough for that. Not for more: look at the signs. On the most text all three large models were better than the law said, on less text nearly all were worse. That is no luck of single runs. The law adds what size costs and what data costs, as if each did not care for the other; and that is a little wrong.

# %% [markdown] id="valley-idea"
# ## 4 · How large should a model be?
#
# You have so many operations to spend. A large model on little text, or a small one on much? Both are bad; in between lies the best. Hoffmann et al. (2022, §3.2) fix the operations, train models of many sizes each on as much text as that pays for, and draw the loss against the size: a **valley**. Near its bottom it is a parabola in the *logarithm* of the size: $L = a x^2 + b x + c$ with $x = \ln N$. Its bottom lies where the slope $2 a x + b$ is zero.
#
# `np.polyfit(x, losses, 2)` returns $a$, $b$ and $c$.

# %% id="valley" tags=["exercise"] minutes=7 difficulty=2 teaches="the best size for an amount of computing"
def valley(sizes, losses):
    """The size at the bottom of the parabola through the losses, over the logarithm of the size.

    sizes, losses: lists of numbers
    returns a size, a number
    """
    ### BEGIN SOLUTION
    a, b, c = np.polyfit(np.log(sizes), losses, 2)
    return float(np.exp(-b / (2 * a)))
    ### STUB
    # a, b, c = np.polyfit(..., losses, 2)
    # return ...
    ### END SOLUTION

# %% id="check-valley" tags=["check"]
valley = check("valley")

# %% [markdown] id="valleys-text"
# The table has no run that costs exactly $10^{11}$ operations. But each size was trained on several amounts, so its loss at a cost in between can be read off: between two runs, straight over the logarithm of the cost. A size that would have to be asked outside its runs is left out.

# %% id="valleys"
BUDGETS = [1e11, 3e11, 1e12]


def at_cost(size, cost):
    """The loss of a size at a cost between two of its runs, or None."""
    own = sorted((row["flops"], row["loss"]) for row in runs if row["parameters"] == size)
    if own[0][0] <= cost <= own[-1][0]:
        return float(np.interp(math.log(cost), np.log([c for c, _ in own]), [x for _, x in own]))
    return None


best, profiles = {}, {}
for cost in BUDGETS:
    profiles[cost] = {size: at_cost(size, cost) for size in SHAPES if at_cost(size, cost)}
    best[cost] = valley(list(profiles[cost]), list(profiles[cost].values()))
    print(f"{cost:.0e} operations: " + ", ".join(f"{size:,}: {loss:.3f}" for size, loss in
                                                profiles[cost].items()))
    print(f"{'':18}bottom at ⟨{best[cost]:,.0f}⟩ parameters")
grows, _ = np.polyfit(np.log(BUDGETS), np.log(list(best.values())), 1)
laws = {size: scaling.fit(*columns([row for row in fitted if row["parameters"] != size]))
        for size in [None, *small]}  # without one of the sizes; first, with all
by_laws = {size: one.beta / (one.alpha + one.beta) for size, one in laws.items()}
low, high = min(by_laws.values()), max(by_laws.values())
print(f"the best size grows as cost^⟨{grows:.2f}⟩; by the law of both as ⟨{by_laws[None]:.2f}⟩, "
      f"and without one of its sizes as ⟨{low:.2f}⟩ to ⟨{high:.2f}⟩")
claim("the exponent with which the best size grows with the cost", grows, between=(0.3, 0.8),
      paper="Hoffmann et al. 2022, table 2: 0.49", control={"if data were not worth a thing": 1.0,
                                                          "if size were not": 0.0})

# %% [markdown] id="frontier-text"
# Your `fit_power` does not care what stands on its axis. Over bytes, for one size; and over the cost, along the **frontier**: those runs that no cheaper run beats. (The larger sizes were run on up to four million bytes only, so its right end is not quite fair to them.)

# %% id="frontier"
own = [row for row in runs if row["parameters"] == SHAPES[4]]
over_bytes = fit_power([row["bytes"] for row in own], [row["loss"] for row in own])
by_cost = sorted((row["flops"], row["loss"]) for row in runs)
front = [(cost, loss) for i, (cost, loss) in enumerate(by_cost)
         if loss < min([each for _, each in by_cost[:i]], default=math.inf)]
over_cost = fit_power(*zip(*front))
print(f"{SHAPES[4]:,} parameters over bytes: E = {over_bytes[0]:.2f}, exponent {over_bytes[2]:.2f}")
print(f"{len(front)} runs of the frontier over cost: E = {over_cost[0]:.2f}, "
      f"exponent {over_cost[2]:.2f}")

# %% id="fig-valleys" tags=["nbval-ignore-output"]
figure, (axes, right) = plt.subplots(1, 2, figsize=(10.4, 3.8))
for cost, tint in zip(BUDGETS, colours.CYCLE):
    own = list(profiles[cost])
    curve = np.poly1d(np.polyfit(np.log(own), list(profiles[cost].values()), 2))
    along = np.geomspace(own[0], own[-1], 80)
    axes.plot(along, curve(np.log(along)), color=tint, linewidth=1)
    axes.plot(own, list(profiles[cost].values()), "o", color=tint, label=f"{cost:.0e} operations")
    axes.plot(best[cost], curve(math.log(best[cost])), "*", color=tint, markersize=13)
axes.set(xscale="log", xlabel="parameters of the blocks", ylabel="loss, nats a byte",
         title="Equal cost along a curve; the star is its bottom")
axes.legend()
for size, tint in zip(SHAPES, plt.colormaps["viridis"](np.linspace(0, 0.9, len(SHAPES)))):
    own = sorted((row["flops"], row["loss"]) for row in runs if row["parameters"] == size)
    right.plot(*zip(*own), "o-", color=tint, linewidth=1, markersize=4, label=f"{size:,}")
along = np.geomspace(1e10, 3e13, 80)
right.plot(along, [by_law(over_cost, cost) for cost in along], color=colours.INK, linestyle="--",
           label="the frontier's law")
right.set(xscale="log", xlabel="operations", title="All runs, and the law of the frontier")
right.legend(title="parameters", fontsize=7, title_fontsize=8, ncols=2)
show(figure, alt="Left: three valleys, one for each amount of computing, loss against size. Each "
     "falls and rises again, and the more computing, the lower it lies and the further to the "
     "right is its bottom, marked by a star. Right: loss against operations for eight sizes, one "
     "line each; their lower edge roughly follows a dashed law.")

# %% [markdown] id="valleys-read"
# Each budget has its valley, and more computing moves it to the right. The law of both says where the bottom should be, too: its two terms are in balance where size grows as cost to the power $\beta / (\alpha + \beta)$ (Hoffmann et al. 2022, §3.3). Both ways say that of ten times the computing somewhat more should go into size than into text. But neither is firm. Three valleys make a straight line of any kind, their bottoms hang on a few points each; and without one of its sizes the law says anything from “mostly text” to “nearly all size”. So the claim says no more than that *both* should grow.
#
# Hoffmann et al. had four hundred runs up to 16 billion parameters, and found one half: size and text in step. The large models of their day were too large for the text they had read. Chinchilla, a quarter of Gopher's size on four times the text, cost as much and was better (§4).
#
# **Question.** A lab trains a model that thousands will use for years. Should it take the size at the bottom of the valley?
#
# <details><summary>Answer</summary>
#
# A smaller one, trained longer. The valley weighs training alone; whoever also pays for each answer pays for the size again and again, and near its bottom a valley is flat: at $10^{12}$ operations a model of 14,496 parameters, less than half the best size, loses four hundredths of a nat. Touvron et al. (2023, §1) chose so for Llama.
# </details>

# %% [markdown] id="block-idea"
# ## 5 · PaLM's block
#
# What to do with a large amount of computing? PaLM (Chowdhery et al. 2022) has 540 billion parameters, and its block is not GPT's. Four of the differences you know from lab 05: rotary positions, a gated network (SwiGLU), no biases, and heads of queries that share keys and values. Here all of them share one (**multi-query**), so the memory when writing is as small as can be. The fifth is new. In GPT's block the small network waits until attention is done:
#
# $$y = x + \text{attention}(\text{norm}(x)), \qquad z = y + \text{network}(\text{norm}'(y))$$
#
# In PaLM's both read the same normalised vectors, and what they say is added up at once (§2, “parallel layers”):
#
# $$z = x + \text{attention}(n) + \text{network}(n), \qquad n = \text{norm}(x)$$
#
# So a large machine can do both at a time, their first matrices as one product, and what is cut over many chips need be added up once a block and not twice. The paper says that training was some 15 % faster, at a small loss in quality with 8 billion parameters and none with 62 billion.

# %% id="parallel_block" tags=["exercise"] minutes=3 difficulty=1 teaches="a block whose two halves do not wait for each other"
def parallel_block(x, norm, attention, feed_forward):
    """What a parallel block makes of x.

    x: [batch, tokens, dim]; norm, attention, feed_forward: functions of such a tensor
    returns the same shape
    """
    ### BEGIN SOLUTION
    seen = norm(x)
    return x + attention(seen) + feed_forward(seen)
    ### END SOLUTION

# %% id="check-parallel_block" tags=["check"]
parallel_block = check("parallel_block")

# %% [markdown] id="block-text"
# Now a fair contest. The rival is the GPT of section 2 that is 48 wide; PaLM's gated network gets a width at which both have nearly the same number of parameters, and so of operations a token. Same bytes, same rate, same number of steps. Then once more, for **equal seconds**: operations are what one pays for on paper, and seconds what one waits for. So each block's step is timed here, and PaLM gets as many steps as fit into GPT's seconds.
#
# And a third candidate, so that one knows what did it: all of PaLM's parts, but one after the other, as in GPT.

# %% id="guess-block" tags=["nbval-ignore-output"]
guess_block = predict("Two blocks, 48 wide, equal operations: which has the lowest loss?", choices=[
    "GPT's", "PaLM's, side by side", "PaLM's parts, one after the other"])

# %% id="contest"
def palm_like(rule, dim=48, hidden=152):
    torch.manual_seed(0)
    shape = palm.Config(BYTES, dim, dim // 16, hidden, 2, CONTEXT)
    return palm.PaLM(shape, rule).to(lab.device)


def one_after_the_other(x, norm, attention, feed_forward):
    x = x + attention(norm(x))
    return x + feed_forward(norm(x))


def seconds_a_step(model):
    rows = held_out[:8]
    tries = budget(cpu=40, gpu=40, smoke=2)
    return device.seconds(lambda: model.loss(rows).backward(), times=tries)


numbers = {"GPT": sum(p.numel() for p in gpt(48).blocks.parameters()),
           "PaLM": sum(p.numel() for p in palm_like(parallel_block).blocks.parameters())}
print("parameters of the blocks: " + ", ".join(f"{who} {n:,}" for who, n in numbers.items()))
pace = seconds_a_step(gpt(48)) / seconds_a_step(palm_like(parallel_block))
in_parallel = loss_of(learn(palm_like(parallel_block), rate_for(48), STEPS))
same_time = loss_of(learn(palm_like(parallel_block), rate_for(48), round(pace * STEPS)))
in_turn = loss_of(learn(palm_like(one_after_the_other), rate_for(48), STEPS))
lucky = loss_of(learn(gpt(48, seed=1), rate_for(48), STEPS))
print(f"GPT                        ⟨{family[48]:.3f}⟩, from other weights ⟨{lucky:.3f}⟩")
print(f"PaLM, equal operations     ⟨{in_parallel:.3f}⟩")
print(f"PaLM, equal seconds        ⟨{same_time:.3f}⟩: ⟨{pace:.2f}⟩ times as many steps")
print(f"its parts, in turn         ⟨{in_turn:.3f}⟩")
best_gpt, other_gpt = sorted([family[48], lucky])
luck_of_two = {"the other GPT": best_gpt - other_gpt}
claim("PaLM's block at equal operations: nats below the better GPT", best_gpt - in_parallel,
      above=0.02, control=luck_of_two)
claim("PaLM's block at equal seconds: nats above the better GPT", same_time - best_gpt, below=0.03,
      control={"a GPT 32 wide": family[32] - best_gpt})
claim("its parts one after the other: nats below those side by side", in_parallel - in_turn,
      above=0.02, control=luck_of_two)

# %% id="fig-block" tags=["nbval-ignore-output"]
outcomes = {"GPT's": family[48], "PaLM's, side by side": in_parallel,
            "PaLM's parts, one after the other": in_turn}
figure, axes = plt.subplots(figsize=(6.8, 2.4))
tints = [colours.PINK if name == guess_block.value else colours.BLUE for name in outcomes]
bars = axes.barh(list(outcomes), list(outcomes.values()), color=tints)
axes.bar_label(bars, fmt="%.3f", padding=3)
axes.set(xlim=(1.9, 2.25), xlabel="loss, nats a byte (the axis begins at 1.9)",
         title="Three blocks at equal operations"
               + (" (pink: your guess)" if guess_block.value else ""))
axes.invert_yaxis()
show(figure, alt="Three bars of loss: GPT's block is highest, PaLM's side by side lower, PaLM's "
     "parts one after the other lowest.")

# %% [markdown] id="block-read"
# PaLM's block beats GPT's at equal operations by far more than two GPTs of different first weights differ. At equal seconds a part of that is lost (how much depends on the machine): its step takes longer here, since it has three products for two and turns queries and keys, which costs time and hardly any of the operations that we counted. But look at the third bar: the very same parts, **one after the other**, are better still, and cost the same. A network that waits for attention sees what attention has just found. Side by side, two blocks do two things in a row; in turn, four. Of PaLM's 118 blocks such a loss is small, and that is what the paper found: a little at 8 billion parameters, nothing at 62. So the parallel form buys time on many chips, as section 7 will show. Here it buys nothing.
#
# **Question.** Which of PaLM's other changes made it better than GPT's?
#
# <details><summary>Answer</summary>
#
# That cannot be read off: positions, gate, shared keys, biases and the norm were changed at once. One thing was changed alone, and only of that one we know. Most papers that present a new block change several things.
# </details>

# %% [markdown] id="experts-idea"
# ## 6 · More parameters for the same price
#
# Six operations a parameter and token: must that be so? Why should a model use all that it knows for each word? A **mixture of experts** does not (Shazeer et al. 2017). In place of a block's small network stand many, the experts; a **router**, one small matrix, scores them for each token, and only the best two are asked. Sixteen experts hold much more than one network, and a token pays for two.
#
# Take the router's scores of one token, $s$. Their softmax are probabilities $p$. The two largest are chosen, and made to sum to one: with $p = (0.5, 0.3, 0.2)$ experts 0 and 1 count $0.5/0.8$ and $0.3/0.8$. What the token gets is the sum of the two answers, weighted so.
#
# Nothing in this keeps the router from sending everything to the same two experts. Those learn most, so they are chosen even more often. Against it stands a second loss, the **balance** (Fedus et al. 2021, eq. 4):
#
# $$\text{balance} = n \sum_{e=1}^{n} \text{share}_e \cdot \overline{p_e}$$
#
# $n$ is the number of experts; $\text{share}_e$ the share of all choices (first and second ones, of all tokens) that fell on expert $e$; $\overline{p_e}$ the mean over all tokens of its probability. If all is even, it is 1; if all choices and all probability fall on $k$ of the experts, it is $n / k$. A choice has no gradient, but the probabilities have: what is chosen too often gets less likely.
#
# `p.topk(top, dim=-1)` returns the largest and where they stand; `F.one_hot(chosen, n)` marks each choice with a one, in whole numbers (`.float()` makes floats of them).

# %% id="route" tags=["exercise"] minutes=14 difficulty=3 teaches="choosing experts, weighing them, and keeping them busy alike"
def route(scores, top):
    """Which experts each token is sent to, what each counts, and how uneven that is.

    scores: [tokens, experts], of the router, before any softmax
    returns weights [tokens, top], the likeliest first, each row sums to 1;
            chosen [tokens, top], the experts' numbers; balance, a scalar
    """
    ### BEGIN SOLUTION
    p = scores.softmax(dim=-1)
    largest, chosen = p.topk(top, dim=-1)
    weights = largest / largest.sum(dim=-1, keepdim=True)
    n = scores.shape[-1]
    share = F.one_hot(chosen, n).to(p.dtype).mean(dim=(0, 1))
    balance = n * (share * p.mean(dim=0)).sum()
    return weights, chosen, balance
    ### STUB
    # p = scores.softmax(dim=-1)
    # largest, chosen = ...
    # weights = ...
    # n = scores.shape[-1]
    # share = ...
    # balance = ...
    # return weights, chosen, balance
    ### END SOLUTION

# %% id="check-route" tags=["check"]
route = check("route")

# %% [markdown] id="experts-text"
# The rest is bookkeeping, and it is where the speed is: all tokens of an expert are gathered into one batch, so that all experts are one product (`squint.nn.experts`, a file to read). For that each gets a fixed room, its **capacity**: here a quarter more than an even share. What finds no room is **dropped**: no expert sees it, and the token goes on with what its residual carries. Let us count, after a thousand steps, with the balance loss and without.

# %% id="balance"
def with_experts(dim=16, experts=16, top=2, seed=0):
    """A GPT whose small networks are exchanged for experts, two of which cost as much."""
    model = gpt(dim, heads=2, seed=seed)
    for block in model.blocks.blocks:
        block.feed_forward = MixtureOfExperts(dim, 4 * dim // top, experts, top=top, route=route)
    return model.to(lab.device)


def layers(model):
    return [block.feed_forward for block in model.blocks.blocks]


def balanced(model):
    return 0.01 * sum(layer.balance for layer in layers(model))


SOME = budget(cpu=1_000, gpu=1_000, smoke=4)
dropped = {}
for name, also in (("with the balance loss", balanced), ("without", None)):
    model = learn(with_experts(), rate_for(16), SOME, also=also)
    with torch.no_grad():
        model.loss(held_out[:256])
    dropped[name] = max(100 * float(layer.dropped) for layer in layers(model))
    print(f"{name:22}: loss ⟨{loss_of(model):.3f}⟩, dropped in the worse block "
          f"⟨{dropped[name]:.0f} %⟩")
claim("dropped with the balance loss, in the worse block", dropped["with the balance loss"],
      below=20, unit="%", control={"without it": dropped["without"]})

# %% [markdown] id="experts-contest-text"
# Now the contest: four thousand steps (two million bytes) for a dense GPT that is 16 wide, and for the same with sixteen experts in each block, each half as wide as the network they stand for, so that the two which are asked cost what it did. (Both have two heads. With a single one of sixteen numbers some first weights take very long to find out how to look back, and the luck of that is larger than what is to be measured.) Whoever judges must not drop, `capacity = None`: a token may be pushed out by others of its batch, even by those that come after it, and then the model would have looked ahead.

# %% id="guess-experts" tags=["nbval-ignore-output"]
guess_experts = predict("Sixteen experts at equal operations: how many nats a byte does it save?",
                        low=-0.05, high=0.3, unit="nats")

# %% id="experts-dense"
MORE = budget(cpu=4_000, gpu=4_000, smoke=4)
dense = [loss_of(learn(gpt(16, 2, seed=seed), rate_for(16), MORE)) for seed in (0, 1)]
print(f"dense: ⟨{dense[0]:.3f}⟩, from other weights ⟨{dense[1]:.3f}⟩")

# %% id="experts"
sparse = learn(with_experts(), rate_for(16), MORE, also=balanced)
for layer in layers(sparse):
    layer.capacity = None
with_sixteen = loss_of(sparse)
used = parameters(16, 2, 64) + 2 * 16 * 16 + 2 * 16  # two routers, and a second bias each
has = sum(p.numel() for p in sparse.blocks.parameters())
few = budget(cpu=60, gpu=60, smoke=2)
longer = (device.seconds(lambda: learn(with_experts(), rate_for(16), few, also=balanced), times=2)
          / device.seconds(lambda: learn(gpt(16, 2), rate_for(16), few), times=2))
print(f"parameters: {has:,} with experts, of which a token uses {used:,}; dense "
      f"{parameters(16, 2, 64):,}")
print(f"loss ⟨{with_sixteen:.3f}⟩, the better dense one ⟨{min(dense):.3f}⟩; a step takes "
      f"⟨{longer:.1f}⟩ times as long")
claim("sixteen experts at equal operations: nats below the better dense one",
      min(dense) - with_sixteen, above=0.015, paper="Fedus et al. 2021",
      control={"the other dense one": min(dense) - max(dense)})

# %% id="fig-experts" tags=["nbval-ignore-output"]
with torch.no_grad():
    letters = text[starts[-64:, None] + offsets[:-1]].long()
    features = []
    hook = layers(sparse)[0].register_forward_pre_hook(lambda layer, seen: features.append(seen[0]))
    sparse(letters)
    hook.remove()
    chosen = route(layers(sparse)[0].router(features[0].flatten(0, 1)), 2)[1][:, 0].cpu()
shown = [ord(c) for c in " etaoinshr,.TA1"]
shares = torch.stack([torch.bincount(chosen[letters.flatten().cpu() == byte], minlength=16).float()
                      for byte in shown])
shares = shares / shares.sum(dim=1, keepdim=True).clamp(min=1)
figure, axes = plt.subplots(figsize=(6.8, 4.2))
axes.imshow(shares, cmap="viridis", aspect="auto", vmin=0, vmax=1)
axes.set_yticks(range(len(shown)), ["space" if b == 32 else chr(b) for b in shown])
axes.set_xticks(range(16))
axes.set(xlabel="expert", ylabel="the byte that is read", title="First choices in the first block")
axes.grid(visible=False)
figure.colorbar(axes.images[0], label="share of the byte's tokens")
show(figure, alt="A table of sixteen experts against fifteen bytes, bright where a byte's tokens "
     "go. Nearly every byte goes to one expert; the space is spread over several.")

# %% [markdown] id="experts-read"
# Sixteen experts are better than the better of two dense models, and by more than those two differ. (With three other draws of first weights it was 0.02 to 0.06 nats.) Look at the price, too. The model is nearly six times as large, and all of it must be in memory. A step takes longer, since tokens must be sorted and gathered, though the operations are the same: “equal operations” is not “equal seconds”. And it pays late: after a thousand steps, above, the experts were about as good as the dense model of section 2 that is 16 wide. Each expert sees an eighth of the tokens, so it has to wait for its experience.
#
# The picture shows what the router made of it. Nobody told it to, but in the first block it sorts by the byte that is read: each byte has its expert, or two. (In the first block a token knows little but itself.)
#
# **Question.** A server answers thousands of people with such a model. What is easy about it, and what is not?
#
# <details><summary>Answer</summary>
#
# Each token costs little. But every expert must be in memory and ready, on several chips perhaps, and tokens have to travel to theirs: that is an exchange at every block, of the kind that section 7 counts. With few tokens at once most of the experts wait.
# </details>

# %% [markdown] id="machines-idea"
# ## 7 · Many machines
#
# PaLM was trained on 6,144 chips. What do they have to tell each other? First on a small scale: the same training in one process, and in two that share the work. Each of the two holds the whole model, reads half of each batch, and after each step's way back they exchange their gradients and go on with the mean. If that is done right, **the loss is that of one process**. The program is twenty lines, on the course's own loop (`squint.train.ModelStep`, which stands on Accelerate); `torchrun` starts it twice.

# %% id="program"
import os
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = '''
import torch, torch.nn.functional as F
from squint import device, train
from squint.data import books
from squint.models.gpt import GPT, Config

device.threads()
text = torch.frombuffer(bytearray(books.source("bible").train[0].encode()), dtype=torch.uint8)
device.seed(0)
model = GPT(Config(256, 32, 4, 128, 2, dropout=0.0, tokens=64))

def loss(model, rows):
    return F.cross_entropy(model(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())

def epoch(number):
    starts = torch.randint(len(text) - 65, (20, 16), generator=torch.Generator().manual_seed(0))
    return list(text[starts[..., None] + torch.arange(65)].long())

step = train.ModelStep(model, loss, torch.optim.AdamW(model.parameters(), lr=0.01))
losses = train.fit(step, epoch, steps=20).losses
if step.accelerator.is_main_process:
    print(step.accelerator.num_processes, *losses)
'''


def run(processes):
    """The losses of the program's twenty steps, in so many processes on this machine's CPU."""
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
    quiet = {**os.environ, "SQUINT_DEVICE": "cpu", "SQUINT_THREADS": "1", "OMP_NUM_THREADS": "1",
             "USE_LIBUV": "0", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(PROGRAM, "utf-8")
        command = [sys.executable, *(start if processes > 1 else []), str(file)]
        done = subprocess.run(command, env=quiet, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr[-2_000:])
    count, *losses = done.stdout.split()
    return int(count), torch.tensor([float(loss) for loss in losses])


(one, alone), (two, together) = run(1), run(2)
apart = (alone - together).abs().max()
print(f"{one} process: ⟨{alone[-1]:.4f}⟩ nats a byte after 20 steps; {two} processes: "
      f"⟨{together[-1]:.4f}⟩")
claim("largest difference of the losses in twenty steps", apart, below=1e-4,
      control={"one step further on": (alone[1:] - together[:-1]).abs().max()})

# %% [markdown] id="machines-text"
# On a machine with four GPUs the same program is started by `torchrun --nproc_per_node 4 program.py`; on two such machines by that line on each, with `--nnodes 2 --rdzv_backend c10d --rdzv_endpoint host:29500` added. Nothing in the program changes.
#
# But the whole model must fit into each GPU. PaLM's 540 billion parameters do not. There are three ways to share the work, and they are combined:
#
# - **Replicas** (data parallel): $r$ copies of the model, each reads a part of the tokens. Once a step the gradients are summed over all copies. In a **ring** of $n$ chips each one sends $2\,\frac{n-1}{n}$ times what is to be summed: around once to add up, around once more to hand out the sum.
# - **Slices** (tensor parallel): each matrix is cut into $s$ slices, one a chip. Then what a block adds to the residual stream, tokens × dim numbers, must be summed over the slices; with the parallel block that is one sum forward and one back, so **two sums a block**. They go around a ring, too.
# - **Stages** (pipeline parallel): the blocks are dealt out to $p$ groups of chips. Each hands its output on to the next, and gradients come back: the stream, tokens × dim numbers, once in each direction. Where there are slices, each sends its own part of the vector.
#
# So there are $r \cdot s \cdot p$ chips. Each holds a share $1/(s \cdot p)$ of the parameters, sees the tokens of its replica, $1/r$ of all, and computes $1/p$ of the blocks. A number takes two bytes.

# %% id="exchanged" tags=["exercise"] minutes=14 difficulty=4 teaches="what chips must tell each other: data, tensor and pipeline parallel"
def exchanged(parameters, dim, blocks, tokens, replicas=1, slices=1, stages=1):
    """The bytes that a chip (of a middle stage) sends in a step, two bytes a number.

    parameters, dim, blocks: of the whole model; tokens: of the whole batch
    returns three numbers: for the replicas' gradients, the slices' sums, and between stages;
            what there is only one of costs nothing
    """
    ### BEGIN SOLUTION
    def ring(chips, numbers):
        return 2 * 2 * (chips - 1) / chips * numbers

    stream = tokens / replicas * dim
    gradients = ring(replicas, parameters / (slices * stages))
    sums = ring(slices, stream) * 2 * blocks / stages
    handed_on = 2 * 2 * stream / slices if stages > 1 else 0
    return gradients, sums, handed_on
    ### STUB
    # def ring(chips, numbers):
    #     return ...
    #
    # stream = tokens / replicas * dim
    # gradients = ring(replicas, ...)
    # sums = ...
    # handed_on = ...
    # return gradients, sums, handed_on
    ### END SOLUTION

# %% id="check-exchanged" tags=["check"]
exchanged = check("exchanged")

# %% [markdown] id="palm-text"
# PaLM, by its paper (Chowdhery et al. 2022, §4 and tables 1 and 3): 118 blocks, 18,432 wide, 540 billion parameters; a batch of 2,048 texts of 2,048 tokens; two pods of 3,072 chips, each pod a copy that is cut into 12 slices and 256 parts of the batch; no stages. It read 238,300 tokens a second. A chip can do $275 \cdot 10^{12}$ operations a second.

# %% id="pathways"
PALM = {"parameters": 540e9, "dim": 18_432, "blocks": 118, "tokens": 2_048 * 2_048}
step_seconds = PALM["tokens"] / 238_300
busy = 6 * PALM["parameters"] * 238_300 / (6_144 * 275e12)
print(f"a step takes {step_seconds:.1f} s; the chips' arithmetic is busy {100 * busy:.0f} % of it")
layouts = {
    "PaLM's: 512 replicas × 12 slices": {"replicas": 512, "slices": 12},
    "GPT's block": {"replicas": 512, "slices": 12, "blocks": 2 * 118},  # twice the sums
    "512 replicas × 12 stages": {"replicas": 512, "stages": 12},
    "64 replicas × 96 slices": {"replicas": 64, "slices": 96},
    "6,144 replicas, if it fitted": {"replicas": 6_144},
}
print(f"{'GB a chip and step':34}{'gradients':>10}{'slices':>8}{'stages':>8}{'GB a second':>13}")
for name, layout in layouts.items():
    parts = [part / 1e9 for part in exchanged(**(PALM | layout))]
    print(f"{name:34}{parts[0]:10.1f}{parts[1]:8.1f}{parts[2]:8.1f}"
          f"{sum(parts) / step_seconds:13.1f}")
between_pods = exchanged(**(PALM | {"parameters": 540e9 / 3_072, "replicas": 2}))[0] / 1e9
print(f"between the two pods each chip sends {between_pods:.2f} GB a step, "
      f"{between_pods / step_seconds:.3f} GB a second")
claim("share of the chips' arithmetic that was used, by its operations", 100 * busy,
      near=(46.2, 1), unit="%", paper="Chowdhery et al. 2022, table 3: 46.2 %",
      control={"if the way back cost nothing": 100 * busy / 3})

# %% [markdown] id="pathways-read"
# Look at the first two rows. With GPT's block, in which the network waits for attention, the slices would have to agree twice as often: 131 GB more for each chip and step. That is what the parallel block buys, on a machine where it counts; on yours it buys nothing.
#
# Why not many slices and few replicas? They talk at each block. Why not stages, which send least? While the first batch goes through, the last stage waits for work, and at the end the first one does; PaLM's authors call it a bubble and did without (§4). Why not replicas alone? No chip holds 540 billion parameters; and each would have to tell all the others everything that it learned. Slices and replicas lie inside a pod, on its fast links; between the pods goes only what must.
#
# (Counted here is what the sums need. In a pod PaLM did more: replicas kept a part of the weights each and fetched the rest when needed, which sends them once more. And of what is sent, much is sent while the chip computes.)
#
# **Question.** What does a chip of one pod tell its partner in the other, and why is it so little?
#
# <details><summary>Answer</summary>
#
# The gradients of its own share of the parameters, $540 \cdot 10^9 / 3{,}072$ of them, once a step. Within a pod they have been summed already.
# </details>

# %% [markdown] id="claims"
# ## 8 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | loss falls as a power law in size, so that the next can be foretold | straight lines over several orders of magnitude (Kaplan et al. 2020, figure 1) | one step ahead within a few percent, but so is “no better than the last”; over size and data, from below a hundred thousand parameters to a million, within three percent, where “no better” misses by up to nine. The floor is not to be had from so few points: sections 2 and 3 |
# | size and data should grow together | as cost to the power 0.5 each (Hoffmann et al. 2022, table 2) | 0.69 by three valleys, 0.65 by the law, both shaky; both size and data should grow: section 4 |
# | PaLM's block | no loss of quality at 62 billion parameters, 15 % faster (Chowdhery et al. 2022, §2) | better than GPT's at equal operations, by less at equal seconds; its parts one after the other are better still: section 5 |
# | more parameters for the same operations | Switch: the same loss up to seven times sooner (Fedus et al. 2021, abstract) | lower loss with sixteen experts, and without the balance loss most choices are dropped: section 6 |
# | many machines give what one does | assumed everywhere | two processes, the same losses to a millionth: section 7 |
#
# **What does not carry over.** Our largest model is half a million times smaller than PaLM, reads bytes, and sees 64 of them. The exponents are those of this text and this range, and no law of nature: Kaplan's and Hoffmann's own differ, since the first kept one schedule for all lengths of training (Hoffmann et al. 2022, §2). That a law held over two orders of magnitude does not say that it holds over the next two: see where the two forms part in section 3. And a loss is not an ability: what a model can *do* may stay flat for long and then jump, or seem to. That is the next lab.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In Hoffmann et al., a question asked with the budget held fixed, and a smaller model that proved the answer. In PaLM, that it was done at all, on two pods, without stages.
# - *What is not?* Power laws of learning curves (Hestness et al. 2017, and long before); mixtures of experts (Jacobs et al. 1991).
# - *When does it fail?* When one setting was tuned for some sizes and not for others; when the largest run stands inside the fit; and when the text runs out.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 9 · Going further
#
# **1. A law of a setting.** Train the model that is 64 wide with the rate that the one 8 wide had. What would the law have been taken for?
#
# <details><summary>Solution</summary>
#
# ```python
# badly = loss_of(learn(gpt(64), rate_for(8), STEPS))
# narrow = loss_of(learn(gpt(8), rate_for(48), STEPS))
# claim("64 wide with the rate of 8 wide: nats worse", badly - outcome, above=0.1,
#       control={"8 wide with the rate of 48 wide": narrow - family[8]})
# ```
#
# It is as bad as the smallest of the family. Whoever draws that into the figure finds that scale stops helping. A small model hardly minds a rate that is too low for it.
# </details>
#
# **2. How firm is the law of both?** Section 4 fitted it again without one of the five sizes. How far do its predictions for the larger runs move, and how far does $E$? What if the largest of the five is left out?
#
# <details><summary>Solution</summary>
#
# ```python
# moved = {size: float((scaling.predict(one, asked_sizes, asked_bytes) / expected - 1).abs().max())
#          for size, one in laws.items() if size}
# floors = {size: one.E for size, one in laws.items()}
# for size, share in moved.items():
#     print(f"without {size:6,}: moved by ⟨{100 * share:.1f} %⟩, E = ⟨{floors[size]:.2f}⟩")
# claim("predictions without one of the four smaller sizes move by at most",
#       100 * max(moved[size] for size in small[:-1]), below=8, unit="%",
#       control={"without the largest of the five": 100 * moved[small[-1]],
#                "and E, without one of the four":
#                100 * max(abs(floors[size] / both.E - 1) for size in small[:-1])})
# ```
#
# Near the data the terms make up for each other, and the predictions move by a few percent. The floor does not: it moves by a good part of itself. And without the largest of the five the lever is shorter by half, and the predictions move further than by any of the others. Quote what a fit said of runs that it had not seen, and not its constants.
# </details>
#
# **3. One expert.** Switch asks one expert only. Why does Fedus et al. (2021, eq. 2) not make its weight sum to one? Train both for a thousand steps.
#
# <details><summary>Solution</summary>
#
# ```python
# def switch(scores, top):
#     _, chosen, balance = route(scores, top)
#     return scores.softmax(dim=-1).gather(-1, chosen), chosen, balance
#
#
# def one_expert(rule):
#     model = with_experts(top=1)
#     for layer in layers(model):
#         layer.route = rule
#     return learn(model, rate_for(16), SOME, also=balanced)
#
#
# def pull(model):
#     """How strongly the loss, without the balance, wants to change the router."""
#     model.zero_grad()
#     model.loss(held_out[:64]).backward()
#     return float(layers(model)[0].router.weight.grad.norm())
#
#
# claim("one expert by Switch's rule: the loss pulls at the router by", pull(one_expert(switch)),
#       above=1e-6, control={"with weights that sum to one": pull(one_expert(route))})
# ```
#
# A single weight that sums to one is 1, whatever the scores were: nothing tells the router that it chose badly. With its probability as the weight, an expert that helps is made likelier.
# </details>
#
# **Reading.** Kaplan et al. (2020), “Scaling Laws for Neural Language Models”. Hoffmann et al. (2022), “Training Compute-Optimal Large Language Models”. Chowdhery et al. (2022), “PaLM: Scaling Language Modeling with Pathways”. Shazeer et al. (2017), “Outrageously Large Neural Networks”. Fedus, Zoph and Shazeer (2021), “Switch Transformers”. Barham et al. (2022), “Pathways: Asynchronous Distributed Dataflow for ML”.
#
# Next comes [lab 06b, Chains of thought](06b_chains.ipynb).

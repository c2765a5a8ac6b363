# ---
# squint:
#   lab: "02"
#   title: Attention
#   minutes: 130
#   promise: Replace a word's vector by a better one, which knows what company the word is in.
#   prerequisites: ["01_embeddings"]
#   objectives:
#     - write scaled dot-product attention and say what each of its four steps is for
#     - make the masks that hide filling and the future, and prove that nothing leaks
#     - set a query matrix by hand, so that “it” finds the animal it stands for, and say what the other three matrices are for
#     - split, attend and join several heads, and tell them where each word stands
#     - look into the heads of a language model, and test against a parser what they seem to know
#     - say what attention costs as a text grows, and what it buys
#   claim: One weighted average, its weights computed from the words, lets every word reach every other in one step for a cost of n²; and untaught heads come to point along the lines of grammar.
#   source: Vaswani et al. 2017, “Attention Is All You Need”, §3–4; Clark et al. 2019, “What Does BERT Look At?”, §4
# ---

# %% [markdown] id="title"
# # Attention
#
# *Replace a word's vector by a better one, which knows what company the word is in.*
#
# 130 minutes · after [lab 01, Embeddings](01_embeddings.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write scaled dot-product attention and say what each of its four steps is for;
# - make the masks that hide filling and the future, and prove that nothing leaks;
# - set a query matrix by hand, so that “it” finds the animal it stands for, and say what the other three matrices are for;
# - split, attend and join several heads, and tell them where each word stands;
# - look into the heads of a real language model, and test against a parser what they seem to know;
# - say what attention costs as a text grows, and what it buys.
#
# **The claim under test.** One operation, a weighted average whose weights come from the words themselves, lets every word reach every other in one step, at a price that grows with the square of the length (Vaswani et al. 2017, “Attention Is All You Need”, §4); and heads that nobody taught grammar come to point along its lines (Clark et al. 2019, “What Does BERT Look At?”, §4).

#
# **Two things about the words below.** A number between ⟨ and ⟩ was measured on the machine at hand; yours may differ a little. And we use plain words where the field has its own. Here they are once, side by side, so that you can read the papers:
#
# | here | in the field |
# |---|---|
# | a word looks at another | it *attends to* it |
# | its share | its *attention weight* |
# | place | *position* |
# | filling | *padding* |
# | hidden, may not be seen | *masked* |
# | a mark such as `[CLS]` | a *special token* |

# %% id="setup" tags=["setup"]
lab = begin("02_attention")

# %% id="imports"
from math import exp, sqrt

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange
from matplotlib.colors import Normalize, PowerNorm
from matplotlib.ticker import LogLocator
from torch import nn

from squint.data import hand_made
from squint.device import seconds
from squint.viz import bertviz, colours
from squint.viz.style import draw_guess

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on the labs before. Answer aloud, then unfold.
#
# **1.** In lab 00 you shrank emoji until a classifier failed. Why did the accuracy hold for a while, and then fall?
#
# <details><summary>Answer</summary>
#
# Averaging neighbouring pixels first throws away what tells two pictures of the *same* thing apart, and only later what tells two *things* apart. A good abstraction stops in between.
# </details>
#
# **2.** In lab 01, what does a one-hot vector times a matrix compute, and why does nobody compute it that way?
#
# <details><summary>Answer</summary>
#
# It picks out one row: the word's vector. All other products are with zero, so a lookup does the same with none of the work.
# </details>
#
# **3.** Two word vectors have a large dot product. What can you conclude that a cosine would not tell you, and what not?
#
# <details><summary>Answer</summary>
#
# The dot product is the cosine times both lengths. It may be large because the directions agree, or only because the vectors are long. Today's scores are dot products: length counts as emphasis.
# </details>

# %% [markdown] id="company"
# ## 1 · A word and its company
#
# In lab 01 a word had one vector, wherever it stood. But *bank* in “the bank of the river” and *bank* in “the bank raised its rates” need different ones, and *it* means nothing at all until one knows what it stands for.
#
# So let us make better vectors: each word's new vector shall be a mixture of the vectors in its sentence. For this lab there is a small language whose vectors can be read aloud. Every word has seven entries, which say what kind of word it is.

# %% id="words"
text = "the animal did not cross the street because it was too tired"
words = text.split()
vectors = hand_made.vectors(words)


def read_aloud(word, vector, digits=1):
    """A word, and each entry of its vector below the name of the feature."""
    entries = zip(vector.tolist(), hand_made.FEATURES)
    print(f"{word:>8} " + "  ".join(f"{x:>{len(name)}.{digits}f}" for x, name in entries))


print(" " * 9 + "  ".join(hand_made.FEATURES))
for word, vector in zip(words, vectors):
    read_aloud(word, vector)

# %% [markdown] id="averaging"
# The bluntest mixture is the plain average. Every word gets an equal share of every other:

# %% id="average"
equal = torch.full((len(words), len(words)), 1 / len(words))
averaged = equal @ vectors

for word in ("animal", "it"):
    read_aloud(word, averaged[words.index(word)], digits=2)
all_alike = torch.allclose(averaged, averaged[:1].expand_as(averaged))
print("all words have the same new vector:", all_alike)

# %% [markdown] id="weights-idea"
# That squints too hard: the sentence has become one grey blur, and *it* is no wiser than *the*.
#
# The cure is to let each word choose. The word that is looking is the **query**, the words that it looks at are the **keys**. How well a query $q$ and a key $k$ match is their dot product $q \cdot k$: large when both have large entries in the same places. We then turn the query's scores into shares that are positive and sum to one:
#
# $$\text{weight}_{ij} = \frac{e^{\,q_i \cdot k_j}}{\sum_{j'} e^{\,q_i \cdot k_{j'}}}$$
#
# The exponential makes every score positive and turns *differences* between scores into *ratios* between shares; the sum below makes the shares of one query add up to one. This is the softmax.
#
# **One query, by hand.** Let *animal* look at three words only: at itself, at *street* and at *tired*. Take a pencil: its vector has a 1 at *thing* and a 1 at *alive*. What are its three scores? Which share is the largest, and about how large is it? Then run the cell.

# %% id="by-hand"
one_query = hand_made.vectors(["animal"])[0]
three_words = ["animal", "street", "tired"]
three_keys = hand_made.vectors(three_words)

scores = [sum(q * k for q, k in zip(one_query.tolist(), key.tolist())) for key in three_keys]
positive = [exp(score) for score in scores]
three_shares = [each / sum(positive) for each in positive]
mixed = sum(share * key for share, key in zip(three_shares, three_keys))

print("          score  e^score  share")
for word, *numbers in zip(three_words, scores, positive, three_shares):
    print(f"{word:>8} " + "  ".join(f"{number:6.2f}" for number in numbers))
print(f"the shares add up to {sum(three_shares):.2f}, and the new vector is")
print(" " * 9 + "  ".join(hand_made.FEATURES))
read_aloud("animal", mixed, digits=2)

# %% [markdown] id="by-hand-read"
# Three scores, three shares, one mixed vector: that is all of attention for one query. *Animal* keeps most of itself, and has taken in a little *place* from the street and a little *quality* from *tired*. Note what the exponential does: a score that is larger by 1 gets *e* times the share.
#
# Now for all queries at once. All queries are the rows of a matrix, all keys the rows of another, so all scores at once are one matrix product: `query @ key.mT`, where `.mT` swaps the last two axes. Row $i$, column $j$ says how much query $i$ cares for key $j$. (`scores.softmax(dim=-1)` is the formula above along the last axis, computed so that it survives large scores, where `exp` overflows.)

# %% id="attention_weights" tags=["exercise"] minutes=6 difficulty=1 teaches="scores as dot products, softmax over the keys"
def attention_weights(query, key):
    """How each query shares out its attention among the keys.

    query: [..., queries, dim], key: [..., keys, dim]
    returns [..., queries, keys], where every row sums to one
    """
    ### BEGIN SOLUTION
    scores = query @ key.mT
    return scores.softmax(dim=-1)
    ### END SOLUTION

# %% id="check-attention_weights" tags=["check"]
attention_weights = check("attention_weights")

# %% [markdown] id="weights-look"
# Here is the sentence looking at itself. Each row is a word that looks, each column a word that is looked at.

# %% id="fig-weights" tags=["nbval-ignore-output"]
def draw_weights(axes, weights, words, title, shade):
    """Weights as a square, the darker the more: a row for each word that looks."""
    image = axes.imshow(weights, norm=shade, cmap="Blues")
    axes.set(title=title, xlabel="key: is looked at")
    axes.set_xticks(range(len(words)), words, rotation=60, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(words)), words)
    axes.grid(False)
    return image


figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
shade = Normalize(0, 0.4)
draw_weights(left, equal, words, "the plain average", shade)
shares = attention_weights(vectors, vectors)
image = draw_weights(right, shares, words, "softmax of dot products", shade)
left.set_ylabel("query: looks")
figure.colorbar(image, ax=[left, right], label="share of the attention", shrink=0.8)
show(figure, alt="Two squares of twelve by twelve words. Left, all shares are equal. Right, each "
     "word prefers words of its kind: animal and street look at each other, and so do the small "
     "words the, not and because.")

# %% [markdown] id="weights-question"
# Words now look at words of their own kind: *animal* at itself and a little at *street*, *the* at *not* and *because*. It is a start, and two things are wrong with it. The shares are still rather even. And *it* looks at *it*: a word that asks for what it is already will never learn what it stands for. Sections 2 to 4 put both right.
#
# **Question.** Why the exponential? Would it not be simpler to divide each score by the sum of the scores?
#
# <details><summary>Answer</summary>
#
# Dot products can be negative, so “shares” could be negative too, and the sum could be zero or close to it, which blows everything up. Try it: the check above knows that mistake by name. A softmax also forgets whatever all scores have in common, so only how a key compares with the others counts.
# </details>

# %% [markdown] id="scale-idea"
# ## 2 · Why the root of d
#
# Real vectors are not seven wide but 64 or 512. What does that do to the weights? Take vectors of $d$ random entries with mean 0 and variance 1. A dot product adds up $d$ products, each again with mean 0 and variance 1, and variances of independent things add:
#
# $$\operatorname{Var}(q \cdot k) = \sum_{i=1}^{d} \operatorname{Var}(q_i k_i) = d$$
#
# So a typical score is not around 1 but around $\sqrt{d}$. Before you look: a query meets 16 random keys, all vectors have 512 entries, nobody scales anything. The average key gets 6 %. How much does the *favourite* key get?

# %% id="guess-sharpness" tags=["nbval-ignore-output"]
question = "The largest of 16 weights, on average, at d = 512"
guess_sharpness = predict(question, low=0, high=100, unit="%")

# %% id="sharpness"
widths = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
random = torch.Generator().manual_seed(0)
variance, largest, movable = ({"q·k": [], "q·k / √d": []} for _ in range(3))
for dim in widths:
    queries = torch.randn(1000, 1, dim, generator=random)
    keys = torch.randn(1000, 16, dim, generator=random)
    for name, scale in (("q·k", 1.0), ("q·k / √d", sqrt(dim))):
        variance[name].append((queries @ keys.mT / scale).var().item())
        weights = attention_weights(queries / scale, keys)
        largest[name].append(100 * weights.amax(dim=-1).mean().item())
        movable[name].append((1 - weights.square().sum(dim=-1)).mean().item())


def exponent(x, y):
    """The slope of a straight line through log y against log x: the p in y ∝ xᵖ."""
    x, y = torch.tensor(x).double().log(), torch.tensor(y).double().log()
    return ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()


plain, scaled = variance["q·k"], variance["q·k / √d"]
at_512 = widths.index(512)
claim("the variance of a dot product grows as d to the power", exponent(widths, plain),
      near=(1, 0.05), paper="Vaswani et al. 2017, §3.2.1, footnote 4",
      control={"divided by √d": exponent(widths, scaled)})
claim("at d = 512 the variance of a scaled score is", scaled[at_512], near=(1, 0.1),
      control={"not scaled": plain[at_512]})

# %% id="fig-sharpness" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3))
axes[0].loglog(widths, widths, color=colours.GREY, linewidth=3, alpha=0.5, label="d")
axes[0].set(title="variance of a score", xlabel="width d", ylabel="variance")
for name, colour in (("q·k", colours.VERMILION), ("q·k / √d", colours.BLUE)):
    axes[0].loglog(widths, variance[name], "o-", color=colour, label=name)
    axes[1].semilogx(widths, largest[name], "o-", color=colour, label=name)
    axes[2].semilogx(widths, movable[name], "o-", color=colour, label=name)
axes[1].set(title="largest of 16 weights", xlabel="width d", ylabel="mean share, %", ylim=(0, 105))
for panel in axes[:2]:
    panel.legend()
draw_guess(axes[1], guess_sharpness)
axes[2].set(title="what a gradient can still move", xlabel="width d", ylabel="1 − Σ weight²")
axes[2].set_ylim(0, 1)
show(figure, alt="Three plots against the width d, from 1 to 1024, each without and with the "
     "scale. Without it the variance of a score climbs along the line d, the largest of sixteen "
     "weights from a fifth to nearly all of the attention, and what a gradient can still move "
     "falls towards zero. With it the variance stays at one, the largest weight at a quarter or "
     "less, and what a gradient can move near its height.")

# %% [markdown] id="scale-question"
# Behind the semicolon each claim names its **control**, as in lab 00: the same measurement where the claim must fail. If it held there as well, it would say nothing. Most claims from here on have one.
#
# Without the scale, wide vectors make up their mind by accident: one random key takes nearly everything. The right-hand panel is the deeper trouble. A softmax passes a gradient of $w(1-w)$ to each score, and summed over the keys that is $1 - \sum w^2$: once one weight is close to 1, nothing is left to learn from. Dividing every score by $\sqrt d$ brings their variance back to one, at every width.
#
# **Question.** After training, queries and keys are no longer random. Why keep the scale?
#
# <details><summary>Answer</summary>
#
# A trained network can make scores as large as it likes, by making queries and keys longer. The scale only decides where it *starts*: with soft weights that let gradients through, at any width, so that one need not retune when $d$ changes.
# </details>

# %% [markdown] id="mask-idea"
# ## 3 · What may be seen
#
# One more thing before we write the real one. Not every word should be visible. When sentences of different lengths share a batch, the short ones are filled up, and nobody should look at the filling. And a model that learns to predict the next word must not be shown it.
#
# A **mask** says what may be seen: `True` means *may be seen*, and a query's row has one entry for each key. A hidden key should get a weight of exactly zero, and the visible ones should still share out the whole. Both happen by themselves if the hidden *scores* are set to $-\infty$ before the softmax, since $e^{-\infty} = 0$.
#
# What the keys offer once they are chosen is a third set of vectors, the **values**. The new vector of a query is the sum of the values, each times its weight. With everything in place (Vaswani et al. 2017, eq. 1):
#
# $$\operatorname{attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$
#
# Four steps: *score* by dot products, *scale* by $\sqrt d$, *share out* by the softmax (after hiding what may not be seen), *average* the values.
#
# `scores.masked_fill(places, x)` writes `x` wherever `places` is `True`, `~mask` swaps True and False, and `float("-inf")` is $-\infty$.

# %% id="scaled_dot_product" tags=["exercise"] minutes=10 difficulty=2 teaches="scores, scale, mask before softmax, weighted sum of values"
def scaled_dot_product(query, key, value, mask=None):
    """Each query's weighted average of the values.

    query: [..., queries, dim], key: [..., keys, dim], value: [..., keys, out]
    mask: None, or True and False in a shape that broadcasts to [..., queries, keys]; True may be
          seen. Every query may see at least one key. (Ask `if mask is not None:` if there is one.)
    returns [..., queries, out]; gradients must flow back through it, so stay in torch. All may be
          in 64 bits (section 7 hands it such); what comes back is so, too
    """
    ### BEGIN SOLUTION
    scores = query @ key.mT / sqrt(query.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    return scores.softmax(dim=-1) @ value
    ### END SOLUTION

# %% id="check-scaled_dot_product" tags=["check"]
scaled_dot_product = check("scaled_dot_product")

# %% [markdown] id="parity-text"
# Those four steps are the heart of every model in the rest of this course. PyTorch has them built in; the two must agree.

# %% id="parity"
random = torch.Generator().manual_seed(1)
query, key, value = (torch.randn(8, 4, 50, 32, generator=random) for _ in range(3))
mask = torch.rand(50, 50, generator=random) < 0.5
mask |= torch.eye(50, dtype=torch.bool)

theirs = F.scaled_dot_product_attention(query, key, value, mask)
off_by = (scaled_dot_product(query, key, value, mask) - theirs).abs().max()
off_unmasked = (scaled_dot_product(query, key, value) - theirs).abs().max()
claim("your attention is PyTorch's: largest difference", off_by, at_most=1e-5,
      control={"without the mask": off_unmasked})

# %% [markdown] id="padding-text"
# Now the masks themselves. The first is for **filling**. Three sentences of 5, 2 and 4 words make a batch of 3 × 5 places; in the second sentence, places 2, 3 and 4 hold nothing. What may be seen depends on the key alone and not on who is looking, so the mask has the shape `[batch, 1, tokens]`: the axis of size one stretches over all queries. (`torch.arange(n, device=x.device)` counts 0, 1, … n − 1, and does so where `x` lives, on the processor or on a GPU: tensors on different devices do not mix. `x[:, None]` puts an axis of size one behind the first (`x[:, None, None]` puts two), so that a comparison pairs everything with everything.)

# %% id="padding_mask" tags=["exercise"] minutes=5 difficulty=2 teaches="boolean masks, broadcasting"
def padding_mask(lengths, tokens):
    """Which keys are words and which are filling.

    lengths: [batch], how many words each sentence has
    tokens: how many places each was filled up to
    returns [batch, 1, tokens], True for the first `lengths` places of each sentence
    """
    ### BEGIN SOLUTION
    place = torch.arange(tokens, device=lengths.device)
    return (place < lengths[:, None])[:, None, :]
    ### END SOLUTION

# %% id="check-padding_mask" tags=["check"]
padding_mask = check("padding_mask")

# %% [markdown] id="causal-text"
# The second hides the **future**: the word at place $i$ may see the places $0 \ldots i$, itself among them. Draw the square for three words on paper first; rows are queries, columns are keys.

# %% id="causal_mask" tags=["exercise"] minutes=5 difficulty=2 teaches="causality as a triangle"
def causal_mask(tokens):
    """Each word may see itself and the words before it.

    returns [tokens, tokens], True where the query (row) may see the key (column)
    """
    ### BEGIN SOLUTION
    place = torch.arange(tokens)
    return place[None, :] <= place[:, None]
    ### END SOLUTION

# %% id="check-causal_mask" tags=["check"]
causal_mask = check("causal_mask")

# %% id="fig-masks" tags=["nbval-ignore-output"]
padding, causal = padding_mask(torch.tensor([8]), 12)[0].expand(12, 12), causal_mask(12)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
squares = {"filling hidden": padding, "future hidden": causal, "both: &": padding & causal}
for panel, (title, square) in zip(axes, squares.items()):
    panel.imshow(square, vmin=0, vmax=1.4, cmap="Blues")
    panel.set(title=title, xlabel="key", xticks=range(0, 12, 2), yticks=range(0, 12, 2))
    panel.grid(False)
axes[0].set_ylabel("query")
show(figure, alt="Three squares of queries by keys, blue where a key may be seen. The padding "
     "mask is blue in its first eight columns, the causal mask in its lower triangle, and both "
     "together where the two overlap.")

# %% [markdown] id="causal-claim-text"
# Two masks combine with `&`: visible is what both allow. Does the causal one hold? Replace the last four words of a text by others, and compare what comes out for the first six.

# %% id="causality"
random = torch.Generator().manual_seed(2)
before = torch.randn(10, 16, generator=random)
after = before.clone()
after[6:] = torch.randn(4, 16, generator=random)


def largest_change(visible=None):
    """How far the outputs of the first six words move at most, and how far those of the others."""
    new = scaled_dot_product(after, after, after, visible)
    moved = (new - scaled_dot_product(before, before, before, visible)).abs()
    return moved[:6].max().item(), moved[6:].max().item()


early, late = largest_change(causal_mask(10))
early_unmasked = largest_change()[0]
claim("the future changes nothing: largest change of the first six outputs", early, at_most=1e-6,
      paper="Vaswani et al. 2017, §3.2.3", control={"without the mask": early_unmasked})
claim("and the words that changed do change", late, above=0.1, control={"the first six": early})

# %% [markdown] id="masked-row-question"
# **Question.** What would your function return for a query that may see nothing at all? Work it out before you try.
#
# <details><summary>Answer</summary>
#
# All its scores are −∞, the softmax divides zero by zero, and the row is NaN (not a number). Worse, NaN is catching: in the backward pass, in which gradients are worked out, it would reach every parameter. Such rows do occur: a sentence of length 0, say, or a mask that hides the rows of the filling, too. The course's own version in `squint.nn.attention` gives them weights of zero, so that they return zero and pass on a gradient of zero; its docstring says so, and a test holds it to that.
# </details>

# %% [markdown] id="wq-idea"
# ## 4 · Ask for what you need
#
# Back to *it*, which looks at itself first, and at all others alike. A word should be able to *ask* for something else than it *is*. So the query is not the word's vector $x$ but $x W_Q$, and the key is $x W_K$: two matrices that a network learns. What could be in them?
#
# A helpful picture, due to Lennart Svensson's lectures: let $W_K$ be the identity, so that each word offers itself as it is. Then $W_Q$ alone decides: it turns each word into a description of *what to look for*. A query is `x @ w_query`, so row $f$ of the matrix says what a word with feature $f$ asks for. The identity would be: “everyone asks for more of the same”.
#
# The sentence is a well-known one (Uszkoreit 2017). *It* has a single feature, **stands in**. Play with what that row asks for, until *it* finds the animal. (The trick in `look`: with the identity as values, what comes out is the weights.)

# %% id="ask" tags=["nbval-ignore-output"]
import ipywidgets as widgets
from IPython.display import HTML, display

THING, ALIVE, PLACE, STANDS_IN, DOING, QUALITY, GLUE = map(
    hand_made.FEATURES.index, ("thing", "alive", "place", "stands in", "doing", "quality", "glue")
)


def look(query, key):
    """The weights of scaled dot-product attention: [queries, keys]."""
    return scaled_dot_product(query, key, torch.eye(len(key)))


def it_asks(**asks):
    """A query matrix: the identity, but for what “stands in” asks for."""
    w_query = torch.eye(7)
    for feature, loudness in asks.items():
        w_query[STANDS_IN, hand_made.FEATURES.index(feature)] = loudness
    return w_query


def bars(thing, alive, place):
    asks = it_asks(thing=thing, alive=alive, place=place)
    shares = look(vectors @ asks, vectors)[words.index("it")].tolist()
    bar = f"display:inline-block;height:.9em;background:{colours.BLUE}"
    lines = (
        f'<tr><td style="text-align:right;padding:0 .6em">{word}</td>'
        f'<td style="text-align:left;width:24em">'
        f'<span style="{bar};width:{20 * share:.2f}em"></span> {share:.0%}</td></tr>'
        for word, share in zip(words, shares)
    )
    display(HTML(f"<table>{''.join(lines)}</table>"))


whole = {"value": 0, "min": -15, "max": 15, "step": 1, "style": {"description_width": "7em"}}
sliders = {
    name: widgets.FloatSlider(description=f"ask for {name}", **whole)
    for name in ("thing", "alive", "place")
}
display(widgets.interactive(bars, **sliders))

# %% id="fig-ask" tags=["nbval-ignore-output"]
def draw_it(settings):
    """How “it” shares out its attention, a panel for each query matrix."""
    figure, axes = plt.subplots(1, len(settings), figsize=(9, 3.4), sharey=True)
    for panel, (title, w) in zip(axes, settings.items()):
        panel.barh(range(12), look(vectors @ w, vectors)[words.index("it")], color=colours.BLUE)
        panel.set(title=title, xlim=(0, 1), xlabel="share of “it”'s attention")
        panel.set_yticks(range(12), words)
    axes[0].invert_yaxis()
    return figure


figure = draw_it({
    "ask for nothing else": it_asks(),
    "ask for a thing: 10": it_asks(thing=10),
    "ask for a place: 10": it_asks(place=10),
})
show(figure, alt="How “it” shares out its attention for three settings of its row. Asking for "
     "nothing else, it spreads over all words. Asking for a thing, it divides between animal and "
     "street. Asking for a place, most goes to street.")

# %% [markdown] id="wq-text"
# Asking for a thing alone cannot decide between *animal* and *street*. Now write the matrix. It must do two things, on this sentence and on another with the same features that you do not see:
#
# - *it* gives at least 80 % of its attention to the animal;
# - all *other* words look where they looked with the identity (no weight moves by more than 0.05).
#
# Many matrices do. The check looks at what yours does and not at its entries.

# %% id="w_query" tags=["exercise"] minutes=10 difficulty=3 teaches="W_K as the identity, W_Q as what to look for"
# A matrix of 7 × 7: row f says what a word with feature f asks for. Start from torch.eye(7); the
# features have names: w_query[STANDS_IN, THING] is how much a word that stands in for another asks
# for a thing.
### BEGIN SOLUTION
w_query = torch.eye(7)
w_query[STANDS_IN, THING] = 10
w_query[STANDS_IN, ALIVE] = 10
### STUB
# w_query = ...
### END SOLUTION

# %% id="check-w_query" tags=["check"]
w_query = check("w_query")

# %% id="fig-wq" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True)
by_root = PowerNorm(0.5, 0, 1)  # so that small weights can be seen beside large ones
draw_weights(left, look(vectors, vectors), words, "everyone asks for the same", by_root)
image = draw_weights(right, look(vectors @ w_query, vectors), words, "with your W_Q", by_root)
left.set_ylabel("query: looks")
bar = figure.colorbar(image, ax=[left, right], label="share of the attention", shrink=0.8)
bar.set_ticks([0, 0.05, 0.2, 0.5, 1])
show(figure, alt="Two squares of twelve by twelve words. They differ in one row: with the "
     "identity “it” spreads its attention, with the hand-made matrix nearly all of it goes to "
     "“animal”.")

# %% id="meaning"
new = scaled_dot_product(vectors @ w_query, vectors, vectors)[words.index("it")]
features = [name for name, entry in zip(hand_made.FEATURES, new) if entry > 0.5]
print("“it” was: stands in. It has become:", " and ".join(features))

# %% [markdown] id="wq-question"
# One row, and *it* has turned into something alive. In a network nobody writes that row: it is whatever made the loss smaller.
#
# **Question.** Change *tired* to *wide*, and *it* should mean the street. No $W_Q$ can get both sentences right in one step. Why, and what would help?
#
# <details><summary>Answer</summary>
#
# The query of *it* is made from the vector of *it* alone, which is the same in both sentences. It does not know yet how the sentence ends. A second layer would help: in the first, *it* collects the adjective; in the second, the enriched *it* can ask for something alive or for a place. The first exercise under “Going further” builds it.
# </details>

# %% [markdown] id="heads-idea"
# ## 5 · Several questions at once
#
# An average has one answer. If *it* wants to know both what it stands for and what is said about it, a single softmax must divide itself, and the two answers arrive mixed together. The remedy is to ask several questions side by side: **heads**. Each head has its own projections into a smaller space, attends there, and the results are laid side by side again (Vaswani et al. 2017, §3.2.2).
#
# In code, all heads share one projection of the full width, which is then *cut*: with a width of 8 and two heads, the first head works on entries 0–3 and the second on 4–7. The axis of the heads then moves in front of the words, `[batch, heads, tokens, part]`, and your `scaled_dot_product` treats it like any other leading axis.
#
# Einops writes such moves so that one can read them. On the left, the axes as they are; on the right, as they shall be. A bracket on the left cuts an axis (the outer part first), and a bracket on the right melts two into one:
#
# ```python
# rearrange(picture, "(halves height) width -> halves height width", halves=2)  # the upper half, then the lower
# rearrange(book, "page line letter -> line (page letter)")                     # all pages side by side
# ```

# %% id="split_heads" tags=["exercise"] minutes=4 difficulty=2 teaches="which axis is cut, which one moves"
def split_heads(x, heads):
    """Cut each vector into consecutive parts, one a head, and move the heads in front of the words.

    x: [batch, tokens, dim]
    returns [batch, heads, tokens, dim / heads]; gradients must flow back, so stay in torch
    """
    ### BEGIN SOLUTION
    return rearrange(x, "batch tokens (heads part) -> batch heads tokens part", heads=heads)
    ### END SOLUTION

# %% id="check-split_heads" tags=["check"]
split_heads = check("split_heads")

# %% id="join_heads" tags=["exercise"] minutes=3 difficulty=1 teaches="the way back"
def join_heads(x):
    """Lay the heads' vectors side by side again: undoes split_heads.

    x: [batch, heads, tokens, part]
    returns [batch, tokens, heads * part]; gradients must flow back through it, so stay in torch
    """
    ### BEGIN SOLUTION
    return rearrange(x, "batch heads tokens part -> batch tokens (heads part)")
    ### END SOLUTION

# %% id="check-join_heads" tags=["check"]
join_heads = check("join_heads")

# %% [markdown] id="matrices-idea"
# **Four matrices.** Section 4 gave the query and the key a matrix each, $W_Q$ and $W_K$: they decide what is *matched*. Two more decide what is *handed over*. What makes a word easy to find need not be what it has to tell: *it* may find *animal* by its being alive, and then want to know whether there was one or many. So what a word tells is made by a matrix of its own, $W_V$, the value. And $W_O$, the output matrix, says where in the new vector a head writes what it found: it brings the thin vectors of all heads back to the full width, and mixes them.
#
# How much of this is there to learn? A score is
#
# $$ (x_i W_Q)\,(x_j W_K)^\top \;=\; x_i \, \big(W_Q W_K^\top\big) \, x_j^\top $$
#
# so the two matrices count **only through their product** $W_Q W_K^\top$. That is why section 4 could set $W_K$ to the identity and lose nothing. In the same way a head's $W_V$ and $W_O$ count only through $W_V W_O$. Two thin matrices, 16 × 4 say, are a cheap way of writing a 16 × 16 one that compares by four features only. To see it, take any four matrices, turn $W_Q$ and $W_V$ by some matrix, and undo the turn in $W_K$ and $W_O$: all four are others now, and the head computes what it did.

# %% id="only-products"
random = torch.Generator().manual_seed(5)
options = {"generator": random, "dtype": torch.float64}  # rounding must not blur the comparison
ten_words, turn = torch.randn(10, 16, **options), torch.randn(4, 4, **options)
w_q, w_k, w_v = torch.randn(3, 16, 4, **options)
w_o = torch.randn(4, 16, **options)


def one_head(w_q, w_k, w_v, w_o):
    return scaled_dot_product(ten_words @ w_q, ten_words @ w_k, ten_words @ w_v) @ w_o


before_turn = one_head(w_q, w_k, w_v, w_o)
turned = one_head(w_q @ turn, w_k @ turn.inverse().mT, w_v @ turn, turn.inverse() @ w_o)
not_undone = one_head(w_q @ turn, w_k, w_v, w_o)
claim("four other matrices with the same two products make the same head: largest difference",
      (turned - before_turn).abs().max(), at_most=1e-6,
      control={"only W_Q turned": (not_undone - before_turn).abs().max()})

# %% [markdown] id="module-text"
# Now the whole of it, as a module. The four matrices are four linear layers, each an `nn.Linear(dim, dim)` with its bias: they make the queries, the keys and the values, and the last one mixes what the heads found. (Other layouts of the same numbers are as good: one layer for several of the projections, a list of small heads, raw matrices.) Queries come from `x`. Keys and values come from `context`: that is `x` itself in **self-attention**, and another sequence in **cross-attention**, which a translator needs to look at the sentence it translates.

# %% id="MultiHeadAttention" tags=["exercise"] minutes=12 difficulty=3 teaches="project, split, attend, join; self- and cross-attention"
class MultiHeadAttention(nn.Module):
    """Several attentions side by side."""

    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        ### BEGIN SOLUTION
        self.to_query = nn.Linear(dim, dim)
        self.to_key = nn.Linear(dim, dim)
        self.to_value = nn.Linear(dim, dim)
        self.to_output = nn.Linear(dim, dim)
        ### END SOLUTION

    def forward(self, x, context=None, mask=None):
        """x: [batch, queries, dim], context: [batch, keys, dim]

        mask: broadcasts to [batch, queries, keys]
        returns [batch, queries, dim], the same in training and evaluation; gradients must flow back
        """
        context = x if context is None else context
        mask = None if mask is None else mask[..., None, :, :]  # the same for every head
        ### BEGIN SOLUTION
        query = split_heads(self.to_query(x), self.heads)
        key = split_heads(self.to_key(context), self.heads)
        value = split_heads(self.to_value(context), self.heads)
        return self.to_output(join_heads(scaled_dot_product(query, key, value, mask)))
        ### END SOLUTION

# %% id="check-MultiHeadAttention" tags=["check"]
MultiHeadAttention = check("MultiHeadAttention")

# %% [markdown] id="two-heads-text"
# What do two heads buy? Give *it* two hand-made questions: the first head asks for a living thing, as before, and the second for a quality.

# %% id="fig-two-heads" tags=["nbval-ignore-output"]
figure = draw_it({
    "head 1: a thing, alive": it_asks(thing=10, alive=10),
    "head 2: a quality": it_asks(quality=15),
    "both in one head": it_asks(thing=10, alive=10, quality=13),
})
show(figure, alt="How “it” shares out its attention. The first head looks at animal, the second "
     "at tired. When one head asks both questions at once, each of the two gets half.")

# %% id="heads-table"
def count(module):
    return sum(p.numel() for p in module.parameters())


print("heads  width of a head  parameters, of those of one head")
for heads in (1, 2, 4, 8):
    of_one = count(MultiHeadAttention(32, heads)) / count(MultiHeadAttention(32, 1))
    print(f"{heads:>5}  {32 // heads:>15}  {of_one:>31.0%}")

# %% [markdown] id="heads-question"
# More heads do not mean more parameters, nor more multiplications: the same width is cut into more and thinner slices.
#
# **Question.** Then why not as many heads as possible?
#
# <details><summary>Answer</summary>
#
# A head of width 1 can only compare one number with one number; its scores have rank one, so all its queries rank the keys in one order or the reverse. Each head needs enough entries to ask something worth asking. Vaswani et al. (2017, table 3, rows A) found both a single head and too many heads worse than eight or sixteen.
# </details>

# %% [markdown] id="order-idea"
# ## 6 · Who stands where
#
# “Dog bites man” and “man bites dog” have the same words. Does attention know the difference? Think about the formula, and commit yourself: you shuffle the words of a sentence and run your module again, without a mask.

# %% id="guess-order" tags=["nbval-ignore-output"]
guess_order = predict(
    "After the shuffle, each word's new vector …",
    choices=["is what it was, at the word's new place", "depends on the words now beside it",
             "is different everywhere"],
)

# %% id="equivariance"
torch.manual_seed(3)
module, sentence, order = MultiHeadAttention(32, 4), torch.randn(1, 12, 32), torch.randperm(12)


def after_shuffle(vectors, shuffled, visible=None):
    """How far a word's new vector moves at most if the words are shuffled."""
    there = module(shuffled, mask=visible)
    return (module(vectors, mask=visible)[:, order] - there).abs().max().item()


print("your guess:", guess_order.value or "none")
print("what happens: is what it was, at the word's new place")
without_places = after_shuffle(sentence, sentence[:, order])
only_backwards = after_shuffle(sentence, sentence[:, order], causal_mask(12))
claim("attention without positions is permutation-equivariant: largest difference", without_places,
      at_most=1e-5, control={"with the causal mask": only_backwards})

# %% [markdown] id="positions-text"
# Attention sees a *set*: shuffle what goes in, and what comes out is shuffled alike (**permutation-equivariant**). Nothing in it counts places, so a sentence and its words in any other order are the same to it. (The lab on graph networks will make a virtue of that. The control shows a back door: the causal mask itself knows who stands before whom.)
#
# The order must come in with the vectors. Vaswani et al. (2017, §3.5) add to each word a vector that says where it stands. Place $p$ is written on $\text{dim}/2$ clock hands which turn at different speeds, and of each hand we note its sine and its cosine:
#
# $$\text{table}_{p,\,2i} = \sin\!\left(\frac{p}{10000^{2i/\text{dim}}}\right) \qquad \text{table}_{p,\,2i+1} = \cos\!\left(\frac{p}{10000^{2i/\text{dim}}}\right)$$
#
# The first pair, $i = 0$, turns by one radian a word; each pair that follows is slower, and at a width of 512 the last needs some 60,000 words for a turn (2π · 10000^(510/512)). Note that $2i$ are just the even columns 0, 2, 4, … (In a table, `table[:, 0::2]` are the even columns and `table[:, 1::2]` the odd ones; one can assign to either.)

# %% id="sinusoidal" tags=["exercise"] minutes=8 difficulty=3 teaches="positions as clock hands of many speeds"
def sinusoidal(tokens, dim):
    """Positions as sines (even columns) and cosines (odd columns).

    returns [tokens, dim]; places count from 0, and dim is even
    """
    ### BEGIN SOLUTION
    place = torch.arange(tokens)[:, None]
    angle = place / 10_000 ** (torch.arange(0, dim, 2) / dim)
    table = torch.empty(tokens, dim)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()
    return table
    ### END SOLUTION

# %% id="check-sinusoidal" tags=["check"]
sinusoidal = check("sinusoidal")

# %% id="positions-claims"
table = sinusoidal(128, 64)


def spread(table):
    """How much the dot product of two rows differs at most among pairs equally far apart."""
    alike = [[(table[p] @ table[p + step]).item() for p in range(64)] for step in (1, 5, 20)]
    return max(max(products) - min(products) for products in alike)


drawn = torch.randn(table.shape, generator=torch.Generator().manual_seed(6)).to(table)
places = sinusoidal(12, 32)
claim("the dot product of two positions depends on their distance alone: largest spread",
      spread(table), at_most=1e-3, control={"positions drawn at random": spread(drawn)})
claim("with positions added, a shuffle changes the outcome",
      after_shuffle(sentence + places, sentence[:, order] + places), above=0.01,
      paper="Vaswani et al. 2017, §3.5", control={"without them": without_places})

# %% id="fig-positions" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
image = left.imshow(table.T, aspect="auto", cmap="RdBu", vmin=-1, vmax=1)
left.set(title="the table: a column for each place", xlabel="place in the text")
left.set_ylabel("entry of the vector")
left.grid(False)
figure.colorbar(image, ax=left)
for place, colour in ((20, colours.ORANGE), (64, colours.BLUE), (100, colours.GREEN)):
    right.plot(table @ table[place], color=colour, label=f"place {place}")
right.set(title="how alike two places are", xlabel="place in the text", ylabel="dot product")
right.set_ylim(10, 38)
right.legend(ncols=3, loc="upper center")
show(figure, alt="Left, the table of positions: fast ripples in the first entries, slower ones "
     "further down, and in the lower half even stripes, white and blue in turn. Right, the dot "
     "product of one place with all others peaks at that place and falls off in ripples, alike on "
     "both sides, wherever the place is.")

# %% [markdown] id="positions-question"
# In the left-hand picture the lower half hardly changes from left to right. Its hands are so slow that in 128 places they barely leave noon: the sine is still close to 0 (white), the cosine close to 1 (blue), and the two take turns, line by line. In a longer text these lines would begin to move as well.
#
# The right-hand picture is the point. Each place is most like itself and, but for ripples, less and less like places further away, by the same curve wherever it stands. So a distance means the same everywhere in the text. (To tell *before* from *after*, a head needs more than this dot product; the answer below says what.)
#
# **Question.** Why sines and cosines of many speeds, and not simply the number of the place, 0, 1, 2, …?
#
# <details><summary>Answer</summary>
#
# A single growing number would drown the word's own entries in a long text, and a dot product with it only says “further on”, never “right there”. Clock hands stay between −1 and 1. Moving on by $k$ places turns every hand by a fixed angle, whatever the place, and that is a linear map (Vaswani et al. 2017, §3.5), which $W_Q$ can learn. Whether it makes a difference is another question: learned vectors, one a place, did about as well (Vaswani et al. 2017, table 3, row E), and BERT below uses those.
# </details>

# %% [markdown] id="minilm-idea"
# ## 7 · Looking into real heads
#
# MiniLM is a small BERT (Wang et al. 2020): six layers of twelve heads, distilled from a larger one (trained to imitate it) and tuned to compare sentences, and never told what a noun is. Its attention is exactly what you have written. To prove it, we put *your* `scaled_dot_product` inside.
#
# It reads *word pieces*, and wraps each sentence in two marks that say nothing, `[CLS]` and `[SEP]`.

# %% id="minilm"
from squint.data import minilm
from squint.models.minilm import MiniLM, between_words, pieces

tokenizer = minilm.tokenizer()
bert = MiniLM.from_weights(minilm.weights()).to(lab.device)
batch = pieces([[*words, "."]], tokenizer).to(lab.device)
tokens = batch.tokens[0]

encoded = bert(batch.token_ids)
attentions = encoded.attentions[0]
exact = MiniLM.from_weights(minilm.weights()).double()  # rounding must not blur the comparison
token_ids = batch.token_ids.cpu()


def without_scale(query, key, value, mask=None):
    return scaled_dot_product(query * sqrt(query.shape[-1]), key, value, mask)


off_by_yours, off_by_unscaled = (
    (exact(token_ids).hidden - exact(token_ids, attention=attend).hidden).abs().max()
    for attend in (scaled_dot_product, without_scale)
)
print("pieces:", " ".join(tokens))
print("attentions: layers, heads, queries, keys =", tuple(attentions.shape))
claim("MiniLM with your attention inside gives the same vectors: largest difference", off_by_yours,
      at_most=1e-5, control={"your attention without its scale": off_by_unscaled})

# %% [markdown] id="head-view-text"
# Three ways to look at its 72 heads, all by Jesse Vig's bertviz (2019). First the **model view**: every head at once, a row for each layer. Most of what you see are a few simple shapes. Parallel lines look at the next or the previous word; a fan looks at one mark from everywhere. Click one to enlarge it.

# %% id="model-view" tags=["nbval-ignore-output"]
bertviz.model_view(attentions, tokens)

# %% [markdown] id="head-view-text-2"
# The **head view** shows some heads of one layer closely: words that look are on the left, and hovering shows one word's lines alone. This is layer 2 with heads 0 and 8 switched on (click the squares for others). In blue, head 0: *street* points at *cross*, the object at its verb. In olive, head 8: *the* points at *animal* and at *street*. We shall meet both again.

# %% id="head-view" tags=["nbval-ignore-output"]
bertviz.head_view(attentions, tokens, layer=2, heads=[0, 8])

# %% [markdown] id="neuron-view-text"
# The **neuron view** opens one head's arithmetic: the query of *it*, the keys of all words, their products entry by entry (blue is positive, orange negative), the score, and the softmax. It is section 4, with 32 learned features in the place of our seven, and no names on them. Here *it* looks most at *tired*. Point at other words; the minus sign closes the sums.

# %% id="neuron-view" tags=["nbval-ignore-output"]
bertviz.neuron_view(
    attentions, encoded.queries[0], encoded.keys[0], tokens, layer=2, head=8,
    token=tokens.index("it"),
)

# %% [markdown] id="fan-text"
# Why do so many fans meet at a mark that says nothing? A softmax must spend its whole share on something, even when a head's question has no answer in this sentence. Clark et al. (2019, §3.2) found that in some layers of BERT, over all its heads, more than half of all attention goes to one mark, `[SEP]`, and argue that it means “nothing to do here”. We count the same for MiniLM, layer by layer, over 200 sentences of Austen and the Bible:

# %% id="marks"
from squint.data import parses

sentences = parses.load()
some = pieces([sentence.words for sentence in sentences[:200]], tokenizer).to(lab.device)
visible = padding_mask(some.lengths, some.token_ids.shape[1])
looks = bert(some.token_ids, visible).attentions  # sentences, layers, heads, queries, keys
looks = looks * visible.mT[:, None, None]  # the filling asks as well; its rows must not count


def share_of(wanted):
    """The part of all attention, in %, that goes to some pieces, in each head: [layers, heads]."""
    there = (looks * wanted[:, None, None, None]).sum(dim=(0, 3, 4))
    return (100 * there / some.lengths.sum()).cpu()


number_of = tokenizer.token_to_id
marks = {mark: share_of(some.token_ids == number_of(mark)) for mark in ("[CLS]", "[SEP]")}
second = torch.zeros_like(some.token_ids, dtype=torch.bool)
second[:, 1] = True
print("each mark is one piece of ⟨%.0f⟩" % (some.lengths.sum() / len(some.lengths)))
print("[CLS], by layer: " + "  ".join(f"⟨{share:.0f} %⟩" for share in marks["[CLS]"].mean(dim=1)))
print("[SEP], by layer: " + "  ".join(f"⟨{share:.0f} %⟩" for share in marks["[SEP]"].mean(dim=1)))
claim("in some layer one mark, here [CLS], gets more than half of all attention",
      marks["[CLS]"].mean(dim=1).max(), above=50, unit="%",
      paper="Clark et al. 2019, §3.2, of BERT's [SEP]",
      control={"the piece beside it": share_of(second).mean(dim=1).max()})

# %% id="fig-marks" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.2))
for mark, colour, side in (("[CLS]", colours.BLUE, -0.2), ("[SEP]", colours.ORANGE, 0.2)):
    for depth, of_heads in enumerate(marks[mark]):
        x = [depth + side + (head - 5.5) / 36 for head in range(12)]
        label = mark if depth == 0 else None
        axes.plot(x, of_heads, "o", markersize=4, color=colour, label=label)
        axes.plot([x[0], x[-1]], [of_heads.mean()] * 2, color=colours.INK, linewidth=1.5)
axes.set(title="each dot is a head, each line the mean of a layer", xlabel="layer")
axes.set(ylabel="share of its attention, %", ylim=(-3, 100), xticks=range(6))
axes.legend()
show(figure, alt="For each of six layers, twelve dots in each of two colours: how much of a "
     "head's attention goes to the marks CLS and SEP. From layer 1 on most heads give CLS between "
     "a quarter and four fifths; SEP gets next to nothing.")

# %% [markdown] id="marks-look"
# MiniLM has a resting place too, but another one than BERT: it stares at `[CLS]`, and `[SEP]` gets, after the first layer, no more than any other piece. Nothing in the formula makes that choice. Keep it in mind when you see a bright line in a picture of attention: bright may mean “nothing found”.

# %% [markdown] id="grammar-idea"
# ## 8 · Do heads know grammar?
#
# Pictures of attention weights are often said to resemble a dependency parse. Such a parse draws an arrow from each word to the word it depends on: from an object to its verb, from an article to its noun. Let us measure how far the resemblance goes.
#
# We have 1,596 sentences that a parser has parsed. For each word, a head *points at* the word it gives most attention to (not counting the word itself). We count how often that is the word at the other end of the arrow, in either direction: some heads look from the object to its verb, others from the verb to its object.
#
# Two traps wait here, and both are easy to fall into.
#
# **Chance among many.** There are 72 heads and two directions. The best of 144 looks good by luck alone. So each relation's head is *chosen* on one half of the sentences and *judged* on the other.
#
# **Grammar or place?** An article stands right before its noun most of the time. A head that looks at the next word, knowing nothing, scores well on articles. So the rival is the best *fixed offset*, such as “the word two to the left”, chosen on the same half (Clark et al. 2019, §4.2, do likewise).
#
# For how many of the sixteen commonest relations does the chosen head win?

# %% id="guess-grammar" tags=["nbval-ignore-output"]
question = "Relations, of sixteen, for which one head beats the best offset"
guess_grammar = predict(question, low=0, high=16, step=1)

# %% id="pointing"
def where_heads_point(model, sentences, size=64):
    """For each sentence, what each head points at from each word: [layers, heads, words]."""
    pointed = []
    for start in track(range(0, len(sentences), size), "reading"):
        some = sentences[start : start + size]
        batch = pieces([sentence.words for sentence in some], tokenizer).to(lab.device)
        visible = padding_mask(batch.lengths, batch.token_ids.shape[1])
        between = between_words(model(batch.token_ids, visible).attentions, batch.words)
        between.diagonal(dim1=-2, dim2=-1).fill_(-1)  # a word does not depend on itself
        for sentence, looks in zip(some, between):
            n = len(sentence.words)
            pointed.append(looks[..., :n, :n].argmax(dim=-1).cpu())
    return pointed


pointed = where_heads_point(bert, sentences)
print("sentences:", len(pointed))
print("for the first one: layers, heads, words =", tuple(pointed[0].shape))

# %% [markdown] id="arrows-text"
# Now one row for each arrow: its relation, how far its head is away, whether its sentence belongs to the first half, and which of the 144 pointed right.

# %% id="arrows"
def arrows(sentences, pointed):
    """relation [n], offset to the head [n], in the first half [n], hits [n, 2 × layers × heads]."""
    relation, offset, first_half, hits = [], [], [], []
    for number, (sentence, points) in enumerate(zip(sentences, pointed)):
        points = rearrange(points, "layers heads words -> words (layers heads)")
        for word, (head, name) in enumerate(zip(sentence.heads, sentence.relations)):
            if head >= 0 and name != "punct":
                relation.append(name)
                offset.append(head - word)
                first_half.append(number < len(sentences) // 2)
                hits.append(torch.cat([points[word] == head, points[head] == word]))
    return relation, torch.tensor(offset), torch.tensor(first_half), torch.stack(hits)


def judge(names, relation, offset, first_half, hits):
    """For each of these relations: its name, the head chosen on the first half of the sentences,
    and the head's hits and the offset's on the other half."""
    found = []
    for name in names:
        here = torch.tensor([r == name for r in relation])
        choose, test = here & first_half, here & ~first_half
        best_offset = offset[choose].mode().values
        best_head = hits[choose].float().mean(dim=0).argmax()
        by_head = hits[test][:, best_head].float()
        found.append((name, int(best_head), by_head, (offset[test] == best_offset).float()))
    return found


def count_wins(found):
    """In how many relations the head's share of hits is above the offset's."""
    return sum(int(by_head.mean() > by_offset.mean()) for _, _, by_head, by_offset in found)


rows = arrows(sentences, pointed)
names = sorted(set(rows[0]), key=rows[0].count, reverse=True)[:16]
found = judge(names, *rows)
wins = count_wins(found)
leads = [by_head - by_offset for _, _, by_head, by_offset in found]
clear = sum(lead.mean() > 2 * lead.std() / sqrt(len(lead)) for lead in leads)
print(f"arrows: {len(rows[0]):,}, in relations: {len(set(rows[0]))}")
print(f"relations in which the head wins: ⟨{wins}⟩ of 16")
print(f"by more than two standard errors: ⟨{clear}⟩")
prep = leads[names.index("prep")]
print(f"for a preposition it leads by ⟨{100 * prep.mean():.1f}⟩ points, on {len(prep):,} arrows")

# %% [markdown] id="untrained-text"
# Is it the training, or would any network of this shape do? That is the control. We take a MiniLM as it was before it had read a word, with BERT's way of starting: every matrix drawn at random with a deviation of 0.02, every bias 0, every gain of its normalisations 1 (lab 03). The same judge looks at both networks, on the same quarter of the sentences and the same sixteen relations.

# %% id="untrained"
torch.manual_seed(4)
newborn = MiniLM.from_weights(minilm.weights()).to(lab.device)
for name, parameter in newborn.named_parameters():
    if parameter.ndim == 2:
        parameter.normal_(std=0.02)
    else:
        parameter.fill_(0 if name.endswith("bias") else 1)

quarter = sentences[:400]
trained = judge(names, *arrows(quarter, pointed[:400]))
untrained = judge(names, *arrows(quarter, where_heads_point(newborn, quarter)))
claim("relations, of 16, in which one head beats the best fixed offset", count_wins(trained),
      at_least=10, paper="Clark et al. 2019, table 1",
      control={"heads of an untrained network": count_wins(untrained)})

# %% id="fig-grammar" tags=["nbval-ignore-output"]
meaning = {
    "prep": "preposition", "pobj": "object of preposition", "nsubj": "subject",
    "det": "determiner", "advmod": "adverb", "aux": "auxiliary", "dobj": "direct object",
    "cc": "“and”, “or”", "conj": "joined by “and”", "poss": "possessive", "amod": "adjective",
    "advcl": "adverbial clause", "ccomp": "clause as object", "mark": "“that”, “if”",
    "acomp": "adjective after verb", "neg": "negation",
}  # fmt: skip
order_of_gain = sorted(found, key=lambda f: f[2].mean() - f[3].mean())
at_random = {name: by_head.mean() for name, _, by_head, _ in untrained}
figure, axes = plt.subplots(figsize=(8, 5.2))
for y, (_, head, by_head, by_offset) in enumerate(order_of_gain):
    ends = [100 * by_offset.mean(), 100 * by_head.mean()]
    axes.plot(ends, [y, y], color=colours.GREY, linewidth=1, zorder=1)
    arrow = "←" if head >= 72 else "→"
    axes.text(101, y, f"{head % 72 // 12}-{head % 12} {arrow}", va="center", fontsize=8)
hollow = {"marker": "s", "s": 90, "facecolors": "none", "edgecolors": colours.ORANGE}
for what, look_of, values in (
    ("best fixed offset", hollow, [f[3].mean() for f in order_of_gain]),
    ("chosen head", {"marker": "o", "c": colours.BLUE}, [f[2].mean() for f in order_of_gain]),
    ("untrained, chosen head", {"marker": "x", "c": colours.GREY},
     [at_random[f[0]] for f in order_of_gain]),
):
    axes.scatter([100 * v for v in values], range(16), label=what, zorder=2, **look_of)
axes.set_yticks(range(16), [meaning.get(f[0], f[0]) for f in order_of_gain])
yours = f", you guessed {guess_grammar.value:.0f}" if guess_grammar.value is not None else ""
axes.set(title=f"the head wins {wins} of 16{yours}", xlim=(0, 100))
axes.set_xlabel("arrows found, % (other half)")
figure.legend(loc="outside upper right", ncols=3)
show(figure, alt="For sixteen grammatical relations, how often the chosen head and the best "
     "fixed offset find the right word. The head is ahead for most: far ahead for objects, not at "
     "all for adjectives and negation. An untrained head is far behind in nearly all.")

# %% [markdown] id="grammar-question"
# At the right edge stands which head it was, as layer-head, and in which direction it looks: → from a word to the word it depends on, ← the other way. Objects are where heads shine: an object may stand at any distance from its verb, and an offset cannot follow it. For adjectives and negations the offset is as good, since English puts them right beside their word. For a preposition the lead is a bare two points (the cell that counts the arrows prints it): large enough that chance would hardly explain it over so many arrows, and too small to build on.
#
# **Question.** One head, 2-8, wins for *object of preposition*, for *determiner* and for *subject*. All three have to do with a noun. Is it a “noun head”? Look at its three little arrows before you unfold.
#
# <details><summary>Answer</summary>
#
# From the preposition it looks to its object (←), from the determiner to its noun (→): so far, so good. But for the subject the arrow is → as well: there it looks *from* the noun to its verb. A head that searched for nouns would look the other way. The name fits two of three cases, which is how such names come about.
# </details>

# %% [markdown] id="reading-idea"
# What do the three have in common, then? In each it looks *ahead*: from a small word, or from a subject, to the word that carries the next piece of meaning. Perhaps it seeks **the next content word**, whatever its kind. The two readings differ where the next content word is a verb: after an auxiliary, as in “has **not** *come*”. A noun head would pass over *come* and go on to the next noun.
#
# And a third reading is simpler than both: it might look at the very next word. So we count only where a second small word stands in between (“in **its** *soil*”), so that the next word and the next content word are not the same.

# %% id="next-content-word"
SMALL = {"det", "prep", "aux", "auxpass", "cc", "mark", "poss", "neg", "punct"}
NOUNS = {"nsubj", "nsubjpass", "dobj", "pobj", "attr", "appos"}


def look_ahead(kind, layer, head):
    """From words of a kind that stand before a small word: the share, in %, of a head's looks that
    go to the next word, to the next content word, and to the next noun; and how many they are."""
    counts = torch.zeros(3)
    total = 0
    for sentence, points in zip(sentences, pointed):
        for word, name in enumerate(sentence.relations):
            later = list(enumerate(sentence.relations))[word + 1 :]
            content = next((i for i, other in later if other not in SMALL), None)
            noun = next((i for i, other in later if other in NOUNS), None)
            if name == kind and content not in (None, word + 1):
                target = int(points[layer, head, word])
                counts += torch.tensor([target == word + 1, target == content, target == noun])
                total += 1
    return [*(100 * counts / total).tolist(), total]


ahead = {kind: look_ahead(kind, 2, 8) for kind in ("prep", "aux")}
next_word_head = look_ahead("aux", 1, 8)
print("head 2-8 looks at     the next word   the next content word   the next noun   cases")
for kind, (word_share, content_share, noun_share, cases) in ahead.items():
    cells = f"{word_share:9.0f} %   {content_share:19.0f} %   {noun_share:11.0f} %"
    print(f"from: {meaning[kind]:>12}   ⟨{cells}⟩ {cases:6}")
claim("from an auxiliary, past a small word, head 2-8 looks at the next content word",
      ahead["aux"][1], above=50, unit="%",
      control={"at the next noun": ahead["aux"][2], "head 1-8": next_word_head[1]})

# %% [markdown] id="use-question"
# From a preposition the next content word is nearly always a noun, and the two readings say the same. From an auxiliary they part, and the head goes to the verb. So “the next content word” it is, until somebody finds the case that refutes that, too. (Not “the next word”: head 1-8 does that, and gets none of these.) The lesson is an old one: a name for a head is a hypothesis, and has to be tried where its rivals say something else.
#
# **Question.** Can we say, then, that the network *uses* this head to parse?
#
# <details><summary>Answer</summary>
#
# No. We have measured where a head *points*, and not what the network *does* with it. Values are mixed again in every layer, other heads may carry the same news, and one can often change the weights a lot without changing the output (Jain and Wallace 2019). A pointing head is a hint; to show that it matters, one has to take it out and see what breaks. Lab 05 does that.
# </details>

# %% [markdown] id="distance-idea"
# ## 9 · How far a signal carries
#
# Why did attention replace what came before? A recurrent network hands one vector from word to word, so a word $n$ steps back has been rewritten $n$ times. A convolution looks at neighbours, and needs more layers the further it must see. Attention looks at every word directly. Vaswani et al. (2017, table 1) compare the longest paths between two words: one step for attention, $n$ steps for recurrence.
#
# We can feel it with a gradient. Take the last of 65 random word vectors' outputs, and ask how strongly it depends on the word $n$ steps back. First a guess. Call the pull of the word *before* the last 1. What is left of it 64 steps back, in a GRU, the sturdier kind of recurrent network? The slider counts zeros: 3 means 10⁻³.

# %% id="guess-distance" tags=["nbval-ignore-output"]
question = "Zeros lost over 64 steps, in an untrained GRU"
guess_distance = predict(question, low=0, high=20, step=1)

# %% id="distance"
DIM, TOKENS = 64, 65


class Recurrent(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.layer = kind(DIM, DIM, batch_first=True)

    def forward(self, x):
        return self.layer(x)[0]


class Convolutions(nn.Module):
    """Six layers, each of which sees one neighbour on either side."""

    def __init__(self):
        super().__init__()
        layers = [step for _ in range(6) for step in (nn.Conv1d(DIM, DIM, 3, padding=1), nn.ReLU())]
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x.mT).mT


def pull(name, make, networks=20):
    """Gradient of the last output with respect to the word n steps back: [n], the mean over
    untrained networks."""
    total = torch.zeros(TOKENS)
    for seed in track(range(networks), name):
        torch.manual_seed(seed)
        network, x = make(), torch.randn(8, TOKENS, DIM, requires_grad=True)
        last = network(x)[:, -1]
        (gradient,) = torch.autograd.grad((last * torch.randn_like(last)).sum(), x)
        total += gradient.norm(dim=-1).mean(dim=0).flip(0)
    return total / networks


kinds = {
    "RNN": lambda: Recurrent(nn.RNN),
    "GRU": lambda: Recurrent(nn.GRU),
    "six convolutions": Convolutions,
    "attention": lambda: MultiHeadAttention(DIM, 4),
}
pulls = {name: pull(name, make) for name, make in kinds.items()}
left_over = {name: (p[64] / p[1]).item() for name, p in pulls.items()}
claim("64 steps back, attention keeps at least half of the pull of the word before",
      left_over["attention"], at_least=0.5, control={"a GRU": left_over["GRU"]})
claim("a GRU keeps less than a millionth of it", left_over["GRU"], below=1e-6,
      control={"attention": left_over["attention"]})
claim("an RNN keeps less than the GRU", left_over["RNN"], below=left_over["GRU"],
      control={"attention": left_over["attention"]})
convolved = pulls["six convolutions"]
claim("six convolutions see six steps back and nothing beyond: the pull from there",
      convolved[7:].max(), equals=0, control={"six steps back": convolved[6]})

# %% id="fig-distance" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.5, 3.6))
four = (colours.VERMILION, colours.ORANGE, colours.GREEN, colours.BLUE)
for (name, p), colour in zip(pulls.items(), four):
    relative = (p / p[1]).clone()
    relative[relative == 0] = torch.nan
    axes.semilogy(relative, color=colour, label=name)
if guess_distance.value is not None:
    guessed = 10.0**-guess_distance.value
    axes.axhline(guessed, color=colours.PINK, linestyle="--", label="your guess for the GRU")
axes.set(title="how strongly the last output depends on an earlier word", xlabel="steps back",
         ylabel="gradient, word before = 1", ylim=(1e-22, 1e2))
axes.legend()
show(figure, alt="Gradient against steps back on a logarithmic axis. Attention is a flat line "
     "over all 64 steps. The RNN and the GRU fall along straight lines to 10 to the minus 21 and "
     "minus 13. The convolutions stop after six steps.")

# %% [markdown] id="distance-question"
# Two honest remarks. These networks are untrained: a GRU can learn gates that stay open, and convolutions can be dilated or stacked higher. What attention changes is where one *starts*, and that it need not be learned. And attention's line is flat, not high: the pull is shared among all 65 words, so each gets about one part in 65.
#
# **Question.** The path is short. But what else did the recurrent network have to give up its place for?
#
# <details><summary>Answer</summary>
#
# It computes word after word: the 65th step cannot begin before the 64th is done, so training cannot use a wide machine. Attention does all words at once. Lab 03 measures it.
# </details>

# %% [markdown] id="bill-idea"
# ## 10 · The bill
#
# Every word looks at every word: $n^2$ scores. We measure the written-out attention, forward and backward (in the backward pass gradients are worked out), at several lengths, and take the best of ten tries. On a processor, time is what one thread worked, so that a busy machine disturbs little; on a GPU, it runs until all is done. Memory is counted exactly, as the bytes that are kept for the backward pass.
#
# One trap: whatever the length, a call costs something, for Python and for handing the work over. A text so short that the device is hardly busy measures that and not the attention; and what keeps a processor busy may be nothing to a GPU. So the shortest text is found first: we double the length until a call takes ten times as long as it does for 16 words.

# %% id="bill"
from squint.nn.attention import fused_scaled_dot_product
from squint.nn.attention import scaled_dot_product as written_out

width = budget(cpu=64, gpu=1024, smoke=64)  # a GPU needs wider vectors to be busy


def three(n, dim):
    """Queries, keys and values of n words, to be trained."""
    return [torch.randn(1, 1, n, dim, device=lab.device, requires_grad=True) for _ in range(3)]


def time_of(attend, n):
    """Seconds for one forward and one backward pass over n words."""
    inputs = three(n, width)
    return seconds(lambda: attend(*inputs).sum().backward(), times=10, of_thread=True)


def kept_bytes(attend, inputs):
    """Bytes of all tensors that are kept for the backward pass, each counted once."""
    kept = {}

    def keep(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        attend(*inputs)
    return sum(kept.values())


threads = torch.get_num_threads()
torch.set_num_threads(1)
idle = time_of(written_out, 16)
shortest, most = 64, budget(cpu=512, gpu=4096, smoke=64)
while shortest < most and time_of(written_out, shortest) < 10 * idle:
    shortest *= 2
lengths = [shortest * halves // 2 for halves in (2, 3, 4, 6, 8)]

best = {n: time_of(written_out, n) for n in track(lengths, "measuring")}
linear = nn.Linear(width, width).to(lab.device)
one_layer = [time_of(lambda query, key, value: linear(query), n) for n in lengths]
memory = {name: [kept_bytes(attend, three(n, 64)) for n in lengths]
          for name, attend in (("written out", written_out), ("fused", fused_scaled_dot_product))}
torch.set_num_threads(threads)

in_memory = {name: exponent(lengths, counted) for name, counted in memory.items()}
claim("time grows as n to the power", exponent(lengths, list(best.values())), between=(1.7, 2.3),
      paper="Vaswani et al. 2017, table 1",
      control={"one linear layer over the same words": exponent(lengths, one_layer)})
claim("memory grows as n to the power", in_memory["written out"], between=(1.7, 2.3),
      paper="Dao et al. 2022, abstract", control={"fused": in_memory["fused"]})
claim("fused, which never stores the weights, as n to the power", in_memory["fused"], below=1.2,
      paper="Dao et al. 2022, theorem 1", control={"written out": in_memory["written out"]})
a_million = 4 * 1_000_000**2 / 1e12
print(f"the weights of one head over a million words, in 32 bits: {a_million:.0f} TB")

# %% id="fig-bill" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
left.loglog(lengths, [1e3 * t for t in best.values()], "o-", label="measured")
as_square = [1e3 * best[lengths[-1]] * (n / lengths[-1]) ** 2 for n in lengths]
left.loglog(lengths, as_square, color=colours.GREY, linewidth=1, label="∝ n²")
left.set(title="time", xlabel="length n", ylabel="forward + backward, ms")
for (name, counted), colour in zip(memory.items(), (colours.BLUE, colours.GREEN)):
    right.loglog(lengths, [b / 1e6 for b in counted], "o-", color=colour, label=name)
right.set(title="memory kept for the backward pass", xlabel="length n", ylabel="MB")
for panel in (left, right):
    panel.set_xticks(lengths, lengths, rotation=45)
    panel.set_xticks([], minor=True)
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("")
    panel.legend()
show(figure, alt="Two logarithmic plots against the length. Time follows a line that grows with "
     "the square of the length; so does memory when attention is written out, while the fused "
     "version's memory grows in proportion to the length.")

# %% [markdown] id="bill-question"
# Twice the text, four times the bill. A linear layer, which treats each word by itself, is the control: its time grows with $n$ at most. The fused version (Dao et al. 2022) does the same sums in blocks and never stores the square, so its *memory* grows only with $n$; its *time* is still $n^2$, since it does the same multiplications. Your own `MultiHeadAttention` would gain from it at once: it is what `F.scaled_dot_product_attention` calls when it can, and what the course's version uses.
#
# **Question.** At which length does the square overtake the four projections, which cost about $4 n d^2$ multiplications against $2 n^2 d$ for scores and sums?
#
# <details><summary>Answer</summary>
#
# Where $2 n^2 d = 4 n d^2$, that is at $n = 2d$. For a width of 512, a text of about a thousand words. Below that, attention's square is not even the main cost; at $n = 4d$ it is two thirds of it, and it goes on growing.
# </details>

# %% [markdown] id="claims"
# ## 11 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | variance of a dot product | grows with $d$, hence the scale (Vaswani et al. 2017, §3.2.1) | same law; scaled scores stay at one, section 2 |
# | the future is hidden | by $-\infty$ before the softmax (§3.2.3) | to the last digit, section 3 |
# | no recurrence, so no order | positions must be added (§3.5) | equivariant without, not with them, section 6 |
# | a resting place | in some layers of BERT more than half of all attention goes to `[SEP]` (Clark et al. 2019, §3.2) | in some of MiniLM's, to `[CLS]`, section 7 |
# | heads and grammar | for direct objects, determiners, objects of prepositions and possessives there is a head of BERT, each a different one, that is right more than 75 % of the time (Clark et al. 2019, §1) | MiniLM's, chosen on one half and judged on the other, section 8 |
# | longest path between two words | 1, against $n$ for recurrence and several layers for convolutions (table 1) | not counted, but felt: what is left of a gradient in untrained networks, section 9 |
# | cost in time | $n^2 d$ a layer (table 1) | exponent fitted in section 10 |
# | cost in memory | the square as well; in proportion to $n$ when fused (Dao et al. 2022) | exponents fitted in section 10 |
#
# **What does not carry over.** MiniLM is a small relative of BERT, distilled from a larger model and then tuned to compare sentences, so its heads need not be BERT's. The parses were made by a parser and checked by nobody, and the texts are novels and scripture, which few parsers are trained on, so some “misses” are the parser's. The bill was measured with one head on this machine; on other hardware the constants differ, and the square does not.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Not attention: Bahdanau et al. (2015) had it, on top of a recurrent translator. New was to keep nothing else for moving news between words, with the scale and the heads that make it train.
# - *What is not?* A softmax over dot products is a soft lookup, and the weighted average of neighbours by likeness is a kernel smoother, known in statistics since Nadaraya and Watson (1964).
# - *When does it fail?* When the text is long (the square), when order matters and nobody supplied it, when nothing in the text answers the question (the softmax answers all the same), and when one takes a weight for a reason.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 12 · Going further
#
# **1. Tired or wide.** Build the second layer of section 4's last question: one pair of query matrices such that *it* finds the animal when it was too *tired* and the street when it was too *wide*.
#
# <details><summary>Solution</summary>
#
# In the first step *it* asks for a quality and adds what it finds to itself, as the residual connections of lab 03 do. The quality brings a little of *alive* or of *place* with it. In the second step, rows for *alive* and *place* ask loudly for more of the same, and *stands in* asks for a thing.
#
# ```python
# def meant(text):
#     words = text.split()
#     x = hand_made.vectors(words)
#     first = it_asks(quality=15)
#     x = x + scaled_dot_product(x @ first, x, x)
#     second = it_asks(thing=15)
#     second[ALIVE, ALIVE] = second[PLACE, PLACE] = 15
#     keys = hand_made.vectors(words)
#     return words[look(x @ second, keys)[words.index("it")].argmax()]
#
# start = "the animal did not cross the street because it was too "
# claim("tired: it is the animal", meant(start + "tired"), equals="animal",
#       control={"wide": meant(start + "wide")})
# claim("wide: it is the street", meant(start + "wide"), equals="street",
#       control={"tired": meant(start + "tired")})
# ```
#
# Both hold: with *tired*, *it* looks most at *animal*, with *wide* at *street*.
# </details>
#
# **2. A window.** Write `window_mask(tokens, width)`: each word sees itself and the `width − 1` words before it. How far back does the last word's gradient reach after three layers of it? Compare with the convolutions of section 9.
#
# <details><summary>Solution</summary>
#
# ```python
# def window_mask(tokens, width):
#     place = torch.arange(tokens)
#     back = place[:, None] - place[None, :]
#     return (back >= 0) & (back < width)
#
#
# def reach(width, layers=3):
#     """How many words back the last word's gradient still reaches."""
#     x = torch.randn(1, 40, 32, requires_grad=True)
#     y, mask = x, window_mask(40, width)
#     for _ in range(layers):
#         y = MultiHeadAttention(32, 4)(y, mask=mask)
#     (gradient,) = torch.autograd.grad(y[0, -1].sum(), x)
#     seen = gradient[0].norm(dim=-1).nonzero().min().item()
#     return 39 - seen
#
#
# claim("three layers with a window of 5 reach back", reach(5), equals=12,
#       control={"a window of 6": reach(6), "two layers": reach(5, layers=2)})
# ```
#
# Twelve words, for a window of five. Each layer reaches `width − 1` further back, so three layers reach `3 · (width − 1)`, just like a stack of one-sided convolutions. With a mask this saves nothing, since hidden scores are computed all the same; code that skips them pays $n \cdot \text{width}$ instead of $n^2$.
# </details>
#
# **3. Attention without the square.** Leave out the softmax: $(Q K^\top) V = Q (K^\top V)$. Which side is cheaper for a long text, and what is lost?
#
# <details><summary>Solution</summary>
#
# ```python
# n, d = 2048, 64
# q, k, v = (torch.randn(n, d) for _ in range(3))
# one_way, other_way = (q @ k.mT) @ v, q @ (k.mT @ v)
# with_softmax = (q @ k.mT).softmax(dim=-1) @ v
# scale = one_way.abs().mean()
# claim("both give the same: largest difference, in parts of a typical entry",
#       (one_way - other_way).abs().max() / scale, at_most=1e-3,
#       control={"with a softmax": (with_softmax - other_way).abs().max() / scale})
# ```
#
# They agree but for rounding. The right side costs $2 n d^2$ multiplications and stores a $d \times d$ matrix, whatever the length: linear attention (Katharopoulos et al. 2020, with a positive feature map in the softmax's place). What is lost is sharpness. Without the exponential, no query can single out one key among thousands; everything it may ever ask must be squeezed into $d^2$ numbers.
# </details>
#
# **4. Which heads count places?** Set MiniLM's position vectors to zero and repeat section 8. Which relations suffer, those in which the offset was strong or the others?
#
# <details><summary>Solution</summary>
#
# ```python
# nowhere = MiniLM.from_weights(minilm.weights()).to(lab.device)
# nowhere.positions.weight.zero_()
# without = judge(names, *arrows(sentences, where_heads_point(nowhere, sentences)))
# kept = {}
# for (name, _, by_head, by_offset), (_, _, hits, _) in zip(found, without):
#     kept[name] = hits.mean() / by_head.mean()
#     print(f"{name:>8}  offset {by_offset.mean():.2f}  head {by_head.mean():.2f}", end="  ")
#     print(f"without positions {hits.mean():.2f}, {kept[name]:.0%} of it")
# claim("without positions determiners keep less than half of their hits", kept["det"], below=0.5,
#       control={"clauses as objects": kept["ccomp"]})
# claim("and so do objects of prepositions, which no offset finds well", kept["pobj"], below=0.5,
#       control={"clauses as objects": kept["ccomp"]})
# ```
#
# It takes about as long as section 8 did. All sixteen lose hits. Determiners fall from 0.86 to 0.26, adjectives from 0.85 to 0.29, possessives from 0.83 to 0.39: where a fixed offset is strong, the heads count places, and without places they keep a half of their hits or less. Whole clauses, where an offset is of little use, keep most: adverbial clauses fall from 0.26 to 0.20, clauses as objects from 0.34 to 0.31. But the rule has exceptions, and they tell most. The object of a preposition is found by an offset in 0.44 of the cases only, and its head falls from 0.80 to 0.27 all the same, the direct object's from 0.74 to 0.36. Being able to find a word at any distance is not the same as not looking at places. (A caution: a network that never met such input may stumble for other reasons, too.)
# </details>
#
# **Reading.** Bahdanau, Cho and Bengio (2015), “Neural Machine Translation by Jointly Learning to Align and Translate”: attention's first success. Vaswani et al. (2017), “Attention Is All You Need”. Clark et al. (2019), “What Does BERT Look At?”. Vig (2019), on the views of section 7. Jain and Wallace (2019), “Attention is not Explanation”, with Wiegreffe and Pinter (2019), “Attention is not not Explanation”. Dao et al. (2022), “FlashAttention”.
#
# Next comes [lab 03, the Transformer](03_transformer.ipynb), which stacks what you have built.

# ---
# squint:
#   lab: "03"
#   title: The Transformer
#   minutes: 120
#   promise: Build the Transformer, from its norm to its training step, check that it computes what PyTorch's does, and train it on a small language in front of your eyes.
#   prerequisites: ["02_attention"]
#   objectives:
#     - write layer norm and the two ways of putting it into a residual, and measure what each does to the gradient and to the words
#     - write the encoder's and the decoder's block, and follow a sentence with its shapes through both towers
#     - embed tokens with their places, and put blocks, masks and norms together to a decoder
#     - teach all positions at once by shifting the target, and write the loss that does not count filling
#     - write the step that learns, and train with it
#     - say what the Transformer gains over a recurrent network, and where it does not
#   claim: Attention, small networks, residuals and norms are enough to turn one sequence into another. They learn all positions at once, so a training step grows less with the length than a recurrent network's, and at equal size they learn to sort better.
#   source: Vaswani et al. 2017, “Attention Is All You Need”, §3, §5.3–5.4 and table 1; Xiong et al. 2020, “On Layer Normalization in the Transformer Architecture”, §3
# ---

# %% [markdown] id="title"
# # The Transformer
#
# *Build the Transformer, from its norm to its training step, check that it computes what PyTorch's does, and train it on a small language in front of your eyes.*
#
# 120 minutes · after [lab 02, Attention](02_attention.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write layer norm and the two ways of putting it into a residual, and measure what each does to the gradient and to the words;
# - write the encoder's and the decoder's block, and follow a sentence with its shapes through both towers;
# - embed tokens with their places, and put blocks, masks and norms together to a decoder;
# - teach all positions at once by shifting the target, and write the loss that does not count filling;
# - write the step that learns, and train with it;
# - say what the Transformer gains over a recurrent network, and where it does not.
#
# **The claim under test.** Attention, small networks, residuals and norms are enough to turn one sequence into another. All positions are learned at once, so a training step grows less with the length than a recurrent network's (Vaswani et al. 2017, “Attention Is All You Need”, §3 and table 1). Beside that we measure one thing more: at equal size it learns to sort better. To translate English with it is the next lab, [03b](03b_translation.ipynb).

# %% id="setup" tags=["setup"]
lab = begin("03_transformer")

# %% id="imports"
import math
import random
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from squint.data import guests
from squint.device import seconds
from squint.models import gru, pour, seq2seq
from squint.nn import depth
from squint.nn.attention import MultiHeadAttention, causal_mask, weights_during
from squint.nn.positions import sinusoidal
from squint.nn.transformer import glorot
from squint.viz import colours, diagrams
from squint.viz.style import draw_guess

# The matrices of this lab are so small that further threads would only wait for each other.
torch.set_num_threads(1)

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on the labs before. Answer aloud, then unfold.
#
# **1.** In lab 02, what does `True` mean in a mask, and why must the mask come before the softmax?
#
# <details><summary>Answer</summary>
#
# “May be seen.” A hidden score becomes −∞ *before* the softmax, so its share is exactly zero and the others still sum to one. Clearing weights afterwards leaves rows that sum to less.
# </details>
#
# **2.** What is the difference between self-attention and cross-attention?
#
# <details><summary>Answer</summary>
#
# Only where keys and values come from. In self-attention a sequence looks at itself; in cross-attention the queries come from one sequence, keys and values from another. The result has one vector for each *query*.
# </details>
#
# **3.** Why were sines and cosines added to the vectors?
#
# <details><summary>Answer</summary>
#
# Attention sees a set: shuffle the words and the same vectors come out, shuffled. What stands where must come in with the vectors themselves.
# </details>

# %% [markdown] id="machine"
# ## 1 · The machine
#
# A translator reads one sentence and writes another, of another length and in another order. The Transformer does it in two towers (Vaswani et al. 2017, figure 1).
#
# The **encoder** reads the source. Its words look at each other, six times over, and each time every word's vector is replaced by a better one. What comes out at the top, one vector a word, is called the **memory**.
#
# The **decoder** writes the target, one word after the other. It does three things in each block: look back at what it has written, look over at the memory, think. At its top, each position says which word should come *next*. Each of its six blocks gets the same memory.

# %% id="fig-machine" tags=["nbval-ignore-output"]
show(diagrams.transformer(), alt="Two towers of six blocks each, the first block of each in "
     "full. Left, the encoder: the source is embedded with its positions and passes norm and "
     "self-attention, norm and feed-forward, each beside a free road to which its answer is "
     "added. After the sixth block comes a last norm, and what leaves it is the memory. It goes "
     "as keys and values into the cross-attention of every decoder block. Right, the decoder: "
     "masked self-attention, cross-attention, feed-forward; after the sixth block a last norm "
     "and the vocabulary.")

# %% [markdown] id="machine-text"
# You know the orange and blue boxes: lab 02 built them, and today we take them from `squint.nn.attention` (masks there are as you made them). The green box is a network with one hidden layer that treats every word alike, whatever its neighbours:
#
# $$\operatorname{feed\ forward}(x) = W_2 \max(0,\, W_1 x + b_1) + b_2$$
#
# What is new is how they are put together: the yellow norms, the straight road that nothing interrupts, the arrow from tower to tower. (The paper draws its norms in another place; section 3 says why we put them here.) You will write all of it: norm, residual, both blocks, embedding, the way through a tower (one is shown, the other is yours); then what is asked for, the loss and the step that learns. Given are the attention, the green box and the classes that hold the weights.

# %% [markdown] id="norm-idea"
# ## 2 · Layer norm
#
# Every block adds something to the vectors that pass. After many blocks, some have grown large and others have not, and the next block must cope with all of them. A **layer norm** brings each vector back to one scale: it takes off the mean of its entries and divides by their standard deviation (Ba et al. 2016, §3).
#
# $$\mu = \frac{1}{d}\sum_{i=1}^{d} x_i \qquad \sigma^2 = \frac{1}{d}\sum_{i=1}^{d} (x_i - \mu)^2 \qquad \operatorname{norm}(x) = \text{gain} \cdot \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} + \text{bias}$$
#
# Mean and variance are those of *one* vector: not of the sentence, not of the batch. So a word is treated alike whoever is in the batch with it, and in training as in use. The small number $\varepsilon$ saves us from 0/0 where all entries are equal. Gain and bias are learned, one number for each entry, so that a scale which turns out useful can come back.

# %% id="layer_norm" tags=["exercise"] minutes=8 difficulty=2 teaches="mean and variance of each vector, epsilon, gain and bias"
def layer_norm(x, gain, bias, epsilon=1e-5):
    """Each vector with mean 0 and variance 1, then times the gain, plus the bias.

    x: [..., dim], gain: [dim], bias: [dim]
    returns a tensor of the shape of x, made with torch's functions, so that gradients can flow
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)
    variance = centred.square().mean(dim=-1, keepdim=True)
    return gain * centred / (variance + epsilon).sqrt() + bias
    ### END SOLUTION

# %% id="check-layer_norm" tags=["check"]
layer_norm = check("layer_norm")

# %% [markdown] id="pace-text"
# Your layer norm goes into every model of this lab. A right answer with loops over words would make those take hours, so where yours is far slower, the course's steps in, and says so.

# %% id="pace-norm" tags=["nbval-ignore-output"]
from squint.checks.pace import at_pace
from squint.nn.transformer import layer_norm as course_layer_norm

norm_example = torch.randn(32, 14, 64), torch.ones(64), torch.zeros(64)
layer_norm = at_pace(layer_norm, course_layer_norm, *norm_example)

# %% id="norm-parity"
dice = torch.Generator().manual_seed(0)
vectors, gain, bias = (torch.randn(*shape, generator=dice) for shape in ((4, 7, 32), (32,), (32,)))
normed = layer_norm(vectors, gain, bias)
claim("your layer norm is PyTorch's: largest difference",
      (normed - F.layer_norm(vectors, (32,), gain, bias)).abs().max(), at_most=1e-5,
      control={"with the norm of the whole sentence":
               (normed - F.layer_norm(vectors, (7, 32)) * gain - bias).abs().max()})
claim("it does not care how large the vectors are: largest difference for x and 100 x",
      (layer_norm(100 * vectors, gain, bias) - normed).abs().max(), at_most=1e-3,
      control={"without a norm": (100 * vectors - vectors).abs().max()},
      paper="Ba et al. 2016, table 1")

# %% [markdown] id="norm-question"
# In a model the norm is a module, which keeps its gain and bias. All it does is call your function. The green box, the small network, stands in the same cell.

# %% id="parts"
class LayerNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.gain, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))

    def forward(self, x):
        return layer_norm(x, self.gain, self.bias)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.widen, self.narrow = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, x):
        return self.narrow(self.widen(x).relu())


passed = FeedForward(8, 32)(LayerNorm(8)(torch.randn(3, 5, 8)))
print("three sentences of five words go in and come out as", tuple(passed.shape))

# %% [markdown] id="norm-answer"
# **Question.** Batch norm, which was there before, takes mean and variance over the *batch*, for each entry. Why would that be awkward in a translator?
#
# <details><summary>Answer</summary>
#
# A sentence's translation would depend on which others share its batch, and on the filling among them. In use there may be a batch of one, with no spread at all, so one keeps running averages from training and hopes that they fit. And if each place had its own statistics, position 40, which few sentences reach, would have poor ones. A layer norm needs nothing but the vector itself.
# </details>

# %% [markdown] id="residual-idea"
# ## 3 · The free road
#
# In the picture each block holds two or three boxes, attention or the small network. We call them **sublayers**. A sublayer does not *replace* what passes; its answer is *added* to it. That sum, $x + \text{sublayer}(x)$, is called a **residual** connection (He et al. 2016): the sublayer need only learn what is to be changed, and if it has nothing to say, it says zero.
#
# And the norm? There are two places for it.
#
# $$\text{norm last (the paper's):}\quad \operatorname{norm}\bigl(x + \operatorname{sublayer}(x)\bigr) \qquad\qquad \text{norm first:}\quad x + \operatorname{sublayer}\bigl(\operatorname{norm}(x)\bigr)$$
#
# Vaswani et al. put the norm *last*. Most models since put it *first*, and you will see why in a moment. Write both. `sublayer` and `norm` are functions (or modules, which are called alike): they take a tensor and return one.

# %% id="residual" tags=["exercise"] minutes=5 difficulty=1 teaches="residual connections, pre-norm and post-norm"
def residual(x, sublayer, norm, norm_first):
    """x, changed by what the sublayer has to say.

    x: [..., dim]; sublayer, norm: functions from [..., dim] to [..., dim]
    norm_first: True for x + sublayer(norm(x)), False for norm(x + sublayer(x))
    returns [..., dim]
    """
    ### BEGIN SOLUTION
    if norm_first:
        return x + sublayer(norm(x))
    return norm(x + sublayer(x))
    ### END SOLUTION

# %% id="check-residual" tags=["check"]
residual = check("residual")

# %% [markdown] id="encoder-text"
# With it, the encoder's block is two lines: look around, think. Each of the two is a sublayer in a residual of its own, with a norm of its own.
#
# One thing is in the way: `residual` calls its sublayer with a tensor and nothing else, but the attention needs its mask as well. A `lambda y: …` is a function without a name. So `lambda y: block.attention(y, mask=mask)` is a sublayer that takes `y` and brings the mask along.
#
# The block is handed to you with its parts: `block.attention`, called as in lab 02, `attention(y, context, mask)`, where `context` may be left out; `block.feed_forward`, called with `y` alone; `block.norms[0]` for the first sublayer, `block.norms[1]` for the second; and `block.norm_first`, which says where they stand.

# %% id="encoder_block" tags=["exercise"] minutes=6 difficulty=2 teaches="the encoder's block: self-attention, then the small network"
def encoder_block(block, x, mask):
    """Look around, think.

    block: holds attention, feed_forward, norms (two) and norm_first
    x: [batch, tokens, dim]; mask: which words may see which, or None
    returns [batch, tokens, dim]
    """
    ### BEGIN SOLUTION
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    return residual(x, block.feed_forward, block.norms[1], block.norm_first)
    ### END SOLUTION

# %% id="check-encoder_block" tags=["check"]
encoder_block = check("encoder_block")

# %% id="encoder-class"
class EncoderBlock(nn.Module):
    def __init__(self, dim, heads, hidden, norm_first=True):
        super().__init__()
        self.attention, self.feed_forward = MultiHeadAttention(dim, heads), FeedForward(dim, hidden)
        self.norms = nn.ModuleList([LayerNorm(dim), LayerNorm(dim)])
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        return encoder_block(self, x, mask)


print("in: (3, 5, 32) · out:", tuple(EncoderBlock(32, 4, 64)(torch.randn(3, 5, 32)).shape))

# %% [markdown] id="depth-idea"
# Why both, the sum and the norm? We take them away, one at a time. Untrained blocks with such random matrices as keep signals at their size (Glorot and Bengio 2010) are stacked, 1 to 12 of them, and we look at two things. Learning is done by gradients, which travel from the loss at the top down to the *first* block: how large are they there? And the words of a sentence, sixteen random vectors, should still be different words at the *top*: how alike have they become? (A cosine of 1 means that all are the same vector.)
#
# Commit yourself: after twelve blocks with norms but *without* the sums, how alike are the words?

# %% id="guess-depth" tags=["nbval-ignore-output"]
guess_depth = predict("Mean cosine between two words after 12 blocks without residuals",
                      low=0, high=1, step=0.05)

# %% id="depth"
WIRINGS = {
    "norm first": lambda x, sublayer, norm: residual(x, sublayer, norm, True),
    "norm last": lambda x, sublayer, norm: residual(x, sublayer, norm, False),
    "sum, no norm": lambda x, sublayer, norm: x + sublayer(x),
    "norm, no sum": lambda x, sublayer, norm: norm(sublayer(x)),
}
torch.manual_seed(0)
depths = [1, 2, 3, 4, 6, 8, 10, 12]
repeats = budget(cpu=5, gpu=20, smoke=1)
first, last, alike = {}, {}, {}
for name, wiring in track(WIRINGS.items(), "measuring"):
    first[name], last[name], alike[name] = depth.measured(
        lambda: EncoderBlock(64, 4, 256), wiring, depths, LayerNorm(64), repeats)

claim("sums without norms: the first block's gradient grows, from 1 block to 12, by a factor",
      first["sum, no norm"][-1] / first["sum, no norm"][0], above=100,
      control={"with norms": first["norm first"][-1] / first["norm first"][0]})
claim("norms without sums: after 12 blocks all words are alike, mean cosine",
      alike["norm, no sum"][-1], above=0.99,
      control={"with sums": alike["norm first"][-1]}, paper="Dong et al. 2021, §2")
claim("at the top, the gradient of 12 blocks over that of 1: norm first is below norm last",
      last["norm first"][-1] / last["norm first"][0],
      below=last["norm last"][-1] / last["norm last"][0],
      paper="Xiong et al. 2020, §3.3, theorem 1")

# %% id="fig-depth" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(9, 3.4))
for name, colour in zip(WIRINGS, (colours.BLUE, colours.ORANGE, colours.VERMILION, colours.GREEN)):
    axes[0].semilogy(depths, first[name], "o-", color=colour, label=name)
    axes[1].plot(depths, alike[name], "o-", color=colour)
    if name.startswith("norm "):
        axes[2].plot(depths, last[name], "o-", color=colour)
axes[0].set(title="gradient at the first block", xlabel="blocks", ylabel="size of the gradient")
axes[0].legend()
axes[1].set(title="how alike the words are", xlabel="blocks", ylabel="mean cosine at the top",
            ylim=(0, 1.05))
draw_guess(axes[1], guess_depth)
for panel in axes:
    panel.set_xticks([2, 4, 6, 8, 10, 12])
axes[2].set(title="gradient at the last block", xlabel="blocks", ylabel="size of the gradient")
axes[2].set_ylim(bottom=0)
show(figure, alt="Three plots against the number of blocks. Sums without norms let the gradient "
     "at the first block grow a thousandfold; the other three keep it level. Norms without sums "
     "make all words alike after two blocks; with sums it takes longer: with the norm last, or "
     "without norms, they end near 1 as well, with the norm first well below. At the last block "
     "the gradient stays level with the norm last, and shrinks with the norm first.")

# %% [markdown] id="depth-question"
# So the two have different jobs. The **norm** keeps the *size*: without it, each block adds to ever larger vectors, and the gradient at the bottom grows past all use. The **sum** keeps the *difference* for longer: attention is an average, and averages of averages are all the same, so without the sum the words are one after two blocks; with it, that takes ten or so.
#
# Only sum and norm together, with the norm *first*, still tell the words apart at twelve blocks, and even there the likeness rises. With the norm first, the road runs from bottom to top untouched, and what each block adds stays of one size. With the norm last, the road itself is normalised twice in every block, and what a word was fades. The right-hand picture shows the other difference. With the norm last, the gradient at the top is as large for twelve blocks as for one; with the norm first it shrinks as the stack grows.
#
# **Question.** If norm first is so well-behaved, why did the paper get away with norm last?
#
# <details><summary>Answer</summary>
#
# It had six blocks, and it was careful: the learning rate climbs from nearly nothing over thousands of steps (section 6 shows that schedule). Xiong et al. (2020, §3 and §4) trace the need for that to the large gradients near the top, and show that with the norm first one can do without. And norm last is not merely worse: where it trains, it may end a little better (Liu et al. 2020, §1), since with the norm first the sums on the road grow, and late blocks change ever less of them. We put the norm first from here on.
# </details>

# %% [markdown] id="cross-idea"
# ## 4 · From tower to tower
#
# The decoder's block has one sublayer more. In order:
#
# 1. **Masked self-attention.** The target's words look at each other, and none may look ahead: `mask`.
# 2. **Cross-attention.** Each target word *asks*, and the memory is *looked at*: queries from the decoder, keys and values from the encoder. None may look at filling: `memory_mask`.
# 3. **The small network.**
#
# Each has its residual and a norm of its own. This one arrow between the towers is all that the decoder ever learns of the source. (Bahdanau et al. 2015 had such an arrow, in another form, between two recurrent networks.)
#
# The parts are called as in the encoder's block. `block.cross_attention` is called like `block.attention`; its `context` is what is looked at.

# %% id="decoder_block" tags=["exercise"] minutes=8 difficulty=3 teaches="cross-attention: who asks, who is looked at, under which mask"
def decoder_block(block, x, memory, mask, memory_mask):
    """Look back, look over, think.

    block: holds attention, cross_attention, feed_forward, norms (three) and norm_first
    x: [batch, target, dim], the target's vectors; memory: [batch, source, dim], the encoder's
    mask: which targets may see which, or None
    memory_mask: which of the memory may be seen, or None
    returns [batch, target, dim]
    """
    ### BEGIN SOLUTION
    norms, first = block.norms, block.norm_first
    x = residual(x, lambda y: block.attention(y, mask=mask), norms[0], first)
    x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), norms[1], first)
    return residual(x, block.feed_forward, norms[2], first)
    ### END SOLUTION

# %% id="check-decoder_block" tags=["check"]
decoder_block = check("decoder_block")

# %% id="decoder-class"
class DecoderBlock(nn.Module):
    def __init__(self, dim, heads, hidden, norm_first=True):
        super().__init__()
        self.attention = MultiHeadAttention(dim, heads)
        self.cross_attention = MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.norms = nn.ModuleList([LayerNorm(dim) for _ in range(3)])
        self.norm_first = norm_first

    def forward(self, x, memory, mask=None, memory_mask=None):
        return decoder_block(self, x, memory, mask, memory_mask)


looking = DecoderBlock(32, 4, 64)(torch.randn(3, 5, 32), memory=torch.randn(3, 7, 32))
print("five words look at seven, in each of three sentences, and come out as", tuple(looking.shape))

# %% [markdown] id="embed-idea"
# What goes in at the bottom? A text is a row of **tokens**: numbers that stand for words, or pieces of words. Each has a vector of its own in a table of `[vocabulary, dim]`, and indexing with a whole tensor of numbers looks all of them up: `table[tokens]`. To that the *place* is added, lab 02's sines and cosines, here `sinusoidal(n, dim, device=…)`, which gives one row for each place, whatever stands there; `n` is how many tokens a text has, a number, not the tokens themselves.
#
# A sine is as large as 1. The table's entries are much smaller: its rows begin with a length of about one, because at the top of the decoder the same table serves once more (below). Before the places are added, the vectors are therefore multiplied by $\sqrt{\text{dim}}$ (Vaswani et al. 2017, §3.4). Otherwise hardly anything would be seen of the word beside its place.
#
# $$\text{embed}(\text{tokens}) = \sqrt{\text{dim}} \cdot \text{table}[\text{tokens}] + \text{places}$$
#
# New tensors are made on the device of the old: `device=table.device`. On a machine without a GPU you would not notice.

# %% id="embed" tags=["exercise"] minutes=6 difficulty=2 teaches="embedding: looking up, the factor √dim, places"
def embed(tokens, table):
    """The vectors of some texts, each with its place added.

    tokens: [batch, tokens], numbers of tokens; table: [vocabulary, dim]
    returns [batch, tokens, dim], so that gradients flow back to the table
    """
    ### BEGIN SOLUTION
    dim = table.shape[1]
    places = sinusoidal(tokens.shape[1], dim, device=table.device)
    return math.sqrt(dim) * table[tokens] + places
    ### END SOLUTION

# %% id="check-embed" tags=["check"]
embed = check("embed")

# %% [markdown] id="tower-text"
# All parts are there. A tower is: embed, go through the blocks one after the other, and a last norm, since on a free road nobody has normalised the sum. For the encoder it reads like this. The mask says which words of the source are real and which only filling, in the shape that broadcasts to every query.

# %% id="encode"
PAD, START, END = 0, 1, 2


def encode(model, source):
    """The memory. source: [batch, source], numbers of tokens; returns [batch, source, dim]."""
    x = embed(source, model.embedding.weight)
    real = (source != PAD)[:, None, :]
    for block in model.encoder:
        x = block(x, real)
    return model.encoder_norm(x)

# %% [markdown] id="decode-idea"
# The decoder's is yours. It embeds the *target* with the same table. Its blocks, `model.decoder`, are called as you wrote them, `block(x, memory, mask, memory_mask)`: all of them get the same memory, and two masks. No target may look ahead (`causal_mask(n, device=…)` from lab 02, for $n$ tokens), and the filling of the *source* stays hidden. The last norm is `model.decoder_norm`.
#
# The target may be filled up, too, at its end. It needs no mask for that: from every real word, the causal mask hides all that comes after.

# %% id="decode" tags=["exercise"] minutes=7 difficulty=3 teaches="the decoder's way: embedding, two masks, one memory, a last norm"
def decode(model, target, memory, source):
    """Vectors from which to say what follows each token of the target.

    model: holds embedding, decoder (the blocks) and decoder_norm
    target: [batch, target], numbers of tokens; memory: [batch, source, dim]
    source: [batch, source], the tokens that the memory was made of
    returns [batch, target, dim]
    """
    ### BEGIN SOLUTION
    x = embed(target, model.embedding.weight)
    earlier = causal_mask(target.shape[1], device=target.device)
    real = (source != PAD)[:, None, :]
    for block in model.decoder:
        x = block(x, memory, earlier, real)
    return model.decoder_norm(x)
    ### END SOLUTION

# %% id="check-decode" tags=["check"]
decode = check("decode")

# %% [markdown] id="model-text"
# What remains is a class that holds the parts. At its top, the table is used the other way round: every vector is compared with the vector of each token, and these dot products are the scores, called **logits** (§3.4 of the paper). One thing we leave out. In training, the paper sets a tenth of each sublayer's entries to zero at random (**dropout**, §5.4), so that a model does not learn its pairs by heart. Our small language below never shows a pair twice and does without; the translator of lab 03b was trained with it.

# %% id="model"
class Transformer(nn.Module):
    def __init__(self, vocabulary, dim, heads, hidden, blocks, norm_first=True):
        super().__init__()
        shape = (dim, heads, hidden, norm_first)
        self.embedding = nn.Embedding(vocabulary, dim)
        self.encoder = nn.ModuleList([EncoderBlock(*shape) for _ in range(blocks)])
        self.decoder = nn.ModuleList([DecoderBlock(*shape) for _ in range(blocks)])
        self.encoder_norm, self.decoder_norm = LayerNorm(dim), LayerNorm(dim)
        # random matrices that keep signals at their size (Glorot and Bengio 2010)
        glorot(self)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)

    def logits(self, x):
        """How well each vector matches each token of the vocabulary."""
        return x @ self.embedding.weight.mT

    def forward(self, source, target):
        return self.logits(decode(self, target, encode(self, source), source))

# %% [markdown] id="walk-text"
# Follow one sentence through both towers: *I see the old house*, of which the German so far is *ich sehe*. The words are numbered in a vocabulary of eleven. Watch the number of tokens: six in the encoder, three in the decoder, and only the weights of cross-attention, queries by keys, have both.

# %% id="walk"
words = "<pad> <s> </s> I see the old house ich sehe das".split()
source_words, target_words = "I see the old house </s>".split(), "<s> ich sehe".split()
english, german = (torch.tensor([[words.index(word) for word in text]])
                   for text in (source_words, target_words))
torch.manual_seed(0)
tiny = Transformer(vocabulary=len(words), dim=16, heads=4, hidden=32, blocks=2)
axes_of_weights = "batch, heads, queries, keys"
print("source", english[0].tolist(), tuple(english.shape))
x = embed(english, tiny.embedding.weight)
print("  embedded, with places         ", tuple(x.shape))
for i, block in enumerate(tiny.encoder):
    around = block.attention.weights(x)
    print(f"  encoder block {i}, looking around", tuple(around.shape), axes_of_weights)
    x = block(x)
    print(f"  encoder block {i} hands on       ", tuple(x.shape))
memory = tiny.encoder_norm(x)
print("  the memory                    ", tuple(memory.shape))
print("target", german[0].tolist(), tuple(german.shape))
x = embed(german, tiny.embedding.weight)
print("  embedded, with places         ", tuple(x.shape))
for i, block in enumerate(tiny.decoder):
    look = partial(block, x, memory, causal_mask(3))
    over = weights_during(block.cross_attention, look)
    print(f"  decoder block {i}, looking over  ", tuple(over.shape), axes_of_weights)
    x = look()
    print(f"  decoder block {i} hands on       ", tuple(x.shape))
print("  logits for what comes next    ", tuple(tiny.logits(tiny.decoder_norm(x)).shape))

# %% [markdown] id="walk-question"
# Everything between keeps its shape, `[batch, tokens, dim]`: that is why blocks can be stacked at will.
#
# **Question.** The decoder saw three tokens and gives three rows of logits. Which of them is asked for in use, and what are the other two good for?
#
# <details><summary>Answer</summary>
#
# In use the last row alone: it says what should follow *ich sehe*. The first says what should follow `<s>`, the second what should follow *ich*; that is known already. But in *training* all three are asked for at once, each knowing only what stands before it. Section 5 makes use of it.
# </details>

# %% [markdown] id="parity-text"
# Is it *the* Transformer? PyTorch has one of its own, `torch.nn.Transformer`, without embeddings. We pour its random weights into your two towers and compare what comes out, with filling in the batch, for both places of the norm. (PyTorch's masks say what is *hidden*, hence the `~`.) Then we do the same with six trained blocks on either side: the translator that lab 03b will use.

# %% id="parity"
filled = torch.tensor([[5, 6, 7, 8, 4, 3, 2], [4, 9, 5, 2, 0, 0, 0], [2, 0, 0, 0, 0, 0, 0]])
so_far = torch.tensor([[1, 5, 6, 7, 8], [1, 9, 9, 4, 2], [1, 3, 2, 0, 0]])


def largest_difference(norm_first, poured_into):
    """Between PyTorch's Transformer and one of yours that was given its weights."""
    theirs = pour.random_pytorch(32, 4, 48, blocks=3, norm_first=norm_first)
    yours = Transformer(10, 32, 4, 48, blocks=3, norm_first=poured_into)
    pour.from_pytorch(theirs, yours)
    hidden = filled == PAD
    expected = theirs(*(embed(tokens, yours.embedding.weight) for tokens in (filled, so_far)),
                      tgt_mask=~causal_mask(5),
                      src_key_padding_mask=hidden, memory_key_padding_mask=hidden)
    return (decode(yours, so_far, encode(yours, filled), filled) - expected).abs().max()


torch.manual_seed(1)
for order, norm_first in (("last", False), ("first", True)):
    claim(f"your Transformer is PyTorch's, norm {order}: largest difference",
          largest_difference(norm_first, norm_first), at_most=1e-5,
          control={"its norms elsewhere": largest_difference(norm_first, not norm_first)},
          paper="Vaswani et al. 2017, §3.1")

course = seq2seq.pretrained()[0]
shape = course.config
translator = Transformer(shape.vocabulary, shape.dim, shape.heads, shape.hidden, shape.blocks,
                         shape.norm_first)
untrained = (translator(filled, so_far) - course(filled, so_far)).abs().max()
pour.from_course(course, translator)
claim("the translator of lab 03b says the same in your Transformer: largest difference of a logit",
      (translator(filled, so_far) - course(filled, so_far)).abs().max(), at_most=1e-3,
      control={"before its weights were poured in": untrained})

# %% [markdown] id="cross-question"
# **Question.** A decoder whose cross-attention looked at the decoder's own words instead of the memory would still learn something. What?
#
# <details><summary>Answer</summary>
#
# German. It would be a language model: it learns which words follow which, and writes fluent sentences that have nothing to do with the source. The loss falls for a while, which is why this mistake is a nasty one. Take the memory and the encoder away on purpose, and you have GPT, which is lab 04.
# </details>

# %% [markdown] id="shift-idea"
# ## 5 · Teaching all positions at once
#
# In use, the decoder writes a word, reads what it has written, writes the next. In training we know the whole target beforehand, so there is no need to wait: at *every* position at once, we show the decoder the right words up to there and ask for the next. This is called **teacher forcing**.
#
# What is asked for, the **labels**, ends with the end token. What is *seen* is the same, moved one place to the right, with a start token in front:
#
# | place | 0 | 1 | 2 | 3 |
# |---|---|---|---|---|
# | sees, besides all to its left | `<s>` | ich | sehe | dich |
# | is asked for | ich | sehe | dich | `</s>` |
#
# The causal mask does the rest: place 2 sees `<s>`, *ich*, *sehe*, and not the *dich* that it is asked for. Shorter targets are filled up at the end, after `</s>`, and are shifted like the others. Some tools: `torch.full_like(t, 7)` is a tensor of the shape and type of `t`, full of sevens; `labels[:, :-1]` is all but the last column; `torch.cat([a, b], dim=1)` puts two side by side.

# %% id="shift_right" tags=["exercise"] minutes=4 difficulty=2 teaches="what is seen and what is asked for"
def shift_right(labels, start=1):
    """What the decoder sees when it is asked for the labels.

    labels: [batch, tokens], numbers of tokens; start: the number of the start token
    returns [batch, tokens]
    """
    ### BEGIN SOLUTION
    first = torch.full_like(labels[:, :1], start)
    return torch.cat([first, labels[:, :-1]], dim=1)
    ### END SOLUTION

# %% id="check-shift_right" tags=["check"]
shift_right = check("shift_right")

# %% [markdown] id="teacher-text"
# Does one pass over all positions really give what one gets word by word? We take an *untrained* Transformer, ask it for all positions of 40 tokens at once, and then again forty times, each time with one token more and all before it anew. (The fourth exercise under “Going further” keeps what was computed instead.) The control takes the causal mask away.

# %% id="teacher"
torch.manual_seed(2)
pupil = Transformer(vocabulary=100, dim=64, heads=4, hidden=256, blocks=2).to(lab.device)
foreign, wanted = (torch.randint(3, 100, (8, 40), device=lab.device) for _ in range(2))


@torch.no_grad()
def at_once():
    return pupil.logits(decode(pupil, shift_right(wanted), encode(pupil, foreign), foreign))


@torch.no_grad()
def word_by_word():
    read, seen = encode(pupil, foreign), shift_right(wanted)
    ends = [decode(pupil, seen[:, :n], read, foreign)[:, -1] for n in range(1, 41)]
    return pupil.logits(torch.stack(ends, dim=1))


@torch.no_grad()
def without_a_mask():
    x = embed(shift_right(wanted), pupil.embedding.weight)
    for block in pupil.decoder:
        x = block(x, encode(pupil, foreign))
    return pupil.logits(pupil.decoder_norm(x))


one_by_one = word_by_word()
claim("all at once is what word by word gives: largest difference",
      (at_once() - one_by_one).abs().max(), at_most=1e-3,
      control={"without the causal mask": (without_a_mask() - one_by_one).abs().max()},
      paper="Vaswani et al. 2017, §3.1")
claim("and takes less than a fifth of the time: share",
      seconds(at_once, 3) / seconds(word_by_word, 2), below=0.2)

# %% [markdown] id="loss-idea"
# Now the loss. The decoder gives scores over the whole vocabulary; a softmax makes probabilities of them; the loss of a token is minus the logarithm of the probability that its label got. Two refinements.
#
# **Filling does not count.** Sentences in a batch have different lengths. Where the label is only filling, nothing is asked, so nothing is to be paid, and the mean is over the real tokens alone.
#
# **Label smoothing** (Szegedy et al. 2016, §7). The plain loss is never content: even at a probability of 0.99 it pulls for more, and the scores grow without end. So we ask for a little less. The target gives the label $1 - \epsilon$, and shares $\epsilon$ out among *all* $V$ tokens alike, the label among them. With $p$ the model's probabilities:
#
# $$\text{loss of a token} = -(1 - \epsilon)\,\log p_{\text{label}} \;-\; \epsilon \cdot \frac{1}{V} \sum_{v=1}^{V} \log p_v$$
#
# Take logarithms with `log_softmax`, not as the `log` of a `softmax`, which can round to the logarithm of zero. To pick each label's entry from the last axis: `table.gather(-1, labels[..., None])[..., 0]`.

# %% id="smoothed_loss" tags=["exercise"] minutes=10 difficulty=3 teaches="cross-entropy, label smoothing, padding that does not count"
def smoothed_loss(logits, labels, smoothing=0.1, padding=0):
    """The mean loss of the real tokens.

    logits: [batch, tokens, vocabulary], scores; labels: [batch, tokens], numbers of tokens
    smoothing: the share that is spread evenly; padding: labels of this number do not count
    returns a single number, as a tensor
    """
    ### BEGIN SOLUTION
    log_probabilities = logits.log_softmax(dim=-1)
    right = log_probabilities.gather(-1, labels[..., None])[..., 0]
    spread = log_probabilities.mean(dim=-1)
    each = -(1 - smoothing) * right - smoothing * spread
    return each[labels != padding].mean()
    ### END SOLUTION

# %% id="check-smoothed_loss" tags=["check"]
smoothed_loss = check("smoothed_loss")

# %% id="pace-loss" tags=["nbval-ignore-output"]
def course_loss(logits, labels, smoothing=0.1, padding=0):
    return seq2seq.label_smoothed_loss(logits, labels, smoothing, padding)


loss_example = torch.randn(32, 14, 103), torch.randint(1, 103, (32, 14))
smoothed_loss = at_pace(smoothed_loss, course_loss, *loss_example)

# %% [markdown] id="floor-text"
# With smoothing, the loss cannot reach zero, not even for a model that knows everything. It is smallest when $p$ is the smoothed target itself, $1 - \epsilon + \epsilon/V$ for the label and $\epsilon/V$ for every other token, and then the loss is that target's entropy: the mean of its own $-\log p$, here in nats, since the logarithm is the natural one. This is the **floor**; only what lies above it can be learned away.

# %% id="floor"
def floor_of(smoothing, vocabulary):
    """The smallest loss that a model can have, in nats: the entropy of the smoothed target."""
    other = smoothing / vocabulary
    label = 1 - smoothing + other
    return -label * math.log(label) - (vocabulary - 1) * (other * math.log(other) if other else 0)


scores = torch.linspace(-2, 12, 200)
one_of_eight = torch.cat([scores[:, None, None], torch.zeros(200, 1, 7)], dim=-1)
by_score = {
    smoothing: torch.stack([smoothed_loss(row[None], torch.tensor([[0]]), smoothing, padding=-1)
                            for row in one_of_eight])
    for smoothing in (0.0, 0.1, 0.3)
}
claim("smoothing 0.1, the smallest loss of all scores is the floor: difference in nats",
      (by_score[0.1].min() - floor_of(0.1, 8)).abs(), at_most=1e-3,
      control={"smoothing 0.3, same floor": (by_score[0.3].min() - floor_of(0.1, 8)).abs()},
      paper="Szegedy et al. 2016, §7")

# %% id="fig-smoothing" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.4))
for smoothing, colour in ((0.0, colours.GREY), (0.1, colours.BLUE), (0.3, colours.ORANGE)):
    axes.plot(scores, by_score[smoothing], color=colour, label=f"smoothing {smoothing}")
    if smoothing:
        best = by_score[smoothing].argmin()
        axes.axhline(floor_of(smoothing, 8), color=colour, linestyle=":", linewidth=1.2)
        axes.plot(scores[best], by_score[smoothing][best], "o", color=colour)
axes.set(title="one token of eight, the others' scores at 0; dotted: the floors",
         xlabel="score of the right token", ylabel="loss, nats", ylim=(0, None))
axes.legend()
show(figure, alt="The loss against the score of the right token. Without smoothing it falls to "
     "zero for ever; with it there is a lowest point, on a dotted line that marks the floor, "
     "after which a still higher score costs more.")

# %% [markdown] id="loss-question"
# With smoothing there is a score that is high *enough*. Beyond the dot, more certainty costs.
#
# **Question.** The paper says that smoothing “hurts perplexity” and helps BLEU, a score for translations (§5.4). How can both be true?
#
# <details><summary>Answer</summary>
#
# Perplexity, e to the power of the mean loss, counts the probability of the reference's very words, and the model has been told to hold some of it back. BLEU, which lab 03b explains, looks only at which words were chosen. That these choices get better is what the paper measured; one explanation is that a model which is less certain of one word ranks the others better.
# </details>

# %% [markdown] id="train-idea"
# ## 6 · The step that learns
#
# Everything is there but the learning itself. For each batch of pairs:
#
# 1. ask the model, `model(source, target)`, for its logits, where the target is what it may *see*;
# 2. take the loss to what it is *asked for*;
# 3. clear the gradients of the step before, `optimiser.zero_grad()`, since torch *adds* new ones to old ones;
# 4. compute the gradient of every weight, `loss.backward()`;
# 5. move every weight a little against its gradient, `optimiser.step()`.
#
# Note each loss down as `loss.detach()`: the number without the road that led to it. (`loss.item()` is a plain number, but a GPU must be waited for to get it, in every step.)

# %% id="train" tags=["exercise"] minutes=7 difficulty=2 teaches="the training step: forward, loss, gradients, step"
def train(model, optimiser, batches):
    """One step of learning for each batch; uses shift_right and smoothed_loss, with its defaults.

    model: called as model(source, target), gives logits
    optimiser: one of torch.optim, for the model's weights
    batches: something to loop over, which gives pairs (source, labels), each [batch, tokens]
    returns the list of the losses, one a batch, each as it was before its step
    """
    ### BEGIN SOLUTION
    losses = []
    for source, labels in batches:
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    return losses
    ### END SOLUTION

# %% id="check-train" tags=["check"]
train = check("train")

# %% [markdown] id="schedule-idea"
# How far is “a little”? The paper uses Adam, which divides each weight's gradient by its usual size, so that every weight moves by about the learning rate, whatever the gradient. But at the first steps everything is random, the gradients are wild, and what is usual is not known yet. Large steps now can spoil a model for good, above all with the norm last. So the paper lets the learning rate *climb* in a straight line for some thousands of steps, and then *fall* as one over the root of the step's number (Vaswani et al. 2017, eq. 3):
#
# $$\text{rate} = \text{dim}^{-0.5} \cdot \min\left(\text{step}^{-0.5},\; \text{step} \cdot \text{warmup}^{-1.5}\right)$$
#
# At step = warmup both terms are equal, and the rate is at its peak. For our short training we climb for 100 steps, to a third of the formula's height.

# %% id="schedule"
def rate(step):
    """The paper's schedule, for a short training of a model 64 wide; steps count from one."""
    return seq2seq.warm_up_rate(step, dim=64, warmup=100) / 3


print("step 1, 50, 100, 400:", *(f"{1e4 * rate(step):.2f}" for step in (1, 50, 100, 400)), "× 10⁻⁴")

# %% [markdown] id="language-idea"
# ## 7 · A small language, learned live
#
# German takes hours. So first a language that takes less than a minute. Guests arrive at a party, and the model writes the list in alphabetical order.

# %% id="language"
for come, ordered in zip(*guests.draw(2, random.Random(0), fewest=4, most=6)):
    print(guests.spelled(come.tolist()), "→", guests.spelled(ordered.tolist()))

test = guests.draw(200, random.Random(2))
print(len(guests.NAMES), "names, 8 to 14 guests; test lists, filled up:", tuple(test[0].shape))

# %% [markdown] id="language-text"
# There is no end of such lists, so a test list was never seen before. Note what makes it hard. A name is a *token*: the model sees no letters and is not told the alphabet. It must find out from examples who comes before whom, and to say the next name, it must know all the others.
#
# Your parts go into the model, and your `train` teaches it. What is left for this cell is to hand it batches, each with its learning rate, and to look at the test now and then. (A `yield` hands out one batch and goes on, one line further, when the next is asked for.)

# %% id="learn"
def lessons(model, optimiser, steps, name, schedule, tests):
    """Fresh lists, 32 at a time; every 50 steps, what share of names and lists is right."""
    chance = random.Random(1)
    for step in track(range(1, steps + 1), name):
        optimiser.param_groups[0]["lr"] = schedule(step)
        yield tuple(side.to(lab.device) for side in guests.draw(32, chance))
        if step % 50 == 0 or step == steps:
            tests.append((step, *seq2seq.marked(model, *test)))


def learn(model, steps, name, schedule=rate):
    """Train a model on lists of guests; returns the loss of every step, and what the tests said."""
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)  # as in §5.3
    tests = []
    losses = train(model, optimiser, lessons(model, optimiser, steps, name, schedule, tests))
    return [float(loss) for loss in losses], tests


steps = budget(cpu=500, gpu=500, smoke=3)
torch.manual_seed(0)
sorter = Transformer(len(guests.TOKENS), dim=64, heads=4, hidden=128, blocks=2).to(lab.device)
losses, tests = learn(sorter, steps, "learning to sort")
others = seq2seq.marked(sorter, test[0].roll(1, dims=0), test[1])
claim("test names that your Transformer says rightly, given those before", tests[-1][1], above=95,
      unit="%", control={"with the source of another list": others[0]})

# %% [markdown] id="dictate-idea"
# “Given those before” is not yet writing. In use there is no right answer to look at, only what the model itself has said. So: begin with the start token, take the likeliest next one, put it behind, ask again, until it says the end. (For many sentences at once, and with more foresight than this, see lab 03b.)

# %% id="dictate" tags=["nbval-ignore-output"]
arrived = guests.read("Tara Max Pia Quinn Felix Nora Zoe Hugo Ben Lotte Emil").to(lab.device)
said = torch.full_like(arrived[:, :1], START)
while said[0, -1] != END and said.shape[1] < 20:
    following = sorter(arrived, said)[:, -1].argmax(dim=-1)
    said = torch.cat([said, following[:, None]], dim=1)
print("arrived:  ", guests.spelled(arrived[0].tolist()))
print("it writes:", guests.spelled(said[0].tolist()))

# %% [markdown] id="sorted-look"
# Where does it look? For every name that it writes, the weights of cross-attention over the guests as they arrived, in the last block.

# %% id="fig-sorted" tags=["nbval-ignore-output"]
looking_over = sorter.decoder[-1].cross_attention
over_there = weights_during(looking_over, lambda: sorter(arrived, said[:, :-1]))[0].mean(0).cpu()
columns = [guests.TOKENS[token] for token in arrived[0].tolist()]
rows = [guests.TOKENS[token] for token in said[0, 1:].tolist()]
figure, axes = plt.subplots(figsize=(6.4, 4.8))
image = axes.imshow(over_there, cmap="Blues", vmin=0, aspect="auto")
axes.set_xticks(range(len(columns)), columns, rotation=60, ha="right", rotation_mode="anchor")
axes.set_yticks(range(len(rows)), rows)
axes.set(title="cross-attention of the last block, mean of its heads",
         xlabel="is looked at", ylabel="is written")
axes.grid(False)
figure.colorbar(image, ax=axes, label="share of the attention")
show(figure, alt="A matrix with a row for each name that is written, in alphabetical order, and "
     "a column for each guest in order of arrival. Most rows have one dark entry, at the name "
     "itself: together they are a permutation.")

# %% [markdown] id="sorted-question"
# Most rows have one dark square, at the very guest who is written there; only for the end, `</s>`, there is no guest to look at. Nobody asked for that: the model was told only which names were right, and looking at the next guest in line is what makes the loss small.
#
# **Question.** Could a model with a single attention and no small network sort at all?
#
# <details><summary>Answer</summary>
#
# For the decoder, to say the next name is to find, among the names *after* the last one said, the one nearest to it. One attention can do that, in principle: its scores must be high for names just after, lower for those further on, lowest for those before. With a hundred names in 64 entries the steps between neighbours are small, so weights spread over several names; more layers sharpen them.
# </details>

# %% [markdown] id="rival-idea"
# ## 8 · Against a recurrent network
#
# What came before the Transformer was a recurrent network with attention (Bahdanau et al. 2015): an encoder reads the source word by word in both directions, a decoder writes word by word and looks at the source at each step. The course has one, a GRU with dot-product attention. It gets as many parameters, the same lists in the same order, as many steps, the same loss and the same test; and a learning rate twice as high, which suits it better.
#
# Before you look: how many whole lists does the GRU get right after the last step, given the right names before each?

# %% id="guess-rival" tags=["nbval-ignore-output"]
guess_rival = predict("Whole lists that a GRU of the same size gets right after the same steps",
                      low=0, high=100, unit="%")

# %% id="rival"
parameters = sum(p.numel() for p in sorter.parameters())
size = gru.of_size(parameters, gru.Config(len(guests.TOKENS), dropout=0.0))
torch.manual_seed(0)
recurrent = gru.GRU(size).to(lab.device)
their_losses, their_tests = learn(recurrent, steps, "learning to sort, recurrently",
                                  lambda step: 2 * rate(step))
print(f"parameters: Transformer ⟨{parameters:,}⟩, GRU ⟨{recurrent.parameter_count:,}⟩")
claim("at equal parameters and steps, whole lists right: the Transformer is above the GRU",
      tests[-1][2], above=their_tests[-1][2], unit="%")

# %% id="fig-rival" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for name, values, tested, colour in (
    ("Transformer", losses, tests, colours.BLUE),
    ("GRU with attention", their_losses, their_tests, colours.ORANGE),
):
    left.plot(range(1, len(values) + 1), values, color=colour, alpha=0.8, linewidth=1.2, label=name)
    at, _, whole = zip(*tested)
    right.plot(at, whole, "o-", color=colour, label=name)
left.axhline(floor_of(0.1, len(guests.TOKENS)), color=colours.INK, linestyle=":", label="the floor")
left.set(title="loss", xlabel="step", ylabel="label-smoothed loss, nats", ylim=(0, None))
left.legend()
right.set(title="whole lists right, given the names before", xlabel="step", ylabel="%",
          ylim=(0, 103))
right.legend()
draw_guess(right, guess_rival)
show(figure, alt="Loss and whole lists right against the step for a Transformer and a GRU of "
     "the same size. At first the GRU's loss falls faster; then the Transformer overtakes it and "
     "comes near a dotted line, the floor, and it gets many more lists right in the end.")

# %% [markdown] id="rival-text"
# Look at the losses, too: at first the GRU's is ahead; then the Transformer goes further, and comes near the floor: what is left above the dotted line is all that there was still to learn. One explanation: to sort is to compare everybody with everybody. Attention does just that within one layer, while the GRU's encoder must do it in passing, name by name.
#
# Do not conclude too much. Where neighbours tell most, as letters within a word do, recurrence keeps its head start: on dates written in words and figures, letter by letter, a GRU of this size learns far faster than the Transformer. The second exercise under “Going further” measures it. What the paper showed is that with enough data and size, attention wins on real translation.

# %% [markdown] id="time-idea"
# The second half of the claim is about *time*. A recurrent network computes word 5 after word 4, in training as well. The Transformer computes all words of a layer at once (Vaswani et al. 2017, table 1: sequential operations $O(1)$ against $O(n)$). We time one training step on a single sentence of $n$ words, for both.

# %% id="step-time"
lengths = [8, 16, 32, 64, 128, 256, 512, 1024][: budget(cpu=6, gpu=8, smoke=3)]


def step_time(model, n):
    """The shortest of some training steps on one sentence of n words, in seconds."""
    source, labels = (torch.randint(3, 100, (1, n), device=lab.device) for _ in range(2))
    return seconds(lambda: smoothed_loss(model(source, shift_right(labels)), labels).backward(),
                   times=budget(cpu=9, gpu=9, smoke=2))


times = {name: [step_time(each, n) for n in track(lengths, f"timing the {name}")]
         for name, each in {"Transformer": sorter, "GRU": recurrent}.items()}
growth = {name: taken[-1] / taken[0] for name, taken in times.items()}
table_1 = "Vaswani et al. 2017, table 1"
claim("from the shortest sentence to the longest, its step grows less than the GRU's: factor",
      growth["Transformer"], below=growth["GRU"], paper=table_1)
claim("at the longest sentence the Transformer's step takes less time than the GRU's: share",
      times["Transformer"][-1] / times["GRU"][-1], below=1, paper=table_1)

# %% id="fig-step-time" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.4))
for (name, taken), colour in zip(times.items(), (colours.BLUE, colours.ORANGE)):
    axes.plot(lengths, [1e3 * s for s in taken], "o-", color=colour)
    axes.annotate(f"  {name}: the longest takes\n  {growth[name]:.1f} times the shortest",
                  (lengths[-1], 1e3 * taken[-1]), va="center", fontsize=9)
axes.set_xticks(lengths[-4:], lengths[-4:])
axes.margins(x=0.02)
axes.set(title="one training step on one sentence", xlabel="words in the sentence",
         ylabel="time, ms", ylim=(0, None))
show(figure, alt="Time of a training step against the length of the sentence. The GRU's grows "
     "in proportion to the length, the Transformer's hardly.")

# %% [markdown] id="time-question"
# On short sentences the Transformer's step costs nearly the same whatever the length: what takes time is going through its layers, not the words in them. At 8 words the GRU may even be ahead.
#
# **Question.** Why does the Transformer gain even on one processor core, where nothing runs side by side? And what happens at lengths far to the right of the picture?
#
# <details><summary>Answer</summary>
#
# It does its arithmetic in few large matrix products, the GRU in many small ones, and a small product costs mostly the overhead of starting it: calling, reading weights from memory. On a machine with many cores, or a GPU, the difference grows. Far to the right the square comes into its own: $n^2$ scores for each head, which the GRU has only between the languages.
# </details>

# %% [markdown] id="claims"
# ## 9 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | the architecture | figure 1 and §3 | your parts, with PyTorch's weights, give PyTorch's output to 10⁻⁵, in both orders of the norm: section 4 |
# | norm first tames the gradient at the top | with the norm last it stays large however deep the stack, with the norm first it shrinks as 1/√blocks (Xiong et al. 2020, §3.3) | the last block's gradient, for stacks of 1 to 12 blocks: section 3 |
# | all positions at once | the decoder's mask keeps training autoregressive: each word from those before it alone (Vaswani et al. 2017, §3.1) | to the last digits what word by word gives, in a fraction of the time: section 5 |
# | better than recurrence | 28.4 BLEU, above all recurrent and convolutional models of its time, for less computation (§6.1, table 2) | in our own test, on sorting, at equal parameters and steps, section 8; not on dates, section 10 |
# | a step waits for nobody | sequential operations of a layer: 1 against n (table 1) | growth of a step's time with the length: section 8 |
#
# **What does not carry over.** A list of guests is no language: the guests come in any order, and none depends on who stands beside them. “At equal size better than recurrence” holds on some tasks and not on others at our size, as section 8 and the second exercise of section 10 show; the paper's case was large data, 4.5 million pairs of sentences for a model of 65 million parameters (§5, table 3). And step times of one sentence say something about waiting, and little about what a GPU does with hundreds of sentences together.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Not attention, nor encoder and decoder, nor residuals, nor layer norm. New was to leave out the recurrence, and to show with scale, heads, positions and schedule how to make the rest train.
# - *What is not?* Its loss, its smoothing and its optimiser are those of the systems before it. An honest comparison gives the rival the same.
# - *When does it fail?* When data are few and neighbours tell most; and with a step that must wait for the one before, when it *writes*.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 10 · Going further
#
# **1. More guests than ever.** Give section 7's model lists of 18 to 24 guests. What happens, at which place in the list, and does the GRU do better?
#
# <details><summary>Solution</summary>
#
# ```python
# longer = guests.draw(400, random.Random(4), fewest=18, most=24)
# for name, each in (("Transformer", sorter), ("GRU", recurrent)):
#     for known, lists in (("usual lists:", test), ("longer lists:", longer)):
#         print(name, known, "%.0f %% of the names, %.0f %% whole" % seq2seq.marked(each, *lists))
# with torch.no_grad():
#     seen = shift_right(longer[1]).to(lab.device)
#     answers = sorter(longer[0].to(lab.device), seen).argmax(dim=-1).cpu()
# names = longer[1] > END  # the end token is another question
# good = (answers == longer[1]) & names
# by_place = good.sum(dim=0)[:24] / names.sum(dim=0)[:24]
# print(*(f"{share:.2f}" for share in by_place))
# claim("names right in longer lists, the Transformer above the GRU",
#       seq2seq.marked(sorter, *longer)[0], above=seq2seq.marked(recurrent, *longer)[0], unit="%")
# claim("longer lists right from beginning to end, share of the usual ones'",
#       seq2seq.marked(sorter, *longer)[1] / seq2seq.marked(sorter, *test)[1], below=0.5)
# claim("share of names right at places 8 to 17, which training knew, against the first five",
#       by_place[7:17].mean(), below=by_place[:5].mean())
# ```
#
# It bends and does not break: more than nine names of ten are still right, and as one slip spoils a list, far fewer lists are. The GRU loses more names. The share falls little by little from place to place, from nearly all at the first to about nine in ten at the last, and it falls already at places that training knew well. So it is not so much new places that are hard as more names to choose from: to sort, one goes by who the guests are, hardly by where they stand. A translator's long sentences are worse off, as lab 03b shows.
# </details>
#
# **2. Where the GRU wins.** `squint.data.dates` writes dates in words and figures (“the third of May, nineteen hundred and four”), with their ISO form. Train both models of section 8 on it, letter by letter.
#
# <details><summary>Solution</summary>
#
# ```python
# from dataclasses import replace
#
# from squint.data import dates
# from squint.text.bpe import pad
#
# some = dates.load("train", 2000)
# letters = ["<pad>", "<s>", "</s>", *sorted(set("".join(some.written + some.iso)))]
#
# def spell(days):
#     return tuple(pad([[letters.index(letter) for letter in text] + [END] for text in side])
#                  for side in (days.written, days.iso))
#
# exam, ends = spell(dates.load("test", 200)), {}
# for name, each, peak in (("Transformer", Transformer(len(letters), 64, 4, 128, 2), 1),
#                          ("GRU", gru.GRU(replace(size, vocabulary=len(letters))), 2)):
#     optimiser = torch.optim.Adam(each.to(lab.device).parameters(), betas=(0.9, 0.98), eps=1e-9)
#     days = random.Random(1)
#     def batches():
#         for step in track(range(1, 301), name):
#             optimiser.param_groups[0]["lr"] = peak * rate(step)
#             pairs = spell(dates.load("train", 32, days.randrange(10**9)))
#             yield tuple(side.to(lab.device) for side in pairs)
#     train(each, optimiser, batches())
#     ends[name] = seq2seq.marked(each, *exam)
#     print(name, "%.0f %% of the letters, %.0f %% of the dates" % ends[name])
# claim("dates right, the GRU more than ten above the Transformer",
#       ends["GRU"][1], above=ends["Transformer"][1] + 10, unit="%")
# ```
#
# The GRU is far ahead: after 300 steps it has nearly all dates right, the Transformer hardly a third. One explanation: it reads letters in order, so that a word is put together on the way, while the Transformer must first learn what “next to” means.
# </details>
#
# **3. Norm last, no warm-up.** Train section 7's model with six blocks, with the norm first and last, once with the schedule and once with a constant rate at its peak. What does the paper's caution buy?
#
# <details><summary>Solution</summary>
#
# ```python
# deep_ends = {}
# for norm_first in (True, False):
#     for kind, schedule in (("schedule", rate), ("constant", lambda step: rate(100))):
#         torch.manual_seed(0)
#         deep = Transformer(len(guests.TOKENS), 64, 4, 128, blocks=6, norm_first=norm_first)
#         deep_losses, _ = learn(deep.to(lab.device), 200, kind, schedule)
#         deep_ends[norm_first, kind] = sum(deep_losses[-20:]) / 20
#         print("norm", "first" if norm_first else "last", kind, f"{deep_ends[norm_first, kind]:.2f}")
# claim("norm last at a constant rate: the loss stays near that of guessing names, log 100 = 4.6",
#       deep_ends[False, "constant"], above=3.5, control={"norm first": deep_ends[True, "constant"]})
# ```
#
# Guessing names costs the logarithm of a hundred, 4.6. With the norm first the loss is far below that, with the schedule and without. With the norm last, six blocks have learned nothing after 200 steps at the constant rate, and have only just begun with the schedule: the caution is needed, and it takes time. The paper gave its model 4,000 steps to warm up and 100,000 in all (§5.2, §5.3). This takes a minute or two.
# </details>
#
# **4. A cache of your own.** In section 5, forty words took forty passes over everything before them. Write the same with a memory: an attention for *one* new word, which keeps the keys and values of those before. Does it give the same, and in what time? (`attention.project(y)` gives the queries, keys and values of lab 02, split into heads; `attention.attention(query, key, value, None)` attends in each head; `attention.to_output` is the last projection, of the heads laid side by side.)
#
# <details><summary>Solution</summary>
#
# ```python
# def attend_one(attention, newest, kept):
#     query, key, value = attention.project(newest)  # one word: [batch, heads, 1, part]
#     kept.append((key, value))
#     keys, values = (torch.cat(several, dim=2) for several in zip(*kept))
#     attended = attention.attention(query, keys, values, None)  # all that is there may be seen
#     return attention.to_output(attended.transpose(1, 2).flatten(2))
#
# @torch.no_grad()
# def remembered():
#     read, seen = encode(pupil, foreign), shift_right(wanted)
#     kept, row = [[] for _ in pupil.decoder], []
#     vectors, real = embed(seen, pupil.embedding.weight), (foreign != PAD)[:, None, :]
#     for place in range(seen.shape[1]):
#         x = vectors[:, place : place + 1]  # embedded together: each has its own place
#         for block, past in zip(pupil.decoder, kept):
#             norms, first = block.norms, block.norm_first
#             x = residual(x, lambda y: attend_one(block.attention, y, past), norms[0], first)
#             x = residual(x, lambda y: block.cross_attention(y, read, real), norms[1], first)
#             x = residual(x, block.feed_forward, norms[2], first)
#         row.append(pupil.logits(pupil.decoder_norm(x)))
#     return torch.cat(row, dim=1)
#
# claim("remembered is what word by word gives: largest difference",
#       (remembered() - word_by_word()).abs().max(), at_most=1e-3)
# claim("time of the memory, share of the time without",
#       seconds(remembered, 3) / seconds(word_by_word, 3), below=0.9)
# ```
#
# The same but for the last digits, in about half the time, and more is saved the longer the text. No causal mask is needed: the future is not there yet. `squint.nn.transformer` has the same in its decoder, for beams as well.
# </details>
#
# **Reading.** Vaswani et al. (2017), “Attention Is All You Need”. Bahdanau, Cho and Bengio (2015), “Neural Machine Translation by Jointly Learning to Align and Translate”. Ba, Kiros and Hinton (2016), “Layer Normalization”. He et al. (2016), “Deep Residual Learning for Image Recognition”. Xiong et al. (2020), “On Layer Normalization in the Transformer Architecture”. Liu et al. (2020), “Understanding the Difficulty of Training Transformers”. Dong, Cordonnier and Loukas (2021), “Attention is Not All You Need: Pure Attention Loses Rank Doubly Exponentially with Depth”. Szegedy et al. (2016), “Rethinking the Inception Architecture for Computer Vision”, §7. Glorot and Bengio (2010), “Understanding the Difficulty of Training Deep Feedforward Neural Networks”.
#
# Next comes [lab 03b, Translation](03b_translation.ipynb): the same machine, trained for hours, turns English into German.

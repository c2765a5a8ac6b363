# ---
# squint:
#   lab: "03"
#   title: The Transformer
#   minutes: 120
#   promise: Build the whole Transformer, train it on a small language in front of your eyes, and translate English to German with it.
#   prerequisites: ["02_attention"]
#   objectives:
#     - write layer norm and the two ways of putting it into a residual, and measure what each does to the gradient and to the words
#     - join encoder and decoder by cross-attention, with the masks that keep it honest
#     - teach all positions at once by shifting the target, and write the loss that does not count filling
#     - warm the learning rate up and let it fall, as the paper does
#     - decode greedily and with a beam, for many sentences at once, and score texts of different lengths
#     - say what the Transformer gains over a recurrent network, where it does not, and where a small translator fails
#   claim: With nothing but attention, small networks, residuals and norms one builds a translator that learns all positions at once; its training step grows less with the length than a recurrent one's, at equal size it learns to sort better, and a beam finds better translations than greed.
#   source: Vaswani et al. 2017, “Attention Is All You Need”, §3, §5.3–5.4 and §6.1; Xiong et al. 2020, “On Layer Normalization in the Transformer Architecture”, §3; Wu et al. 2016, §7
# ---

# %% [markdown] id="title"
# # The Transformer
#
# *Build the whole Transformer, train it on a small language in front of your eyes, and translate English to German with it.*
#
# 120 minutes · after [lab 02, Attention](02_attention.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write layer norm and the two ways of putting it into a residual, and measure what each does to the gradient and to the words;
# - join encoder and decoder by cross-attention, with the masks that keep it honest;
# - teach all positions at once by shifting the target, and write the loss that does not count filling;
# - warm the learning rate up and let it fall, as the paper does;
# - decode greedily and with a beam, for many sentences at once, and score texts of different lengths;
# - say what the Transformer gains over a recurrent network, where it does not, and where a small translator fails.
#
# **The claim under test.** Attention, small networks, residuals and norms are enough for a translator. It learns all positions of a sentence at once, so a training step grows less with the length than a recurrent network's (Vaswani et al. 2017, “Attention Is All You Need”, §3 to §6.1). Beside that we measure two things more: at equal size it learns to sort better, and a beam finds better translations than greedy search.

# %% id="setup" tags=["setup"]
lab = begin("03_transformer")

# %% id="imports"
import math
import time

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from matplotlib.ticker import LogLocator
from torch import nn

from squint.nn.attention import MultiHeadAttention, causal_mask, padding_mask
from squint.nn.positions import sinusoidal
from squint.viz import bertviz, colours, diagrams
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
show(diagrams.transformer(), alt="Two towers. Left, the encoder: the source is embedded with its positions and passes six "
     "blocks of norm and self-attention, norm and feed-forward, each beside a free road to which its answer is added. Right, "
     "the decoder: masked self-attention, then cross-attention, which receives the memory from the encoder as keys and "
     "values, then feed-forward; then the vocabulary.")

# %% [markdown] id="machine-text"
# You know the orange and blue boxes: lab 02 built them, and today we take them from `squint.nn.attention` (masks there are as you made them). The green box is a network with one hidden layer that treats every word alike, whatever its neighbours:
#
# $$\operatorname{feed\ forward}(x) = W_2 \max(0,\, W_1 x + b_1) + b_2$$
#
# (The paper draws its norms in another place; section 3 says why we put them here. A last norm on top of each tower is not drawn.) What is new is how they are put together: the yellow norms, the straight road on the right that nothing interrupts, the arrow from tower to tower. Then, how all positions are taught at once; and last, how to get a sentence out of it again.

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
    returns a tensor of the shape of x, made with torch's functions, so that gradients can flow through it
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

layer_norm = at_pace(layer_norm, course_layer_norm, torch.randn(32, 14, 64), torch.ones(64), torch.zeros(64))

# %% id="norm-parity"
random = torch.Generator().manual_seed(0)
x, gain, bias = torch.randn(4, 7, 32, generator=random), torch.rand(32, generator=random), torch.randn(32, generator=random)
claim("your layer norm is PyTorch's: largest difference",
      (layer_norm(x, gain, bias) - F.layer_norm(x, (32,), gain, bias)).abs().max(), at_most=1e-5)
claim("and it does not care how large the vectors are: largest difference for x and 100 x",
      (layer_norm(100 * x, gain, bias) - layer_norm(x, gain, bias)).abs().max(), at_most=1e-4,
      paper="Ba et al. 2016, table 1");

# %% [markdown] id="norm-question"
# In a model the norm is a module, which keeps its gain and bias. All it does is call your function. The small network comes with it.

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


print("three sentences of five words go in and come out as", tuple(FeedForward(8, 32)(LayerNorm(8)(torch.randn(3, 5, 8))).shape))

# %% [markdown] id="norm-answer"
# **Question.** Batch norm, which was there before, takes mean and variance over the *batch*, for each entry. Why would that be awkward in a translator?
#
# <details><summary>Answer</summary>
#
# A sentence's translation would depend on which others share its batch, and on the filling among them. In use there may be a batch of one, with no spread at all, so one keeps running averages from training and hopes that they fit. And position 40 of a sentence is reached by few sentences in a batch, so its statistics would be poor. A layer norm needs nothing but the vector itself.
# </details>

# %% [markdown] id="residual-idea"
# ## 3 · The free road
#
# In the picture, a block does not *replace* what passes; it *adds* to it. That sum, $x + \text{sublayer}(x)$, is called a **residual** connection (He et al. 2016): the sublayer need only learn what is to be changed, and if it has nothing to say, it says zero.
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
# With it, the encoder's block is two lines. The first looks around, the second thinks. A `lambda y: …` is a function without a name: here it hands the mask to the attention, since `residual` knows nothing of masks.

# %% id="encoder-block"
class EncoderBlock(nn.Module):
    def __init__(self, dim, heads, hidden, norm_first=True):
        super().__init__()
        self.attention, self.feed_forward = MultiHeadAttention(dim, heads), FeedForward(dim, hidden)
        self.norms = nn.ModuleList([LayerNorm(dim), LayerNorm(dim)])
        self.norm_first = norm_first

    def forward(self, x, mask=None):
        x = residual(x, lambda y: self.attention(y, mask=mask), self.norms[0], self.norm_first)
        return residual(x, self.feed_forward, self.norms[1], self.norm_first)


sentences = torch.randn(3, 5, 32)
print("in:", tuple(sentences.shape), "· out:", tuple(EncoderBlock(32, 4, 64)(sentences).shape))

# %% [markdown] id="depth-idea"
# Why both, the sum and the norm? We take them away, one at a time. Untrained blocks are stacked, 1 to 12 of them, and we look at two things. Learning is done by gradients, which travel from the loss at the top down to the *first* block: how large are they there? And the words of a sentence, sixteen random vectors, should still be different words at the *top*: how alike have they become? (A cosine of 1 means that all are the same vector.)
#
# Commit yourself: after twelve blocks with norms but *without* the sums, how alike are the words?

# %% id="guess-depth" tags=["nbval-ignore-output"]
guess_depth = predict("Mean cosine between two words after 12 blocks without residuals", low=0, high=1, step=0.05)

# %% id="depth"
WIRINGS = {
    "norm first": lambda x, sublayer, norm: residual(x, sublayer, norm, True),
    "norm last": lambda x, sublayer, norm: residual(x, sublayer, norm, False),
    "sum, no norm": lambda x, sublayer, norm: x + sublayer(x),
    "norm, no sum": lambda x, sublayer, norm: norm(sublayer(x)),
}


def glorot(model):
    """Draw all matrices so that signals keep their size on the way through (Glorot and Bengio 2010); biases are 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return model


def stacked(depth, wiring):
    """Through `depth` untrained blocks: gradient at the first block, gradient at the last, likeness of the words."""
    blocks, top = [glorot(EncoderBlock(64, 4, 256)) for _ in range(depth)], LayerNorm(64)
    x = torch.randn(4, 16, 64)
    for block in blocks:
        x = wiring(x, block.attention, block.norms[0])
        x = wiring(x, block.feed_forward, block.norms[1])
    words = F.normalize(top(x), dim=-1)
    alike = ((words @ words.mT).sum(dim=(1, 2)) - 16) / (16 * 15)
    (top(x) * torch.randn(x.shape)).sum().backward()
    first, last = (block.feed_forward.widen.weight.grad.norm().item() for block in (blocks[0], blocks[-1]))
    return first, last, alike.mean().item()


torch.manual_seed(0)
depths, repeats = [1, 2, 3, 4, 6, 8, 10, 12], budget(cpu=5, gpu=20, smoke=1)
first, last, alike = {}, {}, {}
for name, wiring in track(WIRINGS.items(), "measuring"):
    runs = torch.tensor([[stacked(depth, wiring) for depth in depths] for _ in range(repeats)])
    first[name], last[name] = runs[..., 0].log().mean(dim=0).exp(), runs[..., 1].log().mean(dim=0).exp()
    alike[name] = runs[..., 2].mean(dim=0)

claim("sums without norms: the first block's gradient grows, from 1 block to 12, by a factor",
      first["sum, no norm"][-1] / first["sum, no norm"][0], above=100)
claim("norms without sums: after 12 blocks all words are alike, mean cosine", alike["norm, no sum"][-1], above=0.99,
      paper="Dong et al. 2021, §2")
claim("both, norm first: they are still different words, mean cosine", alike["norm first"][-1], below=0.9)
claim("at the top of 12 blocks, norm first has smaller gradients than norm last", last["norm first"][-1],
      below=last["norm last"][-1], paper="Xiong et al. 2020, §3.3, theorem 1");

# %% id="fig-depth" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.5))
for name, colour in zip(WIRINGS, (colours.BLUE, colours.ORANGE, colours.VERMILION, colours.GREEN)):
    axes[0].semilogy(depths, first[name], "o-", color=colour, label=name)
    axes[1].plot(depths, alike[name], "o-", color=colour)
    if name.startswith("norm "):
        axes[2].plot(depths, last[name], "o-", color=colour)
axes[0].set(title="gradient at the first block", xlabel="blocks", ylabel="size of the gradient")
axes[0].legend()
axes[1].set(title="how alike the words are", xlabel="blocks", ylabel="mean cosine at the top", ylim=(0, 1.05))
draw_guess(axes[1], guess_depth)
for panel in axes:
    panel.set_xticks([2, 4, 6, 8, 10, 12])
axes[2].set(title="gradient at the last block", xlabel="blocks", ylabel="size of the gradient")
axes[2].set_ylim(bottom=0)
show(figure, alt="Three plots against the number of blocks. Sums without norms let the gradient at the first block grow a "
     "thousandfold; the other three keep it level. Norms without sums make all words alike after two blocks; with sums it "
     "takes longer: with the norm last, or without norms, they end near 1 as well, with the norm first well below. At the last "
     "block the gradient stays level with the norm last, and shrinks with the norm first.")

# %% [markdown] id="depth-question"
# So the two have different jobs. The **norm** keeps the *size*: without it, each block adds to ever larger vectors, and the gradient at the bottom grows past all use. The **sum** keeps the *difference* for longer: attention is an average, and averages of averages are all the same, so without the sum the words are one after two blocks; with it, that takes ten or so.
#
# Only both together, with the norm *first*, hold the words apart at twelve blocks, and even there the likeness rises. Its road runs from bottom to top and nothing touches it, and what each block adds stays of one size. With the norm last, the road itself is normalised twice in every block, and what a word was fades. The right-hand picture shows the other difference. With the norm last, the gradient at the top is as large for twelve blocks as for one; with the norm first it shrinks as the stack grows.
#
# **Question.** If norm first is so well-behaved, why did the paper get away with norm last?
#
# <details><summary>Answer</summary>
#
# It had six blocks, and it was careful: the learning rate climbs from nearly nothing over thousands of steps (section 6 writes that schedule). Xiong et al. (2020, §3 and §4) trace the need for that to the large gradients near the top, and show that with the norm first one can do without. And norm last is not merely worse: where it trains, it may end a little better (Liu et al. 2020, §1), since with the norm first the sums on the road grow, and late blocks change ever less of them. We put the norm first from here on.
# </details>

# %% [markdown] id="cross-idea"
# ## 4 · From tower to tower
#
# The decoder's block has one sublayer more. In order:
#
# 1. **Masked self-attention.** The target's words look at each other, and none may look ahead: `causal_mask`.
# 2. **Cross-attention.** Each target word *asks*, and the memory is *looked at*: queries from the decoder, keys and values from the encoder. None may look at filling: `padding_mask`.
# 3. **The small network.**
#
# Each has its residual and a norm of its own. This one arrow between the towers is all that the decoder ever learns of the source. (Bahdanau et al. 2015 had such an arrow, in another form, between two recurrent networks.)
#
# Write the block as a function of its parts. `block.attention` and `block.cross_attention` are called as in lab 02: `attention(y, context, mask)`, where `context` may be left out. `block.feed_forward` is called with `y` alone, `block.norms` holds the three norms in the order of the list above, and `block.norm_first` says where they stand.

# %% id="decoder_block" tags=["exercise"] minutes=10 difficulty=3 teaches="cross-attention: who asks, who is looked at, under which mask"
def decoder_block(block, x, memory, mask, memory_mask):
    """Look back, look over, think.

    block: holds attention, cross_attention, feed_forward, norms (three) and norm_first
    x: [batch, target, dim], the target's vectors; memory: [batch, source, dim], the encoder's
    mask: which targets may see which, or None; memory_mask: which of the memory may be seen, or None
    returns [batch, target, dim]
    """
    ### BEGIN SOLUTION
    x = residual(x, lambda y: block.attention(y, mask=mask), block.norms[0], block.norm_first)
    x = residual(x, lambda y: block.cross_attention(y, memory, memory_mask), block.norms[1], block.norm_first)
    return residual(x, block.feed_forward, block.norms[2], block.norm_first)
    ### END SOLUTION

# %% id="check-decoder_block" tags=["check"]
decoder_block = check("decoder_block")

# %% [markdown] id="model-text"
# All parts are there. The whole Transformer is now a matter of putting them in a row. Four details are worth a look: the embeddings are multiplied by $\sqrt{\text{dim}}$, so that they are about as long as the positions that are added to them; the same table turns the decoder's vectors into scores for the vocabulary at the end, the **logits** (§3.4 of the paper); there is a last norm on top of each tower, since on a free road nobody has normalised the sum; and one thing is left out. In training, the paper sets a tenth of each sublayer's entries to zero at random (**dropout**, §5.4), so that a model does not learn its pairs by heart. Our small language below never shows a pair twice and does without; the translator of section 9 was trained with it.

# %% id="model"
PAD, START, END = 0, 1, 2


class DecoderBlock(nn.Module):
    def __init__(self, dim, heads, hidden, norm_first=True):
        super().__init__()
        self.attention, self.cross_attention = MultiHeadAttention(dim, heads), MultiHeadAttention(dim, heads)
        self.feed_forward = FeedForward(dim, hidden)
        self.norms = nn.ModuleList([LayerNorm(dim) for _ in range(3)])
        self.norm_first = norm_first

    def forward(self, x, memory, mask=None, memory_mask=None):
        return decoder_block(self, x, memory, mask, memory_mask)


class Tower(nn.Module):
    """Blocks, one after the other, and a last norm."""

    def __init__(self, blocks, dim):
        super().__init__()
        self.blocks, self.norm = nn.ModuleList(blocks), LayerNorm(dim)

    def forward(self, x, *seen):
        for block in self.blocks:
            x = block(x, *seen)
        return self.norm(x)


class Transformer(nn.Module):
    def __init__(self, vocabulary, dim, heads, hidden, blocks, norm_first=True):
        super().__init__()
        self.dim = dim
        self.embedding = nn.Embedding(vocabulary, dim)
        self.encoder = Tower([EncoderBlock(dim, heads, hidden, norm_first) for _ in range(blocks)], dim)
        self.decoder = Tower([DecoderBlock(dim, heads, hidden, norm_first) for _ in range(blocks)], dim)
        glorot(self)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)

    def embed(self, tokens):
        places = sinusoidal(tokens.shape[1], self.dim, device=tokens.device)
        return self.embedding(tokens) * math.sqrt(self.dim) + places.to(self.embedding.weight)

    def encode(self, source):
        """source: [batch, source], numbers of tokens; returns the memory: [batch, source, dim]."""
        return self.encoder(self.embed(source), (source != PAD)[:, None, :])

    def decode(self, target, memory, source):
        """Vectors from which to say what follows each token of the target: [batch, target, dim]."""
        future_hidden = causal_mask(target.shape[1], device=target.device)
        return self.decoder(self.embed(target), memory, future_hidden, (source != PAD)[:, None, :])

    def logits(self, x):
        """How well each vector matches each token of the vocabulary."""
        return x @ self.embedding.weight.mT

    def forward(self, source, target):
        return self.logits(self.decode(target, self.encode(source), source))


tiny = Transformer(vocabulary=20, dim=16, heads=4, hidden=32, blocks=2)
source, target = torch.randint(3, 20, (3, 7)), torch.randint(3, 20, (3, 5))
print("source:", tuple(source.shape), "· target:", tuple(target.shape), "· logits:", tuple(tiny(source, target).shape))

# %% [markdown] id="parity-text"
# Is it *the* Transformer? PyTorch has one of its own, `torch.nn.Transformer`, without embeddings. We pour its random weights into your two towers and compare what comes out, with filling in the batch, for both places of the norm. (PyTorch's towers end with a last norm in both cases, and so do yours. PyTorch's masks say what is *hidden*, hence the `~`; and it keeps the three projections of an attention in one matrix.)

# %% id="parity"
@torch.no_grad()
def pour(theirs, yours):
    """Copy the weights of one of PyTorch's layers, or of all in a stack, into yours."""
    def norm(of, into):
        into.gain.copy_(of.weight), into.bias.copy_(of.bias)

    def attention(of, into):
        for part, weight, bias in zip((into.to_query, into.to_key, into.to_value), of.in_proj_weight.chunk(3), of.in_proj_bias.chunk(3)):
            part.weight.copy_(weight), part.bias.copy_(bias)
        into.to_output.load_state_dict(of.out_proj.state_dict())

    norm(theirs.norm, yours.norm)
    for of, into in zip(theirs.layers, yours.blocks):
        attention(of.self_attn, into.attention)
        if hasattr(of, "multihead_attn"):
            attention(of.multihead_attn, into.cross_attention)
        into.feed_forward.widen.load_state_dict(of.linear1.state_dict())
        into.feed_forward.narrow.load_state_dict(of.linear2.state_dict())
        for number, own in enumerate(into.norms, start=1):
            norm(getattr(of, f"norm{number}"), own)


def largest_difference(norm_first, dim=32, heads=4, hidden=48, blocks=3):
    layers = [kind(dim, heads, hidden, 0.0, batch_first=True, norm_first=norm_first)
              for kind in (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)]
    stacks = (nn.TransformerEncoder(layers[0], blocks, nn.LayerNorm(dim), enable_nested_tensor=False),
              nn.TransformerDecoder(layers[1], blocks, nn.LayerNorm(dim)))
    theirs = nn.Transformer(dim, heads, custom_encoder=stacks[0], custom_decoder=stacks[1], batch_first=True)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.2)
    encoder = Tower([EncoderBlock(dim, heads, hidden, norm_first) for _ in range(blocks)], dim)
    decoder = Tower([DecoderBlock(dim, heads, hidden, norm_first) for _ in range(blocks)], dim)
    pour(theirs.encoder, encoder), pour(theirs.decoder, decoder)
    source, target, real = torch.randn(3, 7, dim), torch.randn(3, 5, dim), padding_mask(torch.tensor([7, 4, 1]), 7)
    expected = theirs(source, target, tgt_mask=~causal_mask(5), src_key_padding_mask=~real[:, 0],
                      memory_key_padding_mask=~real[:, 0])
    return (decoder(target, encoder(source, real), causal_mask(5), real) - expected).abs().max()


torch.manual_seed(1)
paper = "Vaswani et al. 2017, §3.1"
claim("your Transformer is PyTorch's, norm last: largest difference", largest_difference(False), at_most=1e-5, paper=paper)
claim("and with the norm first", largest_difference(True), at_most=1e-5, paper=paper);

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
# The causal mask does the rest: place 2 sees `<s>`, *ich*, *sehe*, and not the *dich* that it is asked for. Shorter targets are filled up at the end, after `</s>`, and are shifted like the others: there the causal mask hides the filling from all real words already, so the decoder's own words need no mask of padding. Some tools: `torch.full_like(t, 7)` is a tensor of the shape and type of `t`, full of sevens; `labels[:, :-1]` is all but the last column; `torch.cat([a, b], dim=1)` puts two side by side.

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
# Does one pass over all positions really give what one gets word by word? We take a Transformer, ask it for all positions of 40 tokens at once, and then again forty times, each time with one token more and all before it anew. (Section 9 comes back to this: one can remember.)

# %% id="teacher"
model = Transformer(vocabulary=100, dim=64, heads=4, hidden=256, blocks=2)
source, labels = torch.randint(3, 100, (8, 40)), torch.randint(3, 100, (8, 40))
with torch.no_grad():
    memory, seen = model.encode(source), shift_right(labels)
    start = time.perf_counter()
    at_once = model.logits(model.decode(seen, memory, source))
    once = time.perf_counter() - start
    start = time.perf_counter()
    steps = [model.logits(model.decode(seen[:, :n], memory, source)[:, -1]) for n in range(1, 41)]
    step_by_step = time.perf_counter() - start

claim("all at once is what word by word gives: largest difference", (at_once - torch.stack(steps, dim=1)).abs().max(),
      at_most=1e-4, paper="Vaswani et al. 2017, §3.1")
claim("and takes less than a fifth of the time", once / step_by_step, below=0.2);

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
from squint.models import seq2seq


def course_loss(logits, labels, smoothing=0.1, padding=0):
    return seq2seq.label_smoothed_loss(logits, labels, smoothing, padding)


smoothed_loss = at_pace(smoothed_loss, course_loss, torch.randn(32, 14, 103), torch.randint(1, 103, (32, 14)))

# %% id="fig-smoothing" tags=["nbval-ignore-output"]
scores = torch.linspace(-2, 12, 200)
figure, axes = plt.subplots(figsize=(7.2, 3.2))
for smoothing, colour in ((0.0, colours.GREY), (0.1, colours.BLUE), (0.3, colours.ORANGE)):
    losses = torch.stack([
        smoothed_loss(torch.cat([score.view(1), torch.zeros(7)])[None, None], torch.tensor([[0]]), smoothing, padding=-1)
        for score in scores
    ])
    axes.plot(scores, losses, color=colour, label=f"smoothing {smoothing}")
    if smoothing:
        axes.plot(scores[losses.argmin()], losses.min(), "o", color=colour)
axes.set(title="one token of eight, the others' scores at 0", xlabel="score of the right token", ylabel="loss, nats")
axes.legend()
show(figure, alt="The loss against the score of the right token. Without smoothing it falls for ever; with it there is a "
     "lowest point, after which a still higher score costs more.")

# %% [markdown] id="loss-question"
# With smoothing there is a score that is high *enough*. Beyond the dot, more certainty costs.
#
# **Question.** The paper says that smoothing “hurts perplexity” and helps BLEU (§5.4). How can both be true?
#
# <details><summary>Answer</summary>
#
# Perplexity, e to the power of the mean loss, counts the probability of the reference's very words, and the model has been told to hold some of it back. BLEU, a score for translations that section 11 explains, looks only at which words were chosen. That these choices get better is what the paper measured; one explanation is that a model which is less certain of one word ranks the others better.
# </details>

# %% [markdown] id="schedule-idea"
# ## 6 · Warming up
#
# The model is trained with Adam, which divides each weight's gradient by its usual size, so that every weight moves by about the learning rate, whatever the gradient. But at the first steps everything is random, the gradients are wild, and what is usual is not known yet. Large steps now can spoil a model for good, above all with the norm last. So the paper lets the learning rate *climb* in a straight line for some thousands of steps, and then *fall* as one over the root of the step's number (Vaswani et al. 2017, eq. 3):
#
# $$\text{rate} = \text{dim}^{-0.5} \cdot \min\left(\text{step}^{-0.5},\; \text{step} \cdot \text{warmup}^{-1.5}\right)$$
#
# Steps count from one. In Python, `a**-0.5` is one over the root of `a`.

# %% id="warm_up_rate" tags=["exercise"] minutes=4 difficulty=1 teaches="the learning rate's climb and fall"
def warm_up_rate(step, dim, warmup=4000):
    """The learning rate of a step.

    step: 1, 2, 3, …; dim: the model's width; warmup: how many steps the climb takes
    returns a number
    """
    ### BEGIN SOLUTION
    return dim**-0.5 * min(step**-0.5, step * warmup**-1.5)
    ### END SOLUTION

# %% id="check-warm_up_rate" tags=["check"]
warm_up_rate = check("warm_up_rate")

# %% id="fig-schedule" tags=["nbval-ignore-output"]
steps = range(1, 20_001, 20)
figure, axes = plt.subplots(figsize=(7.2, 3))
for dim, warmup, colour, line in ((512, 4000, colours.BLUE, "-"), (512, 8000, colours.SKY, "--"), (1024, 4000, colours.ORANGE, "-")):
    axes.plot(steps, [1e4 * float(warm_up_rate(step, dim, warmup)) for step in steps], line, color=colour,
              label=f"width {dim}, warm-up {warmup:,}")
axes.set(title="the paper's schedule", xlabel="step", ylabel="learning rate, 10⁻⁴")
axes.legend()
show(figure, alt="Three learning rates against the step. Each climbs in a straight line to a peak at the end of its warm-up "
     "and then falls ever more slowly. A longer warm-up and a wider model both have a lower peak; after both peaks, models "
     "of one width have the same rate.")

# %% [markdown] id="schedule-question"
# **Question.** Twice the warm-up: how much lower is the peak? And why a width in a learning rate?
#
# <details><summary>Answer</summary>
#
# At step = warmup both terms are warmup⁻⁰·⁵, so the peak is lower by a factor of √2. Adam moves every weight by about the rate. An output of a layer adds up `dim` such moves, so in a wider layer the same rate changes the output more: √dim times as much, if the moves are random. The paper divides by just that.
# </details>

# %% [markdown] id="language-idea"
# ## 7 · A small language, learned live
#
# German takes hours. So first a language that takes less than a minute. Guests arrive at a party, and the model writes the list in alphabetical order.

# %% id="language"
import random

from squint.data import guests

source, labels = guests.draw(2, random.Random(0), fewest=4, most=6)
for arrived, ordered in zip(source.tolist(), labels.tolist()):
    print(guests.spelled(arrived), "→", guests.spelled(ordered))

test = guests.draw(200, random.Random(2))
print(len(guests.NAMES), "names, 8 to 14 guests; a batch of 32 has the shape", tuple(guests.draw(32, random.Random(3))[0].shape))

# %% [markdown] id="language-text"
# There is no end of such lists, so a test list was never seen before. Note what makes it hard. A name is a *token*: the model sees no letters and is not told the alphabet. It must find out from examples who comes before whom, and to say the next name, it must know all the others.
#
# Your parts go into the model: layer norm, residual, decoder block, the shifted labels, the loss, the schedule.

# %% id="train"
def learn(model, steps, rate, name, draw=guests.draw, test=test):
    """Train on fresh pairs; returns the loss of every step, and every so often what the test says."""
    optimiser = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), eps=1e-9)  # Vaswani et al. 2017, §5.3
    chance, losses, tests = random.Random(1), [], []
    for step in track(range(1, steps + 1), name):
        optimiser.param_groups[0]["lr"] = float(rate(step))
        source, labels = (side.to(lab.device) for side in draw(32, chance))
        loss = smoothed_loss(model(source, shift_right(labels)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
        if step % 50 == 0 or step == steps:
            tests.append((step, *marked(model, *test)))
    return losses, tests


@torch.no_grad()
def marked(model, source, labels):
    """The share of test tokens that are right, given those before, and of whole texts: both in percent."""
    said = model(source.to(lab.device), shift_right(labels).to(lab.device)).argmax(dim=-1).cpu()
    good = (said == labels) | (labels == PAD)
    return 100 * good[labels != PAD].float().mean().item(), 100 * good.all(dim=1).float().mean().item()


def rate(step):
    """The paper's schedule, for a short training: a third as high, with a warm-up of 100 steps."""
    return warm_up_rate(step, dim=64, warmup=100) / 3


steps = budget(cpu=500, gpu=800, smoke=3)
torch.manual_seed(0)
model = Transformer(len(guests.TOKENS), dim=64, heads=4, hidden=128, blocks=2).to(lab.device)
losses, tests = learn(model, steps, rate, "learning to sort")
claim("test names that your Transformer says rightly, given those before", tests[-1][1], above=95, unit="%")

# %% [markdown] id="greedy-idea"
# “Given those before” is not yet writing. In use there is no right answer to look at, only what the model itself has said. **Greedy search**: begin with the start token, ask the model, take the *likeliest* next token, put it behind, ask again; until it says the end token.
#
# For many sentences together this needs a little care, since they end at different times. The model is handed to you as a function, `continuations`: you give it all texts so far, and it returns the log-probabilities of what comes next in each. It needs the *whole* texts, the start token first, because what comes next depends on all of them; and it needs *all* sentences at every call, in their order, also those that are finished already.

# %% id="greedy" tags=["exercise"] minutes=12 difficulty=3 teaches="decoding step by step, for many sentences at once"
def greedy(continuations, sentences, limit, start=1, end=2):
    """What the model says if it always takes the likeliest next token.

    continuations: a function from prefixes [sentences, tokens], start token first, to the log-probabilities of what
        comes next [sentences, vocabulary]
    sentences: how many there are; limit: the most tokens of a text, its end token among them
    returns a list with a list of numbers for each sentence, without start and end token
    """
    ### BEGIN SOLUTION
    prefixes = torch.full((sentences, 1), start)
    finished = torch.zeros(sentences, dtype=torch.bool)
    for _ in range(limit):
        token = continuations(prefixes).argmax(dim=-1)
        prefixes = torch.cat([prefixes, token[:, None]], dim=1)
        finished = finished | (token == end)
        if finished.all():
            break
    rows = prefixes[:, 1:].tolist()
    return [row[: row.index(end)] if end in row else row for row in rows]
    ### END SOLUTION

# %% id="check-greedy" tags=["check"]
greedy = check("greedy")

# %% id="dictate" tags=["nbval-ignore-output"]
def continuations_of(model, source):
    """The function that a search asks: prefixes [sentences, …, tokens] → log-probabilities [sentences, …, vocabulary]."""
    with torch.no_grad():
        memory = model.encode(source)

    @torch.no_grad()
    def continuations(prefixes):
        beams = prefixes[0, ..., 0].numel()
        rows = prefixes.reshape(-1, prefixes.shape[-1]).to(source.device)
        last = model.decode(rows, memory.repeat_interleave(beams, 0), source.repeat_interleave(beams, 0))[:, -1]
        return model.logits(last).log_softmax(dim=-1).view(*prefixes.shape[:-1], -1).to(prefixes.device)

    return continuations


arrived = "Tara Max Pia Quinn Felix Nora Zoe Hugo Ben Lotte Emil"
source = guests.read(arrived).to(lab.device)
print("arrived:     ", arrived)
print("it writes:   ", guests.spelled(greedy(continuations_of(model, source), 1, 20)[0]))

# %% id="written"
lists, labels = (side[: budget(cpu=200, gpu=200, smoke=4)] for side in test)
written = greedy(continuations_of(model, lists.to(lab.device)), len(lists), 20)
whole = sum(guests.spelled(a) == guests.spelled(b) for a, b in zip(written, labels.tolist()))
print(f"lists of 8 to 14 guests that are right from beginning to end: ⟨{whole}⟩ of {len(lists)}")
claim("written step by step, more than half of the lists have nobody out of place", 100 * whole / len(lists), above=50, unit="%")

# %% [markdown] id="sorted-look"
# Where does it look? For every name that it writes, the weights of cross-attention over the guests as they arrived, in the last block.

# %% id="fig-sorted" tags=["nbval-ignore-output"]
@torch.no_grad()
def looks(model, source, labels):
    """The cross-attention of the last block: [heads, target, source]."""
    kept = {}
    attention = model.decoder.blocks[-1].cross_attention
    hook = attention.register_forward_pre_hook(lambda module, inputs: kept.update(weights=module.weights(*inputs[:2])))
    model(source, shift_right(labels))
    hook.remove()
    return kept["weights"][0].cpu()


said = greedy(continuations_of(model, source), 1, 20)[0]
said = torch.tensor([[int(token) for token in said] + [END]], device=lab.device)
figure, axes = plt.subplots(figsize=(6.4, 4.8))
image = axes.imshow(looks(model, source, said).mean(dim=0), cmap="Blues", vmin=0, aspect="auto")
axes.set_xticks(range(source.shape[1]), [guests.TOKENS[token] for token in source[0].tolist()], rotation=60, ha="right",
                rotation_mode="anchor")
axes.set_yticks(range(said.shape[1]), [guests.TOKENS[token] for token in said[0].tolist()])
axes.set(title="cross-attention of the last block, mean of its heads", xlabel="is looked at", ylabel="is written")
axes.grid(False)
figure.colorbar(image, ax=axes, label="share of the attention")
show(figure, alt="A matrix with a row for each name that is written, in alphabetical order, and a column for each guest in "
     "order of arrival. Most rows have one dark entry, at the name itself: together they are a permutation.")

# %% [markdown] id="sorted-question"
# Most rows have one dark square, at the very guest who is written there; only for the end, `</s>`, there is no guest to look at, and the weights spread. Nobody asked for that: the model was told only which names were right, and looking at the next guest in line is what makes the loss small.
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
# What came before the Transformer was a recurrent network with attention (Bahdanau et al. 2015): an encoder reads the source word by word in both directions, a decoder writes word by word and looks at the source at each step. The course has one, a GRU with dot-product attention. We give it as many parameters, the same lists in the same order, as many steps, the same loss, and a learning rate twice the Transformer's (try others).
#
# Before you look: how many whole lists does the GRU get right after the last step, given the right names before each?

# %% id="guess-rival" tags=["nbval-ignore-output"]
guess_rival = predict("Whole lists that a GRU of the same size gets right after the same steps", low=0, high=100, unit="%")

# %% id="rival"
from squint.models import gru

parameters = sum(p.numel() for p in model.parameters())
size = gru.of_size(parameters, gru.Config(len(guests.TOKENS), dropout=0.0))
torch.manual_seed(0)
recurrent = gru.GRU(size).to(lab.device)
their_losses, their_tests = learn(recurrent, steps, lambda step: 2 * rate(step), "learning to sort, recurrently")
print(f"parameters: Transformer ⟨{parameters:,}⟩, GRU ⟨{recurrent.parameter_count:,}⟩")
claim("at equal parameters and steps, whole lists right: the Transformer is above the GRU", tests[-1][2],
      above=their_tests[-1][2], unit="%")

# %% id="fig-rival" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
for name, values, tested, colour in (("Transformer", losses, tests, colours.BLUE),
                                     ("GRU with attention", their_losses, their_tests, colours.ORANGE)):
    left.plot(range(1, len(values) + 1), values, color=colour, alpha=0.8, linewidth=1.2, label=name)
    right.plot([step for step, *_ in tested], [whole for *_, whole in tested], "o-", color=colour, label=name)
left.set(title="loss", xlabel="step", ylabel="label-smoothed loss, nats")
right.set(title="whole lists right, given the names before", xlabel="step", ylabel="%", ylim=(0, 103))
draw_guess(right, guess_rival)
right.legend()
show(figure, alt="Loss and whole lists right against the step for a Transformer and a GRU of the same size. At first the "
     "GRU's loss falls faster; then the Transformer overtakes it, and it gets many more lists right in the end.")

# %% [markdown] id="rival-text"
# Look at the losses, too: at first the GRU's is ahead; then the Transformer goes further. One explanation: to sort is to compare everybody with everybody. Attention does just that within one layer, while the GRU's encoder must do it in passing, name by name.
#
# Do not conclude too much. Where neighbours tell most, as letters within a word do, recurrence keeps its head start: on dates written in words and figures, letter by letter, a GRU of this size learns far faster than the Transformer. The second exercise under “Going further” measures it. What the paper showed is that with enough data and size, attention wins on real translation.

# %% [markdown] id="time-idea"
# The second half of the claim is about *time*. A recurrent network computes word 5 after word 4, in training as well. The Transformer computes all words of a layer at once (Vaswani et al. 2017, table 1: sequential operations $O(1)$ against $O(n)$). We measure one training step on a single sentence of $n$ words, for both, and fit the power with which its time grows.

# %% id="step-time"
def clock():
    if lab.device.type == "cpu":
        return time.thread_time()
    torch.accelerator.synchronize()
    return time.perf_counter()


def step_time(model, n, repeats):
    """The shortest of some training steps on one sentence of n words, in seconds of one core."""
    source, labels = (torch.randint(3, 100, (1, n), device=lab.device) for _ in range(2))
    best = math.inf
    for _ in range(repeats):
        start = clock()
        F.cross_entropy(model(source, shift_right(labels))[0], labels[0]).backward()
        best = min(best, clock() - start)
    model.zero_grad()
    return best


def growth(lengths, seconds):
    """The p in seconds ∝ lengthᵖ: the slope of a straight line through the logarithms."""
    x, y = torch.tensor(lengths).double().log(), torch.tensor(seconds).double().log()
    return (((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()).item()


lengths = [8, 16, 32, 64, 128, 256][: budget(cpu=6, gpu=6, smoke=3)]
times = {name: [step_time(each, n, budget(cpu=9, gpu=9, smoke=1)) for n in lengths]
         for name, each in track({"Transformer": model, "GRU": recurrent}.items(), "measuring")}
growths = {name: growth(lengths, seconds) for name, seconds in times.items()}
paper = "Vaswani et al. 2017, table 1"
claim("a training step of the Transformer grows less with the length than the GRU's: power of n", growths["Transformer"],
      below=growths["GRU"], paper=paper)
claim("at the longest sentence it takes less time", times["Transformer"][-1] / times["GRU"][-1], below=1, paper=paper)

# %% id="fig-step-time" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.4))
for (name, seconds), colour in zip(times.items(), (colours.BLUE, colours.ORANGE)):
    axes.loglog(lengths, [1e3 * s for s in seconds], "o-", color=colour, label=f"{name}: ∝ n^{growths[name]:.2f}")
axes.set_xticks(lengths, lengths)
axes.set_xticks([], minor=True)
axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
axes.yaxis.set_major_formatter("{x:g}")
axes.yaxis.set_minor_formatter("")
axes.set(title="one training step on one sentence, one core", xlabel="words in the sentence", ylabel="time, ms")
axes.legend()
show(figure, alt="Time of a training step against the length of the sentence, both axes logarithmic. The GRU's grows nearly "
     "in proportion to the length, the Transformer's hardly at first and then more.")

# %% [markdown] id="time-question"
# On short sentences the Transformer's step costs nearly the same whatever the length: what takes time is going through its layers, not the words in them.
#
# **Question.** On one core nothing runs side by side. Why does the Transformer gain even here? And what happens at lengths far to the right of the picture?
#
# <details><summary>Answer</summary>
#
# It does its arithmetic in few large matrix products, the GRU in many small ones, and a small product costs mostly the overhead of starting it: calling, reading weights from memory. On a machine with many cores, or a GPU, the difference grows. Far to the right the square comes into its own: $n^2$ scores for each head, which the GRU has only between the languages.
# </details>

# %% [markdown] id="german-idea"
# ## 9 · English to German
#
# What takes less than a minute for guest lists takes hours for a language. So the course ships a translator: six blocks on either side, trained by `data/recipes/translator.py` on some 89,000 English sentences of up to 16 words with their German translations, from a dictionary's examples, a game's dialogues and an office program's help. Its card says what it is.
#
# Words are cut into **pieces** by byte-pair encoding (Sennrich et al. 2016): common words are one piece, rare ones are spelled in several, and nothing is ever unknown. Both languages share one table of pieces.

# %% id="german"
from squint.data import translations
from squint.text.bpe import pad

course, pieces, card = seq2seq.pretrained()
course = course.to(lab.device)
shape = course.config
print(f"{shape.blocks} + {shape.blocks} blocks, {shape.dim} wide, {shape.heads} heads, {len(pieces):,} pieces")
print(f"⟨{course.parameter_count / 1e6:.1f} million⟩ parameters, ⟨{card['training']['steps']:,} steps, {card['training']['minutes']:.0f} minutes⟩ of training")
for text in ("the castle", "the castles of the Lilliputians"):
    print(f"{text}: ⟨{' '.join(pieces.pieces(pieces.encode([text])[0]))}⟩")

# %% [markdown] id="yours-text"
# These weights were trained in the course's own Transformer, which is yours with faster parts. Do they fit into *yours*? Only the norms are called otherwise. (In 64 bits, so that rounding does not blur the comparison.)

# %% id="yours"
def your_name(name):
    """The course keeps each norm with its residual; you keep them in a list."""
    last = "norms.2" if name.startswith("decoder") else "norms.1"
    for theirs, yours in (("cross_attention_residual.norm", "norms.1"), ("attention_residual.norm", "norms.0"),
                          ("feed_forward_residual.norm", last)):
        name = name.replace(theirs, yours)
    return name


translator = Transformer(shape.vocabulary, shape.dim, shape.heads, shape.hidden, shape.blocks, shape.norm_first)
translator.load_state_dict({your_name(name): weight for name, weight in course.state_dict().items()})
translator = translator.to(lab.device).eval()

held_out = translations.load("test")
source = pad(pieces.encode(held_out.english[:4], end=True)).to(lab.device)
seen = shift_right(pad(pieces.encode(held_out.german[:4], end=True)).to(lab.device))
with torch.no_grad():
    difference = translator.double()(source, seen) - course.double()(source, seen)
translator.float(), course.float()
claim("the shipped weights in your Transformer say what they say in the course's: largest difference of a logit",
      difference.abs().max(), at_most=1e-4);

# %% [markdown] id="first-words"
# So it is your model that translates now, with your greedy search. The first four sentences are ours; put your own in their place. The others are from the held-out pairs, of which no text stood in training.

# %% id="first-translations" tags=["nbval-ignore-output"]
own = ["The king is dead.", "I have not seen him since yesterday.", "Where is the nearest station?",
       "She would have bought the house if she had had the money."]
chosen = [i for i in range(0, len(held_out), 5) if 5 <= len(held_out.english[i].split()) <= 10][:: budget(cpu=16, gpu=16, smoke=60)]


def search(texts, decode, **options):
    """Hand texts to one of your searches, with your model."""
    source = pad(pieces.encode(texts, end=True)).to(lab.device)
    return decode(continuations_of(translator, source), len(texts), 2 * source.shape[1] + 10, **options)


def spelled(tokens):
    return pieces.decode([[int(token) for token in tokens]])[0]


texts = own + [held_out.english[i] for i in chosen]
greedily = [spelled(tokens) for tokens in search(texts, greedy)]
references = [None] * len(own) + [held_out.german[i] for i in chosen]
for text, found, right in zip(texts, greedily, references):
    print(f"{text}\n   {found}" + (f"\n   reference: {right}" if right else "") + "\n")

# %% id="same-greedy"
by_course = [pieces.decode([best[0].tokens])[0] for best in seq2seq.translate(course, pieces, texts, width=1)]
same = sum(a == b for a, b in zip(greedily, by_course))
claim("the course's search, which remembers keys and values, finds the same sentences; others", len(texts) - same, at_most=1)

# %% [markdown] id="cache-text"
# Short and common sentences come out well, others are nonsense; section 12 asks which. First, something about the search. Yours runs the whole prefix through the decoder at each step, though only the last word is new. The keys and values of the earlier words never change, since none may look ahead; `squint.text.decode` keeps them, and so decodes in far less time. From here on we take it where hundreds of sentences are to be translated.
#
# **Question.** Training does all positions at once. Why can decoding not?
#
# <details><summary>Answer</summary>
#
# Because word 5 depends on which word 4 was *chosen*, and that is not known before it is chosen. In this, the Transformer is as sequential as any recurrent network: one step a word, each of which waits for the last. What it saved, it saved in training.
# </details>

# %% [markdown] id="align-idea"
# ## 10 · Who looks where
#
# Bahdanau et al. (2015, §5.2) found that attention between the languages finds out by itself which word corresponds to which. A picture of weights proves little, as lab 02 saw. But here we can keep score: some pieces are *copied* from English to German, those of names, figures, and words that both languages share. We take pieces with a capital or a digit that stand once in either sentence, such as *LibreOffice*, *Format* or *3*. (Most of these sentences are from the office help.) At the moment when one is said, where does each head look? We count how often it is the very piece that is copied, choose the best head on one half of the sentences, and judge it on the other. The rival knows nothing of words: it looks at the same place in the sentence, stretched to its length.

# %% id="align"
def copies(english, german):
    """Pieces with a capital or a digit that stand once in either sentence: (place in German, place in English)."""
    def telling(number):
        spelled = pieces.pieces([number])[0].strip("▁")
        return any(letter.isdigit() or letter.isupper() for letter in spelled) and spelled not in ("I", "In")

    return [(german.index(piece), english.index(piece)) for piece in set(german)
            if german.count(piece) == english.count(piece) == 1 and telling(piece)]


most = budget(cpu=600, gpu=1500, smoke=60)
english, german = (pieces.encode(texts[:most], end=True) for texts in (held_out.english[::-1], held_out.german[::-1]))
found = [(i, *places) for i in range(most) for places in copies(english[i], german[i])]
full_stop = pieces.encode(["It is."])[0][-1]
half, hits, rival, resting = [], [], [], []
for row in track(sorted({i for i, *_ in found}), "looking"):
    source, labels = torch.tensor([english[row]]).to(lab.device), torch.tensor([german[row]]).to(lab.device)
    weights = course.cross_attention(source, shift_right(labels))[:, 0].cpu()  # blocks, heads, target, source
    if english[row][-2] == full_stop:
        resting.append(weights[:, :, :-2, -2].mean(dim=-1))
    for _, said, stands in (each for each in found if each[0] == row):
        half.append(row % 2 == 0)
        hits.append(weights[:, :, said].argmax(dim=-1) == stands)
        rival.append(round(said * (len(english[row]) - 1) / (len(german[row]) - 1)) == stands)
half, hits, rival = torch.tensor(half), torch.stack(hits).float(), torch.tensor(rival).float()
best = divmod(int(hits[half].mean(dim=0).argmax()), shape.heads)
by_head, by_place = 100 * hits[~half][:, best[0], best[1]].mean(), 100 * rival[~half].mean()
print(f"copied pieces: ⟨{len(half)}⟩, the best head: ⟨block {best[0]}, head {best[1]}⟩, both counted from 0")
rest = torch.stack(resting).mean(dim=0)
restful = divmod(int(rest.argmax()), shape.heads)
print(f"the head that rests on the final full stop most, while other pieces are said: ⟨block {restful[0]}, head {restful[1]}⟩, "
      f"with ⟨{100 * rest.max():.0f} %⟩ of its attention")
claim("when a piece is copied, one head looks at it more often than the same place of the sentence would",
      by_head, above=by_place, unit="%", paper="Bahdanau et al. 2015, §5.2.1");

# %% id="fig-align" tags=["nbval-ignore-output"]
def weights_of(text):
    """The best translation's pieces, the source's, and all cross-attention: [blocks, heads, target, source]."""
    answer = seq2seq.translate(course, pieces, [text], alpha=card["metrics"]["alpha"])[0][0]
    source, labels = torch.tensor(pieces.encode([text], end=True)).to(lab.device), torch.tensor([[*answer.tokens, END]]).to(lab.device)
    weights = course.cross_attention(source, shift_right(labels))[:, 0].cpu()
    return weights, pieces.pieces(source[0].tolist()), pieces.pieces(labels[0].tolist())


weights, here, there = weights_of("The king has four black horses and a big castle.")
figure, axes = plt.subplots(1, 3, figsize=(10, 5), sharey=True)
pictures = [(f"block {best[0]}, head {best[1]}", weights[best]), (f"block {best[0]}, all heads", weights[best[0]].mean(0)),
            ("all blocks, all heads", weights.mean((0, 1)))]
for panel, (title, picture) in zip(axes, pictures):
    panel.imshow(picture, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set(title=title)
    panel.set_xticks(range(len(here)), here, rotation=60, ha="right", rotation_mode="anchor")
    panel.set(xlabel="is looked at")
    panel.grid(False)
figure.colorbar(axes[0].images[0], ax=axes, label="share of the attention", fraction=0.03, pad=0.02)
axes[0].set_yticks(range(len(there)), there)
axes[0].set(ylabel="is said")
show(figure, alt="Three matrices with a row for each German piece that is said and a column for each English piece. In the "
     "first, from the best aligning head, many words have one dark entry at the English counterpart, König at king and vier "
     "at four, others at the word after it, hat at four and großes at castle. Averages over heads are paler; that over all "
     "blocks lies nearest to the diagonal.")

# %% [markdown] id="align-view-text"
# *König* looks at *king*, *vier* at *four*; but *hat* looks at *four*, too, and *großes* at *castle*: this head likes what comes next. And see what became of the horses: *Häuser*, houses. Its pieces look at *horses* all the same. Attention shows where a model looks, not whether it has understood.
#
# The same as lines, to play with: the left column is *said*, the right one is looked at. Click the coloured squares for other heads, choose another block above, where it says *Layer*.

# %% id="align-view" tags=["nbval-ignore-output"]
bertviz.translation_view(weights, here, there, layer=best[0], heads=[best[1]])

# %% [markdown] id="align-question"
# **Question.** One head spends about a third of its attention on the final full stop, on average over everything else that is said: the second line that is printed above. Why might that be?
#
# <details><summary>Answer</summary>
#
# As `[CLS]` in lab 02: a softmax must spend its whole share. When a head has nothing to look for, a piece that says nothing is a harmless place to look. And not every German word *has* a counterpart: in “Ich habe ihn gesehen”, the choice of *ihn* depends on *him*, but the place of *gesehen* depends on German alone, and self-attention knows German.
# </details>

# %% [markdown] id="beam-idea"
# ## 11 · Looking further than one word
#
# Greedy search takes the best next word and never looks back. Here is an invented case. After the start, *der* has probability 0.5 and *ein* has 0.4. So greed takes *der*, and finds that nothing good follows:

# %% id="fig-tree" tags=["nbval-ignore-output"]
tree = {"": {"der": 0.5, "ein": 0.4, "es": 0.1}, "der": {"Hund": 0.35, "Mann": 0.35, "Baum": 0.3},
        "ein": {"Hund": 0.9, "Mann": 0.06, "Baum": 0.04}}
figure, axes = plt.subplots(figsize=(7.6, 3.6))
axes.axis("off")
axes.text(0, 0, "<s>", ha="center", va="center")
for word, y in (("der", 2), ("ein", -1), ("es", -3)):
    bold = {"der": colours.VERMILION, "ein": colours.BLUE}.get(word, colours.GREY)
    axes.plot([0.25, 1.7], [0, y], color=bold, linewidth=1 + 4 * tree[""][word])
    axes.text(2, y, word, ha="center", va="center")
    axes.text(0.85, y / 2 + 0.42 * (1 if y > 0 else -1), tree[""][word], color=bold, fontsize=9)
    for next_word, shift in zip(tree.get(word, {}), (1, 0, -1)):
        together = tree[""][word] * tree[word][next_word]
        axes.plot([2.3, 3.7], [y, y + shift], color=bold, linewidth=1 + 4 * tree[word][next_word])
        axes.text(3.9, y + shift, f"{next_word}   {tree[word][next_word]:.2f}  →  {together:.3f} together", va="center",
                  fontweight="bold" if together > 0.3 else "normal")
axes.set(xlim=(-0.4, 7), ylim=(-3.6, 3.6))
show(figure, alt="A tree of words. From the start, der has 0.5, ein 0.4, es 0.1. After der the best word has 0.35, together "
     "0.175. After ein, Hund has 0.9, together 0.36: the best sentence begins with the second best word.")

# %% [markdown] id="beam-text"
# The likeliest sentence begins with the second likeliest word. All sentences cannot be tried, but a few can be kept: a **beam** of `width` texts. In each step, every text in the beam is continued with every word of the vocabulary; *all* these continuations compete; the `width` likeliest form the new beam. Several may grow from one text, and none from another.
#
# In logarithms, a text's probability is a sum: the log-probabilities of its words.
#
# **When a text ends.** A text that says `</s>` is finished. It is noted down, and nothing grows from it. The others grow on, up to the limit, where they are taken as they stand.
#
# **Which finished text is best?** Every further word makes the sum smaller, so comparing sums would favour short texts. Wu et al. (2016, §7) divide by a penalty that grows with the length, where $\alpha = 0$ compares sums and $\alpha = 1$ comes near to comparing means:
#
# $$\text{score} = \frac{\log P}{\text{penalty}} \qquad \text{penalty} = \left(\frac{5 + \text{length}}{6}\right)^{\alpha}$$
#
# The length counts every word that was chosen, `</s>` among them, and not the start token. While texts grow they all have one length, so there the sums will do.

# %% id="penalty"
def length_penalty(length, alpha):
    """What the sum of log-probabilities is divided by (Wu et al. 2016, eq. 14)."""
    return ((5 + length) / 6) ** alpha


print("penalty of 1, 10 and 20 words at α = 1:", *(f"{length_penalty(n, 1.0):.2f}" for n in (1, 10, 20)))

# %% [markdown] id="beam-tools"
# Write it for all sentences together, with tensors of `[sentences, beams, …]`. Begin with *one* beam a sentence: several equal ones would stay equal for ever. The steps:
#
# 1. `totals[..., None] + continuations(prefixes)` are the sums of all continuations: `[sentences, beams, vocabulary]`.
# 2. `.flatten(1)` lays those of a sentence side by side, and `.topk(width)` gives the `width` largest and their places.
# 3. A place is `beam × vocabulary + word`. So `place // vocabulary` is the beam it grew from and `place % vocabulary` the word.
# 4. `prefixes[rows, parent]` are the texts of those beams, with `rows = torch.arange(sentences)[:, None]` and `parent` of `[sentences, width]`. The new words go behind them.
# 5. Note down what has ended or reached the limit, if it beats the sentence's best so far. Then set its total to −∞: what grows from −∞ stays −∞.
#
# You may stop early where nothing that still grows can win, but not before.

# %% id="beam_search" tags=["exercise"] minutes=25 difficulty=5 teaches="beam search over many sentences at once, length penalty"
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    """The best text that a beam finds, for each sentence.

    continuations: a function from prefixes [sentences, beams, tokens], start token first, to the log-probabilities of
        what comes next [sentences, beams, vocabulary]; all sentences must be there at each call
    sentences: how many there are; limit: the most tokens of a text, its end token among them; width: texts in a beam, at most the vocabulary's size
    alpha: of the length penalty; start, end: the numbers of these tokens
    returns a list: for each sentence (tokens, score), the tokens a list of numbers without start and end, the score a
        number
    """
    ### BEGIN SOLUTION
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        log_probabilities = continuations(prefixes)
        vocabulary = log_probabilities.shape[-1]
        totals, place = (totals[..., None] + log_probabilities).flatten(1).topk(width)
        parent, token = place // vocabulary, place % vocabulary
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)

        over = (token == end) | (length == limit)
        scores = totals / length_penalty(length, alpha)
        for row, beam in over.nonzero().tolist():
            if scores[row, beam] > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                best[row] = (text[:-1] if text[-1] == end else text, scores[row, beam].item())
        totals = totals.masked_fill(over, -torch.inf)

        # A sum can only fall. At its best, what still grows keeps its sum and has the largest penalty.
        most = (totals.amax(dim=1) / length_penalty(limit, alpha)).tolist()
        if all(score >= bound for (_, score), bound in zip(best, most)):
            break
    return best
    ### STUB
    # prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    # best = [([], -math.inf)] * sentences
    # rows = torch.arange(sentences)[:, None]
    # for length in range(1, limit + 1):
    #     log_probabilities = continuations(prefixes)
    #     vocabulary = ...
    #     totals, place = ...
    #     parent, token = ...
    #     prefixes = ...
    #     over = ...
    #     for row, beam in over.nonzero().tolist():
    #         ...
    #     totals = ...
    # return best
    ### END SOLUTION

# %% id="check-beam_search" tags=["check"]
beam_search = check("beam_search")

# %% [markdown] id="beam-greedy-text"
# First a look at a few sentences: your translator with your beam of four, beside your beam of one, which is greedy search. The scores are those of the same penalty, so they can be compared. It can happen that the wide beam's is the lower one: a plain beam may lose the greedy text on the way, when four others look better for a moment.

# %% id="beam-first" tags=["nbval-ignore-output"]
alpha = card["metrics"]["alpha"]
print(f"α = {alpha}, which served best on other sentences than those below\n")
widely, narrowly = (search(texts, beam_search, width=width, alpha=alpha) for width in (4, 1))
for text, (wide, high), (narrow, low) in zip(texts, widely, narrowly):
    if spelled(wide) == spelled(narrow):
        continue
    print(f"{text}\n   greedy {float(low):6.2f}  {spelled(narrow)}\n   beam   {float(high):6.2f}  {spelled(wide)}\n")

# %% [markdown] id="bleu-idea"
# Is a higher score a better translation? We need a measure that does not ask the model. **BLEU** (Papineni et al. 2002) counts which words, pairs, triples and quadruples of words also stand in a reference, and punishes what is too short: 0 to 100. A translator who renders every word well but otherwise than the reference scores low, so 100 is out of reach even for people. Numbers can be compared only when the words are cut alike, which is what `sacrebleu` is for (Post 2018).
#
# We translate held-out sentences with the course's search, greedily and with a beam of four. This beam always keeps the greedy text to its end, so by its making it never scores below. How many points of BLEU does the beam add?

# %% id="guess-beam" tags=["nbval-ignore-output"]
guess_beam = predict("BLEU that a beam of four adds to greedy search", low=-2, high=10, step=0.5)

# %% id="bleu"
import sacrebleu


def bleu(found, right):
    return sacrebleu.corpus_bleu(found, [right]).score


some = list(range(0, len(held_out), budget(cpu=2, gpu=1, smoke=100)))
english, wanted = ([side[i] for i in some] for side in (held_out.english, held_out.german))
hypotheses = {width: [several[0] for several in seq2seq.translate(course, pieces, english, width=width, alpha=alpha)]
              for width in track((1, 4), "translating")}
answers = {width: pieces.decode([each.tokens for each in found]) for width, found in hypotheses.items()}
bleu_greedy, bleu_beam = (bleu(answers[width], wanted) for width in (1, 4))
worse = sum(wide.score < narrow.score - 1e-4 for wide, narrow in zip(hypotheses[4], hypotheses[1]))
other = sum(a != b for a, b in zip(answers[1], answers[4]))

print(f"held-out sentences of at most 16 words: ⟨{len(some)}⟩, translated otherwise by the beam: ⟨{other}⟩")
claim("sentences in which the beam's score is below greedy's, by its making", worse, equals=0)
guessed = f", you guessed {guess_beam.value:g}" if guess_beam.value is not None else ""
print(f"BLEU that the beam adds: ⟨{bleu_beam - bleu_greedy:.1f}⟩{guessed}")
claim("BLEU of the beam against greedy search", bleu_beam, at_least=bleu_greedy, paper="Koehn and Knowles 2017, §3.6")
claim("BLEU of the shipped translator on held-out sentences of up to 16 words", bleu_beam, at_least=20);

# %% [markdown] id="beam-differ"
# The five sentences where the beam gains most in score, with greedy's translation first. Read the German if you can: at which word did greed go wrong?

# %% id="beam-examples" tags=["nbval-ignore-output"]
gain = sorted((i for i in range(len(some)) if answers[1][i] != answers[4][i]),
              key=lambda i: hypotheses[1][i].score - hypotheses[4][i].score)
for i in gain[:5]:
    print(f"{english[i]}\n   greedy {hypotheses[1][i].score:6.2f}  {answers[1][i]}\n   beam   {hypotheses[4][i].score:6.2f}  {answers[4][i]}\n"
          f"   reference       {wanted[i]}\n")

# %% [markdown] id="beam-question"
# **Question.** Then a beam of 1,000 must be better still?
#
# <details><summary>Answer</summary>
#
# Better in score, and often worse in BLEU. With a very wide beam one finds that the model's *likeliest* sentences are strangely short, sometimes empty (Koehn and Knowles 2017, §3.6; Stahlberg and Byrne 2019). The model's probabilities are not what we want but a stand-in for it, and a search that is too good finds where the two part. The fourth exercise under “Going further” measures it.
# </details>

# %% [markdown] id="fails-idea"
# ## 12 · Where it fails
#
# Now the other side of the medal, with the translations that we have. Three measurements: BLEU by **where the sentence comes from**; by its **rarest word**, counted in the training pairs; and of **longer texts** than training had.

# %% id="fails"
import re
from collections import Counter


def words_of(text):
    return re.findall(r"[\w'-]+", text.lower())


count = Counter(word for text in translations.load("train").english for word in set(words_of(text)))
rarest = [min(count[word] for word in words_of(text)) for text in english]
origin = [name for name in translations.SOURCES for _ in range(len(translations.load("test", name)))]
origin = [origin[i] for i in some]


def bleu_of(rows):
    return bleu([answers[4][i] for i in rows], [wanted[i] for i in rows])


# In each source by itself: the half of its sentences with the rarer words, and the other half.
halves = {}
for name in translations.SOURCES:
    rows = sorted((i for i in range(len(english)) if origin[i] == name), key=lambda i: rarest[i])
    halves[name] = bleu_of(rows[: len(rows) // 2]), bleu_of(rows[len(rows) // 2 :])

by_rarest, bounds = [], [0, 1, 5, 20, 100, math.inf]
for low, high in zip(bounds, bounds[1:]):
    if rows := [i for i in range(len(english)) if low <= rarest[i] < high]:
        name = "0" if high == 1 else f"{low} or more" if high == math.inf else f"{low}–{high - 1}"
        by_rarest.append((name, len(rows), bleu_of(rows)))

# Longer than anything in training: two sentences of nine words or more in one line, against the same two one by one.
long = [i for i, text in enumerate(english) if len(text.split()) >= 9]
long = long[:: max(1, len(long) // budget(cpu=120, gpu=400, smoke=4))]
pairs = list(zip(long[::2], long[1::2]))
lines = [f"{english[a]} {english[b]}" for a, b in pairs]
joined = seq2seq.translate(course, pieces, list(track(lines, "translating")), alpha=alpha)
together = bleu(pieces.decode([several[0].tokens for several in joined]), [f"{wanted[a]} {wanted[b]}" for a, b in pairs])
apart = bleu([f"{answers[4][a]} {answers[4][b]}" for a, b in pairs], [f"{wanted[a]} {wanted[b]}" for a, b in pairs])
usual = sum(map(len, pieces.encode(lines))) / len(lines)
as_long = sum(len(each) >= usual for each in pieces.encode(translations.load("train").english))
print(f"pieces in a line, on average: ⟨{usual:.0f}⟩; training sentences with so many: ⟨{as_long}⟩ of {len(translations.load('train')):,}")

worse_when_rare = sum(rarer < commoner for rarer, commoner in halves.values())
claim("of three sources, those whose half with the rarer words scores lower", worse_when_rare, equals=3,
      paper="Koehn and Knowles 2017, §3.3")
claim("two sentences in one line, 18 words or more, are translated worse than one by one: BLEU", together, below=apart,
      paper="Koehn and Knowles 2017, §3.4");

# %% id="fig-fails" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, width_ratios=[4, 5, 2])
for place, colour, label in ((0, colours.VERMILION, "half with the rarer words"), (1, colours.SKY, "the other half")):
    axes[0].bar([x + 0.4 * place - 0.2 for x in range(len(halves))], [pair[place] for pair in halves.values()], width=0.38,
                color=colour, label=label)
axes[0].set_xticks(range(len(halves)), halves, fontsize=8)
axes[0].set(ylabel="BLEU", title="by source", xlabel="where the sentence comes from")
axes[0].legend(loc="upper left", fontsize=8)
axes[1].bar(range(len(by_rarest)), [score for *_, score in by_rarest], color=colours.ORANGE)
axes[1].set_xticks(range(len(by_rarest)), [f"{name}\n(n = {n})" for name, n, _ in by_rarest], fontsize=8)
axes[1].set(title="by rarest word, all sources", xlabel="training pairs that have its rarest word")
axes[2].bar([0, 1], [apart, together], color=[colours.GREEN, colours.VERMILION])
axes[2].set_xticks([0, 1], ["one by\none", "in one\nline"], fontsize=8)
axes[2].set(title="beyond 16 words", xlabel=f"{len(pairs)} pairs of sentences")
show(figure, alt="Three bar charts of BLEU. By source: dictionary and game score far below the office help, and in each the half "
     "with the rarer words scores lower. By how many training pairs hold the rarest word, all sources together: it rises "
     "steeply, from unseen words to common ones. Two sentences joined in one line score far below the same two one by one.")

# %% id="fail-examples" tags=["nbval-ignore-output"]
hard = {
    "a name": "Mrs Featherstonehaugh lives in Wolverhampton with her cousin Aloysius.",
    "a long word": "The telecommunication infrastructure was electromagnetically disturbed.",
    "a rare word": "The plumber soldered the gutter with a blowtorch.",
    "an idiom": "It is raining cats and dogs, and I am under the weather.",
    "far beyond 16 words": "When the old man who had been living in the small house near the river since the end of the war "
                           "heard that his daughter was coming home he opened all the windows and began to sing.",
}
for what, several in zip(hard, seq2seq.translate(course, pieces, list(hard.values()), alpha=alpha)):
    print(f"{what}: {hard[what]}\n   {pieces.decode([several[0].tokens])[0]}\n")

# %% [markdown] id="fails-text"
# What these have in common is plain: the model knows what its pairs taught it.
#
# - **Where a sentence comes from** matters most. The office help says the same things again and again, in the same words; a dictionary shows what is peculiar. One BLEU for all of them says little about any.
# - **Rare words** cost something in each source, least in the dictionary, where nearly all is hard. A word that was never seen is spelled in pieces whose sense, apart, is another. (The middle picture mixes the sources: its common words are largely the office help's.)
# - **Names** are spelled in pieces, too, and each piece must be copied in order. One that never stood in training comes out cut short, stammered, or replaced by something else altogether.
# - **Idioms** are translated word by word, unless the dictionary happened to have them.
# - **Long texts** are lost on it. No English sentence in training had more than 16 words, and hardly any as many pieces as the joined lines; so there are places in a sentence that it has hardly ever seen, and two sentences in one line it has rarely seen either. The very same sentences do better apart. It stops early, repeats, or loses the thread.
#
# **Question.** More of what would mend most: data, parameters, or a wider beam?
#
# <details><summary>Answer</summary>
#
# Data. The paper's English–German set had 4.5 million pairs (§5.1), fifty times as many. More parameters on the same pairs learn them by heart sooner. And a beam can only find what the model thinks likely.
# </details>

# %% [markdown] id="claims"
# ## 13 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | the architecture | figure 1 and §3 | your parts, with PyTorch's weights, give PyTorch's output to 10⁻⁵, in both orders of the norm: section 4 |
# | norm first tames the gradient at the top | with the norm last it stays large however deep the stack, with the norm first it shrinks as 1/√blocks (Xiong et al. 2020, §3.3) | the last block's gradient, for stacks of 1 to 12 blocks: section 3 |
# | all positions at once | the decoder's mask keeps training autoregressive: each word from those before it alone (Vaswani et al. 2017, §3.1) | to the last digits what word by word gives, in a fraction of the time: section 5 |
# | better than recurrence | 28.4 BLEU, above all recurrent and convolutional models of its time, for less computation (§6.1, table 2) | in our own test, on sorting, at equal parameters and steps, section 8; not on dates, section 14 |
# | a step waits for nobody | sequential operations of a layer: 1 against n (table 1) | growth of a step's time with the length: section 8 |
# | a beam beats greed | they decode with a beam of 4 and α = 0.6 (§6.1); how much beams gain: Koehn and Knowles 2017, §3.6 | BLEU on held-out pairs, greedy beside a beam of 4 with the α of the card: section 11 |
# | rare words and long sentences are hard | two of six challenges for neural translation (Koehn and Knowles 2017, §3.3 and §3.4) | BLEU by rarest word, and of two sentences in one line: section 12 |
# | it translates | 28.4 BLEU on newstest2014, sentences from the news | at least 20 on held-out sentences of up to 16 words: section 11 |
#
# **What does not carry over.** The BLEU here and the BLEU there cannot be compared: our sentences are short, and come from the same three sources as the training pairs. Its 28.4 is the big model's, with 213 million parameters; the base model, with 65 million, learned from 4.5 million pairs for 100,000 steps on eight GPUs and has 27.3 (§5, tables 2 and 3). Ours has an eighth of the base model's parameters and a fiftieth of the pairs. “At equal size better than recurrence” holds on some tasks and not on others at our size, as section 8 and the second exercise of section 14 show; the paper's case was large data. And step times on one core say something about waiting, and little about GPUs, where the gap is far wider.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Not attention, nor encoder and decoder, nor residuals, nor layer norm. New was to leave out the recurrence, and to show with scale, heads, positions and schedule how to make the rest train.
# - *What is not?* Its tools are those of the systems before it: the beam, the length penalty, byte pairs, label smoothing, and averaging the last saves of a run (§6.1). An honest comparison gives the rival the same.
# - *When does it fail?* When pairs are few, when a sentence is longer than any it has seen, when a word must be spelled that it never read; and with a step that must wait for the one before, when it *writes*.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 14 · Going further
#
# **1. More guests than ever.** Give section 7's model lists of 18 to 24 guests. What happens, at which place in the list does it begin, and does the GRU do better?
#
# <details><summary>Solution</summary>
#
# ```python
# longer = guests.draw(200, random.Random(4), fewest=18, most=24)
# for name, each in (("Transformer", model), ("GRU", recurrent)):
#     for lists in (test, longer):
#         print(name, "%.0f %% of the names, %.0f %% of the lists" % marked(each, *lists))
# source, labels = longer
# said = model(source.to(lab.device), shift_right(labels).to(lab.device)).argmax(dim=-1).cpu()
# real = labels != PAD
# print([round(float((said == labels)[:, place][real[:, place]].float().mean()), 2) for place in range(labels.shape[1])])
# ```
#
# It bends and does not break: more than nine names of ten are still right, and as one slip spoils a list, far fewer lists are. The GRU loses more names. The share falls little by little from place to place, and begins to at places that training knew well: it is not so much new places that are hard as more names to choose from. To sort, one goes by who the guests are, hardly by where they stand. A translator's long sentences are worse off: section 12.
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
#
# days = dates.load("train", 2000)
# letters = ["<pad>", "<s>", "</s>", *sorted(set("".join(days.written + days.iso)))]
#
# def spell(texts):
#     return pad([[letters.index(letter) for letter in text] + [END] for text in texts])
#
# def draw_dates(n, chance):
#     days = dates.load("train", n, chance.randrange(10**9))
#     return spell(days.written), spell(days.iso)
#
# exam = dates.load("test", 200)
# exam = spell(exam.written), spell(exam.iso)
# for each, scale in ((Transformer(len(letters), 64, 4, 128, 2), 1), (gru.GRU(replace(size, vocabulary=len(letters))), 2)):
#     _, tests = learn(each.to(lab.device), 300, lambda step: scale * rate(step), "dates", draw_dates, exam)
#     print(type(each).__name__, tests[-1])
# ```
#
# The numbers are: step, letters right, dates right. The GRU is far ahead. One explanation: it reads letters in order, so that a word is put together on the way, while the Transformer must first learn what “next to” means.
# </details>
#
# **3. Norm last, no warm-up.** Train section 7's model with six blocks, with the norm first and last, once with the schedule and once with a constant rate at its peak. What does the paper's caution buy?
#
# <details><summary>Solution</summary>
#
# ```python
# for norm_first in (True, False):
#     for name, schedule in (("schedule", rate), ("constant", lambda step: rate(100))):
#         torch.manual_seed(0)
#         deep = Transformer(len(guests.TOKENS), 64, 4, 128, blocks=6, norm_first=norm_first).to(lab.device)
#         losses, _ = learn(deep, 200, schedule, name)
#         print("norm", "first" if norm_first else "last", name, f"{sum(losses[-20:]) / 20:.2f}")
# ```
#
# Guessing names costs the logarithm of a hundred, 4.6. With the norm first the loss is far below that, with the schedule and without. With the norm last, six blocks have learned nothing after 200 steps at the constant rate, and have only just begun with the schedule: the caution is needed, and it takes time. The paper gave its model 4,000 steps to warm up and 100,000 in all. This takes a minute or two.
# </details>
#
# **4. The curse of the beam.** Measure BLEU and the mean score for beams of 1, 2, 4, 8 and 16 on every fourth of the sentences, at α = 0 and at the card's α. Where do score and BLEU part?
#
# <details><summary>Solution</summary>
#
# ```python
# every = range(0, len(english), 4)  # of all three sources
# texts_, right = [english[i] for i in every], [wanted[i] for i in every]
# for a in (0.0, alpha):
#     for width in (1, 2, 4, 8, 16):
#         found = [several[0] for several in seq2seq.translate(course, pieces, texts_, width=width, alpha=a)]
#         length = sum(len(each.tokens) for each in found) / len(found)
#         score = sum(each.score for each in found) / len(found)
#         print(f"α {a}, width {width:>2}: BLEU {bleu(pieces.decode([e.tokens for e in found]), right):5.1f}, "
#               f"score {score:6.2f}, {length:.1f} pieces")
# ```
#
# Without a penalty the mean score rises with every width, the answers grow shorter and shorter, and BLEU gains nothing: what is likelier is not better. With the card's α they keep their length, and BLEU still rises a little at 16. So much of the curse is that of comparing sums; in far wider beams it comes back (Koehn and Knowles 2017, §3.6).
# </details>
#
# **5. A cache of your own.** In section 5, forty words took forty passes over everything before them. Write the same with a memory: an attention for *one* new word, which keeps the keys and values of those before. Does it give the same, and in what time? (`attention.project(y)` gives the queries, keys and values of lab 02, split into heads; `attention.attention(query, key, value, None)` attends in each head; `attention.to_output` is the last projection, of the heads laid side by side.)
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
# def cached(model, memory, seen, source):
#     kept, said = [[] for _ in model.decoder.blocks], []
#     vectors, mask = model.embed(seen), (source != PAD)[:, None, :]  # embedded together, each has its own place
#     for place in range(seen.shape[1]):
#         x = vectors[:, place : place + 1]
#         for block, past in zip(model.decoder.blocks, kept):
#             x = residual(x, lambda y: attend_one(block.attention, y, past), block.norms[0], block.norm_first)
#             x = residual(x, lambda y: block.cross_attention(y, memory, mask), block.norms[1], block.norm_first)
#             x = residual(x, block.feed_forward, block.norms[2], block.norm_first)
#         said.append(model.logits(model.decoder.norm(x)))
#     return torch.cat(said, dim=1)
#
# torch.manual_seed(0)
# small = Transformer(vocabulary=100, dim=64, heads=4, hidden=256, blocks=2)
# foreign, wanted_ = torch.randint(3, 100, (8, 40)), torch.randint(3, 100, (8, 40))
# with torch.no_grad():
#     memory, seen = small.encode(foreign), shift_right(wanted_)
#     for name, decode in (("again and again", lambda: torch.stack(
#                              [small.logits(small.decode(seen[:, :n], memory, foreign)[:, -1]) for n in range(1, 41)], 1)),
#                          ("remembered", lambda: cached(small, memory, seen, foreign))):
#         start = time.perf_counter()
#         logits = decode()
#         print(f"{name}: {time.perf_counter() - start:.3f} s, logit 0 of the last word {logits[0, -1, 0]:.6f}")
# ```
#
# The same but for the last digits, in about half the time, and more is saved the longer the text. No causal mask is needed: the future is not there yet. `squint.nn.transformer` has the same in its decoder, for beams as well.
# </details>
#
# **Reading.** Vaswani et al. (2017), “Attention Is All You Need”. Bahdanau, Cho and Bengio (2015), “Neural Machine Translation by Jointly Learning to Align and Translate”. Ba, Kiros and Hinton (2016), “Layer Normalization”. Xiong et al. (2020), “On Layer Normalization in the Transformer Architecture”. Szegedy et al. (2016), “Rethinking the Inception Architecture for Computer Vision”, §7. Wu et al. (2016), “Google's Neural Machine Translation System”, §7. Sennrich, Haddow and Birch (2016), “Neural Machine Translation of Rare Words with Subword Units”. Papineni et al. (2002), “BLEU”, and Post (2018), “A Call for Clarity in Reporting BLEU Scores”. Koehn and Knowles (2017), “Six Challenges for Neural Machine Translation”. He et al. (2016), “Deep Residual Learning for Image Recognition”. Dong, Cordonnier and Loukas (2021), “Attention is Not All You Need: Pure Attention Loses Rank Doubly Exponentially with Depth”. Liu et al. (2020), “Understanding the Difficulty of Training Transformers”. Stahlberg and Byrne (2019), “On NMT Search Errors and Model Errors: Cat Got Your Tongue?”. Glorot and Bengio (2010), “Understanding the Difficulty of Training Deep Feedforward Neural Networks”.
#
# Next comes lab 04, GPT: the decoder alone, taught to continue any text.

# ---
# squint:
#   lab: "04"
#   title: GPT
#   minutes: 165
#   promise: Teach a small GPT to continue English, mix what it reads, write with it, and measure whether it learned more than counting, whether it recites, and who can tell its texts from a person's.
#   prerequisites: ["03_transformer"]
#   objectives:
#     - write byte-pair encoding, and hold it against the library that everybody uses
#     - train by predicting the next piece, and say how good a model is whatever its pieces are
#     - write GPT with a memory of what it has read, and say what that memory saves and costs
#     - draw text by temperature, by the k likeliest, and from the nucleus
#     - mix sources by weight, and measure what each gains and loses
#     - tell a model that writes from one that recites, and test in the blind who wrote what
#   claim: A Transformer that only learns which piece comes next beats the best counting on every kind of text it read, without reciting it.
#   source: Radford et al. 2018, “Improving Language Understanding by Generative Pre-Training”, §3.1; Radford et al. 2019, §2; Brown et al. 2020, §2.2 and §3.9.4; Holtzman et al. 2020, §3.1
# ---

# %% [markdown] id="title"
# # GPT
#
# *Teach a small GPT to continue English, mix what it reads, write with it, and measure whether it learned more than counting, whether it recites, and who can tell its texts from a person's.*
#
# 165 minutes · after [lab 03, The Transformer](03_transformer.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write byte-pair encoding, and hold it against the library that everybody uses;
# - train by predicting the next piece, and say how good a model is whatever its pieces are;
# - write GPT with a memory of what it has read, and say what that memory saves and costs;
# - draw text by temperature, by the k likeliest, and from the nucleus;
# - mix sources by weight, and measure what each gains and loses;
# - tell a model that writes from one that recites, and test in the blind who wrote what.
#
# **The claim under test.** A Transformer that only learns which piece comes next (Radford et al. 2018, “Improving Language Understanding by Generative Pre-Training”, §3.1; Radford et al. 2019, §2) beats the best counting on every kind of text it read, without reciting it.

# %% id="setup" tags=["setup"]
lab = begin("04_gpt")

# %% id="imports"
import json
import math
import random
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from IPython.display import HTML, display

from squint import train
from squint.data import books
from squint.device import seconds
from squint.models import gpt as course
from squint.nn.attention import causal_mask, join_heads
from squint.text.bpe import BPE, END
from squint.text.ngram import KneserNey
from squint.viz import blind, colours
from squint.viz.style import draw_guess

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** What does a causal mask forbid, and what does that make possible in training?
#
# <details><summary>Answer</summary>
#
# No token may look at a later one. So what stands at place 5 depends on the first five tokens alone, and all places can be trained at once: each predicts its own next token, and none can see it.
# </details>
#
# **2.** In a decoder, what is new when one more word has been said? And what stays as it was?
#
# <details><summary>Answer</summary>
#
# New are one query, one key and one value in each attention. All earlier keys and values stay, since none of them may look ahead.
# </details>
#
# **3.** A model gives the right next word a probability of one in four. What is its cross-entropy there, in nats and in bits?
#
# <details><summary>Answer</summary>
#
# −ln ¼ = ln 4 ≈ 1.39 nats; −log₂ ¼ = 2 bits. One nat is 1 / ln 2 ≈ 1.44 bits.
# </details>

# %% [markdown] id="idea"
# Lab 03's Transformer was taught by pairs: a sentence and its translation. Somebody had to write both. But any text teaches something by itself: cover the next word, guess it, look. To guess well you must know spelling, grammar, who is speaking, and what people do. **Generative pre-training** is just this, on as much text as one can get.
#
# Here the texts are four, those of lab 01: six novels by Jane Austen, Shakespeare's plays, a Bible, and the definitions of WordNet. Of every book its end is held out, and three books altogether; nothing is measured on what was learned from.

# %% id="texts"
sources = {name: books.source(name) for name in books.NAMES}
for name, source in sources.items():
    parts = {part: sum(map(len, getattr(source, part))) for part in ("train", "ends", "book")}
    print(f"{name:12}" + ", ".join(f"{part} {size:,} characters" for part, size in parts.items()))

# %% [markdown] id="pieces-idea"
# ## 1 · Pieces
#
# What is a token? Words are too many, and tomorrow's text has one that no list has. Letters are few, but a text has a great many of them, and attention pays for each. Between them lies **byte-pair encoding** (Sennrich et al. 2016, §3.2): begin with single letters; find the two neighbours that stand side by side most often; merge them into one piece; and again. Common words end as one piece, rare ones are spelled in several.
#
# The text is first cut into words, each with the space before it, which is printed as `Ġ`; nothing is merged across words. So a table of the different words and how often each occurs is all that is needed:

# %% id="words"
shipped, pieces, card = course.pretrained()  # the course's GPT, and its pieces of words
shipped = shipped.to(lab.device)
novel = sources["austen"].train[0][:60_000]


def words_of(text):
    """The words of a text as the course's encoding cuts them, each with the space before it."""
    cut = pieces.tokenizer.pre_tokenizer.pre_tokenize_str
    return [word for line in text.split("\n") for word, _ in cut(" " + line)]



count = Counter(words_of(novel))
words = {tuple(word): times for word, times in count.items()}
print(f"{sum(count.values()):,} words, {len(count):,} different ones, such as")
for word in list(words)[20:24]:
    print(word, words[word])

# %% [markdown] id="count-text"
# `words` is a dictionary from a word, as a tuple of its pieces, to how often it occurs. A pair that stands twice in a word counts twice, and a word that occurs ten times counts ten times. `zip(word, word[1:])` goes through the neighbours of a tuple, and a `Counter` begins at 0 for anything new.

# %% id="count_pairs" tags=["exercise"] minutes=6 difficulty=2 teaches="what byte-pair encoding counts"
def count_pairs(words):
    """How often every two pieces stand side by side.

    words: a dictionary from words, tuples of pieces, to how often each occurs
    returns a Counter (or dictionary) from pairs, tuples of two pieces, to their number
    """
    ### BEGIN SOLUTION
    pairs = Counter()
    for word, times in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] += times
    return pairs
    ### END SOLUTION

# %% id="check-count_pairs" tags=["check"]
count_pairs = check("count_pairs")

# %% [markdown] id="merge-text"
# Merging goes from left to right: in `a a a`, the pair `(a, a)` is merged at the first place where it stands, and the third `a` is left over. The new piece is both written together: in Python, `"t" + "h"`.

# %% id="merge" tags=["exercise"] minutes=8 difficulty=2 teaches="a merge, from left to right"
def merge(word, pair):
    """The word with every occurrence of the pair merged into one piece, from left to right.

    word: a tuple of pieces; pair: two pieces
    returns a tuple of pieces
    """
    ### BEGIN SOLUTION
    merged, at = [], 0
    while at < len(word):
        if tuple(word[at : at + 2]) == tuple(pair):
            merged.append(word[at] + word[at + 1])
            at += 2
        else:
            merged.append(word[at])
            at += 1
    return tuple(merged)
    ### END SOLUTION

# %% id="check-merge" tags=["check"]
merge = check("merge")

# %% [markdown] id="learn-pieces-text"
# These two are all of the training. Each round finds the commonest pair and merges it everywhere.

# %% id="learn_pieces"
def learn_pieces(words, rounds):
    """The merges in the order in which they were learned; and the words, spelled with them."""
    merges, sizes = [], []
    for _ in track(range(rounds), "merging"):
        pairs = count_pairs(words)
        merges.append(max(pairs, key=pairs.get))
        words = {merge(word, merges[-1]): times for word, times in words.items()}
        sizes.append(sum(len(word) * times for word, times in words.items()))
    return merges, words, sizes


merges, spelled, sizes = learn_pieces(words, budget(cpu=200, gpu=200, smoke=20))
print("the first ten merges:", *("".join(pair) for pair in merges[:10]))
print("the last ten:", *("".join(pair) for pair in merges[-10:]))

# %% id="fig-pieces" tags=["nbval-ignore-output"]
letters = sum(len(word) * times for word, times in words.items())
figure, axes = plt.subplots(figsize=(6.4, 3.2))
axes.plot(range(len(sizes) + 1), [1] + [letters / size for size in sizes])
axes.set(xlabel="merges learned", ylabel="letters a piece", ylim=(0.9, None),
         title="The same text in fewer pieces")
show(figure, alt="A curve that starts at one letter a piece and rises with the number of merges, "
     "steeply at first and then ever more slowly.")

# %% [markdown] id="spell-text"
# To spell a *new* word one must not look for whatever fits first: the merges are applied **in the order in which they were learned**, for each of them was learned on words in which all earlier ones had been made.

# %% id="spell" tags=["exercise"] minutes=6 difficulty=2 teaches="merges apply in the order in which they were learned"
def spell(word, merges):
    """The pieces of a word.

    word: a string; merges: a list of pairs of pieces, in the order in which they were learned
    returns a tuple of pieces
    """
    ### BEGIN SOLUTION
    spelling = tuple(word)
    for pair in merges:
        spelling = merge(spelling, pair)
    return spelling
    ### END SOLUTION

# %% id="check-spell" tags=["check"]
spell = check("spell")

# %% [markdown] id="same-pieces-text"
# The course's `BPE` hands the same work to the library [tokenizers](https://github.com/huggingface/tokenizers), written in Rust. Do the two agree? Where two pairs are equally common, either may come first; so we follow the library's merges round by round and ask your counts each time whether its pair is one of the commonest. Then all words are spelled in both ways.

# %% id="same-pieces"
library = BPE.train(novel.split("\n"), size=256 + 3 + len(merges))
its_merges = [tuple(pair) for pair in json.loads(library.tokenizer.to_str())["model"]["merges"]]
follow, rarer = words, 0
for pair in its_merges[:60]:
    pairs = count_pairs(follow)
    rarer += pairs[pair] < max(pairs.values())
    follow = {merge(word, pair): times for word, times in follow.items()}
claim("rounds, of 60, in which the library merged a pair that is not the commonest", rarer,
      equals=0, paper="Sennrich et al. 2016, §3.2")


def spelled_otherwise(merges, words):
    """How many words your `spell` spells otherwise than the library, with these merges."""
    theirs = [library.tokenizer.model.tokenize(word) for word in words]
    return sum(spell(word, merges) != tuple(token.value for token in tokens)
               for word, tokens in zip(words, theirs))


new = list(Counter(words_of(sources["austen"].book[0][:100_000])))
new = new[:: budget(cpu=4, gpu=4, smoke=40)]
claim("words of another novel that the library spells otherwise than you",
      spelled_otherwise(its_merges, new), equals=0,
      control={"with your merges in reverse": spelled_otherwise(its_merges[::-1], new)})

# %% [markdown] id="pieces-question"
# The library works on *bytes*, not letters (Radford et al. 2019, §2.2): whatever the text, in any script, it can be spelled, and nothing is ever unknown.
#
# **Question.** A model that was trained on Austen's pieces is shown a page of Polish. What happens to the number of tokens, and to what the model can see at once?
#
# <details><summary>Answer</summary>
#
# Hardly any merge fits, so nearly every byte is a token of its own, and letters such as *ł* are two. A page has two to three times as many tokens for its length, and so much less of it fits into the model's window. Who speaks a language that was rare in the training text pays more for less.
# </details>

# %% [markdown] id="loss-idea"
# ## 2 · What comes next
#
# A language model gives each place of a text scores for every piece that might come *next*. Training makes the piece that did come likelier. All places learn at once, since none may look ahead. So of a text of five tokens, there are four lessons: the scores at the first token are held against the second token, and so on; the scores at the last have nothing to be held against.

# %% id="next_token_loss" tags=["exercise"] minutes=8 difficulty=2 teaches="the shift by one between scores and targets"
def next_token_loss(logits, tokens):
    """Mean cross-entropy, in nats, of every token but the first, given those before it.

    logits: [batch, tokens, vocabulary], the scores at each place of what comes next
    tokens: [batch, tokens], whole numbers
    returns a scalar tensor
    """
    ### BEGIN SOLUTION
    before, after = logits[:, :-1], tokens[:, 1:]
    return F.cross_entropy(before.flatten(0, 1), after.flatten())
    ### END SOLUTION

# %% id="check-next_token_loss" tags=["check"]
next_token_loss = check("next_token_loss")

# %% [markdown] id="shift-text"
# Who forgets the shift by one trains a model to repeat what it has just read. That is easily learned, and its loss falls beautifully. Here is a "model" which knows nothing and repeats:

# %% id="shift"
some = torch.randint(len(pieces), (4, 20), generator=torch.Generator().manual_seed(0))
echo = 20.0 * F.one_hot(some, len(pieces))  # it says again what it was told
unshifted = F.cross_entropy(echo.flatten(0, 1), some.flatten())
print(f"without the shift: {unshifted:.3f} nats; with it: {next_token_loss(echo, some):.0f} nats")
print(f"and equal scores for all, which would be honest: {math.log(len(pieces)):.1f} nats")

# %% [markdown] id="perplexity-text"
# A loss in nats says little to the eye. Its exponential says more: the **perplexity** is the number of equally likely pieces among which the model hesitates as much. The mean goes over all *tokens*. Test texts come in batches of different sizes, and a batch with three tokens must not weigh as much as one with three thousand.

# %% id="perplexity" tags=["exercise"] minutes=6 difficulty=2 teaches="a mean over tokens, not over batches"
def perplexity(losses, counts):
    """The perplexity of a model on a text that was read in batches.

    losses: [batches], the mean cross-entropy in nats of each batch
    counts: [batches], how many tokens were predicted in each
    returns a scalar tensor
    """
    ### BEGIN SOLUTION
    nats = (losses * counts).sum()
    return (nats / counts.sum()).exp()
    ### END SOLUTION

# %% id="check-perplexity" tags=["check"]
perplexity = check("perplexity")

# %% [markdown] id="bits-text"
# Perplexity has a flaw: it depends on the pieces. Who cuts a text into letters hesitates among few at each step, and takes many steps. What can be compared whatever the pieces are is the surprise of the *whole* text, over its length in bytes: **bits a byte** (all nats / ln 2 / number of bytes). It is also how many bits this model would need to compress the text (Shannon 1948, §7).
#
# Here are the same 60 lines, as cut by three tables. The model is the simplest there is, which knows how often each piece occurs and nothing else.

# %% id="bits"
def bits_a_byte(nats, text):
    """All surprise, in bits, over all bytes; nats: of every token of the text."""
    return float(nats.sum()) / math.log(2) / len(text.encode())


lines = novel.split("\n")
read, tested = "\n".join(lines[60:]), "\n".join(lines[:60])
tables = {"letters": BPE.train([read], 259), "200 merges": BPE.train([read], 459),
          "2,000 merges": BPE.train([read], 2_259)}
found = {}
for name, table in tables.items():
    learned, asked = (torch.tensor(table.encode([text])[0]) for text in (read, tested))
    shares = (torch.bincount(learned, minlength=len(table)) + 1.0).log().log_softmax(dim=0)
    nats = -shares[asked]
    found[name] = (perplexity(nats.mean()[None], torch.tensor([len(nats)])),
                   bits_a_byte(nats, tested))
    print(f"{name:13} {len(asked):5} tokens, perplexity {found[name][0]:7.1f}, "
          f"{found[name][1]:.2f} bits a byte")
claim("with 2,000 merges the perplexity is higher than with letters, times",
      found["2,000 merges"][0] / found["letters"][0], above=3)
claim("and yet it needs fewer bits a byte", found["2,000 merges"][1], below=found["letters"][1])

# %% [markdown] id="gpt-idea"
# ## 3 · The machine
#
# GPT is lab 03's Transformer with one half thrown away. There is nothing to translate, so there is no encoder and no cross-attention: what is left are blocks of causal self-attention, one behind the other (Radford et al. 2018, §3.1). Two things are new.
#
# **A memory.** A model that writes puts one piece behind the other, and would read its whole text again for each. But no key and no value of an earlier piece ever changes. So each attention keeps them: the new pieces bring their queries, keys and values; the new keys and values are put *behind* those that are kept; and the queries look at all of them, each up to its own place. With nothing kept, that is lab 02's causal attention.
#
# Say two tokens are remembered and three are new. Then there are three queries and five keys, and the new tokens are the last three of five. Which may see which?

# %% id="which-may-see"
print(causal_mask(5)[-3:].int())

# %% [markdown] id="attend-text"
# That is the last three rows of a causal mask for all five. Scores are divided by the square root of a query's length, and what may not be seen is set to −∞ before the softmax, along the keys: `scores.masked_fill(~mask, -torch.inf)`. `causal_mask(n, device=query.device)` is the mask of lab 02, and `key.mT` swaps the last two axes.

# %% id="attend" tags=["exercise"] minutes=14 difficulty=4 teaches="causal attention that remembers keys and values"
def attend(query, key, value, past=None):
    """Causal attention of the newest tokens to all tokens so far.

    query, key, value: [..., new, part], of the newest tokens; any number of axes in front
    past: (keys, values) of all tokens before them, [..., old, part] each; None if there are none
    returns what the new tokens saw, [..., new, part], and (keys, values) of all tokens, old and new
    """
    ### BEGIN SOLUTION
    if past is not None:
        key = torch.cat([past[0], key], dim=-2)
        value = torch.cat([past[1], value], dim=-2)
    new, every = query.shape[-2], key.shape[-2]
    mask = causal_mask(every, device=query.device)[every - new :]
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask, -torch.inf).softmax(dim=-1)
    return weights @ value, (key, value)
    ### STUB
    # if past is not None:
    #     key = ...
    #     value = ...
    # new, every = query.shape[-2], key.shape[-2]
    # mask = causal_mask(every, device=query.device)[...]
    # scores = ...
    # weights = ...
    # return weights @ value, (key, value)
    ### END SOLUTION

# %% id="check-attend" tags=["check"]
attend = check("attend")

# %% [markdown] id="gpt-text"
# **One table.** Each piece has a row in a table of embeddings: what comes in is looked up there. Going out, the same table serves once more: the score of a piece is the product of its row with what the last block says, $\text{states} \cdot \text{table}^\top$. So a piece is likely to come next if its vector is like what the model has in mind.
#
# That product is taken outside of what you write now. Positions are learned here, a row for each place, and added to the embeddings. Mind what the memory means for them: if two tokens are remembered, the next one stands at place 2 (from 0), not at 0.
#
# Now write the way through the machine. A block is a function here: `block(x, past)` returns its new `x` and what it will remember, the pair that your `attend` returns. How many tokens are remembered can be read from the first block's keys, `memory[0][0].shape[-2]`.

# %% id="gpt" tags=["exercise"] minutes=14 difficulty=3 teaches="GPT as a whole: embeddings, places, blocks, memory"
def gpt(tokens, table, positions, blocks, norm, memory=None):
    """What GPT makes of each new token, and what it remembers.

    tokens: [batch, new], whole numbers; table: [vocabulary, dim]; positions: [longest, dim]
    blocks: functions (x, past) -> (x, past), with x [batch, new, dim]
    norm: a function of x, the last thing
    memory: a list with the past of each block, (keys, values) [..., old, part]; None at the start
    returns the states [batch, new, dim], and the new memory: a list with the new past of each block
    """
    ### BEGIN SOLUTION
    first = memory[0][0].shape[-2] if memory else 0
    x = table[tokens] + positions[first : first + tokens.shape[1]]
    remembered = []
    for number, block in enumerate(blocks):
        x, past = block(x, memory[number] if memory else None)
        remembered.append(past)
    return norm(x), remembered
    ### STUB
    # first = ...
    # x = ...
    # remembered = []
    # for number, block in enumerate(blocks):
    #     x, past = block(x, ...)
    #     ...
    # return norm(x), remembered
    ### END SOLUTION

# %% id="check-gpt" tags=["check"]
gpt = check("gpt")

# %% [markdown] id="shipped-text"
# The course ships a trained GPT. Its blocks are lab 03's, with the norm first. We open each and put your attention in; the weights go through your `gpt`. Are the scores the same as the course's own, and do they stay the same if the text is read in three parts?

# %% id="shipped"
shape = shipped.config
print(f"{shape.blocks} blocks, {shape.dim} wide, {shape.heads} heads, {shape.vocabulary:,} pieces, "
      f"{shipped.parameter_count / 1e6:.1f} million parameters, sees {shape.tokens} tokens at once")


def opened(block):
    """A block of the course's GPT as a function (x, past) -> (x, past), on your attention."""
    def run(x, past):
        query, key, value = block.attention.project(block.attention_residual.before(x))
        seen, past = attend(query, key, value, past)
        x = x + block.attention.to_output(join_heads(seen))
        return x + block.feed_forward(block.feed_forward_residual.before(x)), past

    return run


your_blocks = [opened(block) for block in shipped.blocks.blocks]


@torch.no_grad()
def yours(tokens, memory=None):
    """Your GPT with the shipped weights: states and memory."""
    return gpt(tokens, shipped.embedding.weight, shipped.positions.table, your_blocks,
               shipped.blocks.norm, memory)


@torch.no_grad()
def scores_of(states):
    return states @ shipped.embedding.weight.T


opening = ("It is a truth universally acknowledged, that a single man in possession of a good "
           "fortune")
tokens = torch.tensor([[END, *pieces.encode([opening])[0]]], device=lab.device)
with torch.no_grad():
    its_scores = shipped(tokens)
    at_once = scores_of(yours(tokens)[0])
    memory, parts = None, []
    for part in tokens.split(7, dim=1):
        states, memory = yours(part, memory)
        parts.append(scores_of(states))
in_parts = torch.cat(parts, dim=1)
claim("largest difference between your scores and the course's", (at_once - its_scores).abs().max(),
      below=1e-3, control={"one token later": (at_once[:, 1:] - its_scores[:, :-1]).abs().max()})
claim("largest difference if the text is read in parts", (in_parts - its_scores).abs().max(),
      below=1e-3, control={"with each part as if it were the first":
               (torch.cat([scores_of(yours(part)[0]) for part in tokens.split(7, dim=1)], dim=1)
                - its_scores).abs().max()})
likely = at_once[0, -1].softmax(dim=-1).topk(5)
print("it goes on with", *(f"{pieces.decode([[int(i)]])[0]!r}" for i in likely.indices))

# %% [markdown] id="draw-idea"
# ## 4 · Writing
#
# To write, take the scores at the last place, choose a piece, put it behind, go on. Which piece? Lab 03b took the likeliest, or searched for the likeliest sentence. That is right for a translation, which has to say one thing. Let us see what it does to a text that may go anywhere. (The beginning is a sentence that the model has read in training; nothing is measured on it.)

# %% id="greedy-text" tags=["nbval-ignore-output"]
def write(tokens, new, choose, remember=True):
    """Your GPT goes on from tokens, by so many new ones; `choose` takes them from their scores."""
    memory, unread = None, tokens
    for _ in range(new):
        states, kept = yours(unread, memory)
        token = choose(scores_of(states[:, -1]))[:, None]
        tokens = torch.cat([tokens, token], dim=1)
        memory, unread = (kept, token) if remember else (None, tokens)
    return tokens


def likeliest(scores):
    return scores.argmax(dim=-1)


print(pieces.decode(write(tokens, 80, likeliest)[:, 1:].tolist())[0])

# %% [markdown] id="shares-text"
# It has fallen into a rut: what was just said is the likeliest thing to be said again (Holtzman et al. 2020, §3). People do not always say what is likeliest. So a piece is *drawn*, by its probability. But of six thousand pieces most make no sense, and though each is unlikely, together they are drawn often. Three ways to mend that:
#
# - **temperature**: divide the scores by it before the softmax. Below 1, what is likely becomes likelier; above 1, all become more alike.
# - **top-k**: keep the $k$ likeliest pieces (Fan et al. 2018, §5.4).
# - **top-p**, the nucleus: keep the *fewest* likeliest pieces that together reach the share $p$ (Holtzman et al. 2020, §3.1). With shares 0.5, 0.3, 0.15, 0.05 and $p = 0.7$, that is two: 0.5 is not enough, and the second reaches it. The piece that crosses the line belongs to it.
#
# What is not kept gets share 0, and the others are divided by their sum, so that they sum to 1. If both are asked for, a piece must be kept by both; the nucleus is measured in the shares that the softmax gives, before top-k takes anything away.
#
# A way to do it: sort the shares, `ranked, order = shares.sort(dim=-1, descending=True)`. `ranked.cumsum(dim=-1) - ranked` is what lies *above* each piece: it stays if that is less than $p$. For top-k, `kept[..., k:] = False` crosses out all ranks from $k$ on. To put the ranked shares back in the pieces' own order: `torch.zeros_like(shares).scatter(-1, order, ranked)`.

# %% id="to_draw_from" tags=["exercise"] minutes=20 difficulty=4 teaches="temperature, top-k and the nucleus"
def to_draw_from(scores, temperature=1.0, top_k=None, top_p=1.0):
    """The shares by which the next piece is drawn.

    scores: [..., vocabulary]; temperature: a number above 0
    top_k: how many pieces are kept at most, or None for all
    top_p: the share that the kept ones reach
    returns shares [..., vocabulary] that sum to 1
    """
    ### BEGIN SOLUTION
    shares = (scores / temperature).softmax(dim=-1)
    ranked, order = shares.sort(dim=-1, descending=True)
    kept = ranked.cumsum(dim=-1) - ranked < top_p
    if top_k is not None:
        kept[..., top_k:] = False
    ranked = ranked * kept
    ranked = ranked / ranked.sum(dim=-1, keepdim=True)
    return torch.zeros_like(shares).scatter(-1, order, ranked)
    ### STUB
    # shares = ...
    # ranked, order = shares.sort(dim=-1, descending=True)
    # kept = ...
    # if top_k is not None:
    #     ...
    # ranked = ranked * kept
    # ranked = ...
    # return torch.zeros_like(shares).scatter(-1, order, ranked)
    ### END SOLUTION

# %% id="check-to_draw_from" tags=["check"]
to_draw_from = check("to_draw_from")

# %% id="drawn-texts" tags=["nbval-ignore-output"]
def drawing(seed=0, **options):
    """A way to choose: by your shares."""
    chance = torch.Generator(lab.device).manual_seed(seed)

    def choose(scores):
        return torch.multinomial(to_draw_from(scores, **options), 1, generator=chance)[:, 0]

    return choose


for title, options in {"temperature 1": {}, "temperature 0.5": {"temperature": 0.5},
                       "the 20 likeliest": {"top_k": 20},
                       "0.8 and a nucleus of 0.95": {"temperature": 0.8, "top_p": 0.95}}.items():
    said = write(tokens, 60, drawing(**options))[:, tokens.shape[1] :]
    print(f"{title}: …{pieces.decode(said.tolist())[0]}\n")

# %% [markdown] id="draw-question"
# Put your own beginning in place of `opening`, and try. (None of these was chosen by us: it is the first draw of each.)
#
# **Question.** Why can a fixed $k$ be too large and too small in one sentence?
#
# <details><summary>Answer</summary>
#
# After “Jane and Eliza-” one piece has nearly everything, and twenty are nineteen too many. After “She was” a hundred adjectives are possible, and twenty cut most of them off. The nucleus takes as many as it takes to reach $p$.
# </details>

# %% [markdown] id="mix-idea"
# ## 5 · What it reads
#
# A model becomes what it reads. GPT-3 read five collections, and not in proportion to their sizes (Brown et al. 2020, table 2.2):
#
# | collection | billions of tokens | share of the training mix | times read, in 300 billion tokens |
# |---|---|---|---|
# | Common Crawl, filtered | 410 | 60 % | 0.44 |
# | WebText2 | 19 | 22 % | 2.9 |
# | Books1 | 12 | 8 % | 1.9 |
# | Books2 | 55 | 8 % | 0.43 |
# | Wikipedia | 3 | 3 % | 3.4 |
#
# What was thought good was read several times, and more than half of the web never. To train so, each row of a batch is drawn in two steps: first which source, by weight; then where in it, every place being as likely as any other.
#
# Two tools: `torch.multinomial(weights, count, replacement=True)` draws that many numbers by weight. `torch.randint(n, ())` is a whole number from 0 to $n - 1$. A row of `width` tokens can begin at `len(stream) - width + 1` places.

# %% id="draw" tags=["exercise"] minutes=10 difficulty=3 teaches="sources mixed by weight"
def draw(streams, weights, count, width):
    """A batch, of which each row comes from a source drawn by weight, at a random place.

    streams: a list of sources, each a tensor [its tokens]
    weights: [sources], which need not sum to 1; count: rows; width: tokens a row
    returns [count, width]: each row is `width` neighbouring tokens of one source
    """
    ### BEGIN SOLUTION
    rows = []
    for number in torch.multinomial(weights, count, replacement=True).tolist():
        stream = streams[number]
        first = int(torch.randint(len(stream) - width + 1, ()))
        rows.append(stream[first : first + width])
    return torch.stack(rows)
    ### END SOLUTION

# %% id="check-draw" tags=["check"]
draw = check("draw")

# %% [markdown] id="mix-text"
# Now an experiment. Shakespeare gets a share of 0, 5 %, 25 %, 50 % or all of what is read; the other three share the rest evenly. With each mix, a tiny GPT learns the same number of tokens. Then all are asked about all four sources, on text that is held out.
#
# To be quick, these have 1,000 pieces, learned from some of each source, and 64 tokens of context.

# %% id="small-pieces"
names = list(books.NAMES)
some = [text[:200_000] for source in sources.values() for text in source.train[:3]]
small = BPE.train([line for text in some for line in text.split("\n") if line], 1_000)
streams = [torch.cat(books.encoded(small, [text[:400_000] for text in sources[name].train[:8]]))
           .to(lab.device) for name in names]
CONTEXT = 64


def held_out(pieces, name, rows, width):
    """Rows [rows, width] spread over the held-out ends of a source."""
    text = torch.cat(books.encoded(pieces, sources[name].ends))
    first = torch.linspace(0, len(text) - width, rows).long()
    return text[first[:, None] + torch.arange(width)].to(lab.device)


@torch.no_grad()
def surprise(model, rows):
    """Nats of every token of the rows but the first, [rows, width − 1]."""
    return torch.cat([F.cross_entropy(model(few[:, :-1]).mT, few[:, 1:], reduction="none")
                      for few in rows.split(32)])


def bits_of_rows(model, pieces, rows):
    """Bits a byte of held-out rows; what each row begins with is not counted."""
    text = "".join(pieces.decode(rows[:, 1:].tolist()))
    return bits_a_byte(surprise(model, rows), text)


def learn(model, steps, batch, weights, rate, watch=None):
    """Train a GPT on your mixture, by your loss; watch(step) is called now and then."""
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95))
    schedule = train.cosine(warmup=20, floor=0.05)
    for step in track(range(steps), "learning"):
        optimiser.param_groups[0]["lr"] = rate * schedule(step, steps)
        tokens = draw(streams, weights, batch, model.config.tokens)
        next_token_loss(model(tokens), tokens).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if watch is not None:
            watch(step + 1)
    return model.eval()


def tiny(dim, blocks, heads, tokens, seed=0):
    """A GPT that has learned nothing yet."""
    torch.manual_seed(seed)
    config = course.Config(len(small), dim, heads, 4 * dim, blocks, dropout=0.0, tokens=tokens)
    return course.GPT(config).to(lab.device)

# %% id="guess-mix" tags=["nbval-ignore-output"]
guess = predict("From no Shakespeare to Shakespeare alone, his bits a byte fall. How much of "
                "that fall is reached when a quarter of the text is his?",
                low=0, high=100, unit="%")

# %% id="mix"
mixes, steps = (0.0, 0.05, 0.25, 0.5, 1.0), budget(cpu=110, gpu=400, smoke=4)
asked = {name: held_out(small, name, rows=budget(cpu=100, gpu=400, smoke=8), width=65)
         for name in names}
by_mix = {name: [] for name in names}
for share in mixes:
    weights = torch.tensor([share if name == "shakespeare" else (1 - share) / 3 for name in names])
    reader = learn(tiny(64, 2, 2, CONTEXT), steps, 32, weights, rate=4e-3)
    for name in names:
        by_mix[name].append(bits_of_rows(reader, small, asked[name]))
his, alone = by_mix["shakespeare"], 100 * (by_mix["shakespeare"][0] - by_mix["shakespeare"][2])
quarter = alone / (his[0] - his[-1])
others = {name: 100 * (row[2] - row[0]) / (row[-1] - row[0])
          for name, row in by_mix.items() if name != "shakespeare"}
print("bits a byte of Shakespeare, by his share:")
for share, needed in zip(mixes, his):
    print(f"  {100 * share:3.0f} %: ⟨{needed:.2f}⟩")
claim("the more of him it reads, the fewer bits he costs: mixes out of order",
      sum(later >= earlier for earlier, later in zip(his, his[1:])), equals=0,
      control={"the same of WordNet": sum(later >= earlier for earlier, later
                                          in zip(by_mix["wordnet"], by_mix["wordnet"][1:]))})
claim("a quarter of the text brings more than half of the gain", quarter, above=50, unit="%",
      control={f"of what {name} loses in the end": lost for name, lost in others.items()})

# %% id="fig-mix" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.8))
for name, row in by_mix.items():
    axes.plot([100 * share for share in mixes], row, marker="o", label=name,
              linewidth=3 if name == "shakespeare" else 1.5)
if guess.value is not None:
    axes.plot(25, his[0] - guess.value / 100 * (his[0] - his[-1]), marker="*", markersize=14,
              color=colours.PINK, linestyle="", label="your guess")
axes.set(xlabel="Shakespeare's share of what is read, %", ylabel="bits a byte, held out",
         title="What a source gains by a share, and what the others lose")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Bits a byte of four sources against Shakespeare's share of the training text. "
     "His own fall steeply up to a quarter and then slowly; those of the others rise all the way, "
     "WordNet's the most.")

# %% [markdown] id="mix-read"
# The curve is steep where a source is rare. That is why mixing pays: the first few percent of a source bring much, and cost the others next to nothing, since the others had plenty.
#
# **Question.** Wikipedia was read 3.4 times, Common Crawl 0.44 times. Why not read the best source thirty times?
#
# <details><summary>Answer</summary>
#
# A text that is read again and again is learned by heart, and what is known by heart says less and less about other texts. Our four texts are so small that the course's GPT read them eleven times (its card says so), and its loss on held-out text still fell; that was near the end of what they can give.
# </details>

# %% [markdown] id="live-idea"
# ## 6 · A model grows up
#
# Now one model for longer: a million parameters, all four sources with the same weight, less than a minute. At five moments it continues the same beginning, with the same random numbers.

# %% id="live" tags=["nbval-ignore-output"]
prompt = torch.tensor([[END, *small.encode(["The king said unto"])[0]]], device=lab.device)
live, live_steps = tiny(128, 4, 4, 128), budget(cpu=260, gpu=2_000, smoke=4)


@torch.no_grad()
def says(model, tokens, new, choose):
    """Any of the course's GPTs goes on, reading all of its text again for each piece."""
    for _ in range(new):
        scores = model(tokens[:, -model.longest :], last=1)[:, -1]
        tokens = torch.cat([tokens, choose(scores)[:, None]], dim=1)
    return tokens


def look(step):
    """What it says at this step."""
    if step in [live_steps * percent // 100 for percent in (0, 10, 30, 60, 100)]:
        live.eval()
        text = small.decode(says(live, prompt, 40, drawing(temperature=0.8))[:, 1:].tolist())[0]
        print(f"— after {step} steps:{text}\n")
        live.train()


look(0)
evenly = torch.ones(len(names))
learn(live, live_steps, 16, evenly, rate=2.5e-3, watch=look)
print(f"{live.parameter_count / 1e6:.2f} million parameters, "
      f"{live_steps * 16 * 128:,} tokens read")

# %% [markdown] id="live-question"
# **Question.** In which order did it learn: spelling, grammar, who speaks how, what is true?
#
# <details><summary>Answer</summary>
#
# What pays most comes first: which pieces are common at all; then which follow which, so that words come out whole; then the tone of a source. What is true pays least, and this model never gets there: for each of these steps there was less loss to win than for the one before. (How far it came in your five texts, you see yourself; much further needs more than a minute.)
# </details>

# %% [markdown] id="rival-idea"
# ## 7 · More than counting?
#
# There is a simpler way to guess what comes next: count. Where have these four pieces stood before, and what came after them? If they never did, look at the last three, and so on. Done well, that is **Kneser–Ney** (Chen and Goodman 1999, §3), long the best of all n-grams. It is given exactly the same training text and the same pieces as the shipped GPT, and both are asked about the same held-out stretches. Yours is judged beside them, on other stretches of the same ends, in bits a byte, so that its fewer pieces do not matter; having read half a million pieces once, it will lose.

# %% id="guess-rival" tags=["nbval-ignore-output"]
guess_rival = predict("Kneser–Ney needs so many bits a byte. How many percent fewer does the "
                      "shipped GPT need, on average over the sources?", low=0, high=60, unit="%")

# %% id="rival"
stream = books.stream(pieces).numpy()
rival = KneserNey(np.concatenate([np.full(4, END), stream]), len(pieces))
asked_rows = {name: held_out(pieces, name, rows=budget(cpu=24, gpu=100, smoke=2), width=257)
              for name in names}


def surprise_by_counting(rows):
    """The rival's nats for the same tokens, each given the four before it."""
    context = np.full(4, END)
    return torch.tensor(np.stack([
        -np.log(rival.probabilities(np.concatenate([context, row]))[1:]) for row in rows.tolist()]))


by_counting = {name: surprise_by_counting(rows) for name, rows in asked_rows.items()}
by_shipped = {name: surprise(shipped, rows).cpu() for name, rows in asked_rows.items()}
bits = {who: {name: bits_a_byte(found[name], "".join(pieces.decode(rows[:, 1:].tolist())))
              for name, rows in asked_rows.items()}
        for who, found in (("counting, 5-gram", by_counting), ("shipped", by_shipped))}
bits["yours"] = {name: bits_of_rows(live, small, held_out(small, name, 40, 129)) for name in names}
bits = {who: bits[who] for who in ("counting, 5-gram", "yours", "shipped")}
print(f"{'':20}" + "".join(f"{name:>13}" for name in names))
for who, row in bits.items():
    print(f"{who:20}" + "".join(f"{f'⟨{row[name]:.2f}⟩':>13}" for name in names))
fewer = {name: 100 * (1 - bits["shipped"][name] / bits["counting, 5-gram"][name]) for name in names}
claim("of four sources, those on which the shipped GPT needs fewer bits than counting",
      sum(saved > 0 for saved in fewer.values()), equals=4,
      control={"yours, which read far less":
               sum(bits["yours"][name] < bits["counting, 5-gram"][name] for name in names)})
claim("bits it saves where it saves least", min(fewer.values()), above=5, unit="%")

# %% id="fig-rival" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.6), width_ratios=[5, 4])
tints = (colours.VERMILION, colours.SKY, colours.BLUE)
for place, (who, row) in enumerate(bits.items()):
    left.bar([x + 0.27 * (place - 1) for x in range(len(names))], list(row.values()), width=0.25,
             label=who, color=tints[place])
left.set_xticks(range(len(names)), names)
left.set(ylabel="bits a byte, held out", title="Counting, and two GPTs")
left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
right.bar(range(len(names)), [fewer[name] for name in names], color=colours.BLUE)
right.set_xticks(range(len(names)), names)
right.set(ylabel="fewer bits than counting, %", title="What the shipped GPT saves")
draw_guess(right, guess_rival)
show(figure, alt="Left: bits a byte of a five-gram, the GPT trained here and the shipped GPT on "
     "four sources; the shipped one is lowest on each. Right: what the shipped one saves against "
     "counting, in percent, with your guess if you made one.")

# %% [markdown] id="context-text"
# What does it know that counting does not? Counting sees four pieces back, GPT 256. To find out whether it uses them, we exchange what is far away: the first half of each stretch comes from *another* stretch of the same source, and we look at the last 64 pieces, which still have their own 64 to 127 before them. Are they more of a surprise after a beginning that is not theirs?

# %% id="context"
def last_ones(surprise_of, known):
    """By how much the mean nats of the last 64 pieces rise with another stretch's beginning."""
    rise = []
    for name, rows in asked_rows.items():
        strange = torch.cat([rows.roll(1, dims=0)[:, :129], rows[:, 129:]], dim=1)
        rise.append(float((surprise_of(strange).cpu() - known[name])[:, -64:].mean()))
    return sum(rise) / len(rise)


claim("another's beginning, 64 pieces ago or more, makes GPT more surprised: nats a piece",
      last_ones(lambda rows: surprise(shipped, rows), by_shipped), above=0.02,
      control={"counting's": last_ones(surprise_by_counting, by_counting)})

# %% id="fig-context" tags=["nbval-ignore-output"]
edges = [0, 2, 4, 8, 16, 32, 64, 128, 256]
gains = torch.cat([by_counting[name] - by_shipped[name] for name in names])
by_place = [float(gains[:, low:high].mean()) for low, high in zip(edges, edges[1:])]
figure, axes = plt.subplots(figsize=(6.4, 3.2))
axes.plot(range(len(by_place)), by_place, marker="o")
axes.set_xticks(range(len(by_place)), [f"{low}–{high - 1}" for low, high in zip(edges, edges[1:])])
axes.axhline(0, color=colours.GREY, linewidth=1)
axes.set(xlabel="pieces it has read before", ylabel="nats a piece",
         title="By how much GPT is less surprised than counting")
show(figure, alt="GPT's advantage over counting in nats a piece, against how many pieces it has "
     "read before. It is smallest where nothing has been read and larger later on.")

# %% [markdown] id="memory-idea"
# ## 8 · What the memory saves, and what it costs
#
# Your `write` can forget: with `remember=False` it reads the whole text again for every piece. The scores are the same, so greedy search must write the same. How much does remembering save?

# %% id="guess-memory" tags=["nbval-ignore-output"]
guess_memory = predict("240 pieces behind a beginning of 16: how many times as fast is it with "
                       "memory?", low=1, high=20, unit="times")

# %% id="memory"
beginning, new_pieces = asked_rows["austen"][:1, :16], budget(cpu=240, gpu=240, smoke=8)
said = {}


def go_on(remember):
    said[remember] = write(beginning, new_pieces, likeliest, remember=remember)


times = {True: seconds(lambda: go_on(True)), False: seconds(lambda: go_on(False))}
elsewhere = write(asked_rows["bible"][:1, :16], new_pieces, likeliest)
claim("pieces that it writes otherwise without memory", (said[True] != said[False]).sum(), equals=0,
      control={"with another beginning": (elsewhere != said[False]).sum()})
faster = times[False] / times[True]
claim("with memory it writes faster, times", faster, above=3 if new_pieces == 240 and
      lab.device.type == "cpu" else 0)

# %% id="fig-memory" tags=["nbval-ignore-output"]
lengths, kept = [2**n for n in range(4, 18)], {}
for who, (depth, heads, part, size) in {
    "this GPT, 4 bytes a number": (shape.blocks, shape.heads, shape.dim // shape.heads, 4),
    "GPT-3, 2 bytes a number": (96, 96, 128, 2),
}.items():
    kept[who] = [2 * depth * heads * part * size * length / 2**20 for length in lengths]
_, memory = yours(beginning)
measured = sum(each.numel() * each.element_size() for past in memory for each in past) / 2**20
figure, axes = plt.subplots(figsize=(6.8, 3.6))
for who, sizes_in_mib in kept.items():
    axes.plot(lengths, sizes_in_mib, label=who)
axes.plot(16, measured, "o", color=colours.INK, label="measured on yours, 16 pieces")
axes.set(xscale="log", yscale="log", xlabel="tokens remembered", ylabel="MiB of keys and values",
         title="What one text costs to remember")
axes.axvline(shape.tokens, color=colours.GREY, linestyle=":", linewidth=1.2)
axes.axvline(2048, color=colours.GREY, linestyle=":", linewidth=1.2)
axes.legend()
show(figure, alt="Two straight lines in logarithms: the memory for one text grows in proportion to "
     "its length, and is several hundred times larger for GPT-3. Dotted lines mark what each sees, "
     "256 and 2,048 tokens. A dot, measured here, lies on the lower line.")
print(f"writing {new_pieces} pieces: {times[True]:.2f} s with memory, {times[False]:.2f} s without")
print(f"this GPT: {measured / 16 * 1024:.1f} KiB a token; GPT-3 at 2,048 tokens: "
      f"{kept['GPT-3, 2 bytes a number'][lengths.index(2048)] / 1024:.0f} GiB for each text")

# %% [markdown] id="memory-question"
# (GPT-3's numbers are those of Brown et al. 2020, table 2.1: 96 layers, 96 heads of 128, 2,048 tokens.)
#
# **Question.** Twice as many users at once, or texts twice as long: which costs more memory? And why not simply forget the oldest tokens?
#
# <details><summary>Answer</summary>
#
# Both cost the same: each text keeps two vectors a token and a block. The oldest can be dropped, and the model forgets them. But its learned places then do not fit any more: what stood at place 17 stands at 16, and every key was made with the old place in it. `squint.text.sampling.generate` therefore reads the second half of the text again when its window is full.
# </details>

# %% [markdown] id="recite-idea"
# ## 9 · Does it write, or does it recite?
#
# A model that has read a text eleven times might know it by heart, and what looks like writing would be quoting. That can be counted: take every run of eight pieces in what it wrote and look it up in all that it learned from. What share stands there word for word?
#
# What is a fair measure? People use set phrases, too. So the same is asked of how the *held-out* text itself goes on, which the model never saw. And of a passage from the training text, where all must be found.

# %% id="recite"
RUN, MIX = 8, np.uint64(6364136223846793005)


def runs(tokens):
    """Every run of eight pieces as one number, which no other run is likely to share."""
    tokens = np.asarray(tokens).astype(np.uint64)
    number = np.zeros(len(tokens) - RUN + 1, np.uint64)
    for place in range(RUN):
        number = (number + tokens[place : len(number) + place] + MIX) * MIX  # overflows, as it may
    return number


known = np.unique(runs(stream))


def copied(texts):
    """Which share of the runs of some texts stands in the training text, in percent."""
    asked = np.concatenate([runs(text) for text in texts])
    place = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    return float(100 * (known[place] == asked).mean())


COUNT, BEGIN, GO_ON = budget(cpu=32, gpu=200, smoke=4), 24, 50
usual = {"temperature": 0.8, "top_p": 0.95}


def beginnings_of(name):
    """Held-out beginnings, an END in front; and how they go on."""
    rows = held_out(pieces, name, COUNT, BEGIN + GO_ON)
    return torch.cat([rows.new_full((COUNT, 1), END), rows[:, :BEGIN]], dim=1), rows[:, BEGIN:]


goes_on = {}
for name in track(names, "writing"):
    known_to_it, real = beginnings_of(name)
    by_gpt = write(known_to_it, GO_ON, drawing(**usual))[:, BEGIN + 1 :]
    greedily = write(known_to_it, GO_ON, likeliest)[:, BEGIN + 1 :]
    goes_on[name] = {"held out": real, "shipped GPT": by_gpt, "shipped GPT, greedy": greedily}
beginnings_read = pieces.decode(beginnings_of("austen")[0][:12, 1:].tolist())
asked_small = torch.tensor([row[-24:] for row in small.encode(beginnings_read)], device=lab.device)
by_yours = small.decode(says(live, asked_small, 90, drawing(**usual))[:, 24:].tolist())
goes_on["austen"]["yours"] = [row[:GO_ON] for row in pieces.encode(by_yours)]
shares = {name: {who: copied([list(map(int, row)) for row in rows]) for who, rows in row_of.items()}
          for name, row_of in goes_on.items()}
for name, row in shares.items():
    print(f"{name:12}" + ", ".join(f"{who} ⟨{share:.1f} %⟩" for who, share in row.items()))
first = random.Random(0).randrange(len(stream) - 10_000)
at_home = sum(row["held out"] for row in shares.values()) / len(names)
claim("runs of eight that the GPT copied, less those of held-out text, mean of the sources: points",
      sum(row["shipped GPT"] for row in shares.values()) / len(names) - at_home, below=3,
      unit="points", control={"a passage of the training text":
                              copied([stream[first : first + 10_000]]) - at_home},
      paper="Radford et al. 2019, figure 5")

# %% [markdown] id="recite-read"
# It writes: what it drew has about as many runs from the training text as how the books themselves go on, which it never saw; the Bible repeats itself more than the GPT repeats the Bible. (A few runs more or less are chance: 32 texts a source are about 1,400 runs.) In the plays it copies most, and more than the held-out ends do; the mean hides that. Yours copies next to nothing: it cannot spell well enough to quote. And greedy search recites more than drawing, in every source: what is likeliest is what was often said.
#
# **Question.** What in a play is always said the same way?
#
# <details><summary>Answer</summary>
#
# Who speaks, and who goes. “Exeunt”, “Enter the King”, names in capitals between two blank lines: the same runs stand in every play, and who gets them right copies. To see whether *verses* are recited, one would leave such lines out, and count again.
# </details>
#
# ## 10 · Who wrote this?
#
# Brown et al. (2020, §3.9.4) gave news articles of about 200 words to some eighty people, who were to say whether a person or a model had written each. For articles by the largest GPT-3 they were right in 52 % of the cases, where 50 % is chance; for those of a model that was made bad on purpose, in 86 %.
#
# Now you are asked. Twelve passages: how a held-out page of Jane Austen begins, in grey, and how it goes on, in bold; in half of them, by her. No passage was chosen: a seed drew them, and by whom each goes on. Answer with the buttons, or do it on paper: the same twelve are listed below, and their authors folded away.

# %% id="blind" tags=["nbval-ignore-output"]
chance = random.Random(12)
rows = chance.sample(range(COUNT), min(12, COUNT))
by_model = chance.sample([False, True] * (len(rows) // 2), len(rows))
austen, cut = goes_on["austen"], 40
passages = [
    (pieces.decode([beginnings_of("austen")[0][row, 1:].tolist()])[0],
     pieces.decode([austen["shipped GPT" if model_wrote else "held out"][row, :cut].tolist()])[0])
    for row, model_wrote in zip(rows, by_model)]
test = blind.BlindTest(passages, by_model)
display(test.widget())

# %% id="blind-paper" tags=["nbval-ignore-output"]
display(HTML(test.on_paper()))

# %% id="blind-score" tags=["nbval-ignore-output"]
print(test.score())
for right in (6, 11):
    low, high = blind.interval(right, 12)
    print(f"had it been {right} of 12: {100 * low:.0f} % to {100 * high:.0f} %")

# %% [markdown] id="blind-question"
# (On paper, put your number in: `blind.interval(right, 12)`. The interval is exact, Clopper and Pearson 1934: at its ends, your score or one further out would come up in 2.5 % of such tests.)
#
# **Question.** You had 8 of 12. Can you tell them apart?
#
# <details><summary>Answer</summary>
#
# Perhaps; twelve are too few to know. The interval reaches from below a half to nine in ten. That is why the paper asked many people about many articles, and why its 52 % has an interval, too (49 to 54 %, table 3.11).
# </details>
#
# **A judge that never tires.** People read for sense. The model itself can be asked as well: how *surprising* does it find a passage? What it drew with a low temperature surprises it less than what people write. So take the mean surprise, and of each pair of a real and a drawn passage call the more surprising one real. How often is that right?

# %% id="guess-judge" tags=["nbval-ignore-output"]
guess_judge = predict("Texts drawn at temperature 0.8, nucleus 0.95: in how many pairs does this "
                      "judge find the real one?", low=0, high=100, unit="%")

# %% id="judge"
def surprise_of_ends(known_to_it, end):
    """Mean nats a piece of how each text goes on."""
    return surprise(shipped, torch.cat([known_to_it, end], dim=1))[:, BEGIN:].mean(dim=1)


def found_out(drawn, real):
    """In which share of all pairs the real one is the more surprising, in percent."""
    return float(100 * (drawn[:, None] < real[None, :]).float().mean())


ways = {"temperature 0.8, nucleus 0.95": usual, "nucleus 0.95": {"top_p": 0.95},
        "temperature 1": {}}
judged, between_real = {way: [] for way in ways}, []
for name in track(names, "judging"):
    known_to_it, real = beginnings_of(name)
    true = surprise_of_ends(known_to_it, real)
    for way, options in ways.items():
        drawn = write(known_to_it, GO_ON, drawing(seed=1, **options))[:, BEGIN + 1 :]
        judged[way].append(found_out(surprise_of_ends(known_to_it, drawn), true))
    between_real.append(found_out(true[::2], true[1::2]))
for way, row in judged.items():
    print(f"{way}: " + ", ".join(f"{name} ⟨{found:.0f} %⟩" for name, found in zip(names, row)))
claim("pairs in which surprise finds the real text, temperature 0.8 and nucleus 0.95, mean",
      np.mean(judged["temperature 0.8, nucleus 0.95"]), above=80, unit="%",
      control={"drawn as it comes, temperature 1": np.mean(judged["temperature 1"]),
               "two real ones": np.mean(between_real)})

# %% id="fig-judge" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.4))
tones = (colours.VERMILION, colours.ORANGE, colours.SKY)
for place, ((way, row), colour) in enumerate(zip(judged.items(), tones)):
    axes.bar([x + 0.27 * (place - 1) for x in range(len(names))], row, width=0.25, color=colour,
             label=way)
axes.axhline(50, color=colours.GREY, linestyle=":", linewidth=1.4)
axes.set_xticks(range(len(names)), names)
axes.set(ylabel="pairs in which it finds the real one, %", ylim=(0, 105),
         title="A judge that knows only surprise (dotted: chance)")
axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=3)
draw_guess(axes, guess_judge)
show(figure, alt="For each source, in how many pairs surprise tells the real text from the drawn "
     "one: nearly always at temperature 0.8 with a nucleus, less often with a nucleus alone, and "
     "little better than chance at temperature 1.")

# %% [markdown] id="judge-read"
# So there is a bargain. Drawn as it comes, its text is about as surprising as a person's, and the judge is nearly blind; but read it (section 4): it wanders. Drawn from the likely, it reads better, and gives itself away: a nucleus alone somewhat, a low temperature most.
#
# **Question.** Would the judge work if it were another model than the author?
#
# <details><summary>Answer</summary>
#
# Less well, but often well enough: what one model finds likely, another trained on the same texts does, too. It would fail for texts that the judge itself finds likely although a person wrote them: plain ones, set phrases, or a foreigner's careful English. A detector that is right for most pairs is still a poor witness against one person.
# </details>

# %% [markdown] id="claims"
# ## 11 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | pieces by merging the commonest pair | Sennrich et al. 2016, §3.2 | your spelling is the library's, on every word tried: section 1 |
# | a GPT beats counting | GPT-2 was best on 7 of 8 sets of language modelling without having learned from them (Radford et al. 2019, abstract) | on each of four sources, on held-out text, the same pieces and the same training text: section 7 |
# | how sources are mixed matters | table 2.2 says how, not what it brings (Brown et al. 2020) | a quarter of the text brought more than half of a source's gain: section 5 |
# | the nucleus comes nearest to people | in perplexity, with $p$ chosen for that (Holtzman et al. 2020, §5) | with $p = 0.95$ and a low temperature its texts are *less* surprising than people's, and a judge finds them by that: section 10 |
# | people can hardly tell | 52 % (Brown et al. 2020, §3.9.4) | your own number, with its interval: section 10 |
# | it does not merely recite | of runs of eight words, most of GPT-2's samples share less than 1 % with its training text, and held-out pages 2.6 % (median; Radford et al. 2019, figure 5) | runs of eight pieces that were copied, beside those of held-out text: section 9 |
#
# **What does not carry over.** GPT-3 has 20,000 times as many weights, and read 4,000 times as many tokens, most of them once or less. Ours knows novels, plays, one Bible and one dictionary, and read them eleven times. It cannot answer, reason or translate, and what lab 05 will show (learning a task from a few examples in the text) it has no trace of. What carries over is the machine, the loss, the memory, and how one measures.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In 2018, little of the machine: the decoder was Vaswani's without its encoder, and language models were old. New was how far one such model, trained on plain text, can be turned to other tasks with few labels; others had begun on that with recurrent networks (Dai and Le 2015; Howard and Ruder 2018). That is [lab 04b](04b_fine_tuning.ipynb).
# - *What is not?* Predicting the next letter is Shannon's game of 1951. Counting did it for decades, and a fair comparison trains it on the same text.
# - *When does it fail?* When the text runs out, since reading it again teaches less each time; when what is asked was rare in the mix; and where likely and true are not the same.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 12 · Going further
#
# **1. The two orders.** Train the tiny model of section 5 once more, evenly mixed, on text that runs *backwards* (`stream.flip(0)`). By the chain rule a text has the same probability, whichever end one begins with. Is it as easy to learn?
#
# <details><summary>Solution</summary>
#
# ```python
# forwards = streams
# there = learn(tiny(64, 2, 2, CONTEXT), steps, 32, evenly, rate=4e-3)
# streams = [each.flip(0) for each in forwards]
# back = learn(tiny(64, 2, 2, CONTEXT), steps, 32, evenly, rate=4e-3)
# streams = forwards
# nats_there = float(torch.cat([surprise(there, rows) for rows in asked.values()]).mean())
# nats_back = float(torch.cat([surprise(back, rows.flip(1)) for rows in asked.values()]).mean())
# wrong_way = float(torch.cat([surprise(there, rows.flip(1)) for rows in asked.values()]).mean())
# print(f"forwards {nats_there:.3f}, backwards {nats_back:.3f} nats a piece")
# claim("backwards costs as much as forwards, within a tenth", nats_back / nats_there,
#       between=(0.9, 1.1), control={"a forward model, asked backwards": wrong_way / nats_there})
# ```
#
# Nearly as easy. A perfect model would find no difference at all: the probability of a text is the same product, whichever way it is taken apart. A small one does, a little, since in one direction it may have to remember more.
# </details>
#
# **2. How hot?** Draw from the shipped GPT at temperatures from 0.4 to 1.2 (Austen, no nucleus), and find for each the mean surprise, and how much was copied in runs of eight. Where does the surprise meet that of the held-out text?
#
# <details><summary>Solution</summary>
#
# ```python
# start_of, real_end = beginnings_of("austen")
# true_nats = float(surprise_of_ends(start_of, real_end).mean())
# by_heat = {}
# for heat in (0.4, 0.6, 0.8, 1.0, 1.2):
#     drawn = write(start_of, GO_ON, drawing(seed=2, temperature=heat))[:, BEGIN + 1 :]
#     by_heat[heat] = float(surprise_of_ends(start_of, drawn).mean()), copied(drawn.tolist())
#     print(f"{heat}: {by_heat[heat][0]:.2f} nats a piece, {by_heat[heat][1]:.1f} % copied")
# print(f"held out: {true_nats:.2f} nats a piece")
# claim("the surprise nearest to the held-out text's is that of temperature",
#       min(by_heat, key=lambda heat: abs(by_heat[heat][0] - true_nats)), equals=1.0)
# claim("cold text is copied more than hot text: percent at 0.4", by_heat[0.4][1],
#       above=by_heat[1.2][1])
# ```
#
# At 1, as it must: the model was trained until its own shares fitted the text. So a temperature below 1 is no repair of the model's shares. It is a wish to hear the likely.
# </details>
#
# **3. A nucleus of one.** Set `top_p` very small. What is drawn? Compare with greedy search.
#
# <details><summary>Solution</summary>
#
# ```python
# narrow = write(tokens, 40, drawing(top_p=1e-6))
# greedy = write(tokens, 40, likeliest)
# wider = write(tokens, 40, drawing(top_p=0.95))
# claim("pieces that differ from greedy search", (narrow != greedy).sum(), equals=0,
#       control={"with a nucleus of 0.95": (wider != greedy).sum()})
# ```
#
# The likeliest piece alone crosses any line, so the smallest nucleus has one piece: greedy search.
# </details>
#
# **Reading.** Radford, Narasimhan, Salimans and Sutskever (2018), “Improving Language Understanding by Generative Pre-Training”. Radford et al. (2019), “Language Models are Unsupervised Multitask Learners”. Brown et al. (2020), “Language Models are Few-Shot Learners”, §2 and §3.9. Sennrich, Haddow and Birch (2016), “Neural Machine Translation of Rare Words with Subword Units”. Fan, Lewis and Dauphin (2018), “Hierarchical Neural Story Generation”. Holtzman et al. (2020), “The Curious Case of Neural Text Degeneration”. Chen and Goodman (1999), “An Empirical Study of Smoothing Techniques for Language Modeling”. Shannon (1948), “A Mathematical Theory of Communication”, and (1951), “Prediction and Entropy of Printed English”.
#
# Next comes [lab 04b, Fine-tuning](04b_fine_tuning.ipynb): the same model, turned to tasks with few labels; and what happens when a test leaks into training.

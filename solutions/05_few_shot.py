# ---
# squint:
#   lab: "05"
#   title: Few-shot learners
#   minutes: 165
#   promise: Put a real language model together with your own hands, show it a task by a few examples in its prompt, and measure what the examples bring, what else the score hangs on, and what training on them would have brought.
#   prerequisites: ["04_gpt"]
#   objectives:
#     - write the parts that make a Llama out of a GPT, and pour the weights of a real one into them
#     - put a task into a prompt, and score answers by their likelihood
#     - ask many questions behind one shared prompt, each of which is read once
#     - set zero, one and a few shots beside an adapter of low rank, and say what each costs
#     - measure how far a score hangs on the order, the wording and the labels of the examples
#     - take a prompt's own bias out of the answers
#   claim: A language model does a task that it was never trained for when it sees a few examples of it, without any of its weights moving.
#   source: Brown et al. 2020, “Language Models are Few-Shot Learners”, §2 and §3.9.2; Min et al. 2022; Zhao et al. 2021; Hu et al. 2022
# ---

# %% [markdown] id="title"
# # Few-shot learners
#
# *Put a real language model together with your own hands, show it a task by a few examples in its prompt, and measure what the examples bring, what else the score hangs on, and what training on them would have brought.*
#
# 165 minutes · after [lab 04, GPT](04_gpt.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - write the parts that make a Llama out of a GPT, and pour the weights of a real one into them;
# - put a task into a prompt, and score answers by their likelihood;
# - ask many questions behind one shared prompt, each of which is read once;
# - set zero, one and a few shots beside an adapter of low rank, and say what each costs;
# - measure how far a score hangs on the order, the wording and the labels of the examples;
# - take a prompt's own bias out of the answers.
#
# **The claim under test.** A language model does a task that it was never trained for when it sees a few examples of it, without any of its weights moving (Brown et al. 2020, “Language Models are Few-Shot Learners”, §2).

# %% id="setup" tags=["setup"]
lab = begin("05_few_shot")

# %% id="imports"
import math
import random
import time
from dataclasses import replace
from itertools import accumulate, pairwise, permutations, takewhile

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange

from squint.data import tasks
from squint.models import llama as course
from squint.viz import colours
from squint.viz.style import draw_guess

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** Why does attention need positions at all, and what did GPT do about it?
#
# <details><summary>Answer</summary>
#
# Attention sees a set: exchange two tokens and everything else is exchanged with them. GPT adds a learned vector to each token's embedding, one for each place.
# </details>
#
# **2.** A model writes with a memory. What is remembered of an old token, and why is that enough?
#
# <details><summary>Answer</summary>
#
# Its key and its value in each block. Nothing of it depends on what comes later, and a new token asks for nothing else.
# </details>
#
# **3.** What is the log-likelihood of a text of three tokens, if the model gave them 1/2, 1/4 and 1/8?
#
# <details><summary>Answer</summary>
#
# The sum of the logarithms: −ln 2 − ln 4 − ln 8 = −6 ln 2 ≈ −4.16. The text's probability is 1/64.
# </details>

# %% [markdown] id="idea"
# Lab 04's GPT continues a text. It does nothing else, and nobody taught it anything else. Now look at this text:
#
# ```
# take -> took
# sit -> sat
# keep -> kept
# run ->
# ```
#
# How does it go on? Whoever continues it well has solved a task: the past tense. Nobody said so, and nobody trained anything; the task stands in the text. Brown et al. (2020, §2) call this **in-context learning**, the examples **shots**, and found that a large enough model does it for many tasks. Ours from lab 04 is too small for it. The one we take now was trained by others on two thousand billion tokens (Allal et al. 2025): **SmolLM2** with 135 million weights. GPT-3 has 1,300 times as many. It comes as it was after a second training, in which it learned to follow instructions; on our tasks it was not trained, but it knows what a request looks like. Mind that when it does well without an example.
#
# It is no GPT, though, but a **Llama**: a GPT in which four parts were exchanged, three of them in the first (Touvron et al. 2023a), the fourth in the second (Touvron et al. 2023b). You will write these parts, pour the real weights in, and use nothing but your own model from there on. Here is what the course's copy says, taking the likeliest token each time:

# %% id="first-words" tags=["nbval-ignore-output"]
reference, pieces = course.smollm2()
reference = reference.to(lab.device)
BEGIN = pieces.token_to_id("<|endoftext|>")  # stands between texts, so before every one


def encode(text):
    return pieces.encode(text, add_special_tokens=False).ids


@torch.no_grad()
def continued(text, new=8):
    """The text as the course's model goes on with it, token by token, up to the end of the line."""
    tokens = [BEGIN, *encode(text)]
    for _ in range(new):
        scores = reference(torch.tensor([tokens], device=lab.device), last=1)[0, -1]
        tokens.append(int(scores.argmax()))
        if "\n" in pieces.decode(tokens[-1:]):
            break
    return pieces.decode(tokens[1:])


for text in ("run ->", "take -> took\nsit -> sat\nkeep -> kept\nrun ->",
             "cat -> cats\nwolf -> wolves\nbox -> boxes\nfoot ->"):
    print(continued(text).strip(), end="\n\n")

# %% [markdown] id="rotary-idea"
# ## 1 · Turned by their places
#
# GPT *adds* a vector for each place. But what should matter is rarely that a word stands at place 17: it is that it stands *two before* this one. A Llama adds nothing. It **turns** queries and keys (Su et al. 2021, §3.2).
#
# Take two numbers of a query as a point in the plane, and turn it by an angle that grows with its place, $m\theta$. Turn the key's two by $n\theta$. The dot product of the two is then the same as if only one of them had been turned, by the difference $(m - n)\theta$: places are gone, and distances are left.
#
# A head of SmolLM2 has 64 numbers, so 32 such pairs; each has a speed of its own, like the hands of a clock. Which two numbers make a pair? Here it is number $i$ of the first half and number $i$ of the second half. (Others pair neighbours. It makes no difference, as long as the weights were trained with the same choice. Keep it in mind.)
#
# $$\text{first}' = \text{first} \cos\alpha - \text{second} \sin\alpha \qquad \text{second}' = \text{first} \sin\alpha + \text{second} \cos\alpha$$

# %% id="rotate" tags=["exercise"] minutes=9 difficulty=2 teaches="rotary positions: pairs that turn with their place"
def rotate(x, angle):
    """Queries or keys, each of their pairs turned by its angle.

    x: [..., tokens, part]; number i of the first half and number i of the second half are a pair
    angle: [..., tokens, part / 2], in radians
    returns [..., tokens, part]
    """
    ### BEGIN SOLUTION
    first, second = x.chunk(2, dim=-1)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
    ### STUB
    # first, second = x.chunk(2, dim=-1)
    # cos, sin = angle.cos(), angle.sin()
    # return torch.cat([..., ...], dim=-1)
    ### END SOLUTION

# %% id="check-rotate" tags=["check"]
rotate = check("rotate")

# %% [markdown] id="angles-text"
# The angles: pair $i$ of 32 turns by $100{,}000^{-i/32}$ a token, the first by 1 radian and the last by a seventy-thousandth of that. A random query and a random key, put at many pairs of places:

# %% id="angles"
BLOCKS, HEADS, SHARED, PART, EPSILON = 30, 9, 3, 64, 1e-5  # SmolLM2-135M's shape


def angles(places):
    """What turns each of a head's 32 pairs, [..., tokens, 32], at places [..., tokens]."""
    speed = 100_000.0 ** -(torch.arange(PART // 2, device=places.device) / (PART // 2))
    return places[..., None] * speed


draw = torch.Generator().manual_seed(0)
query, key = torch.randn(2, PART, generator=draw)
places = torch.arange(200)
queries, keys = (rotate(each.expand(200, -1), angles(places)) for each in (query, key))
products = queries @ keys.T
by_distance = torch.stack([products.diagonal(-distance).std() for distance in (0, 1, 5, 50)])
added = torch.randn(200, PART, generator=draw)
with_places_added = (query + added) @ (key + added).T
claim("spread of a product over places, at the same distance (largest of four distances)",
      by_distance.max(), below=1e-3,
      control={"with a vector added for each place": with_places_added.diagonal(-5).std()},
      paper="Su et al. 2021, §3.2")

# %% [markdown] id="norm-idea"
# ## 2 · A plainer norm, a gated network
#
# **RMSNorm** (Zhang and Sennrich 2019). Layer norm takes the mean away, divides by the standard deviation, and has a gain and a bias. RMSNorm keeps half of that: divide by the root of the mean *square*, times a gain. Nothing is taken away, nothing is added.
#
# $$\frac{x}{\sqrt{\text{mean}(x^2) + \epsilon}} \cdot \text{gain}$$
#
# The ε stands *inside* of the root, as in lab 03. It matters for vectors that are nearly zero.

# %% id="rms_norm" tags=["exercise"] minutes=5 difficulty=1 teaches="RMSNorm: a layer norm without mean and bias"
def rms_norm(x, gain, epsilon):
    """Each vector over the root of its mean square, times the gain.

    x: [..., dim]; gain: [dim]; epsilon: a small number, added inside of the root
    returns [..., dim]
    """
    ### BEGIN SOLUTION
    square = x.square().mean(dim=-1, keepdim=True)
    return x * (square + epsilon).rsqrt() * gain
    ### END SOLUTION

# %% id="check-rms_norm" tags=["check"]
rms_norm = check("rms_norm")

# %% [markdown] id="swiglu-text"
# **SwiGLU** (Shazeer 2020). The small network behind each attention widened, cut off what is negative, and narrowed again. Now it widens *twice*: one copy goes through SiLU, $z \cdot \text{sigmoid}(z)$, a smooth relative of ReLU, and *gates* the other, number by number; then the product is narrowed. In torch, `F.silu`. There are no biases. All matrices lie as `nn.Linear` keeps them, `[out, in]`, so what goes through one is `x @ weight.T`.

# %% id="swiglu" tags=["exercise"] minutes=5 difficulty=1 teaches="a gated feed-forward network"
def swiglu(x, gate, widen, narrow):
    """The gated network.

    x: [..., dim]; gate, widen: [hidden, dim]; narrow: [dim, hidden]
    returns [..., dim]
    """
    ### BEGIN SOLUTION
    return (F.silu(x @ gate.T) * (x @ widen.T)) @ narrow.T
    ### END SOLUTION

# %% id="check-swiglu" tags=["check"]
swiglu = check("swiglu")

# %% [markdown] id="grouped-idea"
# ## 3 · Queries that share
#
# What does a remembered token cost? A key and a value for each head in each block. With nine heads of 64 in 30 blocks, four bytes a number, that is 138,240 bytes a token. Many users at once, long texts: this memory, and not the weights, fills the machine.
#
# **Grouped queries** (Ainslie et al. 2023): let several heads of queries ask the *same* keys and values. SmolLM2 has nine heads of queries and three of keys and values. Heads 0, 1, 2 of the queries look at the first, 3, 4, 5 at the second, 6, 7, 8 at the third. A third of the memory, nine ways to ask.
#
# For the computation, each shared head can be written down three times in a row, so that there are nine again: `key.repeat_interleave(3, dim=1)` makes A A A B B B C C C. Mind its sibling, `repeat`, which makes A B C A B C A B C.
#
# The mask is handed in this time: True where a query may see a key. We shall want more than the causal one.

# %% id="grouped_attention" tags=["exercise"] minutes=12 difficulty=3 teaches="grouped-query attention: which head asks which keys"
def grouped_attention(query, key, value, mask):
    """Attention of several heads of queries to fewer heads of keys and values.

    query: [batch, heads, new, part]; key, value: [batch, shared, all, part]
    mask: [batch, new, all], True where a query may see a key; the same for all heads
    returns [batch, heads, new, part]
    """
    ### BEGIN SOLUTION
    copies = query.shape[1] // key.shape[1]
    key = key.repeat_interleave(copies, dim=1)
    value = value.repeat_interleave(copies, dim=1)
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.masked_fill(~mask[:, None], -torch.inf).softmax(dim=-1)
    return weights @ value
    ### STUB
    # copies = query.shape[1] // key.shape[1]
    # key = ...
    # value = ...
    # scores = ...
    # weights = ...
    # return weights @ value
    ### END SOLUTION

# %% id="check-grouped_attention" tags=["check"]
grouped_attention = check("grouped_attention")

# %% [markdown] id="llama-text"
# That is all that is new. The rest is as in lab 04: two residuals a block, the norm first, a memory of keys and values, one table for both ends. In the dictionary `w` lie the weights of a block, by name. `project` does a matrix product; that a *function* may lie there as well is for section 7.
#
# When a prompt was read once, for many questions behind it, its keys and values have a batch of one, and `expand` lets every row of the questions look at the same ones.

# %% id="llama"
def project(x, weight):
    """A linear map; or, if a function lies in its place, what that makes of x."""
    return weight(x) if callable(weight) else x @ weight.T


def block(x, w, angle, mask, past=None):
    """A block of a Llama: its new x, and the keys and values of all tokens so far."""
    y = rms_norm(x, w["attention_norm.gain"], EPSILON)
    query, key, value = (
        rearrange(project(y, w[f"attention.to_{name}.weight"]), "b t (h p) -> b h t p", p=PART)
        for name in ("query", "key", "value"))
    query, key = rotate(query, angle[:, None]), rotate(key, angle[:, None])
    if past is not None:
        old = [each.expand(len(x), -1, -1, -1) for each in past]
        key, value = (torch.cat([o, n], dim=2) for o, n in zip(old, (key, value)))
    seen = rearrange(grouped_attention(query, key, value, mask), "b h t p -> b t (h p)")
    x = x + project(seen, w["attention.to_output.weight"])
    y = rms_norm(x, w["feed_forward_norm.gain"], EPSILON)
    small = (w[f"feed_forward.{name}.weight"] for name in ("gate", "widen", "narrow"))
    return x + swiglu(y, *small), (key, value)


def llama(model, tokens, places, mask, past=None):
    """What a Llama makes of the new tokens, [batch, new, 576], and its new memory, a pair a block.

    model: the table, the blocks' weights, the last gain; tokens, places: [batch, new]
    mask: [batch, new, all]; past: the memory, None at the start
    """
    x, angle, memory = model["table"][tokens], angles(places), []
    for number, w in enumerate(model["blocks"]):
        x, kept = block(x, w, angle, mask, past[number] if past else None)
        memory.append(kept)
    return rms_norm(x, model["gain"], EPSILON), memory


def read(model, tokens):
    """A text from its beginning: states [1, tokens, 576] and memory. tokens: a list."""
    size = len(tokens)
    causal = torch.ones(1, size, size, dtype=torch.bool, device=lab.device).tril()
    place = torch.arange(size, device=lab.device)[None]
    return llama(model, torch.tensor([tokens], device=lab.device), place, causal)

# %% [markdown] id="pour-idea"
# ## 4 · Pouring
#
# The weights come in a file made for another program, llama.cpp, in which each was rounded to four bits. That program turns *neighbours*: numbers 0 and 1 of a head, 2 and 3, and so on. To fit that, whoever made the file reordered the rows of the two matrices that make queries and keys. A head's 64 rows, which were first half, then second half,
#
# $$a_0\; a_1 \ldots a_{31}\; b_0\; b_1 \ldots b_{31} \quad\text{lie there as}\quad a_0\; b_0\; a_1\; b_1 \ldots a_{31}\; b_{31}.$$
#
# Your `rotate` wants halves. So put the rows back, in each head. Shapes will not warn you if you do it wrong: the matrix has the same size in any order, and the model runs. einops says it in one line. `"(head pair two) dim"` names the rows' order in the file, `head=heads` and `two=2` how it is cut; what belongs to the right of the arrow?

# %% id="unpermute" tags=["exercise"] minutes=8 difficulty=3 teaches="the same weights in another order; shapes that do not warn"
def unpermute(weight, heads):
    """Rows of a matrix of queries or keys, put back: each head's first half, then its second.

    weight: [heads * part, dim]; in each head the rows are a0 b0 a1 b1 …
    heads: how many there are in it
    returns [heads * part, dim]; in each head the rows are a0 a1 … b0 b1 …
    """
    ### BEGIN SOLUTION
    return rearrange(weight, "(head pair two) dim -> (head two pair) dim", head=heads, two=2)
    ### END SOLUTION

# %% id="check-unpermute" tags=["check"]
unpermute = check("unpermute")

# %% [markdown] id="pour-text"
# Now pour. How good is a language model on a page that surely nobody had read when it was trained? Here is one, written for this course. If the pouring was right, your scores are those of the course's model, number by number, and its perplexity is what it should be. The controls leave the rows of both matrices as they lie in the file, or put back those of the queries alone.

# %% id="pour"
in_file = {name: weight.to(lab.device) for name, weight in course.in_file_order().items()}


def pour(in_file, put_back=("query", "key")):
    """Your model: the table, the weights of each block by name, the last gain."""
    blocks = []
    for number in range(BLOCKS):
        start = f"blocks.{number}."
        w = {name[len(start):]: in_file[name] for name in in_file if name.startswith(start)}
        for part, heads in (("query", HEADS), ("key", SHARED)):
            name = f"attention.to_{part}.weight"
            w[name] = unpermute(w[name], heads) if part in put_back else w[name]
        blocks.append(w)
    return {"table": in_file["embedding.weight"], "blocks": blocks, "gain": in_file["norm.gain"]}


page = """Our street ends at the harbour, and in the mornings it smells of rope and coffee. The \
baker opens first. Before six she sweeps the step, sets two chairs outside, and looks at the sky \
as if it owed her something. Then come the fishermen's wives, who buy nothing and know everything. \
When the ferry is late they say that the captain has quarrelled with his brother again; when it \
is early, that he has made it up. Nobody has ever asked the captain. My grandfather sat on one \
of the chairs for eleven years. He said that a town is a clock, and that he was the hand that \
does not move."""


@torch.no_grad()
def scores_of(model, tokens):
    """Scores of what follows each token of a text, [tokens, vocabulary]."""
    return read(model, tokens)[0][0] @ model["table"].T


def page_perplexity(model):
    tokens = [BEGIN, *encode(page)]
    after = torch.tensor(tokens[1:], device=lab.device)
    return F.cross_entropy(scores_of(model, tokens)[:-1], after).exp()


smol = pour(in_file)
as_in_file, half_done = pour(in_file, put_back=()), pour(in_file, put_back=("query",))
numbers = [BEGIN, *encode(page)][:60]
with torch.no_grad():
    wanted = reference(torch.tensor([numbers], device=lab.device))[0]
claim("largest difference between your scores and those of the course's SmolLM2",
      (scores_of(smol, numbers) - wanted).abs().max(), below=1e-3,
      control={"rows left as they lie in the file":
               (scores_of(as_in_file, numbers) - wanted).abs().max()})
claim("perplexity on a page that nobody has read", page_perplexity(smol), below=80,
      control={"rows left as they lie in the file": page_perplexity(as_in_file),
               "only the queries' put back": page_perplexity(half_done)})
weights_moved = sum(w.numel() for w in (smol["table"], smol["gain"]))
weights_moved += sum(w.numel() for one in smol["blocks"] for w in one.values())
print(f"{weights_moved:,} weights poured")

# %% [markdown] id="pour-read"
# With the rows left in the file's order it still writes something: embeddings, values and the small networks are all right, and much of English can be guessed from the last word. That makes such mistakes hard to see in a sample, and easy in a number. And half a repair is worse than none: with the queries alone put back, the two do not even fit each other.
#
# **Question.** With both matrices left as they are, the queries and keys are at least permuted alike. Why is the model broken all the same?
#
# <details><summary>Answer</summary>
#
# A dot product does not mind if both vectors are reordered in the same way. But `rotate` comes between: it turns numbers together that are no pair, by angles that are not theirs. Without rotation there would be nothing to put back.
# </details>
#
# ## 5 · A task in a prompt
#
# Seven small tasks, written for this course: the past tense, plurals, opposites, capitals, French, whether a sentence is pleased or not, and what kind of thing a word is. Each has 20 rows to be shown, and others that are asked; none is in both.

# %% id="tasks"
all_tasks = tasks.load()
for name, task in all_tasks.items():
    item = task.items[0]
    print(f"{name:10} {len(task.shots)} shots, {len(task.items)} items, such as "
          f"{item.question} -> {item.answer}")

# %% [markdown] id="prompt-text"
# Write the prompt: one line for each shot, `question -> answer`, and then the question with its arrow, where the model is to go on. Two things decide about everything. There is no space behind the last arrow: in SmolLM2's pieces, the space belongs to the *next* word, ` ran`. Who writes the space down leaves `ran` to be said, a piece that hardly ever begins a word. And no shot may be the question that is asked, or its answer stands in the prompt. The shots here are kept apart from the items, but your function should not rely on it.
#
# Shots are pairs `(question, answer)`.

# %% id="prompt" tags=["exercise"] minutes=7 difficulty=2 teaches="a k-shot prompt, and what must not stand in it"
def prompt(shots, question):
    """A prompt: a line for each shot, then the question; it ends with the arrow.

    shots: pairs (question, answer), of which one that asks the same question is left out
    returns one string
    """
    ### BEGIN SOLUTION
    lines = [f"{asked} -> {answer}\n" for asked, answer in shots if asked != question]
    return "".join(lines) + f"{question} ->"
    ### END SOLUTION

# %% id="check-prompt" tags=["check"]
prompt = check("prompt")

# %% [markdown] id="score-text"
# How is an answer judged? In two ways.
#
# **Free**: the model writes, and what it writes must be the answer, up to the end of the line. To find out whether it would, nothing needs to be written. Put the right answer behind the prompt. If at each of its tokens the model's likeliest token *is* that token, then greedy writing would have written just this.
#
# **By likelihood**: of some answers, which does the model find likeliest? The log-likelihood of an answer is the sum of the log-probabilities of *its* tokens, each given all before it. Those of the prompt do not count: they are the same for every answer.
#
# The scores at a token are of what comes *next*. So of a text whose last three tokens are the answer, which scores are needed?

# %% id="answer_score" tags=["exercise"] minutes=10 difficulty=3 teaches="an answer's likelihood: whose tokens count"
def answer_score(logits, tokens, answer):
    """How likely an answer is, and whether greedy writing would give it.

    logits: [tokens, vocabulary], the scores at each token of what comes next
    tokens: [tokens], a prompt and then an answer, as numbers
    answer: how many of the last tokens are the answer
    returns its log-likelihood in nats, a scalar tensor, and True or False
    """
    ### BEGIN SOLUTION
    before, said = logits[-answer - 1 : -1], tokens[-answer:]
    likely = before.log_softmax(dim=-1).gather(1, said[:, None]).sum()
    return likely, bool((before.argmax(dim=-1) == said).all())
    ### STUB
    # before, said = logits[...], tokens[...]
    # likely = ...
    # return likely, bool(...)
    ### END SOLUTION

# %% id="check-answer_score" tags=["check"]
answer_score = check("answer_score")

# %% id="one-question"
shots = [(shot.question, shot.answer) for shot in all_tasks["past"].shots[:4]]
text = prompt(shots, "run")
print(text)  # if one of the four is `run` itself, your prompt has left it out
for answer in ("ran", "runned", "run", "kept"):
    said = encode(f" {answer}\n")
    tokens = [BEGIN, *encode(text), *said]
    likely, freely = answer_score(scores_of(smol, tokens), torch.tensor(tokens, device=lab.device),
                                  len(said))
    print(f"  {answer:8} ⟨{float(likely):7.2f}⟩ nats" + ", and it would write this" * freely)

# %% [markdown] id="pack-text"
# Read like this, every answer reads the whole prompt again. With eight shots, fifty questions and four answers each that is two hundred times the same eight lines. Three ideas save nearly all of it:
#
# - what all prompts have in common is read **once**, and its keys and values are remembered;
# - all questions are rows of **one batch**;
# - all answers to a question lie behind it in **one row**, and a mask keeps them apart: each sees the prompt, its question and itself. Each begins at the same *place*, right behind the question, whatever lies between.
#
# (An answer's last token is never read: it is said by the one before it, and nothing is asked behind it.) Here is the mask of one question with three answers; what was remembered lies to the left.

# %% id="pack"
def packed(questions, answers, remembered):
    """Tokens, places and mask of rows, each a question and all its answers side by side.

    questions: a list of token lists; answers: for each, a list of token lists
    remembered: how many tokens lie before them
    returns tokens, places [rows, width], mask [rows, width, remembered + width], and for each
    answer the columns that say it, one for each of its tokens; its last token is said, not read
    """
    width = max(len(q) + sum(len(a) - 1 for a in some) for q, some in zip(questions, answers))
    tokens, places = torch.full((len(questions), width), BEGIN), torch.zeros(len(questions), width)
    places = places.long()
    mask = torch.zeros(len(questions), width, width, dtype=torch.bool)
    columns = []
    for row, (question, its_answers) in enumerate(zip(questions, answers)):
        parts = [question, *(answer[:-1] for answer in its_answers)]
        ends, length = [0, *accumulate(map(len, parts))], len(question)
        for part, (first, last) in zip(parts, pairwise(ends)):
            start = length if first else 0  # answers go on where the question ends
            tokens[row, first:last] = torch.tensor(part)
            places[row, first:last] = remembered + start + torch.arange(len(part))
            mask[row, first:last, :length] = True
            mask[row, first:last, first:last] = True
        columns.append([[length - 1, *range(*span)] for span in pairwise(ends[1:])])
    order = torch.ones(width, width, dtype=torch.bool).tril()
    itself = torch.eye(width, dtype=torch.bool)  # so that filling, too, has something to see
    mask = F.pad(mask & order | itself, (remembered, 0), value=True)
    return *(each.to(lab.device) for each in (tokens, places, mask)), columns


def at_columns(states, columns):
    """The states of all rows' columns, one under the other: [tokens of all answers, 576]."""
    row, column = torch.tensor([(row, at) for row, answers in enumerate(columns)
                                for some in answers for at in some], device=lab.device).T
    return states[row, column]


@torch.no_grad()
def rate(model, prompts, answers):
    """For each prompt, (log-likelihood, would it write it) of each of its answers.

    prompts: texts that begin alike; answers: for each, a list of texts
    """
    texts = [[BEGIN, *encode(text)] for text in prompts]
    columns = zip(*(text[:-1] for text in texts))
    common = [column[0] for column in takewhile(lambda some: len(set(some)) == 1, columns)]
    _, memory = read(model, common)
    questions = [text[len(common):] for text in texts]
    spelled = [[encode(answer) for answer in some] for some in answers]
    # Rows of nearly one length go together, so that little filling is read.
    order = sorted(range(len(texts)), key=lambda i: len(questions[i]) + len(sum(spelled[i], [])))
    rated = {}
    for some in (order[i : i + 32] for i in range(0, len(order), 32)):
        tokens, places, mask, said_by = packed([questions[i] for i in some],
                                               [spelled[i] for i in some], len(common))
        states, _ = llama(model, tokens, places, mask, memory)
        scores = iter((at_columns(states, said_by) @ model["table"].T).split(
            [len(answer) for i in some for answer in spelled[i]]))
        for i in some:
            rated[i] = []
            for said in spelled[i]:  # nobody needs the scores behind the last token: zeros
                both = torch.tensor([questions[i][-1], *said], device=lab.device)
                rated[i].append(answer_score(F.pad(next(scores), (0, 0, 0, 1)), both, len(said)))
    return [rated[i] for i in range(len(texts))]


figure, axes = plt.subplots(figsize=(6.0, 2.9))
three = [encode(f" {word}\n") for word in ("ran", "runned", "kept")]
example = packed([encode("run ->")], [three], 4)
axes.imshow(example[2][0].cpu(), cmap="cividis", aspect="auto")
axes.grid(False)
axes.set(xlabel="key: 4 remembered, the question, three answers", ylabel="query",
         title="Who may see whom (bright)")
labels = [pieces.decode([token]).replace("\n", "↵") for token in example[0][0].tolist()]
axes.set_yticks(range(len(labels)), labels)
show(figure, alt="A mask with a row for each token of a question and three answers. All see the "
     "four remembered tokens and the question; each answer sees itself, in a small triangle, "
     "and no other answer.")

# %% [markdown] id="pack-check-text"
# Is it the same? The same likelihoods, one way and the other; and the same verdict as when the model really writes, token by token.

# %% id="pack-check"
task = all_tasks["past"]
asked = task.items[: budget(cpu=8, gpu=40, smoke=3)]
prompts = [prompt(shots, item.question) for item in asked]
packed_up = rate(smol, prompts, [[f" {item.answer}\n", f" {item.question}\n"] for item in asked])
one_by_one, written = [], []
for text, item in zip(prompts, asked):
    for answer in (item.answer, item.question):
        said = encode(f" {answer}\n")
        tokens = [BEGIN, *encode(text), *said]
        one_by_one.append(answer_score(scores_of(smol, tokens),
                                       torch.tensor(tokens, device=lab.device), len(said)))
    written.append(continued(text) == f"{text} {item.answer}\n")
flat = [each for row in packed_up for each in row]
claim("largest difference in nats between answers read together and one by one",
      max(abs(float(a - b)) for (a, _), (b, _) in zip(flat, one_by_one)), below=1e-2,
      control={"each held against the next one's":
               max(abs(float(a - b)) for (a, _), (b, _) in zip(flat, one_by_one[1:]))})
claim("questions on which “it would write this” and what it writes differ",
      sum(row[0][1] != wrote for row, wrote in zip(packed_up, written)), equals=0)

# %% [markdown] id="curve-idea"
# ## 6 · What a few shots bring
#
# Six tasks; 0, 1, 2, 4 and 8 shots, always the first of those that are kept for showing; fifty questions each. The free answer must be right to the letter. For the likelihood, the model chooses among three: the right answer and the answers to two other questions (for the pleased and the displeased, between those two).
#
# Fifty questions are few. Of a share $p$ measured on $n$ questions, **Wilson's interval** (1927) says which true shares are compatible with it; unlike $p ± 2\sqrt{p(1-p)/n}$ it never leaves 0 to 1, and it is not empty where all were right.

# %% id="guess-curve" tags=["nbval-ignore-output"]
guess = predict("Past tense, free answers: by how many points is the model better with four shots "
                "than with none?", low=0, high=100, unit="points")

# %% id="curve"
SIZE = budget(cpu=50, gpu=54, smoke=3)


def wilson(right, asked, z=1.96):
    """The ends of the interval, as shares."""
    share = right / asked
    middle = (share + z**2 / (2 * asked)) / (1 + z**2 / asked)
    half = z / (1 + z**2 / asked) * math.sqrt(share * (1 - share) / asked + z**2 / (4 * asked**2))
    return middle - half, middle + half


def options(task, size, echo=False):
    """For each item, its right answers and then wrong ones; with echo, also the question, as it
    is and with other endings."""
    draw_from, rows = random.Random(task.name), []
    others = sorted({item.answer for item in task.items})
    for item in task.items[:size]:
        wrong = [answer for answer in task.labels or others if answer not in item.right]
        wrong = wrong if task.labels else draw_from.sample(wrong, 2)
        forms = [item.question + ending for ending in ("", "s", "ing", "ed")] * echo
        rows.append([*item.right, *wrong, *[form for form in forms if form not in item.right]])
    return rows


def accuracy(task, shots, size=SIZE, model=smol, ask=prompt, line=" {}\n", choose=True,
             echo=False):
    """Of `size` items, how many are right when written freely, and when chosen."""
    items, choices = task.items[:size], options(task, size, echo)
    if not choose:
        choices = [row[: len(item.right)] for row, item in zip(choices, items)]
    shown = [(shot.question, shot.answer) for shot in shots]
    rated = rate(model, [ask(shown, item.question) for item in items],
                 [[line.format(answer) for answer in row] for row in choices])
    free = sum(any(said for _, said in row[: len(item.right)]) for row, item in zip(rated, items))
    best = [max(range(len(row)), key=lambda at: float(row[at][0])) for row in rated]
    return free, sum(at < len(item.right) for at, item in zip(best, items))


SHOTS, NAMES = (0, 1, 2, 4, 8), ("past", "plurals", "antonyms", "capitals", "french", "sentiment")


def curve_of(task):
    """Right when written freely and when chosen, of SIZE items, at each number of shots."""
    found = [accuracy(task, task.shots[:k]) for k in track(SHOTS, f"asking {task.name}")]
    for kind, numbers in zip(("free", "chosen"), zip(*found)):
        print(f"{task.name:10} {kind:7}" + ", ".join(f"⟨{100 * n / SIZE:3.0f} %⟩" for n in numbers))
    return found


first_three = {name: curve_of(all_tasks[name]) for name in NAMES[:3]}

# %% id="curve-more"
curves = {**first_three, **{name: curve_of(all_tasks[name]) for name in NAMES[3:]}}
gain = {name: 100 * (row[3][0] - row[0][0]) / SIZE for name, row in curves.items()}
claim("tasks, of six, on which four shots beat none by 40 points or more",
      sum(by_four >= 40 for by_four in gain.values()), at_least=4, paper="Brown et al. 2020, §3",
      control={"by four shots of another task": sum(
          100 * (accuracy(all_tasks[name], all_tasks[other].shots[:4], choose=False)[0]
                 - curves[name][0][0]) / SIZE >= 40
          for name, other in zip(NAMES, (*NAMES[1:], NAMES[0])))})

# %% id="fig-curve" tags=["nbval-ignore-output"]
figure, grid = plt.subplots(2, 3, figsize=(9.6, 5.2), sharex=True, sharey=True)
for axes, name in zip(grid.flat, NAMES):
    for place, (kind, tint) in enumerate((("written freely", colours.BLUE),
                                          ("chosen by likelihood", colours.ORANGE))):
        right = [row[place] for row in curves[name]]
        low, high = zip(*(wilson(number, SIZE) for number in right))
        axes.plot(range(len(SHOTS)), [100 * n / SIZE for n in right], marker="o", color=tint,
                  label=kind)
        axes.fill_between(range(len(SHOTS)), [100 * x for x in low], [100 * x for x in high],
                          color=tint, alpha=0.18, linewidth=0)
    by_chance = 100 / (len(all_tasks[name].labels) or 3)
    axes.axhline(by_chance, color=colours.ORANGE, linestyle=":", linewidth=1.2)
    axes.set_xticks(range(len(SHOTS)), SHOTS)
    axes.set(title=name, ylim=(0, 102))
if guess.value is not None:
    grid.flat[0].plot(3, 100 * curves["past"][0][0] / SIZE + guess.value, marker="*", markersize=14,
                      color=colours.PINK, linestyle="", label="your guess")
grid[0, 0].set_ylabel("right, %")
grid[1, 0].set_ylabel("right, %")
grid[1, 1].set_xlabel("shots in the prompt")
handles, names_of_lines = grid[0, 0].get_legend_handles_labels()
figure.legend(handles, names_of_lines, loc="outside lower center", ncols=3)
show(figure, alt="Six panels, one a task, with the share of right answers against the number of "
     "shots. Free answers rise from near zero; choices by likelihood are high from the start. "
     "Bands are Wilson's intervals, dotted lines what chance would choose.")

# %% [markdown] id="curve-read"
# Look at the two curves of the past tense. With no shot it never writes the right form, and finds it the likeliest of three nearly always. So it *knew*; it did not know what was wanted, for after `run ->` a text may go on in a thousand ways. What would it rather do? Put the question itself among the answers, as it is and with other endings, -s, -ing, -ed:

# %% id="echo"
past = all_tasks["past"]
echoed = {k: 100 * accuracy(past, past.shots[:k], echo=True)[1] / SIZE for k in (0, 4)}
with_none, with_four = (100 * curves["past"][SHOTS.index(k)][1] / SIZE for k in (0, 4))
print("with other forms of the verb among the answers: "
      f"no shot ⟨{echoed[0]:.0f} %⟩, four ⟨{echoed[4]:.0f} %⟩")
claim("no shot: points that are lost when other forms of the verb are among the answers",
      with_none - echoed[0], above=50, unit="points",
      control={"four shots": with_four - echoed[4]})

# %% [markdown] id="echo-read"
# It would say the word again, or go on with it in another form. That *took* belongs to *take* it knew without us; which form of *take* is wanted, the examples said. And mind how much a score by likelihood hangs on the rivals that somebody chose.
#
# French is different: eight shots, and few of the words are right, though among three it finds the right one far more often than by chance. It recognises them, and cannot spell them. What is not in the weights no example puts there. And what a model of 135 million weights cannot do, GPT-3 could: in English to French sentences, one shot brought it to 28 BLEU (Brown et al. 2020, table 3.4); ours does not get a quarter of the commonest nouns.
#
# **Question.** A task rises from 0 to 60 % between no shot and four. Has the model learned something?
#
# <details><summary>Answer</summary>
#
# No weight moved; read the next prompt, and it is as it was. Whether to call it learning is a matter of words: within the text, it behaves like something that learned. Lab 05b looks inside.
# </details>

# %% [markdown] id="settings-idea"
# ## 7 · The fourth setting: training
#
# Brown et al. (2020, §2) set three settings (zero, one, few shots) beside a fourth: fine-tuning, in which the weights move. All 135 million need not move. **An adapter of low rank** (Hu et al. 2022, §4.1) leaves a matrix $W$ as it is and adds to it a product of two thin ones,
#
# $$x\,W^\top + (x\,\text{down}^\top)\,\text{up}^\top,$$
#
# with `down` `[4, 576]` and `up` `[out, 4]`: rank four. Instead of $576 \cdot 576 = 331{,}776$ numbers, $4 \cdot (576 + 576) = 4{,}608$ may move. Write it such that no matrix of the full size is ever made.

# %% id="low_rank" tags=["exercise"] minutes=6 difficulty=2 teaches="a low-rank adapter beside a frozen matrix"
def low_rank(x, weight, down, up):
    """A linear map and, added to it, its adapter.

    x: [..., dim]; weight: [out, dim]; down: [rank, dim]; up: [out, rank]
    returns [..., out]
    """
    ### BEGIN SOLUTION
    return x @ weight.T + (x @ down.T) @ up.T
    ### END SOLUTION

# %% id="check-low_rank" tags=["check"]
low_rank = check("low_rank")

# %% [markdown] id="adapter-text"
# At the beginning `down` is random and `up` is zero: so the adapted model is the old one, exactly, and the first step already moves `up`. Were both zero, no gradient would ever reach either (each gets the other as a factor). Only queries and values are adapted, as in the paper's §4.2.
#
# It is trained on examples of a task, all at once: question, arrow, answer; the loss is that of the answer's tokens alone. Once on the *same four* that stood in the prompt, and for the past tense once more on all twenty that are kept for showing. Then it is asked with *no* example in the prompt.

# %% id="adapter"
def adapted(model, rank=4, down_is_zero=False, seed=0):
    """A copy of the model with adapters beside queries and values; what may move."""
    chance, moving, blocks = torch.Generator().manual_seed(seed), [], []
    for w in model["blocks"]:
        w = dict(w)
        for part in ("query", "value"):
            weight = w[f"attention.to_{part}.weight"]
            out, dim = weight.shape
            down = torch.randn(rank, dim, generator=chance) / math.sqrt(dim)
            pair = [down * (not down_is_zero), torch.zeros(out, rank)]
            pair = [each.to(lab.device).requires_grad_() for each in pair]
            moving += pair
            w[f"attention.to_{part}.weight"] = (
                lambda x, weight=weight, pair=tuple(pair): low_rank(x, weight, *pair))
        blocks.append(w)
    return {**model, "blocks": blocks}, moving


def fine_tune(model, moving, shots, steps, rate=3e-3):
    """Train what may move on shots, with no example in the prompt; returns the losses."""
    asked = [[BEGIN, *encode(prompt([], shot.question))] for shot in shots]
    said = [[encode(f" {shot.answer}\n")] for shot in shots]
    tokens, places, mask, columns = packed(asked, said, 0)
    answers = torch.tensor([token for (answer,) in said for token in answer], device=lab.device)
    optimiser, losses = torch.optim.AdamW(moving, lr=rate, weight_decay=0.0), []
    for _ in track(range(steps), "fine-tuning"):
        states, _ = llama(model, tokens, places, mask)
        loss = F.cross_entropy(at_columns(states, columns) @ model["table"].T, answers)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        losses.append(float(loss.detach()))
    return losses


# %% id="settings"
TUNED, STEPS = {"past": (4, 20), "antonyms": (4,)}, budget(cpu=12, gpu=30, smoke=2)
settings = {}
for name, sizes in TUNED.items():
    task = all_tasks[name]
    settings[name] = {title: (curves[name][SHOTS.index(k)][0], 0, 0.0) for title, k in
                      {"no shot": 0, "one shot": 1, "four shots": 4}.items()}
    for size in sizes:
        small, moving = adapted(smol)
        began = time.perf_counter()
        fine_tune(small, moving, task.shots[:size], STEPS)
        took, count = time.perf_counter() - began, sum(each.numel() for each in moving)
        right, _ = accuracy(task, [], model=small, choose=False)
        settings[name][f"adapter, {size} examples"] = (right, count, took)
    for setting, (right, number, taken) in settings[name].items():
        print(f"{name:9} {setting:21} ⟨{100 * right / SIZE:3.0f} %⟩, {number:7,} weights moved, "
              f"⟨{taken:.0f} s⟩ of training")
stuck, both_zero = adapted(smol, down_is_zero=True)
before = [each.detach().clone() for each in both_zero]
fine_tune(stuck, both_zero, all_tasks["past"].shots[:2], 2)
claim("share of the weights that the adapter moves, of all", 100 * count / weights_moved, below=0.5,
      unit="%")
claim("past tense without a shot in the prompt: points by an adapter that learned from four",
      100 * (settings["past"]["adapter, 4 examples"][0] - settings["past"]["no shot"][0]) / SIZE,
      above=40, unit="points")
claim("largest move of an adapter that began with up = 0",
      max(float(each.detach().abs().max()) for each in moving[1::2]), above=0,
      control={"with both zero": max(float((a.detach() - b).abs().max())
                                     for a, b in zip(both_zero, before))})

# %% id="fig-settings" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.2))
tints = (colours.GREY, colours.SKY, colours.BLUE, colours.ORANGE, colours.VERMILION)
for group, name in enumerate(TUNED):
    for place, (setting, (right, _, _)) in enumerate(settings[name].items()):
        low, high = wilson(right, SIZE)
        x = group + 0.17 * (place - 2)
        axes.bar(x, 100 * right / SIZE, width=0.15, color=tints[place],
                 label=setting if group == 0 else None)
        axes.plot([x, x], [100 * low, 100 * high], color=colours.INK, linewidth=1.4)
axes.set_xticks(range(len(TUNED)), TUNED)
axes.set(ylabel="right, written freely, %", ylim=(0, 102),
         title="Four settings on the same questions")
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Two groups of five bars: no shot, one and four shots in the prompt, and adapters "
     "trained on four and on twenty examples. Thin lines are Wilson's intervals.")

# %% [markdown] id="settings-question"
# What four examples bring in the prompt, the same four bring as an adapter, as far as fifty questions can tell (look at the intervals): on both tasks, with nothing in the prompt. Twenty examples would make a long prompt; for the adapter they are one batch. The weights that move are so few because the model knows the task; it only has to be told which.
#
# **Question.** Which of the two would you take for ten questions, and which for a million?
#
# <details><summary>Answer</summary>
#
# For ten: shots, since nothing has to be trained, and the next task needs only another prompt. For a million the adapter: its cost was paid once, it can learn from more examples than a prompt holds, and no question has to look back at eight lines. But one adapted model does one task.
# </details>
#
# ## 8 · What the score hangs on
#
# A number such as “60 % with four shots” sounds like a property of the model. It is one of a prompt. Change what should make no difference.
#
# **The order.** The same four examples, in ten orders that a seed drew.
#
# **The wording.** The same four examples, with the arrow, a colon, “Q:” and “A:”, an instruction in front, or as sentences. And because a good wording may do what examples do, each wording is tried without any example, too: that is the fairest “zero shots” there is.

# %% id="guess-orders" tags=["nbval-ignore-output"]
guess_orders = predict("Four examples in ten orders: how many points lie between the best and the "
                       "worst?", low=0, high=60, unit="points")

# %% id="spread"
FEW = budget(cpu=32, gpu=54, smoke=3)
ORDERS = random.Random(5).sample([*permutations(range(4))], budget(cpu=10, gpu=10, smoke=2))
CALLED = {"antonyms": "opposite of", "past": "past tense of"}


def worded(pattern, line=" {}\n", head=""):
    """A way to ask, as `prompt`: what stands for a question, what for an answer, what in front."""
    def ask(shots, question):
        lines = [pattern.format(asked) + line.format(answer) for asked, answer in shots]
        return head + "".join(lines) + pattern.format(question)

    return {"ask": ask, "line": line}


def freely(task, shots, **way):
    """Percent of a few items that are right, written freely."""
    return 100 * accuracy(task, shots, FEW, choose=False, **way)[0] / FEW


by_order, by_wording = {}, {}
for name, called in CALLED.items():
    task = all_tasks[name]
    ways = {"arrow": worded("{} ->"), "colon": worded("{}:"), "Q and A": worded("Q: {}\nA:"),
            "instruction": worded("{} ->", head=f"Write the {called} each word.\n\n"),
            "sentence": worded(f"The {called} {{}} is", " {}.\n")}
    by_order[name] = [freely(task, [task.shots[at] for at in order])
                      for order in track(ORDERS, "reordering")]
    by_wording[name] = {way: (freely(task, [], **how), freely(task, task.shots[:4], **how))
                        for way, how in track(ways.items(), "rewording")}
    print(f"{name}, ten orders: "
          + ", ".join(f"⟨{share:.0f}⟩" for share in sorted(by_order[name])))
    for way, (none, four) in by_wording[name].items():
        print(f"{name}, {way:12} no shot ⟨{none:3.0f} %⟩, four ⟨{four:3.0f} %⟩")


def apart(shares):
    """From the worst to the best, in points."""
    return max(shares) - min(shares)


again = [freely(task, [task.shots[at] for at in ORDERS[0]]) for _ in range(2)]
claim("points between the best and the worst of ten orders, the task where they are more",
      max(map(apart, by_order.values())), above=5, unit="points",
      control={"one order, asked twice": apart(again)}, paper="Zhao et al. 2021, §3")
claim("points between the best and the worst of five wordings, the task where they are more",
      max(apart([four for _, four in row.values()]) for row in by_wording.values()), above=10,
      unit="points")
claim("opposites without an example: points that the best wording is above the arrow",
      max(none for none, _ in by_wording["antonyms"].values()) - by_wording["antonyms"]["arrow"][0],
      above=20, unit="points",
      control={"past tense": max(none for none, _ in by_wording["past"].values())
               - by_wording["past"]["arrow"][0]})

# %% id="fig-spread" tags=["nbval-ignore-output"]
figure, (left, right) = plt.subplots(1, 2, figsize=(9.2, 3.6), width_ratios=[2, 3], sharey=True)
for place, row in enumerate(by_order.values()):
    jitter = [place + 0.05 * (i - len(row) / 2) for i in range(len(row))]
    left.plot(jitter, row, "o", alpha=0.8)
    left.plot([place - 0.3, place + 0.3], [sum(row) / len(row)] * 2, color=colours.INK)
left.set_xticks(range(len(by_order)), list(by_order))
left.set(ylabel="right, written freely, %", title="Four examples, ten orders")
for (name, row), tint in zip(by_wording.items(), (colours.BLUE, colours.ORANGE)):
    none, four = zip(*row.values())
    right.plot(range(len(row)), four, "o-", color=tint, label=f"{name}, four shots")
    right.plot(range(len(row)), none, "o:", color=tint, label=f"{name}, none")
right.set_xticks(range(len(row)), list(row))
right.set(ylim=(-3, 103), title="The same four examples, five wordings")
right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
if guess_orders.value is not None:
    left.set_xlabel(f"your guess: {guess_orders.value:.0f} points from worst to best")
show(figure, alt="Left: for two tasks, ten dots, one for each order of the same four examples, and "
     "a line at their mean. Right: for the same tasks, the share of right answers in five "
     "wordings, with four examples and with none.")

# %% [markdown] id="spread-read"
# Look at the dotted lines. Asked for opposites by a sentence, the model needs no example: the wording does what the shots did. For the past tense no wording of ours helped. (We show all five. Had we shown the best alone, it would have been chosen on the very items it is judged on.) So “zero shots” is no one number either, and whoever compares it with few shots must have tried to ask well.
#
# **Question.** A paper tries twenty prompts on the test items and reports the best. What is wrong with it?
#
# <details><summary>Answer</summary>
#
# The best of twenty is chosen by chance as much as by merit: on fifty items, one prompt is a few points above its equal by luck alone. The prompt has to be chosen on other items than those it is judged on, and the others' scores belong into the paper (Perez et al. 2021).
# </details>

# %% [markdown] id="labels-idea"
# **The labels.** So far every example was right. Min et al. (2022) gave the examples *random* labels, and the score hardly fell. Take the two tasks that have labels, and choose among these by likelihood. Eight shots, once as they are, once with labels drawn at random (of two labels every second is right by chance, of four every fourth), once with every label turned into the next one (so that none is right).

# %% id="guess-labels" tags=["nbval-ignore-output"]
guess_labels = predict("Pleased or displeased, eight examples, every label turned into its "
                       "opposite. How often does the model give the true label all the same?",
                       low=0, high=100, unit="%")

# %% id="labels"
def relabelled(task, shots, how, seed=0):
    """The shots with their labels as they are, drawn at random, or moved on by one."""
    chance, labels, changed = random.Random(seed), list(task.labels), []
    for shot in shots:
        moved = labels[(labels.index(shot.answer) + 1) % len(labels)]
        label = {"true": shot.answer, "random": chance.choice(labels), "flipped": moved}[how]
        changed.append(shot._replace(answer=label, right=(label,)))
    return changed


def chosen(task, shots):
    """Percent of a few items whose true label is the likeliest."""
    return 100 * accuracy(task, shots, FEW)[1] / FEW


by_labels, DRAWS = {}, range(budget(cpu=4, gpu=10, smoke=1))
for name in ("sentiment", "kinds"):
    task, eight = all_tasks[name], all_tasks[name].shots[:8]
    at_random = [chosen(task, relabelled(task, eight, "random", seed)) for seed in DRAWS]
    by_labels[name] = {"no shot": chosen(task, []), "true": chosen(task, eight),
                       "random": sum(at_random) / len(at_random),
                       "flipped": chosen(task, relabelled(task, eight, "flipped"))}
    print(f"{name:9} chosen by likelihood: "
          + ", ".join(f"{how} ⟨{share:.0f} %⟩" for how, share in by_labels[name].items())
          + "; the random ones " + ", ".join(f"⟨{share:.0f}⟩" for share in at_random))
moods = all_tasks["sentiment"]
flipped = relabelled(moods, moods.shots[:8], "flipped")
rows = [item._replace(answer=other.answer, right=other.right)
        for item, other in zip(moods.items[:FEW], moods.items[1 : FEW + 1])]
of_others = chosen(replace(moods, items=tuple(rows)), flipped)
claim("sentiment: true labels chosen though every label that was shown is false",
      by_labels["sentiment"]["flipped"], above=65, unit="%",
      control={"held against the next item's label": of_others})
claim("kinds: points lost by labels drawn at random, mean of the draws",
      by_labels["kinds"]["true"] - by_labels["kinds"]["random"], above=10, unit="points")

# %% id="fig-labels" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.2, 3.2))
for group, (name, row) in enumerate(by_labels.items()):
    for place, (how, share) in enumerate(row.items()):
        low, high = wilson(share * FEW / 100, FEW)
        x = group + 0.2 * (place - 1.5)
        axes.bar(x, share, width=0.18, label=how if group == 0 else None,
                 color=(colours.GREY, colours.BLUE, colours.SKY, colours.VERMILION)[place])
        axes.plot([x, x], [100 * low, 100 * high], color=colours.INK, linewidth=1.4)
    axes.plot([group - 0.45, group + 0.45], [100 / len(all_tasks[name].labels)] * 2,
              color=colours.INK, linestyle=":", linewidth=1.4)
axes.set_xticks(range(len(by_labels)), list(by_labels))
axes.set(ylabel="true label chosen, %", ylim=(0, 102),
         title="What the labels of eight shots matter")
draw_guess(axes, guess_labels)
axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
show(figure, alt="Two groups of four bars, without shots and with eight shots whose labels are "
     "true, random, or flipped. Dotted lines mark chance; thin lines are Wilson's intervals.")

# %% [markdown] id="labels-read"
# Every label that was shown is false, and yet for most sentences the model gives the true one. Whether a sentence is pleased it reads off the sentence; the examples told it which two words are wanted, and that they were attached the wrong way round it hardly heeds. That is what Min et al. (2022) found. But it is not the whole of it: random labels do harm in some draws, and for kinds of things in most; look at the single ones. “Labels matter little” was a mean over many tasks. Larger models follow flipped labels more, not less (Wei et al. 2023).
#
# **Question.** Somebody reports that a model “learned” sentiment from eight examples. What would you ask?
#
# <details><summary>Answer</summary>
#
# What it does with no example and the two labels to choose from; and what it does when the eight are labelled wrongly. If it is as good as before, it did not learn it from them.
# </details>

# %% [markdown] id="calibrate-idea"
# **The prompt's own wish.** What if all four examples happen to have the same label? Ask such a prompt about nothing at all, “N/A”. It ought to find all labels equally likely. It does not:

# %% id="bias"
kinds = all_tasks["kinds"]
one_sided = {label: [shot for shot in kinds.shots if shot.answer == label][:4]
             for label in kinds.labels}
NOTHING = ("N/A", "", "[MASK]")


def label_shares(task, shots, questions):
    """How likely each label is after each question, among the labels: [questions, labels]."""
    shown = [(shot.question, shot.answer) for shot in shots]
    rated = rate(smol, [prompt(shown, question) for question in questions],
                 [[f" {label}\n" for label in task.labels] for _ in questions])
    return torch.tensor([[float(likely) for likely, _ in row] for row in rated]).softmax(dim=-1)


after_nothing = {label: label_shares(kinds, shots, NOTHING) for label, shots in one_sided.items()}
print(f"{'four examples of':18}" + "".join(f"{label:>10}" for label in kinds.labels))
for label, shares in after_nothing.items():
    print(f"{label:18}" + "".join(f"{f'⟨{share:.2f}⟩':>10}" for share in shares.mean(dim=0)))

# %% [markdown] id="calibrate-text"
# **Contextual calibration** (Zhao et al. 2021, §5) takes this wish out of every answer. Ask the prompt about several things that mean nothing, take the mean of the shares that each label got, and divide each answer's shares by it. Then divide by the sum, so that they are shares again.

# %% id="calibrate" tags=["exercise"] minutes=6 difficulty=2 teaches="contextual calibration: dividing by what nothing gets"
def calibrate(shares, after_nothing):
    """The labels' shares without what the prompt wishes for by itself.

    shares: [items, labels], rows that sum to 1
    after_nothing: [inputs, labels], the shares after inputs that mean nothing
    returns [items, labels], rows that sum to 1
    """
    ### BEGIN SOLUTION
    fair = shares / after_nothing.mean(dim=0)
    return fair / fair.sum(dim=-1, keepdim=True)
    ### END SOLUTION

# %% id="check-calibrate" tags=["check"]
calibrate = check("calibrate")

# %% id="calibration"
def right_of(task, shares):
    """Percent of the items whose likeliest label is the right one."""
    true = torch.tensor([task.labels.index(item.answer) for item in task.items[: len(shares)]])
    return float(100 * (shares.argmax(dim=-1) == true).float().mean())


one_sided_score = {}
for label, four in track(one_sided.items(), "calibrating"):
    its_own = label_shares(kinds, four, [item.question for item in kinds.items[:FEW]])
    one_sided_score[label] = [right_of(kinds, shares) for shares in (
        its_own, calibrate(its_own, after_nothing[label]),
        calibrate(its_own, after_nothing[kinds.labels[kinds.labels.index(label) - 1]]))]
    print(f"four of {label:9} as it is ⟨{one_sided_score[label][0]:3.0f} %⟩, "
          f"calibrated ⟨{one_sided_score[label][1]:3.0f} %⟩")
plainly, mended, by_another = (sum(row) / len(row) for row in zip(*one_sided_score.values()))
claim("one-sided prompts: points that calibration brings, mean of four", mended - plainly, above=20,
      unit="points", control={"by what another prompt wishes for": by_another - plainly},
      paper="Zhao et al. 2021, §5")

# %% [markdown] id="neutral-text"
# Does it always help? Sentences are no single words, and “N/A” is no sentence. Six sets of four examples, drawn at random as one would in a hurry, some of them one-sided; each calibrated by “N/A” and its kin, and by three sentences that say nothing pleasing and nothing bad.

# %% id="neutral"
PLAIN = ("It is.", "This is it.", "I was there.")
drawing = random.Random(1)
by_set = []
for _ in track(range(budget(cpu=6, gpu=10, smoke=2)), "calibrating"):
    few = drawing.sample(moods.shots, 4)
    questions = [item.question for item in moods.items[:FEW]]
    shares = label_shares(moods, few, [*questions, *NOTHING, *PLAIN])
    raw, no_word, plain = shares[: len(questions)], shares[len(questions) : -3], shares[-3:]
    by_set.append([right_of(moods, each) for each in (raw, calibrate(raw, no_word),
                                                      calibrate(raw, plain))])
    print(f"{sum(shot.answer == 'positive' for shot in few)} of 4 positive: as it is "
          "⟨{:.0f} %⟩, by “N/A” ⟨{:.0f} %⟩, by plain sentences ⟨{:.0f} %⟩".format(*by_set[-1]))
as_is, by_no_word, by_plain = (sum(row) / len(row) for row in zip(*by_set))
claim("random sets: points that calibration by plain sentences brings", by_plain - as_is, above=5,
      unit="points", control={"by “N/A” and its kin": by_no_word - as_is})
claim("the worst set, calibrated by plain sentences", min(plain for *_, plain in by_set), above=75,
      unit="%", control={"as it is": min(raw for raw, *_ in by_set)})

# %% id="fig-calibration" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.8, 3.2))
for row in by_set:
    axes.plot(range(3), row, "o-", color=colours.BLUE, alpha=0.6)
axes.plot(range(3), (as_is, by_no_word, by_plain), "s-", color=colours.VERMILION, label="mean")
axes.set_xticks(range(3), ["as it is", "by “N/A” and its kin", "by plain sentences"])
axes.set(ylabel="right, chosen, %", ylim=(0, 102), title="Random sets of four examples, calibrated")
axes.legend(loc="lower right")
show(figure, alt="A line for each random set of four examples: its score as it is, calibrated by "
     "N/A, and calibrated by plain sentences; and their mean.")

# %% [markdown] id="calibrate-read"
# Where the examples are one-sided the repair is large. But “nothing” has to look like what is asked: for sentences, sentences that say nothing serve better than “N/A”, which brings some sets down. (Zhao et al. took the mean over three such inputs for this reason; which ones, was their choice. It is ours here, too, and a careful paper would choose it on other items.)
#
# **Question.** Could you not simply take balanced examples?
#
# <details><summary>Answer</summary>
#
# With labels, yes, and one should. But the order has a pull as well, and so have the labels' own names: common words are likelier. Where the answer is free, there is nothing to balance.
# </details>

# %% [markdown] id="claims"
# ## 9 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | a task can be shown in the prompt, and no weight moves | GPT-3 gains with more examples, the larger the model the more (Brown et al. 2020, figure 1.2) | on most of six tasks four shots beat none by 40 points and more, written freely, and four shots of another task on fewer: section 6 |
# | turned by places, only distances count | Su et al. 2021, §3.2 | measured, and false for added positions: section 1 |
# | fine-tuning is the fourth setting | set beside zero, one and few shots; “in the future” for GPT-3 itself (Brown et al. 2020, §2) | less than half a percent of the weights, trained for seconds on the same four examples: section 7 |
# | the order of examples matters | from chance to near the best (Zhao et al. 2021, §3) | the spread of ten orders and five wordings, drawn; a good wording can replace the examples: section 8 |
# | labels hardly matter | Min et al. 2022, §4 | with every label false, sentences are still judged rightly more often than not; random labels do harm in some draws, and to kinds of things: section 8 |
# | calibration mends it | by up to 30 points (Zhao et al. 2021, abstract) | much for one-sided examples; for sentences it takes plain sentences, not “N/A”: section 8 |
#
# **What does not carry over.** GPT-3 has 175 billion weights and 96 layers; SmolLM2 has 135 million, of which ours were rounded to four bits before they came to us. Its French is beyond help, and what stands in our tasks is what a child knows. GPT-3 translated, answered questions on facts, and did sums of three digits (Brown et al. 2020, §3.9.1); this one would not. On the other hand it read 2,000 billion tokens, where GPT-3 read 300 billion (Brown et al. 2020, table 2.2), and was then tuned to follow instructions, which GPT-3 was not. What carries over is the shape of the curves, and that a score belongs to a prompt.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* That a language model can be shown a task in its text was tried with GPT-2, by pairs of sentences for translating, with poor results (Radford et al. 2019, §3.7). New in 2020 was the size, and that someone drew the curve against the number of examples, for dozens of tasks.
# - *What is not?* The model. It is lab 04's, larger.
# - *When does it fail?* When what is asked is not in the weights. When the task is new rather than recognised. And whoever reports the best of ten prompts reports a choice, not a model.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 10 · Going further
#
# **1. No mapping at all.** Give each of the eight examples of the past tense the answer of *another*: `take -> sat`. All answers are past tenses, none is right. How much is left?
#
# <details><summary>Solution</summary>
#
# ```python
# eight = past.shots[:8]
# turned = [shot._replace(answer=other.answer) for shot, other in zip(eight, eight[1:] + eight[:1])]
# claim("past tense with the answers of others: points below true examples",
#       100 * (accuracy(past, eight)[0] - accuracy(past, turned)[0]) / SIZE, above=20, unit="points",
#       control={"true examples in another order":
#                100 * (accuracy(past, eight)[0] - accuracy(past, eight[::-1])[0]) / SIZE})
# ```
#
# Much is lost. Where the answer is made from the question, the pairs do matter; where it is picked from a few labels, less.
# </details>
#
# **2. The memory's price.** How many bytes does your model keep a token? Count them in what `read` returns, and compare with nine heads of keys and values.
#
# <details><summary>Solution</summary>
#
# ```python
# with torch.no_grad():
#     _, kept = read(smol, [BEGIN, *encode(page)])
# size = sum(each.numel() * each.element_size() for pair in kept for each in pair)
# a_token = size / len([BEGIN, *encode(page)])
# claim("bytes a token that are remembered", a_token, equals=2 * BLOCKS * SHARED * PART * 4,
#       control={"with nine heads": 2 * BLOCKS * HEADS * PART * 4})
# ```
#
# 46,080 bytes; with nine heads it would be three times that. A page of 500 tokens takes 23 MB.
# </details>
#
# **3. Rank one.** Train the adapter of section 7 with rank 1 in place of 4, on the same four examples. Give it twice the steps: with one direction in place of four, a step moves the product less.
#
# <details><summary>Solution</summary>
#
# ```python
# thin, thin_moving = adapted(smol, rank=1)
# fine_tune(thin, thin_moving, all_tasks["past"].shots[:4], 2 * STEPS)
# claim("past tense by an adapter of rank one: points above no shot",
#       100 * (accuracy(all_tasks["past"], [], model=thin)[0] - curves["past"][0][0]) / SIZE,
#       above=40, unit="points",
#       control={"an adapter that was not trained": 100 * (accuracy(
#           all_tasks["past"], [], model=adapted(smol, rank=1)[0])[0] - curves["past"][0][0]) / SIZE})
# ```
#
# A quarter of the numbers, and about as good. (After no more steps than before it gets nothing right: it is slower, not worse.) What has to be changed is small: the model is told what is wanted, and it knew the rest.
# </details>
#
# **Reading.** Brown et al. (2020), “Language Models are Few-Shot Learners”. Touvron et al. (2023a), “LLaMA: Open and Efficient Foundation Language Models”. Touvron et al. (2023b), “Llama 2: Open Foundation and Fine-Tuned Chat Models”. Allal et al. (2025), “SmolLM2: When Smol Goes Big”. Su et al. (2021), “RoFormer: Enhanced Transformer with Rotary Position Embedding”. Zhang and Sennrich (2019), “Root Mean Square Layer Normalization”. Shazeer (2020), “GLU Variants Improve Transformer”. Ainslie et al. (2023), “GQA: Training Generalized Multi-Query Transformer Models from Multi-Head Checkpoints”. Hu et al. (2022), “LoRA: Low-Rank Adaptation of Large Language Models”. Min et al. (2022), “Rethinking the Role of Demonstrations: What Makes In-Context Learning Work?”. Zhao et al. (2021), “Calibrate Before Use: Improving Few-Shot Performance of Language Models”. Perez, Kiela and Cho (2021), “True Few-Shot Learning with Language Models”. Wei et al. (2023), “Larger Language Models Do In-Context Learning Differently”. Wilson (1927), “Probable Inference, the Law of Succession, and Statistical Inference”.
#
# Next comes [lab 05b, Learning in context](05b_in_context.ipynb): where this comes from, in a model small enough to train while you wait, and in SmolLM2's heads.

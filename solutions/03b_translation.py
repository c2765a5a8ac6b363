# ---
# squint:
#   lab: "03b"
#   title: Translation
#   minutes: 110
#   promise: Translate English to German with the Transformer of lab 03, search for better sentences than the first that comes, and measure how good it is and where it fails.
#   prerequisites: ["03_transformer"]
#   objectives:
#     - decode greedily, for many sentences at once
#     - measure which head aligns the words of two languages, against a rival that knows no words
#     - write a beam search over many sentences at once, and score texts of different lengths
#     - count what BLEU counts, and say what it does not see
#     - say by source, and with sentences that nobody chose, what a small translator can do and what it cannot
#   claim: One Transformer translates. A beam finds better translations than greed; attention finds the words that correspond; and rare words and long sentences are where it fails.
#   source: Vaswani et al. 2017, “Attention Is All You Need”, §6.1; Bahdanau et al. 2015, §5.2; Wu et al. 2016, §7; Papineni et al. 2002; Koehn and Knowles 2017, §3
# ---

# %% [markdown] id="title"
# # Translation
#
# *Translate English to German with the Transformer of lab 03, search for better sentences than the first that comes, and measure how good it is and where it fails.*
#
# 110 minutes · after [lab 03, The Transformer](03_transformer.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - decode greedily, for many sentences at once;
# - measure which head aligns the words of two languages, against a rival that knows no words;
# - write a beam search over many sentences at once, and score texts of different lengths;
# - count what BLEU counts, and say what it does not see;
# - say by source, and with sentences that nobody chose, what a small translator can do and what it cannot.
#
# **The claim under test.** One Transformer translates (Vaswani et al. 2017, “Attention Is All You Need”, §6.1). A beam finds better translations than greed. Attention finds out which words correspond (Bahdanau et al. 2015, §5.2). And rare words and long sentences are where such a system fails (Koehn and Knowles 2017, §3).

# %% id="setup" tags=["setup"]
lab = begin("03b_translation")

# %% id="imports"
import math
import random
import re
from collections import Counter

import matplotlib.pyplot as plt
import sacrebleu
import torch

from squint.data import translations
from squint.models import seq2seq
from squint.text.bpe import pad
from squint.viz import bertviz, colours, diagrams

# A search is many small steps, in which further threads would only wait for each other.
torch.set_num_threads(1)

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on the lab before. Answer aloud, then unfold.
#
# **1.** In training, all words of a sentence are learned at once. What does the decoder see at the place where it is asked for the third word?
#
# <details><summary>Answer</summary>
#
# The start token and the first two words of the *right* translation: the target, shifted to the right. The causal mask hides all that comes after. And, by cross-attention, the whole source.
# </details>
#
# **2.** What is the memory, and how often is it computed for one sentence?
#
# <details><summary>Answer</summary>
#
# What leaves the encoder: one vector for each word of the source. It does not depend on the target at all, so it is computed once, whatever is said afterwards.
# </details>
#
# **3.** A logit, a probability, a log-probability: what makes one of the other, and which of them may be added up over the words of a sentence?
#
# <details><summary>Answer</summary>
#
# Softmax makes probabilities of logits; `log_softmax` makes their logarithms. The probability of a sentence is the *product* of its words', each given those before; so the log-probabilities are what is added.
# </details>

# %% [markdown] id="german-idea"
# ## 1 · A translator
#
# What took less than a minute for guest lists takes hours for a language. So the course ships a translator: lab 03's Transformer with six blocks on either side, trained by `data/recipes/translator.py` on English sentences of up to 16 words with their German translations. You have seen its weights give the same in your own class; from here on we use the course's, which is faster.
#
# Where do the sentences come from? From what may be given away with the course. `dictionary`: phrases and examples; `game`: the dialogues of one game; `help`: an office program's help; `talk`: what is said in seven more games. That is not how people talk at home, so the course added everyday sentences of its own, `written` by hand and `made` by rule. Only the first three have held-out pairs. The card beside the weights says more.
#
# Words are cut into **pieces** by byte-pair encoding (Sennrich et al. 2016): common words are one piece, rare ones are spelled in several, and nothing is ever unknown. Both languages share one table of pieces. In print, ▁ marks the beginning of a word.

# %% id="german"
translator, pieces, card = seq2seq.pretrained()
translator = translator.to(lab.device)
shape, about = translator.config, card["training"]
millions = translator.parameter_count / 1e6
steps = about["steps"] + about.get("before", {}).get("steps", 0)  # it may have learned twice
print(f"{shape.blocks} + {shape.blocks} blocks, ⟨{shape.dim}⟩ wide, ⟨{len(pieces):,}⟩ pieces")
print(f"⟨{millions:.1f} million⟩ parameters, ⟨{steps:,} steps⟩ of training")
for source in translations.SOURCES:
    known, asked = (len(translations.load(part, source)) for part in ("train", "test"))
    print(f"from the source ⟨{source}: {known:,} pairs to learn from, {asked:,} held out⟩")
for text in ("the castle", "the castles of the Lilliputians"):
    print(f"{text}: ⟨{' '.join(pieces.pieces(pieces.encode([text])[0]))}⟩")

# %% [markdown] id="greedy-idea"
# ## 2 · The next word, and the next
#
# In use there is no right answer to look at, only what the model itself has said. **Greedy search**: begin with the start token, ask the model, take the *likeliest* next token, put it behind, ask again; until it says the end token.
#
# For many sentences together this needs a little care, since they end at different times. The model is handed to you as a function, `continuations`: you give it all texts so far, `[sentences, tokens]`, and it returns the log-probabilities of what comes next in each, `[sentences, vocabulary]`. It needs the *whole* texts, the start token first, because what comes next depends on all of them; and it needs *all* sentences at every call, in their order, also those that are finished already.
#
# Some tools: `torch.full((sentences, 1), start)` is a column of start tokens; `table.argmax(dim=-1)` gives one number a row, so it has lost an axis, and `[:, None]` gives it one back; `torch.cat([a, b], dim=1)` puts two side by side. In a list, `row.index(end)` is the first place of `end`.

# %% id="greedy" tags=["exercise"] minutes=12 difficulty=3 teaches="decoding step by step, for many sentences at once"
def greedy(continuations, sentences, limit, start=1, end=2):
    """What the model says if it always takes the likeliest next token.

    continuations: a function from prefixes [sentences, tokens], start token first, to the
        log-probabilities of what comes next [sentences, vocabulary]
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

# %% [markdown] id="first-words"
# So it is your search that translates now. The first four sentences are ours; put your own in their place. The others were drawn by chance from the held-out pairs, of which no text stood in training. `search` hands them to your `greedy` four at a time, so that one can see how far it is.

# %% id="first-translations" tags=["nbval-ignore-output"]
own = ["The king is dead.", "I have not seen him since yesterday.", "Where is the nearest station?",
       "She would have bought the house if she had had the money."]
held_out = translations.load("test")
drawn = random.Random(1).sample(range(len(held_out)), budget(cpu=8, gpu=8, smoke=2))
texts = own + [held_out.english[i] for i in drawn]
references = [None] * len(own) + [held_out.german[i] for i in drawn]


def search(texts, decode, **options):
    """Hand texts to one of your searches, four at a time; returns what it found for each."""
    found = []
    for first in track(range(0, len(texts), 4), "searching"):
        source = pad(pieces.encode(texts[first : first + 4], end=True)).to(lab.device)
        ask = seq2seq.continuations(translator, source)
        found += decode(ask, len(source), 2 * source.shape[1] + 10, **options)
    return found


def spelled(tokens):
    return pieces.decode([[int(token) for token in tokens]])[0]


greedily = [spelled(tokens) for tokens in search(texts, greedy)]
for text, said, right in zip(texts, greedily, references):
    print(f"{text}\n   {said}" + (f"\n   reference: {right}" if right else "") + "\n")

# %% [markdown] id="cache-text"
# How much of it is German that one could say? Judge for yourself; section 6 counts. First, something about the search. Yours runs the whole prefix through the decoder at each step, though only the last word is new. The keys and values of the earlier words never change, since none may look ahead; `squint.text.decode` keeps them, and so saves most of the work. Does it find the same?

# %% id="same-greedy"
def the_courses(texts, width, alpha=1.0, **options):
    """The course's best translations, which stand for yours where hundreds are wanted."""
    found = seq2seq.translate(translator, pieces, texts, width=width, alpha=alpha,
                              watch=lambda batches: track(batches, "translating"), **options)
    return [several[0] for several in found]


by_course = pieces.decode([best.tokens for best in the_courses(texts, width=1)])
other_sources = pieces.decode([best.tokens for best in the_courses(texts[::-1], width=1)])
claim("sentences of which the course's search says something else than yours",
      sum(mine != theirs for mine, theirs in zip(greedily, by_course)), at_most=1,
      control={"for the sentences in reverse":
               sum(mine != theirs for mine, theirs in zip(greedily, other_sources))})

# %% [markdown] id="cache-question"
# (A rounding error can turn a tie, so one sentence may differ.)
#
# **Question.** Training does all positions at once. Why can decoding not?
#
# <details><summary>Answer</summary>
#
# Because word 5 depends on which word 4 was *chosen*, and that is not known before it is chosen. In this, the Transformer is as sequential as any recurrent network: one step a word, each of which waits for the last. What it saved, it saved in training.
# </details>

# %% [markdown] id="align-idea"
# ## 3 · Who looks where
#
# Bahdanau et al. (2015, §5.2) found that attention between the languages finds out by itself which word corresponds to which. A picture of weights proves little, as lab 02 saw. But here we can keep score: some pieces are *copied* from English to German, those of names, figures, and words that both languages share. `copies` finds pieces with a capital or a digit that stand exactly once in each of the two sentences, such as *LibreOffice*, *Format* or *3*.
#
# At the moment when one is said, where does each head look? We count how often it is the very piece that is copied, choose the best head on one half of the sentences, and judge it on the other half. Two rivals get the same pieces: the same place in the sentence, stretched to its length, which knows nothing of words; and a head drawn at random.

# %% id="align"
from squint.models.alignment import copies, looks

most = budget(cpu=600, gpu=1500, smoke=60)
read, spoken = (pieces.encode(side[::-1][:most], end=True)
                for side in (held_out.english, held_out.german))
copied = [(*pair, places) for pair in zip(read, spoken) if (places := copies(pieces, *pair))]
half, looked, stood, stretched = [], [], [], []
for row, (source, target, places) in enumerate(track(copied, "looking")):
    weights = looks(translator, source, target)  # blocks, heads, German, English
    for said_at, stands_at in places:
        half.append(row % 2 == 0)
        looked.append(weights[:, :, said_at].argmax(dim=-1))
        stood.append(stands_at)
        stretched.append(round(said_at * (len(source) - 1) / (len(target) - 1)))
half, stood, stretched = (torch.tensor(each) for each in (half, stood, stretched))
looked = torch.stack(looked)
hits = 100 * (looked == stood[:, None, None]).float()
aligner = divmod(int(hits[half].mean(dim=0).argmax()), shape.heads)
judged, by_place = hits[~half].mean(dim=0), 100 * (stretched == stood)[~half].float().mean()
elsewhere = 100 * (looked[~half][:, *aligner] == stood[~half].roll(1)).float().mean()
print(f"copied pieces: ⟨{len(half)}⟩; best is ⟨head {aligner[1]} of block {aligner[0]}⟩, from 0")
print(f"the place alone: ⟨{by_place:.0f} %⟩; a head at random, on average: ⟨{judged.mean():.0f} %⟩")
claim("when a piece is copied, one head looks at it more often than either rival",
      judged[aligner], above=max(by_place, judged.mean()), unit="%",
      paper="Bahdanau et al. 2015, §5.2.1",
      control={"against the piece of another sentence": elsewhere})

# %% id="fig-align" tags=["nbval-ignore-output"]
def weights_of(text):
    """Cross-attention, [blocks, heads, German, English], of a translation; the pieces of both."""
    answer = the_courses([text], width=4, alpha=card["metrics"]["alpha"])[0]
    source, target = pieces.encode([text], end=True)[0], [*answer.tokens, 2]
    return looks(translator, source, target), pieces.pieces(source), pieces.pieces(target)


king, here, there = weights_of("The king has four black horses and a big castle.")
figure, axes = plt.subplots(1, 3, figsize=(9.2, 5), sharey=True)
pictures = {
    f"block {aligner[0]}, head {aligner[1]}": king[aligner],
    f"block {aligner[0]}, all heads": king[aligner[0]].mean(0),
    "all blocks, all heads": king.mean((0, 1)),
}
for panel, (title, picture) in zip(axes, pictures.items()):
    panel.imshow(picture, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    panel.set(title=title, xlabel="is looked at")
    panel.set_xticks(range(len(here)), here, rotation=90)
    panel.grid(False)
figure.colorbar(axes[0].images[0], ax=axes, label="share of the attention", fraction=0.03, pad=0.02)
axes[0].set_yticks(range(len(there)), there)
axes[0].set(ylabel="is said")
show(figure, alt="Three matrices with a row for each German piece that is said and a column for "
     "each English piece: the best aligning head, the mean of its block, the mean of all blocks. "
     "In the first, the dark entry of a row shows at which English piece that German piece looks "
     "most; averages over heads are paler.")

# %% [markdown] id="align-view-text"
# Go through the first picture row by row. Where a word has a counterpart, is the dark entry there, or one piece further on, at what comes *next*? Which words have none to look at? And if a German word is wrong, look where its pieces looked: attention shows where a model looks, not whether it has understood.
#
# The same as lines, to play with: the left column is *said*, the right one is looked at. Click the coloured squares for other heads, choose another block above, where it says *Layer*. Are there heads in which nearly all lines end at the full stop or at `</s>`?

# %% id="align-view" tags=["nbval-ignore-output"]
bertviz.translation_view(king, here, there, layer=aligner[0], heads=[aligner[1]])

# %% [markdown] id="align-question"
# **Question.** Why might a head spend much of its attention on the final full stop?
#
# <details><summary>Answer</summary>
#
# As `[CLS]` in lab 02: a softmax must spend its whole share. When a head has nothing to look for, a piece that says nothing is a harmless place to look. And not every German word *has* a counterpart: in “Ich habe ihn gesehen”, the choice of *ihn* depends on *him*, but the place of *gesehen* depends on German alone, and self-attention knows German.
# </details>

# %% [markdown] id="beam-idea"
# ## 4 · Looking further than one word
#
# Greedy search takes the best next word and never looks back. Here is an invented case. After the start, *der* has probability 0.5 and *ein* has 0.4. So greed takes *der*, and finds that nothing good follows:

# %% id="fig-tree" tags=["nbval-ignore-output"]
tree = {"": {"der": 0.5, "ein": 0.4, "es": 0.1}, "der": {"Hund": 0.35, "Mann": 0.35, "Baum": 0.3},
        "ein": {"Hund": 0.9, "Mann": 0.06, "Baum": 0.04}}
show(diagrams.word_tree(tree),
     alt="A tree of words. From the start, der has 0.5, ein 0.4, es 0.1. After der the best word "
     "has 0.35, together 0.175. After ein, Hund has 0.9, together 0.36: the best sentence begins "
     "with the second best word.")

# %% [markdown] id="beam-text"
# The likeliest sentence begins with the second likeliest word. All sentences cannot be tried, but a few can be kept: a **beam** of `width` texts. In each step, every text in the beam is continued with every word of the vocabulary; *all* these continuations compete; the `width` likeliest form the new beam. Several may grow from one text, and none from another. In logarithms, a text's probability is a sum: the log-probabilities of its words. While texts grow they all have one length, so these sums can be compared as they are.
#
# First this one step, for all sentences together:
#
# 1. `totals[..., None] + log_probabilities` are the sums of all continuations: `[sentences, beams, vocabulary]`.
# 2. `.flatten(1)` lays those of a sentence side by side, and `.topk(width)` gives the `width` largest and their places.
# 3. A place is `beam × vocabulary + word`. With two beams and a vocabulary of ten, place 13 is beam 1, word 3. So `place // vocabulary` is the beam it grew from and `place % vocabulary` the word.

# %% id="grow" tags=["exercise"] minutes=10 difficulty=3 teaches="one step of a beam: all continuations of a sentence compete"
def grow(totals, log_probabilities, width):
    """The best continuations of each sentence's beams.

    totals: [sentences, beams], the log-probability of each text so far
    log_probabilities: [sentences, beams, vocabulary], of every next word
    width: how many continuations to keep for each sentence
    returns three tensors [sentences, width]: new totals, the beam that each grew from, its new word
    """
    ### BEGIN SOLUTION
    vocabulary = log_probabilities.shape[-1]
    sums = (totals[..., None] + log_probabilities).flatten(1)
    totals, place = sums.topk(width)
    return totals, place // vocabulary, place % vocabulary
    ### END SOLUTION

# %% id="check-grow" tags=["check"]
grow = check("grow")

# %% [markdown] id="grow-look"
# The tree above, with your step: two beams, of which *der* is 0 and *ein* is 1, and the words *Hund*, *Mann*, *Baum*.

# %% id="grow-tree"
after = torch.tensor([[list(tree[word].values()) for word in ("der", "ein")]]).log()
together, parent, word = grow(torch.tensor([[0.5, 0.4]]).log(), after, width=2)
for total, beam, number in zip(together[0], parent[0], word[0]):
    print(f"{('der', 'ein')[beam]} {('Hund', 'Mann', 'Baum')[number]}: {total.exp():.3f}")

# %% [markdown] id="score-idea"
# **When a text ends.** A text that says `</s>` is finished. It is noted down, and nothing grows from it: its total is set to −∞, and what grows from −∞ stays −∞. The others grow on, up to the limit, where they are taken as they stand.
#
# **Which finished text is best?** Every further word makes the sum smaller, so comparing sums would favour short texts. Wu et al. (2016, §7) divide by a penalty that grows with the length, where $\alpha = 0$ compares sums and $\alpha = 1$ comes near to comparing means:
#
# $$\text{score} = \frac{\log P}{\text{penalty}} \qquad \text{penalty} = \left(\frac{5 + \text{length}}{6}\right)^{\alpha}$$
#
# The length counts every word that was chosen, `</s>` among them, and not the start token. The penalty is for finished texts alone.
#
# **When to stop.** A sum can only fall. At its best, what still grows keeps its sum to the limit, where the penalty is largest. If no such score can beat a sentence's best text, nothing can.

# %% id="penalty"
def length_penalty(length, alpha):
    """What the sum of log-probabilities is divided by (Wu et al. 2016, eq. 14)."""
    return ((5 + length) / 6) ** alpha


def nothing_can_win(totals, best, limit, alpha):
    """Whether nowhere what still grows can beat the sentence's best; best: [(text, score), …]."""
    most = (totals.amax(dim=1) / length_penalty(limit, alpha)).tolist()
    return all(score >= bound for (_, score), bound in zip(best, most))


for n in (1, 10, 20):
    print(f"α = 1, length {n}: divided by {length_penalty(n, 1.0):.2f}")

# %% [markdown] id="beam-tools"
# Now the search. Begin with *one* beam a sentence: several equal ones would stay equal for ever. In each step, `grow`; then put the new words behind the texts that they grew from. `prefixes[rows, parent]` are those, with `rows = torch.arange(sentences)[:, None]` and `parent` of `[sentences, width]`; the words need an axis more, `token[..., None]`. Note down what has ended or reached the limit, if it beats the sentence's best so far, and set its total to −∞.

# %% id="beam_search" tags=["exercise"] minutes=18 difficulty=5 teaches="beam search over many sentences at once, length penalty"
def beam_search(continuations, sentences, limit, width=4, alpha=1.0, start=1, end=2):
    """The best text that a beam finds, for each sentence.

    continuations: a function from prefixes [sentences, beams, tokens], start token first, to the
        log-probabilities of what comes next [sentences, beams, vocabulary]; all sentences, always
    sentences: how many there are; limit: the most tokens of a text, its end token among them
    width: texts in a beam, at most the vocabulary's size; alpha: of the length penalty
    returns a list: for each sentence (tokens, score), the tokens a list of numbers without start
        and end, the score a number
    """
    ### BEGIN SOLUTION
    prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    best = [([], -math.inf)] * sentences
    rows = torch.arange(sentences)[:, None]
    for length in range(1, limit + 1):
        totals, parent, token = grow(totals, continuations(prefixes), width)
        prefixes = torch.cat([prefixes[rows, parent], token[..., None]], dim=2)

        over = (token == end) | (length == limit)
        scores = totals / length_penalty(length, alpha)
        for row, beam in over.nonzero().tolist():
            if scores[row, beam] > best[row][1]:
                text = prefixes[row, beam, 1:].tolist()
                text = text[:-1] if text[-1] == end else text
                best[row] = (text, scores[row, beam].item())
        totals = totals.masked_fill(over, -torch.inf)
        if nothing_can_win(totals, best, limit, alpha):
            break
    return best
    ### STUB
    # prefixes, totals = torch.full((sentences, 1, 1), start), torch.zeros(sentences, 1)
    # best = [([], -math.inf)] * sentences
    # rows = torch.arange(sentences)[:, None]
    # for length in range(1, limit + 1):
    #     totals, parent, token = ...
    #     prefixes = ...
    #     over = ...
    #     for row, beam in over.nonzero().tolist():
    #         ...
    #     totals = ...
    #     if nothing_can_win(totals, best, limit, alpha):
    #         break
    # return best
    ### END SOLUTION

# %% id="check-beam_search" tags=["check"]
beam_search = check("beam_search")

# %% [markdown] id="beam-greedy-text"
# Your beam of four beside your greedy search, where they say different things. The α is the card's, which served best on sentences that are not tested below. Which do you prefer?

# %% id="beam-first" tags=["nbval-ignore-output"]
alpha = card["metrics"]["alpha"]
print(f"α = {alpha}\n")
widely = search(texts, beam_search, width=4, alpha=alpha)
for text, narrow, (tokens, _), right in zip(texts, greedily, widely, references):
    if spelled(tokens) != narrow:
        print(f"{text}\n   greedy {narrow}\n   beam   {spelled(tokens)}"
              + (f"\n   reference: {right}" if right else "") + "\n")

# %% [markdown] id="bleu-idea"
# ## 5 · How good is it?
#
# Is a likelier text a better translation? We need a measure that does not ask the model. **BLEU** (Papineni et al. 2002) counts how much of a translation also stands in a reference: of its words, its pairs of neighbours, its triples and its quadruples, which share is right?
#
# One trap is obvious. Against *the cat is on the mat*, a translation that reads *the the the the* would have all of its words right. So each word, or group of words, counts at most as often as the reference has it: here twice.
#
# Write the counting. `zip(words, words[1:])` gives all pairs of neighbours, and `zip(*(words[i:] for i in range(n)))` all groups of $n$. `Counter(things)` counts how often each of them occurs; `&` of two counters keeps for each the smaller count, and `.values()` are the counts.

# %% id="matches" tags=["exercise"] minutes=8 difficulty=2 teaches="n-gram precision: clipped counts"
def matches(words, reference, n):
    """How many groups of n neighbours are right: each at most as often as the reference has it.

    words, reference: lists of words; n: how many words a group has
    returns a whole number
    """
    ### BEGIN SOLUTION
    found, right = (Counter(zip(*(text[i:] for i in range(n)))) for text in (words, reference))
    return sum((found & right).values())
    ### END SOLUTION

# %% id="check-matches" tags=["check"]
matches = check("matches")

# %% [markdown] id="bleu-rest"
# The four shares, of all sentences together, are brought into one number by their geometric mean. Only what is *said* is judged so far, so a translator could say little and be safe. Hence a factor for what is too short, $e^{1 - r/c}$ where the references have $r$ words and the translations only $c < r$. Times 100, that is BLEU.
#
# Numbers can be compared only when the words are cut alike, which is what `sacrebleu` is for (Post 2018).

# %% id="your-bleu"
cut = sacrebleu.BLEU().tokenizer


def your_bleu(translated, wanted):
    """BLEU by your counts, 0 to 100."""
    texts, wanted = ([cut(text).split() for text in side] for side in (translated, wanted))
    shares = [
        sum(matches(text, right, n) for text, right in zip(texts, wanted))
        / sum(max(0, len(text) - n + 1) for text in texts)
        for n in (1, 2, 3, 4)
    ]
    said, asked = (sum(map(len, side)) for side in (texts, wanted))
    return 100 * math.prod(shares) ** (1 / 4) * math.exp(min(0, 1 - asked / said))


def bleu(translated, wanted):
    """The same by sacrebleu."""
    return sacrebleu.corpus_bleu(translated, [wanted]).score


found_so = ["Der Hund sieht die Katze, und die Katze sieht den Hund.", "Ich gehe heute Abend heim."]
asked_for = ["Der Hund sieht die Katze, und sie sieht den Hund.", "Ich gehe heute Abend nach Haus."]
mine = your_bleu(found_so, asked_for)
claim("your BLEU against sacrebleu's: difference",
      abs(mine - bleu(found_so, asked_for)), at_most=0.01,
      control={"against the wrong references": abs(mine - bleu(found_so, asked_for[::-1]))})

# %% [markdown] id="guess-text"
# We translate held-out sentences with the course's search, greedily and with a beam of four. (This beam always keeps the greedy text to its end, so by its making its score is never below. Yours may lose it on the way, when four others look better for a moment.) How many points of BLEU does the beam add?

# %% id="guess-beam" tags=["nbval-ignore-output"]
guess_beam = predict("BLEU that a beam of four adds to greedy search", low=-2, high=10, step=0.5)

# %% id="bleu"
chosen = list(range(0, len(held_out), budget(cpu=2, gpu=1, smoke=100)))
english, wanted = ([side[i] for i in chosen] for side in (held_out.english, held_out.german))
hypotheses = {width: the_courses(english, width, alpha) for width in (1, 4)}
answers = {width: pieces.decode([best_of.tokens for best_of in found])
           for width, found in hypotheses.items()}
bleus = {width: bleu(translated, wanted) for width, translated in answers.items()}
worse = sum(wide.score < near.score - 1e-4 for wide, near in zip(hypotheses[4], hypotheses[1]))
others = sum(a != b for a, b in zip(answers[1], answers[4]))
print(f"held-out sentences: ⟨{len(chosen)}⟩; those that the beam translates otherwise: ⟨{others}⟩")
claim("sentences in which the beam's score is below greedy's, by its making", worse, equals=0)
claim("BLEU of the beam against greedy search", bleus[4], above=bleus[1],
      control={"the beam's, for other sentences": bleu(answers[4], wanted[1:] + wanted[:1])},
      paper="Koehn and Knowles 2017, §3.6")
claim("BLEU of the translator on held-out sentences of up to 16 words", bleus[4], at_least=20)

# %% id="fig-beam" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.4, 2.2))
axes.barh(["greedy", "beam of four"], [bleus[1], bleus[4]], color=[colours.ORANGE, colours.BLUE])
axes.set(title=f"{len(chosen)} held-out sentences", xlabel="BLEU")
if guess_beam.value is not None:
    guessed = bleus[1] + guess_beam.value
    axes.axvline(guessed, color=colours.PINK, linestyle="--", label="your guess")
    axes.legend(loc="lower right")
show(figure, alt="Two bars of BLEU, one for greedy search and one for a beam of four.")

# %% [markdown] id="beam-question"
# **Question.** Then a beam of 1,000 must be better still?
#
# <details><summary>Answer</summary>
#
# Better in score, and often worse in BLEU. With a very wide beam one finds that the model's *likeliest* sentences are strangely short, sometimes empty (Koehn and Knowles 2017, §3.6; Stahlberg and Byrne 2019). The model's probabilities are not what we want but a stand-in for it, and a search that is too good finds where the two part. The first exercise under “Going further” measures it.
# </details>

# %% [markdown] id="can-idea"
# ## 6 · What it can do, and what it cannot
#
# One BLEU for all says little, so we ask by source. And numbers say little without sentences; but sentences can be chosen. So here are three from each source that has held-out sentences, drawn by chance with a fixed seed. None is here because it went well, or badly.

# %% id="by-source"
origin = [name for name in translations.SOURCES for _ in translations.load("test", name).english]
rows_of = {name: [] for name in origin}
for i, place in enumerate(chosen):
    rows_of[origin[place]].append(i)


def bleu_of(rows, texts=answers[4]):
    return bleu([texts[i] for i in rows], [wanted[i] for i in rows])


for name, members in rows_of.items():
    exactly = sum(answers[4][i] == wanted[i] for i in members)
    print(f"⟨{name}: BLEU {bleu_of(members):.1f}; {exactly} of {len(members)} word for word⟩")

# %% id="not-chosen" tags=["nbval-ignore-output"]
for name, members in rows_of.items():
    print(f"— {name} —\n")
    for i in random.Random(2).sample(members, min(3, len(members))):
        print(f"{english[i]}\n   {answers[4][i]}\n   reference: {wanted[i]}\n")

# %% [markdown] id="everyday-idea"
# None of the three tested sources is how people talk at home. For that, the course wrote everyday sentences for training, and others for the test, each with several German translations that are right, the plainest first. No English sentence stands in both. But the first third of the test was written by the hand that wrote the lexicon and the patterns behind `made`; the rest by somebody who had not seen any training pair. So they are counted apart, too: which share says more about a sentence of yours?
#
# *Right* is what says one of the translations, capitals and punctuation aside. (One that nobody thought of counts as wrong, so the true share may be a little higher.)

# %% id="everyday"
def plain(text):
    return " ".join(re.findall(r"[\w'-]+", text.lower()))


stride = budget(cpu=1, gpu=1, smoke=20)
asked_daily, right_daily = zip(*translations.everyday()[::stride])
said_daily = pieces.decode([each.tokens for each in the_courses(list(asked_daily), 4, alpha)])
fits = [plain(text) in map(plain, right) for text, right in zip(said_daily, right_daily)]
plainest = sum(plain(text) == plain(right[0]) for text, right in zip(said_daily, right_daily))
print(f"everyday sentences: ⟨{len(fits)}⟩, right: ⟨{sum(fits)}⟩, in plainest words: ⟨{plainest}⟩")
by_hand = {"the hand behind the patterns": fits[: 60 // stride], "another": fits[60 // stride :]}
for hand, marks in by_hand.items():
    print(f"  written by {hand}: ⟨{sum(marks)}⟩ of ⟨{len(marks)}⟩ right")
fits_others = sum(plain(text) in map(plain, right)
                  for text, right in zip(said_daily, right_daily[1:] + right_daily[:1]))
claim("everyday sentences that come out right, share", sum(fits) / len(fits), above=0.2,
      control={"held against those of another sentence": fits_others / len(fits)})

# %% id="everyday-examples" tags=["nbval-ignore-output"]
for i in random.Random(3).sample(range(len(fits)), min(10, len(fits))):
    mark = "right" if fits[i] else "right would be: " + right_daily[i][0]
    print(f"{asked_daily[i]}\n   {said_daily[i]}\n   {mark}\n")

# %% [markdown] id="fails-idea"
# Judge them yourself, if you read German: *right*, *understandable*, *wrong*? Note how a right translation in other words than the reference counts nothing word for word, and how a fluent one may say something else.
#
# Two more measurements. BLEU by a sentence's **rarest word**, counted in the training pairs: in each source, the half of its sentences with the rarer words against the other half; the control halves them at random. And **longer texts** than training had: two sentences in one line, against the very same two one by one.

# %% id="fails"
def words_of(text):
    return re.findall(r"[\w'-]+", text.lower())


count = Counter(word for text in translations.load("train").english for word in set(words_of(text)))
rarest = [min(count[word] for word in words_of(text)) for text in english]


def halves(members):
    """BLEU of the first half of some sentences, and of the second."""
    middle = len(members) // 2
    return bleu_of(members[:middle]), bleu_of(members[middle:])


by_half = {name: halves(sorted(members, key=lambda i: rarest[i]))
           for name, members in rows_of.items()}
lost = [commoner - rarer for rarer, commoner in by_half.values()]
at_random = [halves(random.Random(seed).sample(members, len(members)))
             for seed in range(budget(cpu=10, gpu=10, smoke=2)) for members in rows_of.values()]
by_chance = [second - first for first, second in at_random]
claim("the half with the rarer words loses BLEU, mean of the sources",
      sum(lost) / len(lost), above=2,
      control={"halved at random": sum(by_chance) / len(by_chance)},
      paper="Koehn and Knowles 2017, §3.3")

long = [i for i, text in enumerate(english) if len(text.split()) >= 9]
long = long[:: max(1, len(long) // budget(cpu=120, gpu=400, smoke=4))]
couples = list(zip(long[::2], long[1::2]))
joined = the_courses([f"{english[a]} {english[b]}" for a, b in couples], 4, alpha)
both = [f"{wanted[a]} {wanted[b]}" for a, b in couples]
in_one_line = bleu(pieces.decode([each.tokens for each in joined]), both)
apart = bleu([f"{answers[4][a]} {answers[4][b]}" for a, b in couples], both)
claim("two sentences in one line, 18 words or more, are translated worse than one by one: BLEU",
      in_one_line, below=apart, paper="Koehn and Knowles 2017, §3.4")

# %% id="fig-fails" tags=["nbval-ignore-output"]
bounds = [0, 1, 5, 20, 100, math.inf]
by_rarest = []
for low, high in zip(bounds, bounds[1:]):
    members = [i for i in range(len(english)) if low <= rarest[i] < high]
    label = "none" if high == 1 else f"{low} or more" if high == math.inf else f"{low}–{high - 1}"
    if len(members) > 20:  # fewer say nothing
        by_rarest.append((f"{label}\n(n = {len(members)})", bleu_of(members)))
figure, axes = plt.subplots(1, 3, figsize=(9.2, 3.4), sharey=True, width_ratios=[4, 5, 2])
sides = ((0, colours.VERMILION, "rarer words"), (1, colours.SKY, "the other half"))
for place, colour, label in sides:
    axes[0].bar([x + 0.4 * place - 0.2 for x in range(len(by_half))],
                [pair[place] for pair in by_half.values()], width=0.38, color=colour, label=label)
axes[0].set_xticks(range(len(by_half)), by_half, fontsize=8)
axes[0].set(ylabel="BLEU", title="by source", xlabel="where the sentence comes from")
axes[0].legend(loc="upper left", fontsize=8)
axes[1].bar(range(len(by_rarest)), [score for _, score in by_rarest], color=colours.ORANGE)
axes[1].set_xticks(range(len(by_rarest)), [label for label, _ in by_rarest], fontsize=8)
axes[1].set(title="by rarest word, all sources", xlabel="training pairs that have its rarest word")
axes[2].bar([0, 1], [apart, in_one_line], color=[colours.GREEN, colours.VERMILION])
axes[2].set_xticks([0, 1], ["one by\none", "in one\nline"], fontsize=8)
axes[2].set(title="beyond 16 words", xlabel=f"{len(couples)} pairs of sentences")
show(figure, alt="Three bar charts of BLEU. By source: for each a bar for the half with the rarer "
     "words and one for the other half. By how many training pairs hold the rarest word, all "
     "sources together, from unseen words to common ones. Two sentences one by one, and the same "
     "two joined in one line, which score lower.")

# %% id="fail-examples" tags=["nbval-ignore-output"]
hard = {
    "a name": "Mrs Featherstonehaugh lives in Wolverhampton with her cousin Aloysius.",
    "a long word": "The telecommunication infrastructure was electromagnetically disturbed.",
    "a rare word": "The plumber soldered the gutter with a blowtorch.",
    "an idiom": "It is raining cats and dogs.",
    "another idiom": "I am under the weather.",
    "far beyond 16 words":
        "When the old man who had been living in the small house near the river since the end of "
        "the war heard that his daughter was coming home he opened all the windows.",
}
hardly = pieces.decode([each.tokens for each in the_courses(list(hard.values()), 4, alpha)])
for (what, text), translated in zip(hard.items(), hardly):
    print(f"{what}: {text}\n   {translated}\n")

# %% [markdown] id="fails-text"
# What these have in common is plain: the model knows what its pairs taught it.
#
# - **Where a sentence comes from** matters most. An office program's help says the same things again and again, in the same words; a dictionary shows what is peculiar. One BLEU for all of them says little about any.
# - **Rare words** cost something, and more in one source than in another. A word that was never seen is spelled in pieces whose sense, apart, is another. (The middle picture mixes the sources.)
# - **Names** are spelled in pieces, too, and each piece must be copied in order. One that never stood in training may come out cut short, spelled wrongly, or replaced by something else altogether.
# - **Idioms** would have to be known as a whole. Where no pair had one, its words may be rendered one by one, or only some of them; either way its sense is lost.
# - **Long texts** do worse than the very same sentences apart. No English sentence in training had more than 16 words, so there are places in a sentence that it has seldom or never seen, and two sentences in one line it has rarely seen either.
#
# **Question.** More of what would mend most: data, parameters, or a wider beam?
#
# <details><summary>Answer</summary>
#
# Data. The paper's English–German set had 4.5 million pairs (§5.1), many times as many as ours. More parameters on the same pairs learn them by heart sooner. And a beam can only find what the model thinks likely.
# </details>

# %% [markdown] id="claims"
# ## 7 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | it translates | 28.4 BLEU on newstest2014, sentences from the news (Vaswani et al. 2017, §6.1) | at least 20 on held-out sentences of up to 16 words, and by source: sections 5 and 6 |
# | attention aligns | words that correspond look at each other (Bahdanau et al. 2015, §5.2.1) | pieces that are copied: one head finds them more often than the place would, or a head at random: section 3 |
# | a beam beats greed | they decode with a beam of 4 and α = 0.6 (§6.1); how much beams gain: Koehn and Knowles 2017, §3.6 | BLEU on held-out pairs, greedy beside a beam of 4 with the α of the card: section 5 |
# | rare words and long sentences are hard | two of six challenges for neural translation (Koehn and Knowles 2017, §3.3 and §3.4) | BLEU by rarest word, and of two sentences in one line: section 6 |
#
# **What does not carry over.** The BLEU here and the BLEU there cannot be compared: our sentences are short, and come from the same sources as the training pairs; and the everyday sentences were tested after training on other everyday sentences of the course. Its 28.4 is the big model's, with 213 million parameters; the base model, with 65 million, learned from 4.5 million pairs for 100,000 steps on eight GPUs and has 27.3 (§5, tables 2 and 3). Ours is a small fraction of that in every respect. And BLEU is no judge of meaning: it saw none of what you found wrong, or right, in the sentences that nobody chose.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* Here, nothing was: not the beam, not the length penalty, not byte pairs, not BLEU. The paper's point was that a new machine does better with the same tools.
# - *What is not?* Averaging the last saves of a run (§6.1) is as old as the rest, and the paper does not say what it adds. An honest comparison gives the rival the same.
# - *When does it fail?* When pairs are few, when a sentence is longer than any it has seen, when a word must be spelled that it never read; and where its test comes from the same drawer as its training, one does not see it.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 8 · Going further
#
# **1. The curse of the beam.** Measure BLEU, the mean score and the mean length for beams of 1, 2, 4, 8 and 16 on every fourth of the sentences, at α = 0 and at the card's α. Where do score and BLEU part?
#
# <details><summary>Solution</summary>
#
# ```python
# every = range(0, len(english), 4)  # of all sources
# asked, curse = [english[i] for i in every], {}
# for a in (0.0, alpha):
#     for width in (1, 2, 4, 8, 16):
#         best_ones = the_courses(asked, width, a)
#         length = sum(len(each.tokens) for each in best_ones) / len(best_ones)
#         score = sum(each.score for each in best_ones) / len(best_ones)
#         points = bleu(pieces.decode([e.tokens for e in best_ones]), [wanted[i] for i in every])
#         curse[a, width] = points, score, length
#         print(f"α {a}, width {width:>2}: BLEU {points:.1f}, score {score:.2f}, {length:.1f} pieces")
# claim("α = 0: the mean score of a beam of 16 is above that of a beam of 1",
#       curse[0.0, 16][1], above=curse[0.0, 1][1])
# shorter = {a: curse[a, 16][2] / curse[a, 1][2] for a in (0.0, alpha)}
# claim("α = 0: its texts are shorter, as a share of a beam of 1's", shorter[0.0], below=0.93,
#       control={"with the card's α": shorter[alpha]})
# claim("BLEU of a beam of 16, α = 0, below that with the card's α",
#       curse[0.0, 16][0], below=curse[alpha, 16][0])
# ```
#
# Without a penalty the wide beam's mean score is higher and its answers are shorter. Compare what BLEU gains from width to width: what is likelier need not be better. With the card's α they keep their length, all but a little, and a beam of 16 has the higher BLEU by it. So much of the curse is that of comparing sums; in far wider beams it comes back (Koehn and Knowles 2017, §3.6). This takes a minute.
# </details>
#
# **2. Where α comes from.** The card's α was chosen on the 1,000 `valid` sentences, and yours were from `test`. Do it again on a part of them: a beam of four, with α from 0 to 2. How much is there to choose? And why may one not choose on `test`?
#
# <details><summary>Solution</summary>
#
# ```python
# other = translations.load("valid")
# ask, expect = other.english[::5], other.german[::5]
# by_alpha = {a: bleu(pieces.decode([each.tokens for each in the_courses(ask, 4, a)]), expect)
#             for a in (0.0, 0.6, 1.0, 1.4, 2.0)}
# print(by_alpha)
# claim("BLEU of the best α above that of α = 0", max(by_alpha.values()), above=by_alpha[0.0])
# ```
#
# Compare two distances in BLEU: between α = 0 and the best, and between the best and its neighbours. Whoever tries many settings on `test` and reports the best has chosen some of its luck, too: so one chooses on other sentences, and asks `test` once.
# </details>
#
# **3. What BLEU does not see.** Take the references themselves for translations, but put *nicht* behind the first word of each: the sense is the opposite. Then shuffle the words of each: there is no sense at all. What does BLEU say of either, and what of the translator?
#
# <details><summary>Solution</summary>
#
# ```python
# def turned_round(text):
#     first, _, rest = text.partition(" ")
#     return f"{first} nicht {rest}"
#
# dice = random.Random(0)
# shuffled = [" ".join(dice.sample(text.split(), len(text.split()))) for text in wanted]
# negated = bleu([turned_round(text) for text in wanted], wanted)
# print(f"negated {negated:.1f}, shuffled {bleu(shuffled, wanted):.1f}, translated {bleus[4]:.1f}")
# claim("BLEU of the opposite, far above the translator's", negated, above=2 * bleus[4],
#       control={"of the words in another order": bleu(shuffled, wanted)})
# ```
#
# One word more, and each sentence says the opposite; its BLEU is still far above the translator's, since nearly all groups of words are right. The right words in any order score low: so BLEU knows order, and nothing of meaning.
# </details>
#
# **Reading.** Sennrich, Haddow and Birch (2016), “Neural Machine Translation of Rare Words with Subword Units”. Bahdanau, Cho and Bengio (2015), “Neural Machine Translation by Jointly Learning to Align and Translate”. Wu et al. (2016), “Google's Neural Machine Translation System”, §7. Papineni et al. (2002), “BLEU”, and Post (2018), “A Call for Clarity in Reporting BLEU Scores”. Koehn and Knowles (2017), “Six Challenges for Neural Machine Translation”. Stahlberg and Byrne (2019), “On NMT Search Errors and Model Errors: Cat Got Your Tongue?”. Vaswani et al. (2017), “Attention Is All You Need”, §5 and §6.
#
# Next comes [lab 04, GPT](04_gpt.ipynb): the decoder alone, taught to continue any text.

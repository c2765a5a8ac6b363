# ---
# squint:
#   lab: "00"
#   title: "Start here: how much to squint"
#   minutes: 50
#   promise: >-
#     You write a classifier of three short functions, shrink what it sees from 32 pixels to 2, and measure what a pixel
#     is worth, and why more of them do not help.
#   prerequisites: []
#   objectives:
#     - "work with a lab: run, check, hint, guess, claim"
#     - shrink pictures by averaging blocks
#     - compare vectors by cosine similarity
#     - classify by the nearest neighbour, with a fair split
#     - find the bend in a curve of accuracy against cost
#   claim: >-
#     Some size below 32 pixels keeps at least 95 % of the best accuracy at a quarter of its cost; 2 pixels do not.
#   source: >-
#     The essay that this course grew out of, “Learning requires efficient abstractions”; Torralba, Fergus and Freeman
#     2008
# ---

# %% [markdown] id="title"
# # Start here: how much to squint
#
# *50 minutes · for readers of some Python · torch and einops are explained where they first appear*
#
# From across the street a strawberry is a red blob. That is not much, and it is enough to tell it from a bus. To learn
# anything we have to throw most of what we see away; the art is in how much. It is a bargain: an abstraction that is
# too crude costs quality, one that is too exact costs a great deal of work. In between you squint.
#
# In this lab you squint at emoji. You write a classifier of three short functions, let it look at pictures of 32, 16,
# 8, 4 and 2 pixels a side (so the smallest has 2 × 2 = 4 pixels in all), and measure what a pixel is worth.
#
# **The claim under test.** Some size below 32 pixels keeps at least 95 % of the best accuracy at a quarter of its cost,
# and 2 pixels do not.
#
# **Afterwards you can** shrink a picture by averaging · compare two pictures by the angle between them · classify by
# the nearest neighbour, with a test that is fair · find the bend in a curve of accuracy against cost · and work with
# every other lab, since they all go like this one.

# %% [markdown] id="how-it-works"
# ## How a lab goes
#
# A lab is made of cells. Click into one and press **Shift + Enter**: it runs, and the next one is chosen. Go from top
# to bottom and leave none out.
#
# Some cells are **exercises**. You replace the dots, or the line `raise NotImplementedError("your turn")`, by your own.
# The cell below checks what you wrote, and says one of three things: **✓** it is right, **○** there is nothing yet,
# **✗** it is wrong, and as far as can be told, why.
#
# **Nothing breaks.** A check hands back something that works: your version if it is right, the course's if it is not.
# So every picture further down comes out whatever you wrote, and you may skip an exercise and come back. This notebook
# is your own copy, in the folder `work`. If its memory is in a muddle, choose *Kernel → Restart Kernel* and run it from
# the top; if its text is, `squint lab 00 --fresh` in a terminal puts a new copy beside it.
#
# **Numbers like ⟨57⟩** were measured, on the machine at hand. What stands between ⟨ and ⟩ may come out a little different
# on yours, and that is no mistake.
#
# Let us begin. The first cell is the same in every lab; it says what it found on this machine.

# %% id="setup" tags=["setup"]

# %% id="imports"
from functools import cache

import matplotlib.pyplot as plt  # drawing
import torch  # tables of numbers, and what can be done with them
from einops import rearrange, reduce  # cutting and joining their axes

from squint.data import emoji
from squint.models import tiny
from squint.viz import colours

# %% [markdown] id="recall"
# ## Three things to bring along
#
# Labs open with three short questions on what came before. Here they are on school mathematics. Answer first, aloud if
# you can, then unfold: trying to remember is what makes it stay.
#
# **1.** Four pixels have the brightness 0.2, 0.2, 0.6 and 1.0. You paint all four with their mean. How bright are they,
# and how much brighter has the picture become?
#
# <details><summary>Answer</summary>
#
# 2.0 / 4 = 0.5. The picture is as bright as before: the mean is the number that can stand for all four without changing
# their sum.
# </details>
#
# **2.** How long is the arrow that goes 3 to the right and 4 up?
#
# <details><summary>Answer</summary>
#
# 5, by Pythagoras: √(3² + 4²). With more numbers it goes the same way: square them, add them, take the root.
# </details>
#
# **3.** A pupil is given the exam's questions, with answers, the night before. What does the mark tell you?
#
# <details><summary>Answer</summary>
#
# How well they remember, not what they can do with something new. The same holds for a classifier: what it is tested on
# must not be in what it learned from.
# </details>

# %% [markdown] id="a-picture"
# ## 1 · A picture is a table of numbers
#
# The course comes with emoji as seven teams of artists drew them. Three words will be used for them from here on:
#
# - the **concept** is the thing that is shown: an octopus;
# - the **style** is the team whose drawing it is. A concept has at most one picture in each style;
# - the **group** is the kind of thing, one of eight: for an octopus, *animals-nature*.
#
# Here is how many there are, in all and in each style, and then one concept in all its styles.

# %% id="load"
everything = emoji.load(32)
pictures = everything.rgb().to(lab.device)
print("pictures", tuple(pictures.shape))
things, styles, groups = everything.concepts, everything.styles, everything.groups
print(f"{len(things):,} concepts in {len(styles)} styles and {len(groups)} groups:")
print(" · ".join(groups))
drawn_by = everything.style.bincount().tolist()
print(" · ".join(f"{team} {n:,}" for team, n in zip(styles, drawn_by, strict=True)))

# %% id="fig-styles" tags=["nbval-ignore-output"]
numbers = {thing.label: i for i, thing in enumerate(things)}
drawn = (everything.concept == numbers["octopus"]).nonzero().flatten().tolist()


def draw(ax, picture, title=""):
    """Show one picture, [colours, height, width], in a place of a figure."""
    # as imshow wants it:
    colours_last = rearrange(picture.cpu(), "colours height width -> height width colours")
    ax.imshow(colours_last, vmin=0, vmax=1)
    ax.set_title(title, fontsize=9, loc="center")
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)


figure, axes = plt.subplots(1, len(drawn), figsize=(9, 1.6))
for ax, i in zip(axes, drawn, strict=True):
    draw(ax, pictures[i], styles[everything.style[i]])
show(
    figure,
    "The octopus as seven sets of emoji draw it: red, orange, pink or violet, "
    "each in a shape of its own.",
)

# %% [markdown] id="tensors"
# `pictures` is a **tensor**: a table of numbers with as many axes as you like. Its *shape* says how long each axis is,
# here `[pictures, colours, height, width]`. The three colours are red, green and blue, from 0 (none of it) to 1 (all of
# it). `pictures[7]` is one picture, `pictures[7, 0]` the red in it, and `pictures[7, 0, 5, 9]` a single number: how red
# picture 7 is in the sixth row from the top and the tenth column.
#
# How many numbers is one emoji, then? Before you give the right answer, **be wrong on purpose**: write `32 * 32` in the
# place of the dots, run that cell and the check below it, and see what happens. A check compares what you wrote with
# the right answer, on several *cases*, and also with wrong answers that people do give; if yours is among them, it
# tells you which one it is. Some checks also try *laws* that every right answer obeys. Then put it right and run both
# again.

# %% id="numbers_per_picture" tags=["exercise"] minutes=1 difficulty=1 teaches="tensor shapes; how to work with a check"
# How many numbers is one emoji, 32 pixels high and 32 wide, in colour?
# A number or a product in the place of the dots.
### BEGIN SOLUTION
numbers_per_picture = 3 * 32 * 32
### STUB
# numbers_per_picture = ...
### END SOLUTION

# %% id="check-numbers_per_picture" tags=["check"]
numbers_per_picture = check("numbers_per_picture")

# %% [markdown] id="about-hints"
# Where you do not know how to begin, ask for a hint. There are three for every exercise, a nudge, a plan and the code.
# Each call gives the next: run the cell below twice.

# %% id="first-hint"
hint("numbers_per_picture")

# %% [markdown] id="squint"
# ## 2 · Squinting is averaging
#
# When you squint, light from neighbouring points runs together. We do the same with numbers: lay a grid over the
# picture, and let each square of the grid become one pixel, the mean of all that it covers.

# %% id="fig-block" tags=["nbval-ignore-output"]
whole = pictures[drawn[0]]
block = whole[:, 8:16, 8:16]
figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.4))
draw(axes[0], whole, "32 × 32 pixels")
draw(axes[1], block, "the marked block: 64 pixels")
draw(axes[2], block.mean((1, 2), keepdim=True), "their mean: one pixel")
axes[0].add_patch(plt.Rectangle((7.5, 7.5), 8, 8, fill=False, color=colours.INK, linewidth=1.5))
show(
    figure,
    "An octopus with a block of 8 by 8 pixels marked, that block enlarged, "
    "and the colour that is its mean.",
)

# %% [markdown] id="shrink-formula"
# With blocks of $k \times k$ pixels, the small picture $s$ has in row $r$ and column $c$
#
# $$ s_{r,c} = \frac{1}{k^2} \sum_{i=0}^{k-1} \sum_{j=0}^{k-1} x_{rk+i,\; ck+j} $$
#
# for every colour by itself. All four letters count from 0, as Python does.
#
# **Saying it with einops.** Cutting an axis into pieces is what `einops` was made for. You write the axes you have, an
# arrow, and the axes you want. An axis in brackets is one that is made of two: `(rows dy)` is a height that consists of
# `rows` blocks of `dy` pixels each. There are two tools:
#
# - `rearrange` moves numbers about and loses none. It cuts an axis (brackets on the left), joins two (brackets on the
#   right), or changes their order, as in `draw` above, which puts the colours last;
# - `reduce` does the same and then does away with every axis that stands on the left only: by the mean, if you ask for
#   the mean.
#
# A small example, with a list of six numbers cut into pairs. How long a piece is stands at the end, `two=2`; how many
# pieces there are follows from it.

# %% id="einops-example"
six = torch.tensor([1.0, 3.0, 10.0, 20.0, 5.0, 7.0])
print(rearrange(six, "(pairs two) -> pairs two", two=2))
print(reduce(six, "(pairs two) -> pairs", "mean", two=2))

# %% [markdown] id="einops-words"
# Read the first of the two prints aloud: “one axis, made of pairs of two; make it two axes, the pairs and the two”.
# The second: “the same, and of the two keep the mean”. Three things to know:
#
# - **The names are yours.** `"(a b) -> a b"` with `b=2` does the same. What counts is where a name stands on either side.
# - **The order in the brackets counts.** `(pairs two)` means that neighbours make a pair, since the last name is the
#   quick one. `(two pairs)` would cut the list into two halves.
# - **Every axis is named**, on the left, also those that stay as they are. They are written again on the right.
#
# Here it is on a table of four rows and three columns, with an axis that stays. Work out on paper what the two lines
# print before you run them.

# %% id="einops-table"
table = torch.tensor([[1.0, 10.0, 0.0], [3.0, 20.0, 0.0], [5.0, 30.0, 4.0], [5.0, 50.0, 8.0]])
print(tuple(rearrange(table, "(rows dy) columns -> rows dy columns", dy=2).shape))
print(reduce(table, "(rows dy) columns -> rows columns", "mean", dy=2))

# %% [markdown] id="before-shrink"
# This averages up and down only. Your `shrink` does it left and right as well, and has two more axes that stay, the
# pictures of a batch and their channels. One line will do.

# %% id="shrink" tags=["exercise"] minutes=4 difficulty=2 teaches="averaging blocks; einops.reduce"
def shrink(images, factor):
    """Make pictures smaller by averaging.

    images: float tensor [batch, channels, height, width]; a channel is a colour, as above
    factor: int, how many times smaller; it divides height and width
    returns: float tensor [batch, channels, height / factor, width / factor],
        each pixel the mean of a factor × factor block
    """
    ### BEGIN SOLUTION
    blocks = "batch channels (rows dy) (columns dx) -> batch channels rows columns"
    return reduce(images, blocks, "mean", dy=factor, dx=factor)
    ### END SOLUTION


# %% id="check-shrink" tags=["check"]
shrink = check("shrink")

# %% [markdown] id="look-shrunk"
# Now squint. Read each row **from the right**, starting with 2 pixels, and stop where you know what it is.

# %% id="fig-shrunk" tags=["nbval-ignore-output"]
sizes = [32, 16, 8, 4, 2]
chosen = ["strawberry", "bus", "octopus", "guitar"]
figure, axes = plt.subplots(len(chosen), len(sizes), figsize=(6.4, 5.2))
for row, label in zip(axes, chosen, strict=True):
    one = pictures[everything.concept == numbers[label]][:1]
    for ax, size in zip(row, sizes, strict=True):
        small = torch.as_tensor(shrink(one, 32 // size))[0]
        draw(ax, small, f"{size} px" if label == chosen[0] else "")
show(
    figure,
    "A strawberry, a bus, an octopus and a guitar, from 32 pixels to 2, "
    "where four colours are left.",
)

# %% [markdown] id="question-shrink"
# **Question.** Why take the mean, and not simply keep every eighth pixel? That would be quicker.
#
# <details><summary>Answer</summary>
#
# One pixel of a block is a matter of luck. A thin line, a guitar's string say, is either hit or missed, and if the
# picture moves by one pixel it may come or go altogether. A mean has heard all 64 pixels and changes a little when they
# do. (Signal processing calls the bad luck *aliasing*.)
# </details>

# %% [markdown] id="alike"
# ## 3 · Which pictures are alike?
#
# Write all the numbers of a picture in one long row and you have a **vector**, an arrow in a space of 3,072 dimensions.
# Nobody can picture that space, and nobody has to: two arrows still make an angle. Pictures that are alike point nearly
# the same way.
#
# The cosine of that angle is handy. It is 1 for arrows that point the same way, 0 for arrows at right angles and −1 for
# opposite ones, and it does not care how long they are:
#
# $$ \cos(a, b) = \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert} \qquad
# a \cdot b = \sum_i a_i b_i \qquad \lVert a \rVert = \sqrt{\textstyle\sum_i a_i^2} $$
#
# We want it for many pairs at once: every row of a table `a` with every row of a table `b`. In torch `a @ b.T` is the
# table of all dot products, `.T` being the table turned on its side, so that its rows stand as columns. And
# `a.norm(dim=1)` holds the length of every row: `dim=1` says that the numbers of one vector lie along the second axis,
# the one that is counted as 1. With `keepdim=True` the lengths stand in a column, each beside its own row.

# %% id="cosine_similarity" tags=["exercise"] minutes=4 difficulty=2 teaches="dot products, norms, cosine similarity"
def cosine_similarity(a, b):
    """Compare every vector of one list with every vector of another.

    a: float tensor [n, dim], a vector in every row
    b: float tensor [m, dim]
    returns: float tensor [n, m], the cosine of the angle between row i of a and row j of b
    """
    ### BEGIN SOLUTION
    a = a / a.norm(dim=1, keepdim=True)
    b = b / b.norm(dim=1, keepdim=True)
    return a @ b.T
    ### END SOLUTION


# %% id="check-cosine_similarity" tags=["check"]
cosine_similarity = check("cosine_similarity")

# %% [markdown] id="ink"
# One thing before we look. Emoji stand on white paper, and white is (1, 1, 1): to the dot product a lot of paper is a
# lot of agreement. So we count **ink**, one minus the brightness. Paper is 0 and has no say.
#
# And one more. From here on we look at all of the pictures, more than nine thousand. A `shrink` with Python loops is as
# right as any other and would take many minutes over them, so the course's own, `tiny.shrink`, does this part. The
# first line below makes sure that it does what yours does.

# %% id="ink-vectors"
some = pictures[::1000]
yours = [torch.as_tensor(shrink(some, factor)).to(some) for factor in (4, 8)]
agree = torch.allclose(yours[0], tiny.shrink(some, 4), atol=1e-5)
agree &= torch.allclose(yours[1], tiny.shrink(some, 8), atol=1e-5)
print("the shrink that was checked above and the course's agree:", agree)

ink = 1 - pictures


def as_rows(inked, size):
    """Pictures of 32 pixels at that size, each as one row of numbers: [pictures, numbers]."""
    small = tiny.shrink(inked, 32 // size)
    return rearrange(small, "batch colours height width -> batch (colours height width)")


@cache
def vectors(size):
    """Every emoji at that size: tensor [pictures, 3 × size × size]."""
    return as_rows(ink, size)


for size in sizes:
    print(f"{size:2} px: {tuple(vectors(size).shape)}")

# %% id="fig-similarity" tags=["nbval-ignore-output"]
shown = [
    (everything.concept == numbers[label]).nonzero()[k, 0].item()
    for label in ("strawberry", "bus", "octopus")
    for k in (0, 2)
]
similarity = torch.as_tensor(cosine_similarity(vectors(32)[shown], vectors(32)[shown])).cpu()

figure, ax = plt.subplots(figsize=(4.6, 4))
drawing = ax.imshow(similarity, vmin=0.4, vmax=1)
for i in range(len(shown)):
    for j in range(len(shown)):
        colour = colours.INK if similarity[i, j] > 0.72 else "white"
        number = f"{similarity[i, j]:.2f}"
        ax.text(j, i, number, ha="center", va="center", fontsize=8, color=colour)
names = [f"{everything.labels[i]}, {styles[everything.style[i]]}" for i in shown]
ax.set_yticks(range(len(shown)), names)
ax.set_xticks(range(len(shown)), names, rotation=35, ha="right")
ax.grid(False)
figure.colorbar(drawing, label="cosine similarity, from 0.4", shrink=0.7)
show(
    figure,
    "Similarities of six emoji. Strawberries and buses pair up; "
    "the red octopus is nearer to a strawberry.",
)

# %% [markdown] id="question-cosine"
# Strawberries find each other, and so do buses. The octopuses do not: a red one is more like a strawberry than like a
# violet octopus. That is what “alike” means here, the same colours in the same places, and no more.
#
# **Question.** A pale drawing of a bus and a dark one point the same way, though one arrow is twice as long. What would
# go wrong with the plain dot product?
#
# <details><summary>Answer</summary>
#
# The dot product grows with the length, so the emoji with the most ink would look like everything's best friend: a
# black square is “more like” a strawberry than another strawberry is. Dividing by the lengths leaves the direction
# alone.
#
# And an emoji with no ink at all? It has length 0 and no direction, and 0/0 is not a number. There is none in our set.
# </details>

# %% [markdown] id="neighbour"
# ## 4 · Ask the nearest neighbour
#
# Here is the simplest classifier there is. Keep some emoji whose group you know, call them the *memory*. When a new one
# comes, find the one in the memory that is most like it, and answer with that one's group. Nothing is trained. It works
# as well as the idea of “alike” that it is given.
#
# With three queries and four memories the similarities are a table of three rows, and we want, in each row, the place
# of the largest number. `table.argmax(dim=1)` looks along the rows and returns places, counted from 0.

# %% id="nearest" tags=["exercise"] minutes=3 difficulty=2 teaches="nearest neighbour; argmax along an axis"
def nearest(queries, memory):
    """For every query, where in the memory is the vector most like it?

    queries: float tensor [n, dim]
    memory: float tensor [m, dim]
    returns: int tensor [n], for each query the row of the memory, counted from 0, that is most
        like it by cosine_similarity
    """
    ### BEGIN SOLUTION
    return cosine_similarity(queries, memory).argmax(dim=1)
    ### END SOLUTION


# %% id="check-nearest" tags=["check"]
nearest = check("nearest")

# %% [markdown] id="fair-split"
# **A fair test.** Some emoji have to be kept out of the memory, to be asked about. Which? Think of the octopus: if one
# of its seven drawings is asked and the other six are in the memory, the classifier need only recognise the octopus. So
# we draw lots by *concept*: all drawings of a thing are in the memory, or none.

# %% id="split"
concept, group = everything.concept.to(lab.device), everything.group.to(lab.device)


def by_lot(n, seed):
    """The numbers from 0 to n - 1 in an order drawn by lot."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(seed))


def held_out(labels, seed=0):
    """True for the emoji to be asked about: a quarter of the labels, each with all its emoji."""
    kinds = labels.unique().cpu()
    quarter = kinds[by_lot(len(kinds), seed)[: len(kinds) // 4]]
    return torch.isin(labels, quarter.to(labels.device))


asked = held_out(concept)
print(f"{int(asked.sum()):,} emoji are asked about, {int((~asked).sum()):,} are in the memory")
in_both = set(concept[asked].tolist()) & set(concept[~asked].tolist())
print("concepts that are in both:", len(in_both))

# %% [markdown] id="before-neighbours"
# Nine of those that are asked about, drawn by lot, and what your `nearest` finds for them in every eighth emoji of the
# memory, seen at 8 pixels.

# %% id="fig-neighbours" tags=["nbval-ignore-output"]
at8 = vectors(8)
queries = asked.nonzero().flatten()[by_lot(int(asked.sum()), seed=3)[:9]]
part = (~asked).nonzero().flatten()[::8]
places = part[torch.as_tensor(nearest(at8[queries], at8[part])).to(part)]

figure, axes = plt.subplots(2, len(queries), figsize=(9, 2.6))
for column, (i, j) in enumerate(zip(queries.tolist(), places.tolist(), strict=True)):
    draw(axes[0, column], pictures[i])
    draw(axes[1, column], pictures[j])
    mark, colour = ("✓", colours.GREEN) if group[i] == group[j] else ("✗", colours.VERMILION)
    axes[1, column].set_xlabel(mark, color=colour, fontsize=13)
axes[0, 0].set_ylabel("asked")
axes[1, 0].set_ylabel("found")
show(
    figure,
    "Nine emoji, each above its nearest neighbour. They share shape or colour, "
    "and not always the group.",
)

# %% [markdown] id="measure"
# Now for all of them. There are millions of pairs, and with Python loops they would take hours, so here too the
# course's version does the work, `tiny.nearest`. Again the first line makes sure that yours says the same.
#
# To see what a fair split is worth, we also try two others: drawing lots by picture, as if drawings had nothing to do
# with each other, and drawing by *subgroup*, where all fruit or all clocks go together.

# %% id="leak"
few, others = vectors(4)[asked][:20], vectors(4)[~asked][:50]
same = torch.as_tensor(nearest(few, others)).tolist() == tiny.nearest(few, others).tolist()
print("the nearest that was checked above and the course's agree:", same)


def accuracy(rows, asked, labels=group):
    """How many of 100 emoji asked about have a nearest neighbour with their own label."""
    found = tiny.nearest(rows[asked], rows[~asked])
    return 100 * (labels[~asked][found] == labels[asked]).float().mean().item()


families = sorted({thing.subgroup for thing in things})
family = torch.tensor([families.index(thing.subgroup) for thing in things])
splits = [torch.arange(len(group), device=lab.device), concept, family.to(lab.device)[concept]]
by_picture, by_concept, by_subgroup = (
    sum(accuracy(vectors(16), held_out(labels, seed)) for seed in range(3)) / 3
    for labels in track(splits, "three ways to split")
)
always_the_largest = 100 * group.bincount().max().item() / len(group)
print(f"lots drawn by picture:          ⟨{by_picture:.0f} %⟩ right")
print(f"lots drawn by concept:          ⟨{by_concept:.0f} %⟩")
print(f"lots drawn by subgroup:         ⟨{by_subgroup:.0f} %⟩")
print(f"always saying the largest group: ⟨{always_the_largest:.0f} %⟩")

shuffled = group[by_lot(len(group), seed=0).to(lab.device)]
claim(
    "a neighbour says more than always saying the largest group",
    by_concept,
    above=always_the_largest,
    unit="%",
    control={"every emoji given another's group": accuracy(vectors(16), asked, shuffled)},
)

# %% [markdown] id="question-leak"
# The claim comes with its **control**: the same measurement where it must fail. With the groups dealt out at random, a
# neighbour's group says nothing, and the classifier does worse than a stopped clock. If it had done well there, too, the
# first number would mean nothing.
#
# **Question.** Same pictures, same classifier, three very different marks. Which is the right one?
#
# <details><summary>Answer</summary>
#
# It depends on what you want to know. If the classifier will meet new drawings of things it has seen, the first. If it
# will meet new things of familiar kinds, the second, and that is what this lab asks. If it will meet kinds it never
# saw, the third.
#
# What is never right is to measure the first and report it as the second. It is done all the same, mostly without
# meaning to: S. Kapoor and A. Narayanan found such leaks in the literature of 17 fields of science (*Patterns*, 2023).
# </details>

# %% [markdown] id="how-much"
# ## 5 · How much to squint
#
# What does an answer cost? The work is in the dot products. One multiplication and one addition, a *multiply-add*, for
# each number of the picture and each picture in the memory:
#
# $$ \text{cost} = \text{pictures in the memory} \times 3 \times \text{size}^2 $$
#
# Half the size is a quarter of the cost. We leave out what is small beside it: averaging the new picture (about 3,000
# additions), its length, and finding the largest of the similarities.

# %% id="cost"
memory_size = int((~asked).sum())
cost = {size: memory_size * 3 * size**2 for size in sizes}
at_32 = accuracy(vectors(32), asked)
millions = f"{cost[32] / 1e6:.1f}"
print(f"at 32 pixels ⟨{at_32:.0f}⟩ of 100 are right,")
print(f"for ⟨{millions}⟩ million multiply-adds an answer")
shares = ", ".join(f"{size} px 1/{cost[32] // cost[size]}" for size in sizes[1:])
print("the cost of an answer, as a share of that:", shares)

# %% [markdown] id="before-guess"
# Before you see the outcome, commit yourself. You will remember it better, whether you were right or wrong. A guess
# costs nothing, and the cells below run without one.

# %% id="predict-8" tags=["nbval-ignore-output"]
question = f"At 32 pixels {at_32:.0f} of 100 are right. How many at 8, for a sixteenth of the cost?"
guess_8 = predict(question, low=0, high=100)

# %% id="predict-2" tags=["nbval-ignore-output"]
question = "And how many at 2 pixels, when four colours are all that is left?"
guess_2 = predict(question, low=0, high=100)

# %% [markdown] id="before-curve"
# One draw of lots can be lucky. We draw three times and look at the mean, and at how far apart the three are.

# %% id="curve"
score = {
    size: [accuracy(vectors(size), held_out(concept, seed)) for seed in range(3)]
    for size in track(sizes, "five sizes")
}
right = {size: sum(score[size]) / 3 for size in sizes}

print("size    right (three draws)          million multiply-adds")
for size in sizes:
    draws = ", ".join(f"{s:.1f}" for s in score[size])
    print(f"{size:2} px   ⟨{right[size]:.1f} %  ({draws})⟩   ⟨{cost[size] / 1e6:6.2f}⟩")

# %% [markdown] id="find-the-bend"
# Where does the curve bend? Say it so that a machine can find it: of all sizes that are **good enough**, the
# **cheapest**. Good enough is what keeps at least a certain share, 95 % here, of the best accuracy that any size
# reaches. The best need not be at 32 pixels, and the cheapest is known by its cost.
#
# `right` and `cost` are dictionaries: `right[8]` is the accuracy at 8 pixels, and `max(right.values())` the best of all.
# The last line is there already. It picks from the list `good` the size whose cost is smallest: `min` compares by `key`,
# and `lambda size: cost[size]` is a function without a name, “for a size its cost”. The two lines above are yours.

# %% id="bend" tags=["exercise"] minutes=4 difficulty=2 teaches="good enough, and then the cheapest: a rule for how much to squint"
def bend(right, cost, share=0.95):
    """The cheapest size that is good enough.

    right: {size: how many of 100 are right}
    cost: {size: multiply-adds for an answer}, of the same sizes
    share: how much of the best accuracy is enough
    returns: among the sizes that are right at least share times as often as the best one, the size
        that costs least
    """
    ### BEGIN SOLUTION
    enough = share * max(right.values())
    good = [size for size in right if right[size] >= enough]
    return min(good, key=lambda size: cost[size])
    ### STUB
    # enough = ...
    # good = [size for size in right if right[size] >= ...]
    # return min(good, key=lambda size: cost[size])
    ### END SOLUTION


# %% id="check-bend" tags=["check"]
bend = check("bend")

# %% id="fig-bend" tags=["nbval-ignore-output"]
price, at = [cost[size] for size in sizes], bend(right, cost)
mean = [right[size] for size in sizes]
figure, (strip, ax) = plt.subplots(2, height_ratios=[1, 4.2], sharex=True, figsize=(7.2, 4.8))
strawberry = pictures[everything.concept == numbers["strawberry"]][:1]
strip.axis("off")
for size in sizes:
    place = (cost[size] / 1.4, 0, 0.69 * cost[size], 1)
    draw(
        strip.inset_axes(place, transform=strip.transData),
        tiny.shrink(strawberry, 32 // size)[0],
        f"   {size} px",
    )
for level, words in (
    (0.95 * max(right.values()), "95 % of the best"),
    (always_the_largest, "always saying the largest group"),
):
    ax.axhline(level, color=colours.GREY, linestyle=":", linewidth=1.4)
    ax.text(cost[32], level - 4, words, color=colours.GREY, fontsize=9, ha="right")
low, high = [min(score[size]) for size in sizes], [max(score[size]) for size in sizes]
ax.fill_between(price, low, high, color=colours.BLUE, alpha=0.15, label="worst to best draw")
ax.plot(price, mean, "o-", color=colours.BLUE, label="mean of three draws")
ring = {"markersize": 15, "fillstyle": "none", "markeredgewidth": 2, "linestyle": "none"}
ax.plot(cost[at], right[at], marker="o", color=colours.VERMILION, label="the bend", **ring)
for size, guess, label in ((8, guess_8, "your guesses"), (2, guess_2, None)):
    if guess.value is not None:
        ax.plot(cost[size], guess.value, marker="D", color=colours.PINK, label=label, **ring)
ax.set(xscale="log", xlabel="cost of an answer, multiply-adds", ylabel="right, %")
ax.set_ylim(0, max(70, ax.get_ylim()[1]))
figure.legend(loc="outside lower center", ncols=4)
show(
    figure,
    "Accuracy against cost on a log axis: flat from 32 to 8 pixels, a little lower at 4, far lower "
    "at 2. A ring marks the bend, at 4 pixels.",
)

# %% [markdown] id="question-bend"
# Read it from the right. The line is flat: you throw away three quarters of the numbers and nothing happens, three
# quarters of the rest and still nothing. At 4 pixels the first few answers are lost. That is the bend, the cheapest size
# that keeps 95 % of the best, and behind it every pixel counts.
#
# **Question.** The smaller picture has *less* in it. Why is it, down to 8 pixels, as good as the large one?
#
# <details><summary>Answer</summary>
#
# Perhaps what was thrown away was mostly in the way. At 32 pixels two strawberries have to agree on where exactly every
# seed and outline lies, and they do not; a line that is off by one pixel counts as a difference. At 8 pixels it falls
# into the same block, and what is left to compare is what strawberries share.
# </details>

# %% [markdown] id="before-shift"
# That is an explanation, and explanations are cheap. A good one predicts something that can be tested. If 32 pixels lose
# by small misfits what they gain by detail, then a little more misfit must hurt them more than it hurts 8 pixels.
#
# So we make misfit on purpose. Every emoji that is *asked about* is moved to the right and down, by 1, 2 or 3 of the 32
# pixels; the memory stays as it is. You would still name every one of them. What do you expect at 2 pixels?

# %% id="predict-shift" tags=["nbval-ignore-output"]
guess_shift = predict(
    "All that are asked about are moved by 2 pixels. Which size loses more right answers?",
    choices=["32 px lose more than 8 px", "8 px lose more than 32 px", "both lose about as many"],
)

# %% id="shift"
def moved(inked, by):
    """Pictures moved by so many pixels to the right and down; what comes in is without ink."""
    there = torch.zeros_like(inked)
    there[..., by:, by:] = inked[..., : 32 - by, : 32 - by]
    return there


def accuracy_moved(size, by, memory_by=0):
    """The accuracy at a size if all that are asked about are moved, and the memory if we say so."""
    rows = as_rows(moved(ink, memory_by), size)
    rows[asked] = as_rows(moved(ink[asked], by), size)
    return accuracy(rows, asked)


moves = [0, 1, 2, 3]
after = {by: {size: accuracy_moved(size, by) for size in sizes} for by in track(moves, "moving")}
lost_at_2 = {size: after[0][size] - after[2][size] for size in sizes}
both_moved = {size: after[0][size] - accuracy_moved(size, by=2, memory_by=2) for size in (32, 8)}

print("moved      " + "      ".join(f"{size:2} px" for size in sizes))
for by in moves:
    print(f"by {by} px   " + "   ".join(f"⟨{after[by][size]:4.1f} %⟩" for size in sizes))
print("lost where the memory is moved as well, both by 2 px: ", end="")
print(f"⟨{both_moved[32]:.1f}⟩ of 100 at 32 px, ⟨{both_moved[8]:.1f}⟩ at 8 px")
claim(
    "moved by 2 pixels, 32 px lose more right answers than 8 px do: the difference",
    lost_at_2[32] - lost_at_2[8],
    above=3,
    unit="points",
    control={"the memory moved as well": both_moved[32] - both_moved[8]},
)

# %% id="fig-shift" tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7.2, 3.4))
shades = (colours.VERMILION, colours.ORANGE, colours.BLUE, colours.GREEN, colours.PINK)
for size, colour in zip(sizes, shades, strict=True):
    lost = [after[0][size] - after[by][size] for by in moves]
    ax.plot(moves, lost, "o-", color=colour, label=f"{size} px")
ax.set(xlabel="moved to the right and down, pixels of 32", ylabel="right answers lost, of 100")
ax.set_xticks(moves)
outcome = f"moved by 2, 32 px lose {lost_at_2[32]:.0f} and 8 px {lost_at_2[8]:.0f}"
guessed = f" · you guessed: {guess_shift.value}" if guess_shift.value else ""
ax.set_title(outcome + guessed, fontsize=10)
ax.legend()
show(
    figure,
    "Right answers lost against how far the pictures were moved, a line for each size. "
    "By 2 pixels, 32 px lose most, 16 px less, 8 and 4 px least; 2 px lie between, and by 3 px "
    "lose least.",
)

# %% [markdown] id="after-shift"
# There it is. The sharper the picture, the more it suffers from a misfit that nobody would notice; and if the memory is
# moved along, so that nothing is out of place, hardly anything is lost or won. Drawings by different hands never lie
# quite alike. So at 32 pixels the detail that could help is paid for by the misfit that hurts, and the two about
# cancel. Averaging forgives the misfit, and loses the detail.
#
# The rule ends where the blocks get coarse. 4 pixels lose about as much as 8. 2 pixels lose more than these when moved
# by 1 or 2, by 1 even more than any other size: with four colours in all there is little left that could outvote a
# change in one of them. Moved by 3 they lose least, having least to lose.
#
# A good abstraction does not only save work. It drops the differences that do not matter.

# %% [markdown] id="other-question"
# ## 6 · It depends on what you ask
#
# Is the bend a property of the pictures? Ask them something else and see. So far the question was *what kind of thing
# is it*, with eight answers. Now: *which thing is it exactly*, with all concepts as answers. The memory holds six
# styles, and we ask about the seventh. The same octopus is in there, as others drew it.
#
# About which seventh? *fluent-emoji* would be no test: *fluent-emoji-flat* shows the same drawings without their shading,
# and such a twin in the memory gives the answer away. (The cell measures that, too.) *noto-v1* is the set that *noto*
# came to replace, and *fxemoji* has the fewest pictures, as you saw at the beginning. That leaves one set each of three
# teams, `noto`, `twemoji` and `emojitwo`. We ask about each of them in turn and take the mean of the three.

# %% id="naming"
teams = ["noto", "twemoji", "emojitwo"]
style = everything.style.to(lab.device)


def naming(size, team, labels=concept):
    """How many of 100 emoji of one style have a nearest neighbour that shows the same thing."""
    return accuracy(vectors(size), style == styles.index(team), labels)


named = {
    size: sum(naming(size, team) for team in teams) / len(teams)
    for size in track(sizes, "five sizes")
}
kept = {size: 100 * right[size] / max(right.values()) for size in sizes}
kept_naming = {size: 100 * named[size] / max(named.values()) for size in sizes}
print("size    its kind   share of the best    its name   share of the best")
for size in sizes:
    kind = f"{right[size]:6.1f} %   {kept[size]:14.0f} %"
    name = f"{named[size]:10.1f} %   {kept_naming[size]:14.0f} %"
    print(f"{size:2} px   ⟨{kind}⟩   ⟨{name}⟩")
print(f"the bend: ⟨{bend(right, cost)}⟩ px for the kind, ⟨{bend(named, cost)}⟩ px for the name")
print(f"fluent-emoji, its twin in the memory, at 8 px: ⟨{naming(8, 'fluent-emoji'):.0f} %⟩ named")

# %% id="fig-naming" tags=["nbval-ignore-output"]
figure, ax = plt.subplots(figsize=(7.2, 3.4))
for share, words, colour in (
    (kept, "what kind of thing? (8 answers)", colours.BLUE),
    (kept_naming, f"which thing? ({len(things):,} answers)", colours.VERMILION),
):
    ax.plot(sizes, [share[size] for size in sizes], "o-", color=colour, label=words)
ax.axhline(95, color=colours.GREY, linestyle=":", linewidth=1.4)
ax.text(2, 96, "95 % of the best", color=colours.GREY, fontsize=9)
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [f"{size} px" for size in sizes])
ax.set(ylabel="share of the best accuracy, %", ylim=(0, 106))
ax.legend(loc="lower right")
show(
    figure,
    "Share of the best accuracy kept at each size. "
    "From 8 pixels down, that of the exact thing falls sooner than that of its kind. "
    "It falls the other way as well, at 32 pixels, where its kind is as clear as ever.",
)

# %% [markdown] id="question-naming"
# Both ends of the bargain are in this picture. Too crude: at 4 pixels the kind is nearly as clear as ever and the name
# has slipped; at 2, of every three names that could be found two are lost. So the bend has moved: it belongs to the
# question as much as to the pictures. Too exact: at 32 pixels the name is found
# *less* often than at 8, for sixteen times the work. What one team's strawberry shares with another's is mostly coarse.
#
# **Question.** You are to build a system that answers both kinds of question. How much should it squint?
#
# <details><summary>Answer</summary>
#
# As little as its hardest question asks for, or, better, not once and for all. Eyes do it this way: a coarse look over
# everything, a sharp one at the small part that matters now. Much of this course is about machines that learn what to
# keep. *Embeddings*, in the next lab, are what is left of a word when a machine has squinted at it for us; *attention*,
# in the one after, chooses anew for every question where to look.
# </details>

# %% [markdown] id="claims"
# ## What was measured
#
# Every lab ends by holding its numbers against what was claimed at the top. A ✗ here would not be your fault, and we
# would want to know.

# %% id="claims-size"
cheap = [size for size in sizes if cost[size] <= cost[32] / 4]
most = max(kept[size] for size in cheap)
corner = rearrange(ink[..., :8, :8], "batch colours height width -> batch (colours height width)")
in_a_corner = sum(accuracy(corner, held_out(concept, seed)) for seed in range(3)) / 3
other_names = concept[by_lot(len(concept), seed=0).to(lab.device)]
claim(
    "some size below 32 px keeps 95 % of the best accuracy at a quarter of the cost",
    most,
    at_least=95,
    unit="%",
    control={"2 px": kept[2]},
)
claim(
    "8 px keep 95 % of it at a sixteenth of the cost",
    kept[8],
    at_least=95,
    unit="%",
    control={"8 × 8 pixels cut from a corner": 100 * in_a_corner / max(right.values())},
)
claim("2 px do not keep 95 %", kept[2], below=95, unit="%", control={"4 px": kept[4]})
claim(
    "4 px keep less of the exact name than of the kind",
    kept_naming[4],
    below=kept[4],
    unit="%",
    control={"8 px": kept_naming[8]},
)
claim(
    "too exact is worse, too: 8 px find more names than 32 px",
    named[8],
    above=named[32],
    unit="%",
    control={"names dealt out at random": naming(8, "noto", other_names)},
)

# %% [markdown] id="honest"
# **What does not carry over.** Emoji are drawn to be read at the size of a letter: simple, coloured, in the middle of
# the frame. Photographs need more. People name the scene in a colour photograph at 32 × 32 pixels nearly as well as at
# full size, and much below that they do not (Torralba, Fergus and Freeman 2008). Our classifier is a plain one, too. It
# compares pixel with pixel; a trained network that finds an edge wherever it lies could make more of a sharp picture.
# And the split by concept is fair but not strict: *man cook* may be asked while *woman cook* is in the memory.
#
# **Three questions** to put to any paper, and the answers for this one:
#
# - *What is actually new?* Nothing but the measurement on these pictures.
# - *What is not?* Nearest neighbours are from the 1950s, their theory from 1967 (Cover and Hart). That tiny pictures go
#   a long way was shown on 80 million photographs in 2008.
# - *When does it fail?* When the answer hangs on something small: 4 pixels tell a kind nearly as well as 32, and a name
#   much less often than 8. And when what is asked about is of a family that the memory has never seen.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## Going further
#
# **Colour or shape?** A red blob, it said at the top. Is it colour, then, that makes so few pixels enough? Make the
# pictures grey and measure the curve again. But guess first: where does the loss of colour hurt more, at 32 pixels or
# at 2? Write it in a cell of your own, if you like; the next one is one way.

# %% id="grey"
grey = reduce(ink, "batch colours height width -> batch 1 height width", "mean")
in_grey = {}
for size in track(sizes, "five sizes"):
    greys = as_rows(grey, size)
    in_grey[size] = sum(accuracy(greys, held_out(concept, seed)) for seed in range(3)) / 3
for size in sizes:
    print(f"{size:2} px   in colour ⟨{right[size]:.1f} %⟩   in grey ⟨{in_grey[size]:.1f} %⟩")
without_colour = {size: right[size] - in_grey[size] for size in sizes}
claim(
    "without colour 2 px lose more than 32 px do",
    without_colour[2],
    above=without_colour[32],
    unit="points",
    control={"8 px": without_colour[8]},
)

# %% [markdown] id="answer-grey"
# <details><summary>What it says</summary>
#
# At 32 pixels colour is worth about 3 emoji in 100: the shape says nearly all that can be said. At 2 pixels there is no
# shape left, and without colour the 45 that were right become 28. The fewer the pixels, the more each one has to say.
#
# Nor is grey a bargain, though it costs a third. Grey pictures of 8 pixels, 64 numbers each, are right as often as
# coloured ones of 4 pixels, which are 48. Colour is an abstraction too, and a good one.
# </details>

# %% [markdown] id="reading"
# **Reading.** A. Torralba, R. Fergus and W. T. Freeman, “80 million tiny images”, *IEEE Transactions on Pattern
# Analysis and Machine Intelligence*, 2008: how much can be done with 32 × 32 pixels and nearest neighbours, if there
# are enough of them. T. Cover and P. Hart, “Nearest neighbor pattern classification”, *IEEE Transactions on Information
# Theory*, 1967: with a memory without end, one neighbour is wrong at most twice as often as the best possible
# classifier.

# ---
# squint:
#   lab: "07b"
#   title: What CLIP sees
#   minutes: 115
#   promise: Ask the shipped CLIP for what it never saw, search pictures by a phrase, hold names against labels, count how far one falls under another artist's hand, and find out what it does not see at all.
#   prerequisites: ["07_clip"]
#   objectives:
#     - search pictures by phrases in one matrix product
#     - fit a linear probe, and say how many labels a name is worth
#     - tell how far a model falls when the pictures change, and what keeps it up
#     - build a test in which a bag of words has no chance
#     - measure what vectors took over from those who wrote and drew
#   claim: A model that learned pictures from raw text can be asked for anything that has a name, and falls less than one that learned from labels when the pictures change.
#   source: Radford et al. 2021, “Learning Transferable Visual Models From Natural Language Supervision” (CLIP), §3 and §6; Thrush et al. 2022, “Winoground”
# ---

# %% [markdown] id="title"
# # What CLIP sees
#
# *Ask the shipped CLIP for what it never saw, search pictures by a phrase, hold names against labels, count how far one falls under another artist's hand, and find out what it does not see at all.*
#
# 115 minutes · after [lab 07, CLIP](07_clip.ipynb) · two CPU cores are enough
#
# **When you are through, you can**
#
# - search pictures by phrases in one matrix product;
# - fit a linear probe, and say how many labels a name is worth;
# - tell how far a model falls when the pictures change, and what keeps it up;
# - build a test in which a bag of words has no chance;
# - measure what vectors took over from those who wrote and drew.
#
# **The claim under test.** A model that learned pictures from raw text can be asked for anything that has a name, and falls less than one that learned from labels when the pictures change (Radford et al. 2021; below, *the paper*).

# %% id="setup" tags=["setup"]
lab = begin("07b_seeing")

# %% id="imports"
import base64
import io
import time
from collections import Counter
from itertools import combinations

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from einops import rearrange
from IPython.display import HTML, display
from PIL import Image
from torch import nn

from squint import train
from squint.data import album, augment, emoji, stamps
from squint.models import clip, word2vec
from squint.viz import colours
from squint.viz.blind import interval

# %% [markdown] id="recall"
# ## Before we start
#
# Three questions on earlier labs. Answer aloud, then unfold.
#
# **1.** In lab 07 a classifier came out of nothing but names. How?
#
# <details><summary>Answer</summary>
#
# Each name becomes a vector, by the text tower. A picture becomes a vector, by the picture tower. The name whose vector has the largest cosine with the picture's is the answer. No picture was ever sorted into a class.
# </details>
#
# **2.** What does the contrastive loss compare with what?
#
# <details><summary>Answer</summary>
#
# Pictures with captions, and captions with pictures. Never a picture with a picture, nor a caption with a caption. That will matter in section 2.
# </details>
#
# **3.** Lab 01 measured which way words lean, between *man* and *woman* say. With what control?
#
# <details><summary>Answer</summary>
#
# By permutation: the targets are dealt into two sets at random, many times. The share of such deals that lean at least as far is the p-value.
# </details>

# %% [markdown] id="unseen-idea"
# ## 1 · What it never saw
#
# The CLIP that the course ships learned from six artists' emoji with their names and tags. (They are six sets by four teams; here each set counts as an artist.) Two things were kept from it: all pictures of a seventh set, *EmojiTwo*, and 150 concepts, in any style. (And 60 concepts more, to choose settings by.) So there are three exams: known things by an unknown hand, unknown things by known hands, and both at once.
#
# First, a vector for each picture and each name. This is done once, and most of what follows works on these vectors.

# %% id="embed"
pictures = album.on(lab.device)
model, card = clip.pretrained()
model = model.to(lab.device)
CHUNK = 64  # pictures at a time: they stay in a processor's cache


@torch.no_grad()
def see(shown, what="looking at pictures"):
    """Vectors of length one for pictures on white, [n, 3, 32, 32]."""
    parts = shown.split(CHUNK)
    if len(parts) > 20:
        parts = track(parts, what)
    return torch.cat([model.embed_pictures(part) for part in parts])


@torch.no_grad()
def read(captions):
    """Vectors of length one for captions."""
    return model.embed_captions(captions)


begun = time.perf_counter()
everything = torch.arange(len(pictures.concept), device=lab.device)
vectors = torch.cat([see(pictures.plain(part)) for part in
                     track(everything.split(CHUNK), "looking at all emoji")])
seconds_to_look = time.perf_counter() - begun
names = read(pictures.names)
UNSEEN = pictures.styles.index(album.UNSEEN_STYLE)
print("vectors of pictures", tuple(vectors.shape), " of names", tuple(names.shape))

# %% id="guess-unseen" tags=["nbval-ignore-output"]
guess_unseen = predict("Pictures by an artist it never saw, 1,640 names to choose from. How many "
                       "percent get their own name?", low=0, high=100, unit="%")

# %% id="unseen"
held_out = pictures.held_out.to(lab.device)
both_new = pictures.purpose["test_style_all"]
both_new = both_new[torch.isin(pictures.concept[both_new], held_out)]
everyone = torch.arange(len(names), device=lab.device)


def named(places, among):
    """Whether each picture's own name is nearest among these concepts' names; a tie is wrong."""
    truth = torch.searchsorted(among, pictures.concept[places])
    return clip.rank_of_truth(vectors[places], names[among], truth) == 0


def dealt(places, among):
    """The same if the names are dealt out at random: the control."""
    truth = torch.searchsorted(among, pictures.concept[places])
    order = torch.randperm(len(among), generator=torch.Generator().manual_seed(0)).to(lab.device)
    return clip.rank_of_truth(vectors[places], names[among[order]], truth) == 0


EXAMS = {
    "style never seen": (pictures.purpose["test_style"], everyone),
    "concepts never seen": (pictures.purpose["test_concepts"], held_out),
    "neither seen": (both_new, held_out),
}
exam = {}
for which, (places, among) in EXAMS.items():
    hits, dealt_hits = named(places, among), dealt(places, among)
    exam[which] = 100 * hits.float().mean().item(), 100 * dealt_hits.float().mean().item()
    print(f"{which:20} {len(places):5,} pictures, {len(among):5,} names: ⟨{exam[which][0]:.1f} %⟩ "
          f"right, names dealt at random ⟨{exam[which][1]:.1f} %⟩")
low, high = (100 * end for end in interval(int(named(*EXAMS["style never seen"]).sum()),
                                           len(EXAMS["style never seen"][0])))
print(f"style never seen, interval: ⟨{low:.1f}⟩ to ⟨{high:.1f} %⟩")
claim("style never seen: right among 1,640 names", exam["style never seen"][0], at_least=40,
      unit="%", control={"names dealt at random": exam["style never seen"][1]},
      paper="Radford et al. 2021, table 1: 76.2 % of ImageNet, 1,000 names")
claim("concepts never seen: right among 150 names", exam["concepts never seen"][0], at_least=30,
      unit="%", control={"names dealt at random": exam["concepts never seen"][1]})

# %% id="fig-unseen" tags=["nbval-ignore-output"]
def draw(panel, shown, title="", colour=colours.INK, size=7):
    """One picture, [3, height, width]."""
    panel.imshow(rearrange(shown.cpu(), "rgb h w -> h w rgb").clamp(0, 1))
    panel.set_title(title, fontsize=size, color=colour, loc="center")
    panel.set(xticks=[], yticks=[])
    panel.spines[:].set_visible(False)


def fold(name, width=16):
    """A name in at most two lines."""
    if len(name) <= width:
        return name
    cut = name.rfind(" ", 0, width + 1)
    cut = cut if cut > 0 else width
    rest = name[cut:].strip()
    return name[:cut] + "\n" + (rest if len(rest) <= width else rest[: width - 1] + "…")


places, among = EXAMS["neither seen"]
said = among[(vectors[places] @ names[among].T).argmax(dim=1)]
hits = said == pictures.concept[places]
shown_right, shown_wrong = places[hits][:9], places[~hits][:9]
figure, panels = plt.subplots(2, 9, figsize=(9.6, 3.3))
for row, some, hue in zip(panels, (shown_right, shown_wrong), (colours.BLUE, colours.VERMILION)):
    for panel, at in zip(row, some.tolist()):
        answer = pictures.names[said[places == at].item()]
        draw(panel, pictures.plain(torch.tensor([at], device=lab.device))[0], fold(answer), hue)
        truth_below = pictures.names[pictures.concept[at]]
        if answer != truth_below:
            panel.set_xlabel(fold(truth_below), fontsize=7, color=colours.GREY)
figure.suptitle("Neither the thing nor the hand was ever seen; above, right; below, wrong",
                x=0.01, ha="left", fontsize=11)
if guess_unseen.value is not None:
    figure.supxlabel(f"style never seen: {exam['style never seen'][0]:.0f} %, your guess "
                     f"{guess_unseen.value:.0f} %", fontsize=9)
show(figure, alt="Two rows of nine emoji. Above each picture stands the name that the model gave. "
     "In the upper row all names are right; in the lower row all are wrong, some by a near miss "
     "and some by a guess that has nothing to do with the picture.")

# %% [markdown] id="unseen-read"
# Nearly half of the known things are named right when an unknown team drew them, among 1,640 names, many of which differ by a word. Things it never saw come out far better than chance, and far worse than things it knows. Look at the lower row: many misses are neighbours of the truth, and some are wild. For a concept that was never shown, two guesses have to meet: the text tower's, from GloVe's vector of a word that no caption had, and the picture tower's, from parts it has seen elsewhere.
#
# **Question.** Six artists drew the 150 new concepts. Why is the number of pictures, 777, no good measure of how sure the second figure is?
#
# <details><summary>Answer</summary>
#
# Because pictures of one concept succeed and fail together: its name is either understood or not. There are 150 concepts, and so about as many independent trials. (An interval for the first figure may take pictures one by one, since EmojiTwo drew each concept once.)
# </details>
#
# ## 2 · A phrase finds pictures
#
# Zero-shot classification asks which name is nearest to a picture. Turn it round: which pictures are nearest to a phrase? The pictures' vectors are there already. So a search costs one pass of the text tower and one matrix product, however long it took to look at the pictures.
#
# You have written it already: lab 07's `zero_shot`, with phrases in the place of pictures, and pictures in the place of names.

# %% id="search"
def search(picture_vectors, phrase_vectors, k):
    """Places of the k pictures nearest to each phrase by cosine, nearest first: [phrases, k]."""
    cosines = F.normalize(phrase_vectors, dim=-1) @ F.normalize(picture_vectors, dim=-1).T
    return cosines.topk(k, dim=-1).indices

# %% id="find"
shelf = pictures.purpose["test_style_all"]  # all of EmojiTwo: none was seen in training


def find(phrases, k=6):
    """Places of the unseen style's pictures for each phrase, [phrases, k]."""
    return shelf[search(vectors[shelf], read(phrases), k)]


takes = []
for _ in range(budget(cpu=50, gpu=50, smoke=3)):
    begun = time.perf_counter()
    find(["something sweet to eat"]).cpu()
    takes.append(1_000 * (time.perf_counter() - begun))
# The fastest of them: what else this machine does can only slow it down.
print(f"{len(shelf):,} pictures, one phrase: ⟨{min(takes):.2f} ms⟩")
claim("a search, the fastest of fifty", min(takes), below=10, unit="ms",
      control={"to look at all emoji first": 1_000 * seconds_to_look})

# %% [markdown] id="find-text"
# Is it any good? People gave each emoji tags. (Such tags stood in its captions, too.) (Such tags stood in its captions, too.) Take every tag that six or more of these pictures carry as a phrase, and see how many of the six nearest pictures carry it. The control deals the phrases' vectors out at random.

# %% id="find-tags"
carried = Counter(tag for at in shelf.tolist() for tag in set(pictures.tags[pictures.concept[at]]))
queries = sorted(tag for tag, count in carried.items() if count >= 6)
has_tag = torch.tensor([[tag in pictures.tags[pictures.concept[at]] for tag in queries]
                        for at in shelf.tolist()])  # [pictures, tags]
top = search(vectors[shelf], read(queries), 6).cpu()
each_tag = torch.arange(len(queries))[:, None]
carry = 100 * has_tag[top, each_tag].float().mean().item()
dealt_tags = each_tag[torch.randperm(len(queries), generator=torch.Generator().manual_seed(0))]
print(f"{len(queries)} tags")
claim("of the six pictures found for a tag, those that carry it", carry, above=30, unit="%",
      control={"tags dealt at random": 100 * has_tag[top, dealt_tags].float().mean().item()})

# %% [markdown] id="widget-text"
# Type something. (Below the box stand the six nearest pictures, by the hand that the model never saw. A version on paper follows.)

# %% id="play-search" tags=["nbval-ignore-output"]
def as_image(at):
    """A picture as an HTML image."""
    rgb = rearrange(pictures.plain(torch.tensor([at], device=lab.device), 64)[0], "c h w -> h w c")
    file = io.BytesIO()
    Image.fromarray((255 * rgb.clamp(0, 1)).byte().cpu().numpy()).save(file, "PNG")
    label = pictures.names[pictures.concept[at]]
    return (f'<figure style="display:inline-block;width:7em;margin:.3em;text-align:center;'
            f'vertical-align:top;font-size:.8em"><img alt="{label}" width="64" src="data:image/png;'
            f'base64,{base64.b64encode(file.getvalue()).decode()}"/><br>{label}</figure>')


def look_up(phrase):
    display(HTML("".join(as_image(at) for at in find([phrase])[0].tolist())))


box = widgets.Text(value="something with wheels", description="a phrase", continuous_update=False)
display(widgets.interactive(look_up, phrase=box))

# %% id="fig-search" tags=["nbval-ignore-output"]
PHRASES = ["red fruit", "sad", "wild animal", "music", "love", "winter"]
figure, panels = plt.subplots(len(PHRASES), 6, figsize=(7.2, 7.6))
for row, phrase, found in zip(panels, PHRASES, find(PHRASES).tolist()):
    for panel, at in zip(row, found):
        draw(panel, pictures.plain(torch.tensor([at], device=lab.device))[0],
             fold(pictures.names[pictures.concept[at]]))
    row[0].set_ylabel(phrase, rotation=0, ha="right", va="center", fontsize=9)
show(figure, alt="Six rows of six emoji, each for a phrase. Most of red fruit, sad and love fit; "
     "of wild animal and music some; for winter nothing that one would think of.")

# %% [markdown] id="map-idea"
# ### The map
#
# A hundred and twenty-eight numbers a picture do not fit on paper. The two directions along which the vectors spread most (PCA) are one way to flatten them. Another is to put points so that neighbours stay neighbours and not to mind the rest: t-SNE (van der Maaten and Hinton 2008). Each picture shares out one unit of closeness among the others, by their distance; the points on paper do so, too; and then they are moved until both tables agree. Here is one picture of each concept that Noto drew. How good is a map? Ask how often a picture's nearest neighbour on it is of the same kind, of the 95 by which keyboards sort.

# %% id="map"
concepts = emoji.load(1, ["noto"]).concepts
kind_names = sorted({concept.subgroup for concept in concepts})
kind_of = torch.tensor([kind_names.index(concept.subgroup) for concept in concepts]).to(lab.device)
group_names = sorted({concept.group for concept in concepts})
group_of = torch.tensor([group_names.index(concept.group) for concept in concepts])


def longest_directions(points):
    """The two directions of the largest spread, [n, 2]."""
    centred = points - points.mean(dim=0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T


def keep_neighbours(points, steps, near=12):
    """Two numbers a point, so that neighbours stay neighbours: t-SNE, [n, 2]."""
    apart = torch.cdist(points, points).square()
    width = apart.topk(near + 1, largest=False).values[:, -1:]  # to the twelfth neighbour
    closeness = (-6 * apart / width).exp().fill_diagonal_(0)
    closeness = closeness / closeness.sum(dim=1, keepdim=True)
    wanted = (closeness + closeness.T) / (2 * len(points))
    flat = longest_directions(points)
    flat, speed = 1e-2 * flat / flat.std(), torch.zeros_like(flat)
    for step in track(range(steps), "drawing the map"):
        pull = 1 / (1 + torch.cdist(flat, flat).square()).fill_diagonal_(float("inf"))
        # At first all that is close is pulled four times as hard, so that clusters can pass by.
        force = ((4 if step < steps // 3 else 1) * wanted - pull / pull.sum()) * pull
        speed = 0.8 * speed - len(points) * (force.sum(dim=1, keepdim=True) * flat - force @ flat)
        flat = flat + speed
    return flat


drawn_by_noto = (pictures.style == pictures.styles.index("noto")).nonzero()[:, 0]
mapped = pictures.concept[drawn_by_noto]
MAPS = {
    "128 numbers": vectors[drawn_by_noto],
    "t-SNE": keep_neighbours(vectors[drawn_by_noto], budget(cpu=300, gpu=500, smoke=5)),
    "PCA": longest_directions(vectors[drawn_by_noto]),
}


def neighbours_agree(points):
    """Percent of pictures whose nearest neighbour is of the same kind."""
    apart = torch.cdist(points, points).fill_diagonal_(float("inf"))
    return 100 * (kind_of[mapped[apart.argmin(dim=1)]] == kind_of[mapped]).float().mean().item()


agree = {how: neighbours_agree(points) for how, points in MAPS.items()}
for how, percent in agree.items():
    print(f"{how:12} ⟨{percent:.0f} %⟩ have a neighbour of their own kind")
claim("t-SNE: pictures whose neighbour on the map is of the same kind", agree["t-SNE"], above=45,
      unit="%", control={"PCA": agree["PCA"]})

# %% id="fig-map" tags=["nbval-ignore-output"]
hues = [*colours.CYCLE[:6], colours.GREY, colours.INK]
flat = MAPS["t-SNE"].cpu()
figure, axes = plt.subplots(figsize=(9.0, 7.4))
for at, cluster in enumerate(group_names):
    axes.scatter(*flat[group_of[mapped.cpu()] == at].T, s=9, color=hues[at],
                 label=cluster.replace("-", ", "))
placed = []
for at in torch.randperm(len(flat), generator=torch.Generator().manual_seed(1)).tolist():
    spot, span = flat[at], (flat.amax(dim=0) - flat.amin(dim=0))
    if all(((spot - other) / span).norm() > 0.052 for other in placed):
        placed.append(spot)
        reach = 0.014 * span.max().expand(2)
        tile = pictures.rgba(drawn_by_noto[at : at + 1])[0].cpu()
        tile[:3] /= tile[3:].clamp(min=1e-6)
        axes.imshow(rearrange(tile, "c h w -> h w c").clamp(0, 1).numpy(), zorder=3, aspect="auto",
                    extent=(*(spot[0] + reach[0] * torch.tensor([-1, 1])).tolist(),
                            *(spot[1] + reach[1] * torch.tensor([-1, 1])).tolist()))
edge = 0.03 * (flat.amax(dim=0) - flat.amin(dim=0))
axes.set(xlim=(flat[:, 0].min() - edge[0], flat[:, 0].max() + edge[0]), xticks=[], yticks=[],
         ylim=(flat[:, 1].min() - edge[1], flat[:, 1].max() + edge[1]),
         title="All that Noto drew, as CLIP sees it")
axes.set_aspect("equal", adjustable="datalim")
axes.grid(False)
axes.spines[:].set_visible(False)
axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, 0), markerscale=2.2)
show(figure, alt="A map of dots coloured by group, with the emoji drawn at some of them. Faces, "
     "people, animals, food, clocks, vehicles and signs lie in regions of their own; symbols and "
     "objects are scattered among them.")

# %% id="play-map" tags=["nbval-ignore-output"]
traces = []
for at, cluster in enumerate(group_names):
    rows = (group_of[mapped.cpu()] == at).nonzero()[:, 0]
    traces.append({
        "type": "scattergl", "mode": "markers", "name": cluster.replace("-", ", "),
        "x": flat[rows, 0].tolist(), "y": flat[rows, 1].tolist(), "hoverinfo": "text",
        "marker": {"color": hues[at], "size": 6},
        "hovertext": [f"{concepts[each].emoji} {concepts[each].label}"
                      for each in mapped[rows.to(lab.device)].tolist()],
    })
layout = {
    "width": 820, "height": 620, "dragmode": "zoom", "hoverlabel": {"font": {"size": 16}},
    "paper_bgcolor": colours.CARD, "plot_bgcolor": colours.CARD,
    "font": {"color": colours.INK}, "margin": {"l": 10, "r": 10, "t": 40, "b": 10},
    "xaxis": {"visible": False}, "yaxis": {"visible": False}, "legend": {"orientation": "h"},
    "title": {"text": "Drag a frame to zoom, point at a dot for its name", "x": 0.02,
              "font": {"size": 14}},
}
display({
    "application/vnd.plotly.v1+json": {"data": traces, "layout": layout,
                                       "config": {"displaylogo": False}},
    "text/plain": "an interactive map of the emoji (it needs JupyterLab, VS Code or Colab)",
}, raw=True)

# %% [markdown] id="gap-idea"
# ### Two regions of one space
#
# Pictures and names share a space. Do they share a place? Take the mean of all pictures of the unseen style and the mean of all names, and look at how far apart they are. Two random halves of the pictures are the control.

# %% id="gap"
shelf_vectors = vectors[shelf]
half = torch.arange(len(shelf), device=lab.device) % 2 == 0
gap = (shelf_vectors.mean(dim=0) - names.mean(dim=0)).norm().item()
halves = (shelf_vectors[half].mean(dim=0) - shelf_vectors[~half].mean(dim=0)).norm().item()
own = (shelf_vectors * names[pictures.concept[shelf]]).sum(dim=1).mean().item()
print(f"mean cosine: a picture and its own name ⟨{own:.2f}⟩, "
      f"a picture and any name ⟨{(shelf_vectors @ names.T).mean().item():.2f}⟩, "
      f"two pictures ⟨{(shelf_vectors @ shelf_vectors.T).mean().item():.2f}⟩, "
      f"two names ⟨{(names @ names.T).mean().item():.2f}⟩")
# Which side of the middle, between both means: fitted on one half, asked of the other.
odd = torch.arange(len(names), device=lab.device) % 2 == 0
ends = shelf_vectors[half].mean(dim=0), names[odd].mean(dim=0)
middle, direction = (ends[0] + ends[1]) / 2, ends[0] - ends[1]
sides = torch.cat([(shelf_vectors[~half] - middle) @ direction > 0,
                   (names[~odd] - middle) @ direction < 0]).float().mean().item()
print(f"picture or name? Told right by one direction: ⟨{100 * sides:.1f} %⟩")
claim("distance between the means of pictures and names", gap, above=0.25,
      control={"of two halves of the pictures": halves}, paper="Liang et al. 2022")

# %% id="fig-gap" tags=["nbval-ignore-output"]
together = torch.cat([shelf_vectors, names])
spread = longest_directions(together).cpu()
along = ((together - middle) @ F.normalize(direction, dim=0)).cpu()
figure, axes = plt.subplots(figsize=(6.4, 3.6))
for rows, colour, what in ((slice(len(shelf), None), colours.ORANGE, "names"),
                           (slice(0, len(shelf)), colours.BLUE, "pictures")):
    axes.scatter(along[rows], spread[rows, 0], s=6, color=colour, label=what, alpha=0.7)
axes.axvline(0, color=colours.INK, linestyle="--", linewidth=1)
axes.set(xlabel="along the line from the names' mean to the pictures'",
         ylabel="longest direction of all", title="One space, two regions")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2)
show(figure, alt="Two clouds of points side by side, names on the left and pictures on the right; "
     "hardly any point lies on the other side of the dashed line in the middle.")

# %% [markdown] id="gap-read"
# There is a gap: one direction tells pictures from names. And here it does no harm. A picture asks which of the *names* is nearest, and all names lie on the far side together. The loss never compares two pictures, so nothing asks for the regions to lie on each other. Liang et al. (2022) found this in all models of the kind that they looked at, and that it is there before training begins: two networks begin with their outputs in two different narrow cones. (In exercise 1 you close the gap and see what changes.)
#
# So mind one thing: cosines between a picture and a name are not on the same scale as cosines between two pictures. Compare like with like.
#
# ## 3 · How many labels is a name worth?
#
# Zero-shot asks for no labels at all. The usual way asks for some: keep the picture tower as it is, and fit one linear layer on its vectors, a **linear probe**. It gives each class a weight vector and a bias; a picture's scores are
#
# $$\text{features} \cdot \text{weight}^\top + \text{bias}$$
#
# and the loss is the mean cross-entropy. With few labels there are many such layers that make no mistake, and some have huge weights. So one adds a price on the weights,
#
# $$\text{strength} \cdot \sum_{c,i} \text{weight}_{c,i}^2$$
#
# but none on the bias, which only says how common a class is. All of it is smooth and has one valley, so a method for such problems, L-BFGS, goes to its bottom in a few dozen steps. Write the loss.

# %% id="probe_loss" tags=["exercise"] minutes=8 difficulty=2 teaches="the linear probe: cross-entropy with a price on the weights"
def probe_loss(weight, bias, features, labels, strength):
    """The loss of a linear probe.

    weight: [classes, dim]; bias: [classes]; features: [n, dim]; labels: [n], whole numbers
    strength: of the price on the weights, a number
    returns a scalar: mean cross-entropy + strength · sum of the squared weights (not of the bias)
    """
    ### BEGIN SOLUTION
    scores = features @ weight.T + bias
    price = strength * weight.square().sum()
    return F.cross_entropy(scores, labels) + price
    ### STUB
    # scores = ...
    # price = ...
    # return ...
    ### END SOLUTION

# %% id="check-probe_loss" tags=["check"]
probe_loss = check("probe_loss")

# %% [markdown] id="kinds-text"
# What are the classes? Let us take kinds, such as *animal-bird*, *food-fruit*, *transport-ground*: those of the keyboard's kinds that have twenty concepts or more and a word that no other kind has. No caption named a thing by its kind alone, though many of these words (*bird*, *fruit*) stand among the tags. A probe gets 1, 2, 4 … pictures of each kind with its label, all of different concepts, by any of the six artists; five times drawn anew. The test is the pictures of concepts that CLIP never saw.
#
# Zero-shot comes in two forms. One asks with the kind's **own word** (*bird*, *fruit*, *ground*). The other asks with **what belongs to it**: the mean vector of the names of its known concepts, *eagle*, *owl*, *duck* and so on. That is lab 07's ensemble of prompts, and it too has seen no picture's label.
#
# How strong should the price be? It is chosen on the 60 concepts that were set aside for choosing.

# %% id="guess-labels" tags=["nbval-ignore-output"]
guess_labels = predict("How many labels a kind does the probe need to be as good as asking with "
                       "the kind's own word?",
                       choices=["1 or 2", "4", "8 or 16", "32 are not enough"])

# %% id="probe"
sizes = kind_of.bincount()
last_words = [kind.split("-")[-1] for kind in kind_names]
of_its_own = torch.tensor([last_words.count(word) == 1 for word in last_words], device=lab.device)
big = ((sizes >= 20) & of_its_own).nonzero()[:, 0]
kind_at = torch.full_like(sizes, -1)
kind_at[big] = torch.arange(len(big), device=lab.device)


def of_kinds(purpose):
    """Places of pictures for a purpose that belong to these kinds, and their kinds."""
    kept = pictures.purpose[purpose]
    kept = kept[kind_at[kind_of[pictures.concept[kept]]] >= 0]
    return kept, kind_at[kind_of[pictures.concept[kept]]]


def at_most(k, keys):
    """True for the first k rows of each key."""
    return F.one_hot(keys).cumsum(dim=0).gather(1, keys[:, None])[:, 0] <= k


def fit_probe(features, labels, classes, strength):
    """Weight and bias at the bottom of the valley."""
    weight = torch.zeros(classes, features.shape[1], device=features.device, requires_grad=True)
    bias = torch.zeros(classes, device=features.device, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        loss = probe_loss(weight, bias, features, labels, strength)
        loss.backward()
        return loss

    optimiser.step(closure)
    return weight.detach(), bias.detach()


def probe_right(fitted, features, labels):
    """Percent of rows whose label has the highest score."""
    scores = features @ fitted[0].T + fitted[1]
    return 100 * (scores.argmax(dim=1) == labels).float().mean().item()


to_learn, kinds_to_learn = of_kinds("train")
test_places, test_kinds = of_kinds("test_concepts")
aside_places, aside_kinds = of_kinds("valid_concepts")


def few(k, seed):
    """Places of k training pictures of each kind, all of different concepts, and their kinds."""
    dice = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(to_learn), generator=dice).to(lab.device)
    order = order[at_most(1, pictures.concept[to_learn[order]])]
    order = order[at_most(k, kinds_to_learn[order])]
    return to_learn[order], kinds_to_learn[order]


set_aside = {}
for strength in (1e-2, 1e-3, 1e-4, 1e-5):
    shares = []
    for seed in range(budget(cpu=10, gpu=10, smoke=1)):
        places, labels = few(16, seed)
        fitted = fit_probe(vectors[places], labels, len(big), strength)
        shares.append(probe_right(fitted, vectors[aside_places], aside_kinds))
    set_aside[strength] = sum(shares) / len(shares)
    print(f"strength {strength:.0e}, on what was set aside: ⟨{set_aside[strength]:.1f} %⟩")
STRENGTH = max(set_aside, key=set_aside.get)

# %% id="probe-curve"
LABELS, DRAWS = [1, 2, 4, 8, 16, 32], 5
own_words = read([last_words[at] for at in big.tolist()])
known = torch.ones(len(names), dtype=torch.bool, device=lab.device)
known[held_out] = False
known[pictures.valid.to(lab.device)] = False
members = torch.stack([names[known & (kind_of == at)].mean(dim=0) for at in big.tolist()])
zero_shot = {
    which: 100 * ((vectors[test_places] @ F.normalize(rows, dim=1).T).argmax(dim=1)
                  == test_kinds).float().mean().item()
    for which, rows in (("own word", own_words), ("what belongs to it", members))
}
curve = [  # for each number of labels, percent right in each draw
    [probe_right(fit_probe(vectors[places], labels, len(big), STRENGTH), vectors[test_places],
                 test_kinds)
     for places, labels in (few(k, seed) for seed in range(DRAWS))]
    for k in LABELS
]
means = [sum(each) / DRAWS for each in curve]


def first_to_reach(bound):
    """The first number of labels a kind whose mean is as good, twice the largest if none is."""
    return next((k for k, mean in zip(LABELS, means) if mean >= bound), 2 * LABELS[-1])


places, labels = few(32, 0)
deal = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0)).to(lab.device)
shuffled = probe_right(fit_probe(vectors[places], labels[deal], len(big), STRENGTH),
                       vectors[test_places], test_kinds)
commonest = 100 * test_kinds.bincount().max() / len(test_kinds)
print(f"{len(test_places)} pictures of {len(pictures.concept[test_places].unique())} concepts, "
      f"{len(big)} kinds; the commonest is ⟨{commonest:.0f} %⟩")
for which, percent in zero_shot.items():
    print(f"zero-shot, {which}: ⟨{percent:.1f} %⟩")
for k, each in zip(LABELS, curve):
    print(f"probe, {k:2} labels a kind: ⟨{sum(each) / DRAWS:.1f} %⟩, "
          f"draws from ⟨{min(each):.1f}⟩ to ⟨{max(each):.1f} %⟩")
print(f"probe, 32 labels a kind, shuffled: ⟨{shuffled:.1f} %⟩")
claim("labels a kind until the probe is as good as the kind's own word",
      first_to_reach(zero_shot["own word"]), at_most=8,
      control={"as good as what belongs to it": first_to_reach(zero_shot["what belongs to it"])},
      paper="Radford et al. 2021, figure 6: 4 labels a class")

# %% [markdown] id="concepts-text"
# And if each class is a single concept? The 150 concepts that CLIP never saw, and their pictures by one, two, three or five of the artists as labels; the test is EmojiTwo's pictures of them. (Pictures that are near twins of a test picture are left out.)

# %% id="probe-concepts"
drawn_new = torch.isin(pictures.concept, held_out).nonzero()[:, 0]
drawn_new = drawn_new[pictures.style[drawn_new] != UNSEEN]
as_seen = [pictures.plain(rows).flatten(1) for rows in (drawn_new, both_new)]
closest = torch.cdist(*as_seen).amin(dim=1) / as_seen[0].shape[1] ** 0.5
print(f"near twins left out: {int((closest < album.TWIN).sum())} of {len(drawn_new)}")
drawn_new = drawn_new[closest >= album.TWIN]
new_labels = torch.searchsorted(held_out, pictures.concept[drawn_new])
new_truth = torch.searchsorted(held_out, pictures.concept[both_new])
by_name = exam["neither seen"][0]
artists_curve = []
for count in (1, 2, 3, 5):
    shares = []
    for seed in range(DRAWS):
        order = torch.randperm(6, generator=torch.Generator().manual_seed(10 * count + seed))
        taught = torch.isin(pictures.style[drawn_new], order[:count].to(lab.device))
        shares.append(probe_right(
            fit_probe(vectors[drawn_new[taught]], new_labels[taught], len(held_out), STRENGTH),
            vectors[both_new], new_truth))
    artists_curve.append(shares)
    print(f"pictures of each concept by {count} artists at most: "
          f"⟨{sum(shares) / DRAWS:.0f} %⟩, draws from "
          f"⟨{min(shares):.0f}⟩ to ⟨{max(shares):.0f} %⟩")
low, high = (100 * end for end in interval(int(named(both_new, held_out).sum()), len(both_new)))
print(f"zero-shot, by name: ⟨{by_name:.0f} %⟩ of {len(both_new)}, interval ⟨{low:.0f}⟩ to "
      f"⟨{high:.0f} %⟩")
mixed_new = new_labels[torch.randperm(len(new_labels), generator=torch.Generator().manual_seed(0))
                   .to(lab.device)]
nonsense = probe_right(fit_probe(vectors[drawn_new], mixed_new, len(held_out), STRENGTH),
                       vectors[both_new], new_truth)
claim("at most one picture of each new concept: points above its name alone",
      sum(artists_curve[0]) / DRAWS - by_name, above=10, unit="points",
      control={"all pictures, labels shuffled": nonsense - by_name})

# %% id="fig-probe" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.5), sharey=True)
sheets = ((LABELS, curve, f"{len(big)} kinds, new concepts"),
          ([1, 2, 3, 5], artists_curve, "150 new concepts, new artist"))
for panel, (counts, rows, title) in zip(axes, sheets):
    panel.plot(counts, [sum(each) / DRAWS for each in rows], marker="o", label="linear probe")
    panel.fill_between(counts, [min(each) for each in rows], [max(each) for each in rows],
                       color=colours.BLUE, alpha=0.18, linewidth=0)
    panel.set(xscale="log", xlabel="labels a class", title=title, ylim=(0, 85))
    panel.set_xticks(counts, counts)
    panel.minorticks_off()
axes[0].axhline(zero_shot["own word"], color=colours.VERMILION, linestyle="--",
                label="zero-shot, own word")
axes[0].axhline(zero_shot["what belongs to it"], color=colours.GREEN, linestyle="-.",
                label="zero-shot, what belongs to it")
axes[1].axhline(by_name, color=colours.VERMILION, linestyle="--", label="zero-shot, its name")
axes[0].set(ylabel="right, %")
if guess_labels.value is not None:
    axes[0].set_xlabel(f"labels a class (your guess: {guess_labels.value})")
for panel in axes:
    panel.legend(loc="lower right")
show(figure, alt="Two panels, percent right against labels a class, with bands of five draws. "
     "Left: the probe crosses the dashed line of zero-shot by the kind's own word between one and "
     "two labels, and the higher line of what belongs to it between eight and sixteen. "
     "Right: with one label the probe is already far above the dashed line of zero-shot by name.")

# %% [markdown] id="probe-read"
# So how many labels is a name worth? It depends on the name and on the class.
#
# - A kind's own word, one tag among many or none at all, is worth one or two labels.
# - The names of what belongs to it stood in captions, each of them, and together they are worth between eight and sixteen.
# - A new concept is drawn much alike by all artists, so one picture of it says nearly all. There the name loses to a single label, and not even every concept had one: some artists drew only part of them.
#
# The paper's figure 6 averages over 20 data sets, and zero-shot equals a probe with four labels a class; its figure 7 shows how far single data sets differ, from less than one label to 184. The average is not what you may expect of *your* classes. And where one has a few labels, one need not choose: both can be used.
#
# **Question.** With one label a class the paper's probe is *worse* than zero-shot, though it sees a labelled picture. How can an example be worth less than a word?
#
# <details><summary>Answer</summary>
#
# An example does not say what it is an example of. A photograph of a dog on a lawn is an example of a lawn, too. A word says what is meant (the paper argues so in §3.1.5). Emoji show one thing on nothing, so our examples are far clearer than photographs.
# </details>
#
# ## 4 · The fall
#
# A classifier that is good on its own data can be much worse on pictures of the same things from elsewhere. The paper (§3.3, figure 13): models trained on ImageNet lose much of their accuracy on sketches, cartoons, other viewpoints; zero-shot CLIP loses far less, and the gap shrinks by up to 75 %. Two explanations offer themselves. CLIP was taught by language; and CLIP saw far more kinds of pictures.
#
# We can take them apart. Take 80 concepts that CLIP knows. Networks of the kind of CLIP's picture tower, only narrower, learn these classes by labels, from scratch, with CLIP's own augmentation:
#
# - **one artist**: they see Noto's pictures;
# - **six artists**: they see all that CLIP saw of these concepts, for as many steps.
#
# Against them: **zero-shot CLIP**, which chooses among the 80 names; and **a probe** on its vectors, fitted on Noto's 80 pictures, one label a class. All are asked twice: about Noto's pictures, moved and recoloured in a way that nobody saw before, and about EmojiTwo's, moved and recoloured in the same way. All four have learned from Noto's pictures (CLIP's are among its training data), and none from EmojiTwo's. So the question is the same for all: what is left when only the hand changes?

# %% id="guess-fall" tags=["nbval-ignore-output"]
guess_fall = predict("Taught by one artist, and right about most of its pictures. How many "
                     "percent of the new artist's?", low=0, high=100, unit="%")

# %% id="fall-data"
NOTO, CLASSES = pictures.styles.index("noto"), budget(cpu=80, gpu=80, smoke=12)
place_of = torch.full((len(pictures.styles), len(names)), -1, device=lab.device)
place_of[pictures.style, pictures.concept] = everything
with_twin = pictures.concept[pictures.purpose["twins"]]
fit_for_it = known & (place_of[NOTO] >= 0) & (place_of[UNSEEN] >= 0)
fit_for_it[with_twin] = False
candidates = fit_for_it.nonzero()[:, 0]
dice = torch.Generator().manual_seed(0)
classes = candidates[torch.randperm(len(candidates), generator=dice)[:CLASSES].to(lab.device)]
classes = classes.sort().values


def lessons(artists):
    """Places of these artists' pictures of the classes, and their labels."""
    rows, columns = (place_of[artists][:, classes] >= 0).nonzero().T
    return place_of[artists][:, classes][rows, columns], columns


def varied(places):
    """As CLIP sees pictures in training: moved, recoloured, on a background."""
    return augment.for_clip(pictures.rgba(places), pictures.may_flip[places])


print(f"{len(candidates)} concepts to choose from, {len(classes)} classes; pictures by one artist: "
      f"{len(lessons([NOTO])[0])}, by six: {len(lessons([0, 1, 2, 3, 4, 5])[0])}")

# %% id="fall-train"
class Classifier(nn.Module):
    """CLIP's picture tower, narrower, and a score for each class."""

    def __init__(self):
        super().__init__()
        self.tower = clip.ConvolutionTower(clip.Config(channels=(12, 24, 48, 128), dropout=0))
        self.scores = nn.Linear(128, len(classes))

    def forward(self, shown):
        return self.scores(self.tower(2 * shown - 1))


torch.manual_seed(1)
asked = {"Noto": varied(place_of[NOTO, classes]), "EmojiTwo": varied(place_of[UNSEEN, classes])}
right_class = torch.arange(len(classes), device=lab.device)


def right_of(scores):
    """How many of the classes' pictures are right."""
    return int((scores.argmax(dim=1) == right_class).sum())


@torch.no_grad()
def examined(net):
    """How many it has right of Noto's pictures, and of EmojiTwo's."""
    net.eval()
    found = [right_of(net(shown)) for shown in asked.values()]
    net.train()
    return found


def teach(artists, steps, what):
    """Teach a classifier these artists' pictures, 32 at a step; its marks as it goes."""
    torch.manual_seed(0)
    net = Classifier().to(lab.device, memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(net.parameters(), weight_decay=0.05)
    schedule, (places, labels), marks = train.cosine(warmup=30), lessons(artists), []
    for step in track(range(steps), what):
        optimiser.param_groups[0]["lr"] = 4e-3 * schedule(step, steps)
        batch = torch.randint(len(places), (32,), device=lab.device)
        seen = varied(places[batch]).contiguous(memory_format=torch.channels_last)
        F.cross_entropy(net(seen), labels[batch]).backward()
        optimiser.step()
        optimiser.zero_grad()
        if (step + 1) % max(1, steps // 7) == 0:
            marks.append(examined(net))
    return marks


STEPS = budget(cpu=700, gpu=1_400, smoke=7)
marks_of_one = teach([NOTO], STEPS, "taught by one artist")
print(f"taught by one artist, looked at {len(marks_of_one)} times")

# %% id="fall-train-six"
marks_of_six = teach([0, 1, 2, 3, 4, 5], STEPS, "taught by six artists")
print(f"taught by six artists, looked at {len(marks_of_six)} times")

# %% id="fall"
asked_vectors = [see(shown) for shown in asked.values()]
weight, bias = fit_probe(vectors[place_of[NOTO, classes]], right_class, len(classes), STRENGTH)
results = {
    "taught by one artist": marks_of_one[-1],
    "taught by six artists": marks_of_six[-1],
    "a probe on one artist": [right_of(seen @ weight.T + bias) for seen in asked_vectors],
    "zero-shot CLIP": [right_of(seen @ names[classes].T) for seen in asked_vectors],
}


def of_classes(count):
    return 100 * count / len(classes)


falls = {who: of_classes(noto - new) for who, (noto, new) in results.items()}
print("                        Noto   EmojiTwo (interval)      fall        kept")
for who, (noto, new) in results.items():
    low, high = interval(new, len(classes))
    print(f"{who:22} ⟨{of_classes(noto):.0f} %⟩    ⟨{of_classes(new):.0f} %⟩ (⟨{100 * low:.0f}⟩ to "
          f"⟨{100 * high:.0f}⟩)   ⟨{falls[who]:.0f} points⟩   ⟨{100 * new / max(noto, 1):.0f} %⟩")
claim("points that the classifier of one artist falls further than zero-shot CLIP",
      falls["taught by one artist"] - falls["zero-shot CLIP"], above=10, unit="points",
      control={"the classifier of six artists":
               falls["taught by six artists"] - falls["zero-shot CLIP"]},
      paper="Radford et al. 2021, §3.3")
# The look at which the classifier of one artist was as good on Noto as the other one is at last.
level = min(marks_of_one, key=lambda mark: abs(mark[0] - marks_of_six[-1][0]))
print("about as good on Noto, and then on EmojiTwo: "
      f"one artist ⟨{of_classes(level[0]):.0f} %⟩, ⟨{of_classes(level[1]):.0f} %⟩; six artists "
      f"⟨{of_classes(marks_of_six[-1][0]):.0f} %⟩, ⟨{of_classes(marks_of_six[-1][1]):.0f} %⟩")

# %% id="fig-fall" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(6.4, 4.4))
axes.plot([0, 100], [0, 100], color=colours.GREY, linestyle=":", linewidth=1.2)
axes.text(70, 73, "no fall", color=colours.GREY, fontsize=9, rotation=33, ha="center", va="bottom")
for who, marks, marker, colour in (
    ("taught by one artist", marks_of_one, "o", colours.VERMILION),
    ("taught by six artists", marks_of_six, "s", colours.ORANGE),
    ("a probe on one artist", [results["a probe on one artist"]], "^", colours.GREEN),
    ("zero-shot CLIP", [results["zero-shot CLIP"]], "D", colours.BLUE),
):
    axes.plot([of_classes(noto) for noto, _ in marks], [of_classes(new) for _, new in marks],
              marker=marker, color=colour, label=who, markersize=12 if marker == "^" else 6,
              fillstyle="none" if marker == "^" else "full")
    low, high = interval(marks[-1][1], len(classes))
    axes.plot([of_classes(marks[-1][0])] * 2, [100 * low, 100 * high], color=colour, linewidth=1.2)
if guess_fall.value is not None:
    axes.plot(of_classes(marks_of_one[-1][0]), guess_fall.value, marker="*", markersize=14,
              color=colours.PINK, linestyle="", label="your guess")
axes.set(xlim=(0, 104), ylim=(0, 104), xlabel="right of Noto's pictures, varied anew, %",
         ylabel="right of EmojiTwo's, %", title="The hand changes")
axes.legend(loc="upper left")
show(figure, alt="Right of EmojiTwo's pictures against right of Noto's; a dotted diagonal means no "
     "fall. The classifier taught by one artist moves far to the right in training and little "
     "upwards. The one taught by six stays nearer to the diagonal and ends further left. Zero-shot "
     "CLIP and a probe on its vectors lie far right and highest.")

# %% [markdown] id="fall-read"
# The paper's finding is there: the classifier of one artist falls much further than zero-shot CLIP. But look at the control. The same network, the same labels, no language at all, taught by six hands instead of one: in the same number of steps it learned less of Noto's pictures, and takes more of it along. The picture is drawn as the paper draws its own (figure 13): along each line a classifier learns, and where two are equally good on Noto, the one taught by six hands is the better one on EmojiTwo. And a probe, which got no names but the vectors, falls no further than names do.
#
# So to keep CLIP up here it does not take *language*. Being taught by *many hands* goes as far: the share that is kept is about the same. (More hands are more pictures here, too, and each was trained once; the intervals say how far to trust it.) (That language adds nothing at all is not shown; for that both would have to see the same pictures of the same concepts.) What language does is to let one gather pictures of all kinds, since everything has a name. Fang et al. (2022) came to the same result for CLIP itself: of all that sets its training apart, it is the variety of the pictures that makes it robust.
#
# **Question.** Zero-shot CLIP is right about nearly all of Noto's pictures. Why is that no fair measure of what it can do?
#
# <details><summary>Answer</summary>
#
# These pictures were among those it learned from, with these very names. That is also true of the classifiers, which is why both may be compared here. For concepts that it never saw, see section 1.
# </details>
#
# ## 5 · Other people's pictures
#
# EmojiTwo is another hand, but still an emoji. Tux Paint, a drawing program for children, comes with stamps: photographs of animals, food and tools, and drawings by many people, each with a caption. Nothing of it was ever near our CLIP. There are some seven hundred, at 32 pixels as always.

# %% id="stamps"
tux = stamps.load(32)
tux_vectors = see(tux.rgb().to(lab.device))
tux_names = read(tux.names)
tux_truth = tux.name.to(lab.device)
tux_hits = (clip.rank_of_truth(tux_vectors, tux_names, tux_truth) == 0).cpu()
dice = torch.Generator().manual_seed(0)
deals = [torch.randperm(len(tux.names), generator=dice).to(lab.device) for _ in range(20)]
tux_dealt = sum((clip.rank_of_truth(tux_vectors, tux_names[deal], tux_truth) == 0).float().mean()
                for deal in deals) / len(deals)
chance = 1 / len(tux.names)
emoji_names = {name.lower() for name in pictures.names}
same_name = torch.tensor([caption in emoji_names for caption in tux.captions])
print(f"{len(tux)} stamps, {len(tux.names)} captions; chance {100 * chance:.2f} %")
for what, mask in (("all", torch.ones_like(tux.photo)), ("photographs", tux.photo),
                   ("drawings", ~tux.photo), ("whose caption is an emoji's name", same_name),
                   ("whose caption is not", ~same_name)):
    right, total = int(tux_hits[mask].sum()), int(mask.sum())
    low, high = interval(right, total)
    print(f"{what:33} {total:4}: ⟨{100 * right / total:.1f} %⟩ right "
          f"(⟨{100 * low:.1f}⟩ to ⟨{100 * high:.1f}⟩), ⟨{right / total / chance:.0f}⟩ times chance")
claim("stamps named right among all captions, times chance",
      tux_hits.float().mean().item() / chance, above=10,
      control={"captions dealt at random": tux_dealt.item() / chance})
low_photo, low_drawing = (interval(int(tux_hits[mask].sum()), int(mask.sum()))[0] / chance
                          for mask in (tux.photo, ~tux.photo))
claim("the worse of photographs and drawings, the interval's lower end, times chance",
      min(low_photo, low_drawing), above=5,
      control={"captions dealt at random": tux_dealt.item() / chance})

# %% id="stamps-search"
likeness = tux_vectors @ tux_names.T
fits = tux_truth[:, None] == torch.arange(len(tux.names), device=lab.device)
print("found among the first        1          10         100")
for what, table, true in (("the caption of a stamp", likeness, fits),
                          ("a stamp of the caption", likeness.T, fits.T)):
    best = table.masked_fill(~true, -2).amax(dim=1, keepdim=True)
    rank = ((table >= best) & ~true).sum(dim=1)
    print(f"{what:24}" + "".join(f"{f'⟨{100 * (rank < k).float().mean():.0f} %⟩':>11}"
                                 for k in (1, 10, 100)))

# %% id="fig-stamps" tags=["nbval-ignore-output"]
wanted = ["tiger", "strawberry", "tractor", "owl", "hammer"]
wanted = [name for name in wanted if name in tux.names] + ["red flower"]
tux_found = search(tux_vectors, read(wanted), 6)
figure, panels = plt.subplots(len(wanted), 6, figsize=(7.2, 1.28 * len(wanted)))
stamp_rgb = stamps.load(64).rgb()
for row, phrase, line in zip(panels, wanted, tux_found.tolist()):
    for panel, at in zip(row, line):
        draw(panel, stamp_rgb[at], fold(tux.captions[at]))
    row[0].set_ylabel(phrase, rotation=0, ha="right", va="center", fontsize=9)
show(figure, alt="Rows of six stamps, each row for a phrase. Some rows have one that fits; "
     "most pictures have nothing to do with what was asked for.")

# %% [markdown] id="stamps-read"
# Far above chance, and far from useful: of a hundred stamps six get their own caption. Drawings do better than photographs, as one expects of a model that saw only drawings. What helps most is if the *name* is known: captions that are an emoji's name come out about a dozen times as well as the others. (They are also the simpler things.) Look at the pictures it finds: a row of six has one that fits, or none. Sometimes colour goes along (*red flower*), sometimes one sees nothing that would (*owl*). Radford et al. (§6) saw the same at their size: on handwritten digits, which are rare on the web, zero-shot CLIP did worse than a logistic regression on raw pixels.
#
# ## 6 · What it does not see
#
# Which of two captions fits which of two pictures? That is the form of **Winoground** (Thrush et al. 2022): both captions have the same words, in another order, as in *some plants surrounding a lightbulb* and *a lightbulb surrounding some plants*. A model that only collects words has no chance there. With similarities $s$ of two pictures and two captions, where picture 0 belongs to caption 0 and 1 to 1, an item counts
#
# - for the **text score** if each *picture* prefers its own caption: $s_{00} > s_{01}$ and $s_{11} > s_{10}$;
# - for the **image score** if each *caption* prefers its own picture: $s_{00} > s_{10}$ and $s_{11} > s_{01}$;
# - for the **group score** if both hold.
#
# Who draws the similarities at random gets ¼, ¼ and ⅙. (For the last: of the 24 orders that four numbers can have, 4 put the two right ones on top.) A tie is no preference, and so counts as wrong.

# %% id="winoground" tags=["exercise"] minutes=9 difficulty=2 teaches="scores in which each side has to be right, and their chance"
def winoground(similarities):
    """Text, image and group score.

    similarities: [n, 2 pictures, 2 captions]; picture 0 belongs to caption 0, 1 to 1
    returns a tensor of 3 shares, from 0 to 1; ties count as wrong
    """
    ### BEGIN SOLUTION
    s = similarities
    text = (s[:, 0, 0] > s[:, 0, 1]) & (s[:, 1, 1] > s[:, 1, 0])
    image = (s[:, 0, 0] > s[:, 1, 0]) & (s[:, 1, 1] > s[:, 0, 1])
    return torch.stack([text, image, text & image]).float().mean(dim=1)
    ### STUB
    # s = similarities
    # text = (s[:, 0, 0] > ...) & ...
    # image = ...
    # return ...
    ### END SOLUTION

# %% id="check-winoground" tags=["check"]
winoground = check("winoground")

# %% [markdown] id="scenes-text"
# Our scenes are made of emoji, in three sets:
#
# - **how many**: one to four of a thing: *two bell*, *three bell* (without a plural: the captions it learned from say of each thing that there is one);
# - **left and right**: *bell left of house*, *house left of bell*;
# - **which has which colour**: *red circle on blue square*, *blue circle on red square*.
#
# Each has a control of the same form, in the same kind of scene, where *words* are others: *two bell* and *two key*; *bell left of house* and *key left of house*; *red circle on blue square* and *green circle on yellow square*. If the control fails as well, nothing is shown: then the scenes are too small, or too strange, to be seen at all.

# %% id="guess-left" tags=["nbval-ignore-output"]
guess_left = predict("Left and right: each picture chooses its caption, and both have to be "
                     "right. Whoever guesses has 25 %. And our CLIP?", low=0, high=100, unit="%")

# %% id="scenes"
THINGS = ("red apple,banana,grapes,lemon,pizza,carrot,dog face,cat face,pig face,fish,snail,"
          "butterfly,airplane,bicycle,rocket,house,key,bell,guitar,rose,cactus,umbrella,"
          "soccer ball,crown,star,cloud,light bulb,scissors,camera,laptop").split(",")
COLOURS = "red orange yellow green blue purple brown".split()
NUMBERS = ["one", "two", "three", "four"]
CORNERS = [(0, 0), (0, 16), (16, 0), (16, 16)]
SIDES = [(8, 0), (8, 16)]  # left and right: row and column of a tile's corner
ITEMS = budget(cpu=240, gpu=240, smoke=8)
number_of = {name: at for at, name in enumerate(pictures.names)}


def tiles(artists, shown, side):
    """These things as those artists drew them, red, green, blue and opacity: [n, 4, side, side]."""
    numbers = torch.tensor([number_of[name] for name in shown], device=lab.device)
    return F.avg_pool2d(pictures.rgba(place_of[artists, numbers]), 64 // side)


def side_by_side(artists, left, right):
    """One thing left, one right of it: [n, 3, 32, 32]."""
    page = torch.zeros(len(artists), 4, 32, 32, device=lab.device)
    for (row, column), shown in zip(SIDES, (left, right)):
        page[:, :, row : row + 16, column : column + 16] = tiles(artists, shown, 16)
    return augment.on_background(page)


def several(artists, shown, numbers):
    """A thing once to four times."""
    page, tile = torch.zeros(len(artists), 4, 32, 32, device=lab.device), tiles(artists, shown, 16)
    for at, (row, column) in enumerate(CORNERS):
        there = (numbers > at).to(lab.device)[:, None, None, None]
        page[:, :, row : row + 16, column : column + 16] = tile * there
    return augment.on_background(page)


def join(pattern, *parts):
    return [pattern.format(*each) for each in zip(*parts)]


def on_top(artists, circles, squares):
    """A small circle on a large square."""
    page = tiles(artists, [f"{colour} square" for colour in squares], 32)
    disc = F.pad(tiles(artists, [f"{colour} circle" for colour in circles], 16), (8, 8, 8, 8))
    return augment.on_background(disc + page * (1 - disc[:, 3:]))


dice = torch.Generator().manual_seed(0)
pairs = list(combinations(range(len(THINGS)), 2))
drawn = [pairs[at] for at in torch.randperm(len(pairs), generator=dice)[:ITEMS].tolist()]
flip = torch.rand(len(drawn), generator=dice) < 0.5
first = [THINGS[b if turned else a] for (a, b), turned in zip(drawn, flip.tolist())]
second = [THINGS[a if turned else b] for (a, b), turned in zip(drawn, flip.tolist())]
third = [next(name for name in THINGS[at % len(THINGS):] + THINGS if name not in (one, two))
         for at, (one, two) in enumerate(zip(first, second))]
by = torch.randint(len(pictures.styles), (len(drawn),), generator=dice).to(lab.device)
how_many = 1 + torch.randint(4, (len(drawn),), generator=dice)
other_many = 1 + (how_many + torch.randint(3, (len(drawn),), generator=dice)) % 4
said_many, said_other = ([NUMBERS[count - 1] for count in which.tolist()]
                         for which in (how_many, other_many))
# The artists who drew circles and squares in all seven colours.
shapes = [f"{colour} {form}" for colour in COLOURS for form in ("circle", "square")]
painters = [at for at in range(len(pictures.styles))
            if all(place_of[at, number_of[shape]] >= 0 for shape in shapes)]
mixes = [(at, one, two) for at in painters for one, two in combinations(COLOURS, 2)]
painted = torch.tensor([at for at, _, _ in mixes], device=lab.device)
inner, outer = [one for _, one, _ in mixes], [two for _, _, two in mixes]
free = [[c for c in COLOURS[at % 7:] + COLOURS[: at % 7] if c not in (one, two)]
        for at, (one, two) in enumerate(zip(inner, outer))]
other_two = [three for three, *_ in free], [four for _, four, *_ in free]
LEFT, ON = "{} left of {}", "{} circle on {} square"
SETS = {  # two lists of scenes, and two of captions
    "how many": (several(by, first, how_many), several(by, first, other_many),
                 join("{} {}", said_many, first), join("{} {}", said_other, first)),
    "  another thing": (several(by, first, how_many), several(by, third, how_many),
                        join("{} {}", said_many, first), join("{} {}", said_many, third)),
    "left and right": (side_by_side(by, first, second), side_by_side(by, second, first),
                       join(LEFT, first, second), join(LEFT, second, first)),
    "  another on the left": (side_by_side(by, first, second), side_by_side(by, third, second),
                              join(LEFT, first, second), join(LEFT, third, second)),
    "which colour": (on_top(painted, inner, outer), on_top(painted, outer, inner),
                     join(ON, inner, outer), join(ON, outer, inner)),
    "  two other colours": (on_top(painted, inner, outer), on_top(painted, *other_two),
                            join(ON, inner, outer), join(ON, *other_two)),
}
for which, (one, _, words, others) in SETS.items():
    print(f"{which:22} {len(one):4} items, as “{words[0]}” and “{others[0]}”")

# %% id="fig-scenes" tags=["nbval-ignore-output"]
figure, panels = plt.subplots(3, 4, figsize=(8.4, 5.6))
for row, which in zip(panels, ("how many", "left and right", "which colour")):
    for at in range(2):
        for side in range(2):
            draw(row[2 * at + side], SETS[which][side][at * 7], SETS[which][2 + side][at * 7])
show(figure, alt="Three rows of scenes in pairs: the same thing a different number of times, two "
     "things with their places exchanged, and a circle on a square with their colours exchanged.")

# %% id="winoground-scores"
scores, alike = {}, {}
print("                           text (interval)   image    group     two captions, two scenes")
for which, (one, other_scene, words, others) in SETS.items():
    seen = torch.stack([see(one), see(other_scene)], dim=1)
    spoken = torch.stack([read(words), read(others)], dim=1)
    scores[which] = 100 * winoground(torch.einsum("npd,ncd->npc", seen, spoken))
    alike[which] = [(two[:, 0] * two[:, 1]).sum(dim=1).mean().item() for two in (spoken, seen)]
    text, image, group = scores[which].tolist()
    low, high = interval(round(text / 100 * len(one)), len(one))
    print(f"{which:22} {f'⟨{text:.0f} %⟩':>7} {f'(⟨{100 * low:.0f}⟩ to ⟨{100 * high:.0f}⟩)':14}"
          f"{f'⟨{image:.0f} %⟩':>7} {f'⟨{group:.0f} %⟩':>8}     "
          f"cosine ⟨{alike[which][0]:.2f}⟩, ⟨{alike[which][1]:.2f}⟩")
for which, control in (("how many", "  another thing"), ("left and right", "  another on the left"),
                       ("which colour", "  two other colours")):
    claim(f"{which}: text score, no better than chance", scores[which][0], at_most=25, unit="%",
          control={control.strip(): scores[control][0]},
          paper="Thrush et al. 2022, table 3: CLIP 30.8 % (image 10.5, group 8.0), people 89.5 %")

# %% id="fig-winoground" tags=["nbval-ignore-output"]
figure, axes = plt.subplots(figsize=(7.4, 3.4))
for at, (which, score) in enumerate(scores.items()):
    total, plain = len(SETS[which][0]), not which.startswith(" ")
    low, high = interval(round(score[0].item() / 100 * total), total)
    axes.barh(at, score[0].item(), color=colours.VERMILION if plain else colours.BLUE,
              label=("what is tested", "its control")[at] if at < 2 else None)
    axes.plot([100 * low, 100 * high], [at, at], color=colours.INK, linewidth=1.4)
axes.axvline(25, color=colours.INK, linestyle="--", linewidth=1, label="chance")
if guess_left.value is not None:
    axes.plot(guess_left.value, 2, marker="*", markersize=14, color=colours.PINK, linestyle="",
              label="your guess")
axes.set_yticks(range(len(scores)), [which.strip() for which in scores])
axes.invert_yaxis()
axes.set(xlabel="text score, %", title="What changes between two scenes")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(figure, alt="Six bars. How many, left and right, and which colour lie below the dashed line "
     "of chance; the controls beside them, where another thing or colour is shown, far above it.")

# %% [markdown] id="winoground-read"
# All three are not only no better than chance, they are below it, and that is what a collector of words must look like. Take *left and right*. Both captions get nearly the same vector (cosine 0.92 on average, and 0.98 for the colours); whatever is left of a difference does not depend on the picture. So both pictures prefer the same caption, one of them wrongly, and the item is lost. Only who tosses a coin anew for each picture gets ¼. (The CLIP of the paper has a text score a little above chance; its image and group scores are below, as ours.) The controls are seen: exchange a thing or two colours, and the right caption is found far more often than by chance.
#
# How could it be otherwise? Training asks which of the batch's captions fits a picture. There is hardly ever a caption among them with the same words in another order. Whoever hears *house* and *bell* has won, and order is never worth learning (Yuksekgonul et al. 2023 show this for large models, too). As for numbers, no emoji shows three bells. In exercise 3 you ask whether the number is missing from the picture's vector, or only from what words reach.
#
# **Question.** In the control of *which colour*, two things change: both colours. Why was it not enough to change one?
#
# <details><summary>Answer</summary>
#
# *Red circle on blue square* against *green circle on blue square* would have been the closer control. We tried it: it came out only a little above chance, so that it could not have told a failure of order from a failure to see a small circle. The closer a control is to what is tested, the more it says; but it has to succeed.
#
# </details>
#
# ## 7 · What people drew and wrote
#
# Lab 01 asked which way words lean. Pictures lean, too, and emoji let us ask it cleanly: of many roles there are three versions, *scientist*, *woman scientist* and *man scientist*. Unicode says that the first shows a person whose gender is not said. Each team of artists had to draw that somehow.
#
# Draw a line from the woman's vector to the man's, and let the neutral person's vector throw its shadow on it. With $m$ the neutral vector, $a$ the man's and $b$ the woman's, the shadow falls at
#
# $$\frac{(m - b) \cdot (a - b)}{(a - b) \cdot (a - b)}$$
#
# of the way: 0 is at the woman's place, 1 at the man's, one half is right between them. It can fall outside, too.

# %% id="leaning" tags=["exercise"] minutes=8 difficulty=3 teaches="a shadow on a line: how far from one end to the other"
def leaning(middle, one, other):
    """Where each vector's shadow falls on the line from `other` to `one`: 0 at `other`, 1 at `one`.

    middle, one, other: [n, dim], a row each
    returns [n]
    """
    ### BEGIN SOLUTION
    way = one - other
    gone = middle - other
    return (gone * way).sum(dim=-1) / way.square().sum(dim=-1)
    ### STUB
    # way = ...
    # gone = ...
    # return ...
    ### END SOLUTION

# %% id="check-leaning" tags=["check"]
leaning = check("leaning")

# %% [markdown] id="roles-text"
# Four sets have all three versions of enough roles: Noto, Twemoji and two by one team, Fluent in depth and Fluent flat. First a test of the ruler: does CLIP tell the versions apart? For every man and every woman, which of the role's three names is nearest?

# %% id="roles"
TEAMS = ["noto", "twemoji", "fluent-emoji", "fluent-emoji-flat"]
triples = []
for name in pictures.names:
    role = name.removeprefix("man ")
    if role != name and f"woman {role}" in number_of and ": " not in name:
        neutral = next((each for each in (role, f"person {role}") if each in number_of), None)
        if neutral:
            triples.append([number_of[each] for each in (neutral, name, f"woman {role}")])
versions = torch.tensor(triples, device=lab.device)  # [roles, 3]: neutral, man, woman
teams = torch.tensor([pictures.styles.index(team) for team in TEAMS], device=lab.device)
complete = (place_of[teams][:, versions] >= 0).all(dim=2).all(dim=0)
versions = versions[complete]
people = vectors[place_of[teams][:, versions]]  # [teams, roles, 3, dim]
role_names = names[versions]  # [roles, 3, dim]
nearest = torch.einsum("trvd,rnd->trvn", people, role_names).argmax(dim=3)
told = 100 * (nearest[..., 1:] == torch.tensor([1, 2], device=lab.device)).float().mean().item()
crossed = 100 * (nearest[..., 1:] == torch.tensor([2, 1], device=lab.device)).float().mean().item()
print(f"{len(versions)} roles, {len(TEAMS)} sets")
claim("men and women whose own name is nearest of the three", told, above=80, unit="%",
      control={"man's and woman's name exchanged": crossed})

# %% [markdown] id="roles-lean-text"
# Now the leanings. A set without a default would scatter around ½. How likely is a mean as far from ½ if each role were as likely to lean one way as the other? Turn random signs: the share of such means that are at least as far off is $p$. It is asked of all roles, and of those that Unicode lists as roles in the narrower sense: jobs, mostly. The rest are gestures, sports and creatures.

# %% id="roles-lean"
lean = torch.stack([leaning(*team.unbind(dim=1)) for team in people]).cpu()  # [teams, roles]
lean_of_names = leaning(*role_names.unbind(dim=1)).cpu()


def by_chance(off, times=10_000):
    """How often random signs give a mean at least as far from zero: a permutation test."""
    coins = torch.randint(2, (times, len(off)), generator=torch.Generator().manual_seed(0))
    signs = 2.0 * coins - 1
    as_far = (signs @ off).abs() >= off.sum().abs() - 1e-4
    return (1 + as_far.sum().item()) / (1 + times)


def agreement(one, other):
    """The correlation of two lists."""
    return torch.corrcoef(torch.stack([one, other]))[0, 1].item()


jobs = torch.tensor([concepts[at].subgroup == "person-role" for at in versions[:, 0].tolist()])
print(f"                   all {len(versions)} roles: mean, p       lowest, highest    "
      f"{int(jobs.sum())} jobs: mean, p")
for team, leans in (*zip(TEAMS, lean), ("the names", lean_of_names)):
    print(f"{team:18} ⟨{leans.mean():.2f}⟩, p = ⟨{by_chance(leans - 0.5):.3f}⟩    "
          f"⟨{leans.min():5.2f}⟩, ⟨{leans.max():.2f}⟩    "
          f"⟨{leans[jobs].mean():.2f}⟩, p = ⟨{by_chance(leans[jobs] - 0.5):.4f}⟩")
claim("neutral persons in jobs, mean over four sets", lean[:, jobs].mean(), above=0.55,
      control={"in all other roles": lean[:, ~jobs].mean()})
mixed_roles = torch.randperm(len(lean_of_names), generator=torch.Generator().manual_seed(0))
print(f"Noto and Twemoji, correlation over roles: ⟨{agreement(lean[0], lean[1]):.2f}⟩")
claim("which roles lean, Twemoji's and Fluent's: correlation", agreement(lean[1], lean[2]),
      above=0.35, control={"roles shuffled": agreement(lean[1], lean[2][mixed_roles])})
claim("which roles lean, pictures' and names': correlation",
      agreement(lean.mean(dim=0), lean_of_names), above=0.35,
      control={"roles shuffled": agreement(lean.mean(dim=0), lean_of_names[mixed_roles])})

# %% id="fig-roles" tags=["nbval-ignore-output"]
ranked = jobs.nonzero()[:, 0][lean[:, jobs].mean(dim=0).argsort()].tolist()
figure, axes = plt.subplots(figsize=(7.4, 5.6))
looks = (("o", colours.BLUE), ("s", colours.ORANGE), ("^", colours.GREEN), ("v", colours.SKY))
for team, leans, (marker, colour) in zip(TEAMS, lean, looks):
    axes.scatter(leans[ranked], range(len(ranked)), marker=marker, s=24, color=colour, label=team)
axes.scatter(lean_of_names[ranked], range(len(ranked)), marker="|", s=90, color=colours.INK,
             label="the name")
axes.axvline(0.5, color=colours.GREY, linestyle="--", linewidth=1)
axes.set_yticks(range(len(ranked)), [pictures.names[versions[at, 0]] for at in ranked], fontsize=8)
axes.set_xticks([0, 0.5, 1], ["0: as the woman", "½", "1: as the man"])
axes.set(title="Where the neutral person lies")
axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
show(figure, alt="For two dozen roles, where the neutral picture of each set lies between the "
     "woman's and the man's. Farmers, firefighters and scientists lie near the man's in three "
     "sets of four; Noto's lie mostly near the middle or on the woman's side. Most names' "
     "marks lie a little on the man's side.")

# %% [markdown] id="weat-text"
# And does it follow what people think about jobs? Zhao et al. (2018) sorted occupations by the share of women in them, from United States labour statistics. Twelve of our neutral persons fit their lists, some more or less (a technologist for their developer, a police officer for their sheriff, a factory worker for their laborer, a health worker for their nurse, an office worker for their secretary, an artist for their designer): eight from the one where men are the majority, four from the other. Lab 01's test: the effect size $d$, and how often a random division of the twelve leans as far. Which end is *man* and which is *woman* can be said in two ways: by the words of lab 01, and by pictures (*man*, *boy*, *old man*; *woman*, *girl*, *old woman*).

# %% id="weat"
MORE_MEN = ("cook,construction worker,farmer,guard,mechanic,technologist,police officer,"
            "factory worker")
MORE_WOMEN = "teacher,health worker,office worker,artist"
MALE = "male man boy brother he him his son"
FEMALE = "female woman girl sister she her hers daughter"
HE, SHE = ["man", "boy", "old man"], ["woman", "girl", "old woman"]


def pictured(shown):
    """The mean vector of each concept's pictures, over the artists who drew it."""
    spots = [place_of[:, number_of[name]] for name in shown]
    return torch.stack([vectors[spot[spot >= 0]].mean(dim=0) for spot in spots])


jobs_of = [listed.split(",") for listed in (MORE_MEN, MORE_WOMEN)]
ends_of = {"words": (read(MALE.split()), read(FEMALE.split())),
           "pictures": (pictured(HE), pictured(SHE))}
print("targets      ends        d         p")
for what, targets in (("pictures", [pictured(shown) for shown in jobs_of]),
                      ("names", [read(shown) for shown in jobs_of])):
    for how, (he, she) in ends_of.items():
        d = word2vec.weat(*targets, he, she).item()
        p = word2vec.weat_p_value(*targets, he, she)
        print(f"{what:12} {how:10} ⟨{d:+.2f}⟩   ⟨{p:.3f}⟩")

# %% [markdown] id="weat-read"
# Take the parts one by one.
#
# - *The ruler works.* Nine men or women in ten are told by their name. (Most of these pictures were in training.)
# - *Jobs lean to the man.* Over all roles the neutral person lies about halfway in each set, and a careless reader would stop there. Among jobs it does not: in Twemoji and in both Fluents the person whose gender is not said lies well on the man's side, by far more than chance may do. In Noto it does not, rather a little on the other side. Gestures, sports and creatures make up for it in the mean.
# - *Sets by different teams agree in part about which roles lean*: Twemoji and Fluent clearly, Noto and Twemoji little. That is in the drawings, a haircut, a beard, a dress. And the names lean as the pictures do: it was from these pictures that CLIP learned what the words mean.
# - *With the job market?* With words as the ends, the pictures lean as the statistics do, by more than one standard deviation. With pictures as the ends little is left. Four tests were made, and one of four with $p$ = 0.02 is no strong evidence; and twelve roles are few.
#
# The last point is worth remembering. An effect size sounds like a property of the model. It is a property of the model *and* of the lists, and who reports one list only has chosen. The artists' choices are a part of what we measure, too, and cannot be taken apart from CLIP's here: to it, they *are* what the words mean.
#
# **Question.** Someone concludes from “about ½ on average” that the model is fair. What is wrong with that?
#
# <details><summary>Answer</summary>
#
# A mean over roles hides the roles. If every firefighter is drawn as a man and every fairy as a woman, the mean is ½, and no picture is. What counts depends on what the model is used for: whoever searches for *firefighter* sees the firefighters, not the mean. (We, too, first looked at the mean over all roles, and saw the jobs only when we drew the figure. What is found that way should be tested again on other pictures.)
#
# </details>
#
# ## 8 · What was claimed, and what you measured
#
# | claim | the paper says | here |
# |---|---|---|
# | one can ask for anything that has a name | 76.2 % of ImageNet without one of its labels (Radford et al. 2021, table 1) | nearly half of an unseen artist's pictures, among 1,640 names; more than a third of concepts that it never saw, among 150: section 1 |
# | a name is worth about four labels a class | on average over 20 data sets, with wide differences (figures 6 and 7) | one or two for a kind's own word, eight to sixteen for the names of what belongs to it, less than one for a new concept: section 3 |
# | it falls less than a supervised model | the gap shrinks by up to 75 % (§3.3) | yes; and so does the same classifier without any language if six hands taught it: section 4 |
# | it transfers | zero-shot beats a supervised probe on ResNet-50 features on 16 of 27 data sets (§3.1.5) | far above chance on stamps, and far from useful: section 5 |
# | it collects words | Winoground: group score 8.0 % for CLIP, chance 16.7 % (Thrush et al. 2022, table 3) | text score: below chance in all three sets, above it in their controls (the group score of the control with colours is at chance, too): section 6 |
# | it takes over what people wrote | (§7.1 of the paper, by other tests) | neutral persons in jobs lie nearer to the man, in three of four sets; over all roles none does; what job statistics explain hangs on the list of ends: section 7 |
#
# **What does not carry over.** Radford et al. trained on 400 million pictures and texts; ours saw some seven thousand pictures of one kind. That zero-shot works for new *concepts* at all is here due to GloVe's vectors and to parts shared among emoji, there to having seen nearly everything. Our scenes are far from anything that our CLIP saw, where Winoground's photographs are not far from what a large CLIP saw; the controls say how much of the failure is due to that. And a fall from one emoji set to another is a small step beside that from photographs to sketches.
#
# **Three questions to ask of any paper**
#
# - *What is actually new?* In CLIP, the scale, and that zero-shot transfer is measured, on dozens of tasks, as the thing to look at.
# - *What is not?* Learning pictures from captions (Joulin et al. 2016; Li et al. 2017), and the loss (Sohn 2016; Zhang et al. 2020), as the paper says itself.
# - *When does it fail?* When the order of words matters; when something is to be counted; when the class has no good name; when pictures are unlike all that was seen.

# %% id="progress"
progress()

# %% [markdown] id="further"
# ## 9 · Going further
#
# **1. Close the gap.** Take the mean of the training pictures' vectors from all pictures, and the mean of all names from all names, and bring the lengths back to one. What becomes of the gap, of the cosine between a picture and its own name, and of zero-shot classification?
#
# <details><summary>Solution</summary>
#
# ```python
# seen_mean = vectors[pictures.purpose["train"]].mean(dim=0)
# moved = F.normalize(shelf_vectors - seen_mean, dim=1)
# moved_names = F.normalize(names - names.mean(dim=0), dim=1)
# gap_left = (moved.mean(dim=0) - moved_names.mean(dim=0)).norm().item()
# own_moved = (moved * moved_names[pictures.concept[shelf]]).sum(dim=1).mean()
# hits_moved = clip.rank_of_truth(moved, moved_names, pictures.concept[shelf]) == 0
# hits_before = clip.rank_of_truth(shelf_vectors, names, pictures.concept[shelf]) == 0
# print(f"own name: cosine ⟨{own:.2f}⟩, then ⟨{own_moved:.2f}⟩; right: "
#       f"⟨{100 * hits_before.float().mean():.1f} %⟩, then ⟨{100 * hits_moved.float().mean():.1f} %⟩")
# claim("gap that is left", gap_left, below=0.2, control={"before": gap})
# ```
#
# Most of the gap is gone (what is left is there because the unseen style has a mean of its own), and classification is as good as before. The cosine with the own name even falls a little: part of it was what all pictures had in common with all names.
# </details>
#
# **2. Not.** Search for *apple* and for *not an apple*, for *animal* and *no animal*, and so on for all of `THINGS`. How many of the ten pictures found are the same?
#
# <details><summary>Solution</summary>
#
# ```python
# plain, *rivals = (find([pattern.format(name) for name in THINGS], 10)
#                   for pattern in ("{}", "not {}", "no {}", "anything without {}"))
# shared = lambda one, two: (one[:, :, None] == two[:, None, :]).any(dim=2).float().mean().item()
# for what, places in zip(("not", "no", "anything without"), rivals):
#     print(f"{what}: ⟨{100 * shared(plain, places):.0f} %⟩ the same")
# claim("the same pictures for a thing and for “not” that thing", 100 * shared(plain, rivals[0]),
#       above=20, unit="%", control={"for another thing": 100 * shared(plain, plain.roll(1, 0))})
# ```
#
# *Not* is a word like another. It moves the vector, so other pictures come in; but a third of them and more are still the very thing that was not wanted, many times what another thing's search shares with it. A search that understood would share none.
# </details>
#
# **3. Is it in the picture?** All scores for *how many* are below chance. Does the picture's vector not know the number, or is it only that no caption said it? Fit a probe for 1, 2, 3, 4 on scenes of half of the things, and ask it about scenes of the other half.
#
# <details><summary>Solution</summary>
#
# ```python
# drawers = torch.arange(7, device=lab.device).repeat_interleave(4 * len(THINGS))
# shown = [name for name in THINGS for _ in range(4)] * 7
# numbers = torch.arange(1, 5).repeat(7 * len(THINGS))
# scene_vectors = see(several(drawers, shown, numbers))
# to_count = (numbers - 1).to(lab.device)
# even = torch.tensor([THINGS.index(name) % 2 == 0 for name in shown], device=lab.device)
# counter = fit_probe(scene_vectors[even], to_count[even], 4, STRENGTH)
# spoken = torch.stack([read([f"{number} {name}" for number in NUMBERS]) for name in shown[::4]])
# by_words = torch.einsum("sd,snd->sn", scene_vectors, spoken.repeat_interleave(4, dim=0))
# said_right = 100 * (by_words.argmax(dim=1) == to_count)[~even].float().mean().item()
# claim("how many, told by a probe on things it was not fitted on",
#       probe_right(counter, scene_vectors[~even], to_count[~even]), above=60, unit="%",
#       control={"told by words": said_right})
# ```
#
# The vector knows much of it: a probe tells two in three, of things it was never fitted on. Words do not get it out: they are at chance, which is one in four. So what fails here is not the eye but the link: nothing in training ever tied that direction to a word.
# </details>
#
# **Reading.** Radford et al. (2021), “Learning Transferable Visual Models From Natural Language Supervision”. Liang et al. (2022), “Mind the Gap: Understanding the Modality Gap in Multi-modal Contrastive Representation Learning”. Fang et al. (2022), “Data Determines Distributional Robustness in Contrastive Language Image Pre-training”. Thrush et al. (2022), “Winoground: Probing Vision and Language Models for Visio-Linguistic Compositionality”. Yuksekgonul et al. (2023), “When and Why Vision-Language Models Behave like Bags-of-Words, and What to Do About It?”. Zhao et al. (2018), “Gender Bias in Coreference Resolution: Evaluation and Debiasing Methods”. Van der Maaten and Hinton (2008), “Visualizing Data using t-SNE”. Joulin et al. (2016), “Learning Visual Features from Large Weakly Supervised Data”. Li et al. (2017), “Learning Visual N-Grams from Web Data”. Zhang et al. (2020), “Contrastive Learning of Medical Visual Representations from Paired Images and Text”. Sohn (2016), “Improved Deep Metric Learning with Multi-class N-pair Loss Objective”.
#
# Next comes [lab 08, Diffusion](08_diffusion.ipynb).

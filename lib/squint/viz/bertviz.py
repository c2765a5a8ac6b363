"""bertviz's three views of attention, offline (Vig 2019, arXiv:1906.05714).

bertviz draws in the browser and fetches require.js, d3 and jQuery from a content network. Here d3 and jQuery come from
`static/`, inside the view itself, and a line stands in for require.js. A view therefore works in JupyterLab, in
nbconvert's HTML and on a static page, with no network and whichever of its neighbours were run; the price is 320 kB a
view.
"""

import hashlib
import html
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jaxtyping import Float
from torch import Tensor

LIBRARIES = {"jquery": "jquery-2.2.4.min.js", "d3": "d3-5.7.0.min.js"}
DIGITS = 3
"""Decimals kept of every number: as fine as a screen can show, and a quarter of the size."""

CARD = "background:#fff;color:#202020;color-scheme:light;padding:12px;border-radius:6px;overflow-x:auto"
# JupyterLab shrinks every svg to its column and sets its height to auto, which would cut off the last rows.
STYLE = "div.squint-bertviz div svg{max-width:none;min-width:var(--least);height:revert-layer}"
LEAST = {"head": 360, "model": 870, "neuron": 870}
"""Pixels that each view needs from side to side; a narrower page scrolls."""
NARROWER = {
    "DIV_WIDTH = 970": "DIV_WIDTH = 870",
    "MATRIX_WIDTH = 200": "MATRIX_WIDTH = 154",
    "k (elementwise)": "k, by entry",
}
"""What makes the model view and the neuron view fit JupyterLab's column on a laptop, some 900 pixels with the card."""


@dataclass(frozen=True)
class View:
    """A drawing that Jupyter shows; `html` is all of it, for a page of one's own."""

    html: str
    description: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.description


def head_view(
    attention: Float[Tensor, "layers heads tokens tokens"],
    tokens: list[str],
    layer: int = 0,
    heads: list[int] | None = None,
) -> View:
    """Lines from each token (left) to those it attends to (right), for one layer and the chosen heads (all if None).

    Hover a token to see its lines alone; click a coloured square to switch a head, double-click to see only that one.
    """
    from bertviz.head_view import head_view as draw

    drawn = draw(as_layers(attention), list(tokens), layer=layer, heads=heads, html_action="return")
    return offline(drawn.data, f"bertviz head view, layer {layer}: {sizes(attention)}", LEAST["head"])


def translation_view(
    cross_attention: Float[Tensor, "layers heads target source"],
    source: list[str],
    target: list[str],
    layer: int = 0,
    heads: list[int] | None = None,
) -> View:
    """Lines from each token of the target (left) to those of the source (right) that it attends to.

    `target[i]` names row i, so for alignment give the tokens that are *said* there, not those that were seen.
    """
    from bertviz.head_view import head_view as draw

    drawn = draw(
        cross_attention=as_layers(cross_attention), encoder_tokens=list(source), decoder_tokens=list(target),
        layer=layer, heads=heads, html_action="return",
    )  # fmt: skip
    layers, count, rows, columns = cross_attention.shape
    size = f"{layers} layers × {count} heads, {rows} tokens look at {columns}"
    return offline(drawn.data, f"bertviz head view of cross-attention, layer {layer}: {size}", LEAST["head"])


def model_view(attention: Float[Tensor, "layers heads tokens tokens"], tokens: list[str]) -> View:
    """All layers (rows) and heads (columns) at once, small; click one to enlarge it."""
    from bertviz.model_view import model_view as draw

    drawn = draw(as_layers(attention), list(tokens), display_mode="light", html_action="return")
    return offline(drawn.data, f"bertviz model view: {sizes(attention)}", LEAST["model"])


def neuron_view(
    attention: Float[Tensor, "layers heads tokens tokens"],
    query: Float[Tensor, "layers heads tokens dim"],
    key: Float[Tensor, "layers heads tokens dim"],
    tokens: list[str],
    layer: int = 0,
    head: int = 0,
    token: int | None = None,
) -> View:
    """How one head comes to its weights: hover a token, press its plus, and read query × key entry by entry.

    `token` opens the view on that token's computation; otherwise it opens on the weights.
    """
    from bertviz.neuron_view import show as draw

    layers = [
        {"attn": rounded(a)[None], "queries": rounded(q)[None], "keys": rounded(k)[None]}
        for a, q, k in zip(attention, query, key, strict=True)
    ]
    drawn = draw(
        Replay(layers), "bert", Spelled(tokens), " ".join(tokens),
        display_mode="light", layer=layer, head=head, html_action="return",
    )  # fmt: skip
    page = drawn.data if token is None else opened(drawn.data, token)
    return offline(page, f"bertviz neuron view, layer {layer}, head {head}: {sizes(attention)}", LEAST["neuron"])


class Replay:
    """Stands in for the model that bertviz's neuron view wants to run: returns what was computed before."""

    def __init__(self, layers: list[dict[str, Tensor]]):
        self.layers = layers

    def eval(self) -> None:
        """Nothing to switch off."""

    def __call__(self, token_ids: Tensor) -> tuple[list[dict[str, Tensor]]]:
        """All layers, whatever the tokens."""
        return (self.layers,)


class Spelled:
    """Stands in for the tokenizer: the first and last tokens are the special ones that bertviz adds by itself."""

    def __init__(self, tokens: list[str]):
        self.cls_token, *self.middle, self.sep_token = tokens

    def tokenize(self, text: str) -> list[str]:
        """The tokens between the first and the last, whatever the text."""
        return list(self.middle)

    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]:
        """Numbers that nobody looks at."""
        return list(range(len(tokens)))


def rounded(x: Tensor) -> Tensor:
    """Few decimals, in float64 so that they print as few decimals."""
    return x.detach().cpu().double().round(decimals=DIGITS)


def as_layers(attention: Float[Tensor, "layers heads queries keys"]) -> list[Tensor]:
    """One `1 heads queries keys` a layer, which is what bertviz takes."""
    return list(rounded(attention)[:, None])


def sizes(attention: Float[Tensor, "layers heads tokens tokens"]) -> str:
    """The sizes in words, for those who cannot see the drawing."""
    layers, heads, tokens, _ = attention.shape
    return f"{layers} layers × {heads} heads × {tokens} tokens"


@cache
def library(name: str) -> str:
    """A vendored library as an expression whose value is the library, deaf to any module loader of the page."""
    source = (resources.files("squint.viz") / "static" / LIBRARIES[name]).read_text(encoding="utf-8")
    hidden = "var module={exports:{}},exports=module.exports,define=undefined;"
    return f"(function(){{{hidden}\n{source}\n;return module.exports}}).call(window)"


def opened(page: str, token: int) -> str:
    """The neuron view's page, set to start with one token's computation open."""
    closed = "config.expanded = false;\n            config.bidirectional"
    return page.replace(closed, f"config.expanded = true; config.index = {token};\n            config.bidirectional")


# A copied cell, or a page with two equal views, has one id twice: each drawing takes the first that is still empty.
SCRIPT = """(function () {
const root = [...document.querySelectorAll('[id="VIEW"]')].find(e => !e.dataset.drawn);
if (!root) return;
root.dataset.drawn = "yes";
root.id = "VIEW-" + Math.random().toString(36).slice(2);
const libraries = {LIBRARIES};
const requirejs = (names, draw) => draw(...names.map(name => libraries[name]));
DRAW
})();"""


def offline(page: str, description: str, least: int) -> View:
    """bertviz's page with the libraries inside, an id that depends on its content alone, and an opaque card.

    `least` is the width in pixels below which the card scrolls.

    Raises:
        ValueError: if the page is not built as bertviz 1.4.1 builds it.
    """
    found = re.search(r"bertviz-[0-9a-f]{32}", page)
    if found is None:
        raise ValueError("this is not a page of bertviz 1.4.1; install the pinned version.")
    body, *scripts = page.replace(found.group(), "VIEW").split('<script type="text/javascript">\n')
    draw = "\n".join(script.rpartition("</script>")[0] for script in scripts)
    view = "bertviz-" + hashlib.sha256(draw.encode()).hexdigest()[:16]
    body = re.sub(r"<script src=.*?</script>", "", body).replace("VIEW", view)
    libraries = ", ".join(f"{name}: {library(name)}" for name in LIBRARIES)
    script = SCRIPT.replace("VIEW", view).replace("LIBRARIES", libraries).replace("DRAW", mended(draw))
    label = html.escape(description)
    about = f'role="figure" aria-label="{label}" style="{CARD};--least:{least}px"'
    card = f'<style>{STYLE}</style><div class="squint-bertviz" {about}>{body}</div>'
    return View(f"{card}<script>{script}</script>", description)


def mended(draw: str) -> str:
    """bertviz's own script, without its network addresses, narrower and safe inside a page."""
    draw = re.sub(r"require\.config\(\{.*?\}\);", "", draw, flags=re.DOTALL)
    draw = draw.replace('"VIEW"', "root.id")
    for wide, narrow in NARROWER.items():
        draw = draw.replace(wide, narrow)
    # The neuron view looks for #vis on the whole page, and would find the drawing of a view above it.
    draw = draw.replace('d3.select("#vis")', "d3.select(`#${config.rootDivId} #vis`)")
    # A token such as </script> or <!-- must not end the script that holds it.
    return draw.replace("</", "<\\/").replace("<!--", "<\\!--")

"""bertviz with no network: what the page holds, and what a browser draws of it."""

import pathlib
import re
import shutil

import pytest
import torch

from squint.viz import bertviz

TOKENS = ["[CLS]", "the", "</script><!--", "it", "'s", '"', "[SEP]"]
CHROMIUM = shutil.which("chromium")


@pytest.fixture(scope="module")
def views() -> dict[str, bertviz.View]:
    random = torch.Generator().manual_seed(0)
    weights = torch.randn(3, 4, 7, 7, generator=random).softmax(dim=-1)
    query, key = torch.randn(2, 3, 4, 7, 16, generator=random)
    return {
        "head": bertviz.head_view(weights, TOKENS, layer=2, heads=[1, 3]),
        "model": bertviz.model_view(weights, TOKENS),
        "neuron": bertviz.neuron_view(weights, query, key, TOKENS, layer=1, head=3, token=3),
    }


def test_a_view_asks_the_network_for_nothing(views):
    for view in views.values():
        ours = view.html
        for name in bertviz.LIBRARIES:
            ours = ours.replace(bertviz.library(name), "")
        addresses = set(re.findall(r"https?://[^\s'\"<)]+", ours))
        assert all("github.com" in address for address in addresses), addresses  # a credit in a comment
        assert not re.search(r"<(script|link|img)[^>]+(src|href)=", ours)


def test_equal_input_gives_equal_html_and_other_input_another_id(views):
    weights = torch.full((1, 1, 2, 2), 0.5)
    first, again = (bertviz.head_view(weights, ["a", "b"]).html for _ in range(2))
    other = bertviz.head_view(weights, ["a", "c"]).html
    ids = [re.search(r'id="(bertviz-\w+)"', page).group(1) for page in (first, other)]
    assert first == again
    assert ids[0] != ids[1]


def test_what_cannot_be_seen_is_said(views):
    assert repr(views["head"]) == "bertviz head view, layer 2: 3 layers × 4 heads × 7 tokens"
    assert 'aria-label="bertviz model view: 3 layers × 4 heads × 7 tokens"' in views["model"].html


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="positions"):
        bertviz.head_view(torch.ones(1, 1, 3, 3), ["two", "tokens"])


def test_the_wide_views_fit_a_column_of_900_pixels(views):
    """With the card's padding, 24 pixels; and what makes them narrower is still found in bertviz's own scripts."""
    assert max(bertviz.LEAST.values()) <= 900 - 24
    assert "DIV_WIDTH = 870" in views["model"].html and "DIV_WIDTH = 970" not in views["model"].html
    assert "MATRIX_WIDTH = 154" in views["neuron"].html and "MATRIX_WIDTH = 200" not in views["neuron"].html
    left_text, padding, matrix, dot = 15 * 8, 25, 154, 26
    assert 2 * left_text + 5.5 * padding + 3 * matrix + dot <= bertviz.LEAST["neuron"]


def test_a_page_that_is_not_bertvizs_is_refused():
    with pytest.raises(ValueError, match="1.4.1"):
        bertviz.offline("<p>something else</p>", "nothing", 100)


def test_each_vendored_library_has_its_licence_beside_it():
    static = pathlib.Path(bertviz.__file__).parent / "static"
    for file in bertviz.LIBRARIES.values():
        assert (static / file).stat().st_size > 50_000
        assert "Copyright" in (static / file.replace(".min.js", ".LICENSE.txt")).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_a_browser_draws_all_views_on_one_page_and_equal_ones_twice(views, tmp_path):
    from playwright.sync_api import sync_playwright

    page_file = tmp_path / "page.html"
    shown = [views["head"], views["model"], views["neuron"], views["head"]]
    page_file.write_text(
        '<!DOCTYPE html><meta charset="utf-8"><body style="background:#111;color:#eee">'
        "<style>.page svg{max-width:100%;height:auto}</style><div class=page style='width:700px'>"
        + "".join(view.html for view in shown),
        encoding="utf-8",
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 900})
        requests, errors = [], []
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_file.as_uri())
        cards = page.locator("[role=figure]")
        cards.nth(3).locator("svg line").first.wait_for(state="attached")
        drawn = [cards.nth(i).locator("svg line").count() for i in range(4)]
        words = cards.nth(0).locator("svg text").all_text_contents()
        backgrounds = [card.evaluate("e => getComputedStyle(e).backgroundColor") for card in cards.all()]
        sizes = [card.locator("svg").first.bounding_box() for card in cards.all()]
        opened = cards.nth(2).locator("#expanded").get_attribute("visibility")
        selected = cards.nth(2).locator("#expanded .qk-line-group").nth(3).evaluate("e => getComputedStyle(e).opacity")
        browser.close()
    assert requests == [page_file.as_uri()]
    assert errors == []
    assert drawn[0] == drawn[3] == 4 * 7 * 7 and drawn[1] == 3 * 4 * 7 * 7 and drawn[2] > 0
    assert words == TOKENS * 2
    assert backgrounds == ["rgb(255, 255, 255)"] * 4
    assert (opened, selected) == ("visible", "1")
    # The page shrinks pictures, as JupyterLab does; all rows and columns are there all the same.
    assert sizes[1]["width"] >= 870 and sizes[1]["height"] > 3 * 7 * 21
    assert sizes[2]["width"] >= 870

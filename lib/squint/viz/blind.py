"""A blind test: was it a person who wrote this, or a model? With buttons that keep score, and on paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any

HOW = ("a person wrote it", "the model wrote it")


def interval(right: int, asked: int, share: float = 0.95) -> tuple[float, float]:
    """Which shares of right answers are compatible with so many right ones: exact (Clopper and Pearson 1934).

    Raises:
        ValueError: nothing was asked, or more was right than was asked.
    """
    from scipy.stats import binomtest

    if not 0 <= right <= asked or not asked:
        raise ValueError(f"{right} right answers of {asked} make no share.")
    found = binomtest(right, asked).proportion_ci(share, "exact")
    return float(found.low), float(found.high)


@dataclass
class BlindTest:
    """Passages, and who wrote them.

    Attributes:
        passages: of each, how it begins, which a person wrote, and how it goes on.
        by_model: whether a model wrote how it goes on.
        guesses: for each passage that was judged, whether a model is said to have written it.
    """

    passages: Sequence[tuple[str, str]]
    by_model: Sequence[bool]
    guesses: dict[int, bool] = field(default_factory=dict)

    @property
    def right(self) -> int:
        """How many guesses are right."""
        return sum(guess == self.by_model[i] for i, guess in self.guesses.items())

    def score(self) -> str:
        """How many guesses are right, and what that says."""
        if not self.guesses:
            return "Nothing is judged yet."
        low, high = interval(self.right, len(self.guesses))
        return (
            f"{self.right} of {len(self.guesses)} right: whoever guesses so well is right in {100 * low:.0f} % to "
            f"{100 * high:.0f} % of such passages (exact interval, 95 %)."
        )

    def on_paper(self) -> str:
        """All passages as HTML, their authors folded away below."""
        rows = "".join(f"<li>{shown(*passage)}</li>" for passage in self.passages)
        answers = ", ".join(str(i + 1) for i, model in enumerate(self.by_model) if model)
        folded = f"<details><summary>Whose they are</summary>The model wrote {answers}; a person the others.</details>"
        return f"<ol>{rows}</ol>{folded}"

    def widget(self) -> Any:
        """One passage after the other, two buttons, and the score.

        Raises:
            ImportError: ipywidgets is not there.
        """
        import ipywidgets as widgets

        text, said = widgets.HTML(), widgets.HTML()
        buttons = [widgets.Button(description=how, layout={"width": "max-content"}) for how in HOW]

        def show_next() -> None:
            at = len(self.guesses)
            over = at == len(self.passages)
            text.value = "" if over else f"<b>{at + 1} of {len(self.passages)}</b> {shown(*self.passages[at])}"
            for button in buttons:
                button.disabled = over

        def judge(button: Any) -> None:
            at = len(self.guesses)
            self.guesses[at] = button.description == HOW[1]
            hit = "Right" if self.guesses[at] == self.by_model[at] else "No"
            said.value = f"<i>{hit}: {HOW[self.by_model[at]]}. {self.score()}</i>"
            show_next()

        for button in buttons:
            button.on_click(judge)
        show_next()
        return widgets.VBox([text, widgets.HBox(buttons), said])


def shown(beginning: str, end: str) -> str:
    """A passage as HTML: what is to be judged stands out."""
    begun, ended = (escape(part).replace("\n", "<br>") for part in (beginning, end))
    return f'<span style="opacity:.6">{begun}</span> <b style="font-weight:600">{ended}</b>'

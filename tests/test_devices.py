"""What a GPU would trip over, tried on a CPU: answers, the library and the labs, on a second device that is none."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cells import answered, answers, checks, solution
from fake_device import THERE, SecondDevice, second_device
from test_checks import EXERCISES, LABS, right_answers
from torch import nn

from squint.checks import engine
from squint.checks.elsewhere import Elsewhere, Mixed
from squint.checks.engine import Case, Check, judge
from squint.device import pick
from squint.models import gru, seq2seq, word2vec
from squint.text import decode

HINTS = ("a nudge of a hint", "a plan of a hint")


# ---------------------------------------------------------------- checks on another device than the CPU


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_right_answers_pass_on_an_apple_gpu(lab: str, name: str):
    """Nothing there is in float64, and no law, case or comparison mixes it with the CPU."""
    for answer in right_answers(lab, name):
        with SecondDevice():
            verdict = judge(checks(lab)[name], answer, device=THERE)
        assert verdict.passed, (answer, verdict)


@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_wrong_answers_are_judged_on_an_apple_gpu(lab: str, name: str):
    check = checks(lab)[name]
    wrong = [a for exercise, a, _ in answers(lab).WRONG if exercise == name][:4]
    for answer in (*wrong, lambda *a, **k: torch.zeros(7, 3), lambda *a, **k: "text", object()):
        with SecondDevice():
            verdict = judge(check, answered(lab, name, answer) if isinstance(answer, str) else answer, device=THERE)
        assert not verdict.passed and "The check itself broke" not in (verdict.hint or ""), (answer, verdict)


def test_a_check_that_breaks_says_so_and_does_not_raise():
    check = Check(lambda seed: 1 / 0, HINTS, solution=solution("same", "def same(x):\n    return x"))
    verdict = judge(check, lambda x: x)
    assert verdict.verdict == "not-done" and "The check itself broke" in verdict.hint
    assert "ZeroDivisionError" in verdict.hint


# ---------------------------------------------------------------- tensors that are made where the inputs are not


def told(lab: str, name: str, code: str) -> engine.Verdict:
    return judge(checks(lab)[name], answered(lab, name, code))


MASK = "def padding_mask(sizes, tokens):\n    {}\n"


@pytest.mark.parametrize(
    ("body", "made", "device"),
    [
        ("return (torch.arange(tokens) < sizes[:, None])[:, None]", "torch.arange(tokens)", "sizes"),
        ("return torch.stack([torch.arange(tokens) < each for each in sizes])[:, None]", "torch.arange(tokens)", "each"),
        ("return (sizes[:, None] > torch.tensor(range(tokens)))[:, None]", "torch.tensor(range(tokens))", "sizes"),
        ("return torch.ones(tokens, tokens).tril()[sizes - 1].bool()[:, None]", "torch.ones(tokens, tokens)", "sizes"),
        ("return (sizes[:, None] >= torch.ones(len(sizes), tokens).cumsum(1))[:, None]", "torch.ones", "sizes"),
    ],
)  # fmt: skip
def test_what_is_made_on_the_cpu_is_told_with_its_words(body: str, made: str, device: str):
    verdict = told("02", "padding_mask", MASK.format(body))
    assert not verdict.passed and f"`{made}" in verdict.hint, verdict
    assert verdict.hint.endswith(f"makes a tensor on the CPU; on a GPU it would not mix with yours: give it device={device}.device.")  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        "return (torch.arange(tokens, device=sizes.device) < sizes[:, None])[:, None]",
        "return (torch.arange(tokens).to(sizes) < sizes[:, None])[:, None]",
        "return (torch.arange(tokens).to(sizes.device) < sizes[:, None])[:, None]",
        "return (sizes.new_tensor(range(tokens)) < sizes[:, None])[:, None]",
        "return (torch.ones_like(sizes)[:, None].repeat(1, tokens).cumsum(1) <= sizes[:, None])[:, None]",
        "return torch.tensor([[i < n for i in range(tokens)] for n in sizes.tolist()])[:, None]",
        "return torch.stack([torch.arange(tokens) < int(n) for n in sizes])[:, None]",
        "return (torch.arange(tokens) < sizes.cpu()[:, None])[:, None].to(sizes.device)",
        "return (sizes[:, None] > torch.as_tensor(0) + torch.arange(tokens, device='cpu'))[:, None]",
        "mask = torch.zeros(len(sizes), 1, tokens) > 0\n    for i, n in enumerate(sizes):\n        mask[i, :, :n] = True\n    return mask",
        "rows = sizes[torch.arange(len(sizes))]\n    return (torch.arange(tokens, device=rows.device) < rows[:, None])[:, None]",
        "import numpy\n    return (numpy.arange(tokens) < sizes.numpy()[:, None])[:, None]",
    ],
)  # fmt: skip
def test_what_a_gpu_would_take_passes(body: str):
    assert told("02", "padding_mask", MASK.format(body)).passed


def test_where_no_tensor_need_be_made_it_is_a_note():
    verdict = told("00", "shrink", (
        "def shrink(images, factor):\n    n = images.shape[2] // factor\n    small = torch.zeros(*images.shape[:2], n, images.shape[3] // factor)\n"
        "    for dy in range(factor):\n        for dx in range(factor):\n            small += images[:, :, dy::factor, dx::factor]\n"
        "    return small / factor**2"
    ))  # fmt: skip
    assert verdict.passed and "give it device=images.device" in verdict.note


def test_a_module_keeps_its_tensors_where_they_are_moved_with_it():
    class Kept(nn.Module):
        def __init__(self, dim):
            super().__init__()
            self.inside, self.scale = nn.Linear(dim, dim), torch.full((dim,), 2.0)

        def forward(self, x):
            return self.inside(x) * self.scale

    class Moved(Kept):
        def __init__(self, dim):
            super().__init__(dim)
            scale = self.scale
            del self.scale
            self.register_buffer("scale", scale)

    check = Check(lambda seed: [Case("a vector", torch.ones(1, 3), init=(3,))], HINTS, solution=solution(Kept))
    check.solution.source.names |= {"nn": nn, "torch": torch}
    assert "device" not in check.solution.code and judge(check, Kept).hint.startswith("`torch.full((dim,), 2.0)`")
    assert judge(check, Moved).passed


def test_tables_and_indices_mix_as_torch_lets_them():
    table, ids = torch.arange(12.0).reshape(4, 3), torch.tensor([2, 0])
    with Elsewhere() as mode:
        mode.give((table, ids))
        assert table[torch.tensor([1])].shape == (1, 3)
        table[torch.tensor([1])] = 0.0
        assert (table * torch.tensor(2.0)).shape == (4, 3)
        mine = torch.zeros(4, 3)
        mine[1:3] = table[:2]
        for mixed in (lambda: torch.eye(4)[ids], lambda: mine + table, lambda: torch.cat([mine, table]),
                      lambda: nn.functional.embedding(ids, mine), lambda: table.index_add_(0, torch.arange(2), table[:2]),
                      lambda: torch.where(mine > 0, table, 0.0)):  # fmt: skip
            with pytest.raises(Mixed):
                mixed()
        assert torch.equal(torch.func.vmap(lambda row: row * 2)(table), table * 2)


def test_what_is_gone_is_forgotten():
    with Elsewhere() as mode:
        mode.give(inputs := torch.ones(3))
        for _ in range(1_000):
            last = inputs + 1
        assert mode.mark(inputs) == mode.mark(last) == "" and len(mode._marks) < 100


# ---------------------------------------------------------------- whatever the notebook has switched


@contextlib.contextmanager
def switched(on, off):
    on()
    try:
        yield
    finally:
        off()


SWITCHES = {
    "gradients off": lambda: torch.set_grad_enabled(False),
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "float64": lambda: switched(
        lambda: torch.set_default_dtype(torch.float64), lambda: torch.set_default_dtype(torch.float32)
    ),
    "another device": lambda: torch.device("meta"),
    "deterministic": lambda: switched(
        lambda: torch.use_deterministic_algorithms(True), lambda: torch.use_deterministic_algorithms(False)
    ),
    "anomalies": lambda: torch.autograd.set_detect_anomaly(mode=True),
}


@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize(("lab", "name"), EXERCISES)
def test_right_answers_pass_whatever_is_switched(lab: str, name: str, switch: str):
    check = replace(checks(lab)[name], kept={})
    answer = check.reference
    with SWITCHES[switch]():
        gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
        verdict = judge(check, answer)
        assert (torch.is_grad_enabled(), torch.get_default_dtype()) == (gradients, dtype)
    assert verdict.passed, verdict
    assert ("Gradients are switched off" in (verdict.note or "")) != gradients


# ---------------------------------------------------------------- one rule for the form of an answer


FORM = {
    "lists": lambda value: value.tolist() if isinstance(value, torch.Tensor) else value,
    "arrays": lambda value: value.numpy() if isinstance(value, torch.Tensor) else value,
    "float64": lambda value: value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value,
}


def of_kind(wanted: Callable[[Check], bool]) -> list:
    """The exercises whose check is so."""
    return [each for each in EXERCISES if wanted(checks(each.values[0])[each.values[1]])]


@pytest.mark.parametrize("form", FORM)
@pytest.mark.parametrize(("lab", "name"), of_kind(lambda check: check.kind != "module"))
def test_answers_in_other_forms_pass_in_every_lab(lab: str, name: str, form: str):
    """Lists and arrays for tensors, except where gradients are asked for."""
    check = checks(lab)[name]
    answer = (
        FORM[form](check.reference) if check.kind == "value" else lambda *a, **k: FORM[form](check.reference(*a, **k))
    )
    verdict = judge(check, answer)
    asked = check.gradients or any("gradient" in (law.__doc__ or "") for law in check.laws)
    lost = asked and form != "float64"
    assert verdict.passed or lost and "grad" in verdict.hint, verdict


@pytest.mark.parametrize(("lab", "name"), of_kind(lambda check: check.kind == "function" and not check.gradients))
def test_answers_that_change_their_inputs_pass_in_every_lab(lab: str, name: str):
    """Functions whose gradient does not need the inputs that were changed."""
    check = checks(lab)[name]

    def in_place(*args, **kwargs):
        value = check.reference(*args, **kwargs)
        value = value.clone() if isinstance(value, torch.Tensor) else value
        with torch.no_grad():
            for each in args:
                if isinstance(each, torch.Tensor) and not each.requires_grad:
                    each.zero_()
        return value

    assert judge(check, in_place).passed


def in_double_too(lab: str, name: str) -> Check:
    """A check with its first case once more, in float64."""

    def cases(seed: int) -> list[Case]:
        first, *others = checks(lab)[name].cases(seed)
        double = [a.double() if isinstance(a, torch.Tensor) and a.is_floating_point() else a for a in first.args]
        return [first, *others, Case("the first in float64", *double)]

    return replace(checks(lab)[name], cases=cases, kept={})


@pytest.mark.parametrize(
    ("lab", "name", "code"),
    [
        ("00", "shrink", """
def shrink(images, factor):
    n, m = images.shape[2] // factor, images.shape[3] // factor
    rows = torch.eye(n, device=images.device).repeat_interleave(factor, 0) / factor
    columns = torch.eye(m, device=images.device).repeat_interleave(factor, 0) / factor
    return torch.einsum("bchw,hn,wm->bcnm", images, rows, columns)
"""),
        ("00", "shrink", """
def shrink(images, factor):
    kernel = torch.full((3, 1, factor, factor), 1 / factor**2, device=images.device)
    return torch.conv2d(images, kernel, stride=factor, groups=3)
"""),
        ("01", "analogy", """
def analogy(vectors, a, b, c, k):
    unit = torch.nn.functional.normalize(vectors, dim=1)
    query = torch.tensor([1.0, -1.0, 1.0], device=vectors.device) @ unit[[b, a, c]]
    return most_similar(unit, query, k, torch.tensor([a, b, c], device=vectors.device))
"""),
    ],
)  # fmt: skip
def test_an_answer_in_single_precision_passes_with_a_note(lab: str, name: str, code: str):
    check = in_double_too(lab, name)
    verdict = judge(check, answered(lab, name, code))
    assert verdict.passed and "float64" in verdict.note, verdict
    double = check.cases(0)[-1].args
    value, want = verdict.usable(*double), check.reference(*double)
    assert value.dtype == want.dtype and torch.allclose(value, want, rtol=1e-4)


def test_float64_does_not_make_two_mistakes_of_one():
    code = """
def shrink(images, factor):
    kernel = torch.ones(3, 1, factor, factor)
    return torch.conv2d(images, kernel, stride=factor, groups=3)
"""
    hint = judge(in_double_too("00", "shrink"), answered("00", "shrink", code)).hint
    assert "You added the pixels of a block" in hint and "two mistakes" not in hint


def test_a_failure_that_is_not_the_precision_s_is_not_excused():
    def only_single(x):
        if x.dtype == torch.float64:
            return x.reshape(-1) @ torch.ones(x.shape[0] + 7)
        return x.sum(1)

    check = Check(
        lambda seed: [Case("one", torch.ones(2, 3)), Case("two", torch.ones(3, 2).mT.double())],
        HINTS,
        solution=solution("total", "def total(x):\n    return x.sum(1)"),
    )
    assert judge(check, only_single).passed

    def contiguous(x):
        return x.view(-1).view(x.shape).sum(1)

    assert not judge(check, contiguous).passed


def test_a_compiled_answer_is_judged_as_it_was_written():
    reference = checks("00")["nearest"].reference
    assert judge(checks("00")["nearest"], torch.compile(reference)).passed


# ---------------------------------------------------------------- the library and the labs on a second device


@pytest.mark.parametrize("kind", ["pre-norm", "post-norm", "recurrent"])
def test_translators_train_and_write_on_a_second_device(kind: str, monkeypatch: pytest.MonkeyPatch):
    shape = seq2seq.Config(11, dim=8, heads=2, hidden=16, blocks=1, norm_first=kind == "pre-norm", tokens=16)
    model = (gru.GRU(gru.Config(11, 8)) if kind == "recurrent" else seq2seq.Seq2Seq(shape)).eval()
    source, labels = torch.tensor([[5, 6, 7, 2], [8, 9, 2, 0]]), torch.tensor([[4, 3, 2], [7, 2, 0]])
    limit = torch.tensor([6, 5])
    loss, written = model.loss(source, labels, 0.1).item(), decode.beam_search(model, model.begin(source), limit=limit)
    with second_device(monkeypatch) as there:
        model.to(THERE)
        source, labels, limit = (each.to(THERE) for each in (source, labels, limit))
        found = model.loss(source, labels, 0.1)
        found.backward()
        assert there.is_there(found) and found.item() == pytest.approx(loss, rel=1e-5)
        assert decode.beam_search(model, model.begin(source), limit=limit) == written
        assert len(decode.greedy(model, model.begin(source), limit=limit)) == 2


def test_word_vectors_are_asked_on_a_second_device(monkeypatch: pytest.MonkeyPatch):
    table, questions = torch.randn(40, 8), torch.randint(40, (9, 4))
    expected = word2vec.answers(table, questions).tolist()
    with second_device(monkeypatch) as there:
        vectors, asked = table.to(THERE), questions.to(THERE)
        assert word2vec.answers(vectors, asked).tolist() == expected
        assert there.is_there(word2vec.most_similar(vectors, vectors[3], 4, [3]))
        assert there.is_there(word2vec.analogy(vectors, 1, 2, 3, 4))
        assert there.is_there(word2vec.one_hot(asked[0], 40) @ vectors)
        assert there.is_there(word2vec.window_pairs(asked[0], torch.ones_like(asked[0])))
        assert there.is_there(word2vec.weat(*vectors.split(10)))
        assert 0 < word2vec.weat_p_value(*vectors.split(10), shuffles=50) <= 1
        assert word2vec.accuracy(vectors, questions) >= 0


def test_torch_is_set_for_sentences_of_all_lengths_and_for_what_metal_lacks():
    pick()
    assert not torch.backends.cuda.cudnn_sdp_enabled()
    assert os.environ["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("lab", LABS)
def test_a_lab_runs_on_a_second_device(lab: str):
    """Nothing is made on the CPU that meets the device, nothing is in float64 there, and no picture is drawn of it."""
    settings = {"SQUINT_PROFILE": "smoke", "SQUINT_THREADS": "1", "MPLBACKEND": "Agg"}
    command = [sys.executable, str(Path(__file__).with_name("fake_device.py")), lab]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, check=False)
    assert done.returncode == 0, done.stderr

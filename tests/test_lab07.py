"""Lab 07's own parts: its solutions against the library's CLIP, torch, and laws."""

import math

import pytest
import torch
import torch.nn.functional as F
from einops import rearrange
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.checks.lab07 import CHECKS
from squint.models import clip

SOLUTIONS = {name: check.reference for name, check in CHECKS.items()}
SEEDS = st.integers(0, 999)


def normal(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 4), st.integers(1, 4))
def test_patches_can_be_put_together_again(batch, size, rows, columns):
    pictures = normal(batch, 3, rows * size, columns * size, seed=rows)
    cut = SOLUTIONS["patches"](pictures, size)
    assert cut.shape == (batch, rows * columns, 3 * size**2)
    assert torch.equal(cut[:, 0, :3], pictures[:, :, 0, 0])
    whole = rearrange(cut, "b (r s) (p q c) -> b c (r p) (s q)", r=rows, p=size, q=size)
    assert torch.equal(whole, pictures)


def test_patches_are_those_that_the_library_reads():
    vision = clip.VisionTransformer(clip.Config(tower="vit", size=16, dropout=0.0, image_blocks=1))
    pictures, read = torch.rand(2, 3, 16, 16), []
    vision.embed.register_forward_pre_hook(lambda module, given: read.append(given[0]))
    vision(pictures)
    assert torch.equal(SOLUTIONS["patches"](pictures, 4), read[0])


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 9), st.floats(-1, 7), SEEDS)
def test_scores_and_loss_are_the_librarys(n, log_scale, seed):
    pictures, captions, log_scale = normal(n, 6, seed=seed), normal(n, 6, seed=seed + 1), torch.tensor(log_scale)
    concept = torch.randint(4, (n,), generator=torch.Generator().manual_seed(seed))
    z = SOLUTIONS["scores"](pictures, captions, log_scale)
    hidden = (concept[:, None] == concept) & ~torch.eye(n, dtype=torch.bool)
    unit = F.normalize(pictures, dim=-1), F.normalize(captions, dim=-1)
    theirs = clip.contrastive_loss(*unit, log_scale.exp().clamp(max=clip.LARGEST_SCALE), hidden)
    torch.testing.assert_close(SOLUTIONS["contrastive_loss"](z, concept), theirs, rtol=1e-4, atol=1e-5)


@given(st.integers(2, 9), SEEDS)
def test_the_loss_does_not_mind_the_order_of_the_pairs(n, seed):
    z, concept = 5 * normal(n, n, seed=seed), torch.arange(n) // 2
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    loss = SOLUTIONS["contrastive_loss"]
    torch.testing.assert_close(loss(z, concept), loss(z[order][:, order], concept[order]))
    torch.testing.assert_close(loss(z, concept), loss(z.T, concept))
    assert loss(torch.zeros(n, n), torch.arange(n)).item() == pytest.approx(math.log(n), rel=1e-5)


@given(st.integers(2, 9), SEEDS)
def test_all_of_one_concept_leaves_nothing_to_learn(n, seed):
    z = normal(n, n, seed=seed).requires_grad_()
    SOLUTIONS["contrastive_loss"](z, torch.zeros(n)).backward()
    assert torch.equal(z.grad, torch.zeros(n, n))


@given(st.integers(1, 6), st.integers(2, 7), SEEDS)
def test_the_classifier_of_names_ranks_as_the_library(n, classes, seed):
    pictures, names = normal(n, 5, seed=seed), normal(classes, 5, seed=seed + 1)
    order = SOLUTIONS["zero_shot"](pictures, names, classes)
    for place in range(classes):
        unit = F.normalize(pictures, dim=-1), F.normalize(names, dim=-1)
        assert torch.equal(clip.rank_of_truth(*unit, order[:, place]), torch.full((n,), place))


@given(st.integers(1, 5), st.integers(1, 5), SEEDS)
def test_each_prompt_has_the_same_say(prompts, names, seed):
    vectors = normal(prompts, names, 6, seed=seed)
    lengths = 0.1 + normal(prompts, names, 1, seed=seed + 1).abs()
    ours = SOLUTIONS["ensemble"](vectors)
    torch.testing.assert_close(ours.norm(dim=-1), torch.ones(names))
    torch.testing.assert_close(SOLUTIONS["ensemble"](lengths * vectors), ours, rtol=1e-3, atol=1e-5)


@given(st.integers(2, 8), st.integers(2, 8), SEEDS)
def test_recall_grows_with_k(queries, things, seed):
    z, right = normal(queries, things, seed=seed), normal(queries, things, seed=seed + 1) > 0.5
    right[:, 0] = True
    found = [float(SOLUTIONS["recall_at"](z, right, k)) for k in range(1, things + 1)]
    assert found == sorted(found) and found[-1] == 1
    assert found[0] == pytest.approx(right[torch.arange(queries), z.argmax(dim=1)].float().mean().item())

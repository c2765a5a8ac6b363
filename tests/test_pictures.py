"""CLIP, diffusion and unCLIP: the laws they keep, what they never saw, and what the shipped ones are worth."""

import json
import math
import sys

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from squint.data import album, augment, catalogue, emoji
from squint.models import clip, diffusion, unclip
from squint.nn.unet import UNet

RECIPES = catalogue.CHECKOUT / "data/recipes"
sys.path.insert(0, str(RECIPES))

from pictures import evaluate, shared, shipping, zero_shot  # noqa: E402

TINY_CLIP = {"channels": (8, 16), "image_dim": 16, "image_heads": 2, "image_hidden": 16, "image_blocks": 1} | {
    "embedding": 8, "text_dim": 16, "text_heads": 2, "text_hidden": 16, "text_blocks": 1
}  # fmt: skip
NETS = {
    "decoder": unclip.DecoderConfig(8, (16, 16), 1, (0, 4), 0.0, 32, 8, 0.1),
    "prior": unclip.PriorConfig(16, 2, 16, 1, 0.0, 8, 16),
    "up32": unclip.UpsamplerConfig(16, (16, 16), 1, (0, 4), 0.0, 2, 32, 8, 0.1),
}
shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)
moments = st.floats(0.0, 1.0)


def tiny_clip(tower: str = "cnn", **options) -> clip.CLIP:
    return clip.CLIP(clip.Config(tower=tower, **TINY_CLIP, **options), clip.Vocabulary(["apple", "grinning"])).eval()


def tiny_unclip() -> unclip.UnCLIP:
    parts = {name: unclip.PARTS[name][0](config).eval() for name, config in NETS.items()}
    return unclip.UnCLIP(tiny_clip(), parts["prior"], parts["decoder"], [parts["up32"]])


# Diffusion


@settings(deadline=None, max_examples=30)
@given(shapes, moments)
def test_a_velocity_tells_thing_and_noise(shape, moment):
    clean, noise, time = torch.randn(3, *shape), torch.randn(3, *shape), torch.full((3,), moment)
    noisy = diffusion.add_noise(clean, noise, time)
    found = diffusion.clean_and_noise(noisy, diffusion.velocity(clean, noise, time), time)
    torch.testing.assert_close(found, (clean, noise), atol=1e-5, rtol=1e-5)
    if moment > 0.05:
        towards = diffusion.velocity_towards(clean, noisy, time)
        torch.testing.assert_close(towards, diffusion.velocity(clean, noise, time), atol=1e-3, rtol=1e-3)


def test_noise_grows_from_nothing_to_all_and_the_variance_stays():
    clean, noise = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    ends = [diffusion.add_noise(clean, noise, torch.full((2,), end)) for end in (0.0, 1.0)]
    torch.testing.assert_close(ends, [clean, noise], atol=1e-6, rtol=0)
    signal, level = diffusion.signal_and_noise(torch.linspace(0, 1, 20), torch.zeros(20, 5))
    assert signal.shape == level.shape == (20, 1)
    torch.testing.assert_close(signal**2 + level**2, torch.ones(20, 1))
    assert (signal.diff(dim=0) < 0).all() and (level.diff(dim=0) > 0).all()


def test_the_velocity_is_the_slope_of_the_way():
    clean, noise, time = (each.double() for each in (torch.randn(4, 2), torch.randn(4, 2), torch.rand(4)))
    ahead, behind = (diffusion.add_noise(clean, noise, time + step) for step in (1e-5, -1e-5))
    slope = (ahead - behind) / 2e-5 / (math.pi / 2)
    torch.testing.assert_close(slope, diffusion.velocity(clean, noise, time), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7])
@pytest.mark.parametrize("sampler", [diffusion.sample_ddim, diffusion.sample_ddpm])
def test_with_the_true_velocity_both_samplers_return_the_picture(sampler, steps):
    clean = torch.rand(2, 3, 4, 4) * 2 - 1
    drawn = sampler(lambda noisy, time: diffusion.velocity_towards(clean, noisy, time), torch.randn(2, 3, 4, 4), steps)
    torch.testing.assert_close(drawn, clean, atol=1e-5, rtol=1e-5)


def exact(noisy, time, variance: float = 0.25):
    """The best velocity for things whose entries are Gaussian with that variance."""
    signal, level = diffusion.signal_and_noise(time, noisy)
    clean = signal * variance / (signal**2 * variance + level**2) * noisy
    return (signal * noisy - clean) / level


@pytest.mark.parametrize(("sampler", "steps"), [(diffusion.sample_ddim, 100), (diffusion.sample_ddpm, 200)])
def test_both_samplers_have_the_spread_of_the_data(sampler, steps):
    drawn = sampler(exact, torch.randn(4000, 8), steps, limit=None)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02) and drawn.mean().item() == pytest.approx(0, abs=0.02)


def test_ddpm_adds_noise_at_every_step_but_the_last():
    drawn: list[torch.Size] = []
    real = diffusion.draw_noise

    def counted(shape, *rest):
        drawn.append(shape)
        return real(shape, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffusion, "draw_noise", counted)
        diffusion.sample_ddpm(exact, torch.randn(2, 3), 5)
    assert len(drawn) == 4
    clean, noisy = torch.randn(2, 3), torch.randn(2, 3)
    mean, spread = diffusion.posterior(clean, noisy, 0.2, 0.0)
    assert spread == 0
    torch.testing.assert_close(mean, clean)


@given(st.floats(0.02, 1.0), st.floats(0.0, 0.99))
def test_a_step_of_the_chain_lands_where_the_schedule_says(now, share):
    """Noised to `now` and drawn back to `then`, a thing is as if noised to `then`: signal and variance agree."""
    then = now * share
    noisy = lambda x: torch.tensor([x])  # noqa: E731
    (from_clean, spread), (from_noisy, _) = (
        diffusion.posterior(*pair, now, then) for pair in ((noisy(1.0), noisy(0.0)), (noisy(0.0), noisy(1.0)))
    )
    turn = [(math.cos(t * math.pi / 2), math.sin(t * math.pi / 2)) for t in (now, then)]
    assert from_clean.item() + from_noisy.item() * turn[0][0] == pytest.approx(turn[1][0], abs=1e-5)
    assert from_noisy.item() ** 2 * turn[0][1] ** 2 + spread**2 == pytest.approx(turn[1][1] ** 2, abs=1e-5)


def test_guidance_of_one_changes_nothing_and_of_zero_forgets_the_condition():
    with_it, without = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4)
    torch.testing.assert_close(diffusion.guided(with_it, without, 1.0), with_it)
    assert torch.equal(diffusion.guided(with_it, without, 0.0), without)
    torch.testing.assert_close(diffusion.guided(with_it, without, 3.0) - with_it, 2 * (with_it - without))


def test_random_times_fill_every_part_once():
    times = diffusion.spread_times(50)
    assert (times * 50).long().sort().values.tolist() == list(range(50))


def test_times_get_different_vectors():
    vectors = diffusion.TimeEmbedding(16)(torch.linspace(0, 1, 9))
    assert vectors.shape == (9, 16) and torch.pdist(vectors).min() > 1e-3


# The U-Net


@pytest.mark.parametrize(("height", "width", "patch"), [(8, 8, 1), (16, 8, 2), (4, 12, 1)])
def test_a_unet_keeps_the_size_and_is_silent_at_first(height, width, patch):
    net = UNet(6, 3, (16, 24), 8, blocks=2, heads=(0, 4), patch=patch)
    pictures, condition = torch.randn(2, 6, height, width), torch.randn(2, 8)
    drawn = net(pictures, condition)
    assert drawn.shape == (2, 3, height, width) and torch.equal(drawn, torch.zeros_like(drawn))
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    net(pictures, condition).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in net.parameters())
    assert not torch.allclose(net(pictures, condition), net(pictures, condition + 1))


def test_a_unet_says_what_does_not_fit():
    with pytest.raises(ValueError, match="multiples of 4"):
        UNet(3, 3, (16, 16), 8, heads=(0, 4), patch=2)(torch.randn(1, 3, 6, 6), torch.randn(1, 8))
    with pytest.raises(ValueError, match="3 for 2 levels"):
        UNet(3, 3, (16, 16), 8)


# CLIP


@pytest.mark.parametrize("tower", ["cnn", "vit"])
def test_both_towers_give_vectors_of_length_one(tower):
    model = tiny_clip(tower)
    pictures, captions = torch.rand(3, 3, 32, 32), ["red apple", "grinning", "a word that nobody knows: xyzzy"]
    with torch.no_grad():
        seen, words = model.embed_pictures(pictures), model.embed_captions(captions)
        together = model(pictures, model.vocabulary.encode(captions))
    assert seen.shape == words.shape == (3, 8)
    torch.testing.assert_close(torch.cat([seen, words]).norm(dim=-1), torch.ones(6))
    torch.testing.assert_close(together[:2], (seen, words))
    assert together[2].item() == pytest.approx(1 / 0.07)


def test_a_caption_is_the_same_whatever_stands_beside_it():
    model = tiny_clip()
    with torch.no_grad():
        alone = model.embed_captions(["red apple"])
        beside = model.embed_captions(["grinning face with a very long caption", "Red APPLE!"])[1:]
    torch.testing.assert_close(alone, beside, atol=1e-6, rtol=1e-5)


def test_words_are_those_of_captions_then_glove_s():
    words = clip.Vocabulary(["apple", "xyzzy"])
    assert words.words[:4] == ["", "?", "apple", "xyzzy"] and words.words.count("apple") == 1
    assert len(words.words) == len(words.vectors)
    lengths = words.vectors.norm(dim=-1)
    assert lengths[words.number["xyzzy"]] == 0 and lengths[words.number["king"]].item() == pytest.approx(math.sqrt(50))
    assert words.encode(["apple qqqqq", "", "apple " * 20]).tolist() == [
        [2, 1] + [0] * 14, [1] + [0] * 15, [2] * 16
    ]  # fmt: skip


def test_a_forgotten_word_keeps_what_glove_says_of_it():
    embedding = clip.WordEmbedding(clip.Vocabulary(["king", "queen"]), 8, forget=1.0)
    words = torch.tensor([[2, 3]])
    trained, used = embedding.train()(words), embedding.eval()(words)
    unknown = embedding.own.weight[clip.UNKNOWN] + embedding.project(embedding.glove[words])
    torch.testing.assert_close(trained, unknown)
    assert not torch.allclose(trained, used) and not torch.allclose(trained[0, 0], trained[0, 1])


def test_matching_pairs_cost_nothing_and_chance_costs_the_logarithm():
    same, scale = torch.eye(6), torch.tensor(100.0)
    assert clip.contrastive_loss(same, same, scale).item() == pytest.approx(0, abs=1e-6)
    assert clip.contrastive_loss(same, same.roll(1, 0), scale).item() == pytest.approx(100, rel=1e-3)
    alike = F.normalize(torch.ones(6, 4), dim=-1)
    assert clip.contrastive_loss(alike, alike, scale).item() == pytest.approx(math.log(6), rel=1e-4)


def test_the_loss_is_the_same_in_any_order_and_from_either_side():
    a, b = (F.normalize(torch.randn(5, 8), dim=-1) for _ in range(2))
    scale, order = torch.tensor(9.0), torch.randperm(5)
    loss = clip.contrastive_loss(a, b, scale)
    torch.testing.assert_close(clip.contrastive_loss(a[order], b[order], scale), loss)
    torch.testing.assert_close(clip.contrastive_loss(b, a, scale), loss)


def test_a_hidden_pair_counts_nowhere():
    a, b = (F.normalize(torch.randn(4, 8), dim=-1) for _ in range(2))
    hidden = torch.zeros(4, 4, dtype=torch.bool)
    hidden[0, 3] = True
    logits, right = (10 * a @ b.mT).masked_fill(hidden, -1e9), torch.arange(4)
    by_hand = (F.cross_entropy(logits, right) + F.cross_entropy(logits.mT, right)) / 2
    torch.testing.assert_close(clip.contrastive_loss(a, b, torch.tensor(10.0), hidden), by_hand)


def test_rank_is_zero_for_the_closest_and_a_tie_is_no_success():
    names = torch.eye(4)
    pictures = F.normalize(torch.tensor([[1.0, 0, 0, 0], [0.5, 0.4, 0, 0], [1, 1, 1, 1]]), dim=-1)
    assert clip.rank_of_truth(pictures, names, torch.tensor([0, 1, 2])).tolist() == [0, 1, 3]


def test_a_config_refuses_what_there_is_not():
    with pytest.raises(ValueError, match="'resnet'"):
        clip.Config(tower="resnet")
    with pytest.raises(ValueError, match="patches of 5"):
        clip.Config(patch=5)


# unCLIP


def test_every_part_learns_and_draws_in_its_own_size():
    models, captions = tiny_unclip(), ["red apple", "grinning"]
    embedding, caption = models.imagine(captions, 3), unclip.Caption.read(models.clip, captions)
    assert embedding.shape == (2, 8)
    torch.testing.assert_close(embedding.norm(dim=-1), torch.full((2,), math.sqrt(8)))
    losses = [
        models.decoder.loss(torch.rand(2, 3, 8, 8), embedding),
        models.upsamplers[0].loss(torch.rand(2, 3, 16, 16), embedding),
        models.prior.loss(embedding, caption),
    ]
    for loss in losses:
        loss.backward()
        assert loss.isfinite()
    drawn = models.draw(embedding, 3, upsampler_steps=2)
    assert [picture.shape for picture in drawn] == [(2, 3, 8, 8), (2, 3, 16, 16)]
    assert all(picture.abs().max() <= 1 for picture in drawn)


def test_the_same_seed_draws_the_same_and_another_does_not():
    models, embedding = tiny_unclip(), torch.randn(2, 8)
    one, again, other = (
        models.draw(embedding, 3, upsampler_steps=2, generator=torch.Generator().manual_seed(seed))[1]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.allclose(one, other)


def test_a_guided_denoiser_is_plain_at_one_and_unconditioned_at_zero():
    decoder = tiny_unclip().decoder
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    noisy, time, embedding = torch.randn(2, 3, 8, 8), torch.rand(2), torch.randn(2, 8)
    with torch.no_grad():
        plain, free = decoder(noisy, time, embedding), decoder(noisy, time, None)
        near, none = (decoder.denoiser(embedding, weight)(noisy, time) for weight in (1 + 1e-9, 0.0))
        assert torch.equal(decoder.denoiser(embedding, 1)(noisy, time), plain)
    torch.testing.assert_close(near, plain, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(none, free, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(plain, free)


def test_a_prior_that_may_not_read_does_not():
    models = tiny_unclip()
    captions = [unclip.Caption.read(models.clip, [text]) for text in ("red apple", "grinning")]
    noisy, time = torch.randn(1, 8), torch.rand(1)
    with torch.no_grad():
        read = [models.prior(noisy, time, caption) for caption in captions]
        blind = [models.prior(noisy, time, caption, torch.tensor([True])) for caption in captions]
    torch.testing.assert_close(*blind)
    assert not torch.allclose(*read)


def test_a_tiny_decoder_learns_to_draw_the_colour_that_it_is_told():
    colours, embedding = torch.rand(4, 3) * 2 - 1, 3 * torch.randn(4, 8)
    decoder = unclip.Decoder(NETS["decoder"])
    adam = torch.optim.AdamW(decoder.parameters(), lr=5e-3)
    for step in range(80):
        adam.param_groups[0]["lr"] = 5e-3 * (1 - step / 80)
        rows = torch.randint(4, (16,))
        loss = decoder.loss(colours[rows][:, :, None, None].expand(-1, 3, 8, 8).contiguous(), embedding[rows])
        loss.backward()
        adam.step()
        adam.zero_grad()
    drawn = decoder.eval().sample(embedding, 10, 1.5).mean(dim=(-2, -1))
    assert (torch.cdist(drawn, colours).argmin(dim=1) == torch.arange(4)).all()


# The album


@pytest.fixture(scope="module")
def pictures() -> album.Pictures:
    return album.load()


def test_nothing_held_out_is_learned_from(pictures):
    everything, (_, held_out) = emoji.load(1), emoji.split_concepts(0)
    assert torch.equal(pictures.concept, everything.concept) and torch.equal(pictures.held_out, held_out)
    unseen = pictures.styles.index("emojitwo")
    for purpose in ("train", "valid_pictures", "valid_concepts"):
        places = pictures.purpose[purpose]
        assert len(places) and not (pictures.style[places] == unseen).any(), purpose
        assert not torch.isin(pictures.concept[places], held_out).any(), purpose
    apart = [set(pictures.purpose[name].tolist()) for name in ("train", "valid_pictures", "valid_concepts")]
    assert not apart[0] & apart[1] and not apart[0] & apart[2] and not apart[1] & apart[2]
    assert not torch.isin(pictures.valid, pictures.concept[pictures.purpose["train"]]).any()
    assert torch.isin(pictures.concept[pictures.purpose["test_concepts"]], held_out).all()
    assert (pictures.style[pictures.purpose["test_style"]] == unseen).all()
    assert len(pictures.purpose["test_style"]) == 995 and len(pictures.purpose["test_concepts"]) == 777


def test_nothing_held_out_has_a_near_twin_among_what_is_learned_from(pictures):
    """On a scale of one, by root mean square at 32 pixels; the controls are what was left out, and what is not flipped.

    A picture that training may mirror must not have a twin in the mirror either.
    """

    def closest(purpose: str, mirrored: bool = False) -> torch.Tensor:
        mine = seen[purpose].flip(-1) if mirrored else seen[purpose]
        distance = torch.cdist(seen["tests"].flatten(1), mine.flatten(1)).min(dim=0).values
        return distance / mine[0].numel() ** 0.5

    places = pictures.purpose | {
        "tests": torch.cat([pictures.purpose["test_style_all"], pictures.purpose["test_concepts"]])
    }
    learned = ("train", "valid_pictures", "valid_concepts")
    seen = {
        name: torch.cat([pictures.plain(few) for few in places[name].split(256)])
        for name in ("tests", "twins", *learned)
    }  # fmt: skip
    nearest = {purpose: closest(purpose).min().item() for purpose in learned}
    print("nearest to a test picture:", {name: round(distance, 4) for name, distance in nearest.items()})
    assert all(distance >= album.TWIN for distance in nearest.values())
    flips, in_the_mirror = pictures.may_flip[places["train"]], closest("train", mirrored=True)
    assert in_the_mirror[flips].min() >= album.TWIN and (in_the_mirror[~flips] < album.TWIN).sum() == 23
    twins = closest("twins")
    assert (twins < album.TWIN).all() and len(twins) == 44
    names = {pictures.names[i] for i in pictures.concept[places["twins"]].tolist()}
    assert {"astronaut", "man guard", "woman biking", "black circle"} <= names
    assert pictures.concept[places["train"]].unique().numel() == 1640 - 150 - 60


def test_batches_and_captions_are_of_pictures_to_learn_from(pictures):
    sampler, trained = album.Sampler.of(pictures), set(pictures.purpose["train"].tolist())
    places = sampler.one_a_concept(200, twice=20)
    concepts = pictures.concept[places]
    assert set(places.tolist()) | set(sampler.any(500).tolist()) <= trained
    assert len(places) == 200 and concepts[:180].unique().numel() == 180
    assert torch.equal(concepts[:20], concepts[180:]) and len(set(sampler.of_concept.flatten().tolist())) == len(
        trained
    )
    words = clip.Vocabulary(album.words(pictures))
    assert "emojitwo" not in words.own
    some = pictures.purpose["train"][:5]
    table = album.captions(pictures, some, words.encode, styled=0.1)
    assert (table[some][..., 0] > 0).all() and int((table.sum(dim=(1, 2)) > 0).sum()) == 5


def test_a_shipped_word_is_one_that_the_recipe_learns_from(pictures):
    about, _ = clip.read_weights(catalogue.path("pictures/clip.safetensors"))
    assert about["words"] == album.words(pictures)


def test_smaller_pictures_are_means_and_keep_their_purpose(pictures):
    small, some = pictures.at(32), pictures.purpose["train"][::100]
    assert small.images.shape[1:] == (4, 32, 32) and small.images.dtype == torch.uint8
    assert small.purpose is pictures.purpose and len(pictures.images[0, 0]) == 64
    torch.testing.assert_close(small.plain(some), pictures.plain(some), atol=1.5 / 255, rtol=0)
    assert small.plain(some, 8).shape == (len(some), 3, 8, 8)


def test_what_clip_sees_in_training_is_the_picture_itself_when_nothing_varies(pictures):
    sampler, nothing = album.Sampler.of(pictures), augment.Strength()
    places = sampler.one_a_concept(40)
    for size in (64, 32):
        torch.testing.assert_close(
            sampler.for_clip(places, nothing, size), pictures.plain(places, size), atol=1e-5, rtol=0
        )
    with torch.autocast("cpu", torch.bfloat16):
        seen = sampler.for_clip(places)
    assert seen.shape == (40, 3, 32, 32) and seen.dtype == torch.float32 and seen.isfinite().all()
    assert seen.min() >= -1e-5 and seen.max() <= 1 + 1e-5
    assert (seen - pictures.plain(places)).abs().mean(dim=(1, 2, 3)).min() > 0


def test_blurring_keeps_the_mean_and_holes_are_holes():
    noise = torch.rand(50, 3, 16, 16)
    soft = augment.blur(noise, 1.0)
    torch.testing.assert_close(soft.mean(dim=(1, 2, 3)), noise.mean(dim=(1, 2, 3)), atol=0.01, rtol=0)
    assert (soft.std(dim=(1, 2, 3)) < 0.8 * noise.std(dim=(1, 2, 3))).all()
    assert torch.equal(augment.blur(noise, 0.0), noise)
    torch.testing.assert_close(augment.blur(torch.ones(2, 3, 8, 8), 1.0), torch.ones(2, 3, 8, 8))
    shares = augment.cut_hole(torch.ones(400, 4, 16, 16), 0.5).mean(dim=(1, 2, 3))
    assert 150 < (shares < 1).sum() < 250 and 0.7 < shares.min() < 0.9


def test_variations_keep_pictures_in_range_and_no_strength_keeps_them_as_they_are(pictures):
    places = pictures.purpose["train"][:6]
    rgba, flips = pictures.rgba(places), torch.ones(6, dtype=torch.bool)
    torch.testing.assert_close(augment.vary(rgba, flips, augment.Strength()), rgba, atol=1e-5, rtol=0)
    varied = augment.vary(rgba, flips, augment.FOR_CLIP)
    assert varied.shape == rgba.shape and not torch.allclose(varied, rgba, atol=0.05)
    assert varied.min() >= 0 and (varied[:, :3] <= varied[:, 3:] + 1e-5).all()
    assert (augment.on_background(varied) <= 1 + 1e-5).all()


def test_kernel_distance_tells_sets_apart():
    a, b = torch.randn(300, 8), torch.randn(300, 8)
    assert abs(evaluate.kernel_distance(a, b)) < 100 < evaluate.kernel_distance(a, b + 1)


# What is shipped


@pytest.fixture(scope="module")
def shipped() -> tuple[unclip.UnCLIP, dict]:
    return unclip.pretrained()


def test_the_card_is_whole(shipped):
    models, card = shipped
    assert card["made_by"] == "recipes/pictures.py" and card["licence"] == "CC-BY-4.0" and card["limits"]
    sizes = {name: model["parameters"] for name, model in card["models"].items()}
    parts = {"clip": models.clip, "prior": models.prior, "decoder": models.decoder} | dict(
        zip(("up32", "up64"), models.upsamplers, strict=True)
    )
    assert sizes == {name: shared.count(parts[name]) for name in sizes} and card["parameters"] == sum(sizes.values())
    assert card["limits"] == shipping.limits(card["metrics"]["clip"], card["metrics"]["unclip"], card["models"])
    assert not any(weight.requires_grad for part in parts.values() for weight in part.parameters())
    assert "/" + "tmp" not in json.dumps(card)


def test_shipped_files_are_small():
    entries = [entry for entry in catalogue.entries() if entry.path.startswith("pictures/")]
    assert len(entries) == 5 and sum(entry.bytes for entry in entries) < 35e6


def test_other_weights_are_refused(tmp_path):
    with pytest.raises(ValueError, match="another model's"):
        clip.fill(tiny_unclip().decoder, {"strange": torch.zeros(1)})


def test_the_shipped_clip_names_pictures_as_well_as_its_card_says(shipped, pictures):
    models, card = shipped
    names = zero_shot.embed_names(models.clip, pictures)
    style = zero_shot.accuracy(models.clip, pictures, "test_style", names)
    concepts = zero_shot.accuracy(models.clip, pictures, "test_concepts", names, pictures.held_out)
    print(style, concepts)
    for found, name in ((style, "unseen_style"), (concepts, "unseen_concepts")):
        written = card["metrics"]["clip"][name]
        assert (found["of"], found["pictures"]) == (written["of"], written["pictures"])
        assert found["top1"] == pytest.approx(written["top1"], abs=0.01), name
        assert found["top5"] == pytest.approx(written["top5"], abs=0.01), name
    assert (style["of"], style["pictures"]) == (1640, 995) and (concepts["of"], concepts["pictures"]) == (150, 777)


@pytest.fixture(scope="module")
def cast(shipped, pictures) -> tuple[list[str], torch.Tensor, torch.Tensor]:
    """Twelve concepts, the shipped CLIP's embeddings of a real picture of each, and of all names."""
    models, _ = shipped
    chosen = [
        "red heart", "red apple", "grinning face", "fox", "trophy", "bicycle", "peach", "robot", "door", "pizza", "fire",
        "banana",
    ]  # fmt: skip
    concepts = torch.tensor([pictures.names.index(name) for name in chosen])
    trained = pictures.purpose["train"]
    noto = trained[pictures.style[trained] == pictures.styles.index("noto")]
    places = torch.cat([noto[pictures.concept[noto] == concept] for concept in concepts])
    assert len(places) == 12
    real = models.embed(pictures.plain(places))
    return chosen, real, zero_shot.embed_names(models.clip, pictures)


def right(models: unclip.UnCLIP, drawn: torch.Tensor, chosen: list[str], names: torch.Tensor, all_names: list[str]):
    """How many drawings CLIP gives their own name among all 1,640."""
    truth = torch.tensor([all_names.index(name) for name in chosen])
    seen = models.clip.embed_pictures(evaluate.at_32(unclip.unit(drawn)))
    return int((clip.rank_of_truth(seen, names, truth) == 0).sum())


def test_what_is_drawn_is_recognised_and_a_wrong_embedding_s_is_not(shipped, pictures, cast):
    """Chance is one in 1,640; the control draws from another concept's embedding."""
    models, (chosen, real, names) = shipped[0], cast
    drawn = models.decoder.sample(real, 10, generator=torch.Generator().manual_seed(0))
    found = right(models, drawn, chosen, names, pictures.names)
    control = right(models, drawn.roll(1, 0), chosen, names, pictures.names)
    print(f"{found} of {len(chosen)} recognised, {control} in the control")
    assert found >= 6 and control == 0


def test_a_drawing_keeps_its_colours_when_it_is_enlarged(shipped, cast):
    models, (_, real, _) = shipped[0], cast
    small, middle, large = models.draw(real[:2], 6, upsampler_steps=4, generator=torch.Generator().manual_seed(0))
    assert [picture.shape[-1] for picture in (small, middle, large)] == [16, 32, 64]
    for picture, factor in ((middle, 2), (large, 4)):
        assert (F.avg_pool2d(picture, factor) - small).abs().mean() < 0.25


def test_the_prior_s_guess_is_closer_to_the_picture_than_the_caption_is(shipped, cast):
    models, (chosen, real, _) = shipped[0], cast
    guessed = models.imagine(chosen, generator=torch.Generator().manual_seed(0))
    said = unclip.Caption.read(models.clip, chosen).embedding
    near, far = (F.cosine_similarity(each, real).mean().item() for each in (guessed, said))
    print(f"cosine with the true embedding: {near:.3f} guessed, {far:.3f} said")
    assert near > far + 0.05

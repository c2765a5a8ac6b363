"""What the picture models compute is what diffusers and transformers compute with the same weights."""

import sys

import pytest
import torch
from einops import rearrange

from squint.data import catalogue
from squint.models import clip, diffusion
from squint.nn.transformer import Dropout
from squint.nn.unet import UNet

sys.path.append(str(catalogue.CHECKOUT / "bench"))

from unet import noised, of_their_blocks, their_sampler  # noqa: E402

CONFIG = clip.Config(tower="vit", patch=8, image_dim=24, image_heads=3, image_hidden=40, image_blocks=2, dropout=0.0)


def test_a_unet_is_one_of_diffusers_blocks():
    ours = noised(UNet(3, 3, (16, 24), 8, blocks=2, heads=(0, 3)))
    theirs, gradients = of_their_blocks(ours), []
    pictures, condition = torch.randn(2, 3, 8, 8), torch.randn(2, 8)
    drawn = [net(pictures, condition) for net in (ours, theirs)]
    torch.testing.assert_close(*drawn, atol=1e-5, rtol=1e-4)
    for net, picture in zip((ours, theirs), drawn, strict=True):
        gradients.append(torch.autograd.grad(picture.square().sum(), net.read.weight)[0])
    torch.testing.assert_close(*gradients, atol=1e-3, rtol=1e-3)


def denoiser(noisy: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """No good one; its guesses leave the range of pictures now and then."""
    return (3 * noisy + 5 * time[:, None, None, None]).sin()


@pytest.mark.parametrize("steps", [1, 2, 25])
def test_ddim_draws_what_diffusers_draws(steps: int):
    noise = torch.randn(4, 3, 8, 8)
    drawn = diffusion.sample_ddim(denoiser, noise, steps)
    torch.testing.assert_close(drawn, their_sampler(denoiser, noise, steps), atol=1e-4, rtol=1e-4)
    assert steps == 1 or not torch.allclose(drawn, diffusion.sample_ddim(denoiser, noise, steps, limit=None), atol=0.01)


@pytest.mark.parametrize("steps", [1, 2, 25])
def test_ddpm_draws_what_diffusers_draws_with_the_same_chances(steps: int):
    noise, (ours, theirs) = torch.randn(4, 3, 8, 8), (torch.Generator().manual_seed(3) for _ in range(2))
    drawn = diffusion.sample_ddpm(denoiser, noise, steps, generator=ours)
    their = their_sampler(denoiser, noise, steps, "DDPM", generator=theirs)
    torch.testing.assert_close(drawn, their, atol=1e-4, rtol=1e-4)


def test_the_contrastive_loss_is_transformers():
    from transformers.models.clip.modeling_clip import image_text_contrastive_loss

    pictures, captions = torch.nn.functional.normalize(torch.randn(2, 7, 5), dim=-1)
    loss = clip.contrastive_loss(pictures, captions, torch.tensor(12.0))
    torch.testing.assert_close(loss, image_text_contrastive_loss(12 * captions @ pictures.mT))


NAMES = {
    "blocks": "layers", "attention_residual.norm.gain": "layer_norm1.weight", "to_query": "q_proj", "to_key": "k_proj",
    "attention_residual.norm.bias": "layer_norm1.bias", "feed_forward_residual.norm.gain": "layer_norm2.weight",
    "feed_forward_residual.norm.bias": "layer_norm2.bias", "feed_forward.widen": "mlp.fc1", "to_value": "v_proj",
    "feed_forward.narrow": "mlp.fc2", "attention.": "self_attn.", "to_output": "out_proj",
}  # fmt: skip


@torch.no_grad()
def test_a_vit_is_transformers():
    from transformers import CLIPVisionConfig
    from transformers.models.clip.modeling_clip import CLIPEncoder

    ours = clip.VisionTransformer(CONFIG)
    for parameter in ours.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    encoder = CLIPEncoder(CLIPVisionConfig(
        hidden_size=CONFIG.image_dim, intermediate_size=CONFIG.image_hidden, num_hidden_layers=CONFIG.image_blocks,
        num_attention_heads=CONFIG.image_heads, hidden_act="relu", attn_implementation="sdpa",
    ))  # fmt: skip
    weights = dict(ours.encoder.state_dict())
    for our, their in NAMES.items():
        weights = {name.replace(our, their): weight for name, weight in weights.items()}
    assert not encoder.load_state_dict(weights, strict=False).missing_keys
    kernel = rearrange(ours.embed.weight, "dim (p q c) -> dim c p q", p=CONFIG.patch, c=3)
    pictures = torch.rand(2, 3, CONFIG.size, CONFIG.size)
    patches = torch.nn.functional.conv2d(pictures, kernel, ours.embed.bias, stride=CONFIG.patch)
    tokens = rearrange(patches, "b dim h w -> b (h w) dim") + ours.positions.table
    seen = ours.encoder.norm(encoder(inputs_embeds=tokens).last_hidden_state).mean(dim=1)
    torch.testing.assert_close(ours(pictures), ours.project(seen), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_leaves_pictures_as_they_lie_in_memory(layout: torch.memory_format):
    pictures = torch.rand(4, 8, 6, 6).add(1).contiguous(memory_format=layout).requires_grad_()
    kept = Dropout(0.25)(pictures)
    (gradient,) = torch.autograd.grad(kept.sum(), pictures)
    assert kept.is_contiguous(memory_format=layout) and gradient.is_contiguous(memory_format=layout)
    torch.testing.assert_close(kept, pictures * gradient)
    assert gradient.unique().tolist() == pytest.approx([0, 4 / 3]) and 0.6 < (gradient > 0).float().mean() < 0.9

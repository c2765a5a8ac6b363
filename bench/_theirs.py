"""Our language models' weights in the library's models of the same shape, so that both sides compute the same."""

import torch
from torch import nn

from squint.models.gpt import GPT
from squint.models.llama import Llama, permute
from squint.models.palm import PaLM
from squint.nn.experts import MixtureOfExperts

LLAMA_NAMES = {
    "attention.to_query": "self_attn.q_proj", "attention.to_key": "self_attn.k_proj",
    "attention.to_value": "self_attn.v_proj", "attention.to_output": "self_attn.o_proj",
    "feed_forward.gate": "mlp.gate_proj", "feed_forward.widen": "mlp.up_proj",
    "feed_forward.narrow": "mlp.down_proj", "feed_forward_norm": "post_attention_layernorm",
    "attention_norm": "input_layernorm", "embedding": "embed_tokens", "gain": "weight", "blocks": "layers",
}  # fmt: skip


@torch.no_grad()
def gpt2(model: GPT) -> nn.Module:
    """A `GPT2LMHeadModel` with the weights of a GPT; neither drops anything."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = model.config
    theirs = GPT2LMHeadModel(GPT2Config(
        vocab_size=config.vocabulary, n_positions=config.tokens, n_embd=config.dim, n_layer=config.blocks,
        n_head=config.heads, n_inner=config.hidden, activation_function="relu", resid_pdrop=0.0, embd_pdrop=0.0,
        attn_pdrop=0.0, bos_token_id=None, eos_token_id=None,
    ))  # fmt: skip
    body = theirs.transformer
    body.wte.weight.copy_(model.embedding.weight)
    body.wpe.weight.copy_(model.positions.table)
    norms, products = [(body.ln_f, model.blocks.norm)], []
    for their, our in zip(body.h, model.blocks.blocks, strict=True):
        norms += [(their.ln_1, our.attention_residual.norm), (their.ln_2, our.feed_forward_residual.norm)]
        three = (our.attention.to_query, our.attention.to_key, our.attention.to_value)
        products += [
            (their.attn.c_attn, three), (their.attn.c_proj, (our.attention.to_output,)),
            (their.mlp.c_fc, (our.feed_forward.widen,)), (their.mlp.c_proj, (our.feed_forward.narrow,)),
        ]  # fmt: skip
    for there, here in norms:
        there.weight.copy_(here.gain)
        there.bias.copy_(here.bias)
    for there, several in products:
        there.weight.copy_(torch.cat([each.weight for each in several]).T)
        there.bias.copy_(torch.cat([each.bias for each in several]))
    return theirs


@torch.no_grad()
def llama(model: Llama) -> nn.Module:
    """A `LlamaForCausalLM` that has the weights of a Llama: the same memory, not a copy."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config, weights = model.config, dict(model.state_dict())
    with torch.device("meta"):
        theirs = LlamaForCausalLM(LlamaConfig(
            vocab_size=config.vocabulary, hidden_size=config.dim, num_hidden_layers=config.blocks,
            num_attention_heads=config.heads, num_key_value_heads=config.shared_heads,
            intermediate_size=config.hidden, max_position_embeddings=config.tokens, rms_norm_eps=config.epsilon,
            tie_word_embeddings=True, rope_parameters={"rope_type": "default", "rope_theta": config.base},
            bos_token_id=None, eos_token_id=None,
        ))  # fmt: skip
    for our, their in LLAMA_NAMES.items():
        weights = {name.replace(our, their): value for name, value in weights.items()}
    theirs.model.load_state_dict(weights, assign=True)
    theirs.tie_weights()
    theirs.model.rotary_emb = type(theirs.model.rotary_emb)(theirs.config)
    return theirs


@torch.no_grad()
def palm(model: PaLM) -> nn.Module:
    """A `CohereForCausalLM` with the weights of a PaLM: the same block, but a pair that is turned are neighbours."""
    from transformers import CohereConfig, CohereForCausalLM

    config, weights = model.config, dict(model.state_dict())
    theirs = CohereForCausalLM(CohereConfig(
        vocab_size=config.vocabulary, hidden_size=config.dim, num_hidden_layers=config.blocks,
        num_attention_heads=config.heads, num_key_value_heads=1, intermediate_size=config.hidden,
        max_position_embeddings=config.tokens, logit_scale=1.0, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0}, bos_token_id=None, eos_token_id=None,
        pad_token_id=None,
    ))  # fmt: skip
    for name, heads in (("to_query", config.heads), ("to_key", 1)):
        weights |= {each: permute(value, heads) for each, value in weights.items() if name in each}
    for our, their in {"feed_forward_norm": "", "norm": "input_layernorm", **LLAMA_NAMES}.items():
        weights = {name.replace(our, their): value for name, value in weights.items()}
    weights["norm.weight"] = weights.pop("input_layernorm.weight")
    theirs.model.load_state_dict(weights)
    return theirs


@torch.no_grad()
def mixtral(model: MixtureOfExperts) -> nn.Module:
    """A `MixtralSparseMoeBlock` with a mixture's weights; every vector it is given must end in a one.

    Its experts are gated and have no biases: here the gate is our hidden layer, what it gates is the one, weights of
    the one are the biases, and one unit more, always on, brings in those of the output.
    """
    from transformers import MixtralConfig
    from transformers.models.mixtral.modeling_mixtral import MixtralSparseMoeBlock

    experts, dim, hidden = model.widen.shape
    theirs = MixtralSparseMoeBlock(MixtralConfig(
        hidden_size=dim + 1, intermediate_size=hidden + 1, num_local_experts=experts, num_experts_per_tok=model.top,
        hidden_act="relu", experts_implementation="eager",
    ))  # fmt: skip
    for parameter in theirs.parameters():
        parameter.zero_()
    theirs.gate.weight[:, :dim] = model.router.weight
    gate, up = theirs.experts.gate_up_proj.chunk(2, dim=1)
    gate[:, :hidden, :dim], gate[:, :hidden, dim] = model.widen.mT, model.widen_bias[:, 0]
    gate[:, hidden, dim], up[:, :, dim] = 1, 1
    theirs.experts.down_proj[:, :dim, :hidden] = model.narrow.mT
    theirs.experts.down_proj[:, :dim, hidden] = model.narrow_bias[:, 0]
    return theirs

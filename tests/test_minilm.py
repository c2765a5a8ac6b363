"""MiniLM on the course's own attention: the same vectors and weights as `transformers`, with any attention inside."""

import pytest
import torch

from squint.data import minilm
from squint.models.minilm import MiniLM, berts_name, between_words, pieces
from squint.nn.attention import padding_mask, scaled_dot_product

SENTENCES = [["the", "animal", "did", "not", "cross", "the", "street"], ["unbelievably", ",", "it", "slept"], ["yes"]]


@pytest.fixture(scope="module")
def bert() -> MiniLM:
    return MiniLM.from_weights(minilm.weights())


@pytest.fixture(scope="module")
def batch():
    return pieces(SENTENCES, minilm.tokenizer())


@pytest.fixture(scope="module")
def exact() -> MiniLM:
    """In float64, where 1e-5 says something: six layers of float32 noise come to 2e-5."""
    return MiniLM.from_weights(minilm.weights()).double()


@pytest.mark.slow
def test_it_is_what_transformers_computes(exact, batch):
    from transformers import BertConfig, BertModel

    sizes = minilm.CONFIG
    config = BertConfig(
        vocab_size=sizes.vocab, hidden_size=sizes.dim, num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads,
        intermediate_size=sizes.hidden, layer_norm_eps=sizes.norm_eps, attn_implementation="eager", output_attentions=True,
    )  # fmt: skip
    theirs = BertModel(config, add_pooling_layer=False).eval().double()
    missing = theirs.load_state_dict(minilm.weights(), strict=False).missing_keys
    assert not [name for name in missing if "position_ids" not in name and "token_type_ids" not in name]
    visible = padding_mask(batch.lengths, batch.token_ids.shape[1])
    with torch.no_grad():
        want = theirs(batch.token_ids, attention_mask=visible[:, 0].long())
    got = exact(batch.token_ids, visible)
    words = visible[:, 0]
    assert (got.hidden - want.last_hidden_state)[words].abs().max() < 1e-9
    assert (got.attentions - torch.stack(want.attentions, dim=1)).abs().max() < 1e-9


def test_float32_stays_close(bert, exact, batch):
    visible = padding_mask(batch.lengths, batch.token_ids.shape[1])
    difference = bert(batch.token_ids, visible).hidden - exact(batch.token_ids, visible).hidden
    assert difference.abs().max() < 1e-4


def test_any_attention_may_work_inside(exact, batch):
    visible = padding_mask(batch.lengths, batch.token_ids.shape[1])
    written, fused = exact(batch.token_ids, visible, scaled_dot_product), exact(batch.token_ids, visible)
    assert (written.hidden - fused.hidden).abs().max() < 1e-9
    assert torch.allclose(fused.attentions.sum(dim=-1), torch.ones(3, 6, 12, batch.token_ids.shape[1]).double())


def test_filling_changes_nothing(bert, batch):
    visible = padding_mask(batch.lengths, batch.token_ids.shape[1])
    alone = pieces([SENTENCES[2]], minilm.tokenizer())
    together = bert(batch.token_ids, visible).hidden[2, : batch.lengths[2]]
    assert torch.allclose(bert(alone.token_ids).hidden[0], together, atol=1e-5)


def test_pieces_belong_to_their_words(batch):
    assert batch.tokens[0] == ["[CLS]", *SENTENCES[0], "[SEP]"]
    assert batch.lengths.tolist() == [len(tokens) for tokens in batch.tokens]
    assert batch.words[1].sum(dim=0).tolist()[:4] == [len(batch.tokens[1]) - 5, 1, 1, 1]
    assert not batch.words[:, 0].any()


def test_attention_between_words_sums_over_targets_and_averages_over_sources(batch):
    weights = torch.rand(3, 1, 1, *[batch.token_ids.shape[1]] * 2).softmax(dim=-1)
    between = between_words(weights, batch.words)[1, 0, 0]
    of_first = batch.words[1, :, 0].bool()
    second = batch.words[1, :, 1].bool()
    assert torch.allclose(between[0, 1], weights[1, 0, 0][of_first][:, second].sum(dim=-1).mean())
    assert (between.sum(dim=-1) <= 1 + 1e-6).all()


def test_names_of_weights():
    assert berts_name("words.weight") == "embeddings.word_embeddings.weight"
    assert berts_name("layers.3.attention.to_output.bias") == "encoder.layer.3.attention.output.dense.bias"

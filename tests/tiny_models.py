"""Tiny random models for the tests of decoders, and the slow, obvious way to decode with one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reference_constraint import ReferenceConstraint

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

WIDTH = 40
"""Logits of the tiny models: wider than the tests' vocabularies."""


def tiny_model(kind: str, seed: int = 0, **changes: Any) -> Any:
    """A random model of two layers in float64, so that two ways of computing agree."""
    torch.manual_seed(seed)
    size = {
        "vocab_size": WIDTH,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "initializer_range": 0.6,  # decisive logits, and attention that matters
    }
    configs = {
        "llama": lambda: transformers.LlamaConfig(**{**size, **changes}),
        "mistral": lambda: transformers.MistralConfig(**{**size, "sliding_window": 4, **changes}),
        "gpt2": lambda: transformers.GPT2Config(
            vocab_size=WIDTH, n_positions=256, n_embd=32, n_layer=2, n_head=4, initializer_range=0.6, **changes
        ),
    }
    return transformers.AutoModelForCausalLM.from_config(configs[kind]()).double().eval()


def decode_slowly(model: Any, prompt: Sequence[int], constraint: ReferenceConstraint, budget: int) -> list[int]:
    """Greedy decoding by one call a token, without cache, batch or forced tokens."""
    state, tokens = constraint.start, list(prompt)
    while True:
        with torch.inference_mode():
            scores = model(torch.tensor([tokens])).logits[0, -1].numpy()
        mask = constraint.mask(state, budget=budget)
        allowed = [t for t in range(constraint.vocab.size) if mask[t >> 5] >> np.uint32(t & 31) & 1]
        token = max(allowed, key=lambda t: (scores[t], -t))
        if token in constraint.vocab.eos_ids:
            return tokens[len(prompt) :]
        state, budget = constraint.advance(state, token), budget - 1
        tokens.append(token)


def byte_tokenizer() -> Any:
    """A tokenizer of single bytes and a few pairs, with a chat template, made from nothing."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = ["<end>", "<user>", "<model>", *alphabet, '{"', '":', '",', '"}']
    inner = Tokenizer(
        models.BPE({p: i for i, p in enumerate(pieces)}, [("{", '"'), ('"', ":"), ('"', ","), ('"', "}")])
    )
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<end>", "<user>", "<model>"])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<end>", pad_token="<end>")  # noqa: S106
    tokenizer.chat_template = "{% for m in messages %}<user>{{ m['content'] }}<end>{% endfor %}{% if add_generation_prompt %}<model>{% endif %}"
    return tokenizer


def tiny_pair() -> tuple[Any, Any]:
    """A random model and the tokenizer that goes with it."""
    tokenizer = byte_tokenizer()
    return tiny_model("llama", vocab_size=300, max_position_embeddings=4096), tokenizer

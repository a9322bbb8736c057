"""A small masked-diffusion language model, trained on this machine in minutes: a real model for tests and benchmarks of denoising.

Vocabulary, data and weights are made here and depend on the seed alone: byte-level BPE trained on the same texts; three quarters of the
texts are JSON records of one nested schema (``RECORD``), the rest pieces of Python source of the standard library.  A text begins
with a token that says its kind, and its canvas of ``CANVAS`` slots is filled up with the end token, which is trained on too, so that
the model knows where a text ends (the conventions of LLaDA, Nie et al. 2025, "Large Language Diffusion Models": logits of a
position predict that position, a mask token, a tail of end-of-text).

The loss is the bound of masked diffusion: a time t is drawn from (0, 1], every slot is masked with probability t, and the cross
entropy of the masked slots is weighted by 1/t (Sahoo et al. 2024, "Simple and Effective Masked Diffusion Language Models"; times of
a batch are stratified, as there).

    python bench/train_tiny_mdlm.py --steps 4000
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sysconfig
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from torch.nn import functional

from syntagma.automata.vocabulary import Vocabulary
from syntagma.integrations.smollm2 import default_cache_dir

RECORD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 24},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "address": {
            "type": "object",
            "properties": {
                "street": {"type": "string", "maxLength": 24},
                "city": {"type": "string", "maxLength": 16},
                "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
            },
            "required": ["street", "city", "zip"],
            "additionalProperties": False,
        },
        "tags": {
            "type": "array",
            "items": {"enum": ["new", "paid", "late", "gift", "bulk", "vip"]},
            "minItems": 1,
            "maxItems": 3,
        },
        "orders": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "item": {"type": "string", "maxLength": 16},
                    "count": {"type": "integer", "minimum": 1, "maximum": 99},
                },
                "required": ["item", "count"],
                "additionalProperties": False,
            },
            "minItems": 1,
            "maxItems": 2,
        },
        "active": {"type": "boolean"},
    },
    "required": ["name", "age", "address", "tags", "orders", "active"],
    "additionalProperties": False,
}
"""The schema of the records; they are written without spaces, keys in this order."""

CANVAS = 64
VOCABULARY = 1024
STEPS = 4000  # about five minutes of one core
END, MASK, JSON_TEXT, PYTHON_TEXT = "<end>", "<mask>", "<json>", "<python>"
FORMAT = "3"  # part of the folder's name: raise it when data, vocabulary or architecture change

FIRST = (
    "Ada Alan Barbara Claude Donald Edsger Frances Grace John Katherine Leslie Margaret Niklaus Radia Tim Vint".split()
)
LAST = "Allen Backus Cerf Dijkstra Hamilton Hopper Johnson Knuth Lamport Liskov Lovelace Perlman Shannon Turing Wirth".split()
STREETS = "Oak Elm Mill Lake Hill Park River Church Station Garden Market Bridge".split()
KINDS = "Street Road Lane Avenue".split()
CITIES = "London Paris Zurich Boston Oslo Vienna Turin Lisbon Geneva Dublin Kyoto Madrid".split()
ITEMS = "tea lamp chair clock paper pencil kettle bicycle mirror basket notebook compass".split()
TAGS = RECORD["properties"]["tags"]["items"]["enum"]


class TinyConfig(NamedTuple):
    """Sizes of the model."""

    vocabulary: int = VOCABULARY
    width: int = 96
    layers: int = 3
    heads: int = 3
    positions: int = CANVAS + 1


class Output(NamedTuple):
    """What a call of the model gives: float32 [B, L, V]."""

    logits: torch.Tensor


class Layer(nn.Module):
    """A transformer's layer without a causal mask, normalised before each half."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.before_attention = nn.RMSNorm(config.width)
        self.into_heads = nn.Linear(config.width, 3 * config.width, bias=False)
        self.out_of_heads = nn.Linear(config.width, config.width, bias=False)
        self.before_mixing = nn.RMSNorm(config.width)
        self.widen = nn.Linear(config.width, 4 * config.width, bias=False)
        self.narrow = nn.Linear(4 * config.width, config.width, bias=False)

    def forward(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """Mix positions, then features; float [B, L, width] to the same, with the rotary angles [L, width / heads / 2]."""
        rows, length, width = x.shape
        q, k, v = self.into_heads(self.before_attention(x)).view(rows, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(rotate(q, angles), rotate(k, angles), v)
        x = x + self.out_of_heads(mixed.transpose(1, 2).reshape(rows, length, width))
        return x + self.narrow(functional.gelu(self.widen(self.before_mixing(x))))


def rotate(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotary positions: pairs of features of [B, heads, L, features] turned by their position's angles."""
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class TinyMdlm(nn.Module):
    """Ids, some of them masks, to the logits of every position: the call and the output of LLaDA's class."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        features = config.width // config.heads // 2
        rates = 1000.0 ** -(torch.arange(features) / features)
        self.register_buffer("angles", torch.arange(config.positions)[:, None] * rates, persistent=False)
        self.layers = nn.ModuleList(Layer(config) for _ in range(config.layers))
        self.norm = nn.RMSNorm(config.width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def features(self, input_ids: torch.Tensor) -> torch.Tensor:
        """What the logits are read from, float [B, L, width]."""
        x = self.tokens(input_ids)
        for layer in self.layers:
            x = layer(x, self.angles[: input_ids.shape[1]])
        return self.norm(x)

    def forward(self, input_ids: torch.Tensor) -> Output:
        """Logits float32 [B, L, V] of ids int64 [B, L], L at most ``positions``."""
        return Output(self.features(input_ids) @ self.tokens.weight.T)


class Trained(NamedTuple):
    """A model, its tokenizer, and its vocabulary for constraints."""

    model: TinyMdlm
    tokenizer: Any
    vocab: Vocabulary

    @property
    def mask_id(self) -> int:
        """The id of a slot that is not decided."""
        return int(self.tokenizer.token_to_id(MASK))


def record(rng: random.Random) -> str:
    """One record of ``RECORD``."""
    value = {
        "name": f"{rng.choice(FIRST)} {rng.choice(LAST)}",
        "age": rng.randint(18, 99),
        "address": {
            "street": f"{rng.choice(STREETS)} {rng.choice(KINDS)} {rng.randint(1, 99)}",
            "city": rng.choice(CITIES),
            "zip": f"{rng.randint(10000, 99999)}",
        },
        "tags": rng.sample(TAGS, rng.randint(1, 3)),
        "orders": [{"item": rng.choice(ITEMS), "count": rng.randint(1, 30)} for _ in range(rng.randint(1, 2))],
        "active": rng.random() < 0.7,
    }
    return json.dumps(value, separators=(",", ":"))


def like_the_data(text: str) -> float:
    """The share of a record's values that ``record`` can write: 1 for every one of its own."""
    value = json.loads(text)
    first, _, last = value["name"].partition(" ")
    street = value["address"]["street"].split(" ")
    named = len(street) == 3 and street[0] in STREETS and street[1] in KINDS and street[2].isdecimal()
    numbers = [(value["age"], 18, 99), *((order["count"], 1, 30) for order in value["orders"])]
    right = [
        first in FIRST and last in LAST,
        named and 1 <= int(street[2]) <= 99,
        value["address"]["city"] in CITIES,
        len(set(value["tags"])) == len(value["tags"]),
        *(order["item"] in ITEMS for order in value["orders"]),
        *(least <= number <= most for number, least, most in numbers),
    ]
    return sum(right) / len(right)


def python_source(limit: int = 3_000_000) -> list[str]:
    """Texts of the standard library's top-level modules, in the order of their names, up to some number of characters."""
    texts: list[str] = []
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")):
        texts.append(path.read_text(encoding="utf-8", errors="replace"))
        limit -= len(texts[-1])
        if limit < 0:
            break
    return texts


def train_tokenizer(records: list[str], sources: list[str]) -> Any:  # noqa: ANN401 - tokenizers has no types
    """Byte-level BPE of ``VOCABULARY`` tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END, MASK, JSON_TEXT, PYTHON_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(records + sources, trainer)
    return tokenizer


class Data:
    """Rows of ids, kind token first and end tokens last, drawn from the seed."""

    def __init__(self, tokenizer: Any, records: list[str], sources: list[str], seed: int) -> None:  # noqa: ANN401
        self.rng = np.random.default_rng(seed)
        self.end, self.mask = tokenizer.token_to_id(END), tokenizer.token_to_id(MASK)
        kind = tokenizer.token_to_id(JSON_TEXT)
        rows = [[kind, *e.ids] for e in tokenizer.encode_batch(records) if len(e.ids) <= CANVAS]
        self.records = np.array([row + [self.end] * (CANVAS + 1 - len(row)) for row in rows], np.int64)
        self.python = np.concatenate([np.array(e.ids, np.int64) for e in tokenizer.encode_batch(sources)])
        self.python_kind = tokenizer.token_to_id(PYTHON_TEXT)

    def batch(self, size: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """int64 [size, CANVAS + 1]: three quarters records, the rest Python."""
        quarter = size // 4
        starts = self.rng.integers(0, len(self.python) - CANVAS, quarter)
        python = self.python[starts[:, None] + np.arange(CANVAS)]
        python = np.concatenate([np.full((quarter, 1), self.python_kind), python], axis=1)
        return np.concatenate([self.records[self.rng.integers(0, len(self.records), size - quarter)], python])


def folder(steps: int, seed: int) -> Path:
    """Where a model trained so long from this seed lies."""
    return default_cache_dir() / f"tiny-mdlm-{FORMAT}-{steps}-{seed}"


def train(steps: int = STEPS, seed: int = 0, *, batch: int = 16, rate: float = 3e-3, log: bool = False) -> Trained:
    """Train on one thread, and save the result in the cache's folder."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng = random.Random(seed)
    records, sources = [record(rng) for _ in range(20_000)], python_source()
    tokenizer = train_tokenizer(records[:4000], [text[:20_000] for text in sources[:40]])
    data = Data(tokenizer, records, sources, seed)
    model = TinyMdlm(TinyConfig(vocabulary=tokenizer.get_vocab_size()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    began, smooth = time.monotonic(), math.nan
    for step in range(steps):
        share = step / steps
        for group in optimizer.param_groups:  # warm up over 2 % of the steps, then a cosine down to nothing
            group["lr"] = rate * min(share / 0.02 + 0.01, 0.5 + 0.5 * math.cos(math.pi * share))
        ids = torch.from_numpy(data.batch(batch))
        times = (torch.rand(1) + torch.arange(batch) / batch) % 1
        times = times[torch.randperm(batch)].clamp_min(0.05)
        hidden = torch.rand(ids.shape) < times[:, None]
        hidden[:, 0] = False
        with torch.autocast("cpu", torch.bfloat16):
            logits = model.features(torch.where(hidden, data.mask, ids))[hidden] @ model.tokens.weight.T
        losses = functional.cross_entropy(logits.float(), ids[hidden], reduction="none")
        weights = (1 / times)[:, None].expand(ids.shape)[hidden]
        loss = (losses * weights).sum() / (batch * CANVAS)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        smooth = loss.item() if math.isnan(smooth) else 0.98 * smooth + 0.02 * loss.item()
        if log and step % 50 == 49:
            print(f"step {step + 1}  loss {smooth:.3f} nats a slot  {time.monotonic() - began:.0f} s", flush=True)
    target = folder(steps, seed)
    target.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(target / "tokenizer.json"))
    torch.save(model.state_dict(), target / "weights.part")
    (target / "weights.part").rename(target / "weights.pt")  # last, whole or not at all
    return load(steps, seed)


def load(steps: int = STEPS, seed: int = 0) -> Trained:
    """Load a model that ``train`` saved, on one thread.

    Raises:
        FileNotFoundError: it was not trained yet.

    """
    torch.set_num_threads(1)
    place = folder(steps, seed)
    weights = torch.load(place / "weights.pt", weights_only=True)
    tokenizer = Tokenizer.from_file(str(place / "tokenizer.json"))
    model = TinyMdlm(TinyConfig(vocabulary=tokenizer.get_vocab_size()))
    model.load_state_dict(weights)
    size = tokenizer.get_vocab_size()
    vocab = Vocabulary.from_tokenizer(tokenizer, width=size, eos_ids=[tokenizer.token_to_id(END)])
    return Trained(model.eval(), tokenizer, vocab)


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    train(given.steps, given.seed, log=True)
    print(f"saved in {folder(given.steps, given.seed)}")


if __name__ == "__main__":
    main()

"""What a draw costs, and how much its weight is worth: masks, our rejection samplers, and those of genlm-control beside them.

    python bench/sampling.py [--width 128256] [--draws 300]

The laws are synthetic: logits of a peaked or a flat shape, and a check that refuses some tokens.  A check costs nothing here, so the
microseconds are what the sampler itself takes, from a row of float32 logits to a token and a weight.  ``checks`` is the mean
number of tokens that were checked, ``rel.std`` the standard deviation of the weight over the valid mass (0 is exact).

genlm-control (Apache 2.0) is used if it can be imported; its functions are called as they are, many in one event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from syntagma.engine.law import Law
from syntagma.engine.rejection import geometric, recursive, two_round
from syntagma.engine.unconstrained import Unconstrained
from syntagma.engine.urn import Urn

Draw = Callable[[], tuple[float, int]]
"""One draw: the weight, and the number of checks."""


def laws(width: int, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Logits and validity of every token, by name."""
    peaked = rng.normal(scale=2, size=width).astype(np.float32)
    peaked[7] += 22
    flat = rng.normal(scale=1, size=width).astype(np.float32)
    few = np.zeros(width, bool)
    few[rng.choice(width, 60, replace=False)] = True
    most = rng.random(width) < 0.95
    top_valid, top_invalid = most.copy(), most.copy()
    top_valid[7], top_invalid[7] = True, False
    return {
        "peaked, top token valid, mask dense": (peaked, top_valid),
        "peaked, top token invalid, mask dense": (peaked, top_invalid),
        "flat, mask dense": (flat, most),
        "flat, half valid": (flat, rng.random(width) < 0.5),
        "flat, 60 tokens valid": (flat, few),
    }


class _Vocab:
    def __init__(self, width: int) -> None:
        self.size = width
        self.tokens = [b"x"] * width
        self.eos_ids, self.pad_ids = (0,), ()


def ours(logits: np.ndarray, valid: np.ndarray, rng: np.random.Generator) -> dict[str, Draw]:
    """Our samplers on one law."""
    words = np.packbits(np.append(valid, np.zeros(-len(valid) % 32, bool)), bitorder="little").view("<u4")
    mask = words.astype(np.uint32)
    law = Law(Unconstrained(_Vocab(len(valid))))  # type: ignore[arg-type]  # the mask is given

    def masked() -> tuple[float, int]:
        urn, log_valid = law.urn(logits, 1, mask=mask)
        urn.draw(rng)
        return math.exp(log_valid), 0

    def rejected(form: Callable[..., Any]) -> tuple[float, int]:
        asked = 0

        def check(index: int) -> bool:
            nonlocal asked
            asked += 1
            return bool(valid[index])

        urn, _ = Urn.from_logits(logits, 1.0)
        return math.exp(form(urn, check, rng)[1]), asked

    return {
        "mask": masked,
        "recursive": partial(rejected, recursive),
        "two-round": partial(rejected, two_round),
        "geometric, 2": partial(rejected, geometric),
        "geometric, 5": partial(rejected, partial(geometric, accepts=5)),
    }


def theirs(logits: np.ndarray, valid: np.ndarray, rng: np.random.Generator) -> dict[str, Draw]:
    """Those of genlm-control, or none."""
    try:
        import torch  # noqa: PLC0415 - an optional peer
        from genlm.control.sampler.token import geometric_awrs, recursive_awrs  # noqa: PLC0415 - as above
    except ImportError:
        return {}
    torch.set_num_threads(1)
    row, names = torch.from_numpy(logits), range(len(logits))
    loop = asyncio.new_event_loop()

    def keys(logps: Any) -> Any:  # noqa: ANN401 - tensors
        return logps - torch.empty_like(logps).exponential_().log_()

    def draw(function: Callable[..., Any], **more: Any) -> tuple[float, int]:  # noqa: ANN401 - of either form
        asked: set[int] = set()

        async def accept(token: int) -> bool:
            asked.add(token)
            return bool(valid[token])

        logps = torch.log_softmax(row, 0)
        call = function(logps=logps, toks=names, accept=accept, make_keys=keys, max_rejects=math.inf, **more)
        return math.exp(loop.run_until_complete(call)[1]), len(asked)

    return {
        "genlm recursive": partial(draw, recursive_awrs),
        "genlm geometric, 2": partial(draw, geometric_awrs, rng=rng, max_accepts=2),
        "genlm geometric, 5": partial(draw, geometric_awrs, rng=rng, max_accepts=5),
    }


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128_256)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=8.0, help="at most so long for one line")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    for name, (logits, valid) in laws(options.width, rng).items():
        p = np.exp(logits.astype(float) - logits.max())
        z = p[valid].sum() / p.sum()
        print(f"\n{name}: valid mass {z:.4g}, {valid.sum()} of {len(valid)} tokens")
        print(f"  {'sampler':20} {'us':>9} {'checks':>8} {'rel.std':>8} {'mean/Z':>8}")
        for sampler, draw in {**ours(logits, valid, rng), **theirs(logits, valid, rng)}.items():
            draw()  # compiles
            weights, checks, seconds = [], [], []
            began = time.perf_counter()
            while len(weights) < options.draws and time.perf_counter() - began < options.seconds:
                at = time.perf_counter()
                weight, asked = draw()
                seconds.append(time.perf_counter() - at)
                weights.append(weight)
                checks.append(asked)
            spread, mean = np.std(weights) / z, np.mean(weights) / z
            print(f"  {sampler:20} {np.median(seconds) * 1e6:9.1f} {np.mean(checks):8.1f} {spread:8.2f} {mean:8.2f}")


if __name__ == "__main__":
    main()

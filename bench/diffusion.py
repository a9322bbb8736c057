"""Denoising under a schema, policy by policy: share of valid outputs, passes of the model, and the constraint's share of a step.

The model is the small masked-diffusion model of ``train_tiny_mdlm.py``, trained here on first use.  Every policy fills the same canvases: records of one nested
schema of which some tokens are given (none, a tenth, three tenths, in turn), at temperature 0.  A text counts as valid if ``jsonschema`` says so,
which is not ours.  ``plain`` decodes without a constraint, by the same rule as the baseline.

    python bench/diffusion.py --generations 500
    python bench/diffusion.py --generations 20 --picture docs/diffusion.svg
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import torch
from train_tiny_mdlm import CANVAS, JSON_TEXT, RECORD, STEPS, Trained, folder, load, record, train

import syntagma as sg
from syntagma import diffusion
from syntagma.engine.diffusion import learn2pd_training
from syntagma.engine.diffusion.picture import svg

BLOCK = 24
GIVEN = (0.0, 0.1, 0.3)


class Case(NamedTuple):
    """A policy, and how it is run."""

    name: str
    policy: Any
    block: Any = None


def cases(filter_: Any) -> list[Case]:  # noqa: ANN401
    """Every policy with the values of its paper; the first is the baseline."""
    d = diffusion
    return [
        Case("low confidence, one a pass", d.LowConfidence()),
        Case("top-k margin, one a pass", d.TopKMargin()),
        Case("low confidence, two a pass", d.LowConfidence(2)),
        Case("threshold 0.9", d.Threshold()),
        Case("factor 1", d.Factor()),
        Case("LocalLeap", d.LocalLeap()),
        Case("Prophet", d.Prophet()),
        Case("FreeDave, 4 drafts", d.FreeDave(4)),
        Case("AdaBlock, threshold 0.9", d.Threshold(), d.AdaBlock(delimiters=(b",", b"}", b"]"))),
        Case("Learn2PD", d.Learn2PD(filter_), BLOCK),
        Case("entropy bound 0.1", d.EntropyBound()),
        Case("dParallel, 0.5 nats", d.EntropyThreshold()),
        Case("hierarchical", d.Hierarchical()),
        Case("joint threshold (edits)", d.JointThreshold()),
        Case("ReMDM (remasks)", d.ReMDM()),
        Case(f"threshold 0.9, blocks of {BLOCK}", d.Threshold(), BLOCK),
    ]


def canvases(trained: Trained, count: int, seed: int) -> Iterator[list[Any]]:
    """Canvases of ``CANVAS`` slots; given tokens are of one record each, so that each canvas can be filled."""
    rng = random.Random(seed)
    end = trained.tokenizer.token_to_id("<end>")
    for i in range(count):
        ids = trained.tokenizer.encode(record(rng)).ids
        ids += [end] * (CANVAS - len(ids))
        share = GIVEN[i % len(GIVEN)]
        yield [token if token != end and rng.random() < share else sg.HOLE for token in ids]


def valid(text: str) -> bool:
    """Whether a text is a record, by a validator that is not ours."""
    try:
        jsonschema.validate(json.loads(text), RECORD)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


def plain(trained: Trained, slots: Sequence[Any], prompt: Sequence[int]) -> str:
    """The baseline's rule without a constraint."""
    ids = np.array([*prompt, *(trained.mask_id if isinstance(s, sg.Hole) else s for s in slots)], np.int64)
    with torch.inference_mode():
        while (hidden := ids == trained.mask_id).any():
            logits = trained.model(torch.from_numpy(ids[None])).logits[0]
            logits[:, trained.mask_id] = -torch.inf
            best = torch.softmax(logits, -1).max(-1)
            at = int(np.argmax(np.where(hidden, best.values.numpy(), -1)))
            ids[at] = int(best.indices[at])
    return text_of(trained, ids[len(prompt) :])


def text_of(trained: Trained, ids: np.ndarray[Any, Any]) -> str:
    """The text before the first end token."""
    ends = np.isin(ids, trained.vocab.eos_ids)
    ids = ids[: int(np.argmax(ends))] if ends.any() else ids
    return b"".join(trained.vocab.tokens[t] or b"" for t in ids).decode(errors="replace")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=500, help="canvases for each policy")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="policies whose names contain this, and the baseline")
    parser.add_argument("--picture", type=Path, help="write one decoding by a threshold as SVG")
    given = parser.parse_args()
    trained = load(given.steps) if (folder(given.steps, 0) / "weights.pt").exists() else train(given.steps, log=True)
    constraint = sg.compile(sg.JsonSchema(RECORD, whitespace="compact"), trained.vocab)
    model = diffusion.llada(trained.model, mask_id=trained.mask_id, tail_id=trained.vocab.eos_ids[0])
    prompt = [trained.tokenizer.token_to_id(JSON_TEXT)]
    began = time.perf_counter()
    practice = canvases(trained, 12, given.seed + 1)
    filter_ = learn2pd_training.train(
        *learn2pd_training.examples(model, prompt, constraint, practice, block=BLOCK), epochs=500
    )
    print(f"filter of Learn2PD: {time.perf_counter() - began:.0f} s with its examples\n")
    if given.picture:
        slots = list(canvases(trained, len(GIVEN), given.seed))[-1]
        shown = diffusion.diffuse(model, prompt, constraint, canvas=slots, policy=diffusion.Factor())
        given.picture.write_text(svg(shown, trained.vocab), encoding="utf-8")
    rows = list(canvases(trained, given.generations, given.seed))
    sane = sum(valid(plain(trained, slots, prompt)) for slots in rows[:20])
    print(f"without a constraint: {sane} of {min(20, len(rows))} valid\n")
    print(
        "| policy | valid | passes | of the baseline's | canvases | rejected | resamples | constraint's share | ms a text |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    base = 0.0
    for number, case in enumerate(cases(filter_)):
        if number and given.only not in case.name:
            continue
        began = time.perf_counter()
        results = [
            diffusion.diffuse(model, prompt, constraint, canvas=slots, policy=case.policy, block=case.block)
            for slots in rows
        ]
        seconds = time.perf_counter() - began
        passes = float(np.mean([r.n_forward for r in results]))
        base = base or passes
        good = sum(valid(r.text) for r in results)
        total = sum(r.model_seconds + r.constraint_seconds + r.sampling_seconds for r in results)
        print(
            f"| {case.name} | {good} of {len(rows)} | {passes:.1f} | {passes / base:.0%} "
            f"| {np.mean([r.n_canvases for r in results]):.1f} | {np.mean([r.n_rejected for r in results]):.1f} "
            f"| {sum(r.n_resamples for r in results)} | {sum(r.constraint_seconds for r in results) / total:.0%} "
            f"| {1000 * seconds / len(rows):.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()

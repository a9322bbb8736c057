"""A real masked-diffusion model, trained here in a minute: every policy fills records of its schema, and the filter of Learn2PD learns."""

from __future__ import annotations

import importlib.util
import json
import random
import sys
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

import syntagma as sg
from syntagma import diffusion as d

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("tokenizers", reason="tokenizers is not installed")

ROOT = Path(__file__).resolve().parents[1]
STEPS = 60  # enough for a model that knows the common tokens of a record, and little else


@pytest.fixture(scope="module")
def bench() -> Any:
    """The module of the training script, which is no part of the package."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        import train_tiny_mdlm
    finally:
        sys.path.remove(str(ROOT / "bench"))
    return train_tiny_mdlm


@pytest.fixture(scope="module")
def trained(bench: Any) -> Any:
    """The model of the benchmark if it has been trained on this machine, else one of a few steps, kept in the cache."""
    for steps in (bench.STEPS, STEPS):
        if (bench.folder(steps, 0) / "weights.pt").exists():
            return bench.load(steps)
    return bench.train(STEPS)


@pytest.fixture(scope="module")
def constraint(bench: Any, trained: Any) -> sg.Constraint:
    """The schema of the records, without spaces, as they were written."""
    return sg.compile(sg.JsonSchema(bench.RECORD, whitespace="compact"), trained.vocab)


@pytest.fixture(scope="module")
def slots(bench: Any, trained: Any) -> list[Any]:
    """A record of which a third is given, and its tail."""
    rng = random.Random(3)
    ids = trained.tokenizer.encode(bench.record(rng)).ids
    return [t if rng.random() < 0.3 else sg.HOLE for t in ids] + [sg.HOLE] * (bench.CANVAS - len(ids))


def denoiser(trained: Any) -> d.MaskedModel:
    return d.llada(trained.model, mask_id=trained.mask_id, tail_id=trained.vocab.eos_ids[0])


@pytest.mark.model
@pytest.mark.parametrize(
    "policy",
    [
        d.LowConfidence(4),
        d.Threshold(),
        d.Factor(),
        d.LocalLeap(),
        d.Prophet(),
        d.EntropyBound(),
        d.EntropyThreshold(),
        d.JointThreshold(),
        d.FreeDave(2, d.LowConfidence(8)),
    ],
    ids=lambda p: type(p).__name__,
)
def test_records_are_valid_whatever_the_policy(
    bench: Any, trained: Any, constraint: sg.Constraint, slots: list[Any], policy: Any
) -> None:
    """The validator, which is not ours, accepts the text; given tokens stand where they were; nothing was asked twice."""
    prompt = [trained.tokenizer.token_to_id(bench.JSON_TEXT)]
    result = d.diffuse(denoiser(trained), prompt, constraint, canvas=slots, policy=policy, steps=16)
    jsonschema.validate(json.loads(result.text), bench.RECORD)
    assert all(isinstance(s, sg.Hole) or s == t for s, t in zip(slots, result.ids.tolist(), strict=True))
    assert result.n_resamples == 0


@pytest.mark.model
def test_the_filter_learns_from_decodings(
    bench: Any, trained: Any, constraint: sg.Constraint, slots: list[Any]
) -> None:
    """After training it tells final proposals from others better than always saying the more frequent answer, and it decodes."""
    from syntagma.engine.diffusion import learn2pd_training

    model, prompt = denoiser(trained), [trained.tokenizer.token_to_id(bench.JSON_TEXT)]
    confidence, final = learn2pd_training.examples(model, prompt, constraint, [slots], block=24)
    learnt = learn2pd_training.train(confidence, final)
    right = ((learnt(confidence) > 0) == final).mean()
    assert right > max(final.mean(), 1 - final.mean())
    result = d.diffuse(model, prompt, constraint, canvas=slots, policy=d.Learn2PD(learnt, 0.9), block=24)
    jsonschema.validate(json.loads(result.text), bench.RECORD)


@pytest.mark.slow
@pytest.mark.model
def test_every_policy_of_the_benchmark_fills_many_canvases(
    monkeypatch: pytest.MonkeyPatch, bench: Any, trained: Any, constraint: sg.Constraint
) -> None:
    """Seventeen ways to decode, side by side: all valid by a validator that is not ours, nothing asked twice, given tokens kept."""
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    spec = importlib.util.spec_from_file_location("bench_diffusion", ROOT / "bench" / "diffusion.py")
    assert spec is not None
    assert spec.loader is not None
    measured = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "bench_diffusion", measured)
    spec.loader.exec_module(measured)
    from syntagma.engine.diffusion import learn2pd_training

    rows = list(measured.canvases(trained, 9, 5))
    prompt = [trained.tokenizer.token_to_id(bench.JSON_TEXT)]
    cases = measured.cases(learn2pd_training.untrained(measured.BLOCK))
    assert len(cases) == 17
    for case in cases:
        found = d.diffuse_many(
            denoiser(trained), [prompt] * 9, constraint, canvases=rows, policy=case.policy, block=case.block
        )
        for slots, result in zip(rows, found, strict=True):
            jsonschema.validate(json.loads(result.text), bench.RECORD)
            assert result.n_resamples == 0, case.name
            assert all(isinstance(s, sg.Hole) or s == t for s, t in zip(slots, result.ids.tolist(), strict=True))


def test_a_filter_is_fitted_to_what_is_final() -> None:
    """On examples where just the confidences above one half are final, the fitted filter says so."""
    from syntagma.engine.diffusion import learn2pd_training

    confidence = np.random.default_rng(0).random((400, 4))
    learnt = learn2pd_training.train(confidence, confidence > 0.5, hidden=16)
    assert ((learnt(confidence) > 0) == (confidence > 0.5)).mean() > 0.97
    with pytest.raises(sg.InvalidSource, match="without examples"):
        learn2pd_training.train(np.zeros((0, 4)), np.zeros((0, 4), np.bool_))

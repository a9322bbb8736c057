"""Denoising under a constraint, policy by policy: share of valid outputs, passes of the model, and what the constraint costs beside it.

The model is the small masked-diffusion model of ``train_tiny_mdlm.py``, trained here on first use.  Every policy fills the same canvases, at temperature 0: records of one nested
schema, or (``--task expressions``) expressions of Python, which nest without end.  Of each some tokens are given, a twentieth, a tenth or three tenths in turn and at least one,
so that hardly two canvases are the same.  A text counts as valid if ``jsonschema`` or Python's parser says so, which are not ours.  ``plain`` decodes without a constraint, by the same rule as the
baseline.

Two columns tell what speed is bought with.  *Nats a token* is the model's own view of a finished text: the cross entropy of each token that was not given, hidden by itself while all others are
seen (the pseudo-likelihood of Salazar et al. 2020, "Masked Language Model Scoring").  *Values of the data*, of records, is the share of values that the generator of the training data can write.
Each policy has the value of its paper; a star marks a second value, for a model as small and as unsure as this one.

Times are the thread's processor time; the model runs on one thread.  They are of canvases that were decoded alone, as far as there are such: ``--batch`` decodes several side by side, which is
faster, and ``--alone 20`` then decodes the first twenty alone, to be done on a quiet machine.  With ``--log`` each outcome is a line of that file, one file a task, and what is there already is not done again: a run can
be stopped and taken up.  ``--table`` puts the table into a page, between ``<!-- records -->`` or
``<!-- expressions -->`` and ``<!-- end -->``.

    python bench/diffusion.py --generations 500 --batch 20 --log records.jsonl
    python bench/diffusion.py --generations 500 --alone 40 --minutes 10 --log records.jsonl --table docs/diffusion.md
    python bench/diffusion.py --generations 20 --picture docs/diffusion.svg
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import torch
from expressions import GRAMMAR, expression, parses
from page import origin, write_into
from train_tiny_mdlm import (
    CANVAS,
    JSON_TEXT,
    PYTHON_TEXT,
    RECORD,
    STEPS,
    Trained,
    folder,
    like_the_data,
    load,
    record,
    train,
)

import syntagma as sg
from syntagma import diffusion
from syntagma.engine.diffusion import learn2pd_training, loop, passes
from syntagma.engine.diffusion.picture import svg

BLOCK = 24
GIVEN = (0.05, 0.1, 0.3)
SHORTEST = 12  # tokens of a text from which some are given
ROUND = 20  # canvases that every policy fills before the next ones
JUDGED = 5  # of so many canvases one is judged by the model, which costs about as much as decoding it
LIKELY = "values of the data"
TITLES = (
    "policy",
    "valid",
    "passes",
    "of one a pass",
    "of one a slot",
    "canvases read",
    "left open by the joint commit",
    "resamples",
    "nats a token",
    LIKELY,
    "constraint, ms a pass",
    "of the time",
)


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
        Case("low confidence, four a pass", d.LowConfidence(4)),
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


def half_gaps() -> list[Case]:
    """Second values for records."""
    return [Case("Prophet, half its gaps *", diffusion.Prophet(thresholds=(3.75, 2.5, 1.25)))]


def least_sure() -> list[Case]:
    """Second values for expressions, of which the model has seen too few to be sure of much."""
    d = diffusion
    return [
        Case("threshold 0.07 *", d.Threshold(0.07)),
        Case("factor 4 *", d.Factor(4)),
        Case("LocalLeap, 0.07 and 0.05 *", d.LocalLeap(0.07, 0.05)),
        Case("Prophet, a tenth of its gaps *", d.Prophet(thresholds=(0.75, 0.5, 0.25))),
        Case("entropy bound 8 *", d.EntropyBound(8)),
        Case("dParallel, 5 nats *", d.EntropyThreshold(5)),
        Case("hierarchical, 0.5 and 0.05 *", d.Hierarchical(0.5, 0.05)),
        Case("joint threshold 0.07 (edits) *", d.JointThreshold(0.07)),
    ]


class Outcome(NamedTuple):
    """What one decoding gave and cost.

    Attributes:
        case: the policy's name.
        canvas: the canvas' number.
        valid: whether ``jsonschema`` or Python accepts the text.
        slots: open slots of the canvas: the passes of a decoder that reveals one a pass and knows nothing for certain.
        passes: of the model.
        read: canvases that these passes read in all.
        rejected: proposals left open by joint commits.
        resamples: passes that changed nothing.
        constraint: processor time in the lattice, in seconds.
        total: the same with the model, the laws and the policy.
        batch: canvases that were decoded side by side.
        nats: cross entropy of a token that was not given, see ``surprise``; ``None`` where it was not taken.
        likely: share of the text's values that the data could have; ``None`` where the data has none.

    """

    case: str
    canvas: int
    valid: bool
    slots: int
    passes: int
    read: int
    rejected: int
    resamples: int
    constraint: float
    total: float
    batch: int = 1
    nats: float | None = None
    likely: float | None = None


def is_record(text: str) -> bool:
    """Whether a text is a record, by a validator that is not ours."""
    try:
        jsonschema.validate(json.loads(text), RECORD)
    except (ValueError, jsonschema.ValidationError):
        return False
    return True


class Task(NamedTuple):
    """What is decoded.

    Attributes:
        source: the constraint.
        kind: the token that tells the model what kind of text it is.
        text: a random text.
        valid: whether a text is one, by somebody else.
        length: slots of a canvas.
        likely: the share of a text's values that the training data could have.
        suited: policies with second values.

    """

    source: sg.Source
    kind: str
    text: Callable[[random.Random], str]
    valid: Callable[[str], bool]
    length: int
    likely: Callable[[str], float | None]
    suited: Callable[[], list[Case]]


TASKS = {
    "records": Task(
        sg.JsonSchema(RECORD, whitespace="compact"), JSON_TEXT, record, is_record, CANVAS, like_the_data, half_gaps
    ),
    "expressions": Task(sg.Gbnf(GRAMMAR), PYTHON_TEXT, expression, parses, CANVAS // 2, lambda _: None, least_sure),
}


def canvases(trained: Trained, count: int, seed: int, task: Task = TASKS["records"]) -> Iterator[list[Any]]:
    """Canvases; given tokens are of one text each, so that each canvas can be filled."""
    rng = random.Random(seed)
    end = trained.tokenizer.token_to_id("<end>")
    for i in range(count):
        while not SHORTEST <= len(ids := trained.tokenizer.encode(task.text(rng)).ids) <= task.length:
            pass
        share = GIVEN[i % len(GIVEN)]
        given = [k for k in range(len(ids)) if rng.random() < share] or [i % len(ids)]
        ids += [end] * (task.length - len(ids))
        yield [token if k in given else sg.HOLE for k, token in enumerate(ids)]


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


def surprise(trained: Trained, slots: Sequence[Any], ids: np.ndarray[Any, Any], prompt: Sequence[int]) -> float:
    """Nats a token, the mean over the text's tokens that were not given and the end behind it: each is hidden in a row of its own."""
    ends = np.flatnonzero(np.isin(ids, trained.vocab.eos_ids))
    stop = int(ends[0]) + 1 if len(ends) else len(ids)
    own = [i for i in range(stop) if isinstance(slots[i], sg.Hole)]
    if not own:
        return 0.0
    rows = np.tile(np.array([*prompt, *ids], np.int64), (len(own), 1))
    at = np.array(own) + len(prompt)
    rows[np.arange(len(own)), at] = trained.mask_id
    with torch.inference_mode():
        hidden = trained.model.features(torch.from_numpy(rows))[torch.arange(len(own)), torch.from_numpy(at)]
        laws = torch.log_softmax(hidden @ trained.model.tokens.weight.T, -1)
    return float(-laws[torch.arange(len(own)), torch.from_numpy(ids[own])].mean())


def text_of(trained: Trained, ids: np.ndarray[Any, Any]) -> str:
    """The text before the first end token."""
    ends = np.isin(ids, trained.vocab.eos_ids)
    ids = ids[: int(np.argmax(ends))] if ends.any() else ids
    return b"".join(trained.vocab.tokens[t] or b"" for t in ids).decode(errors="replace")


def table(outcomes: Sequence[Outcome]) -> list[str]:
    """The table's lines, a row a policy, in the order of the first outcomes."""
    of_case: dict[str, dict[int, Outcome]] = {}
    alone: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        of_case.setdefault(outcome.case, {}).setdefault(outcome.canvas, outcome)
        if outcome.batch == 1:
            alone.setdefault(outcome.case, []).append(outcome)
    titles = [t for t in TITLES if t != LIKELY or any(o.likely is not None for o in outcomes)]
    lines = [f"| {' | '.join(titles)} |", "|---" * len(titles) + "|"]
    base = 0.0
    for name, of_canvas in of_case.items():
        found = list(of_canvas.values())
        sums = {field: sum(getattr(o, field) for o in found) for field in Outcome._fields[2:8]}
        n = len(found)
        nats = [o.nats for o in found if o.nats is not None]
        likely = [o.likely for o in found if o.likely is not None]
        timed = alone.get(name, found)  # side by side they share the model's time
        base = base or sums["passes"] / n
        cells = [
            name,
            f"{sums['valid']} of {n}",
            f"{sums['passes'] / n:.1f}",
            f"{sums['passes'] / n / base:.0%}",
            f"{sums['passes'] / sums['slots']:.0%}",
            f"{sums['read'] / n:.1f}",
            f"{sums['rejected'] / n:.1f}",
            f"{sums['resamples']}",
            f"{sum(nats) / max(1, len(nats)):.2f}",
            *([f"{sum(likely) / len(likely):.0%}"] if likely else []),
            f"{1000 * sum(o.constraint for o in timed) / sum(o.passes for o in timed):.2f}",
            f"{sum(o.constraint for o in timed) / sum(o.total for o in timed):.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def read_log(path: Path | None, names: Sequence[str], generations: int) -> list[Outcome]:
    """The outcomes of a log, if there is one, that are asked for."""
    if path is None or not path.exists():
        return []
    found = [Outcome(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    return [o for o in found if o.case in names and o.canvas < generations]


def measure(given: argparse.Namespace, outcomes: list[Outcome]) -> None:
    """Decode what is not among the outcomes yet, and add it to them."""
    began = time.monotonic()
    loop.perf_counter = passes.perf_counter = time.thread_time
    task = TASKS[given.task]
    trained = load(given.steps) if (folder(given.steps, 0) / "weights.pt").exists() else train(given.steps, log=True)
    constraint = sg.compile(task.source, trained.vocab)
    model = diffusion.llada(trained.model, mask_id=trained.mask_id, tail_id=trained.vocab.eos_ids[0])
    prompt = [trained.tokenizer.token_to_id(task.kind)]
    practice = canvases(trained, 12, given.seed + 1, task)
    filter_ = learn2pd_training.train(
        *learn2pd_training.examples(model, prompt, constraint, practice, block=BLOCK), epochs=500
    )
    print(f"filter of Learn2PD: {time.monotonic() - began:.0f} s with its examples\n")
    if given.picture:
        slots = list(canvases(trained, len(GIVEN), given.seed, task))[-1]
        shown = diffusion.diffuse(model, prompt, constraint, canvas=slots, policy=diffusion.Factor())
        given.picture.write_text(svg(shown, trained.vocab), encoding="utf-8")
    rows = list(canvases(trained, given.generations, given.seed, task))
    sane = sum(task.valid(plain(trained, slots, prompt)) for slots in rows[:20])
    print(f"without a constraint: {sane} of {min(20, len(rows))} valid\n", flush=True)
    there = {(o.case, o.canvas, o.batch == 1) for o in outcomes}
    rows = rows[: given.alone or None]
    for first, case in product(range(0, len(rows), ROUND), chosen(given, filter_)):
        wanted = [
            i for i in range(first, min(first + ROUND, len(rows))) if (case.name, i, given.batch == 1) not in there
        ]
        if time.monotonic() - began > 60 * given.minutes:
            break
        decoded = diffusion.diffuse_many(
            model,
            [prompt] * len(wanted),
            constraint,
            canvases=[rows[i] for i in wanted],
            policy=case.policy,
            block=case.block,
            batch_size=given.batch,
        )
        for i, r in zip(wanted, decoded, strict=True):
            total = r.model_seconds + r.constraint_seconds + r.sampling_seconds
            costs = (r.n_forward, r.n_canvases, r.n_rejected, r.n_resamples, r.constraint_seconds, total)
            n_open = sum(isinstance(slot, sg.Hole) for slot in rows[i])
            nats = None if i % JUDGED else surprise(trained, rows[i], r.ids, prompt)
            worth = {"nats": nats, "likely": task.likely(r.text)}
            outcomes.append(Outcome(case.name, i, task.valid(r.text), n_open, *costs, batch=given.batch, **worth))
            if given.log:
                with given.log.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(outcomes[-1]._asdict()) + "\n")


def chosen(given: argparse.Namespace, filter_: Any = None) -> list[Case]:  # noqa: ANN401
    """The policies that are asked for."""
    every = [*cases(filter_), *TASKS[given.task].suited()]
    return [case for number, case in enumerate(every) if not number or given.only in case.name]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--task", default="records", choices=sorted(TASKS))
    parser.add_argument("--generations", type=int, default=500, help="canvases for each policy")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="policies whose names contain this, and the baseline")
    parser.add_argument("--log", type=Path, help="append each outcome to this file, and skip what is there")
    parser.add_argument("--batch", type=int, default=1, help="canvases that are decoded side by side")
    parser.add_argument("--alone", type=int, default=0, help="decode the first so many alone, for their times")
    parser.add_argument(
        "--minutes", type=float, default=np.inf, help="begin nothing after so long; 0 for what the log has"
    )
    parser.add_argument("--table", type=Path, help="write the table into this page")
    parser.add_argument("--picture", type=Path, help="write one decoding by a threshold as SVG")
    given = parser.parse_args()
    given.batch = 1 if given.alone else given.batch
    names = [case.name for case in chosen(given)]
    outcomes = read_log(given.log, names, given.generations)
    if given.minutes > 0:
        measure(given, outcomes)
    outcomes.sort(key=lambda o: names.index(o.case))
    alone = len({o.canvas for o in outcomes if o.batch == 1})
    together = max((o.batch for o in outcomes), default=1)
    times = f"times of {alone} canvases decoded alone" if alone else f"up to {together} side by side, times too"
    made = f"{len({(o.case, o.canvas) for o in outcomes}):,} decodings on one thread, {times}; {origin('numpy', 'numba', 'torch')}; model of {given.steps:,} training steps."
    lines = [*table(outcomes), "", made]
    print("\n".join(lines))
    if given.table:
        write_into(given.table, given.task, "\n".join(lines))


if __name__ == "__main__":
    main()

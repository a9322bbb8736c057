"""Our samplers and those of genlm-control on the same model, the same checks, in the same process.

    python bench/side_by_side.py [--first 1] [--kind JSON] [--log side.jsonl]

The embedded model is asked for JSON, SQL, texts of a pattern and molecules.  Each answer is ruled by a grammar and by a check that no grammar makes.  Rows of
logits are computed and normalised once and kept, so that both engines see the same numbers, and the time in the model is left out.  Both run sequential Monte Carlo
with the same resampling; ours with several numbers of particles, so that both can be compared at equal error.  The columns:

``grammar``   questions to the grammar for each drawn token: masks and steps of ours, prefixes of theirs
``checks``    executions of the check for each drawn token; both ask a check only where a unit closes, and keep verdicts
``us``        CPU microseconds for each drawn token, without the model; ``+ check``: what the check takes beside
``spread``    standard deviation of the estimate of the evidence (the probability that the model keeps the constraint), over its true value
``bias``      its mean, over its true value
``distance``  total variation between the law of a drawn text and the model's own, conditioned on the constraint

The truth comes from an enumeration, likeliest first, which ends where what is left cannot matter; ``missed`` says how much that is.
genlm-control is used if it can be imported: ``pip install genlm-control matplotlib``.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from side_tasks import Task, tasks
from transformers import DynamicCache

import syntagma as sg
from syntagma.engine import law
from syntagma.engine.law import allowed_ids
from syntagma.engine.model import prompt_ids
from syntagma.engine.posterior import Posterior
from syntagma.engine.residuals.checked import CheckedStates
from syntagma.integrations import smollm2

Run = tuple[int, ...]


class Tally:
    """Stands for the work of a check: counts its calls, or notes what they were given."""

    def __init__(self, work: Callable[..., Any]) -> None:
        self._work, self.n = work, 0
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] | None = None

    def __call__(self, *given: Any, **more: Any) -> Any:  # noqa: ANN401 - whatever it takes
        """Do the work."""
        self.n += 1
        if self.calls is not None:
            self.calls.append((given, more))
        return self._work(*given, **more)

    def replayed(self) -> float:
        """CPU seconds of the calls that were noted."""
        began = time.process_time()
        for given, more in self.calls or ():
            with suppress(Exception):  # a check may tell by an error
                self._work(*given, **more)
        return time.process_time() - began


class Table:
    """The model's logits after a prompt and token runs, each computed once.

    What the layers keep of a token is kept as well, so that a run costs its last token.
    """

    BATCH = 64

    def __init__(self, model: sg.LanguageModel, prompt: str) -> None:
        self._model = model.model
        self._known: dict[Run, np.ndarray] = {}
        self._wholes: dict[int, float] = {}
        self._layers: dict[Run, Any] = {}
        self.seconds = 0.0  # CPU seconds in the model
        with torch.inference_mode():
            ids = torch.tensor([prompt_ids(prompt, model.tokenizer)])
            found = self._model(input_ids=ids, use_cache=True, logits_to_keep=1)
        self._prompt = [(layer.keys, layer.values) for layer in found.past_key_values.layers]
        self._keep({(): found.logits[0, -1].float().numpy()})

    def _keep(self, rows: dict[Run, np.ndarray]) -> None:
        self._known |= rows
        self._wholes |= {id(row): law.log_sum_exp(row) for row in rows.values()}

    def whole(self, row: np.ndarray, temperature: float) -> float:
        """The log of what a row's exponentials sum up to: known beforehand, as it is where the other engine is given log probabilities."""
        return (
            self._wholes[id(row)] if temperature == 1 and id(row) in self._wholes else law.log_sum_exp(row, temperature)
        )

    def __call__(self, runs: Sequence[Run]) -> list[np.ndarray]:
        """float32[V] for each run."""
        if all(run in self._known for run in runs):  # without a look at the clock, which takes as long as a token
            return [self._known[run] for run in runs]
        began = time.process_time()
        missing = sorted({run[:n] for run in runs for n in range(1, len(run) + 1)} - self._known.keys(), key=len)
        while missing:
            batch = [run for run in missing[: self.BATCH] if len(run) == len(missing[0])]
            del missing[: len(batch)]
            self._compute(batch)
        self.seconds += time.process_time() - began
        return [self._known[run] for run in runs]

    def _compute(self, batch: list[Run]) -> None:
        """Runs of one length, all but their last tokens known."""
        before = len(batch[0]) - 1
        with torch.inference_mode():
            cache = DynamicCache()
            past = [torch.stack([self._layers[run[:n]] for n in range(1, before + 1)], 3) for run in batch if before]
            for number, of_prompt in enumerate(self._prompt):
                parts = [[each.expand(len(batch), -1, -1, -1)] for each in of_prompt]
                for which, part in enumerate(parts):
                    if before:
                        part.append(torch.stack([each[number, which] for each in past]))
                cache.update(*(torch.cat(part, 2) for part in parts), number)
            ids = torch.tensor([run[-1:] for run in batch])
            found = self._model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            own = torch.stack([torch.stack([layer.keys[:, :, -1], layer.values[:, :, -1]]) for layer in cache.layers])
        self._layers |= {run: own[:, :, i] for i, run in enumerate(batch)}  # [layers, 2, heads, width]
        self._keep(dict(zip(batch, found.logits[:, -1].float().numpy(), strict=True)))


def vocabulary(model: sg.LanguageModel) -> sg.Vocabulary:
    """The model's tokens, with a line feed as the end: that is where the examples in the prompts end."""
    own = model.vocab
    ends = [i for i, text in enumerate(own.tokens) if text in {b"\n", b"\n\n"}]
    gone = {*ends, *own.eos_ids, *own.pad_ids}
    return sg.Vocabulary([None if i in gone else text for i, text in enumerate(own.tokens)], eos_ids=ends)


class Counting:
    """States of a constraint that count what they are asked."""

    def __init__(self, states: Any) -> None:  # noqa: ANN401 - a session
        self._states, self.n = states, 0

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever it is
        """All else is as it was."""
        return getattr(self._states, name)

    def mask(self, state: int, out: Any = None, budget: int | None = None) -> Any:  # noqa: ANN401 - as above
        """A mask."""
        self.n += 1
        return self._states.mask(state, out=out, budget=budget)

    def advance(self, state: int, token: int) -> int:
        """A step."""
        self.n += 1
        return self._states.advance(state, token)


class Truth(NamedTuple):
    """The exact law of a task's answers.

    Attributes:
        evidence: probability that the model keeps the constraint.
        law: probabilities of texts, given that.
        missed: the evidence that may be missing, over what was found.

    """

    evidence: float
    law: dict[bytes, float]
    missed: float


NEAR = 20.0
"""Token runs are opened together with the likeliest one if they are at most so many times less likely."""


def enumerated(task: Task, table: Table, constraint: sg.Constraint, *, enough: float, most: int) -> Truth:
    """Go through the token runs, likeliest first, until the rest is below a share of what was found."""
    vocab, found, left = constraint.vocab, Counter[bytes](), 1.0
    total, dropped, opened = 0.0, 0.0, 0
    with constraint.session() as session:
        states = CheckedStates(session, task.check()[0], vocab)
        heap: list[tuple[float, Run, int]] = [(-1.0, (), states.start)]
        while heap and left + dropped > enough * total and opened < most:
            floor, batch = heap[0][0] / NEAR, []
            while heap and heap[0][0] <= floor and len(batch) < 4 * Table.BATCH:
                batch.append(heapq.heappop(heap))
            opened += len(batch)
            for (p, run, state), row in zip(batch, table([run for _, run, _ in batch]), strict=True):
                left += p
                law = np.exp(row.astype(float) - row.max())
                law /= law.sum()
                ids = allowed_ids(states.mask(state, budget=task.max_tokens - len(run)), len(row))
                for token, share in zip(ids.tolist(), (-p * law[ids]).tolist(), strict=True):
                    if token in vocab.eos_ids:
                        found[text_of(vocab, run)] += share
                        total += share
                    elif share > 1e-9:
                        heapq.heappush(heap, (-share, (*run, token), states.advance(state, token)))
                        left += share
                    else:
                        dropped += share
    return Truth(
        total, {text: p / total for text, p in found.items()}, min((max(left, 0.0) + dropped) / max(total, 1e-9), 1e9)
    )


class Figures(NamedTuple):
    """What the runs of one engine on one task come to; the columns are those of the module's page."""

    runs: int
    drawn: float
    grammar: float
    checks: float
    us: float
    check_us: float
    spread: float
    spread_error: float
    bias: float
    distance: float


def text_of(vocab: sg.Vocabulary, run: Run) -> bytes:
    """What tokens spell."""
    return b"".join(vocab.tokens[token] or b"" for token in run)


Once = Callable[[int], tuple[Posterior, int, int]]
"""A run by its seed: posterior, tokens drawn, questions to the grammar."""


ENOUGH = 0.1
"""With more evidence missing than this there is no truth to compare with; the spread is then relative to the engine's own mean."""

RESAMPLES = 200
"""Of the bootstrap that gives the error of a spread."""


def measured(
    once: Once, options: argparse.Namespace, check: Tally, table: Table, truth: Truth, texts: Callable[[Run], bytes]
) -> Figures:
    """Run with one seed after the other; then the first ones again on the clock, for all rows of the model are known by then."""
    once(0)  # whatever is done only once, such as compiling
    law, evidences, drawn, asked = Counter[bytes](), [], [], 0
    check.n, check.calls = 0, []
    began = time.process_time() - table.seconds
    while len(evidences) < options.runs and time.process_time() - table.seconds - began < options.seconds:
        posterior, tokens, questions = once(len(evidences))
        drawn.append(tokens)
        asked += questions
        evidences.append(math.exp(posterior.log_evidence or 0.0) if posterior.outputs else 0.0)
        for output in posterior.outputs:
            law[texts(output.tokens)] += output.probability
    n_checks, a_check, check.calls = check.n, check.replayed() / max(check.n, 1), None
    check.n, again, began = 0, 0, time.process_time() - table.seconds
    while again < len(evidences) and time.process_time() - table.seconds - began < options.seconds / 2:
        once(again)
        again += 1
    seconds = time.process_time() - table.seconds - began - check.n * a_check
    known = truth.missed < ENOUGH
    found, total = np.array(evidences), sum(law.values()) or math.inf
    evidence = truth.evidence if known else float(found.mean())
    resampled = np.random.default_rng(0).choice(found, (RESAMPLES, len(found))).std(1)
    distance = sum(abs(law[text] / total - truth.law.get(text, 0.0)) for text in {*law, *truth.law}) / 2
    return Figures(
        runs=len(evidences),
        drawn=sum(drawn) / len(evidences),
        grammar=asked / sum(drawn),
        checks=n_checks / sum(drawn),
        us=seconds / sum(drawn[:again]) * 1e6,
        check_us=n_checks * a_check / sum(drawn) * 1e6,
        spread=float(found.std()) / evidence,
        spread_error=float(resampled.std()) / evidence,
        bias=float(found.mean()) / evidence if known else math.nan,
        distance=distance if known else math.nan,
    )


def counted(task: Task) -> tuple[Any, Tally]:
    """The check of a task, and the tally of its work."""
    check, name = task.check()
    tally = Tally(getattr(check, name))
    object.__setattr__(check, name, tally)  # some are frozen
    return check, tally


def ours(task: Task, table: Table, session: Any, vocab: sg.Vocabulary, check: Any, particles: int) -> Once:  # noqa: ANN401
    """Our method as it is by default."""

    def once(seed: int) -> tuple[Posterior, int, int]:
        counting = Counting(session)
        drawn = 0

        def factory(states: Any, *, temperature: float) -> Any:  # noqa: ANN401 - as in the engine
            sampler = sg.SMC().sampler(states, temperature=temperature)
            plain = sampler.at

            def at(*given: Any, **more: Any) -> Any:  # noqa: ANN401 - as above
                sample = plain(*given, **more)

                def counted(rng: np.random.Generator) -> Any:  # noqa: ANN401 - as above
                    nonlocal drawn
                    drawn += 1
                    return sample(rng)

                return counted

            sampler.at = at
            return sampler

        method = sg.SMC(particles=particles, sampler=factory)
        states = CheckedStates(counting, check, vocab)
        rng = np.random.default_rng(seed)
        posterior = method.run(table, states, vocab, rng, max_tokens=task.max_tokens)
        return posterior, drawn, counting.n

    return once


def engines(task: Task, table: Table, constraint: sg.Constraint, options: argparse.Namespace) -> Iterator[Engine]:
    """The engines, each with a check of its own, made when it is asked for."""
    vocab = constraint.vocab

    def own(particles: int) -> tuple[Once, Tally]:
        check, tally = counted(task)
        return ours(task, table, constraint.session(), vocab, check, particles), tally

    for particles in options.ours:
        yield f"Syntagma, {particles} particle{'s' * (particles > 1)}", partial(own, particles)
    if find_spec("genlm") is None:
        return
    from side_peer import Peer  # noqa: PLC0415 - an optional peer

    def peer(session: Any) -> tuple[Once, Tally]:  # noqa: ANN401 - a session
        check, tally = counted(task)
        return Peer(task, table, vocab, check, session, options.particles, 2).run, tally

    yield f"{PEER}, {options.particles} particles", partial(peer, None)
    yield f"{PEER}, our grammar, {options.particles} particles", partial(peer, constraint.session())


Engine = tuple[str, Callable[[], tuple[Once, Tally]]]
PEER = "genlm-control"
Row = dict[str, Any]

COLUMNS = ("grammar", "checks", "us", "check_us", "spread", "bias", "distance")


def table_of(rows: list[Row]) -> str:
    """Means over the tasks of a kind; what depends on the language is left out where theirs is another one."""
    lines = [
        "| | runs | grammar | checks | us | + check | spread | bias | distance | ms a run | checks a run |",
        "|---|" + "---|" * 10,
    ]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of_kind = [row for row in rows if row["kind"] == kind]
        prompts = len({row["task"] for row in of_kind})
        lines.append(f"| **{kind}**, {prompts} prompt{'s' * (prompts > 1)} |" + " |" * 10)
        for engine in dict.fromkeys(row["engine"] for row in of_kind):
            own = [row for row in of_kind if row["engine"] == engine]
            mean = {name: float(np.mean([row[name] for row in own])) for name in COLUMNS}
            ms = np.mean([row["drawn"] * (row["us"] + row["check_us"]) / 1e3 for row in own])
            checks = np.mean([row["drawn"] * row["checks"] for row in own])
            left_out = ("bias", "distance") if kind == "JSON" and _own_grammar(engine) else ()
            law = ["" if name in left_out or math.isnan(mean[name]) else f"{mean[name]:.2f}" for name in COLUMNS[4:]]
            cells = [f"{sum(row['runs'] for row in own):.0f}", *(f"{mean[name]:.3g}" for name in COLUMNS[:4])]
            lines.append(f"| {engine} | {' | '.join([*cells, *law])} | {ms:.3g} | {checks:.3g} |")
    return "\n".join(lines)


def _own_grammar(engine: str) -> bool:
    return engine.startswith(PEER) and "our grammar" not in engine


def _error(row: Row, theirs: Row) -> float:
    """Root mean square deviation of the evidence from the truth, over it; without a truth that both share, the spread."""
    comparable = not math.isnan(theirs["bias"]) and not (row["kind"] == "JSON" and _own_grammar(theirs["engine"]))
    return math.hypot(row["spread"], row["bias"] - 1) if comparable else row["spread"]


def at_equal_error(rows: list[Row]) -> str:
    """Of ours, on each prompt, the fewest checks with at most the peer's error; checks and sampler time a run over the peer's, summed over prompts."""
    lines = ["| at most the error of | | particles | error | checks | time |", "|---|" + "---|" * 5]
    for kind in dict.fromkeys(row["kind"] for row in rows):
        of_kind = [row for row in rows if row["kind"] == kind]
        for engine in dict.fromkeys(row["engine"] for row in of_kind if row["engine"].startswith(PEER)):
            pairs: list[tuple[Row, Row | None]] = []
            for theirs in [row for row in of_kind if row["engine"] == engine]:
                own = [row for row in of_kind if row["task"] == theirs["task"] and not row["engine"].startswith(PEER)]
                enough = [row for row in own if _error(row, theirs) <= _error(theirs, theirs)]
                pairs.append((theirs, min(enough, key=lambda row: row["drawn"] * row["checks"], default=None)))
            cells = " / ".join("none" if own is None else own["engine"].split()[1] for _, own in pairs)
            errors = " / ".join(
                f"{math.nan if own is None else _error(own, theirs):.2f} of {_error(theirs, theirs):.2f}"
                for theirs, own in pairs
            )
            known = [(theirs, own) for theirs, own in pairs if own is not None]
            ratios = [
                sum(own["drawn"] * own[name] for _, own in known)
                / max(sum(theirs["drawn"] * theirs[name] for theirs, _ in known), 1e-9)
                if len(known) == len(pairs)
                else math.nan
                for name in ("checks", "us")
            ]
            lines.append(f"| {kind} | {engine} | {cells} | {errors} | {ratios[0]:.2f} | {ratios[1]:.3f} |")
    return "\n".join(lines)


class Log:
    """Rows that are kept in a file, so that what was measured is not measured again."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        known = path.read_text().splitlines() if path is not None and path.exists() else []
        self.rows: list[Row] = [json.loads(line) for line in known]

    def find(self, **what: Any) -> Row | None:  # noqa: ANN401 - what a row holds
        """The row with these values."""
        return next((row for row in self.rows if all(row.get(name) == value for name, value in what.items())), None)

    def add(self, row: Row) -> Row:
        """Keep a row."""
        self.rows.append(row)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps(row) + "\n")
        return row


def _truth(log: Log, facts: Row, make: Callable[[], Truth]) -> Truth:
    """The truth of a task, enumerated once."""
    known = log.find(**facts, engine="truth")
    if known is None:
        evidence, law, missed = make()
        known = log.add(
            {
                **facts,
                "engine": "truth",
                "evidence": evidence,
                "missed": missed,
                "law": {text.decode("latin-1"): p for text, p in law.items()},
            }
        )
        print(json.dumps(facts), f"evidence {evidence:.3g}, missed {missed:.3g}, {len(law)} texts", flush=True)
    return Truth(known["evidence"], {text.encode("latin-1"): p for text, p in known["law"].items()}, known["missed"])


def main() -> None:
    """Run all tasks and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="CPU seconds for one engine on one task, model and timing apart"
    )
    parser.add_argument("--particles", type=int, default=5, help="of the peer")
    parser.add_argument("--ours", type=int, nargs="+", default=[1, 2, 3, 5], help="particles of ours, a row for each")
    parser.add_argument("--kind", help="only tasks of this kind")
    parser.add_argument("--engine", default="", help="only engines whose name holds this")
    parser.add_argument("--first", type=int, default=9, help="so many tasks of each kind")
    parser.add_argument(
        "--most", type=int, default=4000, help="rows of the model that the enumeration of one task may ask for"
    )
    parser.add_argument(
        "--log", type=Path, help="a file of JSON lines: rows that it has are not measured again, new ones are added"
    )
    options = parser.parse_args()
    log = Log(options.log)
    model = smollm2.load()
    vocab = vocabulary(model)
    done = Counter[str]()
    for number, task in enumerate(tasks()):
        done[task.kind] += 1
        if options.kind not in {None, task.kind} or done[task.kind] > options.first:
            continue
        table = Table(model, task.prompt)
        law._whole = table.whole  # noqa: SLF001 - nothing in the engine is told of normalised rows
        constraint = sg.compile(task.source, vocab)
        facts = {"kind": task.kind, "task": number}
        most = options.most if task.enumerable else 0
        truth = _truth(log, facts, lambda: enumerated(task, table, constraint, enough=0.02, most=most))  # noqa: B023 - called at once
        for engine, make in engines(task, table, constraint, options):
            if options.engine not in engine or log.find(**facts, engine=engine):
                continue
            once, tally = make()
            figures = measured(once, options, tally, table, truth, partial(text_of, vocab))
            row = {**facts, "engine": engine, **{k: float(f"{v:.4g}") for k, v in figures._asdict().items()}}
            print(json.dumps(log.add(row)), flush=True)
    rows = [row for row in log.rows if row["engine"] != "truth" and options.kind in {None, row["kind"]}]
    rows.sort(key=lambda row: (row["task"], row["engine"].startswith(PEER)))
    print(table_of(rows), at_equal_error(rows), sep="\n\n")


if __name__ == "__main__":
    main()

"""SQL by the embedded model: how many statements run, without a constraint, with a grammar, and with SQLite itself as the check.

    python bench/sql.py [--prompts 100] [--particles 6]

The questions and their databases are made from a seed (``databases.py``).  One grammar allows every name of the database in every place;
the other knows which columns the tables in FROM have, but not that a bare ``id`` is ambiguous in a join.  A statement *runs* if a fresh connection
executes it, and is *right* if it gives the rows of the statement that belongs to the question.

All ways are run at once, and what they ask the model goes to it in common batches.  So the times are CPU milliseconds beside the model: masks, checks, draws.
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from databases import Question, questions, rows_of

import syntagma as sg
from syntagma.engine.law import Law
from syntagma.engine.model import prompt_ids
from syntagma.engine.posterior import Posterior
from syntagma.engine.prefixes import LogitsAfter, PrefixRows, Row, Run
from syntagma.engine.residuals.checked import CheckedStates
from syntagma.engine.unconstrained import Unconstrained
from syntagma.integrations import smollm2

SHOTS = """Tables: book(id, title, pages), loan(id, book_id, reader, days)
Q: How many loans are there for each reader?
SQL: SELECT reader, COUNT(*) FROM loan GROUP BY reader;
Q: For each loan, show its days and the title of its book.
SQL: SELECT loan.days, book.title FROM loan JOIN book ON loan.book_id = book.id;

"""


def prompt(question: Question) -> str:
    """The examples, and the question; the statement follows."""
    return f"{SHOTS}Tables: {question.described}\nQ: {question.text}\nSQL:"


QUERY = r"""
query{source, column}: " SELECT " ["DISTINCT "] item{column} (", " item{column})~0..2 " FROM " source rest{column} ";"
rest{column}: [" WHERE " test{column} ((" AND " | " OR ") test{column})?] [" GROUP BY " column] order{column} [" LIMIT " NUMBER]
order{column}: [" ORDER BY " value{column} [" DESC"]]
item{column}: "*" | value{column}
value{column}: column | "COUNT(*)" | ("COUNT" | "SUM" | "MAX" | "MIN" | "AVG") "(" column ")"
test{column}: column (" = " | " > " | " < ") (NUMBER | STRING)
NUMBER: /[0-9]{1,5}/
STRING: /'[A-Za-z]{1,12}'/
"""


def grammar(question: Question, *, scoped: bool) -> sg.Lark:
    """Queries of one table or of both: ``scoped``, over the columns of those tables alone, else over all names there are."""
    tables = question.tables
    first, second = tables
    both = f"{second} JOIN {first} ON {second}.{first}_id = {first}.id"
    every = sorted({column for columns in tables.values() for column in columns})
    sources = {
        first: tables[first],
        second: tables[second],
        both: [*every, *(f"{t}.{c}" for t in tables for c in tables[t])],
    }
    rules = []
    for number, (source, columns) in enumerate(sources.items()):
        allowed = columns if scoped else sources[both]
        rules.append(f'source{number}: "{source}"')
        names = " | ".join(f'"{column}"' for column in allowed)
        rules.append(f"column{number}: {names}")
    queries = [f"query{{source{number}, column{number}}}" for number in range(len(sources))]
    return sg.Lark("\n".join([QUERY, *rules, f"start: {' | '.join(queries)}"]), lexer="scannerless")


class Way(NamedTuple):
    """How statements come about.

    Attributes:
        name: of the row.
        grammar: ``names`` or ``tables``, or none.
        checked: drawn by SMC with SQLite as the check, else greedy.

    """

    name: str
    grammar: str | None = None
    checked: bool = False


WAYS = (
    Way("no constraint, greedy"),
    Way("grammar of all names, greedy", "names"),
    Way("grammar of all names and SQLite, SMC", "names", checked=True),
    Way("grammar of the tables, greedy", "tables"),
    Way("grammar of the tables and SQLite, SMC", "tables", checked=True),
)


class Written(NamedTuple):
    """A statement, empty where none was found, and what it took."""

    text: str
    tokens: int
    verdicts: int
    seconds: float


def greedy(logits_after: LogitsAfter, states: Any, vocab: sg.Vocabulary, max_tokens: int) -> Run:  # noqa: ANN401 - a session
    """The likeliest token that is allowed, each time."""
    law, state, tokens = Law(states, temperature=0.0), states.start, ()
    rng = np.random.default_rng(0)
    while True:
        token = law.choose(logits_after([tokens])[0], state, rng, budget=max_tokens - len(tokens))
        if token in vocab.eos_ids:
            return tokens
        state, tokens = states.advance(state, token), (*tokens, token)


def write(way: Way, question: Question, constraint: Any, options: argparse.Namespace, ask: LogitsAfter) -> Written:  # noqa: ANN401 - ours, or all texts
    """One statement; ``ask`` is the model after the question's prompt."""
    vocab = constraint.vocab
    waited, verdicts = [0.0], 0

    def timed(runs: Sequence[Run]) -> Sequence[Row]:
        at = time.thread_time()
        rows = ask(runs)
        waited[0] += time.thread_time() - at
        return rows

    began = time.thread_time()
    with constraint.session() as session:
        if way.checked:
            states = CheckedStates(session, sg.residuals.SqliteRuns(question.script), vocab)
            rng = np.random.default_rng(options.seed)
            limits = {"max_tokens": options.max_tokens, "temperature": options.temperature}
            found: Posterior = sg.SMC(particles=options.particles).run(timed, states, vocab, rng, **limits)
            verdicts = states.n_verdicts
            tokens = found.sample(rng).tokens if found.outputs else ()
        else:
            tokens = greedy(timed, session, vocab, options.max_tokens)
    text = b"".join(vocab.tokens[token] or b"" for token in tokens).decode("utf-8", "replace")
    return Written(text.strip().split("\n")[0], len(tokens), verdicts, time.thread_time() - began - waited[0])


class Strand(threading.Thread):
    """Work that is halted whenever it asks for logits, until it gets them; only one strand runs at a time."""

    def __init__(self, prompt: Run, work: Callable[[LogitsAfter], Written]) -> None:
        super().__init__(daemon=True)
        self._prompt, self._work = prompt, work
        self._go, self._halted = threading.Semaphore(0), threading.Semaphore(0)
        self._rows: Sequence[Row] = ()
        self.wanted: list[Run] = []
        self.done: Written | None = None

    def _ask(self, runs: Sequence[Run]) -> Sequence[Row]:
        self.wanted = [(*self._prompt, *run) for run in runs]
        self._halted.release()
        self._go.acquire()
        return self._rows

    def run(self) -> None:
        """Work."""
        self._go.acquire()
        try:
            self.done = self._work(self._ask)
        finally:
            self.wanted = []
            self._halted.release()

    def resume(self, rows: Sequence[Row]) -> None:
        """Hand it what it wanted, and wait until it wants more or is done."""
        self._rows = rows
        self._go.release()
        self._halted.acquire()


def together(model: Any, strands: list[Strand]) -> list[Written]:  # noqa: ANN401 - as in the engine
    """Run strands to their ends, with one call of the model for all that they ask for at a time."""
    rows = PrefixRows(model, [])
    for strand in strands:
        strand.start()
        strand.resume(())
    while live := [strand for strand in strands if strand.wanted]:
        known = iter(rows([run for strand in live for run in strand.wanted]))
        for strand in live:
            strand.resume([next(known) for _ in strand.wanted])
    if not all(strand.done for strand in strands):
        raise RuntimeError("a strand has failed")
    return [strand.done for strand in strands if strand.done]


def judged(question: Question, text: str) -> tuple[bool, bool]:
    """Whether a statement runs, and whether it is right."""
    found = rows_of(question.opened(), text) if text else None
    wanted = rows_of(question.opened(), question.answer)
    runs = found is not None
    return runs, runs and wanted is not None and sorted(map(repr, found or [])) == sorted(map(repr, wanted))


def main() -> None:
    """Ask, count, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--particles", type=int, default=6)
    parser.add_argument("--max-tokens", type=int, default=36)
    parser.add_argument("--temperature", type=float, default=0.5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=20, help="questions at a time")
    parser.add_argument("--save", type=Path, help="write every statement to this file, as JSON")
    options = parser.parse_args()
    model = smollm2.load()
    asked = questions(options.seed, options.prompts)
    began = time.perf_counter()
    constraints: dict[tuple[str, str | None], Any] = {}
    for question in asked:
        for way in WAYS:
            key = question.described, way.grammar
            if key not in constraints:
                source = None if way.grammar is None else grammar(question, scoped=way.grammar == "tables")
                constraints[key] = Unconstrained(model.vocab) if source is None else sg.compile(source, model.vocab)
    print(f"{len(constraints)} constraints, {time.perf_counter() - began:.0f} s", flush=True)
    done: list[tuple[Way, Question, Written]] = []
    for first in range(0, len(asked), options.batch):
        jobs = [(way, question) for question in asked[first : first + options.batch] for way in WAYS]
        strands = []
        for way, question in jobs:
            ids = tuple(prompt_ids(prompt(question), model.tokenizer))
            strands.append(
                Strand(ids, partial(write, way, question, constraints[question.described, way.grammar], options))
            )
        done += [(*job, written) for job, written in zip(jobs, together(model.model, strands), strict=True)]
        print(f"{first + options.batch} questions, {time.perf_counter() - began:.0f} s", flush=True)
    print("| way | run | right | tokens | ms beside the model | verdicts |\n|---|---|---|---|---|---|")
    for way in WAYS:
        own = [(question, written) for each, question, written in done if each == way]
        runs, right = np.mean([judged(question, written.text) for question, written in own], axis=0) * 100
        tokens, verdicts, seconds = np.mean([written[1:] for _, written in own], axis=0)
        print(f"| {way.name} | {runs:.0f} % | {right:.0f} % | {tokens:.0f} | {seconds * 1e3:.1f} | {verdicts:.0f} |")
    if options.save:
        kept = [{"way": way.name, "question": question.text, "text": w.text} for way, question, w in done]
        options.save.write_text(json.dumps(kept, indent=1))


if __name__ == "__main__":
    main()

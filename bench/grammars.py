"""Lark grammars: what they cost to compile, and masks and advances along texts, beside llguidance where it reads the same grammar.

For each grammar of ``tests/lark_seeds.py``: the milliseconds that Lark itself takes to build it, that its scanner and parser take as tables, that loading takes, and that
llguidance takes.  Then texts (the seeds, and edits of them that Lark still parses) are read token by token with a mask before each token.  The first half
warms up, and the times of the second half are printed, in microseconds through the public interfaces, with what its masks were:

``kept``      rows copied, since the scanner's state met the same top of the parser's stack before;
``built``     rows that were put together from parts, with no new node of effects;
``walked``    rows for which parts of the vocabulary's trie were walked, since some node was not there;
``several``   states with several entries, whose rows are never kept;
``column``    behind any of these: within a newline of a grammar with an indenter, where the columns matter, too;
``nodes``     nodes of effects that were made for all of them, each for what some tokens do behind one exit.

``--python N`` reads files of the standard library by Lark's own grammar of Python with its indenter instead, in the tokenizer's own tokens: one file warms
up, N others are timed.  There compiling is timed in processes of their own: a cold one, and one that finds the tables on disk.  ``--cpu`` takes the
thread's CPU time instead of the wall clock, for machines that others use too; reading that clock takes half a microsecond.

llguidance takes the longest text of a terminal, Lark the first that its pattern finds; where it reads the grammar, only texts that both read are timed.
Times are those of one process beside whatever else the machine does.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Protocol

import lark
import numpy as np
from lark.indenter import PythonIndenter

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_vocabularies import REAL_TOKENIZERS, SMALL, vocabulary_named
from lark_seeds import CSV, SEEDS, build, edited, grammar_path, segmented
from lark_verdict import lark_accepts

import syntagma as sg
from syntagma.automata import layout as lay
from syntagma.automata.constraint import Constraint
from syntagma.automata.heap import state_offset
from syntagma.automata.masks import kept_under
from syntagma.automata.memo import TAG_ROOT
from syntagma.automata.rows import kept_row


def percentiles(seconds: list[float]) -> str:
    """The middle and the last hundredth of some times, in microseconds, and how many there are."""
    if not seconds:
        return "none"
    p50, p90, p99, most = np.percentile(np.array(seconds) * 1e6, [50, 90, 99, 100])
    return f"p50 {p50:7.1f}  p90 {p90:7.1f}  p99 {p99:8.1f}  max {most:8.0f} us of {len(seconds):6}"


def kind_of(constraint: Constraint, state: int) -> str:
    """What the next mask of a state will be, ``built`` where that is not known yet."""
    a = constraint.store.arena.a
    at = lay.HP + int(state_offset(a, state))
    entries = ((int(a[at]) & 0xFFFFFFFF) - lay.STATE_ENTRIES) // lay.ENTRY
    if entries > 1:
        return "several"
    q, _, room, _, frame = a[at + lay.STATE_ENTRIES : at + lay.STATE_ENTRIES + lay.ENTRY].tolist()
    kept = kept_row(a, TAG_ROOT, q, kept_under(room), frame, 0) >= 0
    return ("kept" if kept else "built") + (" column" if room < lay.UNBOUNDED else "")


def ours(constraint: Constraint, texts: list[list[int]], warm: int, clock: Callable[[], float]) -> str:
    """Read texts; times and kinds of those behind the first ``warm``."""
    row = np.empty(constraint.vocab.words, np.uint32)
    a = constraint.store.arena.a
    masks: dict[str, list[float]] = {}
    steps: list[float] = []
    nodes = 0
    for number, tokens in enumerate(texts):
        if number == warm:
            masks, steps = {}, []
            nodes = int(a[lay.H_EF])
        with constraint.session() as session:
            state = session.start
            for token in tokens:
                kind = kind_of(constraint, state)
                before = int(a[lay.H_EF])
                began = clock()
                session.mask(state, row)
                masked = clock()
                state = session.advance(state, token)
                steps.append(clock() - masked)
                if int(a[lay.H_EF]) != before:
                    kind = kind.replace("built", "walked")
                masks.setdefault(kind, []).append(masked - began)
                if not state:
                    raise AssertionError("a text that Lark parses is refused")
    made = (int(a[lay.H_EF]) - nodes) // lay.EF_WIDTH
    lines = [f"  mask             {percentiles([x for own in masks.values() for x in own])}, nodes {made}"]
    lines += [f"    {kind:14} {percentiles(own)}" for kind, own in sorted(masks.items())]
    return "\n".join([*lines, f"  advance          {percentiles(steps)}"])


class Refused(Exception):
    """The grammar is none that llguidance reads."""


class Matcher(Protocol):
    """What is used of llguidance's matcher."""

    def reset(self) -> bool:
        """Begin anew."""

    def consume_token(self, token: int) -> bool:
        """Read a token."""

    def compute_bitmask(self) -> bytes:
        """Compute a mask."""

    def is_accepting(self) -> bool:
        """Tell whether the text may end."""


def matcher_of(tokenizer: object, text: str) -> Matcher:
    """Let llguidance compile a grammar.

    Raises:
        Refused: it does not read the grammar.

    """
    from llguidance import LLMatcher  # noqa: PLC0415 (optional)

    matcher = LLMatcher(tokenizer, text, log_level=0)
    if matcher.get_error():
        raise Refused(matcher.get_error().strip().splitlines()[0][:140])
    return matcher


def is_read(matcher: Matcher, tokens: list[int]) -> bool:
    """Whether llguidance, at its beginning, takes all tokens of a text, and an end behind them; one that has refused a token is no more of use."""
    return all(map(matcher.consume_token, tokens)) and matcher.is_accepting()


def theirs(matcher: Matcher, texts: list[list[int]], warm: int, clock: Callable[[], float]) -> str:
    """The same by llguidance, for texts that it reads."""
    masks: list[float] = []
    steps: list[float] = []
    for number, tokens in enumerate(texts):
        if number == warm:
            masks, steps = [], []
        matcher.reset()
        for token in tokens:
            began = clock()
            matcher.compute_bitmask()
            masked = clock()
            matcher.consume_token(token)
            steps.append(clock() - masked)
            masks.append(masked - began)
    return f"  mask             {percentiles(masks)}\n  advance          {percentiles(steps)}"


PRIORITY = re.compile(r"(?m)^([?!]*[_A-Za-z]\w*)\.-?\d+(?=\s*:)")
PLAIN = "sql without priorities"
"""A grammar that llguidance reads, too."""


def text_of(name: str) -> str:
    """The text of a grammar."""
    if name == "csv":
        return CSV
    text = grammar_path(name.split(maxsplit=1)[0]).read_text(encoding="utf-8")
    return PRIORITY.sub(r"\1", text) if name == PLAIN else text


def peer(vocab: sg.Vocabulary) -> object:
    """The vocabulary as llguidance takes it, or ``None`` where it is not installed."""
    try:
        import llguidance  # noqa: PLC0415 (optional)
    except ImportError:
        return None

    class Tokens:
        eos_token_id = vocab.eos_ids[0]
        bos_token_id = None
        tokens = [token or f"<|{n}|>".encode() for n, token in enumerate(vocab.tokens)]  # noqa: RUF012
        special_token_ids = [n for n, token in enumerate(vocab.tokens) if token is None]  # noqa: RUF012

        def __call__(self, text: bytes | str) -> list[int]:
            return segmented(random.Random(0), vocab, text if isinstance(text, str) else text.decode())

    return llguidance.LLTokenizer(llguidance.TokenizerWrapper(Tokens()))


def compile_python(tokenizer: str) -> None:
    """Compile the grammar of Python once, and print how long that takes."""
    vocab = vocabulary_named(tokenizer)
    sg.compile(sg.Regex("a"), vocab)
    warm = sg.compile(sg.Lark('start: "a"\n%ignore " "'), vocab)  # kernels come from the cache; Lark is imported
    warm.accepts("a")
    began, worked = time.perf_counter(), time.process_time()
    sg.compile(sg.Lark(grammar_path("python"), start="file_input", postlex=PythonIndenter()), vocab)
    wall, own = time.perf_counter() - began, time.process_time() - worked
    print(f"{1e3 * wall:.0f} ms ({1e3 * own:.0f} ms of CPU)")


def compile_times(tokenizer: str) -> str:
    """How long a process takes to compile the grammar of Python, without and with its tables on disk."""
    command = [sys.executable, __file__, "--tokenizer", tokenizer, "--compile-python"]
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "SYNTAGMA_CACHE_DIR": folder}  # kernels stay where NUMBA_CACHE_DIR says
        times = [
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
            for _ in range(2)
        ]
    return f"compile: cold {times[0]}, from disk {times[1]}"


def read_python(vocab: sg.Vocabulary, tokenizer: str, count: int, clock: Callable[[], float]) -> None:
    """Files of the standard library, by the grammar of Python that Lark ships."""
    print(f"python: {compile_times(tokenizer)}", flush=True)
    built = lark.Lark.open(str(grammar_path("python")), parser="lalr", start="file_input", postlex=PythonIndenter())
    constraint = sg.compile(sg.Lark(built), vocab)
    files = sorted(Path(sysconfig.get_paths()["stdlib"]).glob("*.py"))
    random.Random(0).shuffle(files)
    texts = (path.read_text(encoding="utf-8") for path in files if path.stat().st_size)
    texts = list(islice((text for text in texts if lark_accepts(built, text)), count + 1))
    tokens = [list(vocab.encode(text)) for text in texts]
    print(f"  {count} files and one that warms up, {sum(map(len, tokens))} tokens")
    print(ours(constraint, tokens, 1, clock))


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", default="deepseek", choices=[*SMALL, *REAL_TOKENIZERS])
    parser.add_argument("--texts", type=int, default=60, help="texts a grammar")
    parser.add_argument("--grammars", nargs="*", default=[*SEEDS, PLAIN], choices=[*SEEDS, PLAIN])
    parser.add_argument("--python", type=int, default=0, metavar="N", help="files of Python to time")
    parser.add_argument("--cpu", action="store_true", help="CPU time of the thread instead of the wall clock")
    parser.add_argument("--compile-python", action="store_true", help="compile the grammar of Python and nothing else")
    options = parser.parse_args()
    clock = time.thread_time if options.cpu else time.perf_counter
    if options.compile_python:
        compile_python(options.tokenizer)
        return
    vocab = vocabulary_named(options.tokenizer)
    warm = sg.compile(
        sg.Lark('start: "a" ("," "a")*\n%ignore " "'), vocab
    )  # kernels are compiled, or come from the cache
    warm.accepts("a, a")
    warm.mask(warm.start)
    kind_of(warm, warm.start)
    lark.Lark('start: "a"', parser="lalr")
    tokenizer = peer(vocab)
    print(f"{options.tokenizer}, {vocab.size:,} tokens; lark {lark.__version__}")
    if options.python:
        read_python(vocab, options.tokenizer, options.python, clock)
        return
    for name in options.grammars:
        began = clock()
        built = lark.Lark(text_of(name), parser="lalr") if name == PLAIN else build(name)
        by_lark = clock()
        lowered = sg.Lark(built).lower()
        tabled = clock()
        constraint = Constraint.from_grammar(lowered.grammar, vocab, report=lowered.report)
        loaded = clock()
        draw = random.Random(name)
        seeds = name.split()[0]
        edits = (edited(draw, seeds) for _ in range(40 * options.texts))
        texts = [x for x in (*SEEDS[seeds], *edits) if lark_accepts(built, x)][: options.texts]
        tokens = [segmented(draw, vocab, x) for x in texts]
        print(
            f"{name}: Lark {1e3 * (by_lark - began):.0f} ms, tables {1e3 * (tabled - by_lark):.0f} ms, "
            f"load {1e3 * (loaded - tabled):.0f} ms; {len(texts)} texts, {sum(map(len, tokens))} tokens"
        )
        beside = None
        if tokenizer is not None:
            began = clock()
            try:
                beside = matcher_of(tokenizer, text_of(name))
            except Refused as error:
                print(f"  llguidance refuses it: {error}")
            else:
                print(f"  llguidance: compile {1e3 * (clock() - began):.0f} ms", end="")
                tokens = [x for x in tokens if is_read(matcher_of(tokenizer, text_of(name)), x)]
                print(f", reads {len(tokens)} of the texts, {sum(map(len, tokens))} tokens: those are timed")
        print(ours(constraint, tokens, len(tokens) // 2, clock), flush=True)
        if beside is not None:
            print(f"  llguidance\n{theirs(beside, tokens, len(tokens) // 2, clock)}", flush=True)


if __name__ == "__main__":
    main()

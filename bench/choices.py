"""Choices at size: how long a list of strings takes to compile, what it takes in memory, and how long masks and bounds take.

Compiles realistic titles (``titles.py``) over a tokenizer's vocabulary, and reads some of them token by token.  Prints the seconds to compile, the
resident memory that it adds (at its peak, and when it is done), the bytes of the store's tables, the first mask of the start, which is the widest, and
percentiles of masks and bounds on the way.  Times are those of one process beside whatever else the machine does.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from corpus_vocabularies import REAL_TOKENIZERS, SMALL, vocabulary_named
from titles import titles

import syntagma as sg
from syntagma.automata.arena import used

MIB = 1 << 20


def resident() -> tuple[float, float]:
    """MiB of resident memory now, and at most since ``forget_peak``."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


def forget_peak() -> None:
    """Begin to measure the peak of resident memory anew (Linux)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def percentiles(seconds: list[float]) -> str:
    """Percentiles of some times, in microseconds."""
    p50, p90, p99, most = np.percentile(np.array(seconds) * 1e6, [50, 90, 99, 100])
    return f"p50 {p50:.0f}, p90 {p90:.0f}, p99 {p99:.0f}, max {most:.0f} us ({len(seconds)} states)"


def read(session: sg.Session, strings: list[str]) -> dict[str, list[float]]:
    """Read strings in their longest tokens; returns the seconds that each mask, bound and mask under a budget took."""
    tokens = session.vocab.tokens
    times: dict[str, list[float]] = {"masks": [], "bounds": [], "budget masks": []}
    for text in strings:
        state, data = session.start, text.encode()
        while data:
            began = time.perf_counter()
            row = session.mask(state)
            times["masks"].append(time.perf_counter() - began)
            began = time.perf_counter()
            bound = session.finish_bound(state)
            times["bounds"].append(time.perf_counter() - began)
            began = time.perf_counter()
            session.mask(state, budget=bound + 1)
            times["budget masks"].append(time.perf_counter() - began)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little")).tolist()
            fitting = [t for t in allowed if (piece := tokens[t]) and data.startswith(piece)]
            token = max(fitting, key=lambda t: len(tokens[t] or b""))
            state, data = session.advance(state, token), data[len(tokens[token] or b"") :]
        if not session.is_accepting(state):
            raise SystemExit(f"{text!r} is not accepted")
    return times


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=1_000_000, help="number of strings")
    parser.add_argument("--tokenizer", default="deepseek", choices=[*SMALL, *REAL_TOKENIZERS])
    parser.add_argument("--read", type=int, default=2000, help="number of strings that are read token by token")
    options = parser.parse_args()

    vocab = vocabulary_named(options.tokenizer)
    warm = sg.compile([f"{i} {i * i}" for i in range(3000)], vocab)  # kernels are compiled, or come from the cache
    warm.mask(warm.start)
    warm.mask(warm.start, budget=warm.finish_bound(warm.start) + 1)
    warm.accepts("1 1")
    strings = titles(options.n)
    gc.collect()
    forget_peak()
    before, tables = resident()[0], used(vocab.store.arena.a)[0]
    began = time.perf_counter()
    constraint = sg.compile(strings, vocab)
    seconds = time.perf_counter() - began
    gc.collect()
    now, peak = resident()
    print(f"strings        {len(strings)}, {sum(len(s.encode()) for s in strings) / MIB:.1f} MiB; {options.tokenizer}")
    print(f"compile        {seconds:.1f} s")
    print(f"resident       {now - before:+.0f} MiB when compiled, {peak - before:+.0f} MiB at the peak")
    print(f"tables         {(used(vocab.store.arena.a)[0] - tables) / MIB:.1f} MiB when compiled")
    began = time.perf_counter()
    row = constraint.mask(constraint.start)
    print(
        f"first mask     {(time.perf_counter() - began) * 1e3:.2f} ms, {np.unpackbits(row.view(np.uint8)).sum()} tokens"
    )
    began = time.perf_counter()
    bound = constraint.finish_bound(constraint.start)
    print(f"first bound    {time.perf_counter() - began:.2f} s: {bound} tokens")
    with constraint.session() as session:
        for name, times in read(session, random.Random(1).sample(strings, min(options.read, len(strings)))).items():
            print(f"{name:14} {percentiles(times)}")
        now, peak = resident()
    print(f"resident       {now - before:+.0f} MiB after reading {options.read} strings, tables and states included")
    print(f"tables         {(used(vocab.store.arena.a)[0] - tables) / MIB:.1f} MiB after that")


if __name__ == "__main__":
    main()

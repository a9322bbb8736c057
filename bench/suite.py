"""What comes out of the official JSON Schema test suite, test by test, in the surface of validators.

Prints every test that is not right (accepted though invalid, rejected though valid, refused with the reason), and counts
for the core tests of each draft and for each file of optional ones.  ``tests/suite_exceptions.toml`` says why each of them is as
it is.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from official_suite import DRAFTS, VALIDATORS, groups, run, text_of

import syntagma as sg
from syntagma.automata.vocabulary import Vocabulary


def main() -> None:
    """Run the suite."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drafts", nargs="*", default=DRAFTS, metavar="draft", help=f"some of {', '.join(DRAFTS)}")
    parser.add_argument("--file", default="", help="only files whose path contains this")
    given = parser.parse_args()
    vocabulary = Vocabulary([bytes([c]) for c in range(256)] + [None], eos_ids=[256])
    for draft in given.drafts:
        counts: dict[str, Counter[str]] = {}
        for group in groups(draft):
            if given.file not in group.file:
                continue
            count = counts.setdefault(group.file if group.optional else "core", Counter())
            for o in run(group, lambda source: sg.compile(source, vocabulary).accepts, **VALIDATORS):
                count[o.verdict] += 1
                if o.verdict != "right":
                    data = text_of(o.test["data"])[:80]
                    print(f"{o.verdict}: {group.place} | {group.name} | {o.test['description']} | {data} | {o.reason}")
        for place, count in counts.items():
            print(f"{draft} {place}: {dict(count)}")


if __name__ == "__main__":
    main()

"""How SchemaStore's own test documents are judged: files that people wrote to hold their schemas to what they mean.

    git clone --depth 1 https://github.com/SchemaStore/schemastore
    python bench/schemastore.py schemastore/src tokenizer.json [--order schema] [--list]

``schemas/json/NAME.json`` has valid documents in ``test/NAME`` and invalid ones in ``negative_test/NAME``; those in JSON and TOML are read.  A schema is
compiled with all others in its registry, and asked with compact texts, by default in any order of members.  Where the verdict is not the one that the
folder's name tells, ``jsonschema`` is asked as well: the labels are those of a validator that knows keywords of later drafts in earlier ones.  What
neither of them says may still be right: ``jsonschema`` checks some formats only where other packages are installed.
Prints what became of the schemas and the documents, and milliseconds of wall time for compilation and first mask, all kernels compiled.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jsonschema import Draft7Validator
from jsonschema.validators import validator_for
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7
from tokenizers import Tokenizer

import syntagma as sg

SITES: Final = ("https://json.schemastore.org", "https://www.schemastore.org")
FOLDERS: Final = {"test": True, "negative_test": False}
AS_LABELLED, AS_JSONSCHEMA, AS_NEITHER = "as labelled", "as jsonschema, not as labelled", "as neither"


def schemas_of(source: Path) -> dict[str, Any]:
    """The schemas by name."""
    return {p.stem: json.loads(p.read_text("utf-8-sig")) for p in sorted((source / "schemas" / "json").glob("*.json"))}


def registry_of(schemas: dict[str, Any]) -> Registry[Any]:
    """What references between the schemas may point to."""
    pairs = []
    for name, schema in schemas.items():
        resource = Resource.from_contents(schema, default_specification=DRAFT7)
        pairs += [(f"{site}/{name}{ending}", resource) for site in SITES for ending in (".json", "")]
    return Registry().with_resources(pairs)


def documents_of(source: Path, name: str) -> Iterator[tuple[Path, bool, Any]]:
    """File, whether it is meant to be valid, and what it holds."""
    for folder, valid in FOLDERS.items():
        for path in sorted((source / folder / name).glob("*")):
            try:
                if path.suffix == ".json":
                    yield path, valid, json.loads(path.read_text("utf-8-sig"))
                elif path.suffix == ".toml":
                    document = tomllib.loads(path.read_text("utf-8"))
                    json.dumps(document)
                    yield path, valid, document
            except (ValueError, TypeError):  # comments in JSON, dates in TOML
                continue


def verdict(schema: Any, registry: Registry[Any], document: Any, *, got: bool, valid: bool) -> str:  # noqa: ANN401
    """How a document was judged."""
    if got == valid:
        return AS_LABELLED
    kind = validator_for(schema, Draft7Validator)
    judge = kind(schema, registry=registry, format_checker=kind.FORMAT_CHECKER)
    return AS_JSONSCHEMA if judge.is_valid(document) == got else AS_NEITHER


def main() -> int:
    """Run the table; exit status 1 where a document is judged as neither the label nor ``jsonschema`` says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="folder src of SchemaStore")
    parser.add_argument("tokenizer", help="a file of the package tokenizers")
    parser.add_argument("--order", choices=("schema", "any"), default="any", help="of the members of objects")
    parser.add_argument("--deadline", type=float, default=2.0, help="seconds of processor time for a schema")
    parser.add_argument("--list", action="store_true", help="list what is refused, narrowed or judged otherwise")
    args = parser.parse_args()
    schemas = schemas_of(args.source)
    registry = registry_of(schemas)
    vocab = sg.Vocabulary.from_tokenizer(Tokenizer.from_file(args.tokenizer))
    options = {"registry": registry, "property_order": args.order, "whitespace": "compact"}
    limits = sg.SchemaLimits(deadline=args.deadline)
    became: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    times: list[float] = []
    for name, schema in {"": {"type": "object", "patternProperties": {"^a": {"pattern": "b"}}}, **schemas}.items():
        began = time.perf_counter()
        try:
            constraint = sg.compile(sg.JsonSchema(schema, limits=limits, **options), vocab)
        except sg.SyntagmaError as error:
            kind = "a document is missing" if "is not here" in error.message else type(error).__name__
            became[f"refused: {kind}"] += 1
            if args.list:
                print(f"refused  {name}: {error}"[:240], flush=True)
            continue
        with constraint.session() as session:
            session.mask(session.start)
            if not name:  # the kernels are compiled now
                continue
            times.append((time.perf_counter() - began) * 1e3)
            narrowed = constraint.report is not None and not constraint.report.complete
            became["narrowed" if narrowed else "exact"] += 1
            for path, valid, document in documents_of(args.source, name):
                text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
                how = verdict(schema, registry, document, got=constraint.accepts(text), valid=valid)
                judged[how] += 1
                if args.list and how != AS_LABELLED:
                    print(f"{how}: {path.relative_to(args.source)}", flush=True)
    for title, counts in (("schemas", became), ("documents", judged)):
        print(f"{title}: {sum(counts.values()):,}")
        for what, count in counts.most_common():
            print(f"    {count:6,}  {what}")
    cuts = statistics.quantiles(times, n=100)
    print(
        f"compilation and first mask, ms: p50 {cuts[49]:.1f}  p90 {cuts[89]:.1f}  p99 {cuts[98]:.1f}  max {max(times):.0f}"
    )
    return 1 if judged[AS_NEITHER] else 0


if __name__ == "__main__":
    raise SystemExit(main())

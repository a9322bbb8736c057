"""What is done with each keyword, as data.

The table in the documentation is made of it (``bench/json_schema_page.py``), and tests hold it to the code: every keyword
of every dialect has a row, every weaker status has a schema in which it occurs, and no other keyword is ever refused or
narrowed.  So who makes a keyword exact deletes a line here, and who refuses something new adds one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ..regular.multiples import MAX_LISTED, MAX_RESIDUE
from ..report import Status


@dataclass(frozen=True, slots=True)
class Weaker:
    """A case in which a keyword is less than exact.

    Attributes:
        status: what it is then.
        case: when, in words.
        schema: a schema in which the report says so.
        options: the options of ``JsonSchema`` that it takes.

    """

    status: Status
    case: str
    schema: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coverage:
    """One row: a keyword, a remark on what it means here, and the cases in which it is not exact."""

    keyword: str
    remark: str = ""
    weaker: tuple[Weaker, ...] = ()


_STRINGS: Final = {"type": "array", "items": {"type": "string"}}
_DEEP: dict[str, Any] = {"type": "null"}
for _ in range(10):
    _DEEP = {"type": "array", "items": _DEEP, "minItems": 1}

COVERAGE: Final = (
    Coverage("type", "1.0 is an integer, except in draft 4"),
    Coverage("enum", "values are written as they are listed, once for each value; a number plainly, and as it was given: `1.0` beside `1`"),
    Coverage("const", "as `enum` with one value"),
    Coverage("minimum", "compared as exact decimals; beside a bound an exponent, from -324 to 308, stands behind normalised digits: `2.5e-05`"),
    Coverage("maximum", "as `minimum`"),
    Coverage("exclusiveMinimum", "a boolean beside `minimum` in draft 4, a number since"),
    Coverage("exclusiveMaximum", "as `exclusiveMinimum`"),
    Coverage(
        "multipleOf",
        "exact decimals, so 0.01 has no rounding; a multiple is written without an exponent",
        (
            Weaker(
                "narrowed",
                f"where it takes more than {MAX_RESIDUE:,} residues: of each sign the {MAX_LISTED:,} numbers nearest to 0",
                {"type": "integer", "multipleOf": 0.123456789},
            ),
        ),
    ),
    Coverage("minLength", "in characters (code points), not bytes"),
    Coverage("maxLength", "as `minLength`"),
    Coverage(
        "pattern",
        "ECMA 262 with Unicode, found anywhere in the string; look-around and word boundaries included",
        (Weaker("refused", "back-references to a group of more than 64 texts", {"pattern": r"(a+)\1"}),),
    ),
    Coverage(
        "format",
        "the formats listed below are asserted, and those in `formats=`",
        (Weaker("annotation", "of any other name, and all with `formats=False`", {"format": "no-such-format"}),),
    ),
    Coverage("prefixItems"),
    Coverage("items", "a list of schemas up to 2019-09"),
    Coverage("additionalItems", "beside a list of `items`"),
    Coverage("minItems"),
    Coverage("maxItems"),
    Coverage(
        "uniqueItems",
        "no item comes twice, whatever its spelling, and none is begun where every possible item is used; numbers count as one where only "
        "zeros behind 100 others in a fraction, or digits behind 13 in an exponent, tell them apart",
        (
            Weaker(
                "residual",
                "items that must come may run out of values, and those are more than 16, or no list, or take more states than "
                "`SchemaLimits.unique_items`",
                {
                    "type": "array",
                    "prefixItems": [*[{"enum": [*range(18)]}] * 17, {"enum": [*range(17)]}],
                    "minItems": 18,
                    "uniqueItems": True,
                },
            ),
            Weaker(
                "narrowed",
                "negated, and two items could be equal in more than 64 values: those that are equal have one of a few of these",
                {**_STRINGS, "not": {"uniqueItems": True}},
            ),
            Weaker(
                "refused",
                "negated, and no value is found that two items could have, of at most 8 containers inside of each other",
                {"type": "array", "items": _DEEP, "not": {"uniqueItems": True}},
            ),
        ),
    ),
    Coverage("contains"),
    Coverage("minContains"),
    Coverage("maxContains"),
    Coverage(
        "unevaluatedItems",
        "beside every applicator; `contains` evaluates since 2020-12",
        (
            Weaker(
                "refused",
                "in a branch of a schema with `unevaluatedProperties`",
                {
                    "unevaluatedProperties": False,
                    "allOf": [{"anyOf": [{"prefixItems": [True]}, {"minItems": 3}], "unevaluatedItems": False}],
                },
            ),
        ),
    ),
    Coverage("properties", 'members come in this order, unless `property_order="any"`'),
    Coverage("patternProperties", 'a pattern that is no regular language is an error, even under `on_unsupported="widen"`'),
    Coverage("additionalProperties", "other keys come where `property_order` says, none twice"),
    Coverage("propertyNames", "where few names are possible, no comma where all are used"),
    Coverage("required"),
    Coverage("minProperties"),
    Coverage("maxProperties"),
    Coverage("dependencies", "each entry a list of names or a schema"),
    Coverage("dependentRequired"),
    Coverage("dependentSchemas"),
    Coverage("unevaluatedProperties", "beside every applicator"),
    Coverage("allOf"),
    Coverage("anyOf"),
    Coverage(
        "oneOf",
        "branches that overlap get the negation of each other",
        (
            Weaker(
                "narrowed",
                "many branches are told apart by a member that they do not require: without it objects meet exactly one branch in too many ways",
                {
                    "type": "object",
                    "oneOf": [
                        {"properties": {"kind": {"const": i}, **{f"{i}{c}": {"type": "integer"} for c in "abcd"}}}
                        for i in range(12)
                    ],
                },
            ),
        ),
    ),
    Coverage(
        "not",
        "of every keyword; see `uniqueItems`",
        (
            Weaker(
                "narrowed",
                '`property_order="any"` and a statement about finitely many keys, all of which may come: one is kept for the member that breaks it',
                {
                    "type": "object",
                    "propertyNames": {"pattern": "^[a-z]{3}$"},
                    "additionalProperties": {"enum": [1, 2]},
                    "not": {"additionalProperties": {"const": 1}},
                },
                {"property_order": "any"},
            ),
        ),
    ),
    Coverage("if"),
    Coverage("then", "beside `if`"),
    Coverage("else", "beside `if`"),
    Coverage("$ref", "recursion included; a remote document must be in `registry=`, and nothing is fetched"),
    Coverage("$dynamicRef", "one meaning for each dynamic scope"),
    Coverage("$recursiveRef", "one meaning for each dynamic scope"),
)  # fmt: skip
"""The assertions and applicators, in the order of the table; ``ANNOTATIONS`` are the rest."""

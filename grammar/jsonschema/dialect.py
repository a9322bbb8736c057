"""The drafts of JSON Schema: which keywords each knows, and how to tell which one a document is written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Final, TypeAlias

from ..errors import InvalidSource

Json: TypeAlias = "bool | int | float | Decimal | str | list[Json] | dict[str, Json] | None"
"""A JSON value as Python holds it; numbers of a schema are ``int`` or ``Decimal`` once it is loaded."""

ANNOTATIONS: Final = frozenset(
    "title description default examples example deprecated readOnly writeOnly $comment $schema $vocabulary "
    "contentEncoding contentMediaType contentSchema definitions $defs $anchor $id id $dynamicAnchor "
    "$recursiveAnchor".split()
)
"""Keywords that assert nothing, in any draft."""

_DRAFT4: Final = frozenset(
    "type enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern format "
    "items additionalItems maxItems minItems uniqueItems properties patternProperties additionalProperties required "
    "maxProperties minProperties dependencies allOf anyOf oneOf not $ref".split()
)
_DRAFT6: Final = _DRAFT4 | {"const", "contains", "propertyNames"}
_DRAFT7: Final = _DRAFT6 | {"if", "then", "else"}
_DRAFT2019: Final = _DRAFT7 | frozenset(
    "dependentRequired dependentSchemas unevaluatedProperties unevaluatedItems minContains maxContains "
    "$recursiveRef".split()
)
_DRAFT2020: Final = (_DRAFT2019 - {"$recursiveRef", "additionalItems"}) | {"prefixItems", "$dynamicRef"}


_FOREIGN: Final[Mapping[str, str]] = {
    "nullable": "OpenAPI 3.0; write {'type': [..., 'null']}",
    "discriminator": "OpenAPI; give each branch of 'oneOf' a 'const'",
    "divisibleBy": "draft 3; it is 'multipleOf' now",
    "extends": "draft 3; it is 'allOf' now",
    "disallow": "draft 3; it is 'not' now",
    "optional": "draft 2; list the required members in 'required'",
}
"""Keywords of other languages that look like assertions, with what to write here."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """One draft.

    Attributes:
        name: ``draft4``, ``draft6``, ``draft7``, ``2019-09`` or ``2020-12``.
        uri: the metaschema's URI, without a fragment.
        keywords: the assertion and applicator keywords that this draft defines.
        id_keyword: ``id`` or ``$id``.
        ref_hides_siblings: whether ``$ref`` makes the keywords beside it meaningless.
        boolean_exclusive: whether ``exclusiveMinimum`` is a boolean that modifies ``minimum``.
        tuple_items: whether ``items`` may be an array of schemas.
        metaschema: the URI of the metaschema of one's own that the dialect was read from, if it was.
        left_out: the draft's keywords that this metaschema's ``$vocabulary`` leaves out.

    """

    name: str
    uri: str
    keywords: frozenset[str]
    id_keyword: str
    ref_hides_siblings: bool
    boolean_exclusive: bool
    tuple_items: bool
    metaschema: str | None = None
    left_out: frozenset[str] = frozenset()

    def hint(self, keyword: str) -> str | None:
        """Say what an unknown keyword was probably meant to be, or ``None``."""
        elsewhere = [d.name for d in DIALECTS.values() if keyword in d.keywords]
        if elsewhere:
            return f"{keyword!r} belongs to {', '.join(elsewhere)}; this schema is read as {self.name}"
        if keyword in _FOREIGN:
            return f"{keyword!r} belongs to {_FOREIGN[keyword]}"
        close = get_close_matches(keyword.lstrip("_$").lower(), [k.lower() for k in self.keywords], 1, 0.85)
        if close:
            meant = next(k for k in self.keywords if k.lower() == close[0])
            return f"did you mean {meant!r}?"
        return None


DIALECTS: Final[Mapping[str, Dialect]] = {
    d.name: d
    for d in (
        Dialect("draft4", "http://json-schema.org/draft-04/schema", _DRAFT4, "id", True, True, True),
        Dialect("draft6", "http://json-schema.org/draft-06/schema", _DRAFT6, "$id", True, False, True),
        Dialect("draft7", "http://json-schema.org/draft-07/schema", _DRAFT7, "$id", True, False, True),
        Dialect("2019-09", "https://json-schema.org/draft/2019-09/schema", _DRAFT2019, "$id", False, False, True),
        Dialect("2020-12", "https://json-schema.org/draft/2020-12/schema", _DRAFT2020, "$id", False, False, False),
    )
}
"""The drafts by name, oldest first."""

_APPLICATORS: Final = frozenset(
    "items additionalItems prefixItems contains properties patternProperties additionalProperties propertyNames "
    "dependentSchemas dependencies if then else allOf anyOf oneOf not".split()
)
_UNEVALUATED: Final = frozenset(("unevaluatedItems", "unevaluatedProperties"))
_FORMAT: Final = frozenset(("format",))
_CORE: Final = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))


def _vocabularies(draft: str, keywords: frozenset[str], formats: tuple[str, ...]) -> Mapping[str, frozenset[str]]:
    asserted = keywords - _APPLICATORS - _UNEVALUATED - _FORMAT - _CORE
    named = {"core": _CORE, "applicator": _APPLICATORS, "validation": asserted}
    named |= {"unevaluated": _UNEVALUATED} if draft == "2020-12" else {"applicator": _APPLICATORS | _UNEVALUATED}
    named |= dict.fromkeys(formats, _FORMAT) | dict.fromkeys(("meta-data", "content"), frozenset())
    return {f"https://json-schema.org/draft/{draft}/vocab/{name}": words & keywords for name, words in named.items()}


VOCABULARIES: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "2019-09": _vocabularies("2019-09", _DRAFT2019, ("format",)),
    "2020-12": _vocabularies("2020-12", _DRAFT2020, ("format-annotation", "format-assertion")),
}
"""By draft: the vocabularies that a metaschema may list, and their keywords that assert or apply something.

``dependencies`` belongs to none; it goes with the applicators, whose older form it is.
"""

_ALIASES: Final[Mapping[str, str]] = {
    "draft-04": "draft4",
    "draft-06": "draft6",
    "draft-07": "draft7",
    "draft2019-09": "2019-09",
    "draft2020-12": "2020-12",
}
_BY_URI: Final = {d.uri.split("://")[1]: d for d in DIALECTS.values()}
_BY_URI["json-schema.org/schema"] = DIALECTS["2020-12"]


def dialect_named(name: str, dialect_of: Callable[[str], Dialect | None]) -> Dialect:
    """Look a dialect up by name or metaschema URI; raise ``InvalidSource`` where there is none."""
    found = DIALECTS.get(_ALIASES.get(name, name)) or dialect_of(name)
    if found is None:
        raise InvalidSource(f"unknown dialect {name!r}", hint=f"known are {', '.join(DIALECTS)}")
    return found


def by_uri(uri: str) -> Dialect | None:
    """Find the dialect whose metaschema has this URI (an empty fragment and the scheme do not matter)."""
    return _BY_URI.get(uri.rstrip("#").split("://")[-1])


def detect(schema: Json, dialect_of: Callable[[str], Dialect | None] = by_uri) -> tuple[Dialect, str]:
    """Tell the dialect of a document, and why.

    ``$schema`` decides where it names a metaschema that ``dialect_of`` knows.  Else the forms that only older drafts have
    do: a boolean ``exclusiveMinimum`` (draft 4), ``id`` beside other draft-4 forms, ``items`` as an array.
    The newest draft is the answer where nothing speaks against it.
    """
    declared = schema.get("$schema") if isinstance(schema, dict) else None
    if isinstance(declared, str):
        known = dialect_of(declared)
        if known is not None:
            return known, "declared by $schema"
    found, why = _detect_by_form(schema)
    return found, f"$schema {declared!r} is not here; {why}" if isinstance(declared, str) else why


def _detect_by_form(schema: Json) -> tuple[Dialect, str]:
    if isinstance(schema, dict):
        forms = _forms(schema)
        if "boolean exclusive bounds" in forms:
            return DIALECTS["draft4"], "boolean exclusiveMinimum or exclusiveMaximum"
        newer = forms & {"$defs", "prefixItems", "$dynamicRef", "dependentRequired", "dependentSchemas"}
        if not newer:
            if isinstance(schema.get("id"), str) and "$id" not in forms and not forms & {"const", "if", "contains"}:
                return DIALECTS["draft4"], "root 'id'"
            if "array items" in forms:
                return DIALECTS["draft7"], "'items' is an array"
            if "definitions" in forms or "dependencies" in forms:
                return DIALECTS["draft7"], "'definitions' or 'dependencies'"
    return DIALECTS["2020-12"], "nothing older was seen"


_TELLING: Final = frozenset(
    "$defs prefixItems $dynamicRef dependentRequired dependentSchemas $id const if contains definitions "
    "dependencies".split()
)
_MAPS: Final = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
_VALUES: Final = frozenset(("enum", "const", "default", "examples", "example", "required"))


def _forms(schema: Json) -> set[str]:
    seen: set[str] = set()
    stack: list[Json] = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
            continue
        if not isinstance(node, dict):
            continue
        seen |= _TELLING & node.keys()
        for key, value in node.items():
            if isinstance(value, dict):
                if key in _MAPS:
                    stack.extend(value.values())
                elif key not in _VALUES:
                    stack.append(value)
            elif isinstance(value, list):
                if key == "items":
                    seen.add("array items")
                if key not in _VALUES:
                    stack.extend(value)
            elif isinstance(value, bool) and key in ("exclusiveMinimum", "exclusiveMaximum"):
                seen.add("boolean exclusive bounds")
    return seen

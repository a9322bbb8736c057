"""Where other documents come from, and which dialect a metaschema stands for.

Nothing is ever fetched: documents come from the caller's registry, and the metaschemas of the drafts from the
``jsonschema-specifications`` package.  A metaschema of one's own says by ``$vocabulary`` which keywords mean something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, Protocol
from urllib.parse import urldefrag

from ..errors import InvalidSource, Unsupported
from .dialect import VOCABULARIES, Dialect, Json, by_uri


class Registry(Protocol):
    """What a caller may pass to resolve remote references; ``referencing.Registry`` is one."""

    def contents(self, uri: str) -> Json:
        """Return the document with this URI; raise ``LookupError`` where there is none."""
        ...


class Library:
    """The documents that may be referred to, and the dialects that their ``$schema`` may name."""

    def __init__(self, registry: Registry | Mapping[str, Json] | None) -> None:
        """Take the caller's documents."""
        self._registry = registry
        self._dialects: dict[str, Dialect | None] = {}

    def document(self, uri: str) -> Json:
        """Return the document with this URI, or ``None``."""
        registry = self._registry
        if registry is not None and hasattr(registry, "contents"):  # referencing's is a mapping to something else, too
            try:
                found: Json = registry.contents(uri)
            except LookupError:
                pass
            else:
                return found
        elif isinstance(registry, Mapping):
            for spelling in (uri, uri + "#"):
                if spelling in registry:
                    return registry[spelling]
        if "json-schema.org/" in uri:
            from jsonschema_specifications import REGISTRY  # noqa: PLC0415  (20 ms, and hardly ever needed)

            try:
                contents: Json = REGISTRY.contents(uri)
            except LookupError:
                return None
            return contents
        return None

    def dialect(self, metaschema: str) -> Dialect | None:
        """Return the dialect of the schemas that a metaschema describes, ``None`` where it is not here.

        Raises ``Unsupported`` where it requires a vocabulary that is not known: such schemas must not be processed
        (2020-12, core, section 8.1.2.1).
        """
        known = by_uri(metaschema)
        if known is not None:
            return known
        uri = urldefrag(metaschema)[0]
        if uri not in self._dialects:
            self._dialects[uri] = None  # a metaschema that describes itself says no draft
            self._dialects[uri] = self._own(uri)
        return self._dialects[uri]

    def _own(self, uri: str) -> Dialect | None:
        """Read a metaschema that belongs to no draft: it is written in one, and so are its schemas."""
        metaschema = self.document(uri)
        declared = metaschema.get("$schema") if isinstance(metaschema, dict) else None
        base = self.dialect(declared) if isinstance(declared, str) else None
        if base is None or not isinstance(metaschema, dict) or base.name not in VOCABULARIES:
            return base
        said = metaschema.get("$vocabulary")
        if said is None:
            return base
        if not isinstance(said, dict):
            raise InvalidSource("$vocabulary must be an object of booleans", where=f"{uri}#/$vocabulary")
        vocabularies = VOCABULARIES[base.name]
        unknown = [name for name, needed in said.items() if needed is True and name not in vocabularies]
        if unknown:
            raise Unsupported(
                f"the metaschema requires the vocabulary {unknown[0]!r}, which is not known",
                where=f"{uri}#/$vocabulary",
                hint="where it is false there, its keywords are annotations",
            )
        kept = _ALWAYS | frozenset(k for name in said for k in vocabularies.get(name, frozenset()))
        return replace(base, keywords=base.keywords & kept, left_out=base.keywords - kept, metaschema=uri)


_ALWAYS: Final = frozenset(("$ref", "$dynamicRef", "$recursiveRef"))
"""The core vocabulary cannot be left out (section 8.1.2)."""

"""Schema documents: nodes, base URIs, anchors, and what a ``$ref`` points to.

A *node* is one subschema under one base URI; its index is what the algebra's obligations are made of.  Nodes are made
when they are reached, so that a large document of which little is used costs little.  Nothing is ever fetched: other
documents come from the caller's registry, and the metaschemas from the ``jsonschema-specifications`` package.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Final, Protocol
from urllib.parse import unquote, urldefrag, urljoin

from ..errors import InvalidSource, Unsupported
from .dialect import Dialect, Json, by_uri

TRUE_NODE: Final = 0
"""Index of the node of the schema ``true``."""
FALSE_NODE: Final = 1
"""Index of the node of the schema ``false``."""
ROOT_NODE: Final = 2
"""Index of the node of the whole schema."""

Path = tuple[str | int, ...]


class Registry(Protocol):
    """What a caller may pass to resolve remote references; ``referencing.Registry`` is one."""

    def contents(self, uri: str) -> Json:
        """Return the document with this URI; raise ``LookupError`` where there is none."""
        ...


class Resource:
    """A schema with a URI of its own, the base of the references in it."""

    __slots__ = ("anchors", "dialect", "dynamic", "root", "uri")

    def __init__(self, uri: str, root: Node, dialect: Dialect) -> None:
        """Make a resource whose anchors are not indexed yet."""
        self.uri = uri
        self.root = root
        self.dialect = dialect
        self.anchors: dict[str, Node] | None = None
        self.dynamic: set[str] = set()


class Node:
    """A subschema in its place.

    Attributes:
        index: its number; ``2 * index`` is the obligation to satisfy it, ``2 * index + 1`` to violate it.
        schema: the subschema.
        resource: the resource that it lies in.
        parent, path: where it was reached from, for its pointer.

    """

    __slots__ = ("index", "parent", "path", "resource", "schema")

    def __init__(self, index: int, schema: Json, parent: Node | None, path: Path) -> None:
        """Make a node; its resource is set by the documents that it belongs to."""
        self.index = index
        self.schema = schema
        self.parent = parent
        self.path = path
        self.resource: Resource

    def pointer(self, *more: str | int) -> str:
        """Return the JSON pointer of this node (or of something in it) as a URI fragment."""
        parts: list[str | int] = list(reversed(more))
        node: Node = self
        while True:
            parts.extend(reversed(node.path))
            if node.parent is None:
                break
            node = node.parent
        text = "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in reversed(parts))
        return f"{'' if node.index <= ROOT_NODE else node.resource.uri}#{text}"


class Documents:
    """All nodes of one compilation."""

    def __init__(
        self, schema: Json, dialect: Dialect, registry: Registry | Mapping[str, Json] | None, *, forced: bool
    ) -> None:
        """Take the root document; ``forced`` means that the caller chose the dialect for every document."""
        self.nodes: list[Node] = []
        self._memo: dict[tuple[int, int], Node] = {}
        self._registry = registry
        self._forced = forced
        self._resources: dict[str, Resource] = {}
        self._indexed: set[int] = set()
        self._documents: list[Node] = []
        self.assumed_static: dict[str, str] = {}  # dynamic anchors taken for plain ones, and where
        for value in (True, False):
            node = Node(len(self.nodes), value, None, ())
            self.nodes.append(node)
            node.resource = Resource("", node, dialect)
        self.root = self._document("", schema, dialect)

    def _document(self, uri: str, schema: Json, dialect: Dialect) -> Node:
        node = Node(len(self.nodes), schema, None, ())
        self.nodes.append(node)
        own = _own_id(schema, dialect)
        base = urldefrag(urljoin(uri, own))[0] if own is not None else uri
        node.resource = Resource(base, node, dialect)
        self._memo[id(schema), id(node.resource)] = node
        self._resources.setdefault(base, node.resource)
        self._resources.setdefault(uri, node.resource)
        self._documents.append(node)
        return node

    def child(self, parent: Node, schema: Json, *path: str | int) -> Node:
        """Return the node of a subschema of ``parent``; booleans are the two constant nodes."""
        if schema is True:
            return self.nodes[TRUE_NODE]
        if schema is False:
            return self.nodes[FALSE_NODE]
        resource = parent.resource
        key = id(schema), id(resource)
        node = self._memo.get(key)
        if node is not None:
            return node
        if not isinstance(schema, dict):
            raise InvalidSource(
                f"a schema is an object or a boolean, not {kind_of(schema)}", where=parent.pointer(*path)
            )
        node = Node(len(self.nodes), schema, parent, path)
        self.nodes.append(node)
        self._memo[key] = node
        own = _own_id(schema, resource.dialect)
        if own is None or own.startswith("#"):
            node.resource = resource
        else:
            uri = urldefrag(urljoin(resource.uri, own))[0]
            dialect = resource.dialect
            declared = schema.get("$schema")
            if isinstance(declared, str) and not self._forced:
                dialect = by_uri(declared) or dialect
            node.resource = self._resources.get(uri) or Resource(uri, node, dialect)
            self._resources.setdefault(uri, node.resource)
            self._memo[id(schema), id(node.resource)] = node
        return node

    def resolve(self, node: Node, ref: str) -> Node:
        """Return the node that a reference in ``node`` points to.

        Raises ``InvalidSource`` where the pointer or anchor does not exist, ``Unsupported`` where the document is
        not in the registry.
        """
        resource = node.resource
        if not ref.startswith("#"):
            uri, fragment = urldefrag(urljoin(resource.uri, ref))
            resource = self._resource(uri, node, ref)
        else:
            fragment = ref[1:]
        if not fragment:
            return resource.root
        fragment = unquote(fragment)
        if fragment.startswith("/"):
            return self._walk(resource.root, fragment, node, ref)
        self._index_all()
        target = (resource.anchors or {}).get(fragment)
        if target is None:
            raise InvalidSource(f"there is no anchor {ref!r}", where=node.pointer("$ref"))
        return target

    def _walk(self, root: Node, fragment: str, origin: Node, ref: str) -> Node:
        here: Json = root.schema
        node = root
        path: list[str | int] = []
        for token in fragment[1:].split("/"):
            name = token.replace("~1", "/").replace("~0", "~")
            if isinstance(here, dict) and name in here:
                here = here[name]
                path.append(name)
            elif isinstance(here, list) and name.isdigit() and int(name) < len(here):
                here = here[int(name)]
                path.append(int(name))
            else:
                raise InvalidSource(
                    f"{ref!r} points to nothing", where=origin.pointer("$ref"), hint=f"there is no {name!r} there"
                )
            if isinstance(here, dict) and _own_id(here, node.resource.dialect) is not None:
                node = self.child(node, here, *path)
                path = []
        if not path:
            return node
        return self.child(node, here, *path)

    def _resource(self, uri: str, node: Node, ref: str) -> Resource:
        found = self._resources.get(uri)
        if found is None:
            self._index_all()
            found = self._resources.get(uri)
        if found is None:
            document = self._lookup(uri)
            if document is None:
                raise Unsupported(
                    f"the document of {ref!r} is not here, and nothing is ever fetched",
                    where=node.pointer("$ref"),
                    hint=f"pass it: registry={{{uri!r}: document}}",
                )
            declared = document.get("$schema") if isinstance(document, dict) else None
            dialect = node.resource.dialect
            if isinstance(declared, str) and not self._forced:
                dialect = by_uri(declared) or dialect
            found = self._document(uri, exact_numbers(document), dialect).resource
        return found

    def _lookup(self, uri: str) -> Json:
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

    def dynamic_names(self) -> dict[str, int]:
        """Count the ``$dynamicAnchor`` declarations (and ``$recursiveAnchor: true`` as ``""``) of every document."""
        self._index_all()
        count: dict[str, int] = {}
        for resource in {id(r): r for r in self._resources.values()}.values():
            for name in resource.dynamic:
                count[name] = count.get(name, 0) + 1
        return count

    def _index_all(self) -> None:
        for document in self._documents:
            if document.index not in self._indexed:
                self._indexed.add(document.index)
                self._index(document)

    def _index(self, document: Node) -> None:
        stack = [document]
        while stack:
            node = stack.pop()
            schema = node.schema
            if not isinstance(schema, dict):
                continue
            resource = node.resource
            if resource.anchors is None:
                resource.anchors = {}
            dialect = resource.dialect
            own = schema.get(dialect.id_keyword)
            if dialect.ref_hides_siblings and isinstance(own, str) and own.startswith("#") and len(own) > 1:
                resource.anchors.setdefault(own[1:], node)
            for keyword in ("$anchor", "$dynamicAnchor"):
                name = schema.get(keyword)
                if isinstance(name, str) and not dialect.ref_hides_siblings:
                    resource.anchors.setdefault(name, node)
                    if keyword == "$dynamicAnchor":
                        resource.dynamic.add(name)
            if schema.get("$recursiveAnchor") is True:
                resource.dynamic.add("")
            stack.extend(self.child(node, sub, *path) for path, sub in subschemas(schema))


_ONE: Final = (
    "additionalProperties additionalItems items contains not if then else propertyNames unevaluatedItems "
    "unevaluatedProperties contentSchema".split()
)
_MANY: Final = ("allOf", "anyOf", "oneOf", "prefixItems", "items")
_NAMED: Final = ("properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies")


def subschemas(schema: dict[str, Json]) -> Iterator[tuple[Path, Json]]:
    """Yield every subschema directly below a schema object, with its path."""
    for keyword in _ONE:
        value = schema.get(keyword)
        if isinstance(value, dict):
            yield (keyword,), value
    for keyword in _MANY:
        value = schema.get(keyword)
        if isinstance(value, list):
            for i, sub in enumerate(value):
                if isinstance(sub, dict):
                    yield (keyword, i), sub
    for keyword in _NAMED:
        value = schema.get(keyword)
        if isinstance(value, dict):
            for name, sub in value.items():
                if isinstance(sub, dict):
                    yield (keyword, name), sub


def _own_id(schema: Json, dialect: Dialect) -> str | None:
    if not isinstance(schema, dict):
        return None
    own = schema.get(dialect.id_keyword)
    if not isinstance(own, str) or not own or (dialect.ref_hides_siblings and "$ref" in schema):
        return None
    return own


def kind_of(value: Json) -> str:
    """Name a JSON value's type with an article, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, list):
        return "an array"
    return "an object" if isinstance(value, dict) else "a number"


def exact_numbers(value: Json) -> Json:
    """Return the document with every float as the ``Decimal`` that it prints as; unchanged parts are shared."""
    if isinstance(value, float):
        if not isfinite(value):
            raise InvalidSource(f"{value} is not a JSON number")
        return Decimal(repr(value))
    if isinstance(value, dict):
        changed: dict[str, Json] = {}
        for k, v in value.items():
            if isinstance(v, float | dict | list | tuple):
                new = exact_numbers(v)
                if new is not v:
                    changed[k] = new
            if type(k) is not str:
                raise InvalidSource(f"a key of a JSON object is a string, not {k!r}")
        return value if not changed else {k: changed.get(k, v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = [exact_numbers(v) if isinstance(v, float | dict | list | tuple) else v for v in value]
        same = isinstance(value, list) and all(a is b for a, b in zip(items, value, strict=True))
        return value if same else items
    return value

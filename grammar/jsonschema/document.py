"""Schema documents: nodes, base URIs, anchors, dynamic scopes, and what a reference points to.

A *node* is one subschema under one base URI, reached through one dynamic scope; its index is what the algebra's
obligations are made of.  Nodes are made when they are reached, so that a large document of which little is used costs
little.

What a ``$dynamicRef`` points to depends on the resources that evaluation went through to reach it.  All that matters of
them is which is the outermost to declare a dynamic anchor, for each name: that map is the node's *scope*.  Resources are
finitely many, so scopes are, and a recursive schema comes back to the nodes that it had.  ``$recursiveAnchor`` is the
dynamic anchor with an empty name.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from math import isfinite
from typing import Final
from urllib.parse import unquote, urldefrag, urljoin

from ..errors import InvalidSource, Unsupported
from .dialect import Dialect, Json
from .library import Library

TRUE_NODE: Final = 0
"""Index of the node of the schema ``true``."""
FALSE_NODE: Final = 1
"""Index of the node of the schema ``false``."""

Path = tuple[str | int, ...]

Scope = int
"""A dynamic scope, as its index in ``Documents``."""
NO_SCOPE: Final[Scope] = 0
"""Nothing on the way declared a dynamic anchor."""


class Resource:
    """A schema with a URI of its own, the base of the references in it.

    Attributes:
        uri: its URI.
        shown: what pointers into it begin with, where it is a whole document.
        root: the node of its whole schema.
        dialect: the dialect that it is read in; ``fixed`` if the caller chose it, whatever the text says.
        anchors: the places that plain names point to, once they are indexed.
        dynamic: the names that are dynamic anchors, with their places.

    """

    __slots__ = ("anchors", "dialect", "dynamic", "fixed", "root", "shown", "uri")

    def __init__(self, uri: str, root: Node, dialect: Dialect, *, fixed: bool, shown: str) -> None:
        """Make a resource whose anchors are not indexed yet."""
        self.uri = uri
        self.fixed = fixed
        self.shown = shown
        self.root = root
        self.dialect = dialect
        self.anchors: dict[str, Node] | None = None
        self.dynamic: dict[str, Node] = {}


class Node:
    """A subschema in its place.

    Attributes:
        index: its number; ``2 * index`` is the obligation to satisfy it, ``2 * index + 1`` to violate it.
        schema: the subschema.
        resource: the resource that it lies in.
        scope: the dynamic scope that it was reached through, its own resource included.
        parent, path: where it lies, for its pointer.

    """

    __slots__ = ("index", "parent", "path", "resource", "schema", "scope")

    def __init__(self, index: int, schema: Json, parent: Node | None, path: Path, scope: Scope) -> None:
        """Make a node; its resource is set by the documents that it belongs to."""
        self.index = index
        self.schema = schema
        self.parent = parent
        self.path = path
        self.scope = scope
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
        return f"{node.resource.shown}#{text}"


class Documents:
    """All nodes of one compilation."""

    def __init__(self, schema: Json, dialect: Dialect, library: Library, *, forced: bool) -> None:
        """Take the root document, its dialect (``forced`` if the caller chose it), and where others come from."""
        self.nodes: list[Node] = []
        self._memo: dict[tuple[int, int, Scope], Node] = {}
        self._library = library
        self._resources: dict[str, Resource] = {}
        self._unindexed: list[Node] = []
        self._scopes: list[dict[str, Resource]] = [{}]
        self._scope_of: dict[tuple[tuple[str, int], ...], Scope] = {(): NO_SCOPE}
        self._dynamic = False  # whether some document declares a dynamic anchor
        for value in (True, False):
            node = self._node(value, None, (), NO_SCOPE)
            node.resource = Resource("", node, dialect, fixed=True, shown="")
        self.root = self._enter(self._document("", schema, dialect, fixed=forced), NO_SCOPE)

    def _node(self, schema: Json, parent: Node | None, path: Path, scope: Scope) -> Node:
        node = Node(len(self.nodes), schema, parent, path, scope)
        self.nodes.append(node)
        return node

    def _document(self, uri: str, schema: Json, dialect: Dialect, *, fixed: bool = False) -> Node:
        node = self._node(schema, None, (), NO_SCOPE)
        own = _own_id(schema, dialect)
        base = urldefrag(urljoin(uri, own))[0] if own is not None else uri
        node.resource = Resource(base, node, dialect, fixed=fixed, shown=base if uri else "")
        self._memo[id(schema), id(node.resource), NO_SCOPE] = node
        self._resources.setdefault(base, node.resource)
        self._resources.setdefault(uri, node.resource)
        self._unindexed.append(node)
        if _declares_dynamic_anchors(schema):
            self._dynamic = True
            self._index_all()
        return node

    def child(self, parent: Node, schema: Json, *path: str | int) -> Node:
        """Return the node of a subschema of ``parent``; booleans are the two constant nodes."""
        node = self._below(parent, schema, path)
        if self._dynamic and node.resource is not parent.resource and node.index > FALSE_NODE:
            return self._enter(node, parent.scope)
        return node

    def _below(self, parent: Node, schema: Json, path: Path) -> Node:
        """Return the node of a subschema in its parent's scope, whatever resource it lies in."""
        if schema is True:
            return self.nodes[TRUE_NODE]
        if schema is False:
            return self.nodes[FALSE_NODE]
        resource = parent.resource
        key = id(schema), id(resource), parent.scope
        node = self._memo.get(key)
        if node is not None:
            return node
        if not isinstance(schema, dict):
            raise InvalidSource(
                f"a schema is an object or a boolean, not {kind_of(schema)}", where=parent.pointer(*path)
            )
        node = self._node(schema, parent, path, parent.scope)
        self._memo[key] = node
        own = _own_id(schema, resource.dialect)
        if own is None or own.startswith("#"):
            node.resource = resource
            return node
        uri = urldefrag(urljoin(resource.uri, own))[0]
        found = self._resources.get(uri)
        if found is None:
            dialect = resource.dialect if resource.fixed else self._dialect(schema, resource.dialect)
            found = self._resources[uri] = Resource(uri, node, dialect, fixed=resource.fixed, shown=uri)
            if self._dynamic:  # in most cases it is being indexed; one in a place that is no schema's is indexed here
                self._unindexed.append(node)
        node.resource = found
        self._memo[id(schema), id(found), parent.scope] = node
        return node

    def _dialect(self, document: Json, otherwise: Dialect) -> Dialect:
        declared = document.get("$schema") if isinstance(document, dict) else None
        return (self._library.dialect(declared) or otherwise) if isinstance(declared, str) else otherwise

    # -- references ---------------------------------------------------------------------------

    def resolve(self, node: Node, ref: str, keyword: str = "$ref") -> Node:
        """Return the node that a reference in ``node`` points to, reached from there.

        Raises ``InvalidSource`` where the pointer or anchor does not exist, ``Unsupported`` where the document is
        not in the registry.
        """
        return self._enter(self._target(node, ref, keyword), node.scope)

    def resolve_dynamic(self, node: Node, ref: str) -> Node:
        """Return the node that a ``$dynamicRef`` points to (2020-12, core, section 8.2.3.2)."""
        target = self._target(node, ref, "$dynamicRef")
        name = unquote(ref.partition("#")[2])
        if name and target.resource.dynamic.get(name) is target:
            outermost = self._scopes[node.scope].get(name)
            if outermost is not None:
                target = outermost.dynamic[name]
        return self._enter(target, node.scope)

    def resolve_recursive(self, node: Node) -> Node:
        """Return the node that a ``$recursiveRef`` points to (2019-09, core, section 8.2.4.2)."""
        resource = node.resource
        if "" in resource.dynamic:
            resource = self._scopes[node.scope].get("", resource)
        return self._enter(resource.root, node.scope)

    def _enter(self, node: Node, scope: Scope) -> Node:
        """Return a node as it is reached through a scope."""
        if not self._dynamic or node.index <= FALSE_NODE:
            return node
        resource = node.resource
        outer = self._scopes[scope]
        more = {name: resource for name in resource.dynamic if name not in outer}
        if more:
            inner = outer | more
            key = tuple(sorted((name, id(r)) for name, r in inner.items()))
            scope = self._scope_of.setdefault(key, len(self._scopes))
            if scope == len(self._scopes):
                self._scopes.append(inner)
        if node.scope == scope:
            return node
        memo = id(node.schema), id(resource), scope
        found = self._memo.get(memo)
        if found is None:
            found = self._memo[memo] = self._node(node.schema, node.parent, node.path, scope)
            found.resource = resource
        return found

    def _target(self, node: Node, ref: str, keyword: str) -> Node:
        """Return the node of the place that a reference points to, in some scope or other."""
        resource = node.resource
        if not ref.startswith("#"):
            uri, fragment = urldefrag(urljoin(resource.uri, ref))
            resource = self._resource(uri, node, ref, keyword)
        else:
            fragment = ref[1:]
        if not fragment:
            return resource.root
        fragment = unquote(fragment)
        if fragment.startswith("/"):
            return self._walk(resource.root, fragment, node, ref, keyword)
        self._index_all()
        target = (resource.anchors or {}).get(fragment)
        if target is None:
            raise InvalidSource(f"there is no anchor {ref!r}", where=node.pointer(keyword))
        return target

    def _walk(self, root: Node, fragment: str, origin: Node, ref: str, keyword: str) -> Node:
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
                    f"{ref!r} points to nothing", where=origin.pointer(keyword), hint=f"there is no {name!r} there"
                )
            if isinstance(here, dict) and _own_id(here, node.resource.dialect) is not None:
                node = self._below(node, here, tuple(path))
                path = []
        if path:
            node = self._below(node, here, tuple(path))
        if self._dynamic:
            self._index_all()
        return node

    def _resource(self, uri: str, node: Node, ref: str, keyword: str) -> Resource:
        found = self._resources.get(uri)
        if found is None:
            self._index_all()
            found = self._resources.get(uri)
        if found is None:
            document = self._library.document(uri)
            if document is None:
                raise Unsupported(
                    f"the document of {ref!r} is not here, and nothing is ever fetched",
                    where=node.pointer(keyword),
                    hint=f"pass it: registry={{{uri!r}: document}}",
                )
            dialect = self._dialect(document, node.resource.dialect)
            found = self._document(uri, exact_numbers(document), dialect).resource
        return found

    # -- anchors ------------------------------------------------------------------------------

    def _index_all(self) -> None:
        while self._unindexed:
            self._index(self._unindexed.pop())

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
            if dialect.ref_hides_siblings:
                if isinstance(own, str) and own.startswith("#") and len(own) > 1:
                    resource.anchors.setdefault(own[1:], node)
            else:
                self._anchors(node, schema, resource)
            stack.extend(self._below(node, sub, path) for path, sub in subschemas(schema))

    @staticmethod
    def _anchors(node: Node, schema: dict[str, Json], resource: Resource) -> None:
        names: dict[str, Node] = resource.anchors if resource.anchors is not None else {}
        name = schema.get("$anchor")
        if isinstance(name, str):
            names.setdefault(name, node)
        if "$dynamicRef" in resource.dialect.keywords:
            name = schema.get("$dynamicAnchor")
            if isinstance(name, str) and names.setdefault(name, node) is node:
                resource.dynamic[name] = node
        elif schema.get("$recursiveAnchor") is True and schema is resource.root.schema:
            resource.dynamic[""] = node


def _declares_dynamic_anchors(schema: Json) -> bool:
    """Tell whether the keys of dynamic anchors occur anywhere, so that only documents that have them cost more."""
    stack: list[Json] = [schema]
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            if "$dynamicAnchor" in here or "$recursiveAnchor" in here:
                return True
            stack.extend(v for v in here.values() if isinstance(v, dict | list))
        elif isinstance(here, list):
            stack.extend(v for v in here if isinstance(v, dict | list))
    return False


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

"""The check at the door: the tokens of a text must spell the text.

The bytes of a token are read out of formats that were not written down for this purpose, and a wrong table
would not show until a model writes broken output.  So every tokenizer that can encode is asked for a few
texts that together hold what usually goes wrong, and the bytes of its ids are compared with the text.

Two differences are no fault: a space that the tokenizer puts in front, and what its normaliser changes
(said in a warning).  A character that the tokenizer cannot spell at all is left out of the texts: that is
what ``Vocabulary.missing_bytes`` is for.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

from ...grammar.errors import TokenizerError, TokenizerWarning
from .pieces import SPACE_MARK
from .source import Source

PROBES = {
    "code": (
        'def f(x: int) -> str:\n    """Doc."""\n\treturn f"{x:>10}" if x != 0 else \'~`^|\\\\\'  # 100% @ $5 & <b>\r\n'
    ),
    "words": ("The QUICK brown fox's 1234567890 jumps; caf\xe9 na\xefve \u2014 \u201cquoted\u201d, \u20ac3\xd74\xbd."),
    "Cyrillic": (
        "\u0421\u044a\u0435\u0448\u044c \u0436\u0435 \u0435\u0449\u0451 \u044d\u0442\u0438\u0445 \u043c\u044f"
        "\u0433\u043a\u0438\u0445 \u0431\u0443\u043b\u043e\u043a, \u0407\u0436\u0430\u043a!"
    ),
    "CJK": (
        "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u65e5\u672c\u8a9e\u306e\u30c6\u30ad\u30b9\u30c8\u3001\ud55c\uad6d"
        "\uc5b4 \u6587\u5b57 \U00020bb7"
    ),
    "emoji": (
        "\U0001f469\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f3f3\ufe0f\u200d\U0001f308 e\u0301 a"
        "\u0308\u0323 \ufb01 \U0001d54f \U0001f1ef\U0001f1f5"
    ),
    "controls": (
        "a\x00b\x01\x04\x07\x08\x0b\x0c\x1b[0m\x7f\x85\xa0\u2003\u2028\u3000\u200b  two   three\t\ttabs\n\n\nlines "
    ),
    "JSON": ('{"a": [1, -2.5e10, true, null], "\\u00e9\\n": {"": "x\\"y"}, "k":{}}\n[[],{ }]'),
    "scripts": (
        "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645 \u0928\u092e\u0938\u094d\u0924"
        "\u0947 \u0926\u0941\u0928\u093f\u092f\u093e \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e0a\u0e32\u0e27\u0e42"
        "\u0e25\u0e01 \u05e9\u05dc\u05d5\u05dd"
    ),
}
"""The texts, by what they are there for."""

_CONTEXT = 12


def checked(source: Source) -> Source:
    """Return ``source`` with ``adds_space`` set, after the round trip of every probe.

    A format that cannot encode is returned as it is.

    Raises:
        TokenizerError: the tokens of a text do not spell it.

    Warns:
        TokenizerWarning: the normaliser changes text.

    """
    encode = source.encode
    if encode is None:
        return source
    adds_space = False
    changed: tuple[str, str] | None = None
    alone = {token[0] for token in source.tokens if token is not None and len(token) == 1}
    unspellable = {c for c in sorted(set("".join(PROBES.values()))) if not _can_spell(source, encode(c), c, alone)}
    for name, probe in PROBES.items():
        text = "".join(c for c in probe if c not in unspellable)
        if not text.strip():
            continue
        seen = _as_seen(source, text)
        if changed is None and text not in (seen, seen.removeprefix(" ")):
            changed = (text, seen)
        got = source.spell(encode(text))
        wanted = [text.encode(), seen.encode()]
        if got is None:
            raise TokenizerError(
                f"{source.name} has no text for some of the tokens of its own encoding of {text!r}", where=name
            )
        if got not in wanted and got not in [b" " + w for w in wanted]:
            raise _difference(source, name, wanted[1], got)
        adds_space = adds_space or (got.startswith(b" ") and not text.startswith(" "))
    if changed is not None:
        warnings.warn(_change(source, *changed), TokenizerWarning, stacklevel=4)
    return replace(source, adds_space=adds_space)


def _as_seen(source: Source, text: str) -> str:
    return text if source.normalise is None else source.normalise(text).replace(SPACE_MARK, " ")


def _can_spell(source: Source, ids: list[int], character: str, alone: set[int]) -> bool:
    """Tell a character that the tokenizer lacks from one whose bytes came out wrong (which counts as spelled).

    It is lacking if it comes out as an unknown token, or if bytes of it were dropped that no token spells alone.
    """
    got = source.spell(ids)
    if got is None:
        return False
    wanted = _as_seen(source, character).encode()
    return len(got) >= len(wanted) or alone.issuperset(wanted) or not _is_subsequence(got.removeprefix(b" "), wanted)


def _is_subsequence(part: bytes, whole: bytes) -> bool:
    rest = iter(whole)
    return all(byte in rest for byte in part)


def _difference(source: Source, name: str, wanted: bytes, got: bytes) -> TokenizerError:
    if got.startswith(b" ") and not wanted.startswith(b" "):
        got = got[1:]
    at = next((i for i, (a, b) in enumerate(zip(wanted, got, strict=False)) if a != b), min(len(wanted), len(got)))
    near = slice(max(0, at - _CONTEXT), at + _CONTEXT)
    return TokenizerError(
        f"the tokens of {source.name} do not spell the text that they encode: at byte {at} they give "
        f"{got[near]!r} for {wanted[near]!r}",
        where=f"the text {name!r} of the round trip",
        hint="a constraint over bytes needs a tokenizer that keeps every byte of its input",
    )


def _change(source: Source, text: str, seen: str) -> str:
    a, b = text, seen if text.startswith(" ") else seen.removeprefix(" ")
    at = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    near = slice(max(0, at - 2), at + _CONTEXT)
    return (
        f"{source.name} changes text before it encodes it ({source.normaliser or 'a normaliser'}): {a[near]!r} becomes "
        f"{b[near]!r}. Its tokens have exact bytes, but the ids of a text may spell another text: feed ids, not text"
    )

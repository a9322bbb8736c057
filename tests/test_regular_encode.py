"""Byte encodings: raw UTF-8 and the inside of JSON strings against ``json``, and the guards of counted ones."""

from __future__ import annotations

import json
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.grammar.ir import UNBOUNDED, ByteAutomaton
from syntagma.grammar.regular.dfa import CharDfa
from syntagma.grammar.regular.encode import Escapes, json_string_body, utf8

BORDERS = '\0\b\t\n\x0b\f\r\x1f !"#/[\\]~\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff'
TEXTS = st.text(alphabet=st.one_of(st.sampled_from(BORDERS), st.characters(exclude_categories=["Cs"])), max_size=6)
PATTERNS = [
    "^[^a-z]*$", r"^\w+$", r"^[\x00-\x1f]{2}$", "^[\\u0080-\\u{10000}]?$", r"^.\n\"\\$", "^[\\ud7ff-\\ue000]$", "^(\u00e9|\U0001f600a)*$",
    r"^\p{Lu}\p{Ll}*$", r"^\n?\n\u{80}?\u{80}\u{10000}?\u{10000}$", r"^[\n\u00e9]?[\n\u00e9]?$",
]  # fmt: skip


def edges_of(part: ByteAutomaton) -> dict[int, list[tuple[int, int, int, bool]]]:
    """Edges by source: lowest byte, highest byte, target, whether it counts."""
    out: dict[int, list[tuple[int, int, int, bool]]] = {}
    for e in range(len(part.source)):
        counts = part.counts is not None and bool(part.counts[e])
        out.setdefault(int(part.source[e]), []).append(
            (int(part.low[e]), int(part.high[e]), int(part.target[e]), counts)
        )
    return out


def accepts(part: ByteAutomaton, text: bytes) -> bool:
    """Run a nondeterministic automaton."""
    edges = edges_of(part)
    live = {0}
    for byte in text:
        live = {t for q in live for low, high, t, _ in edges.get(q, ()) if low <= byte <= high}
    return any(part.accepting[q] for q in live)


def is_deterministic(part: ByteAutomaton) -> bool:
    """Whether no two edges of a state share a byte."""
    for edges in edges_of(part).values():
        taken = [byte for low, high, _, _ in edges for byte in range(low, high + 1)]
        if len(taken) != len(set(taken)):
            return False
    return True


def spell(text: str, rng: Random) -> bytes:
    """Some spelling of a text that RFC 8259 allows."""
    out = ""
    for x in text:
        forms = [x] if x >= " " and x not in '"\\' else []
        units = x.encode("utf-16-be").hex()
        forms += ["".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)), json.dumps(x)[1:-1]]
        forms.append(forms[-2].upper().replace("\\U", "\\u"))
        if x == "/":
            forms.append("\\/")
        out += rng.choice(forms)
    return out.encode()


@given(st.sampled_from(PATTERNS), TEXTS)
def test_utf8_is_the_encoding(pattern: str, text: str) -> None:
    """A text's UTF-8 is accepted exactly if the text is."""
    dfa = CharDfa.from_regex(pattern)
    assert accepts(utf8(dfa), text.encode()) == dfa.accepts(text)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("escapes", ["canonical", "ascii", "all"])
def test_members_and_their_edits_are_told_apart(pattern: str, escapes: Escapes) -> None:
    """Sampled members are accepted in the policy's spelling, and edited ones exactly if they are members."""
    dfa = CharDfa.from_regex(pattern)
    part, raw = json_string_body(dfa, escapes=escapes), utf8(dfa)
    rng = Random(pattern)
    for _ in range(60):
        member = dfa.sample(rng, max_length=6)
        assert member is not None
        at = rng.randrange(len(member) + 1)
        for text in (member, member[:at] + member[at + 1 :], member[:at] + rng.choice(BORDERS) + member[at:]):
            assert accepts(part, json.dumps(text, ensure_ascii=escapes == "ascii").encode()[1:-1]) == dfa.accepts(text)
            assert accepts(raw, text.encode()) == dfa.accepts(text)


@given(st.binary(max_size=5))
def test_utf8_accepts_valid_bytes_only(data: bytes) -> None:
    """Overlong forms, surrogates and stray continuations are refused, as the codec does."""
    try:
        data.decode()
    except UnicodeDecodeError:
        valid = False
    else:
        valid = True
    assert accepts(utf8(CharDfa.any_string()), data) == valid


@pytest.mark.parametrize(
    "data", [b"\xc0\x80", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf4\x90\x80\x80", b"\xff"]
)
def test_utf8_borders(data: bytes) -> None:
    """The classic invalid sequences."""
    assert not accepts(utf8(CharDfa.any_string()), data)


@given(st.sampled_from(PATTERNS), TEXTS)
def test_canonical_is_what_json_writes_without_ascii(pattern: str, text: str) -> None:
    """The one canonical spelling is accepted, with and without the closing quote."""
    dfa = CharDfa.from_regex(pattern)
    written = json.dumps(text, ensure_ascii=False).encode()
    assert accepts(json_string_body(dfa), written[1:-1]) == dfa.accepts(text)
    assert accepts(json_string_body(dfa, quote=True), written[1:]) == dfa.accepts(text)
    assert not accepts(json_string_body(dfa, quote=True), written[1:-1])


@given(st.sampled_from(PATTERNS), TEXTS)
def test_ascii_is_what_json_writes(pattern: str, text: str) -> None:
    """The spelling of ``json.dumps`` is accepted under the ascii policy."""
    dfa = CharDfa.from_regex(pattern)
    assert accepts(json_string_body(dfa, escapes="ascii"), json.dumps(text)[1:-1].encode()) == dfa.accepts(text)


@given(st.sampled_from(PATTERNS), TEXTS, st.integers(0, 1 << 30))
def test_every_spelling_is_accepted(pattern: str, text: str, seed: int) -> None:
    """Under the policy ``all`` every spelling of a text is accepted exactly if the text is."""
    dfa = CharDfa.from_regex(pattern)
    spelled = spell(text, Random(seed))
    assert json.loads(b'"' + spelled + b'"') == text
    assert accepts(json_string_body(dfa, escapes="all"), spelled) == dfa.accepts(text)


@given(st.sampled_from(["canonical", "ascii", "all"]), st.sampled_from(PATTERNS), st.integers(0, 1 << 30))
def test_walks_decode_to_members(escapes: Escapes, pattern: str, seed: int) -> None:
    """Whatever an encoding accepts is a JSON string whose value is in the language, in the policy's spelling."""
    dfa = CharDfa.from_regex(pattern)
    part = json_string_body(dfa, escapes=escapes)
    edges = edges_of(part)
    rng = Random(seed)
    q, out = 0, bytearray()
    for _ in range(60):
        if part.accepting[q] and (q not in edges or rng.random() < 0.3):
            break
        low, high, q, _ = rng.choice(edges[q])
        out.append(rng.choice((low, high)))
    else:
        return
    value = json.loads(b'"' + bytes(out) + b'"')
    assert dfa.accepts(value)
    if escapes != "all":
        assert json.dumps(value, ensure_ascii=escapes == "ascii")[1:-1].encode() == bytes(out)


@pytest.mark.parametrize(
    "text", [rb"\ud800", rb"\udc00", rb"\ud800a", rb"\udbff\ud800", b'"', b"\n", rb"\x", rb"\u00", rb"\U0041"]
)
def test_what_is_no_json_is_refused(text: bytes) -> None:
    """Lone surrogates, raw controls, quotes and unknown escapes are refused under every policy."""
    for escapes in ("canonical", "ascii", "all"):
        assert not accepts(json_string_body(CharDfa.any_string(), escapes=escapes), text)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("escapes", ["canonical", "ascii", "all"])
def test_encodings_are_deterministic(pattern: str, escapes: Escapes) -> None:
    """No two edges of a state share a byte."""
    dfa = CharDfa.from_regex(pattern)
    assert is_deterministic(json_string_body(dfa, escapes=escapes))
    assert is_deterministic(utf8(dfa))


def test_encodings_are_small() -> None:
    """Any string takes a handful of states, since what follows the first byte is shared."""
    any_string = CharDfa.any_string()
    assert utf8(any_string).n == 8
    assert json_string_body(any_string).n <= 14
    assert json_string_body(any_string, escapes="ascii").n <= 17
    assert json_string_body(any_string, escapes="all").n <= 20


def lengths_from(dfa: CharDfa, part: ByteAutomaton, horizon: int) -> list[set[int]]:
    """Numbers of further counted bytes, up to a horizon, with which each state can reach acceptance."""
    edges = edges_of(part)
    found: list[set[int]] = [{0} if part.accepting[q] else set() for q in range(part.n)]
    changed = True
    while changed:
        changed = False
        for q in range(part.n):
            for _, _, t, counts in edges.get(q, ()):
                new = {k + counts for k in found[t] if k + counts <= horizon} - found[q]
                if new:
                    found[q] |= new
                    changed = True
    assert dfa.n <= part.n
    return found


COUNTED = [
    "^.*$", "^[a-z]{2,5}$", "^(\u00e9|\u00e8bbbb|x{2,4})$", "^a?\u00e9{1,3}$", r"^\w+$", "^(\u00e9a|\u00e8)*$", "^[\\x00-\\x7f]{0,3}$",
]  # fmt: skip


@pytest.mark.parametrize("pattern", COUNTED)
@pytest.mark.parametrize("quote", [False, True])
@pytest.mark.parametrize("escapes", ["canonical", "ascii", "all"])
def test_guards_are_exact(pattern: str, escapes: Escapes, quote: bool) -> None:
    """The guard of a state is the exact set of counts from there: an interval without gaps."""
    dfa = CharDfa.from_regex(pattern)
    part = json_string_body(dfa, escapes=escapes, counted=True, quote=quote)
    assert part.least is not None
    assert part.most is not None
    horizon = 9
    for q, found in enumerate(lengths_from(dfa, part, horizon)):
        most = int(part.most[q])
        assert found == set(range(int(part.least[q]), min(most, horizon) + 1))
        assert most <= horizon or most == UNBOUNDED


@given(st.sampled_from(COUNTED), TEXTS)
def test_counts_are_characters(pattern: str, text: str) -> None:
    """However it is spelled, a character counts once."""
    part = json_string_body(CharDfa.any_string(), escapes="all", counted=True)
    edges = edges_of(part)
    rng = Random(text)
    q, count = 0, 0
    for byte in spell(text, rng):
        q, counts = next((t, c) for low, high, t, c in edges[q] if low <= byte <= high)
        count += counts
    assert count == len(text)
    dfa = CharDfa.from_regex(pattern)
    counted = json_string_body(dfa, counted=True)
    assert accepts(counted, json.dumps(text, ensure_ascii=False).encode()[1:-1]) == dfa.accepts(text)


def test_gaps_are_refused_unless_one_bound_is_in_force() -> None:
    """Two bounds over lengths with gaps cannot be counted; one bound can, and its guard is the exact extreme."""
    dfa = CharDfa.from_regex("^(ab)*$")
    with pytest.raises(ValueError, match="with_length"):
        json_string_body(dfa, counted=True)
    part = json_string_body(dfa, counted=True, one_sided=True)
    assert part.least is not None
    assert part.least.tolist() == dfa.length_profile().least.tolist()
    assert dfa.counter_bounds(2, 5) is None
    assert dfa.counter_bounds(0, 5) == (0, 5)
    assert dfa.counter_bounds(3, None) == (3, None)

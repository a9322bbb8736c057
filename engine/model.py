"""A causal language model behind a key-value cache that takes several tokens a row, and rows of different lengths."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from ..automata.vocabulary import Vocabulary
from ..grammar.errors import InvalidSource

if TYPE_CHECKING:
    from .contract import Vocab

Model: TypeAlias = Any
"""A causal model of transformers; untyped, because transformers is not imported here."""

Tokenizer: TypeAlias = Any
"""A tokenizer of transformers, or anything that is called on a text and gives ``input_ids``."""

Chat: TypeAlias = Sequence[Mapping[str, Any]]
"""Messages, each with a ``role`` and a ``content``."""

Prompt: TypeAlias = str | Sequence[int] | Chat
"""A text, its token ids, or a chat."""

_vocabularies: WeakKeyDictionary[Any, Vocabulary] = WeakKeyDictionary()


class LanguageModel(NamedTuple):
    """A transformers causal model and its tokenizer; unpacks into the two."""

    model: Model
    tokenizer: Tokenizer

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], *, dtype: Any = "auto") -> LanguageModel:  # noqa: ANN401
        """Load what ``save_pretrained`` of a model and its tokenizer wrote; nothing is looked up on a network.

        Raises:
            InvalidSource: transformers or torch is not installed, or the folder holds no model that they can load.

        """
        try:
            from transformers import AutoModelForCausalLM, AutoTokenizer
        except ImportError as error:
            raise InvalidSource("models need transformers and torch", hint="pip install 'syntagma[hf]'") from error
        try:
            with quiet_loading():
                tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
                model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        except (OSError, ValueError) as error:
            why = str(error).strip().partition("\n")[0]
            raise InvalidSource(
                f"no model and tokenizer of transformers can be loaded: {why}", where=str(folder)
            ) from error
        return cls(model.eval(), tokenizer)

    @property
    def vocab(self) -> Vocabulary:
        """The model's vocabulary: one object per tokenizer, so that compiled tables are shared."""
        return vocabulary_of(self.model, self.tokenizer)


def model_and_tokenizer(model: Model, tokenizer: Tokenizer) -> tuple[Model, Tokenizer]:
    """The two parts of a ``LanguageModel``, or the two as they are; a given tokenizer goes first."""
    if isinstance(model, LanguageModel):
        return model.model, tokenizer or model.tokenizer
    return model, tokenizer


def vocabulary_of(model: Model, tokenizer: Tokenizer) -> Vocabulary:
    """The vocabulary of a model: exact token bytes, the logits' width, every id that the model ends a text with."""
    known = _vocabularies.get(tokenizer)
    width = logits_width(model)
    if known is None or known.size != width:
        ends = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
        ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        own = getattr(tokenizer, "eos_token_id", None)
        if isinstance(own, int) and own not in ends:
            ends.append(own)
        known = Vocabulary.from_tokenizer(tokenizer, width=width, eos_ids=[e for e in ends if e < width] or None)
        _vocabularies[tokenizer] = known
    return known


def logits_width(model: Model) -> int:
    """Number of logits per position."""
    head = model.get_output_embeddings()
    return int(model.config.get_text_config().vocab_size if head is None else head.weight.shape[0])


def context_limit(model: Model) -> int | None:
    """Positions that the model was made for, prompt and answer together; ``None`` if it does not say."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(limit) if isinstance(limit, int) and limit > 0 else None


def check_width(model: Model, vocab: Vocab) -> None:
    """Refuse a vocabulary with texts that the model cannot emit: completions might rest on them.

    Raises:
        InvalidSource: the vocabulary is not the model's.

    """
    width = logits_width(model)
    beyond = next((i for i, text in enumerate(vocab.tokens[width:], width) if text), None)
    if beyond is not None or min(vocab.eos_ids) >= width:
        token = min(vocab.eos_ids) if beyond is None else beyond
        raise InvalidSource(
            f"the vocabulary has token {token}, and the model only {width} logits",
            where="constraint",
            hint=f"compile with Vocabulary.from_tokenizer(tokenizer, width={width})",
        )


def is_encodable(text: str) -> bool:
    """Whether UTF-8 can hold a text: Python's strings may hold lone surrogates, tokenizers and files may not."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def prompt_ids(prompt: Prompt, tokenizer: Tokenizer) -> list[int]:
    """Token ids of a prompt: a text as it is, a chat through the tokenizer's template.

    Raises:
        InvalidSource: the prompt is empty, no prompt at all, holds half of a surrogate pair, or is text and there is no tokenizer for it.

    """
    if isinstance(prompt, (bytes, bytearray)) or not hasattr(prompt, "__len__"):
        raise InvalidSource(
            f"{type(prompt).__name__} is no prompt", where="prompts", hint="pass a text, a chat, or token ids"
        )
    if isinstance(prompt, str) or (len(prompt) and isinstance(prompt[0], Mapping)):
        for message in (prompt,) if isinstance(prompt, str) else prompt:
            text = message.get("content") if isinstance(message, Mapping) else message
            if isinstance(text, str) and not is_encodable(text):
                raise InvalidSource("the prompt holds half of a surrogate pair, which is no text", where="prompts")
        if not callable(tokenizer):
            raise InvalidSource(
                "a text prompt needs the model's tokenizer",
                where="prompts",
                hint="pass tokenizer=..., or the prompt as token ids",
            )
        if isinstance(prompt, str):
            ids = tokenizer(prompt)["input_ids"]
        else:
            ids = tokenizer.apply_chat_template(
                list(prompt), add_generation_prompt=True, tokenize=True, return_dict=True
            )
            ids = ids["input_ids"]
    else:
        ids = prompt
    try:
        row = [int(i) for i in ids]
    except (TypeError, ValueError) as error:
        raise InvalidSource(
            "a prompt's token ids are no row of whole numbers",
            where="prompts",
            hint="give one row, without a batch dimension",
        ) from error
    if not row:
        raise InvalidSource("a prompt has to hold at least one token", where="prompts")
    return row


@contextmanager
def quiet_loading() -> Iterator[None]:
    """No progress bars and no notes from transformers while it loads a model; errors pass."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"transformers|gguf|torch")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@cache
def _parameters(forward: Callable[..., object]) -> frozenset[str]:
    return frozenset(inspect.signature(forward).parameters)


class CachedRows:
    """Rows of tokens and the model's cache over them.

    Rows may take different numbers of tokens in one call.  Each call's chunk is padded on the left,
    and the padding stays in the cache as holes that the attention mask hides; every row keeps its
    own positions.  This is exact for attention over the whole past.  Where it is not (sliding
    windows count holes, recurrent layers swallow them, relative positions taken from the cache's
    own order) ``holes_allowed`` is false, and the caller runs one row at a time, which leaves none.
    """

    def __init__(self, model: Model, n_rows: int) -> None:
        import torch
        from transformers import DynamicCache

        self._torch = torch
        self._model = model
        self._cache = DynamicCache(config=model.config)
        self._seen = np.zeros((n_rows, 0), np.int64)
        self._positions = np.zeros(n_rows, np.int64)
        self._options = _parameters(type(model).forward)

    @property
    def holes_allowed(self) -> bool:
        """Whether rows of different lengths may share this cache."""
        from transformers.cache_utils import DynamicLayer

        return "position_ids" in self._options and all(type(layer) is DynamicLayer for layer in self._cache.layers)

    def forward(self, chunks: Sequence[Sequence[int]]) -> npt.NDArray[np.floating[Any]]:
        """Feed each row its tokens (at least one); float array [rows, V], the logits after the last one."""
        torch = self._torch
        width = max(map(len, chunks))
        ids = np.zeros((len(chunks), width), np.int64)
        seen = np.zeros((len(chunks), width), np.int64)
        positions = np.zeros((len(chunks), width), np.int64)
        for i, chunk in enumerate(chunks):
            n = len(chunk)
            ids[i, width - n :] = chunk
            seen[i, width - n :] = 1
            positions[i, width - n :] = np.arange(self._positions[i], self._positions[i] + n)
            self._positions[i] += n
        self._seen = np.concatenate([self._seen, seen], axis=1)
        device = self._model.get_input_embeddings().weight.device
        inputs = {
            "input_ids": torch.from_numpy(ids).to(device),
            "attention_mask": torch.from_numpy(self._seen).to(device),
            "past_key_values": self._cache,
            "use_cache": True,
        }
        if "position_ids" in self._options:
            inputs["position_ids"] = torch.from_numpy(positions).to(device)
        if "logits_to_keep" in self._options:
            inputs["logits_to_keep"] = 1  # the padding is on the left: every row's last token is in the last column
        with torch.inference_mode():
            logits = self._model(**inputs).logits[:, -1]
            if logits.element_size() < 4:  # NumPy has no bfloat16
                logits = logits.float()
            rows: npt.NDArray[np.floating[Any]] = logits.cpu().numpy()
        return rows

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but these."""
        index = np.asarray(rows, np.int64)
        self._cache.batch_select_indices(self._torch.from_numpy(index).to(self._model.device))
        self._seen = self._seen[index]
        self._positions = self._positions[index]

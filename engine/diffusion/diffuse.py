"""``diffuse``: denoise a canvas so that the constraint accepts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ...automata.lattice import HOLE
from ...grammar.errors import InvalidSource
from ..model import Prompt, Tokenizer, prompt_ids
from .canvas import Canvas
from .loop import Decoder, check_schedule
from .model import Denoiser, as_denoiser
from .policies import FreeDave, Threshold
from .policies.adablock import AdaBlock
from .speculation import draft_and_verify

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from .policies import UnmaskPolicy
    from .result import Denoising


def diffuse(  # noqa: PLR0913 - the options by name
    model: Denoiser | Any,  # noqa: ANN401 - a model of transformers' remote code has no type here
    prompt: Prompt,
    constraint: Constraint,
    *,
    length: int | None = None,
    canvas: Sequence[Slot] | None = None,
    policy: UnmaskPolicy | None = None,
    block: int | AdaBlock | None = None,
    beyond: Literal["holes", "gap"] = "holes",
    steps: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    tokenizer: Tokenizer = None,
) -> Denoising:
    """Fill a canvas with a denoising model; the constraint accepts the result, whatever the model says.

    Args:
        model: a ``Denoiser`` (``MaskedModel``, ``llada``, ``dream``), or a LLaDA or Dream model, known by its configuration.
        prompt: what stands before the canvas: a text, a chat, or token ids, possibly none.  The constraint does not read it.
        constraint: what the canvas has to satisfy, as a text that may end before the last slot.
        length: a canvas of so many open slots.
        canvas: instead of ``length``, the slots themselves: token ids, ``HOLE`` and ``Hole(allowed=ids)``.
        policy: which slots are revealed when; ``Threshold()`` if not given.
        block: decode blocks of so many slots one after the other (semi-autoregressively), or ``AdaBlock()``; ``None`` for one block.
        beyond: what lies right of the active block.  ``"holes"``: open slots that the model sees and the constraint counts.  ``"gap"``: any number of tokens up to
            as many slots, none of which the model sees, for models that attend to the present block and what lies before it.
        steps: passes of the model that a schedule plans for; as many as slots are open if not given.  Policies with a threshold need no plan.
        temperature: 0 proposes the most likely token of each slot, above it a token is drawn.
        seed: of the draws.
        tokenizer: for prompts that are text; by default the one that the constraint's vocabulary came from.

    Raises:
        InvalidSource: an option is wrong, or the model's ids are not the vocabulary's.
        Unsatisfiable: no filling of the canvas satisfies the constraint; before the model is asked.
        Unsupported: ``beyond="gap"`` with fixed tokens to the right of a block.

    """
    denoiser = as_denoiser(model)
    check_schedule(temperature=temperature, steps=steps, block=block)
    rule: UnmaskPolicy = Threshold() if policy is None else policy
    if isinstance(rule, FreeDave) and temperature > 0:
        raise InvalidSource(
            "drafts are verified against the most likely tokens; at a temperature there is nothing to compare with",
            where="temperature",
            hint="use temperature=0 with FreeDave",
        )
    if beyond not in {"holes", "gap"}:
        raise InvalidSource(f"beyond is 'holes' or 'gap', not {beyond!r}", where="beyond")
    if beyond == "gap" and isinstance(block, AdaBlock):
        raise InvalidSource(
            "AdaBlock finds the end of a block beyond it, where with beyond='gap' the model sees nothing",
            where="block",
            hint="use a block of fixed length, or beyond='holes'",
        )
    if seed < 0:
        raise InvalidSource(f"seed {seed} is negative", where="seed")
    tail_id = _tail(denoiser, constraint)
    tokenizer = tokenizer or getattr(constraint.vocab, "tokenizer", None)
    ids = prompt_ids(prompt, tokenizer) if len(prompt) else []
    row = Canvas(constraint, _slots(length, canvas), mask_id=denoiser.mask_id, tail_id=tail_id)
    decoder = Decoder(
        denoiser,
        np.array(ids, np.int64),
        rule,
        block=block,
        beyond=beyond,
        steps=steps,
        temperature=temperature,
        seed=seed,
    )
    track = None
    try:
        track = decoder.start(row)
        track = draft_and_verify(decoder, track, rule.drafts) if isinstance(rule, FreeDave) else decoder.run(track)
        return decoder.finish(track)
    finally:
        row.close()
        if track is not None:
            track.canvas.close()


def _slots(length: int | None, canvas: Sequence[Slot] | None) -> list[Slot]:
    if (length is None) == (canvas is None):
        raise InvalidSource("give either the length of an empty canvas or the canvas itself", where="canvas")
    if canvas is not None:
        return list(canvas)
    if length is None or length < 1:
        raise InvalidSource(f"a canvas of {length} slots holds nothing", where="length")
    return [HOLE] * length


def _tail(model: Denoiser, constraint: Constraint) -> int:
    vocab = constraint.vocab
    if 0 <= model.mask_id < vocab.size and vocab.tokens[model.mask_id] is not None:
        raise InvalidSource(
            f"token {model.mask_id} is the model's mask, and text in the constraint's vocabulary",
            where="model",
            hint="use the vocabulary of the model's own tokenizer, or the right mask_id",
        )
    if model.tail_id is None:
        return vocab.eos_ids[0]
    if model.tail_id not in vocab.eos_ids:
        raise InvalidSource(
            f"the model fills a canvas up with token {model.tail_id}, which ends no text in the constraint's vocabulary",
            where="model",
            hint=f"compile with a vocabulary whose eos_ids hold {model.tail_id} as well as the other ids that end a text",
        )
    return model.tail_id

"""``diffuse`` and ``diffuse_many``: denoise canvases so that the constraint accepts them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import islice, repeat
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ...automata.lattice import HOLE
from ...grammar.errors import InvalidSource, Unsatisfiable
from ..model import Prompt, Tokenizer, prompt_ids
from .checked import canvas_of, compiled
from .loop import Decoder, check_schedule, is_whole
from .model import Denoiser, as_denoiser
from .passes import side_by_side
from .policies import FreeDave, Threshold
from .policies.adablock import AdaBlock
from .policies.policy import check_policy
from .speculation import draft_and_verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...automata.constraint import Constraint
    from ...automata.lattice import Slot
    from ..residuals import Checked, Residual
    from .canvas import Canvas
    from .loop import Track
    from .passes import Decoding
    from .policies import UnmaskPolicy
    from .result import Denoising, Frame


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
    check: Residual | None = None,
    on_step: Callable[[Frame], object] | None = None,
) -> Denoising:
    """Fill a canvas with a denoising model; the constraint accepts the result, whatever the model says.

    Args:
        model: a ``Denoiser`` (``MaskedModel``, ``llada``, ``dream``), or a LLaDA or Dream model, known by its configuration.
        prompt: what stands before the canvas: a text, a chat, or token ids, possibly none.  The constraint does not read it.
        constraint: what the canvas has to satisfy, as a text that may end before the last slot.
        length: a canvas of so many open slots.
        canvas: instead of ``length``, the slots themselves: token ids, ``HOLE`` (or the model's mask id) and ``Hole(allowed=ids)``.
        policy: which slots are revealed when; ``Threshold()`` if not given.
        block: decode blocks of so many slots one after the other (semi-autoregressively), or ``AdaBlock()``; ``None`` for one block.
        beyond: what lies right of the active block.  ``"holes"``: open slots that the model sees and the constraint counts.  ``"gap"``: any number of tokens up to
            as many slots, none of which the model sees, for models that attend to the present block and what lies before it.
        steps: passes of the model that a schedule plans for; as many as slots are open if not given.  Policies with a threshold need no plan.
        temperature: 0 proposes the most likely token of each slot, above it a token is drawn.
        seed: of the draws.
        tokenizer: for prompts that are text; by default the one that the constraint's vocabulary came from.
        check: a rule that no grammar has, such as ``residuals.JsonPredicate``, which the text passes as well; ``sg.Checked(constraint, check)`` as the constraint
            is the same.  Proposals are committed only where a completion is held that the check has passed.
        on_step: is called with each frame of ``history`` as soon as it is made, the start included: to show the canvas while it fills.  What it raises ends the decoding.

    Raises:
        InvalidSource: an option is wrong, or the model's ids are not the vocabulary's.
        Unsatisfiable: no filling of the canvas satisfies the constraint; before the model is asked.
        LimitExceeded: none of ``checked.MOST_FILLINGS`` fillings passed the check.
        Unsupported: ``beyond="gap"`` with fixed tokens to the right of a block.

    """
    options = _Options(policy, block, beyond, steps, temperature, tokenizer, check)
    return _decode(model, [_Job(prompt, constraint, _slots(length, canvas), seed, on_step)], options)[0]


def diffuse_many(  # noqa: PLR0913 - the options by name
    model: Denoiser | Any,  # noqa: ANN401 - as in diffuse
    prompts: Iterable[Prompt],
    constraint: Constraint | Iterable[Constraint],
    *,
    length: int | None = None,
    canvases: Iterable[Sequence[Slot]] | None = None,
    policy: UnmaskPolicy | None = None,
    block: int | AdaBlock | None = None,
    beyond: Literal["holes", "gap"] = "holes",
    steps: int | None = None,
    temperature: float = 0.0,
    seed: int = 0,
    tokenizer: Tokenizer = None,
    check: Residual | None = None,
    on_step: Callable[[int, Frame], object] | None = None,
    batch_size: int = 8,
) -> Iterator[Denoising]:
    """Fill canvases side by side: ``batch_size`` at a time, those of equal length (prompt included) in one pass of the model.

    Each result is that of ``diffuse`` with the same prompt, canvas and constraint, and the seed ``seed`` plus its place.  ``n_forward`` counts the passes that a canvas took part in, and the
    time of a pass is shared out among the canvases that it read.  Arguments and errors are those of ``diffuse``, and:

    Args:
        model: as in ``diffuse``.
        prompts: one a canvas.
        constraint: one for all, or one a canvas.
        length: a canvas of so many open slots for each prompt.
        canvases: instead of ``length``, the slots of each canvas.
        policy: as in ``diffuse``.
        block: as in ``diffuse``.
        beyond: as in ``diffuse``.
        steps: as in ``diffuse``.
        temperature: as in ``diffuse``.
        seed: of the first canvas' draws.
        tokenizer: as in ``diffuse``.
        check: as in ``diffuse``; the constraints may be ``sg.Checked``, each with a check of its own.
        on_step: as in ``diffuse``, and is given the place of the prompt before the frame.
        batch_size: how many canvases are decoded side by side.

    Returns:
        One result a prompt, in order, decoded as they are asked for.

    Raises:
        InvalidSource: there are fewer canvases or constraints than prompts.

    """
    if not is_whole(batch_size, 1):
        raise InvalidSource(f"batch_size {batch_size!r} decodes nothing", where="batch_size")
    if length is not None or canvases is None:
        _slots(length, None if canvases is None else ())
    options = _Options(policy, block, beyond, steps, temperature, tokenizer, check)
    _checked_policy(options)

    def jobs() -> Iterator[_Job]:
        own = iter(constraint) if isinstance(constraint, Iterable) else repeat(constraint)
        rows = repeat(None) if canvases is None else iter(canvases)
        for number, prompt in enumerate(prompts):
            each, canvas = next(own, None), next(rows, ())
            if each is None or canvas == ():
                what = "constraint" if each is None else "canvas"
                raise InvalidSource(f"prompt {number} has no {what}", hint="give as many as there are prompts")
            tell = None if on_step is None else partial(on_step, number)
            yield _Job(prompt, each, _slots(length, canvas), seed + number, tell, f"prompt {number}")

    return _in_batches(model, jobs(), options, batch_size)


def _in_batches(
    model: Any,  # noqa: ANN401 - as in diffuse
    jobs: Iterator[_Job],
    options: _Options,
    batch_size: int,
) -> Iterator[Denoising]:
    while chunk := list(islice(jobs, batch_size)):
        yield from _decode(model, chunk, options)


class _Options(NamedTuple):
    """What decodings side by side have in common; see ``diffuse``."""

    policy: UnmaskPolicy | None
    block: int | AdaBlock | None
    beyond: Literal["holes", "gap"]
    steps: int | None
    temperature: float
    tokenizer: Tokenizer
    check: Residual | None


class _Job(NamedTuple):
    """One canvas to decode; see ``diffuse``."""

    prompt: Prompt
    constraint: Constraint | Checked
    slots: list[Slot]
    seed: int
    on_step: Callable[[Frame], object] | None
    name: str | None = None


def _decode(
    model: Any,  # noqa: ANN401 - as in diffuse
    jobs: Sequence[_Job],
    options: _Options,
) -> list[Denoising]:
    """Decode canvases side by side."""
    denoiser = as_denoiser(model)
    rule = _checked_policy(options)
    for job in jobs:
        check_schedule(temperature=options.temperature, steps=options.steps, block=options.block, seed=job.seed)
        compiled(job.constraint)
    canvases: list[Canvas] = []
    decodings: list[tuple[Decoder, Decoding]] = []
    tracks: list[Track] = []
    try:
        for job in jobs:
            tail_id = _tail(denoiser, job.constraint)
            tokenizer = options.tokenizer or getattr(job.constraint.vocab, "tokenizer", None)
            ids = prompt_ids(job.prompt, tokenizer) if job.prompt is not None and len(job.prompt) else []
            canvases.append(_canvas(job, options.check, mask_id=denoiser.mask_id, tail_id=tail_id))
            decoder = Decoder(
                np.array(ids, np.int64),
                rule,
                block=options.block,
                beyond=options.beyond,
                steps=options.steps,
                temperature=options.temperature,
                seed=job.seed,
                on_step=job.on_step,
            )
            track = decoder.start(canvases[-1])
            drafts = rule.drafts if isinstance(rule, FreeDave) else 0
            decodings.append((decoder, draft_and_verify(decoder, track, drafts) if drafts else decoder.run(track)))
        tracks = side_by_side(denoiser, decodings)
        return [decoder.finish(track) for (decoder, _), track in zip(decodings, tracks, strict=True)]
    finally:
        for canvas in (*canvases, *(track.canvas for track in tracks)):
            canvas.close()


def _canvas(job: _Job, check: Residual | None, *, mask_id: int, tail_id: int) -> Canvas:
    try:
        return canvas_of(job.constraint, job.slots, check, mask_id=mask_id, tail_id=tail_id)
    except Unsatisfiable as error:
        raise Unsatisfiable(error.message, where=job.name, hint=error.hint) from None


def _checked_policy(options: _Options) -> UnmaskPolicy:
    rule: UnmaskPolicy = Threshold() if options.policy is None else options.policy
    check_policy(rule, "policy")
    if isinstance(rule, FreeDave) and options.temperature > 0:
        raise InvalidSource(
            "drafts are verified against the most likely tokens; at a temperature there is nothing to compare with",
            where="temperature",
            hint="use temperature=0 with FreeDave",
        )
    if options.beyond not in {"holes", "gap"}:
        raise InvalidSource(f"beyond is 'holes' or 'gap', not {options.beyond!r}", where="beyond")
    if options.beyond == "gap" and isinstance(options.block, AdaBlock):
        raise InvalidSource(
            "AdaBlock finds the end of a block beyond it, where with beyond='gap' the model sees nothing",
            where="block",
            hint="use a block of fixed length, or beyond='holes'",
        )
    return rule


def _slots(length: int | None, canvas: Sequence[Slot] | None) -> list[Slot]:
    if (length is None) == (canvas is None):
        raise InvalidSource("give either the length of an empty canvas or the canvas itself", where="canvas")
    if canvas is not None:
        return list(canvas)
    if not is_whole(length, 1):
        raise InvalidSource(
            f"a canvas of {length!r} slots holds nothing", where="length", hint="give a whole number from 1 up"
        )
    return [HOLE] * int(length or 0)


def _tail(model: Denoiser, constraint: Constraint | Checked) -> int:
    vocab = constraint.vocab
    if not is_whole(model.mask_id, 0):
        raise InvalidSource(f"{model.mask_id!r} is no token id for the mask", where="model", hint="say mask_id=...")
    if model.mask_id in {*vocab.eos_ids, *vocab.pad_ids}:
        raise InvalidSource(
            f"token {model.mask_id} is the model's mask, and ends or pads texts in the constraint's vocabulary",
            where="model",
            hint="say the right mask_id, or leave it out of the vocabulary's eos_ids and pad_ids",
        )
    if model.mask_id < vocab.size and vocab.tokens[model.mask_id] is not None:
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

"""Which of several proposals go together, where that is asked of an engine: those that are possible at all, and of these one after another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .canvas import CanvasEngine

Bonus = dict[int, dict[int, float]]
"""What proposals are worth: step -> token -> weight."""


def one_each(bonus: Bonus) -> dict[int, int] | None:
    """The proposals as step -> token, None if a step has several."""
    if any(len(of) > 1 for of in bonus.values()):
        return None
    return {i: token for i, of in bonus.items() for token in of}


def possible(engine: CanvasEngine, bonus: Bonus) -> Bonus:
    """The proposals that are possible by themselves; the others are in no subset, and what is left often goes together."""
    masks, class_of = engine.class_masks(), engine.machine.class_of
    found: Bonus = {}
    for i, of in bonus.items():
        for token, weight in of.items():
            c = int(class_of[token])
            if engine.steps[i].token == token or int(masks[i, c >> 6]) >> (c & 63) & 1:
                found.setdefault(i, {})[token] = weight
    return found


def in_turn(
    bonus: Bonus, fits: Callable[[Mapping[int, int]], bool], *, refuted: bool = False
) -> tuple[dict[int, int], bool]:
    """Compatible proposals: the heaviest of each step, and of those the heaviest first; and whether no others can be worth more.

    Of equal weight those on the right come first: what an engine knows of the slots behind the last change stays from one question to the next.

    Args:
        bonus: the proposals.
        fits: whether the canvas can be filled with these tokens, step -> token.
        refuted: whether it is known that it cannot with all of them, which are one for each step.

    """
    best = {i: max(of, key=of.__getitem__) for i, of in bonus.items()}
    weights = {i: bonus[i][token] for i, token in best.items()}
    order = sorted(best, key=lambda i: (-weights[i], -i))
    chosen = greedy(order, lambda part: fits({i: best[i] for i in part}), refuted=refuted)
    lost = best.keys() - chosen
    none_better = not lost or (refuted and len(lost) == 1 and weights[min(lost)] == min(weights.values()))
    return {i: best[i] for i in chosen}, none_better


def greedy(order: Sequence[int], compatible: Callable[[list[int]], bool], *, refuted: bool = False) -> list[int]:
    """The proposals that are kept if each is taken in turn unless it spoils what was taken before.

    Halves the list rather than asking for one at a time: what goes together as a whole goes together in parts, so a half that fits
    needs one question, and k proposals of which a few do not fit need about log(k) questions for each of these.  Where a list does not fit and its first
    half does, the second half need not be asked.

    Args:
        order: the proposals, the most wanted first.
        compatible: whether some filling has all of these.
        refuted: whether it is known that not all of them go together.

    """
    kept: list[int] = []
    todo = [(list(order), refuted)]
    while todo:
        part, fails = todo.pop()
        if not part:
            continue
        if not fails and compatible(kept + part):
            kept += part
        elif len(part) > 1:
            first, second = part[: len(part) // 2], part[len(part) // 2 :]
            if compatible(kept + first):
                kept += first
                todo.append((second, True))
            else:
                todo += [(second, False), (first, True)]
    return kept

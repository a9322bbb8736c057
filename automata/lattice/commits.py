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


def heaviest_first(bonus: Bonus, fits: Callable[[Mapping[int, int]], bool]) -> dict[int, int]:
    """Compatible proposals, the heaviest first; where the heaviest of a step does not fit, its next one has its turn."""
    pairs = sorted(((i, token) for i, of in bonus.items() for token in of), key=lambda pair: -bonus[pair[0]][pair[1]])

    def compatible(part: list[int]) -> bool:
        chosen = dict(pairs[k] for k in part)
        return len(chosen) == len(part) and fits(chosen)

    return dict(pairs[k] for k in greedy(range(len(pairs)), compatible))


def in_turn(
    bonus: Bonus,
    fits: Callable[[Mapping[int, int]], bool],
    left: Callable[[Bonus], Bonus] | None = None,
    *,
    refuted: bool = False,
) -> tuple[dict[int, int], bool]:
    """Compatible proposals: the heaviest of each step, and of those the heaviest first; and whether no others can be worth more.

    Args:
        bonus: the proposals.
        fits: whether the canvas can be filled with these tokens, step -> token.
        left: which of some proposals are possible by themselves beside the tokens that ``fits`` said yes to last; None if that cannot be told cheaply.
        refuted: whether it is known that the canvas cannot be filled with all of them, which are one for each step.

    """
    best = {i: max(of, key=of.__getitem__) for i, of in bonus.items()}
    weights = {i: bonus[i][token] for i, token in best.items()}
    order = sorted(best, key=lambda i: -weights[i])

    def compatible(part: list[int]) -> bool:
        return fits({i: best[i] for i in part})

    def still(part: list[int]) -> list[int]:
        found = part if left is None else left({i: {best[i]: weights[i]} for i in part})
        return [i for i in part if i in found]

    chosen = greedy(order, compatible, still, refuted=refuted)
    lost = best.keys() - chosen
    none_better = not lost or (refuted and len(lost) == 1 and weights[min(lost)] == min(weights.values()))
    return {i: best[i] for i in chosen}, none_better


def greedy(
    order: Sequence[int],
    compatible: Callable[[list[int]], bool],
    still: Callable[[list[int]], list[int]] = list,
    *,
    refuted: bool = False,
) -> list[int]:
    """The proposals that are kept if each is taken in turn unless it spoils what was taken before.

    Halves the list rather than asking for one at a time: what goes together as a whole goes together in parts, so a half that fits
    needs one question, and k proposals of which a few do not fit need about log(k) questions for each of these.  Where a list does not fit and its first
    half does, the second half need not be asked.  Whenever twice as many are kept as before, those that do not go with them are struck out together: most of
    what spoils a list goes with little else in it.

    Args:
        order: the proposals, the most wanted first.
        compatible: whether some filling has all of these.
        still: which of these go, one at a time, with those that ``compatible`` said yes to last.
        refuted: whether it is known that not all of them go together.

    """
    kept: list[int] = []
    todo = [(list(order), refuted)]
    struck_at = 0
    while todo:
        part, fails = todo.pop()
        if not part:
            continue
        if not fails and compatible(kept + part):
            kept += part
        elif len(part) > 1:
            first, second = part[: len(part) // 2], part[len(part) // 2 :]
            if not compatible(kept + first):
                todo += [(second, False), (first, True)]
                continue
            kept += first
            todo.append((second, True))
            if len(kept) >= 2 * struck_at:
                struck_at = len(kept)
                rest = [i for some, _ in reversed(todo) for i in some]
                left = still(rest)
                if len(left) < len(rest):
                    todo = [(left, False)]
    return kept

"""The protocol of policies, what they answer, and the pieces that they share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ....grammar.errors import InvalidSource

if TYPE_CHECKING:
    from ..beliefs import Beliefs, Flags, Reals
    from ..model import Ids


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do in this step.

    Attributes:
        reveal: bool[k], the slots to reveal; slots outside the block, and none at all, are not for the policy to ask: the loop
            then reveals the most confident slot of the block, so that every pass of the model decides something.
        fill: fill everything that is open with the jointly most probable tokens, which ends the decoding.
        end: a slot where the text is to end now, so that what lies right of it is tail; ``None`` for no such wish.
        edits: int64[e], decided slots of the block whose token is to be replaced by the model's proposal.
        remask: int64[r], decided slots of the block to open again.

    """

    reveal: Flags
    fill: bool = False
    end: int | None = None
    edits: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    remask: Ids = field(default_factory=lambda: np.zeros(0, np.int64))


class UnmaskPolicy(Protocol):
    """What decides which slots are revealed."""

    def decide(self, beliefs: Beliefs, /) -> Decision:
        """Pick among the open slots; there is at least one, unless the policy has ``post_steps``."""
        ...


class Defaults:
    """What a policy asks of the loop beyond the beliefs about its block's open slots: nothing, unless it says so.

    Attributes:
        looks_beyond: beliefs are of all open slots, not of the block's alone.
        reads_decided: beliefs have ``decided``.
        post_steps: how many more passes may edit a canvas without open slots.
        changes_decided: it edits or remasks.

    """

    looks_beyond: bool = False
    reads_decided: bool = False
    post_steps: int = 0
    changes_decided: bool = False


def asks(policy: object, name: str) -> int:
    """What a policy, or one that it goes by, asks of the loop under a name of ``Defaults``."""
    own = int(getattr(policy, name, 0))
    base = getattr(policy, "base", None)
    return own if base is None else max(own, asks(base, name))


def check_policy(policy: object, where: str) -> None:
    """Refuse what cannot decide, and a base that is a loop rather than a rule.

    Raises:
        InvalidSource: it is one of these.

    """
    if isinstance(policy, type) or not callable(getattr(policy, "decide", None)):
        raise InvalidSource(
            f"{policy!r} is no policy", where=where, hint="give an object with decide(beliefs), such as Threshold()"
        )
    if where == "base" and hasattr(policy, "drafts"):
        raise InvalidSource("drafts are the outermost policy", where=where, hint="write FreeDave(base=...)")


def checked_decision(decision: Decision, beliefs: Beliefs) -> Decision:
    """What a policy answered, if it is an answer.

    Raises:
        InvalidSource: it is none, or speaks of other slots than it was asked about.

    """
    if not isinstance(decision, Decision):
        raise InvalidSource(f"the policy decided {type(decision).__name__}, no Decision", where="policy")
    reveal = np.asarray(decision.reveal)
    if reveal.dtype != np.bool_ or reveal.shape != (len(beliefs),):
        raise InvalidSource(
            f"the policy's reveal is {reveal.dtype}{list(reveal.shape)}, and {len(beliefs)} slots were shown to it",
            where="policy",
            hint="give one bool for each open slot of the beliefs",
        )
    if decision.end is not None and decision.end not in beliefs.slots[beliefs.ends]:
        raise InvalidSource(
            f"the policy ends the text in slot {decision.end}, where no end is proposed",
            where="policy",
            hint="choose among beliefs.slots[beliefs.ends]",
        )
    return decision


def highest(values: Reals, count: int, among: Flags) -> Flags:
    """bool[k]: the ``count`` greatest values among some slots, the leftmost first among equals."""
    order = np.argsort(-np.where(among, values, -np.inf), kind="stable")
    flags = np.zeros(len(values), np.bool_)
    flags[order[: min(count, int(among.sum()))]] = True
    return flags


def check_share(name: str, value: float) -> None:
    """Refuse what is no probability.

    Raises:
        InvalidSource: it is not between 0 and 1.

    """
    if not 0 <= value <= 1:
        raise InvalidSource(f"{name} {value} is not between 0 and 1", where=name)


def check_count(name: str, value: int, least: int = 1) -> None:
    """Refuse what counts nothing.

    Raises:
        InvalidSource: it is below ``least``.

    """
    if value < least:
        raise InvalidSource(f"{name} {value} is below {least}", where=name)

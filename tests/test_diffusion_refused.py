"""What denoising refuses: options, prompts, policies, models and canvases that make no sense, each by its name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from denoising_doubles import END, MASK, RandomModel, model, vocabulary

import syntagma as sg
from syntagma import diffusion as d

pytestmark = pytest.mark.kernel

SOURCES: dict[str, Any] = {
    "choices": ["ab", "abba", "baba", "x"],
    "regex": sg.Regex("(ab|ba)*x?"),
    "array": sg.JsonSchema(
        {"type": "array", "items": {"enum": [1, 2, True]}, "minItems": 1, "maxItems": 3}, whitespace="compact"
    ),
}


def constraint(name: str) -> sg.Constraint:
    return sg.compile(SOURCES[name], vocabulary())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "either the length"),
        ({"length": 3, "canvas": [sg.HOLE]}, "either the length"),
        ({"length": 0}, "holds nothing"),
        ({"canvas": [sg.Gap(0, 3)]}, "no fixed number of slots"),
        ({"canvas": [sg.HOLE, 10**6]}, "slot 1"),
        ({"length": 4, "temperature": -1.0}, "temperature"),
        ({"length": 4, "steps": 0}, "steps"),
        ({"length": 4, "block": 0}, "block"),
        ({"length": 4, "seed": -1}, "seed"),
        ({"length": 4, "beyond": "sea"}, "beyond"),
        ({"length": 4, "beyond": "gap", "block": d.AdaBlock()}, "AdaBlock"),
        ({"length": 4, "policy": d.FreeDave(), "temperature": 0.5}, "drafts"),
        ({"length": 4.0}, "length"),
        ({"canvas": "ab"}, "slot 0"),
        ({"length": 4, "temperature": "warm"}, "temperature"),
        ({"length": 4, "temperature": float("nan")}, "temperature"),
        ({"length": 4, "steps": 2.5}, "steps"),
        ({"length": 4, "block": np.int64(0)}, "block"),
        ({"length": 4, "block": True}, "block"),
        ({"length": 4, "block": "2"}, "block"),
        ({"length": 4, "seed": None}, "seed"),
        ({"length": 4, "policy": "threshold"}, "is no policy"),
        ({"length": 4, "policy": d.Threshold}, "is no policy"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    """Before the model is asked, with the name of the option."""
    double = RandomModel()
    with pytest.raises(sg.InvalidSource, match=message):
        d.diffuse(d.MaskedModel(double, MASK, END), [3], constraint("choices"), **options)
    assert not double.calls


def test_prompts_and_sources_of_another_kind_are_refused() -> None:
    """A source that is not compiled, and rows with a batch dimension, are refused with what to do; no prompt at all is no error."""
    with pytest.raises(sg.InvalidSource, match=r"compile"):
        d.diffuse(model(), [3], SOURCES["regex"], length=4)
    with pytest.raises(sg.InvalidSource, match="without a batch dimension"):
        d.diffuse(model(), np.array([[3, 4]]), constraint("regex"), length=4)  # type: ignore[arg-type]
    none = d.diffuse(model(), None, constraint("regex"), length=4)  # type: ignore[arg-type]
    assert none.ids.tolist() == d.diffuse(model(), [], constraint("regex"), length=4).ids.tolist()


def test_policies_that_contradict_each_other_are_refused() -> None:
    """Drafts cannot be taken back, and are no rule that another policy could go by."""
    with pytest.raises(sg.InvalidSource, match="JointThreshold changes decided slots"):
        d.FreeDave(2, d.JointThreshold())
    with pytest.raises(sg.InvalidSource, match="Prophet changes decided slots"):
        d.FreeDave(2, d.Prophet(d.ReMDM()))
    for wrapper in (d.Prophet, d.ReMDM):
        with pytest.raises(sg.InvalidSource, match="outermost"):
            wrapper(d.FreeDave())
        with pytest.raises(sg.InvalidSource, match="is no policy"):
            wrapper("threshold")  # type: ignore[arg-type]
    with pytest.raises(sg.InvalidSource, match="tuple of bytes"):
        d.AdaBlock(delimiters=b",")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("decide", "message"),
    [
        (lambda b: np.ones(len(b), np.bool_), "no Decision"),
        (lambda b: d.Decision(np.ones(len(b) + 1, np.bool_)), "one bool for each"),
        (lambda _: d.Decision(np.array([0])), "one bool for each"),
        (lambda b: d.Decision(np.ones(len(b), np.bool_), end=99), "no end is proposed"),
        (lambda b: d.Decision(np.ones(len(b), np.bool_), end=int(b.slots[~b.ends][0])), "no end is proposed"),
    ],
)
def test_what_is_no_decision_is_refused(decide: Any, message: str) -> None:
    """A policy of the caller's that answers something else is named, instead of being half understood."""

    class Own:
        def decide(self, beliefs: d.Beliefs) -> Any:
            return decide(beliefs)

    with pytest.raises(sg.InvalidSource, match=message):
        d.diffuse(model(), [3], constraint("array"), length=9, policy=Own())


def test_a_canvas_that_nothing_fills_is_refused() -> None:
    """Too few slots for any text: known before the first pass."""
    with pytest.raises(sg.SyntagmaError, match="no filling of these 2 slots"):
        d.diffuse(model(), [3], constraint("array"), length=2)


def test_a_gap_beyond_fixed_tokens_is_refused() -> None:
    """An open gap has no place for the caller's tokens."""
    with pytest.raises(sg.Unsupported, match="fixed tokens"):
        d.diffuse(model(), [3], constraint("choices"), canvas=[sg.HOLE] * 4 + [END], block=2, beyond="gap")


def test_models_that_do_not_fit_the_vocabulary_are_refused() -> None:
    """A mask that is text, a tail that ends nothing, logits of another shape, too few of them, NaN."""
    array = constraint("array")
    with pytest.raises(sg.InvalidSource, match="is the model's mask, and text"):
        d.diffuse(d.MaskedModel(RandomModel(), mask_id=0), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="ends no text"):
        d.diffuse(d.MaskedModel(RandomModel(), MASK, tail_id=1), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="logits of shape"):
        d.diffuse(d.MaskedModel(lambda _: np.zeros((1, 2, 3)), MASK), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="no token among the 2"):
        d.diffuse(d.MaskedModel(lambda ids: np.zeros((*ids.shape, 2)), MASK), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="NaN"):
        d.diffuse(d.MaskedModel(lambda ids: np.full((*ids.shape, 40), np.nan), MASK), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="does not say"):
        d.diffuse(object(), [3], array, length=9)
    with pytest.raises(sg.InvalidSource, match="ends or pads texts"):
        d.diffuse(d.MaskedModel(RandomModel(), mask_id=END), [3], array, length=9)
    for mask in (-1, None):
        with pytest.raises(sg.InvalidSource, match="no token id for the mask"):
            d.diffuse(d.MaskedModel(RandomModel(), mask_id=mask), [3], array, length=9)  # type: ignore[arg-type]
    with pytest.raises(sg.InvalidSource, match="made list of ids"):
        d.diffuse(d.MaskedModel(lambda ids: RandomModel()(ids).tolist(), MASK), [3], array, length=9)


def test_what_is_wrong_with_many_canvases() -> None:
    """No batch, too few canvases or constraints, and both a length and canvases."""
    one = constraint("choices")
    with pytest.raises(sg.InvalidSource, match="batch_size"):
        d.diffuse_many(model(), [[3]], one, length=5, batch_size=0)  # at once, not when the first result is asked for
    with pytest.raises(sg.InvalidSource, match="prompt 1 has no canvas"):
        list(d.diffuse_many(model(), [[3]] * 2, one, canvases=[[sg.HOLE] * 5]))
    with pytest.raises(sg.InvalidSource, match="prompt 1 has no constraint"):
        list(d.diffuse_many(model(), [[3]] * 2, [one], length=5))
    with pytest.raises(sg.InvalidSource, match="either the length"):
        list(d.diffuse_many(model(), [[3]], one, length=5, canvases=[[sg.HOLE] * 5]))

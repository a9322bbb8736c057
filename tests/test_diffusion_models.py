"""The conventions of LLaDA and Dream, on stand-ins: small torch modules with the forward signatures, output objects and samplers of those classes.

The published weights need a large device and remote code, so none of these is the real model; what is tested is that logits are read where each
family writes them, with the arguments that each takes.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from denoising_doubles import END, MASK, TOKENS, TURN, WIDTH, RandomModel, vocabulary

import syntagma as sg
from syntagma import diffusion as d
from syntagma.engine.residuals import JsonPredicate

torch = pytest.importorskip("torch", reason="torch is not installed")

VOCAB = vocabulary()
SCHEMA = sg.JsonSchema(
    {
        "type": "object",
        "properties": {"a": {"enum": [0, 12, True]}, "b": {"enum": ["x", "aa"]}},
        "required": ["a", "b"],
        "additionalProperties": False,
    },
    whitespace="compact",
)
CONSTRAINT = sg.compile(SCHEMA, VOCAB)
LENGTH = 20


class StandIn(torch.nn.Module):
    """What the stand-ins share: one weight, a configuration, and logits that are a function of the ids."""

    def __init__(self, kind: str, dtype: Any = torch.float32) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, dtype=dtype))
        self.config = SimpleNamespace(model_type=kind, mask_token_id=MASK, eos_token_id=END)
        self.double = RandomModel(3)

    def scores(self, ids: Any) -> Any:
        """The logits of each position at that position."""
        return torch.from_numpy(self.double(ids.numpy())).to(self.weight.dtype) * self.weight


class LladaStandIn(StandIn):
    """LLaDA's call: ``model(input_ids, attention_mask=None, ...)`` with ``.logits`` [B, L, V] where they belong."""

    def __init__(self, dtype: Any = torch.float32) -> None:
        super().__init__("llada", dtype)

    def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
        """As LLaDA's."""
        assert attention_mask is None
        return SimpleNamespace(logits=self.scores(input_ids))


class DreamStandIn(StandIn):
    """Dream's call: ``model(input_ids, attention_mask, position_ids)``; the logits of position i + 1 stand at i."""

    def __init__(self) -> None:
        super().__init__("Dream")

    def forward(self, input_ids: Any, attention_mask: Any = "full", position_ids: Any = None) -> Any:
        """As Dream's."""
        assert isinstance(attention_mask, str)
        assert attention_mask == "full"
        assert position_ids is None
        right = self.scores(input_ids)
        return SimpleNamespace(logits=torch.cat([right[:, 1:], torch.zeros_like(right[:, :1])], dim=1))

    def diffusion_generate(self, inputs: Any, **options: Any) -> Any:
        """The stand-in of Dream's sampler: shift, logits hook, a share of the masks in the order of confidence, tokens hook."""
        steps = options["steps"]
        look, put = options["generation_logits_hook_func"], options["generation_tokens_hook_func"]
        x = torch.nn.functional.pad(inputs, (0, options["max_new_tokens"]), value=MASK)
        times = torch.linspace(1, 1e-3, steps + 1)
        x = put(None, x, None)
        for i in range(steps):
            open_slots = x == MASK
            logits = self(x, "full", None).logits
            logits = torch.cat([logits[:, :1], logits[:, :-1]], dim=1)
            logits = look(i, x, logits)
            confidence, best = torch.softmax(logits, dim=-1).max(dim=-1)
            share = float(1 - times[i + 1] / times[i])
            count = int(open_slots.sum() / len(x) * share) if i < steps - 1 else int(open_slots.sum() / len(x))
            confidence = confidence.masked_fill(~open_slots, -torch.inf)
            for row in range(len(x)):
                chosen = torch.topk(confidence[row], count).indices
                chosen = chosen[open_slots[row, chosen]]
                x[row, chosen] = best[row, chosen]
            x = put(i, x, logits)
        return x


@pytest.mark.parametrize("policy", [d.LowConfidence(), d.Threshold(0.4), d.FreeDave(3), d.JointThreshold(0.5, 0.5, 2)])
def test_a_shifted_model_gives_the_same_canvas(policy: Any) -> None:
    """The same beliefs written in LLaDA's and in Dream's way are read as the same beliefs."""
    plain, shifted = (
        d.diffuse(model, [3, 4], CONSTRAINT, length=LENGTH, policy=policy, block=7)
        for model in (LladaStandIn(), DreamStandIn())
    )
    assert plain.ids.tolist() == shifted.ids.tolist()
    assert [f.ids.tolist() for f in plain.history] == [f.ids.tolist() for f in shifted.history]
    json.loads(plain.text)


def test_reading_a_shifted_model_unshifted_gives_another_canvas() -> None:
    """The test above can fail: the convention matters."""
    right = d.diffuse(DreamStandIn(), [3, 4], CONSTRAINT, length=LENGTH)
    wrong = d.diffuse(d.llada(DreamStandIn()), [3, 4], CONSTRAINT, length=LENGTH)
    assert right.ids.tolist() != wrong.ids.tolist()


def test_the_first_position_of_a_shifted_model_is_its_own() -> None:
    """With an empty prompt, the logits of position 0 are those that stand at 0, as Dream's sampler has it."""
    logits = np.arange(2 * 3 * 4, dtype=np.float64).reshape(2, 3, 4)
    scores = d.MaskedModel(lambda _: logits, mask_id=0, shift=True)(np.zeros((2, 3), np.int64))
    assert scores.rows(1, np.array([0, 1, 2])).tolist() == [logits[1, 0].tolist(), *logits[1, :2].tolist()]


def test_half_precision_is_read_as_single() -> None:
    """A model in bfloat16 decodes as well; NumPy has no such type."""
    result = d.diffuse(LladaStandIn(torch.bfloat16), [3], CONSTRAINT, length=LENGTH)
    assert CONSTRAINT.accepts(result.data)


def test_the_ids_of_the_published_models_are_the_defaults() -> None:
    """Without a configuration, the mask and the tail are those of the published weights."""
    bare = torch.nn.Linear(1, 1)
    assert (d.llada(bare).mask_id, d.llada(bare).tail_id, d.llada(bare).shift) == (126336, 126081, False)
    assert (d.dream(bare).mask_id, d.dream(bare).tail_id, d.dream(bare).shift) == (151666, 151643, True)
    assert d.llada(bare, mask_id=5).mask_id == 5


@pytest.mark.parametrize("steps", [1, 3, 8])
@pytest.mark.parametrize("rows", [1, 2])
def test_dreams_own_sampler_with_hooks_completes_every_row(steps: int, rows: int) -> None:
    """Tokens that the sampler reveals and that do not go together are taken back; at the last step all is full and valid."""
    hooks = d.DreamHooks(CONSTRAINT, steps=steps, length=LENGTH, mask_id=MASK)
    prompt = torch.tensor([[3, 4], [5, 6]])[:rows]
    x = DreamStandIn().diffusion_generate(prompt, max_new_tokens=LENGTH, steps=steps, **hooks.options())
    assert x[:, :2].tolist() == prompt.tolist()
    for row in x[:, 2:].tolist():
        ended = next(i for i, token in enumerate(row) if token in {END, TURN})
        assert CONSTRAINT.accepts(b"".join(TOKENS[t] or b"" for t in row[:ended]))
        assert set(row[ended + 1 :]) <= {END, TURN}


def test_hooks_keep_given_tokens() -> None:
    """A canvas with fixed tokens is written into Dream's row before the first step."""
    fixed: list[Any] = [sg.HOLE] * LENGTH
    ids = [TOKENS.index(t) for t in (b'{"', b"a", b'":')]
    fixed[:3] = ids
    hooks = d.DreamHooks(CONSTRAINT, steps=4, canvas=fixed, mask_id=MASK)
    x = DreamStandIn().diffusion_generate(torch.tensor([[3]]), max_new_tokens=LENGTH, steps=4, **hooks.options())
    assert x[0, 1:4].tolist() == ids


@pytest.mark.parametrize("steps", [1, 4])
def test_hooks_hold_a_check(steps: int) -> None:
    """What Dream's sampler reveals stays only as long as a completion that passes the check has it; the last step is such a completion."""
    rule = JsonPredicate(lambda value: (value["a"] is True) == (value["b"] == "aa"), complete=True)
    hooks = d.DreamHooks(CONSTRAINT, steps=steps, length=LENGTH, mask_id=MASK, check=rule)
    x = DreamStandIn().diffusion_generate(torch.tensor([[3]]), max_new_tokens=LENGTH, steps=steps, **hooks.options())
    row = x[0, 1:].tolist()
    value = json.loads(b"".join(TOKENS[t] or b"" for t in row if t not in {END, TURN}))
    assert (value["a"] is True) == (value["b"] == "aa")


def test_hooks_leave_the_possible_logits_as_they_are() -> None:
    """The logits hook sets impossible tokens of open slots to minus infinity and touches nothing else."""
    hooks = d.DreamHooks(CONSTRAINT, steps=2, length=LENGTH, mask_id=MASK)
    x = hooks.tokens(None, torch.nn.functional.pad(torch.tensor([[3]]), (0, LENGTH), value=MASK), None)
    logits = torch.from_numpy(RandomModel(1)(x.numpy()))
    seen = hooks.logits(0, x, logits)
    assert torch.equal(seen[0, 0], logits[0, 0])
    masks = hooks.canvases[0].masks()
    for slot, mask in zip(hooks.canvases[0].open_slots().tolist(), masks, strict=True):
        allowed = [t for t in range(WIDTH) if int(mask[t >> 5]) >> (t & 31) & 1]
        assert torch.isfinite(seen[0, 1 + slot]).nonzero().flatten().tolist() == allowed
        assert torch.equal(seen[0, 1 + slot, allowed], logits[0, 1 + slot, allowed])


def test_hooks_refuse_a_canvas_of_another_length() -> None:
    """The row must end in as many masks as the canvas has slots."""
    with pytest.raises(sg.InvalidSource, match="ends in 4 masks"):
        DreamStandIn().diffusion_generate(
            torch.tensor([[3]]),
            max_new_tokens=4,
            steps=2,
            **d.DreamHooks(CONSTRAINT, steps=2, length=5, mask_id=MASK).options(),
        )
    with pytest.raises(sg.InvalidSource, match="either the length"):
        d.DreamHooks(CONSTRAINT, steps=2)

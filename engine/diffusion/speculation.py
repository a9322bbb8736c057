"""The loop of FreeDave: drafts of several steps, verified in one pass.

See ``policies.freedave`` for the method.  A draft is a step taken on the logits of an earlier canvas; the same step on the canvas' own
logits is the truth.  Masks and joint commits depend on the canvas alone, so both are the same function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .loop import Decoder, Track
    from .model import Scores
    from .passes import Decoding


def draft_and_verify(decoder: Decoder, track: Track, drafts: int) -> Decoding:
    """Step until nothing is open; every canvas on the way is one that plain decoding passes through."""
    if track.done:
        return track
    decoder.enter_block(track)
    if track.done:
        return track
    scores, first = yield [track]
    row = 0
    while True:
        chain = _chain(decoder, track, scores, first + row, drafts)
        if chain[0].done:
            track = chain[0]
            break
        scores, first = yield [t for t in chain if not t.done]
        row = 0
        while row + 1 < len(chain):
            truth = chain[row].copy()
            decoder.step(truth, scores, first + row)
            decoder.enter_block(truth)
            if not np.array_equal(truth.canvas.ids, chain[row + 1].canvas.ids):
                truth.canvas.close()
                break
            chain[row + 1].canvas.close()
            row += 1
            chain[row] = truth  # the same canvas, with a schedule that no draft has touched
            if chain[row].done:
                break
        for i, other in enumerate(chain):
            if i != row:
                other.canvas.close()
        track = chain[row]
        if track.done:
            break
        decoder.tell(track)
    return track


def _chain(decoder: Decoder, track: Track, scores: Scores, row: int, drafts: int) -> list[Track]:
    """Up to ``drafts`` canvases, each one step further on the same logits; the first is certain.  One block's at most."""
    chain: list[Track] = []
    current = track
    while len(chain) < drafts:
        following = current.copy()
        decoder.step(following, scores, row)
        decoder.enter_block(following)
        moved = decoder.beyond == "gap" and following.block != track.block and not following.done
        if moved and chain:  # the model reads up to a block's end, and a batch has one length
            following.canvas.close()
            break
        chain.append(following)
        if following.done or moved:  # the logits at hand know nothing of the next block
            break
        current = following
    return chain

"""Soft-NMS and box voting against Detectron's loops, and ordinary NMS against torchvision."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torchvision.ops import batched_nms

from robsub import recipe
from robsub.model import postprocess
from robsub.model.postprocess import ScoredBoxes, box_voting, candidates, final_boxes, soft_nms

Array = NDArray[np.float64]
METHODS = get_args(get_type_hints(recipe.InferenceConfig)["nms"])
VOTING = get_args(get_type_hints(recipe.InferenceConfig)["voting"])


def clustered(count: int, classes: int, seed: int = 0) -> ScoredBoxes:
    """Many noisy boxes around few objects, as a detector gives them."""
    draw = torch.Generator().manual_seed(seed)
    objects = torch.rand(8, 2, generator=draw) * 200
    sides = 15 + torch.rand(8, 2, generator=draw) * 80
    which = torch.randint(8, (count,), generator=draw)
    corner = objects[which] + torch.randn(count, 2, generator=draw) * 4
    side = sides[which] * (1 + 0.08 * torch.randn(count, 2, generator=draw))
    labels = torch.randint(1, classes + 1, (count,), generator=draw)
    scores = 0.05 + 0.95 * torch.rand(count, generator=draw)
    return ScoredBoxes(torch.cat((corner, corner + side), dim=1), scores, labels)


def iou(a: Array, b: Array) -> float:
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0.0) * max(height, 0.0)
    return float(common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common))


def detectron_soft_nms(dets: Array, method: str, threshold: float, sigma: float) -> Array:
    """One class, rows of box and score: Detectron's ``cython_nms.soft_nms`` as two plain loops."""
    rest, kept = [row.copy() for row in dets], []
    while rest:
        best = rest.pop(int(np.argmax([row[4] for row in rest])))
        kept.append(best)
        survivors = []
        for row in rest:
            overlap = iou(best, row)
            if method == "gaussian":
                row[4] *= np.exp(-(overlap**2) / sigma)
            elif overlap > threshold:
                row[4] *= 1 - overlap if method == "linear" else 0
            if overlap == 0 or row[4] >= 1e-4:
                survivors.append(row)
        rest = survivors
    return np.array(kept).reshape(-1, 5)


def detectron_voting(kept: Array, dets: Array, method: str, threshold: float, beta: float) -> Array:
    """Detectron's ``box_voting`` of one class."""
    out = kept.copy()
    for row in out:
        overlaps = np.array([iou(row, det) for det in dets])
        votes = overlaps >= threshold
        weights = dets[votes, 4]
        row[:4] = np.average(dets[votes, :4], axis=0, weights=weights)
        smooth = np.vstack((weights, 1 - weights)) ** (1 / beta)
        row[4] = {
            "id": row[4],
            "avg": weights.mean(),
            "iou_avg": np.average(weights, weights=overlaps[votes]),
            "generalized_avg": np.mean(weights**beta) ** (1 / beta),
            "quasi_sum": weights.sum() / len(weights) ** beta,
            "temp_avg": (smooth[0] / smooth.sum(axis=0)).mean(),
        }[method]
    return out


def detectron(found: ScoredBoxes, inference: recipe.InferenceConfig) -> Array:
    """Every class on its own, then the image's limit: rows of box, score and label by falling score."""
    rows = []
    for label in sorted(set(found.labels.tolist())):
        own = found.at(found.labels == label)
        dets = torch.cat((own.boxes, own.scores[:, None]), dim=1).double().numpy()
        kept = detectron_soft_nms(dets, inference.nms, inference.nms_threshold, inference.nms_sigma)
        if inference.voting != "off":
            kept = detectron_voting(kept, dets, inference.voting, inference.voting_threshold, inference.voting_beta)
        rows.append(np.column_stack((kept, np.full(len(kept), label))))
    merged = np.concatenate(rows)
    return merged[np.argsort(-merged[:, 4], kind="stable")][: inference.detections_per_image]


def ours(found: ScoredBoxes, inference: recipe.InferenceConfig, classes: int) -> Array:
    """The same candidates through ``final_boxes``: each is a RoI with a score in its own class alone."""
    count = len(found.labels)
    scores = torch.zeros(count, classes + 1).scatter(1, found.labels[:, None], found.scores[:, None])
    boxes = found.boxes[:, None].expand(count, classes + 1, 4)
    result = final_boxes(boxes, scores, (10_000, 10_000), inference)
    columns = (result.boxes.double(), result.scores[:, None].double(), result.labels[:, None].double())
    return torch.cat(columns, dim=1).numpy()


def inside(found: ScoredBoxes) -> ScoredBoxes:
    return found._replace(boxes=found.boxes.clamp(min=0))


@pytest.mark.parametrize("voting", VOTING)
@pytest.mark.parametrize("method", METHODS)
def test_equal_to_detectrons_loops(method: Any, voting: Any) -> None:
    found = inside(clustered(150, 4))
    inference = recipe.InferenceConfig(
        nms=method, voting=voting, voting_beta=1.7, detections_per_image=25, score_threshold=0.01
    )
    expected = detectron(found, inference)
    assert len(expected) == 25
    result = ours(found, inference, 4)
    np.testing.assert_allclose(result[:, :4], expected[:, :4], rtol=0, atol=1e-3)
    np.testing.assert_allclose(result[:, 4], expected[:, 4], rtol=0, atol=1e-6)
    assert (result[:, 5] == expected[:, 5]).all()


def test_beta_of_one_makes_four_methods_the_average() -> None:
    found = inside(clustered(120, 2))
    kept = soft_nms(found, "linear", 0.5, 0.5, 20)
    average = box_voting(kept, found, "avg", 0.8).scores
    assert not torch.allclose(average, kept.scores)
    for method in ("generalized_avg", "quasi_sum", "temp_avg"):
        torch.testing.assert_close(box_voting(kept, found, method, 0.8).scores, average)


def test_voting_in_parts_is_voting_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = inside(clustered(120, 3))
    kept = soft_nms(found, "linear", 0.5, 0.5, 50)
    whole = box_voting(kept, found, "avg", 0.8)
    monkeypatch.setattr(postprocess, "PICKS_AT_A_TIME", 7)
    for part, expected in zip(box_voting(kept, found, "avg", 0.8), whole, strict=True):
        torch.testing.assert_close(part, expected, rtol=0, atol=0)


def test_scores_stay_in_their_range() -> None:
    found = inside(clustered(120, 2))
    kept = soft_nms(found, "linear", 0.5, 0.5, 20)
    scores = box_voting(kept, found, "quasi_sum", 0.3, beta=0.1).scores
    assert scores.max() == 1


def test_hard_is_torchvisions_nms() -> None:
    found = clustered(400, 5, seed=3)
    kept = soft_nms(found, "hard", 0.5, 0.5, limit=400)
    expected = found.at(batched_nms(*found, 0.5))
    for part, theirs in zip(kept, expected, strict=True):
        assert torch.equal(part, theirs)


@pytest.mark.parametrize("method", METHODS)
def test_stopping_early_changes_nothing(method: str) -> None:
    found = clustered(300, 6, seed=4)
    all_picks = soft_nms(found, method, 0.5, 0.5, limit=300)
    first = soft_nms(found, method, 0.5, 0.5, limit=40)
    for part, whole in zip(first, all_picks, strict=True):
        assert torch.equal(part, whole[:40])
    assert (all_picks.scores.diff() <= 0).all()


def test_candidates() -> None:
    """Two RoIs: the threshold is exclusive, the background never competes, boxes are clipped, slivers go."""
    boxes = torch.tensor([[[-5.0, -5, 30, 40]] * 3, [[10.0, 10, 10.001, 20]] * 3])
    scores = torch.tensor([[0.8, 0.15, 0.05], [0.1, 0.4, 0.5]])
    found = candidates(boxes, scores, (20, 25), threshold=0.05)
    assert found.labels.tolist() == [1]
    assert found.boxes.tolist() == [[0, 0, 25, 20]]
    assert candidates(boxes, scores, (20, 25), 0.01, classes=[2]).labels.tolist() == [2]


def test_classes_compete_only_when_asked() -> None:
    found = inside(clustered(200, 4))
    scores = torch.zeros(200, 5).scatter(1, found.labels[:, None], found.scores[:, None])
    boxes = found.boxes[:, None].expand(200, 5, 4)
    inference = recipe.InferenceConfig(detections_per_image=10)
    some = final_boxes(boxes, scores, (999, 999), inference, classes=[2, 3])
    assert set(some.labels.tolist()) == {2, 3}
    assert len(some.labels) == 10
    everyone = final_boxes(boxes, scores, (999, 999), replace(inference, detections_per_image=200))
    expected = everyone.at((everyone.labels == 2) | (everyone.labels == 3)).scores[:10]
    torch.testing.assert_close(some.scores, expected)


@pytest.mark.parametrize("voting", VOTING)
def test_no_candidates(voting: Any) -> None:
    result = final_boxes(torch.zeros(0, 5, 4), torch.zeros(0, 5), (10, 10), recipe.InferenceConfig(voting=voting))
    assert [part.shape for part in result] == [(0, 4), (0,), (0,)]

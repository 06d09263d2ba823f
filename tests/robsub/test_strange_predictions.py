"""Strange predictions: each is named, with its count, and nothing is dropped in silence."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from dataset_adapters.ground_truth import GroundTruth, Prediction
from dataset_adapters.labels import LabelTable
from dataset_adapters.problems import InputError
from dataset_adapters.rle import box, decode, empty, encode
from dataset_adapters.scannet import ROB18_LABELS, SCANNET_LABELS
from evaluators.matching import match_image
from evaluators.protocol import PROTOCOLS
from robsub.convert import convert
from robsub.evaluate import evaluate, merge, open_predictions

from .inputs import adapter_of, copied, evaluate_changed, first_list, native, stored


def test_train_ids_are_named(shared: Path) -> None:
    labels = adapter_of(shared, "kitti").labels
    evaluated = [label.name for label in labels.evaluated]

    def as_train_id(p: Prediction) -> Prediction:
        return replace(p, label=labels.by_id[11 + evaluated.index(p.label) if p.label in evaluated else 0].name)

    result = evaluate_changed(shared, as_train_id)
    assert result.metrics["AP"] == 0
    assert any("look like train ids" in note for note in result.notes)
    assert any("labels that are not evaluated count nothing" in note for note in result.notes)
    assert not any("train ids" in note for note in evaluate_changed(shared, lambda p: p).notes)


def test_inverted_masks_are_named(shared: Path) -> None:
    def inverted(p: Prediction) -> Prediction:
        mask = encode(~decode(p.rle))
        return replace(p, rle=mask, box=box(mask))

    assert any("are they inverted?" in note for note in evaluate_changed(shared, inverted).notes)


def test_scores_in_per_cent_change_nothing_and_are_named(shared: Path) -> None:
    plain = evaluate_changed(shared, lambda p: p)
    percent = evaluate_changed(shared, lambda p: replace(p, score=100 * p.score))
    assert percent.metrics == pytest.approx(dict(plain.metrics))
    assert any("scores are above 1, like per cent" in note for note in percent.notes)


@pytest.mark.parametrize("score", ["nan", "inf"])
def test_score_that_is_no_number_is_refused(shared: Path, score: str) -> None:
    with pytest.raises(InputError, match=rf"found the score {score} \(prediction 1, "):
        evaluate_changed(shared, lambda p: replace(p, score=float(score)))


def test_lines_that_a_later_one_overrides_are_named_here_and_when_converted(shared: Path, tmp_path: Path) -> None:
    submission = copied(shared, "kitti", tmp_path)
    path = first_list(submission)
    mask = path.read_text().split()[0]
    path.write_text(path.read_text() + f"{mask} 24 0.01\n")
    adapter = adapter_of(shared, "kitti")
    source = open_predictions(submission, adapter)
    note = f"1 lines count nothing, for a later line names the same mask; first {path.relative_to(submission)}:1."
    assert note in evaluate(adapter, "trainval", source, workers=1).notes
    assert f"Note: {note}" in convert(adapter, "trainval", source, "store", tmp_path / "store").text()


def test_unknown_labels_and_empty_masks_are_named_and_converted(shared: Path, tmp_path: Path) -> None:
    submission = copied(shared, "scannet", tmp_path)
    path = first_list(submission)
    Image.new("L", Image.open(next(submission.rglob("*.png"))).size).save(path.with_name("empty.png"))
    path.write_text(path.read_text() + f"{path.read_text().split()[0]} 77 0.5\nempty.png 5 0.5\n")
    adapter = adapter_of(shared, "scannet")
    source = open_predictions(submission, adapter)
    before = evaluate(adapter, "val", native(shared, "scannet"), workers=1)
    after = evaluate(adapter, "val", source, workers=1)
    assert any("id 77 1" in note for note in after.notes) and not any("id 77" in note for note in before.notes)
    (count,) = (int(note.split()[0]) for note in after.notes if "masks are empty" in note)
    assert count == 1 + sum(image.census.empty for image in (before.pool.images if before.pool else ()))
    text = convert(adapter, "val", source, "store", tmp_path / "store").text()
    assert f"{count} of" in text and "masks are empty" in text
    assert "Left out: 1 objects of 'id 77'" in text
    stored = evaluate(adapter, "val", open_predictions(tmp_path / "store", adapter), workers=1)
    assert any(note.startswith(f"{count} of") and "masks are empty" in note for note in stored.notes)


@pytest.mark.parametrize("profile", ["v2", "rob2018"])
def test_ids_of_scannets_other_coding_are_named(profile: str) -> None:
    labels, other = (SCANNET_LABELS, ROB18_LABELS) if profile == "v2" else (ROB18_LABELS, SCANNET_LABELS)

    def notes(table: LabelTable) -> list[str]:
        names = [
            labels.by_id[i].name if i in labels.by_id else f"id {i}" for i in (label.id for label in table.evaluated)
        ]
        found = [Prediction(name, 0.9, (0, 0, 0, 0), empty((4, 4))) for name in names]
        truth = GroundTruth("frame", (4, 4), ())
        return match_image(PROTOCOLS["scannet"], labels, truth, found).census.notes(labels)

    hint = {"v2": "ScanNet in ROB 2018", "rob2018": "today's ScanNet"}[profile]
    assert any(f"look like the ids of {hint}" in note for note in notes(other))
    assert not any("look like" in note for note in notes(labels))


def test_a_store_cut_off_in_a_line_is_named(shared: Path, tmp_path: Path) -> None:
    adapter, store = adapter_of(shared, "kitti"), stored(shared, "kitti", "trainval", tmp_path)
    shard = store / "all.jsonl"
    lines = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(lines[:-1]) + lines[-1][:-20])
    source, place = open_predictions(store, adapter), f"all.jsonl:{len(lines)} is cut off"
    with pytest.raises(InputError, match=rf"found none for 1 of {len(lines)} images.*{place}"):
        evaluate(adapter, "trainval", source, workers=1)
    result = evaluate(adapter, "trainval", source, workers=1, allow_missing=True, matches=tmp_path / "m")
    assert any(place in note for note in result.notes)
    assert any(place in note for note in merge([tmp_path / "m"]).notes)


def test_a_store_of_another_split_is_noted(shared: Path, tmp_path: Path) -> None:
    adapter, store = adapter_of(shared, "kitti"), stored(shared, "kitti", "trainval", tmp_path)
    notes = evaluate(adapter, "val", open_predictions(store, adapter, "val"), workers=1).notes
    assert "The store says that its predictions are of split 'trainval'." in notes
    whole = evaluate(adapter, "trainval", open_predictions(store, adapter, "trainval"), workers=1)
    assert not any("The store says" in note for note in whole.notes)


def test_per_cent_gives_the_same_numbers_from_a_store(shared: Path, tmp_path: Path) -> None:
    adapter, store = adapter_of(shared, "kitti"), stored(shared, "kitti", "trainval", tmp_path)
    shard = store / "all.jsonl"
    shard.write_text(re.sub(r'"score": ([\d.e-]+)', lambda m: f'"score": {100 * float(m[1])}', shard.read_text()))
    result = evaluate(adapter, "trainval", open_predictions(store, adapter), workers=1)
    assert result.metrics == pytest.approx(dict(evaluate_changed(shared, lambda p: p).metrics))
    assert any("scores are above 1, like per cent" in note for note in result.notes)

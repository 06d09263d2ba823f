"""Doors for the results of torchvision, detectron2 and mmdetection: their own output objects in, predictions out.

None of these libraries is imported; whatever has the right fields is taken, tensors on any device and arrays alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_adapters import rle
from dataset_adapters.ground_truth import Names, Prediction
from dataset_adapters.problems import InputError


def from_torchvision(output: Mapping[str, Any], names: Names, threshold: float = 0.5) -> list[Prediction]:
    """One image's output of a torchvision detection model in evaluation mode.

    Args:
        output: ``boxes`` (N, 4) as x1, y1, x2, y2 in pixels, ``labels`` (N,), ``scores`` (N,) in [0, 1], and ``masks``
            (N, 1, H, W) of probabilities, or (N, H, W) of booleans.
        names: class number, 0 being the background, -> label name.
        threshold: probability from which a pixel is the object's.

    Raises:
        InputError: a field is missing or of another shape; a class has no name.
    """
    boxes, labels, scores, masks = (
        _field(output, key, "torchvision") for key in ("boxes", "labels", "scores", "masks")
    )
    dense = _array(masks)
    if dense.ndim == 4 and dense.shape[1] == 1:
        dense = dense[:, 0]
    return _predictions(
        "torchvision", names, boxes, labels, scores, dense if dense.dtype == bool else dense > threshold
    )


def from_detectron2(output: Any, names: Names) -> list[Prediction]:
    """One image's output of a detectron2 predictor.

    Args:
        output: ``{"instances": Instances}`` or the ``Instances``, with ``pred_boxes``, ``pred_classes``, ``scores`` and
            ``pred_masks`` (N, H, W) of the image's own size.
        names: class number, from 0, -> label name; ``MetadataCatalog.get(...).thing_classes``.

    Raises:
        InputError: a field is missing or of another shape; a class has no name.
    """
    instances = output["instances"] if isinstance(output, Mapping) else output
    boxes = _field(instances, "pred_boxes", "detectron2")
    labels, scores, masks = (_field(instances, key, "detectron2") for key in ("pred_classes", "scores", "pred_masks"))
    return _predictions("detectron2", names, getattr(boxes, "tensor", boxes), labels, scores, masks)


def from_mmdet(result: Any, names: Names) -> list[Prediction]:
    """One image's output of mmdetection's ``inference_detector``.

    Args:
        result: version 3's ``DetDataSample`` (its ``pred_instances`` have ``bboxes``, ``labels``, ``scores`` and
            ``masks``), or version 2's pair of lists by class, of (n, 5) boxes with score and of masks. Masks are dense
            (H, W) of the image's own size or compressed RLE.
        names: class number, from 0, -> label name; ``dataset_meta["classes"]`` or ``CLASSES``.

    Raises:
        InputError: a field is missing or of another shape; a class has no name.
    """
    if not isinstance(result, tuple):
        found = _field(result, "pred_instances", "mmdet")
        boxes, labels, scores, masks = (_field(found, key, "mmdet") for key in ("bboxes", "labels", "scores", "masks"))
        return _predictions("mmdet", names, boxes, labels, scores, masks)
    by_class, masks_by_class = ([_array(boxes).reshape(-1, 5) for boxes in result[0]], result[1])
    rows = np.concatenate(by_class) if by_class else np.zeros((0, 5))
    labels = np.repeat(np.arange(len(by_class)), [len(boxes) for boxes in by_class])
    return _predictions(
        "mmdet", names, rows[:, :4], labels, rows[:, 4], [m for of_class in masks_by_class for m in of_class]
    )


def _predictions(library: str, names: Names, boxes: Any, labels: Any, scores: Any, masks: Any) -> list[Prediction]:
    boxes, labels, scores = _array(boxes).reshape(-1, 4), _array(labels).ravel(), _array(scores).ravel()
    encoded = [_mask(mask, library) for mask in (masks if isinstance(masks, list) else _array(masks))]
    counts = {"boxes": len(boxes), "labels": len(labels), "scores": len(scores), "masks": len(encoded)}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{number} {name}" for name, number in counts.items())
        raise _refusal(library, told, "as many of each", "Filter all fields alike.")
    if not all(0 <= score <= 1 for score in scores.tolist()):
        raise _refusal(library, "scores that are none from 0 to 1", "confidences", "Give probabilities, not logits.")
    rows: Iterable[tuple[int, float, Any, rle.Rle]] = zip(
        labels.tolist(), scores.tolist(), boxes.tolist(), encoded, strict=True
    )
    return [Prediction(_name(names, i, library), s, (b[0], b[1], b[2], b[3]), mask) for i, s, b, mask in rows]


def _field(output: Any, name: str, library: str) -> Any:
    """A field of a mapping or of an object."""
    try:
        return output[name] if isinstance(output, Mapping) else getattr(output, name)
    except (KeyError, AttributeError) as error:
        raise _refusal(
            library, f"an output without {name!r}", "the output of an instance-segmentation model",
            "Give one image's output as the model returns it; a detector without masks does not do.",
        ) from error  # fmt: skip


def _array(values: Any) -> NDArray[Any]:
    """A tensor or anything like an array."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _mask(mask: Any, library: str) -> rle.Rle:
    """A dense (H, W) mask or a compressed RLE."""
    if isinstance(mask, Mapping):
        counts = mask["counts"]
        height, width = (int(v) for v in mask["size"])
        return rle.Rle(size=[height, width], counts=counts.encode("ascii") if isinstance(counts, str) else counts)
    dense = _array(mask)
    if dense.ndim != 2:
        raise _refusal(library, f"a mask of shape {dense.shape}", "(H, W)", "Paste the masks to the image's size.")
    return rle.encode(dense != 0)


def _name(names: Names, number: int, library: str) -> str:
    known = number in names if isinstance(names, Mapping) else 0 <= number < len(names)
    if not known:
        raise _refusal(library, f"class {number}", f"one of the {len(names)} classes named", "Name every class.")
    return names[number]


def _refusal(library: str, found: str, expected: str, fix: str) -> InputError:
    return InputError(f"{library} output", found=found, expected=expected, fix=fix)

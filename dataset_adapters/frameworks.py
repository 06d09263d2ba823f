"""Doors for the results of torchvision, detectron2 and mmdetection: their own output objects in, predictions out.

None of these libraries is imported; whatever has the right fields is taken, tensors on any device and arrays alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dataset_adapters import rle
from dataset_adapters.ground_truth import Names, Prediction
from dataset_adapters.problems import InputError
from dataset_adapters.run_lengths import broken_masks


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
    instances = _field(output, "instances", "detectron2") if isinstance(output, Mapping) else output
    fields = (_field(instances, key, "detectron2") for key in ("pred_boxes", "pred_classes", "scores", "pred_masks"))
    return _predictions("detectron2", names, *fields)


def from_mmdet(result: Any, names: Names) -> list[Prediction]:
    """One image's output of mmdetection's ``inference_detector``.

    Args:
        result: version 3's ``DetDataSample`` (its ``pred_instances`` have ``bboxes``, ``labels``, ``scores`` and
            ``masks``), or version 2's pair of lists by class, of (n, 5) boxes with score and of masks; Mask Scoring
            R-CNN's pair of masks and their scores, which then hold; a panoptic model's ``{"ins_results": pair}``. Masks
            are dense (H, W) of the image's own size or COCO's RLE.
        names: class number, from 0, -> label name; ``dataset_meta["classes"]`` or ``CLASSES``.

    Raises:
        InputError: a field is missing or of another shape; a class has no name.
    """
    if isinstance(result, Mapping) and "ins_results" in result:
        result = result["ins_results"]
    if isinstance(result, tuple) and len(result) == 2:
        return _from_mmdet2(*result, names)
    found = _field(result, "pred_instances", "mmdet")
    fields = (_field(found, key, "mmdet") for key in ("bboxes", "labels", "scores", "masks"))
    return _predictions("mmdet", names, *fields)


def _from_mmdet2(boxes_by_class: Any, masks_by_class: Any, names: Names) -> list[Prediction]:
    """Version 2's lists by class, the masks with scores of their own if the model gives them."""
    by_class = [_rows(boxes, 5, "mmdet") for boxes in boxes_by_class]
    rows = np.concatenate(by_class) if by_class else np.zeros((0, 5))
    labels = np.repeat(np.arange(len(by_class)), [len(boxes) for boxes in by_class])
    scores: Any = rows[:, 4]
    if isinstance(masks_by_class, tuple):
        masks_by_class, scores_by_class = masks_by_class
        scores = [float(score) for of_class in scores_by_class for score in of_class]
    if [len(masks) for masks in masks_by_class] != [len(boxes) for boxes in by_class]:
        raise _refusal("mmdet", "boxes and masks that differ in number", "as many of each class", "Filter both alike.")
    masks = [mask for of_class in masks_by_class for mask in of_class]
    return _predictions("mmdet", names, rows[:, :4], labels, scores, masks)


def _predictions(library: str, names: Names, boxes: Any, labels: Any, scores: Any, masks: Any) -> list[Prediction]:
    boxes, labels, scores = _rows(boxes, 4, library), _array(labels).ravel(), _array(scores).ravel()
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
    """A tensor or anything like an array; NumPy has no bfloat16."""
    if not hasattr(values, "detach"):
        return np.asarray(values)
    on_cpu = values.detach().cpu()
    return np.asarray(on_cpu.float() if str(on_cpu.dtype) == "torch.bfloat16" else on_cpu)


def _rows(boxes: Any, width: int, library: str) -> NDArray[Any]:
    """(N, width) boxes, also out of a library's own class for them."""
    rows = _array(getattr(boxes, "tensor", boxes))
    if rows.size == 0:
        return np.zeros((0, width))
    if rows.ndim != 2 or rows.shape[1] != width:
        raise _refusal(library, f"boxes of shape {rows.shape}", f"(N, {width})", "Give upright boxes, in pixels.")
    return rows


def _mask(mask: Any, library: str) -> rle.Rle:
    """A dense (H, W) mask or COCO's RLE, compressed or as a list of runs."""
    if isinstance(mask, Mapping):
        return _coded_mask(mask, library)
    dense = _array(mask)
    if dense.ndim != 2:
        raise _refusal(library, f"a mask of shape {dense.shape}", "(H, W)", "Paste the masks to the image's size.")
    return rle.encode(dense != 0)


def _coded_mask(mask: Mapping[str, Any], library: str) -> rle.Rle:
    try:
        height, width = (int(side) for side in mask["size"])
        counts = mask["counts"]
        if isinstance(counts, Sequence) and not isinstance(counts, str | bytes):
            if min(counts) < 0 or sum(counts) != height * width:
                raise ValueError("runs that do not add up to its pixels")
            return rle.from_runs(counts, (height, width))
        text = counts.encode("ascii") if isinstance(counts, str) else bytes(counts)
        if broken_masks([text], height * width):
            raise ValueError("runs that do not add up to its pixels")
    except (KeyError, TypeError, ValueError) as error:
        raise _refusal(
            library, f"a mask that does not read ({error})", "size and counts as pycocotools has them",
            "Encode the masks with pycocotools.",
        ) from error  # fmt: skip
    return rle.Rle(size=[height, width], counts=text)


def _name(names: Names, number: int, library: str) -> str:
    known = number in names if isinstance(names, Mapping) else 0 <= number < len(names)
    if not known:
        raise _refusal(library, f"class {number}", f"one of the {len(names)} classes named", "Name every class.")
    return names[number]


def _refusal(library: str, found: str, expected: str, fix: str) -> InputError:
    return InputError(f"{library} output", found=found, expected=expected, fix=fix)

"""Evaluate: match every frame of a split, in as many processes as there are cores, and reduce to one result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.coco import Coco
from dataset_adapters.labels import LabelTable
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError
from dataset_adapters.registry import BENCHMARKS, get_adapter
from dataset_adapters.submission.reader import NativeSubmission
from evaluators.class_names import ClassNames
from evaluators.matching import ImageMatches
from evaluators.protocol import COCO, PROTOCOLS, Protocol, corrected
from evaluators.result import NOT_DEFAULT, EvaluationResult
from evaluators.summary import NegativeAp, summarise
from robsub.coco_results import CocoResults
from robsub.match_frames import MatchJob, match_all
from robsub.matches_file import MatchesHead, MatchesWriter, read_matches
from robsub.places import matches_path, store_path
from robsub.predictions import MANIFEST, PredictionSource, PredictionStore, open_store
from robsub.provenance import ground_truth_digest, predictions_digest, versions

NegAP = NegativeAp
Kind = Literal["auto", "store", "coco", "native"]
"""The forms of predictions that robsub reads."""
IMAGES_SUFFIX = ".images.json"
"""What the list of images that belongs to COCO results is called, after their own name."""


class Choices(TypedDict, total=False):
    """How to evaluate; all may be left out.

    Attributes:
        protocol: name of a protocol; the data set's own if not given, COCO's for training data.
        corrected: the protocol as its authors describe it, instead of the server's program.
        allow_missing: score frames without predictions as empty instead of refusing.
        workers: processes; all cores if not given. The result is the same for any number.
        neg_ap: which reading of the paper's NegAP (docs/evaluation.md).
        resamples: resamples of the images for the 95 % intervals; none if not given.
        matches: file that keeps every image's matches, or a folder with one for each data set; a run with the same one
            goes on from there.
        part: (k, n) evaluates only the k-th of n parts of the split, counted from 1.
    """

    protocol: str | None
    corrected: bool
    allow_missing: bool
    workers: int | None
    neg_ap: NegativeAp
    resamples: int
    matches: str | Path | None
    part: tuple[int, int] | None


def open_predictions(
    path: Path, adapter: DatasetAdapter, split: Split = "val", annotations: Path | None = None, kind: Kind = "auto"
) -> PredictionSource:
    """A store, COCO results, or a native zip or directory of the adapter's benchmark.

    Args:
        path: where they are.
        adapter, split: what they are predictions of.
        annotations: for COCO results, the annotation file that their ids refer to, if it is not the data set's.
        kind: what they are; ``auto`` takes a folder with a manifest for a store, and ``.json`` or a zip of the
            benchmark's own COCO results for these.

    Raises:
        InputError: nothing is there, nothing that robsub reads, or annotations for what is no COCO results.
    """
    if not path.exists():
        raise InputError(
            path, found="no such file or folder", expected=f"predictions of {adapter.title}",
            fix=f"Make them with 'robsub predict --dataset {adapter.name}', or name others with --predictions.",
        )  # fmt: skip
    kind = _kind_of(path, adapter) if kind == "auto" else kind
    if annotations and kind != "coco":
        raise InputError(
            annotations, found=f"annotations for ids, though {path} names its images itself",
            expected="annotations beside COCO results", fix="Leave out --annotations.",
        )  # fmt: skip
    if kind == "store":
        return open_store(path, adapter.name)
    if kind == "coco":
        beside = list_beside(path)
        annotations = annotations or (beside if beside.is_file() else None)
        image_names = adapter.image_names(split) if isinstance(adapter, Coco) and not annotations else {}
        packed = adapter.coco_submission
        data = packed.read(path) if packed and packed.is_in(path) else None
        return CocoResults(path, adapter.frames(split), adapter.labels, image_names, annotations, data)
    if adapter.submission is None:
        raise InputError(
            path, found="neither a prediction store nor a .json file", expected=f"one of the two: {adapter.title} has "
            "no native submission layout", fix="Predict with 'robsub predict', or give COCO results.",
        )  # fmt: skip
    return NativeSubmission(path, adapter.submission, adapter.labels)


def list_beside(results: Path) -> Path:
    """Where the list of images is that belongs to COCO results, if there is one."""
    return results.parent / f"{results.name}{IMAGES_SUFFIX}"


def _kind_of(path: Path, adapter: DatasetAdapter) -> Kind:
    if (path / MANIFEST).is_file():
        return "store"
    return "coco" if holds_coco_results(path, adapter) else "native"


def holds_coco_results(path: Path, adapter: DatasetAdapter) -> bool:
    """Whether a file is COCO results by its name, or a zip with the benchmark's own file of them."""
    packed = adapter.coco_submission
    return path.suffix.lower() == ".json" or (packed is not None and packed.is_in(path))


def evaluate_many(
    datasets: Sequence[str],
    split: Split,
    data_root: Path,
    predictions: Path | None,
    annotations: Path | None = None,
    options: Options | None = None,
    **choices: Unpack[Choices],
) -> Iterator[EvaluationResult]:
    """``evaluate`` data sets by name, their predictions at ``predictions`` or else at their default places."""
    if matches := choices.get("matches"):
        matches_path(matches, "benchmark", split, many=len(datasets) > 1)  # refuse one file for all before the work
    for name in datasets:
        adapter = get_adapter(name, data_root, options)
        require_annotated(adapter, split)
        source = open_predictions(predictions or store_path(name, split), adapter, split, annotations)
        yield evaluate(adapter, split, source, **choices)


def evaluate(
    adapter: DatasetAdapter, split: Split, source: PredictionSource, **choices: Unpack[Choices]
) -> EvaluationResult:
    """Score predictions of a split.

    Args:
        adapter: the data set.
        split: an annotated split.
        source: the predictions.
        choices: see ``Choices``.

    Raises:
        InputError: the split is not there or has no ground truth; predictions are missing or cannot be read.
    """
    protocol = protocol_of(adapter, choices.get("protocol"), fixed=choices.get("corrected", False))
    everything = require_annotated(adapter, split)
    frames = part_of(everything, choices.get("part"))
    missing = missing_frames(frames, source)
    if missing and not choices.get("allow_missing"):
        raise _missing(adapter, split, frames, missing, source)
    job = MatchJob(adapter, ClassNames.of(adapter), protocol, source)
    head = _head(job, split, everything)
    with ExitStack() as stack:
        path = choices.get("matches")
        place = matches_path(path, adapter.name, split) if path else None
        writer = stack.enter_context(MatchesWriter(place, head)) if place else None
        images = list(match_all(job, frames, choices.get("workers"), writer))
    notes = [*head.notes, *_frame_notes(len(frames), head.images_expected)]
    return _summarise(head, job.names.labels, protocol, images, notes, choices)


def merge(paths: Sequence[Path], **choices: Unpack[Choices]) -> EvaluationResult:
    """The result of several matches files that hold parts of one evaluation; of the choices ``resamples`` and
    ``neg_ap`` have a meaning.

    Raises:
        InputError: a file cannot be read, two are of different evaluations, or both hold an image.
    """
    head, images = read_matches(paths[0])
    digests, notes, provenances = {head.predictions}, dict.fromkeys(head.notes), [head.provenance]
    for path in paths[1:]:
        other, more = read_matches(path)
        twice = {image.frame for image in images} & {image.frame for image in more}
        difference = head.difference(other, MatchesHead.COMMON)
        if difference or twice:
            raise InputError(
                path, found=difference or f"{len(twice)} images that another file holds too, first {min(twice)}",
                expected=f"another part of the evaluation in {paths[0]}", fix="Merge parts made with --part K/N.",
            )  # fmt: skip
        digests.add(other.predictions)
        provenances.append(other.provenance)
        notes |= dict.fromkeys(other.notes)
        images += more
    own_notes = [f"Merged from {len(paths)} files.", *_frame_notes(len(images), head.images_expected)]
    if len(digests) > 1:
        own_notes.append(f"The merged parts are of {len(digests)} different predictions.")
    provenance = _joined(provenances)
    own_notes += [
        f"The merged parts were made with different versions of {name}: {provenance[name]}."
        for name in versions()
        if len({p.get(name) for p in provenances}) > 1
    ]
    head = replace(head, provenance={**provenance, "predictions_sha256": " ".join(sorted(digests))})
    return _summarise(head, head.labels(), head.rule_book(), images, [*notes, *own_notes], choices)


def _joined(provenances: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Every fact; where parts differ all their values, in one order."""
    names = dict.fromkeys(name for provenance in provenances for name in provenance)
    return {name: ", ".join(sorted({p[name] for p in provenances if name in p})) for name in names}


def protocol_of(adapter: DatasetAdapter, name: str | None = None, *, fixed: bool = False) -> Protocol:
    """The named protocol, or the benchmark's own; COCO's for training data, which has none.

    Args:
        adapter: the data set.
        name: name of a protocol.
        fixed: its corrected form.

    Raises:
        InputError: no such protocol.
    """
    if name is not None and name not in PROTOCOLS:
        raise InputError(
            name, found="an unknown protocol", expected=f"one of {', '.join(PROTOCOLS)}", fix="Choose one of these."
        )
    protocol = PROTOCOLS[name] if name else PROTOCOLS.get(adapter.protocol, COCO)
    if fixed and protocol.one_to_one:
        raise InputError(
            f"--corrected with protocol {protocol.name}", found="a protocol that does what its authors describe",
            expected="one of the servers' programs with their slips", fix="Leave out --corrected.",
        )  # fmt: skip
    return corrected(protocol) if fixed else protocol


def require_annotated(adapter: DatasetAdapter, split: Split) -> list[Frame]:
    """The split's frames, if they have ground truth.

    Raises:
        InputError: the split is not there, or its ground truth stays on the benchmark's server.
    """
    frames = adapter.frames(split)
    if all(frame.ground_truth is None for frame in frames):
        check = f"robsub verify --benchmark {adapter.name} --split {split} ARCHIVE"
        fix = f"Evaluate --split val. For this split, '{check}' checks a submission before the upload."
        raise InputError(
            adapter.root, found=f"split {split!r} of {adapter.title}, which has no public ground truth",
            expected="an annotated split", fix=fix if adapter.name in BENCHMARKS else "Evaluate --split val.",
        )  # fmt: skip
    return frames


def part_of(frames: Sequence[Frame], part: tuple[int, int] | None) -> list[Frame]:
    """Every n-th frame from the k-th on, for a part (k, n) with 1 <= k <= n; all without a part."""
    if part is None:
        return list(frames)
    number, count = part
    if not 1 <= number <= count:
        raise InputError(
            f"--part {number}/{count}", found="no such part", expected="K/N with K from 1 to N", fix="Mend the option."
        )
    return list(frames[number - 1 :: count])


def read_part(text: str) -> tuple[int, int]:
    """``2/4`` as (2, 4).

    Raises:
        InputError: it is something else.
    """
    numbers = text.split("/")
    if len(numbers) != 2 or not all(number.isdecimal() and len(number) < 10 for number in numbers):
        raise InputError(f"--part {text}", found="no part", expected="K/N, such as 2/4", fix="Mend the option.")
    return int(numbers[0]), int(numbers[1])


def missing_frames(frames: Sequence[Frame], source: PredictionSource) -> list[str]:
    """Names of the frames that the source has no predictions for, in order."""
    there = set(source.frames())
    return [frame.name for frame in frames if frame.name not in there]


def _missing(
    adapter: DatasetAdapter, split: Split, frames: Sequence[Frame], missing: Sequence[str], source: PredictionSource
) -> InputError:
    found = f"none for {len(missing)} of {len(frames)} images, first {missing[0]}"
    if others := _unknown_frames(adapter.frames(split), source):
        found += f", but some for {len(others)} unknown images, first {others[0]}"
    found = "; ".join([found, *source.notes()])
    fix = "Predict the rest with 'robsub predict', or count them as empty with --allow-missing."
    if isinstance(source, CocoResults):
        fix = f"COCO results cannot tell an image without detections from a missing one. {fix}"
    return InputError(
        f"predictions of {adapter.name} {split}", found=found,
        expected="predictions for every image; an image without objects has an empty list", fix=fix,
    )  # fmt: skip


def _head(job: MatchJob, split: Split, frames: Sequence[Frame]) -> MatchesHead:
    truth, predictions = ground_truth_digest(job.adapter, frames), predictions_digest(job.source)
    frame_sets = job.adapter.frame_sets()
    facts = {"profile": job.adapter.profile, **job.adapter.choices}
    facts |= {"predictions_sha256": predictions, "ground_truth_sha256": truth}
    return MatchesHead(
        benchmark=job.adapter.name,
        split=split,
        protocol=job.protocol.name,
        rules=job.protocol.digest(),
        classes=tuple(label.name for label in job.names.labels.evaluated),
        images_expected=job.adapter.frames_expected(split) or len(frames),
        ground_truth=" ".join((truth, *job.adapter.choices.values())),
        predictions=predictions,
        frame_sets={name: tuple(sorted(sets)) for name, sets in sorted(frame_sets.items())},
        provenance={**versions(), **{name: fact for name, fact in facts.items() if fact}},
        notes=(
            *job.source.notes(),
            *split_notes(split, job.source),
            *_unknown_notes(frames, job.source),
            *_choice_notes(job.adapter),
            *_frame_set_notes(frames, frame_sets),
        ),
    )


def _summarise(
    head: MatchesHead,
    labels: LabelTable,
    protocol: Protocol,
    images: Sequence[ImageMatches],
    notes: Sequence[str],
    choices: Choices,
) -> EvaluationResult:
    return summarise(
        protocol,
        labels,
        images,
        benchmark=head.benchmark,
        split=head.split,
        images_expected=head.images_expected,
        frame_sets={name: frozenset(sets) for name, sets in head.frame_sets.items()},
        provenance=head.provenance,
        notes=notes,
        neg_ap=choices.get("neg_ap", "hazards"),
        resamples=choices.get("resamples", 0),
    )


def _frame_notes(found: int, expected: int) -> list[str]:
    return [] if found == expected else [f"{found} of the split's {expected} images were evaluated."]


def split_notes(split: Split, source: PredictionSource) -> list[str]:
    """A store may hold a larger split, as trainval does val; one that holds another is told by what is missing."""
    made_for = source.manifest.get("split") or split if isinstance(source, PredictionStore) else split
    return [] if made_for == split else [f"The store says that its predictions are of split {made_for!r}."]


def _unknown_notes(frames: Sequence[Frame], source: PredictionSource) -> list[str]:
    others = _unknown_frames(frames, source)
    count = sum(source.count(name) for name in others)
    where = f"{len(others)} images that are not of this split"
    return [f"{count} predictions for {where} count nothing, first {others[0]}."] if others else []


def _unknown_frames(frames: Sequence[Frame], source: PredictionSource) -> list[str]:
    return sorted(set(source.frames()) - {frame.name for frame in frames})


def _choice_notes(adapter: DatasetAdapter) -> list[str]:
    defaults = type(adapter)(adapter.root).choices
    others = ((name, choice) for name, choice in adapter.choices.items() if choice != defaults[name])
    return [f"The {name} {NOT_DEFAULT}: {choice}." for name, choice in others]


def _frame_set_notes(frames: Sequence[Frame], frame_sets: Mapping[str, frozenset[str]]) -> list[str]:
    outside = [frame.name for frame in frames if frame.name not in frame_sets] if frame_sets else []
    return [f"{len(outside)} of {len(frames)} images are in no frame set, first {outside[0]}."] if outside else []

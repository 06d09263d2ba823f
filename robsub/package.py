"""Package: stream a prediction store into a benchmark's submission, and verify it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from tqdm import tqdm

from dataset_adapters.base import DatasetAdapter, Frame, Split
from dataset_adapters.ground_truth import Prediction
from dataset_adapters.images import image_size
from dataset_adapters.problems import InputError
from dataset_adapters.processes import in_order
from dataset_adapters.submission.checks import VerifyReport
from dataset_adapters.submission.list_checks import MOST_ZIP_FILES
from dataset_adapters.submission.selection import EVERYTHING, Selection
from dataset_adapters.submission.writer import FramePacker
from evaluators.class_names import ClassNames
from robsub import __version__
from robsub.coco_package import CocoPacker, coco_ids, require_coco
from robsub.evaluate import list_beside, missing_frames
from robsub.files import atomic_path, file_digest, read_json, write_json
from robsub.predictions import MANIFEST, PredictionStore
from robsub.verify import require_layout, verify

Form = Literal["native", "coco"]
"""The forms of a submission."""


@dataclass(frozen=True)
class Package:
    """A written archive: its manifest, what verification says of it, and what the predictions' store has to say."""

    path: Path
    manifest: dict[str, Any]
    report: VerifyReport
    reused: bool
    limit_mb: int | None
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """A paragraph for the terminal; the archive itself comes last."""
        contents, images, expected = (self.manifest[key] for key in ("contents", "images", "images_expected"))
        lines = [self.report.text()]
        if contents["empty_masks"]:
            lines.append(f"Left out: {contents['empty_masks']} objects without a pixel.")
        for label, count in contents["not_evaluated"].items():
            lines.append(f"Left out: {count} objects of {label!r}, which the benchmark does not score.")
        for reason, count in contents["not_selected"].items():
            lines.append(f"Left out: {count} objects {reason}.")
        if empty := contents.get("frames_without_objects"):
            lines.append(f"{empty} of {images} images have no objects, and so nothing in the list.")
        if images < expected:
            lines.append(f"{expected - images} of {expected} images are missing: a server will reject it.")
        lines += [f"Note: {note}" for note in self.notes]
        limit = f"the server is said to take {self.limit_mb}" if self.limit_mb else "the server's limit is not public"
        lines.append(
            f"{self.path}{' was already there' if self.reused else ''}: {images} images, "
            f"{contents['predictions']:,} objects, {contents['files']:,} files (a plain zip holds {MOST_ZIP_FILES:,}), "
            f"{contents['bytes'] / 1e6:.1f} MB ({limit})"
        )
        return "\n".join(lines)


def package(
    adapter: DatasetAdapter,
    split: Split,
    store: PredictionStore,
    out: Path,
    *,
    selection: Selection = EVERYTHING,
    one_bit: bool = False,
    form: Form = "native",
    image_list: Path | None = None,
    allow_missing: bool = False,
    overwrite: bool = False,
    workers: int | None = None,
) -> Package:
    """Write the submission of a split to ``out`` (a zip) and ``<out>.manifest.json``, and verify it.

    An archive that was already made of the same predictions in the same way is kept. The same predictions give the same
    bytes.

    Args:
        adapter: the benchmark.
        split: the split to submit.
        store: its predictions.
        out: the zip.
        selection: which predictions are wanted.
        one_bit: write masks of 1 bit a pixel instead of 8, for servers known to take them; ``native`` only.
        form: ``native``, text files and masks; ``coco``, COCO results, bare where ``out`` ends in ``.json``.
        image_list: for ``coco``, an annotation file whose image and category ids are to be used.
        allow_missing: take images without predictions for empty ones.
        overwrite: write the archive again.
        workers: processes that encode masks; all cores if None. The bytes are the same for any number.

    Raises:
        InputError: the predictions are of another split, images or predictions are missing and ``allow_missing`` is not
            given, a class of the selection is not the benchmark's, or its server does not take the form; nothing is
            written then.
    """
    layout = require_layout(adapter)
    _require_split(store, split)
    selection.check(adapter.labels)
    frames = adapter.frames(split)
    _require_text(frames)
    if not allow_missing:
        _require_all(adapter, split, frames, store)
    packer: _Packer = FramePacker(layout, adapter.labels, selection, one_bit)
    if form == "coco":
        packer = _coco_packer(adapter, frames, selection, out, image_list)
    elif out.suffix.lower() == ".json":
        raise InputError(
            out, found="a name of JSON for a zip of text files and masks", expected="a name such as submission.zip",
            fix="Choose another --out; --form coco writes JSON where the server takes it.",
        )  # fmt: skip
    identity = {
        "benchmark": adapter.name,
        "profile": adapter.profile,
        "split": split,
        "images": len(frames),
        "images_expected": adapter.frames_expected(split) or len(frames),
        "predictions_sha256": store.digest(),
        "selection": selection.to_json(),
        "one_bit": one_bit,
        "form": form,
        "image_list_sha256": file_digest(image_list) if image_list else None,
        "robsub": __version__,
    }
    manifest_path = out.parent / f"{out.name}.manifest.json"
    manifest = None if overwrite else _finished(out, manifest_path, identity)
    reused = manifest is not None
    if manifest is None:
        if not (overwrite or manifest_path.exists()):
            _require_free(out)
        packing = _Packing(store, ClassNames.of(adapter), packer)
        with atomic_path(out) as temporary:
            contents = packer.write(temporary, _pack_all(packing, adapter.name, frames, workers))
            list_beside(out).unlink(missing_ok=True)  # it would be of other results
            manifest = {**identity, "contents": contents, "sha256": file_digest(temporary)}
            write_json(manifest_path, manifest)  # first: no archive of ours ever stands without one
    report = verify(adapter, out, split, image_list=image_list, allow_missing=allow_missing, workers=workers)
    return Package(out, manifest, report, reused, layout.zip_limit_mb, tuple(store.notes()))


def _coco_packer(
    adapter: DatasetAdapter, frames: Sequence[Frame], selection: Selection, out: Path, image_list: Path | None
) -> CocoPacker:
    member = require_coco(adapter).member
    bare = out.suffix.lower() == ".json"
    return CocoPacker(coco_ids(adapter, frames, image_list), adapter.labels, selection, None if bare else member)


class _Packer(Protocol):
    """What makes one form of submission, frame by frame."""

    def pack(self, frame: str, given: Sequence[Prediction]) -> Any: ...

    def write(self, path: Path, frames: Iterable[Any]) -> dict[str, Any]: ...


@dataclass(frozen=True)
class _Packing:
    """All that a worker process needs to pack a frame."""

    store: PredictionStore
    names: ClassNames
    packer: _Packer

    def pack(self, frame: Frame) -> Any:
        found = self.store.predictions(frame.name, image_size(frame.image)) or []
        return self.packer.pack(frame.name, self.names.predictions(found))


def _pack_all(packing: _Packing, name: str, frames: Sequence[Frame], workers: int | None) -> Iterator[Any]:
    packed = in_order(packing.pack, frames, workers)
    yield from tqdm(packed, f"package {name}", len(frames), unit="image", disable=None)


def _finished(out: Path, manifest_path: Path, identity: dict[str, Any]) -> dict[str, Any] | None:
    """The manifest of an archive that is whole and made of the same predictions; a damaged manifest is none."""
    try:
        manifest = read_json(manifest_path, "the manifest of an archive")
    except InputError:
        return None
    if not (out.is_file() and isinstance(manifest, dict) and isinstance(manifest.get("contents"), dict)):
        return None
    same = all(manifest.get(key) == value for key, value in identity.items())
    return manifest if same and manifest.get("sha256") == file_digest(out) else None


def _require_text(frames: Sequence[Frame]) -> None:
    """A zip's member names are text; names of files need not be."""
    for frame in frames:
        if not frame.name.isprintable():  # a byte that is no UTF-8 is a lone surrogate here
            raise InputError(
                frame.image, found="a name with bytes that are no text", expected="the benchmark's own file name",
                fix="Rename the file as the data set has it.",
            )  # fmt: skip


def _require_free(out: Path) -> None:
    if out.exists():
        raise InputError(
            out, found="a file that robsub did not write, or that lost its manifest", expected="a free name",
            fix="Choose another with --out, or replace it with --overwrite.",
        )  # fmt: skip


def _require_split(store: PredictionStore, split: Split) -> None:
    """Frames of two splits may share their names, as those of KITTI's training and testing do."""
    if not store.covers(split):
        raise InputError(
            store.path / MANIFEST, found=f"predictions of split {store.manifest['split']!r}",
            expected=f"predictions of {split!r}", fix="Name the right store with --predictions, or this one's --split.",
        )  # fmt: skip


def _require_all(adapter: DatasetAdapter, split: Split, frames: Sequence[Frame], store: PredictionStore) -> None:
    expected = adapter.frames_expected(split)
    if expected is not None and len(frames) < expected:
        raise InputError(
            adapter.root, found=f"{len(frames)} images of split {split!r}: {expected - len(frames)} are missing",
            expected=f"all {expected}, because {adapter.title}'s server rejects an incomplete archive",
            fix="Complete the data set, or package what is there with --allow-missing.",
        )  # fmt: skip
    if missing := missing_frames(frames, store):
        raise InputError(
            store.path, found=f"no predictions for {len(missing)} of {len(frames)} images, first {missing[0]}",
            expected="predictions for every image",
            fix="Predict the rest with 'robsub predict', or package them as empty with --allow-missing.",
        )  # fmt: skip

"""What every benchmark's adapter offers: its frames, their ground truth, its labels and its submission layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Literal, Self, get_args

from dataset_adapters.annotations.cache import CacheEntry, is_settled, sources_stamp
from dataset_adapters.annotations.coding import InstanceCoding
from dataset_adapters.annotations.instance_map import annotation_of
from dataset_adapters.folders import existing, misplaced
from dataset_adapters.ground_truth import GroundTruth
from dataset_adapters.json_files import open_json
from dataset_adapters.labels import LabelTable
from dataset_adapters.options import Options
from dataset_adapters.problems import InputError, Problem, Severity
from dataset_adapters.submission.coco_layout import CocoSubmission
from dataset_adapters.submission.layout import SubmissionLayout

Split = Literal["train", "val", "trainval", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

COUNTS_FILE = "frames_expected.json"
"""Optional file in a data set's folder: {"train": 60, ...}, the frames of a subset or of made data."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One image of a split.

    Attributes:
        name: the benchmark's own name, e.g. ``frankfurt_000000_000294``; unique in the data set.
        image: path of the photo.
        ground_truth: path of its annotation, or None where the split has none.
    """

    name: str
    image: Path
    ground_truth: Path | None


class DatasetAdapter(ABC):
    """Everything the project knows of one benchmark's files.

    Args:
        root: the data set's own folder, ``<data root>/<name>``.
        options: the user's choices.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    """The name as the benchmark writes it."""
    labels: ClassVar[LabelTable]
    splits: ClassVar[Mapping[Split, int | None]]
    """Official number of frames of each split, None if no source gives it; a split that the data set lacks is missing
    here."""
    submission: ClassVar[SubmissionLayout | None] = None
    """Layout of a native submission, None for training data."""
    coco_submission: ClassVar[CocoSubmission | None] = None
    """Layout of a submission as COCO results, None where the server takes none."""
    class_map: ClassVar[Mapping[str, str]]
    """Native label name -> class of the joint space, for every label that training uses."""
    known_by: ClassVar[tuple[str, ...]]
    """Names of folders or files, one of which stands directly in the data set's folder."""
    profile: ClassVar[str] = ""
    """Which release or coding of the data set this class reads, where there are several."""
    family: ClassVar[type[DatasetAdapter]]
    """The data set's class from which those of its other profiles are derived."""
    release_folders: ClassVar[tuple[str, ...]] = ()
    """Folders that only this profile's archives have, where there are several profiles."""
    objects_overlap: ClassVar[bool] = False
    """Whether a pixel may belong to several objects."""
    protocol: ClassVar[str]
    """Name of the protocol that evaluates it; the data set's own name unless a profile has another."""
    coding: ClassVar[InstanceCoding | None] = None
    """How a pixel value holds label and instance, where the ground truth is one 16-bit map."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "protocol" not in vars(cls) and "name" in vars(cls):
            cls.protocol = cls.name
        if not hasattr(cls, "family") and "name" in vars(cls):
            cls.family = cls

    def __init__(self, root: Path, options: Options | None = None) -> None:
        self.root = root
        self.options = options or Options()

    @classmethod
    def open(cls, root: Path, options: Options | None = None) -> Self:
        """The adapter of the profile that the files at ``root`` have, or that the options force.

        Raises:
            InputError: the options name a profile that the data set does not have.
        """
        profiles = {profile.profile: profile for profile in cls.all_profiles()}
        forced = (options or Options()).profiles.get(cls.name)
        if forced is not None and forced not in profiles:
            known = (
                f"one of {', '.join(profiles)} for {cls.title}" if cls.profile else f"none: {cls.title} has one edition"
            )
            raise InputError(
                root, found=f"a request for profile {forced!r}", expected=known,
                fix="Leave it out to have the profile recognised.",
            )  # fmt: skip
        return profiles[forced or cls.recognise(root)](root, options)

    @classmethod
    def all_profiles(cls) -> Iterator[type[Self]]:
        """This class and those below it: one for every profile of the data set."""
        yield cls
        for below in cls.__subclasses__():
            yield from below.all_profiles()

    @classmethod
    def recognise(cls, root: Path) -> str:
        """The profile of the files at ``root``; this class's own where it has only one, or nothing is there."""
        return cls.profile

    @classmethod
    def is_here(cls, root: Path) -> bool:
        """Whether a folder is there that only this profile's archives have."""
        return any((root / folder).is_dir() for folder in cls.release_folders)

    @abstractmethod
    def list_frames(self, split: Split) -> list[Frame]:
        """The split's frames that are on disk, in any order; empty when there are none."""

    @abstractmethod
    def read_ground_truth(self, frame: Frame) -> GroundTruth:
        """Read one frame's annotation from its native files.

        Raises:
            InputError: the frame has no annotation, or its file is not what the benchmark defines.
        """

    def ground_truth(self, frame: Frame) -> GroundTruth:
        """One frame's annotation, from the cache where the options name one and no file has changed since.

        Raises:
            InputError: as ``read_ground_truth``.
        """
        if self.options.cache is None:
            return self.read_ground_truth(frame)
        reader, files = self.reader, self.ground_truth_files(frame)
        entry = CacheEntry.of(self.options.cache, reader, frame.name, annotation_of(frame), self.labels)
        stamp, latest = sources_stamp(reader, files)
        if truth := entry.load(stamp):
            return truth
        truth = self.read_ground_truth(frame)
        if is_settled(latest) and sources_stamp(reader, files)[0] == stamp:
            entry.store(stamp, truth)
        return truth

    @property
    def reader(self) -> str:
        """Name of this way to read ground truth; two adapters with the same read the same from the same files."""
        return " ".join((self.name, self.profile, *self.choices.values()))

    @property
    def choices(self) -> Mapping[str, str]:
        """The options on which its ground truth depends, as a result tells them; empty where there are none."""
        return {}

    def ground_truth_files(self, frame: Frame) -> list[Path]:
        """Every file that a frame's ground truth depends on, whether it is there or not."""
        return [annotation_of(frame), frame.image]

    def annotations(self) -> Iterator[Path]:
        """The annotation files on disk, to find those without a photo; empty where one file is for all frames."""
        return iter(())

    def photo_patterns(self, split: Split) -> tuple[str, ...]:
        """Where the split's photos are, as shell patterns below the root."""
        return ()

    def photos(self, split: Split) -> Iterator[Path]:
        """The photos that the patterns find."""
        for pattern in self.photo_patterns(split):
            yield from existing(self.root, pattern)

    def stray_photos(self, split: Split) -> Iterator[Path]:
        """Photos that the benchmark's own code passes over, for their names are written in another case."""
        for pattern in self.photo_patterns(split):
            for photo in existing(self.root, pattern, any_case=True):
                if not fnmatchcase(photo.relative_to(self.root).as_posix(), pattern):
                    yield photo

    def remarks(self) -> Iterator[Problem]:
        """What is there but is left aside, each with the reason."""
        for other in self.family.all_profiles():
            if other.profile != self.profile and self.is_here(self.root) and other.is_here(self.root):
                yield remark(
                    "other-release", self.root, found=f"{self.title} beside another release of it, {other.profile}",
                    expected=f"one of the two: {self.profile} is read",
                    fix=f"Read the other with --profile {self.name}={other.profile}.",
                )  # fmt: skip

    def frames(self, split: Split) -> list[Frame]:
        """The split's frames in name order.

        Raises:
            InputError: the data set, or this split of it, is not there; says where it is if it is near. Or two photos
                have one name.
        """
        if split not in self.splits:
            raise InputError(
                self.root, found=f"a request for split {split!r}",
                expected=f"one of {', '.join(self.splits)}: {self.title} has no other split",
                fix="Choose one of these with --split.",
            )  # fmt: skip
        frames = sorted(self.list_frames(split), key=lambda frame: frame.name) if self.root.is_dir() else []
        if not frames:
            raise self.absent(split)
        for one, other in pairwise(frames):
            if one.name == other.name:
                raise InputError(
                    one.image, found=f"frame {one.name} a second time, at {other.image}", expected="every frame once",
                    fix="Delete the copy, or mend the lists of the splits; 'robsub datasets' names all.",
                )  # fmt: skip
        return frames

    def misplaced(self) -> tuple[str, str] | None:
        """Why the folder seems empty: (what was found, how to mend it), or None if nothing explains it."""
        return misplaced(self.root, self.known_by)

    def absent(self, split: Split) -> InputError:
        """The error for a split, or a whole data set, that is not there."""
        near = self.misplaced()
        if not self.root.is_dir():
            found, fix = near or ("no such folder", "Put the data there, or name another folder with --data-root.")
            return InputError(self.root, found=found, expected=f"the folder of the {self.title} data set", fix=fix)
        stray = next(self.stray_photos(split), None)
        if stray:
            near = f"{stray}, a name in another case", f"Rename the files: {self.layout_hint(split)}."
        found, fix = near or ("no image", "Extract them there; docs/data.md says which archive has them.")
        count = self.frames_expected(split)
        images = "images" if count is None else f"{count} images"
        return InputError(
            self.root, found=found, expected=f"{images} of split {split!r}, {self.layout_hint(split)}", fix=fix
        )

    def frames_expected(self, split: Split) -> int | None:
        """How many frames the split should have: ``frames_expected.json`` of the folder, else the official count, None
        if that is not public."""
        return self._own_counts().get(split, self.splits[split])

    def layout_hint(self, split: Split) -> str:
        """Where the split's images belong below the root, for error messages."""
        return " or ".join(self.photo_patterns(split)) or f"in the folders that {self.title} ships"

    def frame_sets(self) -> Mapping[str, frozenset[str]]:
        """frame name -> the named sets it belongs to (WildDash's hazards and negatives); empty elsewhere."""
        return {}

    def _own_counts(self) -> dict[Split, int]:
        path = self.root / COUNTS_FILE
        if not path.is_file():
            return {}
        with open_json(
            path, what="table of counts", expected='JSON like {"train": 60, "val": 15}', fix="Mend or delete the file."
        ) as counts:
            if unknown := counts.keys() - set(SPLITS):
                raise ValueError(f"unknown split {min(unknown)!r}")
            if wrong := [split for split, count in counts.items() if type(count) is not int or count < 0]:
                raise ValueError(f"{wrong[0]} is {counts[wrong[0]]!r}")
            both = [counts.get(split) for split in ("train", "val")]
            return {**({} if None in both else {"trainval": sum(both)}), **counts}


def remark(code: str, file: Path, *, found: str, expected: str, fix: str) -> Problem:
    """A warning about a file that is not at fault enough to refuse."""
    return Problem(Severity.WARNING, code, str(file), found, expected, fix)


def every_fifth(frames: Iterable[Frame], split: Split) -> list[Frame]:
    """Split annotated frames where the benchmark has no validation split.

    ``val`` is the 5th, 10th, 15th, ... frame in name order, ``train`` the rest, ``trainval`` all.
    """
    ordered = sorted(frames, key=lambda frame: frame.name)
    if split == "trainval":
        return ordered
    return [f for i, f in enumerate(ordered) if (i % 5 == 4) == (split == "val")]

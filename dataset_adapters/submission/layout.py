"""The layout that the road benchmarks and ScanNet share: one text file an image, one mask PNG an object.

A line of the text file is ``<mask path relative to the text file> <label id> <confidence>``
(cityscapesScripts ``evalInstanceLevelSemanticLabeling.py``; the KITTI devkit's README; ScanNet's documentation).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class SubmissionLayout:
    """Where one benchmark wants its files.

    Attributes:
        list_name: path of a frame's text file below the root; ``{frame}`` stands for the frame's name.
        mask_name: path of a mask below the root; ``{frame}`` and ``{index}`` (0, 1, ...) are filled in.
        mask_link: how the text file writes that path: relative to the text file's own folder.
        label_digits: least number of digits of a label id; KITTI's README writes ``026``.
        zip_limit_mb: largest archive that the server is said to take, None when nobody knows.
        list_pattern: file name by which the official code finds a frame's text file, anywhere below the root.
        frame_name: regular expression of a frame's name; needed where ``list_pattern`` has a star.
        other_counts: numbers of frames that the test set has had, where an archive may have any of them.
        skip_unknown_labels: the official code passes over ids outside the table (ScanNet) where others crash.
        max_per_image: most predictions of an image that the benchmark takes, None where it takes any number.
        overlaps: masks of one image may share pixels; false where the benchmark wants each pixel once.
    """

    list_name: str
    mask_name: str
    mask_link: str
    label_digits: int = 1
    zip_limit_mb: int | None = None
    list_pattern: str = "{frame}.txt"
    frame_name: str = ".+"
    other_counts: tuple[int, ...] = ()
    skip_unknown_labels: bool = False
    max_per_image: int | None = None
    overlaps: bool = True

    def frame_of(self, list_name: str, *, any_case: bool = False) -> str | None:
        """The frame whose list a text file is by its name, or None.

        Args:
            list_name: path of the text file below the root; its folder does not matter.
            any_case: pass over upper and lower case, which the official code does not.
        """
        match = _list_regex(self.list_pattern, self.frame_name, any_case).fullmatch(list_name.rpartition("/")[2])
        return match["frame"] if match else None


@lru_cache
def _list_regex(list_pattern: str, frame_name: str, any_case: bool) -> re.Pattern[str]:
    escaped = re.escape(list_pattern).replace(r"\*", ".*").replace(r"\{frame\}", f"(?P<frame>{frame_name})")
    return re.compile(escaped, re.DOTALL | (re.IGNORECASE if any_case else re.NOFLAG))


PRED_LIST = SubmissionLayout(
    list_name="pred_list/{frame}.txt",
    mask_name="pred_img/{frame}_{index:03d}.png",
    mask_link="../pred_img/{frame}_{index:03d}.png",
    label_digits=3,
)
"""``pred_list/`` and ``pred_img/`` at the root: the KITTI devkit's layout, which the ROB 2018 devkit packs for all."""

"""ADE20K's classes that have a class in the joint space, as data.

Sources, by letter: ``P`` the Places challenge's ``categoryMapping.txt`` (Places id to full index) and
``instanceInfo100_train.txt`` (names); ``J`` the RVC devkit's ``joint_mapping.json`` (pairs ADE20K with Cityscapes and
ScanNet); ``C`` Cityscapes' own label policy, where a car may be a van and a motorcycle a moped; ``N`` the same noun in
a narrower or wider form, chosen here: an armchair is a chair.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdeClass:
    """One class.

    Attributes:
        index: its number in the full index, ``name_ndx`` of 2021 and R / 10 * 256 + G of ``_seg.png``.
        name: its first name.
        joint: its class in the joint space.
        places: its number among the 100 classes of the Places challenge; doors of two kinds share one.
        source: the letters above.
    """

    index: int
    name: str
    joint: str
    places: int
    source: str


ADE_CLASSES = (
    AdeClass(1831, "person", "person", 4, "PJ"),
    AdeClass(401, "car", "car", 9, "PJ"),
    AdeClass(2928, "van", "car", 65, "PC"),
    AdeClass(2880, "truck", "truck", 53, "PJ"),
    AdeClass(327, "bus", "bus", 50, "PJ"),
    AdeClass(1563, "minibike", "motorcycle", 74, "PC"),
    AdeClass(187, "bicycle", "bicycle", 83, "PJ"),
    AdeClass(350, "cabinet", "cabinet", 3, "PJ"),
    AdeClass(165, "bed", "bed", 1, "PJ"),
    AdeClass(471, "chair", "chair", 8, "PJ"),
    AdeClass(57, "armchair", "chair", 14, "PN"),
    AdeClass(2679, "swivel chair", "chair", 47, "PN"),
    AdeClass(2473, "sofa", "sofa", 11, "PJ"),
    AdeClass(2684, "table", "table", 6, "PJ"),
    AdeClass(571, "coffee table", "table", 37, "PN"),
    AdeClass(774, "door", "door", 5, "PN"),
    AdeClass(783, "double door", "door", 5, "PN"),
    AdeClass(3055, "windowpane", "window", 2, "PJ"),
    AdeClass(239, "bookcase", "bookshelf", 36, "PJ"),
    AdeClass(1735, "painting", "picture", 10, "PJ"),
    AdeClass(627, "counter", "counter", 27, "PN"),
    AdeClass(629, "countertop", "counter", 42, "PN"),
    AdeClass(724, "desk", "desk", 17, "PJ"),
    AdeClass(687, "curtain", "curtain", 7, "PJ"),
    AdeClass(2096, "refrigerator", "refrigerator", 30, "PJ"),
    AdeClass(2793, "toilet", "toilet", 38, "PJ"),
    AdeClass(2388, "sink", "sink", 28, "PJ"),
    AdeClass(155, "bathtub", "bathtub", 20, "PJ"),
)
"""Without a class in ADE20K: rider, train, shower curtain, otherfurniture."""

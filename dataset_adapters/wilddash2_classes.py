"""WildDash 2's finer categories, as data.

The benchmark and the first release have the categories 0 to 38. The present release, ``wd_public_v2p0``, has 81, and
the benchmark still has the 39 (RVC devkit, issue #54): each finer one counts as one of these.

Source: ``wd2_unified_label_policy.json`` of wilddash_scripts, ``per_ds.wd2`` (ids and names) and ``mapping`` (what a
category is for Cityscapes; where that is void, it is unlabeled for the benchmark).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FinerCategory:
    """One category that the benchmark does not tell apart.

    Attributes:
        id: its ``category_id`` in ``panoptic.json``.
        name: its name there.
        cs_name: the label that it counts as, which Cityscapes and the benchmark have under the same name.
    """

    id: int
    name: str
    cs_name: str


FINER_CATEGORIES = (
    FinerCategory(39, "junctionbox", "static"),
    FinerCategory(40, "mailbox", "static"),
    FinerCategory(41, "manhole", "road"),
    FinerCategory(42, "phonebooth", "static"),
    FinerCategory(43, "pothole", "road"),
    FinerCategory(44, "bikerack", "static"),
    FinerCategory(45, "trafficsignframe", "pole"),
    FinerCategory(46, "utilitypole", "pole"),
    FinerCategory(47, "motorcyclist", "rider"),
    FinerCategory(48, "bicyclist", "rider"),
    FinerCategory(49, "otherrider", "rider"),
    FinerCategory(50, "bird", "dynamic"),
    FinerCategory(51, "groundanimal", "dynamic"),
    FinerCategory(52, "curb", "sidewalk"),
    FinerCategory(53, "trafficsignany", "static"),
    FinerCategory(54, "trafficsignback", "static"),
    FinerCategory(55, "trashcan", "static"),
    FinerCategory(56, "otherbarrier", "wall"),
    FinerCategory(57, "othervehicle", "dynamic"),
    FinerCategory(58, "autorickshaw", "motorcycle"),
    FinerCategory(59, "bench", "static"),
    FinerCategory(60, "mountain", "static"),
    FinerCategory(61, "tramtrack", "road"),
    FinerCategory(62, "wheeledslow", "dynamic"),
    FinerCategory(63, "boat", "dynamic"),
    FinerCategory(64, "bikelane", "road"),
    FinerCategory(65, "bikelanesidewalk", "sidewalk"),
    FinerCategory(66, "banner", "dynamic"),
    FinerCategory(67, "dashcammount", "ego vehicle"),
    FinerCategory(68, "water", "ground"),
    FinerCategory(69, "sand", "ground"),
    FinerCategory(70, "pedestrianarea", "road"),
    FinerCategory(71, "firehydrant", "static"),
    FinerCategory(72, "cctvcamera", "static"),
    FinerCategory(73, "snow", "ground"),
    FinerCategory(74, "catchbasin", "road"),
    FinerCategory(75, "crosswalkplain", "road"),
    FinerCategory(76, "crosswalkzebra", "road"),
    FinerCategory(77, "manholesidewalk", "sidewalk"),
    FinerCategory(78, "curbterrain", "terrain"),
    FinerCategory(79, "servicelane", "road"),
    FinerCategory(80, "curbcut", "sidewalk"),
)

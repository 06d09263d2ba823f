"""The places and days that the road data sets are drawn in."""

from __future__ import annotations

from robsub.demo.backdrop import Look

CITY = Look(
    sky=((150, 168, 190), (214, 222, 226)),
    facades=((150, 138, 122), (128, 120, 116), (168, 150, 124), (112, 118, 122)),
    foliage=((56, 92, 48), (74, 104, 52)), road=(92, 94, 98), verge=(140, 134, 130), light=0.97,
)  # fmt: skip
SUBURB = Look(
    sky=((96, 150, 214), (206, 226, 240)), facades=((206, 186, 150), (190, 116, 92), (222, 214, 200)),
    foliage=((70, 120, 44), (150, 130, 46), (176, 112, 40)), road=(112, 108, 104), verge=(104, 128, 62),
    verge_label="terrain", light=1.06, trees=5.0,
)  # fmt: skip
DESERT = Look(
    sky=((120, 176, 222), (236, 222, 190)), facades=((214, 180, 130), (200, 150, 104)), foliage=((110, 120, 60),),
    road=(126, 114, 100), verge=(206, 170, 116), verge_label="terrain", light=1.08, trees=1.5,
)  # fmt: skip
DUSK = Look(
    sky=((60, 54, 100), (238, 150, 96)), facades=((84, 74, 92), (98, 80, 84)), foliage=((40, 52, 44),),
    road=(74, 70, 82), verge=(92, 84, 92), light=0.9, noise=6.0,
)  # fmt: skip
WINTER = Look(
    sky=((176, 184, 196), (232, 234, 238)), facades=((150, 146, 150), (120, 112, 116)), foliage=((92, 98, 92),),
    road=(104, 106, 112), verge=(222, 226, 232), verge_label="terrain", light=1.0,
)  # fmt: skip
JUNGLE = Look(
    sky=((130, 178, 200), (220, 232, 226)), facades=((170, 110, 84), (90, 140, 130)),
    foliage=((36, 96, 44), (60, 120, 40)), road=(96, 88, 84), verge=(132, 96, 66), verge_label="terrain", trees=8.0,
)  # fmt: skip
WORLD = (CITY, SUBURB, DESERT, DUSK, WINTER, JUNGLE)
"""All of them: WildDash travels the world."""

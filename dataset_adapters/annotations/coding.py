"""Instance codings: how one 16-bit pixel value holds a label and the number of an object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class InstanceCoding:
    """``label * base + number``.

    Attributes:
        base: values that a label has; ``base - 1`` is the greatest number an object can have.
        first: the number of a label's first object.
        bare_labels: a value below ``base`` is a label without any number (Cityscapes: stuff, or a group of objects).
    """

    base: int
    first: int
    bare_labels: bool = False

    def decode(self, value: int) -> tuple[int, bool]:
        """Pixel value -> (label id, whether its pixels are of no single object)."""
        if self.bare_labels and value < self.base:
            return value, True
        label, number = divmod(value, self.base)
        return label, number < self.first

    def full_labels(self, values: Iterable[int]) -> list[int]:
        """The label ids whose last number is in use: one more object, and it is counted to the next label.

        The ROB 2018 devkit does that to Cityscapes' object 255 when it converts to ``label * 256``.
        """
        last = (value for value in values if value >= self.base and value % self.base == self.base - 1)
        return sorted(self.decode(value)[0] for value in last)

"""JSON text, read as the standard library reads it."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_adapters.json_files import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_values_are_those_of_the_standard_library(value: object) -> None:
    for ascii_only in (False, True):
        text = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
        assert repr(parse_json(text)) == repr(json.loads(text))


def test_what_orjson_refuses_is_read_all_the_same() -> None:
    assert math.isnan(parse_json(b'{"score": NaN}')["score"])
    assert parse_json(b'["\\udcff", Infinity]') == ["\udcff", math.inf]
    with pytest.raises(RecursionError):
        parse_json(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize("text", [b"", b"[1", b'{"a": 1} 2', b"\xff", b"[1,]"])
def test_damage_is_told_as_the_standard_library_tells_it(text: bytes) -> None:
    with pytest.raises(ValueError) as expected:
        json.loads(text)
    with pytest.raises(ValueError, match=re.escape(str(expected.value))):
        parse_json(text)

"""Writing: whole or not at all, and a reason when it fails."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from dataset_adapters.problems import InputError
from robsub.files import atomic_path, explain, read_json, write_json, write_text


def test_a_file_takes_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.txt"
    write_text(path, "one")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half of")
        assert path.read_text() == "one"
        raise RuntimeError("stopped")
    assert path.read_text() == "one"
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_command_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".a.txt.tmp").write_text("left over and longer than the new text")
    write_text(tmp_path / "a.txt", "new")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


def test_failures_name_the_file_and_the_fix(tmp_path: Path) -> None:
    def full(path: Path) -> None:
        with atomic_path(path):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(InputError, match=r"a\.json: found no space left on device, expected room for it\. Free some"):
        full(tmp_path / "a.json")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file exists"):
        write_text(tmp_path / "file" / "b.txt", "x")
    assert "Check the path" in str(explain(FileNotFoundError(errno.ENOENT, "No such file", "x")))


def test_json_refuses_nan_and_names_a_damaged_file(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert read_json(tmp_path / "a.json", "numbers") == {"a": [1, None]}
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.json: found no JSON .*, expected numbers"):
        read_json(tmp_path / "a.json", "numbers")


def test_a_link_stays_one_and_a_pipe_is_written_to(tmp_path: Path) -> None:
    (tmp_path / "target.json").write_text("old")
    (tmp_path / "link.json").symlink_to("target.json")
    write_json(tmp_path / "link.json", [1])
    assert (tmp_path / "link.json").is_symlink()
    assert json.loads((tmp_path / "target.json").read_text()) == [1]
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_text(tmp_path / "pipe", "text")
    assert os.read(reader, 10) == b"text"
    os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_a_name_that_is_no_text_is_written_as_an_escape(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"file": "a\udcff.png"})
    assert read_json(tmp_path / "a.json", "a name") == {"file": "a\udcff.png"}

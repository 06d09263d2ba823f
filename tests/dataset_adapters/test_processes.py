"""One job in many processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dataset_adapters import processes
from dataset_adapters.processes import in_order


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TRIAL_S", 0)
    monkeypatch.setattr(processes, "START_S", 0)


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_order_and_the_first_failure_ends_it(workers: int) -> None:
    assert list(in_order(abs, range(-200, 0), workers)) == list(range(200, 0, -1))
    with pytest.raises(TypeError, match="bad operand type"):
        list(in_order(abs, [*range(50), "none", *range(50)], workers))


SLEEPERS = """
import time
from dataset_adapters import processes
processes.TRIAL_S = processes.START_S = 0
if __name__ == "__main__":
    try:
        for done, _ in enumerate(processes.in_order(time.sleep, [0.02] * 5000, 2)):
            if done % 20 == 0:
                print(done, flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
"""


def test_ctrl_c_is_told_once(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS)
    program = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )  # fmt: skip
    assert program.stdout is not None
    while int(program.stdout.readline()) < 20:  # both processes are at work
        pass
    begin = time.monotonic()
    os.killpg(program.pid, signal.SIGINT)
    said, complaints = program.communicate(timeout=60)
    assert said.splitlines()[-1] == "stopped"
    assert complaints == ""
    assert program.returncode == 0
    assert time.monotonic() - begin < 30

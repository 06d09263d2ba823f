"""Running commands in this process as a user types them."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from cli import main


def robsub(*arguments: str | Path) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(a) for a in arguments])


def run(*arguments: str | Path) -> str:
    """Run a command that must succeed; returns what it printed."""
    result = robsub(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def refusal(*arguments: str | Path) -> str:
    """Run a command that must refuse with one paragraph; returns it."""
    result = robsub(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    return " ".join(result.output.split())

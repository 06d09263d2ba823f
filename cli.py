"""The click commands: parse, call one function, print."""

import click


@click.group()
def main() -> None:
    """Train one instance-segmentation model for many benchmarks."""

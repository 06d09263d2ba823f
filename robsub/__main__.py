"""``python -m robsub``, which torchrun needs."""

from cli import main

main(prog_name="robsub")

"""robsub: one instance-segmentation model for many benchmarks."""

__version__ = "0.1.0"

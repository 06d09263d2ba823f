"""The metrics: match one image, reduce, curves, result. NumPy and pycocotools, never torch."""

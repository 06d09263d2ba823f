"""The files of every benchmark, one module each. NumPy, Pillow and pycocotools, never torch."""

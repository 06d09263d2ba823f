"""Reading ground truth: instance maps and their codings, polygons, panoptic files, distances, frame sets, the cache."""

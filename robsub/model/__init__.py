"""The NL-RoI Mask R-CNN, on torchvision's parts."""

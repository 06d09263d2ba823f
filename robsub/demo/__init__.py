"""The demonstration: made data sets of all five kinds, and the whole path over them."""

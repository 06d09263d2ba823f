"""Native submissions: their layout, written, read in place, and checked for every fault."""

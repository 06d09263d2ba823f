"""One module per data set: which scenes it has, and how its files are named and coded."""

"""The first page of the administration: what there is, how fast it moves, what stands in the way."""

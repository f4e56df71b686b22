"""Reading, packing, grouping and augmenting images."""

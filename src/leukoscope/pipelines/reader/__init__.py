"""The part of the pipelines `predict`, `explain`, `promote` and `export` that chooses the second reader."""

import numpy as np

from leukoscope.models.cell_batches import plan_batches


def test_fields_are_read_in_batches_of_few_shapes():
    cells = [0, 1, 3, 5, 40, 3, 4, 300, 2, 2, 2]
    batches = list(plan_batches(cells, 16))
    assert sorted(np.concatenate([batch.fields for batch in batches]).tolist()) == list(range(len(cells)))
    for batch in batches:
        assert all(cells[field] <= batch.slots for field in batch.fields)
        assert len(batch.fields) <= batch.rows
        assert batch.slots * batch.rows <= max(16, batch.slots)
    shapes = {(batch.slots, batch.rows) for batch in batches}
    assert shapes == {(1, 2), (2, 4), (4, 4), (8, 1), (64, 1), (512, 1)}

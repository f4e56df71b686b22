"""Doubtful labels as the pipeline lists and draws them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd

from leukoscope.evaluation.predictions import tabulate_probabilities
from leukoscope.pipelines.label_issues import nodes


def test_doubtful_images_are_listed_with_their_paths_and_drawn(class_names, caplog):
    truth = np.tile(np.arange(4), 25)
    labels = truth.copy()
    labels[0] = 1
    ids = [f"{number:02d}" for number in range(100)]
    table = tabulate_probabilities(0.05 + 0.8 * np.eye(4)[truth], class_names)
    table = table.assign(image_id=ids, label=np.array(class_names)[labels], group=ids)
    manifest = pd.DataFrame({"image_id": ids, "path": [f"raw/{name}.jpg" for name in ids]})
    with caplog.at_level("INFO"):
        found = nodes.find_label_issues({"vgg16": lambda: table}, manifest, class_names)
    assert found[["image_id", "path", "label", "suggested"]].to_numpy().tolist() == [
        ["00", "raw/00.jpg", class_names[1], class_names[0]]
    ]
    assert "1 of 100 labels are doubtful" in caplog.text
    smears = SimpleNamespace(pixels=np.full((100, 8, 8, 3), 200, np.uint8), rows=lambda names: [int(n) for n in names])
    figure = nodes.draw_label_issues(found, smears)
    assert figure.axes[0].get_title() == f"{class_names[1]}: {class_names[0]}?"
    assert nodes.draw_label_issues(found.iloc[:0], smears).get_suptitle() == "There is none"

"""What a comparison of two models gives."""

import pandas as pd


def make_comparison() -> dict:
    """Make the tables of a comparison, of which the second model is better than stain colour."""
    figures = {"test_accuracy": [0.8, 0.9], "test_accuracy_low": [0.7, 0.85], "test_accuracy_high": [0.88, 0.95]}
    figures |= {"test_macro_f1": [0.79, 0.89], "test_auc": [0.94, 0.97], "test_images": 96}
    costs = {"epochs": [8, 40], "seconds_per_epoch": [7.46, 12.0]}
    names = {"model": ["resnet50", "vgg16"], "title": ["ResNet50", "VGG16"], "splits": "now"}
    comparison = pd.DataFrame(names | figures | costs | {"drawn_images": 640, "accepted_images": 640})
    pairs = [("resnet50", "vgg16", -0.1, True), ("resnet50", "colour_histogram", 0.3, False)]
    pairs.append(("vgg16", "colour_histogram", 0.4, True))
    differences = pd.DataFrame(pairs, columns=["first", "second", "difference", "shown"])
    colour = {"splits": "now", "accuracy": 0.5, "low": 0.4, "high": 0.6}
    return {"comparison": comparison, "colour_baseline": colour, "differences": differences}

"""Using trained classifiers: prediction, explanation, export."""

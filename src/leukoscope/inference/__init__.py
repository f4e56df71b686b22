"""What trained classifiers say: prediction, explanation, export."""

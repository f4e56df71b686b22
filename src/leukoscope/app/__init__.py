"""The review page: a second reader's predictions for smears, in a browser on the same machine."""

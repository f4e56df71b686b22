"""The review page: a second reader's opinions on smears, in a browser on the same machine."""

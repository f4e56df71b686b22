"""The individual leukocytes of a field: where they are and what they look like."""

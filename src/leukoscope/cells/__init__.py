"""The leukocytes of a field: where they are, what they look like, one by one."""

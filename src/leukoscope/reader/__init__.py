"""The second reader: a classifier with everything that it needs to give an opinion."""

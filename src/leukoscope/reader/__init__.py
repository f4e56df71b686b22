"""The second reader: one classifier with all that it takes to give an opinion."""

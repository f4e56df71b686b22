"""What an accuracy is worth: how far one gets without seeing a cell, and how far when looks are kept apart."""

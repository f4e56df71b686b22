"""What an accuracy is worth: the accuracy reached without seeing cells, and with appearance clusters kept apart."""

"""What an accuracy is worth: how far one gets without a cell, and with appearance clusters kept apart."""

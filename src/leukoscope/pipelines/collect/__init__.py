"""What brings together what all models left behind."""

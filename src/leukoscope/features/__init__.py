"""Numbers that stand for pixels, without a network."""

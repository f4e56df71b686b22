"""What can be trained: architectures, networks, and what every classifier gives."""

"""A second reader in MLflow's model registry, and as a model that MLflow serves."""

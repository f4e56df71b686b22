"""The only package that reaches below Keras, into TensorFlow, JAX and torch."""

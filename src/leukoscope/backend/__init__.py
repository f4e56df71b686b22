"""The one room that reaches below Keras, into TensorFlow, JAX and torch."""

"""The pipeline `import_weights`."""

"""The layouts of public data sets, one per file; layouts that register themselves here are available by name."""

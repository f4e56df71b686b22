"""The pipeline `label_issues`."""

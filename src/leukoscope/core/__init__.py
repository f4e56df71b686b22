"""What everything stands on: errors, options, files, names, versions."""

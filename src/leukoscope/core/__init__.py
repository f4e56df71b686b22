"""The foundation of all other packages: errors, options, files, names, versions."""

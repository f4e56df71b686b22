"""Reports on images and classifiers, as self-contained pages and cards."""

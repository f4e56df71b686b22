"""Reports for people to read: what is known of images and classifiers, as pages and cards that stand alone."""

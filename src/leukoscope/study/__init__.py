"""Studies: plans of many trainings, where they run, and what is kept of each."""

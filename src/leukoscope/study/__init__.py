"""Studies: plans of many trainings, where they run, and what is stored of each."""

"""Speed, as ratios and medians within one run; `make bench` runs them all."""

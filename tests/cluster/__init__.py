"""Work on a cluster of two workers on this machine."""

"""What scripts/compare does: the situations, the tools, and the tables."""

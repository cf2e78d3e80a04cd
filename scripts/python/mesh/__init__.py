"""What scripts/mesh is made of: a fleet is visited, each host probes others, and the matrix says whose fault it is."""

"""What scripts/meshlab tries: scripts/mesh, and what deploy/ has, over networks that fail in known ways."""

"""What scripts/torture does: a module a topic, a function a case."""

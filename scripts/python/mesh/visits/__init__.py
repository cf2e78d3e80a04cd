"""Being on all hosts of a fleet for one round."""

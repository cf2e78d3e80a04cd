"""What scripts/netlab does: the network, the peers on it, and a module a topic of cases."""

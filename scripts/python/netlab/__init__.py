"""What scripts/netlab runs: the network, the servers on it, and a module of cases for each topic."""

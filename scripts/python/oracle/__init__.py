"""What scripts/oracle runs: a scripted peer behind a TUN device, its ledger, and what a client must say by it."""

"""What scripts/bench measures: our clients, beside plain C programs that do the same."""

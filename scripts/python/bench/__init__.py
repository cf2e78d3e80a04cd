"""What scripts/bench measures: our programs, beside plain C ones that do the same, and beside others."""

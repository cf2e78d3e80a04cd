"""Benchmarks: our clients beside plain C programs that do the same."""

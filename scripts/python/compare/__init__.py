"""What scripts/compare asks (the situations), of whom (the tools), and how it prints that (the tables)."""

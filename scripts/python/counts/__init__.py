"""The parts of scripts/counts: instructions and system calls, kept in the repository and compared."""

"""The parts of scripts/recording: what is typed, how it is recorded, how it is drawn."""

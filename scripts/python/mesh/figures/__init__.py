"""What fleets that are too large for this machine would come to: plans, costs, and how often blame is right."""

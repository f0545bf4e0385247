"""The room of networks that learn: one loop, and what it is given. Knows torch, no learner, no file but its checkpoint."""

"""Students learn from verified chains, write rollouts, and are measured."""

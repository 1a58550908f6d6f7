"""One packed batch format for every objective, and the attention that keeps documents apart."""

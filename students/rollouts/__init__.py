"""Students that write: the local decoder."""

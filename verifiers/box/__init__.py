"""The box: where code that nobody trusts runs."""

"""Stands in for vLLM where only the life of its process is tested."""

"""Generation: teachers, the store of what they wrote, questions, chains, curation."""

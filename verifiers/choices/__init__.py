"""Reading answers to multiple-choice questions: the options, and what a text claims of them."""

"""Errors of the students package.

StudentError            base of all below; the message is one plain sentence for a person
├── ModelError          a model or tokenizer cannot be loaded or built
├── DataError           rows cannot be trained on (no trainable token, a template that cannot mask)
└── TrackerError        a tracker's package is not installed
"""


class StudentError(Exception):
    """Base of the student package's errors."""


class ModelError(StudentError):
    """A model or tokenizer cannot be loaded or built."""


class DataError(StudentError):
    """Rows that cannot be trained on."""


class TrackerError(StudentError):
    """A tracker's package is not installed."""

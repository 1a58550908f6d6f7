"""Errors of the teachers.

TeacherError                a teacher cannot be used as asked; one plain sentence for a person
"""

from generators.errors import GeneratorError


class TeacherError(GeneratorError):
    """A teacher that cannot be used as asked; the message never holds a key."""

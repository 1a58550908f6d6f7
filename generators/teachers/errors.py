"""Errors of the teachers.

TeacherError                a teacher cannot be used as asked; one plain sentence for a person
└── TeacherRefusal          what the recipe says of it is wrong: its address, its key, its model
"""

from generators.errors import GeneratorError


class TeacherError(GeneratorError):
    """A teacher that cannot be used as asked; the message never holds a key."""


class TeacherRefusal(TeacherError):
    """A teacher that is not there, or refuses the key or the model: asking later is of no use."""

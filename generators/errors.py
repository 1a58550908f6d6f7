"""Errors of the generators package.

GeneratorError          base of all below; the message is one plain sentence for a person
├── SourceError         a question source cannot be read, or lacks a column
├── StoreError          a store cannot be opened, or is damaged and cannot be mended as things are
└── TeacherError        a teacher cannot be used as asked (generators.teachers.errors)
"""


class GeneratorError(Exception):
    """Base of the generator package's errors."""


class SourceError(GeneratorError):
    """A question source cannot be used."""


class StoreError(GeneratorError):
    """A store that cannot be opened, or is damaged and cannot be mended now."""

"""Errors that end a command.

PipelineError           exit status 1: the run failed, the message says why
├── ReportError         a run folder that cannot be reported on (pipelines.report.load)
└── UsageError          exit status 2: the user's mistake, in one sentence; nothing was written
"""


class PipelineError(Exception):
    """A run that failed."""

    status = 1


class UsageError(PipelineError):
    """A mistake in what the user asked for."""

    status = 2

"""Verifiers decide what is true: which chains are kept, what is rewarded, how students are graded.

A plug-in author needs only this package; it imports neither torch nor any model library.
"""

from verifiers.base import BrokenPlugin, UnknownVerifier, VerifierError
from verifiers.records import Completion, Group, Problem, Usage, Verdict
from verifiers.sampler import Request, Sampler

__all__ = [
    "BrokenPlugin",
    "Completion",
    "Group",
    "Problem",
    "Request",
    "Sampler",
    "UnknownVerifier",
    "Usage",
    "Verdict",
    "VerifierError",
]

"""Services: a task or block that others submit jobs to, for as long as the engine runs."""

from .jobs import Job
from .service import JobCounts, Service
from .threads import ThreadsafeJob, ThreadsafeService

__all__ = ["Job", "JobCounts", "Service", "ThreadsafeJob", "ThreadsafeService"]

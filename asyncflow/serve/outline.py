"""What services and jobs show of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from .._causes import brief
from .._show.outline import Facts, Outline, Table
from .._show.words import given, name_of, plain

if TYPE_CHECKING:
    from .jobs import Job
    from .service import Service

_ROWS: Final = 10


def of_service(service: Service[Any]) -> Outline:
    """The outline of a service: how many jobs run, wait and are over, and the last ones."""

    def parts() -> Iterator[Table]:
        jobs = service.jobs(limit=_ROWS)
        rows = [
            (name_of(job.id), job.state, "" if job.error is None else plain(brief(job.error))) for job in jobs
        ]
        yield Table("Submitted last", ("job", "state", "error"), rows, ())

    return Outline("Service", plain(f"{service.name}: {service._in_words()}"), parts)


def of_job(job: Job[Any]) -> Outline:
    """The outline of a job: where it stands, and what came of it."""

    def parts() -> Iterator[Facts]:
        if job.error is not None:
            yield Facts({"Error": plain(brief(job.error))})
        elif job.state == "SUCCEEDED":
            yield Facts({"Value": given(job.value)})

    return Outline("Job", plain(f"{job.id!r} of {job._service.name}: {job.state}"), parts)

"""All that is wrong with the wiring of a plan, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .tasks import Finding
from .words import counted, name_of, plain

_LONGEST = 2_000  # characters of each part


def told(findings: Sequence[Finding]) -> str:
    """Each finding with the user's line, the two ends and what would mend it.

    Args:
        findings: one at least.
    """
    lines = [f"{counted(len(findings), 'thing')} wrong with the wiring:"]
    for finding in findings:
        lines += _lines(finding)
    return "\n".join(lines)


def _lines(finding: Finding) -> Iterator[str]:
    yield f"  {plain(finding.where, _LONGEST) or 'somewhere'}"
    yield f"    {plain(finding.what, _LONGEST)}"
    if len(finding.ends) > 1:
        yield f"    between: {' -> '.join(map(name_of, finding.ends))}"
    if finding.mend:
        yield f"    mend: {plain(finding.mend, _LONGEST)}"

"""All that is wrong with the wiring of a plan, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .._show.words import counted, name_of, plain
from .tasks import Finding

_LONGEST = 2_000  # characters of each part


def all_as_text(findings: Sequence[Finding]) -> str:
    """Each finding with the user's line, the two ends and what would mend it."""
    text = [f"{counted(len(findings), 'thing')} wrong with the wiring:"]
    for finding in findings:
        where, *rest = as_lines(finding)
        text += [f"  {where}", *(f"    {line}" for line in rest)]
    return "\n".join(text)


def as_lines(finding: Finding) -> list[str]:
    """One finding: the user's line, and below it what is wrong, the two ends and the mend."""
    told = [plain(finding.where, _LONGEST) or "somewhere", plain(finding.what, _LONGEST)]
    if len(finding.ends) > 1:
        told.append(f"between: {' -> '.join(map(name_of, finding.ends))}")
    if finding.mend:
        told.append(f"mend: {plain(finding.mend, _LONGEST)}")
    return told

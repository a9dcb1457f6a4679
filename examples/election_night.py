"""An election night: in some precincts nobody voted, one has lost its box, and there is a result all the same.

python examples/election_night.py [precincts]
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter

from asyncflow import Outcome, Skip, WorkflowEngine, first_success, n_of, optional, outcome

PARTIES = ("Owls", "Herons", "Larks")
engine = WorkflowEngine()


@engine.function_task
def ballots(precinct: int) -> list[str]:
    """The votes of one precinct: of some there are none, and one is lost."""
    if precinct % 7 == 3:
        raise Skip("nobody voted")
    if precinct % 7 == 5:
        raise FileNotFoundError("the box is lost")
    return random.Random(precinct).choices(PARTIES, (5, 3, 2), k=100 + precinct)


@engine.function_task
def counted(votes: list[str]) -> Counter[str]:
    return Counter(votes)


@engine.function_task(retries=1, retry_delay=0)
async def postal(office: str) -> Counter[str]:
    """The votes that came by post, of which each office has the same list."""
    if office == "north":
        raise ConnectionError("the line is dead")
    await asyncio.sleep(60 if office == "far" else 0)
    return Counter(Owls=40, Larks=52)


@engine.function_task
def total(precincts: list[Outcome[Counter[str]]], by_post: Counter[str] | None) -> Counter[str]:
    """All that could be counted."""
    return sum((each.value for each in precincts if each.value is not None), by_post or Counter())


@engine.function_task
def missing(precincts: dict[int, Outcome[Counter[str]]]) -> list[str]:
    """What is not in the total, and why."""
    return [
        f"precinct {number}: {end.state}, {str(end.error).splitlines()[0]}"
        for number, end in precincts.items()
        if end.error is not None
    ]


@engine.function_task
async def checked(votes: Counter[str], team: int) -> str:
    """One of several teams has looked at the result. Not all are quick."""
    await asyncio.sleep(60 * (team == 2))
    return f"team {team}: {votes.total()} votes"


@engine.function_task
def posted(board: str, winner: str) -> str:
    return f"{board}: {winner}"


@engine.block(on_failure="stop")
async def announced(votes: Counter[str]) -> list[str]:
    """On all boards or, as soon as one of them fails, on no more of them."""
    winner = votes.most_common(1)[0][0] if votes else "nobody"
    return await asyncio.gather(*[posted(board, winner) for board in ("town hall", "market", "station")])


@engine.block
async def main(precincts: int) -> None:
    ends = {number: outcome(counted(ballots(number))) for number in range(1, precincts + 1)}
    by_post = first_success([postal(office) for office in ("north", "far", "south")])
    votes = total(list(ends.values()), optional(by_post))
    two_teams = n_of([checked(votes, team) for team in (1, 2, 3)], 2)
    boards = announced.with_options(after=two_teams)(votes)  # nothing is announced that two have not seen

    print(*await missing(ends), sep="\n")
    print(*await two_teams, sep="\n")
    print(", ".join(f"{party} {many}" for party, many in (await votes).most_common()))
    print(*await boards, sep="\n")


if __name__ == "__main__":
    engine.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 6)

from typing import assert_type

from asyncflow import TaskFuture, WorkflowEngine

engine = WorkflowEngine()


@engine.function_task
def load(path: str) -> list[float]:
    return [float(len(path))]


@engine.function_task
async def mean(rows: list[float], digits: int = 1) -> float:
    return round(sum(rows) / len(rows), digits)


@engine.block
async def report(paths: list[str]) -> float:
    rows = load(paths[0])
    assert_type(rows, TaskFuture[list[float]])
    assert_type(mean.map([rows, [1.0, 2.0]]), list[TaskFuture[float]])
    return await mean(rows, digits=2)  # a future of a list, and a plain number


assert_type(engine.run(report, ["a.csv"]), float)
print(engine.run(report, ["a.csv"]))

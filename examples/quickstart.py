"""asyncflow in ten lines: a decorated call gives a future, and a future as an argument draws the graph."""

from asyncflow import WorkflowEngine

engine = WorkflowEngine()


@engine.function_task
def count(text: str) -> int:
    return len(text.split())


@engine.function_task
def total(counts: list[int]) -> int:
    return sum(counts)


@engine.block
async def pipeline(texts: list[str]) -> int:
    counts = [count(text) for text in texts]  # runs in parallel: nothing is awaited here
    return await total(counts)


if __name__ == "__main__":
    print(engine.run(pipeline, ["the quick brown fox", "jumps over", "the lazy dog"]), "words")

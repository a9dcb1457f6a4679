"""Files: inputs that are there or made, and who writes where."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from asyncflow import InputFile, OutputFile, WorkflowEngine

from .kit import right, wrong


@wrong(
    "'count' reads 'tehre.csv', which is not there, and no task that it depends on makes it",
    "count",
    mend="check the path",
)
def a_misspelt_path(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def count(file: Path) -> str:
        return f"wc -l {file}"

    async def flow() -> str:
        return await count(InputFile("tehre.csv"))  # type: ignore[arg-type]  # here

    return flow


@wrong("'count' reads 'data/there.csv', which is not there", "count")
def a_path_in_a_folder_that_is_not_there(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def count(file=InputFile("data/there.csv")) -> str:
        return f"wc -l {file}"

    async def flow() -> str:
        return await count()  # here

    return flow


@wrong("reads 'file:///no/such/file', which is not there", "size")
def a_url_of_this_machine(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def size(file: Path) -> int: ...

    async def flow() -> int:
        return await size(InputFile("file:///no/such/file"))  # here

    return flow


@wrong(
    "'pack' reads 'numbers.txt', which is not there",
    "numbers",
    "pack",
    mend="'numbers' makes one: pass its  future.outputs['numbers.txt']",
)
def a_file_of_a_task_that_it_does_not_depend_on(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def numbers(out=OutputFile("numbers.txt")) -> str:
        return f"seq 3 > {out}"

    @engine.executable_task
    def pack(file=InputFile("numbers.txt")) -> str:
        return f"gzip {file}"

    @engine.block
    async def flow() -> Any:
        return numbers(), pack()  # here

    return flow


@wrong("'pack' reads 'number.txt', which is not there", "pack")
def a_misspelt_output(engine: WorkflowEngine) -> Any:
    engine._settings = replace(engine._settings, implicit_data=False)

    @engine.executable_task
    def numbers(out=OutputFile("numbers.txt")) -> str:
        return f"seq 3 > {out}"

    @engine.executable_task
    def pack(file=InputFile("number.txt")) -> str:
        return f"gzip {file}"

    async def flow() -> Any:
        return await pack.with_options(after=numbers())()  # here

    return flow


@wrong(
    "reads 'rows.csv', which could be an output of 'one' or of 'two'",
    "one",
    "two",
    "both",
    mend="InputFile(future.outputs['rows.csv'])",
)
def a_name_that_two_have_given(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def one(out=OutputFile("rows.csv")) -> str:
        return f"touch {out}"

    @engine.executable_task
    def two(out=OutputFile("rows.csv")) -> str:
        return f"touch {out}"

    @engine.executable_task
    def both(file=InputFile("rows.csv")) -> str:
        return f"cat {file}"

    async def flow() -> Any:
        return await both.with_options(after=[one(), two()])()  # here

    return flow


@wrong("would publish to", mend="")
def two_writers_at_once(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def save(n: int, out=OutputFile("n", to="result.txt")) -> str:
        return f"echo {n} > {out}"

    @engine.block
    async def flow() -> Any:
        first = save(1)
        return first, save(2)  # here

    return flow


@wrong("'save' and 'store' both publish to './result.txt', in no order", "save", "store", mend="after=")
def two_writers_that_would_race(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def save(out=OutputFile("n", to="result.txt")) -> str:
        return f"echo 1 > {out}"

    @engine.executable_task
    def store(out=OutputFile("m", to="./result.txt")) -> str:
        return f"echo 2 > {out}"

    @engine.function_task
    def look() -> int: ...

    @engine.block
    async def flow() -> Any:
        first = save()
        await look()
        return first, store()  # here

    return flow


@right
def files_that_are_there(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def count(file=InputFile("there.csv")) -> str:
        return f"wc -l {file}"

    @engine.function_task
    def size(file: Path) -> int: ...

    async def flow() -> Any:
        here = Path("there.csv").absolute()
        await size(InputFile(here))
        await size(InputFile(f"file://{here}"))
        await size(InputFile("folder"))
        return await count()

    return flow


@right
def files_from_elsewhere(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def size(file: Path) -> int: ...

    async def flow() -> Any:
        await size(InputFile("https://example.org/a.csv"))
        await size(InputFile("s3://bucket/a.csv"))
        return await size(InputFile("data:text/plain,hello"))

    return flow


@right
def files_that_tasks_make(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def numbers(n: int, out=OutputFile("numbers.txt")) -> str:
        return f"seq {n} > {out}"

    @engine.executable_task
    def pack(file=InputFile("numbers.txt"), out=OutputFile("all.gz", to="numbers.gz")) -> str:
        return f"gzip -c {file} > {out}"

    @engine.function_task
    def size(file: Path) -> int: ...

    @engine.block
    async def flow() -> Any:
        made = numbers(3)
        packed = pack.with_options(after=made)()
        before = await size(InputFile(made.outputs["numbers.txt"]))
        return before - await size(InputFile(packed.outputs["all.gz"]))

    return flow


@right
def files_that_were_published(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def save(out=OutputFile("n", to="result.txt")) -> str:
        return f"echo 1 > {out}"

    @engine.function_task
    def size(file: Path) -> int: ...

    async def flow() -> Any:
        await save()
        return await size(InputFile("result.txt"))

    return flow


@right
def files_that_commands_leave(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def make() -> str:
        return "seq 3 > left.txt"

    @engine.executable_task
    def read(before: str, file=InputFile("left.txt")) -> str:
        return f"cat {file}"

    async def flow() -> Any:
        return await read(make())

    return flow


@right
def files_that_a_function_writes(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def download() -> None:
        Path("fetched.csv").write_text("1")

    @engine.function_task
    def export(target: str) -> None: ...

    @engine.executable_task
    def count(file: Path) -> str:
        return f"wc -l {file}"

    async def flow() -> Any:
        await export("exported.csv")
        await count(InputFile("exported.csv"))  # type: ignore[arg-type]
        return await count.with_options(after=download())(InputFile("fetched.csv"))  # type: ignore[arg-type]

    return flow


@right
def writers_in_order(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def save(n: int, out=OutputFile("n", to="result.txt")) -> str:
        return f"echo {n} > {out}"

    async def flow() -> Any:
        await save(1)
        await save(2)
        return await save(3)

    return flow


@right
def writers_of_places_of_their_own(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def save(n: int, out: Any) -> str:
        return f"echo {n} > {out}"

    @engine.block
    async def flow() -> Any:
        return [save(n, OutputFile("n", to=f"result{n}.txt")) for n in range(3)]

    return flow


@right
def two_files_of_one_name_said_apart(engine: WorkflowEngine) -> Any:
    @engine.executable_task
    def make(n: int, out=OutputFile("rows.csv")) -> str:
        return f"seq {n} > {out}"

    @engine.executable_task
    def both(one: Any, two: Any) -> str:
        return f"cat {one} {two}"

    async def flow() -> Any:
        files = [make(n).outputs["rows.csv"] for n in (1, 2)]
        return await both(*(InputFile(each, name=f"{n}.csv") for n, each in enumerate(files)))

    return flow

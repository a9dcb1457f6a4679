"""Calls that a run would refuse, or that would never come to anything."""

from typing import Any

from asyncflow import WorkflowEngine

from .kit import right, wrong


@wrong("missing a required argument: 'degree'", mend="")
def an_argument_too_few(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[float], degree: int) -> float: ...

    async def flow() -> float:
        return await fit([1.0])  # type: ignore[call-overload,no-any-return]  # here

    return flow


@wrong("too many positional arguments")
def an_argument_too_many(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit([1.0], 2)  # type: ignore[call-overload,no-any-return]  # here

    return flow


@wrong("unexpected keyword argument 'dgree'")
def a_misspelt_keyword(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[float], degree: int = 1) -> float: ...

    async def flow() -> float:
        return await fit([1.0], dgree=2)  # here

    return flow


@wrong("asks for backend 'gpu', which this engine lacks")
def a_backend_that_the_engine_lacks(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit.with_options(backend="gpu")([1.0])  # here

    return flow


@wrong("was called after 500 other tasks", mend="example=")
def a_loop_that_does_not_end(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(former: float) -> float: ...

    async def flow() -> float:
        error = 1.0
        while error > 0.1:
            error = await fit(error)  # here
        return error

    return flow


@right
def a_loop_that_ends(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(former: Any = None):  # type: ignore[no-untyped-def]
        return former

    async def flow() -> Any:
        best = await fit()
        while best.error > 0.1:
            best = await fit(best)
        return best

    return flow


@right
def methods_keywords_and_defaults(engine: WorkflowEngine) -> Any:
    class Model:
        @engine.function_task
        def scale(self, factor: float, /, *more: float, offset: float = 0, **options: str) -> float: ...

    async def flow() -> Any:
        model = Model()
        return await model.scale(await model.scale(1, 2, 3, offset=1, mode="fast"))

    return flow


@right
def a_function_that_is_not_decorated(engine: WorkflowEngine) -> Any:
    def double(number: int) -> int: ...

    async def flow() -> int:
        return await engine.submit(double, await engine.submit(len, "abc"))

    return flow


@wrong("'fit' was given after='load', which is no future", mend="with_options(after=first)")
def a_name_to_wait_for(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> float: ...

    async def flow() -> float:
        return await fit.with_options(after="load")()  # type: ignore[arg-type]  # here

    return flow


@wrong("no option is called 'timout'")
def an_option_that_is_none(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> float: ...

    async def flow() -> float:
        return await fit.with_options(timout=3)()  # type: ignore[call-arg]  # here

    return flow


@wrong(
    "unexpected keyword argument 'timeout' (options go before the call:  fit.with_options(timeout=...)(...))"
)
def an_option_among_the_arguments(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit(rows: list[float]) -> float: ...

    async def flow() -> float:
        return await fit([1.0], timeout=3)  # here

    return flow

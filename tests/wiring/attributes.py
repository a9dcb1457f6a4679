"""What code asks of results."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from asyncflow import WorkflowEngine

from .kit import right, wrong


class Model:
    version = 3

    def __init__(self) -> None:
        self.error = 0.5
        self.weights: list[float] = []

    def predict(self, row: list[float]) -> float:
        return 0.0


class Quick:
    __slots__ = ("speed",)


class Dynamic:
    def __getattr__(self, name: str) -> int:
        return 1


class Loaded:
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


class Late:
    pass


class Better(Model):
    def __init__(self) -> None:
        super().__init__()
        self.margin = 1


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Result:
    score: float
    names: list[str] = field(default_factory=list)


def late() -> Late:
    made = Late()
    made.extra = 1  # type: ignore[attr-defined]
    return made


@wrong("'fit' gives a Model, which has no attribute 'eror'", "fit", mend="did you mean 'error'?")
def a_misspelt_attribute(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    @engine.block
    async def flow() -> float:
        model = await fit()
        return model.eror  # type: ignore[attr-defined,no-any-return]  # here

    return flow


@wrong("'fit' gives a Model, which has no attribute 'predcit'", "fit", mend="did you mean 'predict'?")
def a_misspelt_method(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> float:
        return (await fit()).predcit([1.0])  # type: ignore[attr-defined,no-any-return]  # here

    return flow


@wrong("'race' gives a Quick, which has no attribute 'weight'", "race")
def an_attribute_that_is_in_no_slot(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def race() -> Quick: ...

    async def flow() -> Any:
        return (await race()).weight  # type: ignore[attr-defined]  # here

    return flow


@wrong("'fit' gives a Model, which cannot be indexed", "fit")
def an_index_of_what_has_no_items(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        return (await fit())["error"]  # type: ignore[index]  # here

    return flow


@wrong("'fit' gives a Model, which cannot be gone over", "fit")
def a_loop_over_one_thing(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        for each in await fit():  # type: ignore[attr-defined]  # here
            print(each)

    return flow


@wrong("'fit' gives a Model, which cannot be called", "fit")
def a_call_of_what_is_no_function(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        return (await fit())([1.0])  # type: ignore[operator]  # here

    return flow


@wrong("no attribute 'scoer'", mend="")
def a_misspelt_field_of_a_dataclass(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def evaluate() -> Result: ...

    async def flow() -> Any:
        result = await evaluate()
        return result.scoer  # type: ignore[attr-defined]  # here

    return flow


@wrong("no attribute 'up'")
def a_misspelt_field_of_a_named_tuple(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def pair() -> Pair: ...

    async def flow() -> Any:
        return (await pair()).up  # type: ignore[attr-defined]  # here

    return flow


@wrong("no attribute 'appendd'")
def a_misspelt_method_of_a_list(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def load() -> list[int]: ...

    async def flow() -> Any:
        rows = await load()
        rows.appendd(3)  # type: ignore[attr-defined]  # here
        return rows

    return flow


@wrong("'int' object is not subscriptable")
def an_index_of_a_number(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def count() -> int: ...

    async def flow() -> Any:
        return (await count())[0]  # type: ignore[index]  # here

    return flow


@right
def what_classes_have(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    @engine.function_task
    def race() -> Quick: ...

    @engine.function_task
    def evaluate() -> Result: ...

    async def flow() -> Any:
        model = await fit()
        if model.error > 0.1 and model.version and model.weights:
            model.predict([1.0])
        model.tag = 3  # type: ignore[attr-defined]
        result = await evaluate()
        return (await race()).speed, result.score, result.names[0], model.tag  # type: ignore[attr-defined]

    return flow


@right
def what_classes_may_have(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def dynamic() -> Dynamic: ...

    @engine.function_task
    def loaded() -> Loaded: ...

    make = engine.function_task(late)

    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        one, two, three, four = await dynamic(), await loaded(), await make(), await fit()
        return one.anything, two.field, three.extra, four.margin  # type: ignore[attr-defined]

    return flow


@right
def code_that_asks_first(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit() -> Model: ...

    async def flow() -> Any:
        model = await fit()
        if hasattr(model, "tune"):
            model.tune()
        score = getattr(model, "score", None)
        try:
            model.retrain()  # type: ignore[attr-defined]
        except AttributeError:
            pass
        return score

    return flow


@right
def what_nothing_is_known_of(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def fit():  # type: ignore[no-untyped-def]
        return Model()

    async def flow() -> Any:
        model = await fit()
        for part in model.parts[0]:
            part.weight += model(part)
        return model.eror

    return flow


@right
def paths(engine: WorkflowEngine) -> Any:
    @engine.function_task
    def where() -> Path: ...

    async def flow() -> Any:
        path = await where()
        return path.parent / path.stem, path.suffix, path.exists()

    return flow

"""A script whose definitions go to workers and come back. Prints what of it was not as it should be, as JSON.

Run with "pool" behind it, the same is tried with a pool of the standard library.
"""

# ruff: noqa: B019, B905, PLW0603, RUF012  # a script as people write them
import abc
import asyncio
import collections
import contextvars
import dataclasses
import datetime
import enum
import functools
import inspect
import json
import pickle
import sys
import threading
import traceback
import typing
import weakref
from concurrent.futures import ProcessPoolExecutor

CHECKS = {}


def check(fn):
    """A check gives what a worker is to call and with what, and what of the answer is wrong."""
    CHECKS[fn.__name__] = fn
    return fn


def same(thing):
    return thing


# -- classes ------------------------------------------------------------------------------------------------


class Hooked:
    registry = []

    def __init_subclass__(cls, *, kind, **rest):
        super().__init_subclass__(**rest)
        cls.kind = kind
        assert cls.work
        Hooked.registry.append(cls.__name__)


class First(Hooked, kind="first"):
    def work(self):
        return self.kind


class Meta(type):
    made = []

    def __new__(meta, name, bases, names, *, tag=None):
        assert tag is not None, "it is made again"
        cls = super().__new__(meta, name, bases, names)
        cls.tag = tag
        return cls

    def __init__(cls, name, bases, names, *, tag):
        super().__init__(name, bases, names)
        Meta.made.append(name)


class Tagged(metaclass=Meta, tag="t"):
    def __init__(self, x):
        self.x = x


class Described:
    def __set_name__(self, owner, name):
        assert not hasattr(self, "name"), "it is named again"
        self.name = name

    def __get__(self, obj, cls):
        return self.name


class WithDescriptor:
    field = Described()


class Base:
    value = 1

    def hello(self):
        return "base"


class Between(Base):
    value = 2

    def hello(self):
        return "between"


class Same(Between):
    value = 2
    hello = Between.hello


class Mixed(Base):
    pass


class Overrides(Mixed):
    value = Base.value
    hello = Base.hello


class Deep(Base):
    def hello(self):
        return super().hello()


class Other:
    value = 5


class Two(Overrides, Other):
    value = 1


class Outer:
    class Inner:
        def __init__(self, x):
            self.x = x


class Counted:
    made = 0
    seen = []
    limit = 10

    def __init__(self):
        Counted.made += 1

    def hello(self):
        return "old"

    def level(self):
        return LEVEL


LEVEL = 1


class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...


class Square(Shape):
    def __init__(self, side):
        self.side = side

    def area(self):
        return self.side**2


@Shape.register
class Virtual:
    pass


class Cached:
    def __init__(self, x):
        self.x = x

    @functools.cached_property
    def double(self):
        return self.x * 2

    @functools.lru_cache(maxsize=3)
    def times(self, n):
        return self.x * n

    @functools.singledispatchmethod
    def told(self, value):
        return "object"

    @told.register
    def _(self, value: int):
        return "int"


class Point(typing.NamedTuple):
    x: int
    y: int = 2

    def total(self):
        return self.x + self.y


Pair = collections.namedtuple("Pair", "left right", defaults=[7])


class Movie(typing.TypedDict):
    title: str


class Runs(typing.Protocol):
    def run(self) -> int: ...


@typing.runtime_checkable
class Walks(typing.Protocol):
    def walk(self) -> int: ...


class Walker:
    def walk(self):
        return 1


T = typing.TypeVar("T")
N = typing.TypeVar("N", bound="Base")
P = typing.ParamSpec("P")
Ts = typing.TypeVarTuple("Ts")


class Box(typing.Generic[T]):
    def __init__(self, item: T):
        self.item = item


class IntBox(Box[int]):
    pass


class Rows(typing.Generic[*Ts]):
    pass


@dataclasses.dataclass
class Job:
    name: str
    size: int = 3
    tags: list = dataclasses.field(default_factory=list)
    seen: dataclasses.InitVar[int] = 0
    kinds: typing.ClassVar[int] = 4


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Strict:
    a: int
    b: str = "b"


def fields_of(cls):
    wanted = [f.name for f in dataclasses.fields(cls) if f.default is dataclasses.MISSING]
    return wanted, [f.kw_only for f in dataclasses.fields(cls)]


@check
def hooks_of_subclasses_do_not_run_again():
    return lambda: (First().work(), Hooked.registry, type(First())), ("first", ["First"], First)


@check
def metaclasses_do_not_run_again():
    return lambda: (Tagged(1).tag, Meta.made, type(Tagged) is Meta, Tagged(2)), (
        lambda got: got[:3] == ("t", ["Tagged"], True) and type(got[3]) is Tagged
    )


@check
def descriptors_are_not_named_again():
    return lambda: WithDescriptor().field, "field"


@check
def overrides_equal_to_the_value_of_the_base_are_kept():
    return lambda: (Two.value, Two().hello(), "value" in vars(Same), "hello" in vars(Overrides)), (
        1,
        "base",
        True,
        True,
    )


@check
def inner_classes_come_back():
    return lambda: (pickle.loads(pickle.dumps(Outer.Inner(3))).x, Outer.Inner(4)), (
        lambda got: got[0] == 3 and type(got[1]) is Outer.Inner
    )


@check
def the_state_of_a_class_is_not_set_back():
    before = Counted.seen, Counted.hello

    def verify(got):
        return (
            type(got) is Counted
            and (Counted.made, Counted.limit) == (0, 10)
            and (Counted.seen, Counted.hello) == before
            and Counted.seen is before[0]
        )

    def work():
        Counted.limit = 3
        Counted.seen = [1]
        return Counted()

    return work, verify


@check
def methods_read_the_globals_of_the_program():
    def verify(got):
        global LEVEL
        LEVEL = 7
        return got.level() == 7 and Counted.level.__globals__ is globals()

    return lambda: Counted(), verify


@check
def abstract_classes_stay_so():
    def work():
        try:
            Shape()
        except TypeError:
            return (
                Square(3).area(),
                isinstance(Square(1), Shape),
                issubclass(Virtual, Shape),
                issubclass(int, Shape),
            )

    return work, (9, True, True, False)


@check
def cached_properties_and_caches_of_methods_work():
    return lambda: (Cached(2).double, Cached(2).times(5), Cached(1).told(1), Cached(1).told("")), (
        4,
        10,
        "int",
        "object",
    )


@check
def named_tuples_come_back():
    return lambda: (Point(1).total(), Pair(1), Point(5)), (
        lambda got: got == (3, (1, 7), (5, 2)) and type(got[1]) is Pair and type(got[2]) is Point
    )


@check
def typed_dicts_and_protocols_are_what_they_were():
    return lambda: (
        Movie(title="x"),
        isinstance(Walker(), Walks),
        Movie.__required_keys__,
        Runs._is_protocol,
    ), (lambda got: got == ({"title": "x"}, True, frozenset({"title"}), True))


@check
def generic_classes_are_what_they_were():
    return lambda: (
        Box[int](1),
        IntBox(2).item,
        typing.get_args(IntBox.__orig_bases__[0]),
        Rows.__parameters__ == (Ts,),
    ), (lambda got: type(got[0]) is Box and got[1:] == (2, (int,), True))


@check
def type_variables_are_themselves():
    return lambda: (T, N, P, Ts, Box.__parameters__), (lambda got: got == (T, N, P, Ts, (T,)))


@check
def fields_of_dataclasses_stay_required():
    before = fields_of(Job), fields_of(Strict)
    return lambda: (fields_of(Job), fields_of(Strict), Job("x"), Strict(a=1)), (
        lambda got: (
            got[:2] == before == (fields_of(Job), fields_of(Strict))
            and got[2] == Job("x")
            and got[3] == Strict(a=1)
        )
    )


@check
def dataclasses_of_the_worker_may_be_derived():
    def work():
        @dataclasses.dataclass
        class More(Job):
            extra: int = 1

        try:
            More()
        except TypeError:
            return dataclasses.replace(More("x"), extra=2).extra, dataclasses.asdict(Job("y"))

    return work, (2, {"name": "y", "size": 3, "tags": []})


# -- enumerations -------------------------------------------------------------------------------------------


class Color(enum.Enum):
    RED = 1
    CRIMSON = 1
    GREEN = 2

    def __init__(self, number):
        self.doubled = number * 2

    @property
    def lower(self):
        return self.name.lower()


class Access(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()
    ALL = READ | WRITE


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 5


class Word(enum.StrEnum):
    ONE = enum.auto()


class Planet(enum.Enum):
    EARTH = (5.97, 6.37)

    def __new__(cls, mass, radius):
        obj = object.__new__(cls)
        obj._value_ = mass
        obj.radius = radius
        return obj


class Day(datetime.date, enum.Enum):
    FIRST = 2020, 1, 1


class Operation(enum.Enum):
    ADD = enum.member(functools.partial(lambda a, b: (a + b, Operation.ADD.name)))

    def __call__(self, a, b):
        return self.value(a, b)


class Name(enum.Enum):
    name = "a"
    value_ = []


@check
def members_keep_attributes_and_aliases():
    def work():
        assert Color(1) is Color.RED is Color["CRIMSON"] is Color.CRIMSON
        return (
            Color.RED.doubled,
            Color.GREEN.lower,
            list(Color),
            Color.CRIMSON,
            [*Color.__members__],
            pickle.dumps(Color.RED),
        )

    return (
        work,
        lambda got: (
            got[:2] == (2, "green")
            and got[2] == [Color.RED, Color.GREEN]
            and got[3] is Color.RED
            and got[4] == ["RED", "CRIMSON", "GREEN"]
            and pickle.loads(got[5]) is Color.RED
        ),
    )


@check
def flags_keep_their_names():
    def work(access):
        return (
            access.name,
            access | Access.WRITE,
            Access.ALL is (Access.READ | Access.WRITE),
            ~access,
            Access(0),
            Access.ALL,
        )

    return (
        functools.partial(work, Access.READ),
        lambda got: (
            got == ("READ", Access.ALL, True, Access.WRITE, Access(0), Access.ALL) and got[1] is Access.ALL
        ),
    )


@check
def enumerations_of_other_kinds_come_back():
    def work():
        assert (
            Level.HIGH + 1 == 6
            and Word.ONE + "x" == "onex"
            and Planet.EARTH.radius == 6.37
            and Day.FIRST.year == 2020
        )
        return (
            Level(5),
            Word("one"),
            Planet(5.97),
            Day.FIRST,
            Operation.ADD,
            Operation.ADD(1, 2),
            Name([]),
            Name.name,
        )

    return (
        work,
        lambda got: (
            got[0] is Level.HIGH
            and got[1] is Word.ONE
            and got[2] is Planet.EARTH
            and got[3] is Day.FIRST
            and got[4] is Operation.ADD
            and got[5] == (3, "ADD")
            and got[6] is Name.value_
            and got[7] is Name.name
        ),
    )


# -- what pickle finds by name only -------------------------------------------------------------------------

UserId = typing.NewType("UserId", int)


@functools.cache
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


@functools.lru_cache(maxsize=8, typed=True)
def doubled(n):
    return n * 2


@functools.singledispatch
def describe(value):
    return "object"


@describe.register
def _(value: int):
    return "int"


@describe.register(Base)
def _(value):
    return "base"


def twice(fn: typing.Callable[P, T]) -> typing.Callable[P, T]:
    @functools.wraps(fn)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        fn(*args, **kwargs)
        return fn(*args, **kwargs)

    return inner


@twice
def wrapped(x: UserId) -> UserId:
    return UserId(x + 1)


lock = threading.Lock()
again = threading.RLock()
slots = threading.BoundedSemaphore(3)
ready = threading.Event()
local = threading.local()
variable = contextvars.ContextVar("variable", default=5)
bare = contextvars.ContextVar("bare")
living = weakref.WeakValueDictionary()


class Guarded:
    lock = threading.Lock()
    count = 0

    @classmethod
    def add(cls):
        with cls.lock:
            cls.count += 1
            return cls.count


@check
def new_types_are_themselves():
    return lambda: (
        UserId(1),
        UserId,
        wrapped(1),
        UserId.__supertype__,
    ), lambda got: got[:1] == (1,) and got[1] is UserId


@check
def caches_work_and_are_themselves():
    return lambda: (
        fib(30),
        doubled(2),
        doubled.cache_parameters(),
        fib,
    ), lambda got: got[:3] == (832040, 4, {"maxsize": 8, "typed": True}) and got[3] is fib


@check
def what_dispatches_works_and_is_itself():
    return lambda: (
        describe(1),
        describe(""),
        describe(Between()),
        describe,
    ), lambda got: got[:3] == ("int", "object", "base") and got[3] is describe


@check
def what_each_process_has_of_its_own_is_there():
    def work():
        with lock, again, slots:
            local.x = 1
            variable.set(6)
            living["x"] = first = Base()
            return variable.name, ready.is_set(), bare.get(None), local.x, Guarded.add(), living["x"] is first

    return work, ("variable", False, None, 1, 1, True)


@check
def functions_come_back_as_themselves():
    return lambda: (
        twice,
        same,
        Base.hello,
        Deep.hello,
        print,
    ), lambda got: got == (twice, same, Base.hello, Deep.hello, print) and "__annotations__" not in vars(Deep)


# -- by name in the worker ----------------------------------------------------------------------------------


@check
def ordinary_pickle_finds_classes_and_functions():
    def work():
        sent = [
            Base(),
            Job("x"),
            Color.RED,
            Point(1),
            Pair(2),
            Strict(a=1),
            twice,
            UserId,
            doubled,
            Square(2),
            T,
        ]
        got = pickle.loads(pickle.dumps(sent))
        return [type(one) is type(other) for one, other in zip(sent, got)] == [True] * len(sent) and got[
            -2
        ].area()

    return work, 4


@check
def hints_that_are_text_can_be_read():
    return lambda: typing.get_type_hints(Texts)["job"] is Job, True


class Texts:
    job: "Job"
    when: "datetime.date | None"


@check
def source_can_be_read():
    return lambda: inspect.getsource(twice).startswith("def twice("), True


kept = {}
number = 0


def keep(key):
    global number
    number += 1
    kept[key] = number
    return sorted(kept)


def look():
    return number, sorted(kept), Guarded.count


@check
def functions_share_the_globals_of_their_module():
    def work():
        keep("a")
        return keep("b"), look()[:2]

    return work, (["a", "b"], (2, ["a", "b"]))


@check
def class_bodies_in_functions_find_globals():
    def work():
        class Here:
            limit = LEVEL_OF_CLASS

        return Here.limit

    return work, 11


LEVEL_OF_CLASS = 11


class Noted:
    notes = []

    def __init_subclass__(cls, **rest):
        super().__init_subclass__(**rest)
        Noted.notes.append(cls.__name__)


class Shelf(typing.Generic[T], Noted):
    def __init__(self, item: T):
        self.item = item


class IntShelf(Shelf[int]):
    pass


@check
def no_hook_behind_generic_runs_again():
    return lambda: (IntShelf(3).item, Shelf[str]("a").item, Noted.notes), (3, "a", ["Shelf", "IntShelf"])


@check
def flags_are_known_after_they_were_inverted():
    without = ~Access.READ
    return lambda: (~Access.READ, without), lambda got: got[0] is got[1] is Access.WRITE


class Three(enum.Flag):
    A = 1
    B = 2
    C = 4


@check
def combinations_that_were_made_stay_combinations():
    both = ~Three.A
    return lambda: (~Three.A, both), lambda got: got[0] is got[1] is both


# -- run ----------------------------------------------------------------------------------------------------


def judged(name, expected, got):
    try:
        good = expected(got) if callable(expected) and not isinstance(expected, type) else expected == got
        return None if good else f"got {got!r}"
    except Exception:
        return traceback.format_exc()


async def tried_here():
    from asyncflow import WorkflowEngine

    told = {}
    for name, each in CHECKS.items():
        fn, expected = each()
        async with WorkflowEngine(backend="process", workers=1) as engine:
            try:
                told[name] = judged(name, expected, await engine.submit(fn))
            except Exception as error:
                told[name] = f"{type(error).__name__}: {error} {getattr(error, '__notes__', '')}"
    return told


def run_check(name):
    return CHECKS[name]()[0]()


def tried_in_a_pool():
    import multiprocessing

    told = {}
    for name, each in CHECKS.items():
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            try:
                told[name] = judged(name, each()[1], pool.submit(run_check, name).result())
            except Exception as error:
                told[name] = f"{type(error).__name__}: {error}"
    return told


if __name__ == "__main__":
    print(json.dumps(tried_in_a_pool() if "pool" in sys.argv else asyncio.run(tried_here())))

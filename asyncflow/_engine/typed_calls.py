"""What type checkers know of the call of a decorated function: nothing of it is there while it runs.

Each overload re-reads the signature through the type of ``self``, a protocol with the one attribute ``fn``: a checker
matches that with the function's own type and so finds the first parameters one by one, and the rest with their names
and defaults. Keywords cannot be mapped by a type, so futures given by keyword are checked when the call is made.
Keywords that surely are no futures, and do not fit, make a call `KeywordsDoNotFit`, with which nothing can be done;
these overloads, and those for keywords that likely are none, are marked as deprecated, which checkers flag wherever
they are chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

if TYPE_CHECKING:
    from .._runtime.future import TaskFuture
    from .typing import (
        KeywordsDoNotFit,
        Later,
        MaybeFuture,
        NoFuture,
        Plain,
        Promise,
        Takes1,
        Takes2,
        Takes3,
        Takes4,
        deprecated,
    )

P = ParamSpec("P")
Q = ParamSpec("Q")
Fn = TypeVar("Fn")  # what the plain function returns: R, or a coroutine of R
R = TypeVar("R")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")


class TypedCalls(Generic[P, Fn, R]):
    """A decorated function, as far as it is called."""

    if TYPE_CHECKING:

        @property
        def fn(self) -> Callable[P, Fn]: ...

        # 1. Exactly as the function has it: what editors show.
        @overload
        def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> TaskFuture[R]: ...

        # 2. The first few by position, each perhaps a future; the rest as the function has it.
        @overload
        def __call__(  # type: ignore[overload-overlap]  # with those of 3, which are asked after these
            self: Takes1[A, Q], a: Later[A], /, *args: Q.args, **kwargs: Q.kwargs
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, *args: Q.args, **kwargs: Q.kwargs
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes3[A, B, C, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes4[A, B, C, D, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            d: Later[D],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> TaskFuture[R]: ...

        # A list or a dict in which there are values, and futures of such.
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes1[list[A], Q], a: list[A | Promise[A]], /, *args: Q.args, **kwargs: Q.kwargs
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes2[A, list[B], Q],
            a: Later[A],
            b: list[B | Promise[B]],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes1[dict[A, B], Q], a: dict[A, B | Promise[B]], /, *args: Q.args, **kwargs: Q.kwargs
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(  # type: ignore[overload-overlap]
            self: Takes2[A, dict[B, C], Q],
            a: Later[A],
            b: dict[B, C | Promise[C]],
            /,
            *args: Q.args,
            **kwargs: Q.kwargs,
        ) -> TaskFuture[R]: ...

        # 3. Keywords that are unpacked from a dict, of which nothing is known: only these can stand for a keyword that
        # nobody writes, and of overloads that take any keywords checkers choose the first.
        @overload
        def __call__(self, /, *, any_keyword_: object, **kwargs: object) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes1[A, Q], a: Later[A], /, *, any_keyword_: object, **kwargs: object
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, *, any_keyword_: object, **kwargs: object
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes3[A, B, C, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            /,
            *,
            any_keyword_: Any,
            **kwargs: Any,
        ) -> TaskFuture[R]: ...

        # 4. Arguments that are surely no futures, and by now do not fit; a call that lacks one, too. Checkers flag
        # what is deprecated also where nobody uses its type.
        @overload
        @deprecated("the keyword arguments do not fit the function")
        def __call__(self, /, **kwargs: Plain) -> KeywordsDoNotFit: ...  # type: ignore[overload-overlap]
        @overload
        @deprecated("the keyword arguments do not fit the function")
        def __call__(  # type: ignore[overload-overlap]
            self: Takes1[A, Q], a: Later[A], /, **kwargs: Plain
        ) -> KeywordsDoNotFit: ...
        @overload
        @deprecated("the keyword arguments do not fit the function")
        def __call__(  # type: ignore[overload-overlap]
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, **kwargs: Plain
        ) -> KeywordsDoNotFit: ...
        @overload
        @deprecated("the keyword arguments do not fit the function")
        def __call__(  # type: ignore[overload-overlap]
            self: Takes3[A, B, C, Q], a: Later[A], b: Later[B], c: Later[C], /, **kwargs: Plain
        ) -> KeywordsDoNotFit: ...
        @overload
        @deprecated("the arguments do not fit the function")
        def __call__(  # type: ignore[overload-overlap]
            self: Takes4[A, B, C, D, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            d: Later[D],
            /,
            **kwargs: Plain,
        ) -> KeywordsDoNotFit: ...

        # 5. Of futures and plain values by keyword some are futures: no type can map these, so the call looks at them.
        @overload
        def __call__(self, /, **kwargs: MaybeFuture) -> TaskFuture[R]: ...
        @overload
        def __call__(self: Takes1[A, Q], a: Later[A], /, **kwargs: MaybeFuture) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, **kwargs: MaybeFuture
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes3[A, B, C, Q], a: Later[A], b: Later[B], c: Later[C], /, **kwargs: MaybeFuture
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes4[A, B, C, D, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            d: Later[D],
            /,
            **kwargs: MaybeFuture,
        ) -> TaskFuture[R]: ...

        # Other objects among them, and likely no future.
        @overload
        @deprecated("the keyword arguments do not fit the function, if none of them is a future")
        def __call__(self, /, **kwargs: NoFuture) -> TaskFuture[R]: ...
        @overload
        @deprecated("the keyword arguments do not fit the function, if none of them is a future")
        def __call__(self: Takes1[A, Q], a: Later[A], /, **kwargs: NoFuture) -> TaskFuture[R]: ...
        @overload
        @deprecated("the keyword arguments do not fit the function, if none of them is a future")
        def __call__(
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, **kwargs: NoFuture
        ) -> TaskFuture[R]: ...
        @overload
        @deprecated("the keyword arguments do not fit the function, if none of them is a future")
        def __call__(
            self: Takes3[A, B, C, Q], a: Later[A], b: Later[B], c: Later[C], /, **kwargs: NoFuture
        ) -> TaskFuture[R]: ...
        @overload
        @deprecated("the arguments do not fit the function, if none of them is a future")
        def __call__(
            self: Takes4[A, B, C, D, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            d: Later[D],
            /,
            **kwargs: NoFuture,
        ) -> TaskFuture[R]: ...

        # 6. Whatever else, which no type can map: checked when the call is made.
        @overload
        def __call__(self, /, **kwargs: Any) -> TaskFuture[R]: ...
        @overload
        def __call__(self: Takes1[A, Q], a: Later[A], /, **kwargs: object) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes2[A, B, Q], a: Later[A], b: Later[B], /, **kwargs: object
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes3[A, B, C, Q], a: Later[A], b: Later[B], c: Later[C], /, **kwargs: object
        ) -> TaskFuture[R]: ...
        @overload
        def __call__(
            self: Takes4[A, B, C, D, Q],
            a: Later[A],
            b: Later[B],
            c: Later[C],
            d: Later[D],
            /,
            *args: object,
            **kwargs: object,
        ) -> TaskFuture[R]: ...

        def __call__(self: Any, /, *args: object, **kwargs: object) -> object: ...

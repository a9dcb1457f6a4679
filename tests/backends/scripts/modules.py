"""Uses modules that only this process has, as a script, run by another one, and in a spawned child.

Prints for each of these what was not as it should be, as JSON.
"""

import asyncio
import importlib.util
import json
import multiprocessing
import pickle
import runpy
import sys
import traceback
import types
from pathlib import Path

from asyncflow import WorkflowEngine

_PATH = Path(__file__).parent / "elsewhere" / "plug.py"


def from_path(name):
    spec = importlib.util.spec_from_file_location(name, _PATH)
    return spec, importlib.util.module_from_spec(spec)


spec, plug = from_path("plug")
sys.modules["plug"] = plug
spec.loader.exec_module(plug)
spec, hidden = from_path("plug_hidden")
spec.loader.exec_module(hidden)
made = types.ModuleType("made")
exec("def f(x): return g(x)\ndef g(x): return x + 1\nclass K: pass", made.__dict__)
sys.modules["made"] = made


def by_attribute(x):
    return plug.run(x).get(), plug.Color.RED, made.f(x)


def by_import(x):
    import plug
    from made import g

    return plug.Thing(x), pickle.loads(pickle.dumps(plug.Thing(1))).get(), g(1)


def of_hidden(x):
    return hidden.run(x).get()


def bumped(_):
    return plug.bump(), plug.bump()


def same(thing):
    return thing


CALLS = {
    "function": (lambda e: e.submit(plug.run, 1), lambda got: type(got) is plug.Thing and got.get() == 4),
    "method": (lambda e: e.submit(plug.Thing(1).get), lambda got: got == 4),
    "attribute": (lambda e: e.submit(by_attribute, 1), lambda got: got == (4, plug.Color.RED, 2)),
    "import": (
        lambda e: e.submit(by_import, 1),
        lambda got: type(got[0]) is plug.Thing and got[1:] == (4, 2),
    ),
    "function made in code": (lambda e: e.submit(made.f, 1), lambda got: got == 2),
    "class made in code": (lambda e: e.submit(made.K), lambda got: type(got) is made.K),
    "hidden": (lambda e: e.submit(of_hidden, 1), lambda got: got == 4),
    "function of hidden": (lambda e: e.submit(hidden.run, 1), lambda got: type(got) is hidden.Thing),
    "globals": (lambda e: e.submit(bumped, 1), lambda got: got == (1, 2)),
    "class as argument": (lambda e: e.submit(type, plug.Thing(3)), lambda got: got is plug.Thing),
    "member as argument": (lambda e: e.submit(same, plug.Color.RED), lambda got: got is plug.Color.RED),
}


async def main():
    wrong = {}
    async with WorkflowEngine(backend="process", workers=1) as engine:
        for name, (call, is_good) in CALLS.items():
            try:
                got = await call(engine)
                wrong[name] = None if is_good(got) else f"got {got!r}"
            except Exception:
                wrong[name] = traceback.format_exc()
    return wrong


def child(queue):
    queue.put(asyncio.run(main()))


if __name__ == "run":
    found = asyncio.run(main())
if __name__ == "__main__":
    told = {"script": asyncio.run(main()), "run": runpy.run_path(__file__, run_name="run")["found"]}
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=child, args=(queue,))
    process.start()
    told["child"] = queue.get(timeout=60)
    process.join()
    print(json.dumps(told))

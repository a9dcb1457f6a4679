"""Recorded production workflows, replayed: every command finds the files that others made, where it expects them."""

from __future__ import annotations

import json
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
from recorded_kit import INSTANCES, RECORDED, recorded

from asyncflow import InputFile, OutputFile, TaskFuture, WorkflowEngine, sh

_LARGE = ("montage-chameleon-2mass-02d-001", "rnaseq-dirt02-001", "seismology-chameleon-200p-001")
NAMES = [name for name in RECORDED if name not in _LARGE]  # at most 119 tasks, each a command


def as_name(file: str) -> str:
    """A file's name in a sandbox; recorded ones may be whole paths."""
    return file.strip("/").replace("/", "_")


class Replay:
    """One recorded workflow as executable tasks whose files are a thousandth of the recorded size, 10 KB at most."""

    def __init__(self, engine: WorkflowEngine, name: str, folder: Path) -> None:
        specification = json.loads((INSTANCES / f"{name}.json").read_text())["workflow"]["specification"]
        self.tasks = {task["id"]: task for task in specification["tasks"]}
        self.sizes = {file["id"]: file["sizeInBytes"] for file in specification["files"]}
        self.makers = {file: task for task in self.tasks for file in self.tasks[task]["outputFiles"]}
        self.futures: dict[str, TaskFuture[str]] = {}
        self._engine = engine
        self._folder = folder

    def size(self, file: str) -> int:
        return len(as_name(file)) + 1 + min(10_000, self.sizes[file] // 1000)

    def call_all(self) -> None:
        order = TopologicalSorter({task: self.tasks[task]["parents"] for task in self.tasks})
        for task in order.static_order():
            self.futures[task] = self._call(self.tasks[task])

    def _call(self, task: dict[str, Any]) -> TaskFuture[str]:
        @self._engine.executable_task(name=task["name"])
        def run(inputs: dict[str, Path], outputs: dict[str, Path]) -> str:
            checks = [
                sh("head -n 1 {} | grep -qxF -e {} || exit 9", path, name) for name, path in inputs.items()
            ]
            makes = [
                sh("(echo {}; head -c {} /dev/zero) > {}", name, min(10_000, self.sizes[file] // 1000), path)
                for file in task["outputFiles"]
                for name, path in [(as_name(file), outputs[as_name(file)])]
            ]
            return "\n".join(["set -e", *checks, *makes])

        after = [self.futures[parent] for parent in task["parents"]]
        inputs = {as_name(file): self._input(file, task["id"]) for file in task["inputFiles"]}
        outputs = {as_name(file): OutputFile(as_name(file)) for file in task["outputFiles"]}
        return run.with_options(after=after)(inputs, outputs)

    def _input(self, file: str, reader: str) -> InputFile:
        maker = self.makers.get(file)
        if maker is not None and maker != reader:
            return InputFile(self.futures[maker].outputs[as_name(file)])
        path = self._folder / as_name(file)
        path.write_text(f"{as_name(file)}\n")
        return InputFile(path)


@recorded
@pytest.mark.parametrize("backend", ["thread", "process"])
@pytest.mark.parametrize("name", NAMES)
async def test_every_file_is_where_its_reader_expects_it(tmp_path: Path, name: str, backend: str) -> None:
    folder = tmp_path / "raw"
    folder.mkdir()
    async with WorkflowEngine(backend, workers=2, work_dir=tmp_path / "work") as engine:
        replay = Replay(engine, name, folder)
        replay.call_all()
        size = engine.function_task(lambda path: path.stat().st_size)
        sizes = {
            file: size(replay.futures[task].outputs[as_name(file)]) for file, task in replay.makers.items()
        }
        for file, future in sizes.items():
            assert await future == replay.size(file)
        for future in replay.futures.values():
            assert await future == ""

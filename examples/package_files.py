"""Which kinds of files fill this machine: Debian's own lists of them, through `awk`, `sort`, `uniq` and `gzip`.

Each list of installed files is a real file of the machine. Commands count the name endings in batches of lists, another
command adds the counts up, a Python function writes the largest ones down and tells how many there are: a long table is
packed, a short one is not. A checksum goes along as a file that nobody has declared.

    python examples/package_files.py                     # the lists of dpkg; elsewhere, Python's own sources
    python examples/package_files.py FOLDER [TABLE.gz]   # lines of other files; where the table is to go
"""

import sys
import sysconfig
from pathlib import Path

from asyncflow import InputFile, OutputFile, WorkflowEngine, sh

engine = WorkflowEngine()
BATCH = 50
LONG = 20

ENDINGS = "NF > 1 && $NF ~ /^[A-Za-z0-9_]+$/ {print tolower($NF)}"
SUM = "{count[$2] += $1} END {for (ending in count) print count[ending], ending}"


@engine.executable_task
def count(lists: list[InputFile], table: OutputFile) -> str:
    return sh("cat -- {} | awk -F. {} | sort | uniq -c > {}", lists, ENDINGS, table)


@engine.executable_task
def add_up(tables: list[InputFile], total: OutputFile = OutputFile("total.txt")) -> str:
    # The second file is declared by nobody; the commands that depend on this one find it all the same.
    return sh("cat -- {} | awk {} | sort -k1,1rn -k2 > {}", tables, SUM, total) + "; cksum total.txt > sum"


@engine.executable_task
def pack(total: InputFile, packed: OutputFile) -> str:
    return f"cksum total.txt | cmp - sum && gzip -9 -c {total} > {packed}"


@engine.function_task
def write_down(total: InputFile, best: OutputFile = OutputFile("best.txt")) -> int:
    rows = [line.split() for line in total.read_text().splitlines()]
    best.write_text("\n".join(f"  {int(number):9,}  .{ending}" for number, ending in rows[:10]))
    return len(rows)


@engine.function_task
def sizes(*paths: Path) -> list[int]:
    return [path.stat().st_size for path in paths]


@engine.block
async def survey(files: list[Path], to: Path | None) -> str:
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]
    tables = []
    for number, batch in enumerate(batches):
        name = f"table {number}.txt"  # a name with a space does no harm
        tables.append(count([InputFile(file) for file in batch], OutputFile(name)).outputs[name])
    summed = add_up([InputFile(table) for table in tables])
    total = summed.outputs["total.txt"]
    written = write_down(InputFile(total))
    kinds = await written
    told = f"{kinds:,} kinds of endings in {len(files):,} files, counted by {len(batches)} commands"
    if kinds > LONG:  # plain Python decides what comes next
        packed = pack(InputFile(total), OutputFile("total.txt.gz", to=to))
        before, after = await sizes(total, packed.outputs["total.txt.gz"])
        told += f"\nThe table is long: {before:,} bytes, packed {after:,}"
    return f"{(await written.outputs['best.txt']).read_text()}\n{told}"


def main(arguments: list[str]) -> None:
    lists = sorted(Path("/var/lib/dpkg/info").glob("*.list"))
    folder = Path(arguments[0]) if arguments else Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if arguments or not lists else lists
    if not files:
        sys.exit(f"{folder}: there are no files in it")
    # Two files of one name cannot both be in a sandbox under it.
    files = list({file.name: file for file in files}.values())
    print(engine.run(survey, files, Path(arguments[1]).absolute() if len(arguments) > 1 else None))


if __name__ == "__main__":
    main(sys.argv[1:])

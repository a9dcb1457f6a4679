"""Where values may stand in a command for a shell, and which names of files may."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from asyncflow._core.names_in_commands import is_plain, misread, unplain
from asyncflow._core.quoting import sh

# -- places for values ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "template",
    [
        "head -n $(( {} * 2 )) f",
        'x=$(wc -l < {}); echo "$x"',
        'echo "of $(cat {})"',
        "awk '{{print $1}}' {}",
        "sed 's/\"/x/' {}",
        "cat <<'E'\nit's\nE\ncat {}",
        "(( 1 << 2 )); echo {}",
        "cat <<< {}",
        "diff <(sort a) <(sort {})",
        "echo it\\'s {}",
        "# it's\ncat {}",
        "cat a # of {}",
        "case {} in a) echo 1;; esac",
        "echo ${{#x}} {}",
        "echo 'a'{}\"b\"",
        "echo `date` {}",
        'echo "${{x:-\'}}" {}',
    ],
)
def test_a_value_may_stand_wherever_it_is_a_word_of_its_own(template: str) -> None:
    assert sh(template, 7) == template.format(7)


@pytest.mark.parametrize(
    ("template", "where"),
    [
        ("echo '{}'", "inside quotes"),
        ('echo "a {} b"', "inside quotes"),
        ('echo "$a {} b"', "inside double quotes"),
        ('sh -c "cat {}"', "inside quotes"),
        ("echo \"$(echo '{}')\"", "inside quotes"),
        ("echo $'{}'", "where shells read quotes differently"),
        ("echo $'\\'' {}", "where shells read quotes differently"),
        ("echo $(case a in a) echo {};; esac)", "where shells read quotes differently"),
        ("echo 'never ends {}", "where shells read quotes differently"),
        ("echo `cat {}`", "inside backticks"),
        ("echo ${{x:-{}}}", "inside"),
        ("echo ${}", "behind a \\$"),
        ("echo \\{}", "behind a backslash"),
        ("cat <<E\n{}\nE", "inside a heredoc"),
        ("cat <<A <<-'B'\nx\nA\n\t{}\n\tB\n", "inside a heredoc"),
    ],
)
def test_a_place_where_no_quotes_help_is_refused_with_the_mend(template: str, where: str) -> None:
    with pytest.raises(ValueError, match=rf"stands .*{where}.*, where it cannot be quoted") as refused:
        sh(template, 7)
    assert "v={}" in str(refused.value)


def test_what_only_some_places_run_is_refused_only_there() -> None:
    assert sh("echo $(({} + {:>{}}))", 1, "x", 1) == "echo $((1 + x))"
    with pytest.raises(ValueError, match="where a shell runs what is in it"):
        sh("echo $(({} + 1))", "a[$(touch pwned)]")
    assert sh("ls # {}", "a b") == "ls # 'a b'"
    with pytest.raises(ValueError, match="in a comment, which ends with its line"):
        sh("ls # {}", "a\ntouch pwned")


# -- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plain.txt", "-x_1+2,3:4@5%.tar.gz", "été.csv", "数据", "a#1~.txt", "x{1}"])
def test_what_every_shell_reads_as_one_word_is_plain(name: str) -> None:
    assert is_plain(name)
    assert not unplain("/tmp/box", [name, f"folder/{name}"])


@pytest.mark.parametrize(
    "name", ["a b", "$x", "`x`", "a;b", "a'b", 'a"b', "a\nb", "*", "~x", "#x", "{a,b}", "{1..9}"]
)
def test_what_a_shell_reads_as_more_is_not(name: str) -> None:
    assert not is_plain(name)


NAME = "a b; touch x.tar.gz"
LOOKED_FOR = unplain("/box", [NAME])


@pytest.mark.parametrize(
    "command",
    [
        f"cat {shlex.quote(NAME)}",
        f'cat "{NAME}"',
        f"cat --in={shlex.quote('/box/' + NAME)}.idx",
        f"sh -c 'cat \"$1\"' sh {shlex.quote(NAME)}",
        f'echo "$(cat {shlex.quote(NAME)})"',
        f"ssh host cat < {shlex.quote(NAME)}",
        f"echo `cat {shlex.quote(NAME)}`",
        f'n="`wc -l < {shlex.quote(NAME)} # it`"; cat {shlex.quote(NAME)}',
        f"cat x # {NAME}",
        f"cat $DIR/{shlex.quote(NAME)} \"$DIR/\"{shlex.quote(NAME)} > {shlex.quote(NAME)}'.gz'",
        f"n=$({shlex.quote('/box/' + NAME)} --all)",
        ["cat", f"/box/{NAME}", f"--in={NAME}"],
        ["sh", "-c", f"cat {shlex.quote(NAME)}"],
        ["sh", "-c", 'cat "$1"', "sh", NAME],
        ["awk", "-v", f"x={NAME}", "{print x}", NAME],
        ["perl", "-ne", "print", NAME.encode()],
    ],
)
def test_a_name_that_is_one_word_may_stand_in_a_command(command: Any) -> None:
    assert misread(command, LOOKED_FOR) is None


@pytest.mark.parametrize(
    "command",
    [
        f"cat {NAME}",
        "echo a b; touch x",  # its stem
        f'cat "of {NAME} and $(date)"',
        f"sh -c 'cat {NAME}'",
        f"sh -c {shlex.quote(NAME)}",
        f"env -i bash -ec {shlex.quote('cat ' + NAME)}",
        f"eval cat {shlex.quote(NAME)}",
        f"echo `cat {NAME}`",
        f"echo `cat \\{shlex.quote(NAME)}`",
        f'echo "`cat "{shlex.quote(NAME)}"`"',
        f"cat <<E\n{shlex.quote(NAME)}\nE",
        f'cat "{shlex.quote(NAME)}"',
        f"awk 'BEGIN {{ system(\"{NAME}\") }}'",
        f"awk 'BEGIN {{ system(\"cat '{shlex.quote(NAME)}'\") }}'",
        f"awk 'BEGIN {{ system(\"cat '\"{NAME}\"'\") }}'",
        f'awk "BEGIN {{ system(\\"cat "\'{NAME}\'"\\") }}"',
        ["sh", "-c", f"cat {NAME}"],
        ["timeout", "9", "bash", "-ec", f"cat '{shlex.quote(NAME)}'"],
        ["ssh", "host", f"cat {NAME}"],
        ["python3", "-c", f"open('{NAME}')"],
        ["awk", "-F", ":", f'END {{ system("cat {NAME}") }}', "x"],
    ],
)
def test_a_name_that_would_be_run_is_found(command: Any) -> None:
    assert misread(command, LOOKED_FOR) == NAME


@pytest.mark.parametrize("name", ["a b`touch pwned`", "a b\\`touch pwned", "a '$(touch pwned)` b"])
def test_a_name_that_would_end_the_backticks_in_which_it_stands_is_found(name: str) -> None:
    assert misread(f"echo `cat {shlex.quote(name)}`", unplain("/box", [name])) == name


def test_a_name_that_looks_like_quotes_of_ours_is_found() -> None:
    name = "x;touch pwned;'\"'\"'"
    assert misread(f"sh -c 'cat {name}'", unplain("/box", [name])) == name
    assert misread(f"cat {shlex.quote(name)}", unplain("/box", [name])) is None

"""Completion in bash, which takes words apart at colons: of ``flow.py:pipeline`` it would ask for the end alone."""

from __future__ import annotations

import os
from typing import ClassVar, Final

from click.shell_completion import BashComplete, add_completion_class
from click.shell_completion import split_arg_string as words_of

_LINE: Final = "_ASYNCFLOW_LINE"
_SCRIPT: Final = """\
%(complete_func)s() {
    local IFS=$'\\n' line="${COMP_LINE:0:COMP_POINT}" type value word cut=""
    word="${line##*[[:space:]]}"
    if [[ $word == *:* && $COMP_WORDBREAKS == *:* ]]; then
        cut="${word%%%%"${word##*:}"}"
    fi
    for completion in $(env _ASYNCFLOW_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null); do
        IFS=',' read -r type value <<< "$completion"
        case $type in
            dir) COMPREPLY=(); compopt -o dirnames ;;
            file) COMPREPLY=(); compopt -o default ;;
            plain)
                COMPREPLY+=("${value#"$cut"}")
                [[ $value == *= ]] && compopt -o nospace ;;
        esac
    done
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(BashComplete):
    """Goes by the whole line up to the cursor, and gives bash what belongs behind its last colon."""

    name: ClassVar[str] = "bash"
    source_template: ClassVar[str] = _SCRIPT

    def get_completion_args(self) -> tuple[list[str], str]:
        """What is typed, and what of the last word is."""
        line = os.environ.get(_LINE, "")
        words = words_of(line)
        incomplete = "" if not words or line[-1:].isspace() else words.pop()
        return words[1:], incomplete

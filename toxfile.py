"""Lets tox find every interpreter that pyenv has installed: pyenv's shims only answer for the activated ones."""

import os
from pathlib import Path

from tox.config.sets import ConfigSet
from tox.plugin import impl
from tox.session.state import State


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    installed = sorted(root.glob("versions/3.1[1-9].*/bin/python"))
    state.conf.options.discover = [*state.conf.options.discover, *map(str, installed)]

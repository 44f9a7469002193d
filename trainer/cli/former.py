"""Names of commands and options in earlier releases, which are still read."""

from __future__ import annotations

from runtime.cli.former import group_reading

_SOURCES = {"--witnesses": "--sources"}
_MADE_FROM = {"--marked": "--gsm8k", "--marked-limit": "--gsm8k-limit", "--drawn": "--rollouts"}

COMMANDS = {"weigh": "calibrate", "lessons": "examples", "attempts": "rollouts"}
OPTIONS = {
    "evaluate": {"--voices": "--adapters"},
    "evaluate-critic": {**_SOURCES, "--voice": "--adapter"},
    "calibrate": {**_SOURCES, "--voice": "--adapter"},
    "examples": _MADE_FROM,
    "traces": _MADE_FROM,
    "retrain": {**_SOURCES, **_MADE_FROM},
    "promote": {"--voice": "--role"},
}

Group = group_reading(COMMANDS, OPTIONS)

"""The documents: every command in them is parsed by the program it calls, the quick ones are run, every path exists,
and the lists of folders, settings and commands are complete."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from itertools import pairwise
from pathlib import Path

import pytest
from places import ROOT
from tables import rest
from typer.main import get_command
from typer.testing import CliRunner

from runtime.cli.main import app as runtime_app
from runtime.page.serving import arguments
from runtime.settings import Settings
from trainer.__main__ import app as trainer_app
from trainer.cli.options import modes_of

DOCUMENTS = ("README.md", "runtime/README.md", "trainer/README.md", "CONTRIBUTING.md", "data/README.md")
TEXTS = {name: (ROOT / name).read_text("utf-8") for name in DOCUMENTS}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
APPS = {"runtime": runtime_app, "trainer": trainer_app}
PYTHON = ".venv/bin/python"
ELSEWHERE = {"vllm", ".venv/llama-server/llama-server"}
"""Programs of others, whose options are not checked here."""
BENCH = str(ROOT / "data" / "models" / "bench" / "bench.gguf")
SLOW = (
    "runtime models pull", "runtime doctor --tune", "trainer retrain", "trainer sft", "trainer verifier ",
    "trainer preference", "trainer ppo", "--adapters actor=",
    "trainer export", "trainer calibrate", "trainer promote", "trainer pretrain", "trainer fitness", "trainer improve",
    "trainer reproduce", "--adapters verifier=",
)  # fmt: skip
"""Commands that need a network, a file of a long run, or minutes: parsed here, and run by the tests of their code."""
SMALLER = {
    "trainer rollouts": "--n 1 --limit 2",
    "trainer pairs": "--n 1 --limit 1 --rollouts 1 --continuations 1 --least 1",
    "trainer rft": "--n 1 --limit 2",
    "trainer evaluations --generated 60 --annotator llm": "--generated 1",
    "--annotator llm": "--problems 1 --generators rg1 --refinements 0",
    "trainer labels": "--n 1 --limit 1",
    "trainer evaluate-labels": "--generated 2 --n 1",
    "trainer evaluate ": "--limit 1",
    "trainer evaluate-critic": "--limit 1",
    "trainer evaluate-verifier": "--limit 1",
    "trainer curves": "--k 1 --limit 2",
    "trainer choose": "--n 2 --limit 1",
}
"""Options that make a command short; the last of a repeated option counts."""
MODELS = ("--model", "--critic", "--annotator-model", "--winners-by")
"""Options that name a model."""
PROBLEM = "Lena buys 3 notebooks for 4 dollars each and a pen for 2 dollars. How much in all?"


def commands_of(text: str) -> list[list[str]]:
    """The words of every command line of a document, without comments."""
    blocks = [body for language, body in BLOCK.findall(text) if not language]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


COMMANDS = [(name, words) for name, text in TEXTS.items() for words in commands_of(text)]
OURS = [words[2:] for _, words in COMMANDS if words[:2] == [PYTHON, "-m"] and words[2] in APPS]
MODULES = {name: get_command(app) for name, app in APPS.items()}


def command_line(words: list[str]) -> str:
    return " ".join(words)


def parse(command, name: str, words: list[str]):
    """Parse a command line without running it. Returns the context of its command. Raises a usage error."""
    context = command.make_context(name, list(words))
    if not hasattr(command, "commands"):
        return context
    name, *rest = [*context._protected_args, *context.args]
    assert name in command.commands, f"there is no command {name}"
    return parse(command.commands[name], name, rest)


def folders(top: str) -> set[str]:
    """The folders that contain files of ours, each with a slash at the end."""
    files = (path for path in (ROOT / top).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    found = {parent for path in files for parent in path.relative_to(ROOT).parents}
    return {f"{folder}/" for folder in map(str, found) if folder != "."}


def test_the_documents_hold_commands():
    assert len(OURS) > 40 and {name for name, _ in COMMANDS} >= {*DOCUMENTS[:4]}


@pytest.mark.parametrize(("document", "words"), COMMANDS, ids=[command_line(words)[:70] for _, words in COMMANDS])
def test_every_command_is_one_that_its_program_takes(document, words):
    while "=" in words[0] and "/" not in words[0].split("=")[0]:  # an environment variable of this command
        words = words[1:]
    if words[:2] == [PYTHON, "-m"] and words[2] in MODULES:
        parse(MODULES[words[2]], words[2], words[3:])
        for modes in [then for word, then in pairwise(words) if word == "--mode"]:
            assert modes_of(modes)
    elif words[:2] == [PYTHON, "-m"]:
        assert words[2] == "pytest" and all((ROOT / word).exists() for word in words[3:] if word[0] != "-")
    elif words[:2] == [PYTHON, "app.py"]:
        arguments([word for word in words[2:] if word != "--help"])
    elif words[0] == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        for word in words[1:]:
            known = f"$({word.split('=')[0]})" in makefile if "=" in word else f"\n{word}:" in makefile
            assert known, f"{document}: make knows no {word}"
    else:
        assert words[0] in ELSEWHERE, f"{document}: nobody knows {words[0]}"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["models", "fly"], "no command fly"),
        (["solve", "1 + 1?", "--fast"], "--fast"),
        (["solve"], "problem"),
        (["log", "--limit", "many"], "integer"),
    ],
)
def test_an_unknown_command_or_option_is_detected(words, why):
    with pytest.raises(Exception, match=why):
        parse(MODULES["runtime"], "runtime", words)


@pytest.fixture
def workshop(home, monkeypatch):
    """A folder with the files that the documents mention, and models of its own."""
    for name in ("data", "trainer"):
        (home / name).symlink_to(ROOT / name)
    monkeypatch.chdir(home)
    monkeypatch.setenv("SOLILOQUY_MODELS", str(home / "models"))
    monkeypatch.setenv("SOLILOQUY_MODEL", BENCH)
    monkeypatch.setenv("SOLILOQUY_MAX_TOKENS", "64")
    monkeypatch.setenv("SOLILOQUY_THREADS", "1")
    shutil.copy(BENCH, "my-chat-model.gguf")
    shutil.copy(ROOT / "data" / "seed" / "planted" / "01.txt", "attempt.txt")
    rows = [{"problem": PROBLEM, "steps": ["3 × 4 = 12", "12 + 2 = 14"]}]
    Path("attempts.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    solution = {"question": PROBLEM, "steps": rows[0]["steps"], "answer": "14", "first_error_index": -1}
    for name in ("solutions.jsonl", "first_error.jsonl"):
        Path(name).write_text(f"{json.dumps(solution)}\n")
    Path("earlier.jsonl").write_text(json.dumps({"problem": "Seven notebooks cost 14. One?", "steps": ["14 / 7 = 2"]}))
    assert invoked(["runtime", "import", "earlier.jsonl"]).exit_code == 0
    return home


def invoked(words: list[str]):
    return CliRunner().invoke(APPS[words[0]], words[1:])


def made_small(words: list[str]) -> list[str]:
    """A command with the bench model and options that make it short."""
    models = {i + 1 for i, word in enumerate(words) if word in MODELS}
    words = [BENCH if i in models else word for i, word in enumerate(words)]
    short = (options.split() for name, options in SMALLER.items() if name in command_line(words))
    return [*words, *next(short, [])]


@pytest.mark.timeout(240)
@pytest.mark.parametrize("document", [DOCUMENTS[0], *rest(*DOCUMENTS[1:4])])
def test_the_quick_commands_of_a_document_succeed(document, workshop):
    quick = [
        words[2:]
        for words in commands_of(TEXTS[document])
        if words[:2] == [PYTHON, "-m"] and words[2] in APPS and not any(slow in command_line(words) for slow in SLOW)
    ]
    for words in quick:
        if "ID" in words:
            run = json.loads(invoked(["runtime", "log", "--json"]).stdout)["runs"][0]["id"]
            words = [run if word == "ID" else word for word in words]
        done = invoked(made_small(words))
        assert done.exit_code == 0, f"{command_line(words)}: {done.output} {done.exception!r}"
        written = words[words.index("--out") + 1 :][:1] if "--out" in words else words[2:3] * (words[1] == "export")
        assert all(Path(file).exists() for file in written), command_line(words)
        if words[1] in ("log", "solve", "check"):
            assert done.stdout.strip(), command_line(words)


@pytest.mark.parametrize(
    "words",
    sorted({(words[0], *words[1 : 3 if words[1] == "models" else 2]) for words in OURS if words[1] != "--help"}),
    ids=" ".join,
)
def test_every_command_named_has_help(words):
    shown = CliRunner().invoke(APPS[words[0]], [*words[1:], "--help"])
    assert shown.exit_code == 0 and "Usage" in shown.stdout


def test_every_command_of_the_trainer_and_the_runtime_is_in_a_document():
    named = {words[1] for words in OURS}
    missing = {
        f"{module} {name}"
        for module, command in MODULES.items()
        for name, each in command.commands.items()
        if not each.hidden and name not in named and not (module == "trainer" and name == "bench")  # `make bench`
    }
    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_path_and_link_exists(document):
    prose, here = BLOCK.sub("", TEXTS[document]), (ROOT / document).parent
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", prose) if "://" not in link]
    paths = re.findall(r"`((?:runtime|trainer|tests|data|\.ci)/[\w./-]+|[\w-]+\.(?:py|toml))`", prose)
    outside = {"config.toml"}  # in a person's home
    assert links + paths
    assert not [link for link in links if link and not (here / link).exists()]
    assert not [path for path in paths if path not in outside and not (ROOT / path).exists()]


def test_links_to_a_heading_find_it():
    for document, text in TEXTS.items():
        for file, heading in re.findall(r"\]\(([^)#\s]*)#([\w-]+)\)", text):
            there = ((ROOT / document).parent / file).read_text("utf-8") if file else text
            assert heading in [line.strip("# ").lower().replace(" ", "-") for line in there.splitlines() if "#" in line]


def test_the_tree_is_the_real_one():
    block = next(body for language, body in BLOCK.findall(TEXTS["CONTRIBUTING.md"]) if language == "text")
    listed = [line.split()[0] for line in block.splitlines()]
    real = {folder for top in ("runtime", "trainer") for folder in folders(top)}
    real |= {folder for folder in folders("data") if folder.count("/") <= 2} | {"tests/", "tests/browser/"}
    assert {entry for entry in listed if entry.endswith("/")} == real | {"tests/trainer/"}
    assert len(listed) == len(set(listed)) and all((ROOT / entry).exists() for entry in listed)


def test_the_tests_mirror_the_code():
    code = folders("runtime") | folders("trainer")
    mirrored = {folder.removeprefix("tests/") for folder in folders("tests") - {"tests/", "tests/browser/"}}
    assert {folder if folder.startswith("trainer/") else f"runtime/{folder}" for folder in mirrored} <= code


def test_every_setting_is_listed_and_no_other():
    table = TEXTS["runtime/README.md"].partition("| setting |")[2].partition("\n\n")[0]
    listed = [name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(listed) == sorted(Settings.model_fields)
    named = {name for text in TEXTS.values() for name in re.findall(r"SOLILOQUY_(\w+)", text)}
    source = (ROOT / "runtime" / "engines" / "openai" / "server.py").read_text("utf-8")
    assert not {name for name in named if name.lower() not in listed and f'"SOLILOQUY_{name}"' not in source}


def test_the_python_of_the_documents_compiles():
    blocks = [body for text in TEXTS.values() for language, body in BLOCK.findall(text) if language == "python"]
    assert blocks
    for body in blocks:
        compile(body, "document", "exec")

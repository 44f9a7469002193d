"""Measurements of a machine: what is stored, and what follows from it. Speeds themselves are never asserted."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from threading import Thread
from types import SimpleNamespace

import psutil
import pytest
from places import BENCH
from program import called, refused
from tables import rest

from runtime import settings
from runtime.cli import doctor
from runtime.engines.base import EngineError
from runtime.engines.llamacpp import compare, measure, tune
from runtime.errors import SoliloquyError
from runtime.models import catalogue, machine
from runtime.models.machine import Copy, FormatSpeed, Tuning


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def chosen(tmp_path):
    return settings.load(home=tmp_path / "home", models=tmp_path / "models")


def quiet():
    return lambda: 0.0


def busy():
    return lambda: 0.5


def refuse():
    raise AssertionError("measured although it was known")


# Stored measurements


def test_the_thread_count_is_measured_once_and_stored(model, chosen):
    assert machine.threads_for(model, chosen, lambda: 3, quiet) == 3
    assert machine.threads_for(model, chosen, refuse, quiet) == 3


def test_a_configured_thread_count_is_neither_measured_nor_stored(model, chosen):
    assert machine.threads_for(model, chosen.with_(threads=5), refuse, quiet) == 5
    assert machine.recall(model, chosen) is None


def test_a_measurement_on_a_busy_machine_is_not_stored_and_all_cores_are_used(model, chosen, monkeypatch):
    monkeypatch.setattr(machine, "cores", lambda: 8)
    assert machine.threads_for(model, chosen, lambda: 1, busy) == 8
    assert machine.threads_for(model, chosen, lambda: 2, quiet) == 2


def test_measuring_threads_again_leaves_the_other_measurements(model, chosen):
    machine.remember(model, chosen, Tuning(threads=None, width=32, others=0.5))
    assert machine.threads_for(model, chosen, lambda: 2, quiet) == 2
    assert machine.recall(model, chosen).width == 32


@pytest.mark.parametrize("what", ["name", "size", "processor", "cores", "version"])
def test_a_measurement_is_used_only_on_the_same_machine_and_file(what, model, chosen, monkeypatch):
    machine.threads_for(model, chosen, lambda: 3, quiet)
    if what == "name":
        model = model.rename(model.with_name("other.gguf"))
    elif what == "size":
        model.write_bytes(b"more weights")
    elif what == "processor":
        monkeypatch.setattr(machine.processor, "name", lambda: "another one")
    elif what == "cores":
        monkeypatch.setattr(machine, "cores", lambda: 99)
    else:
        monkeypatch.setattr(machine, "version", lambda name: "9.9.9")
    assert machine.recall(model, chosen) is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"x": {"threads": "many"}}', b'{"x": 3}'])
def test_a_damaged_measurement_file_is_ignored_and_replaced(content, model, chosen):
    chosen.home.mkdir()
    (chosen.home / "tuning.json").write_bytes(content)
    assert machine.recall(model, chosen) is None
    assert machine.threads_for(model, chosen, lambda: 3, quiet) == 3
    assert machine.threads_for(model, chosen, refuse, quiet) == 3
    assert [file.name for file in chosen.home.iterdir()] == ["tuning.json"]


def test_with_an_unwritable_home_measurements_work_and_are_not_stored(model, chosen):
    chosen.home.write_text("a file where a folder should be")
    assert machine.threads_for(model, chosen, lambda: 3, quiet) == 3
    assert machine.threads_for(model, chosen, lambda: 4, quiet) == 4


def test_measurements_of_two_files_are_stored_side_by_side(model, chosen):
    other = model.with_name("other.gguf")
    other.write_bytes(b"other weights")
    machine.threads_for(model, chosen, lambda: 1, quiet)
    machine.threads_for(other, chosen, lambda: 2, quiet)
    assert [machine.recall(path, chosen).threads for path in (model, other)] == [1, 2]


def test_the_width_is_the_measured_one_or_the_default(model, chosen):
    assert machine.batch_width(model, chosen, default=7) == 7
    machine.remember(model, chosen, Tuning(threads=2, others=0.0))
    assert machine.batch_width(model, chosen, default=7) == 7
    machine.remember(model, chosen, Tuning(threads=2, width=32, others=0.0))
    assert machine.batch_width(model, chosen, default=7) == 32


# Load from other programs


def spin(seconds):
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends:
        hashlib.sha256(bytes(1 << 16))  # releases the interpreter lock


def test_load_from_other_programs_is_detected():
    program = "import time\nends = time.time() + 20\nwhile time.time() < ends: pass"
    others = [subprocess.Popen([sys.executable, "-c", program]) for _ in range(psutil.cpu_count())]
    try:
        share = machine.watch_others()
        time.sleep(1.5)
        assert share() > 0.5
    finally:
        for other in others:
            other.kill()
            other.wait()


def test_load_from_this_process_is_not_counted():
    share, process = machine.watch_others(), psutil.Process()
    started, before = time.perf_counter(), process.cpu_times()
    threads = [Thread(target=spin, args=(1.0,)) for _ in range(psutil.cpu_count())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after, others = process.cpu_times(), share()
    own = (after.user + after.system - before.user - before.system) / (time.perf_counter() - started)
    assert own / psutil.cpu_count() > 0.05
    assert others + own / psutil.cpu_count() < 1.1


# The copy for batches


@pytest.fixture
def kept(model, chosen):
    """A stored copy of `model`."""
    copy = machine.copies_dir(chosen) / "model.BF16.gguf"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(b"faster weights")
    found = copy.stat()
    row = Copy(
        format="BF16",
        file=copy.name,
        bytes=found.st_size,
        modified=found.st_mtime_ns,
        original_modified=model.stat().st_mtime_ns,
    )
    machine.remember(model, chosen, Tuning(threads=2, width=16, copy_kept=row, others=0.0))
    return copy


def test_batches_use_the_stored_copy(kept, model, chosen):
    assert machine.batch_file(model, chosen) == kept


@pytest.mark.parametrize("change", ["gone", "cut short", "written anew", "another original", "no memory"])
def test_a_changed_copy_is_not_used(change, kept, model, chosen, monkeypatch):
    if change == "gone":
        kept.unlink()
    elif change == "cut short":
        kept.write_bytes(b"faster")
    elif change == "written anew":
        os.utime(kept, ns=(0, 0))
    elif change == "another original":
        os.utime(model, ns=(0, 0))
    else:
        monkeypatch.setattr(machine, "MEMORY_RESERVE", 1 << 60)
    assert machine.batch_file(model, chosen) == model


def test_without_a_measurement_batches_use_the_file_itself(model, chosen):
    assert machine.batch_file(model, chosen) == model
    assert machine.batch_file(model.with_name("none.gguf"), chosen) == model.with_name("none.gguf")


# Decisions


@pytest.mark.parametrize(
    ("speeds", "width"),
    [({1: 50}, 1), ({1: 50, 8: 100, 16: 180, 32: 189, 64: 188}, 16), ({1: 10, 4: 20, 8: 40}, 8), ({1: 99, 4: 100}, 1)],
)
def test_the_best_width_is_the_smallest_of_the_fast_ones(speeds, width):
    assert measure.best_width(speeds) == width


@pytest.mark.parametrize(("cores", "numbers"), [(1, [1]), (2, [2, 1]), (4, [4, 3, 2, 1]), (8, [8, 7, 4, 1])])
def test_candidate_thread_counts_follow_the_cores(cores, numbers):
    assert measure.candidates(cores) == numbers


@pytest.mark.parametrize(
    ("ratio", "same", "words"),
    [
        (1.9, 1.0, "kept"),
        (1.3, 0.99, "kept"),
        (1.29, 1.0, "not 1.3 times as fast"),
        (3.0, 0.98, "2% of its choices differ"),
        (1.0, 0.5, "50% of its choices differ"),
    ],
)
def test_a_format_must_be_faster_and_write_the_same_text(ratio, same, words):
    assert words in tune.verdict(ratio, same)


def speeds_of(name, extra_buffers, alone=1.0, ratio=1.0, same=1.0, finding=""):
    return FormatSpeed(
        format=name, extra_buffers=extra_buffers, prompt=104.0, speeds={1: 12.0, 16: 361.0}, alone=alone, ratio=ratio,
        same=same, finding=finding,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("alone", "ratio", "chosen"),
    [(1.0, 1.0, (True, True)), (1.04, 2.0, (True, False)), (2.1, 1.3, (False, False)), (0.5, 0.5, (True, True))],
)
def test_other_buffers_are_used_only_if_they_are_clearly_faster(alone, ratio, chosen):
    rows = [speeds_of(machine.FILE, True), speeds_of(machine.FILE, False, alone, ratio)]
    assert (tune._best_buffers(rows, "alone"), tune._best_buffers(rows, "ratio")) == chosen
    rows[1] = FormatSpeed(format=machine.FILE, extra_buffers=False, finding="not used: it dies")
    assert (tune._best_buffers(rows, "alone"), tune._best_buffers(rows, "ratio")) == (True, True)


def test_the_buffer_setting_measured_for_the_loaded_file_is_used(kept, model, chosen):
    found = machine.recall(model, chosen)
    assert machine.extra_buffers(model, chosen) is None
    copy = found.copy_kept.model_copy(update={"extra_buffers": True})
    buffers = machine.Buffers(alone=True, batches=False)
    machine.remember(model, chosen, found.model_copy(update={"buffers": buffers, "copy_kept": copy}))
    assert machine.extra_buffers(model, chosen) is True
    assert machine.extra_buffers(model, chosen, batches=True) is True
    kept.unlink()
    assert machine.extra_buffers(model, chosen, batches=True) is False


def test_near_ties_do_not_count_as_other_answers():
    sure, unsure = 1.0, 0.1
    original = [compare.Choice(n, sure) for n in range(8)] + [compare.Choice(n, unsure) for n in (8, 9)]
    other = [compare.Choice(0 if choice.token in (3, 9) else choice.token, sure) for choice in original]
    assert compare.same_answers(original, other) == 7 / 8


# A real model


@pytest.fixture(scope="module")
def loaded():
    with measure.loaded(BENCH) as model:
        yield model


def test_measuring_threads_on_a_real_model_is_quick(loaded):
    started = time.perf_counter()
    assert measure.fastest_threads(loaded, seconds=0.2) in measure.candidates(machine.cores())
    assert time.perf_counter() - started < 60  # half a second on an idle machine


@pytest.mark.rest
def test_a_batch_writes_faster_than_one_reply(loaded):
    def faster():
        return measure.decode_speed(loaded, 16, threads=1, steps=4) > measure.decode_speed(
            loaded, 1, threads=1, steps=4
        )

    assert any(faster() for _ in range(5))  # a single moment of a busy machine proves nothing


def test_a_long_context_leaves_room_for_fewer_replies(loaded):
    assert measure.widths_that_fit(loaded, 1) == list(measure.WIDTHS)
    assert measure.widths_that_fit(loaded, 1 << 40) == [1]


@pytest.mark.rest
def test_chosen_tokens_equal_the_references(loaded):
    from trainer.benchmarks.peers import plain_llama

    text = "One, two, three, four, five, six, seven. " * 8  # longer than one chunk
    reference = plain_llama(BENCH, n_ctx=256, n_threads=1, logits_all=True)
    tokens = reference.tokenize(text.encode())
    reference.eval(tokens)
    wanted = reference.scores[: len(tokens)].argmax(axis=1).tolist()
    reference.close()
    found = compare.greedy_choices(loaded, text, threads=1)
    assert len(found) == len(wanted) > measure.CHUNK
    assert [c.token for c, w in zip(found, wanted, strict=True) if c.margin > compare.SURE] == [
        w for c, w in zip(found, wanted, strict=True) if c.margin > compare.SURE
    ]


@pytest.fixture
def hasty(monkeypatch):
    """The full measurement in a few seconds: one format, one width, a short text. Any speed justifies a copy."""
    monkeypatch.setattr(tune, "FORMATS", {"BF16": tune.FORMATS["BF16"]})
    monkeypatch.setattr(tune, "TEXT", compare.TEXT[:100])
    monkeypatch.setattr(tune, "ROUNDS", 1)
    monkeypatch.setattr(tune, "SECONDS", 0.1)
    monkeypatch.setattr(tune, "WORTH_IT", 0.0)
    monkeypatch.setattr(measure, "WIDTHS", (4,))


@pytest.mark.rest
def test_a_copy_is_used_until_a_later_measurement_rejects_it(tmp_path, hasty, monkeypatch):
    folder = tmp_path / "models"
    folder.mkdir()
    path, chosen = folder / BENCH.name, settings.load(home=tmp_path, models=folder, threads=1)
    shutil.copy(BENCH, path)
    catalogue.add(str(path), chosen, lambda *_: None)
    reports = []
    found = tune.tune(path, chosen, lambda done, total, what: reports.append((done, total)))
    copy = folder / "tuned" / f"{BENCH.stem}.BF16.gguf"
    assert machine.batch_file(path, chosen) == copy
    assert copy.stat().st_size > 1.5 * path.stat().st_size
    assert next(row for row in found.formats if row.format == "BF16").same == 1.0
    own = found.formats[0]
    assert own.format == machine.FILE and own.prompt > 0 and set(own.speeds) == {1, 4}
    assert machine.extra_buffers(path, chosen) is found.buffers.alone is not None
    assert machine.extra_buffers(path, chosen, batches=True) is found.copy_kept.extra_buffers is not None
    assert found.width in found.speeds
    assert machine.recall(path, chosen) == found
    assert [done for done, _ in reports] == list(range(reports[-1][1] + 1))
    assert [file.name for file in copy.parent.iterdir()] == [copy.name]
    assert [entry.path for entry in catalogue.installed(chosen)] == [path]
    assert "BF16" in doctor.examine(chosen)["format"]

    monkeypatch.setattr(tune, "WORTH_IT", 1000.0)
    tune.tune(path, chosen, lambda *_: None)
    assert machine.batch_file(path, chosen) == path
    assert list(copy.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("lack", "words"),
    [("folder", "cannot be written"), *rest(("disk", "GiB of disk, and"), ("memory", "GiB of memory, but"))],
)
def test_a_copy_that_does_not_fit_is_only_reported(lack, words, tmp_path, hasty, monkeypatch):
    folder = tmp_path / "models"
    if lack == "disk":
        monkeypatch.setattr(tune, "DISK_RESERVE", 1 << 60)
    elif lack == "memory":  # enough for the file itself, too little for a copy in 16 bits
        free = BENCH.stat().st_size * 3 // 2 + machine.MEMORY_RESERVE
        monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    else:
        folder.write_text("a file where a folder should be")
    chosen = settings.load(home=tmp_path, models=folder, threads=1)
    found = tune.tune(BENCH, chosen, lambda *_: None)
    assert words in found.formats[-1].finding
    assert found.copy_kept is None
    assert machine.batch_file(BENCH, chosen) == BENCH
    assert not folder.is_dir() or not any((folder / "tuned").iterdir())


def test_a_model_that_exceeds_memory_is_refused_with_a_message(chosen, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1 << 20))
    with pytest.raises(EngineError, match=r"needs about .* of memory.*Close other programs"):
        tune.tune(BENCH, chosen, lambda *_: None)


@pytest.mark.parametrize("content", [None, b"", b"not a model"])
def test_a_file_that_is_no_model_is_refused_with_a_message(content, chosen, tmp_path):
    path = tmp_path / "other.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SoliloquyError, match=r"other\.gguf"):
        tune.tune(path, chosen, lambda *_: None)


# doctor


def doctor_facts(chosen):
    facts = doctor._measured(chosen)  # the rest of the examination runs llama.cpp in processes of their own
    return {name: facts.get(name) for name in ("threads", "batches", "format", "measured")}


def test_doctor_shows_measurements_and_how_to_make_more(model, chosen):
    chosen = chosen.with_(model=str(model))
    assert "when the model is loaded" in doctor_facts(chosen)["threads"]
    assert "doctor --tune" in doctor_facts(chosen)["batches"]
    machine.threads_for(model, chosen, lambda: 3, quiet)
    assert doctor_facts(chosen)["threads"] == "3, as measured"
    assert doctor_facts(chosen.with_(threads=5))["threads"] == "5, as set"


def test_doctor_shows_a_thorough_measurement(kept, model, chosen):
    chosen = chosen.with_(model=str(model))
    row = FormatSpeed(format="BF16", speeds={16: 361.0}, ratio=1.91, same=1.0, finding="kept for batches")
    found = machine.recall(model, chosen).model_copy(
        update={"speeds": {1: 59.0, 16: 180.0}, "formats": (row,), "others": 0.4}
    )
    machine.remember(model, chosen, found)
    facts = doctor_facts(chosen)
    assert facts["batches"] == "180 tokens/s with 16 replies at once, 59 with one"
    assert "BF16, 1.9 times" in facts["format"]
    assert "40%" in facts["measured"]
    kept.unlink()
    assert "cannot be used now" in doctor_facts(chosen)["format"]


def test_doctor_without_a_model_omits_speed(chosen):
    assert set(doctor_facts(chosen).values()) == {None}


def test_the_table_has_every_figure():
    rows = (
        speeds_of("BF16", False, ratio=1.91, same=0.997, finding="kept for batches"),
        FormatSpeed(format="F16", finding="not tried: the copy needs 1.0 GiB of disk, and 0.4 GiB are free"),
    )
    found = Tuning(threads=2, width=16, speeds={1: 59.0, 16: 180.0}, formats=rows, others=0.0)
    table = "\n".join(doctor.describe(found))
    for word in ("threads  2", "59.0", "180.0  best", "361.0", "1.91", "99.7%", "kept", "0.4 GiB are free"):
        assert word in table
    json.loads(found.model_dump_json())


def test_the_command_refuses_a_damaged_model_with_a_message(model):
    refused(called("doctor", "--tune", "--model", model))

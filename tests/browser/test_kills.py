"""Acknowledged labels survive kill -9 of the real program, and none of a burst of a thousand is lost.

make test-slow
"""

from __future__ import annotations

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from threading import Event
from typing import Any
from urllib.parse import urljoin
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from program import cookie, program
from test_review import TEN, imported, studio_handlers

from runtime.log.run import step_id

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(3600)]

KILLS, BURST, HANDS = 100, 1000, 8
OPEN = build_opener(ProxyHandler({}))


@pytest.fixture
def rating(served):
    """The number of the handler that stores a rating, and the run that is rated, in a home for the real program."""
    page = served(studio=True)
    imported(page, TEN)
    number = min(number for name, (number, _) in studio_handlers(page).items() if ".rate " in name)
    (run,) = page.log.ended_runs()
    return number, run.id, page


def acknowledged(address: str, number: int, hand: str, label: dict[str, Any]) -> bool:
    """Store a label as the page does; return whether the program acknowledged it."""
    body = {"fn_index": number, "data": [True], "session_hash": hand, "event_data": label}
    root, known = urljoin(address, "/gradio_api/queue/"), cookie(address)
    asked = Request(f"{root}join", json.dumps(body).encode(), {"Content-Type": "application/json", **known})
    try:
        OPEN.open(asked, timeout=20).read()
        with OPEN.open(Request(f"{root}data?session_hash={hand}", headers=known), timeout=20) as stream:
            for line in stream:
                message = json.loads(line.decode().removeprefix("data:")) if line.startswith(b"data:") else {}
                if message.get("msg") == "process_completed":
                    return bool(message["success"])
    except (OSError, HTTPException, ValueError):  # the program was killed meanwhile
        return False
    return False


def label(run: str, position: int, reason: str) -> dict[str, Any]:
    given = {"number": position + 1, "rating": 1, "reason": reason, "correction": ""}
    return {"step_id": step_id(run, 0, position % 10), "labels": [given]}


def stored(page: Any) -> set[str]:
    return {row["reason"] for row in page.labels()}


def test_every_acknowledged_label_survives_a_kill(rating):
    number, run, page = rating
    rng, kept = random.Random(0), []
    for kill in range(KILLS):
        over = Event()
        with (
            program(page.home, page.home / "no-models", "--no-browser", "--studio") as app,
            ThreadPoolExecutor(HANDS) as hands,
        ):

            def work(hand: int, kill: int = kill, over: Event = over, address: str = app.address) -> list[str]:
                reasons, position = [], 0
                while not over.is_set():
                    reason = f"{kill}/{hand}/{position}"
                    if acknowledged(address, number, f"{kill}-{hand}", label(run, position, reason)):
                        reasons.append(reason)
                    position += 1
                return reasons

            at_work = [hands.submit(work, hand) for hand in range(HANDS)]
            time.sleep(rng.uniform(0.3, 1.5))
            app.process.kill()
            over.set()
            kept += [reason for one in at_work for reason in one.result()]
    there = stored(page)
    print(f"{KILLS} kills: {len(kept)} labels acknowledged, {len(there)} stored, {len(set(kept) - there)} lost")
    assert len(kept) >= KILLS
    assert not set(kept) - there


def test_a_burst_of_a_thousand_labels_is_stored_completely(rating):
    number, run, page = rating
    with (
        program(page.home, page.home / "no-models", "--no-browser", "--studio") as app,
        ThreadPoolExecutor(HANDS) as hands,
    ):
        started = time.monotonic()
        reasons = [f"burst/{i}" for i in range(BURST)]

        def send(i: int, address: str = app.address) -> bool:
            return acknowledged(address, number, f"hand-{i}", label(run, i, reasons[i]))

        done = list(hands.map(send, range(BURST)))
        took = time.monotonic() - started
    print(f"{BURST} labels in {took:.1f} s: {sum(done)} acknowledged, {len(stored(page))} stored")
    assert all(done)
    assert stored(page) == set(reasons)

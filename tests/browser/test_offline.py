"""Nothing leaves the machine: the program, a model and a browser in a network without other hosts.

Linux can give a process its own network with a loopback and no way out. The kernel counts every packet that tries to
leave, name lookups included.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TESTS = Path(__file__).parents[1]
ALONE = ["unshare", "--map-root-user", "--net"]
NO_NAMES = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
"""Chromium calls its maker's services by itself (18 attempts on an empty page); this keeps its look-ups at home."""

pytestmark = [pytest.mark.browser, pytest.mark.rest, pytest.mark.model, pytest.mark.timeout(300)]


def can_be_alone() -> bool:
    return bool(shutil.which(ALONE[0])) and subprocess.run([*ALONE, "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_be_alone(), reason="this system gives no process a network of its own")
def test_without_a_network_every_tab_works_and_no_request_leaves_the_machine(tmp_path):
    done = subprocess.run([*ALONE, sys.executable, __file__, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert len(seen["tabs"]) == 7
    assert seen["hosts"] == ["127.0.0.1"]
    assert seen["steps"] > 0
    assert (seen["left"], seen["datagrams"]) == (0, 0)


def raise_loopback() -> None:
    """Bring up the loopback, which is down in a new network."""
    up_and_running, set_flags = 0x41, 0x8914  # IFF_UP | IFF_RUNNING, SIOCSIFFLAGS
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, set_flags, struct.pack("16sh14x", b"lo", up_and_running))


def counted(protocol: str, name: str) -> int:
    """One of the kernel's counters of this network."""
    names, values = (
        line.split() for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith(f"{protocol}: ")
    )
    return int(values[names.index(name)])


def look_around(home: Path) -> dict[str, object]:
    """Open every tab and solve a problem; return the packets that tried to leave meanwhile."""
    from conftest import FLAGS, chromium
    from places import MODELS, SMALL
    from playwright.sync_api import sync_playwright
    from program import program
    from test_app import solve

    asked: list[str] = []
    with program(home, MODELS, "--no-browser", "--studio", "--model", SMALL) as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*FLAGS, NO_NAMES])
        tab = browser.new_page(locale="en-US")
        tab.set_default_timeout(60_000)
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(app.address)
        tab.get_by_text(f"Ready: {SMALL}").wait_for()
        solve(tab, "Ann has 3 bags with 4 apples each. How many apples?", wait=False)
        tab.get_by_text(re.compile("^Finished")).wait_for()
        steps, tabs = tab.locator(".sq-step:visible").count(), tab.get_by_role("tab").all_inner_texts()
        for name in tabs:
            tab.get_by_role("tab", name=name, exact=True).click()
            tab.get_by_role("tabpanel").filter(visible=True).first.wait_for()
        tab.wait_for_timeout(1_000)  # late requests of a tab
        return {
            "tabs": tabs,
            "steps": steps,
            "hosts": sorted({urlsplit(url).hostname for url in asked if not url.startswith("data:")}),
            "left": counted("Ip", "OutNoRoutes"),
            "datagrams": counted("Udp", "OutDatagrams"),
        }


if __name__ == "__main__":
    sys.path += [str(TESTS.parent), str(TESTS)]
    raise_loopback()
    print(json.dumps(look_around(Path(sys.argv[1]))))

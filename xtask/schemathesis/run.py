"""Holds a real node to its OpenAPI document, signed in as each class of caller.

Every operation is called with requests that schemathesis makes up, right ones and wrong ones. Whatever comes, no answer is
a 5xx, and each has a status, a content type and a body that the document names.

Needs FLOWORK_BIN, and schemathesis in the Python that runs this. Started by `cargo xtask schemathesis`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

FLOWORK = os.environ["FLOWORK_BIN"]
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# The owner reaches the most code, so it gets the most time.
SHARES = {"owner": 6, "operator": 2, "member": 2, "engine": 2}
# Less is over before every operation was asked once.
SECONDS_MIN = 6
SCOPES = ["members:write", "engines:write", "keys:rotate", "audit:read", "ops:drain", "policies:write"]


class Node:
    """A node with directories of its own."""

    def __init__(self, home: Path):
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("FLOWORK_")}
        self.environment = inherited | {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "share"),
            "FLOWORK_DATA_DIR": str(home / "data"),
            "FLOWORK_VAULT": "file",
            "FLOWORK_VAULT_KEY_DIR": str(home / "keys"),
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }
        self.log = open(home / "node.log", "wb")
        command = [FLOWORK, "serve", "--json", "--listen", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log
        )
        line = self.process.stdout.readline()
        ready = json.loads(line or b"{}")
        if ready.get("event") != "ready":
            raise SystemExit(f"the node did not get ready: {(home / 'node.log').read_text()}")
        self.url = ready["url"].rstrip("/")

    def token(self, role: str) -> str:
        """A token of a role, signed with the node's own key."""
        command = [FLOWORK, "token", "create", "--role", role, "--ttl", "2h"]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def post(self, path: str, body: dict, owner: str | None = None) -> dict:
        """Calls a route and gives its answer."""
        headers = {"Content-Type": "application/json"}
        if owner is not None:
            headers["Authorization"] = f"Bearer {owner}"
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self) -> int:
        """Asks it to end, and gives its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def callers(node: Node) -> dict[str, str | None]:
    """What each class of caller sends."""
    owner = node.token("owner")
    found: dict[str, str | None] = {"nobody": None}
    for role in ("owner", "operator", "member", "viewer"):
        found[role] = f"Authorization: Bearer {owner if role == 'owner' else node.token(role)}"
    found["guest"] = f"Authorization: Bearer {node.post('/v1/auth/guest', {})['access_token']}"
    found["engine"] = f"X-Engine-Token: {node.post('/v1/engines', {'name': 'elsewhere'}, owner)['token']}"
    admin = node.post("/v1/admin-tokens", {"scopes": SCOPES, "ttl_seconds": 900}, owner)["token"]
    found["admin"] = f"Authorization: Bearer {admin}"
    return found


def streams(document: dict) -> list[str]:
    """Operations that answer without an end."""
    endless = []
    for item in document["paths"].values():
        for operation in item.values():
            answers = operation.get("responses", {}).values() if isinstance(operation, dict) else []
            if any("text/event-stream" in answer.get("content", {}) or answer is None for answer in answers):
                endless.append(operation["operationId"])
        # A WebSocket is no matter of requests and answers.
        endless += [op["operationId"] for op in item.values() if isinstance(op, dict) and "101" in op.get("responses", {})]
    return endless


def control(node: Node, document: Path, options: argparse.Namespace) -> bool:
    """Says whether a node is told from a document that it does not keep to: one without the status of a refusal."""
    wrong = json.loads(document.read_text())
    del wrong["paths"]["/v1/jobs"]["get"]["responses"]["401"]
    wrong["paths"] = {"/v1/jobs": {"get": wrong["paths"]["/v1/jobs"]["get"]}}
    path = document.with_name("wrong.json")
    path.write_text(json.dumps(wrong))
    return not run(node, path, "nobody, by a document that is wrong", None, SECONDS_MIN, options)


def run(node: Node, document: Path, caller: str, header: str | None, seconds: int, options: argparse.Namespace) -> bool:
    """Lets schemathesis loose as one caller; says whether every answer was one of the document's."""
    command = [*SCHEMATHESIS, "run", str(document), "--url", node.url, "--checks", CHECKS, "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", str(options.seed), "--generation-database", "none"]
    command += ["--max-time", str(seconds), "--max-examples", str(options.examples)]
    # One thread: Python 3.11 counts the depth of a syntax tree for all threads together, and so fails in a second one.
    command += ["--workers", "1"]
    command += ["--request-timeout", "35", "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"]
    # A node that drains is not ready, and says so with the 503 that its document names.
    command += ["--exclude-path", "/ready"]
    for operation in streams(json.loads(document.read_text())):
        command += ["--exclude-operation-id", operation]
    # The endless ones answer at once where the caller is refused, which the permission matrix looks at.
    if header is not None:
        command += ["--header", header]
    print(f"\n-- as {caller}, for {seconds} s", flush=True)
    return subprocess.run(command, env=node.environment, cwd=document.parent, check=False).returncode == 0


def main() -> int:
    """Runs every class of caller against one node."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60, help="for all callers together")
    parser.add_argument("--examples", type=int, default=20, help="made-up requests for an operation")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--caller", action="append", default=[], help="only this class; may be given more than once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowork-schemathesis-") as home:
        node = Node(Path(home))
        try:
            document = Path(home) / "openapi.json"
            with urllib.request.urlopen(f"{node.url}/openapi.json", timeout=60) as answer:
                document.write_bytes(answer.read())
            chosen = {name: header for name, header in callers(node).items() if name in (options.caller or [name])}
            shares = {name: SHARES.get(name, 1) for name in chosen}
            failed = [] if control(node, document, options) else ["the control"]
            for name, header in chosen.items():
                seconds = max(SECONDS_MIN, options.seconds * shares[name] // sum(shares.values()))
                if not run(node, document, name, header, seconds, options):
                    failed.append(name)
        finally:
            code = node.stop()
        if code != 0:
            print(f"the node ended with {code}: {(Path(home) / 'node.log').read_text()[-4000:]}")
            failed.append("the node's own end")
    # Each class of callers is a test, and so are the control and the node's end.
    passed = len(chosen) + 2 - len(failed)
    print(f"schemathesis: {passed} passed, {len(failed)} failed {', '.join(failed)}".rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

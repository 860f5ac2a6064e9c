"""Holds a real node to its OpenAPI document, signed in as each class of caller.

Every operation is called with requests that schemathesis makes up, right ones and wrong ones. Whatever comes, no answer is
a 5xx, and each has a status, a content type and a body that the document names.

A refusal of the sign-in is such an answer, too, so a caller whose token has ended would pass by being refused everywhere.
Each class therefore has a node and a token of its own, the operations that may end that token come last, and in the end the
token must still be good for a call, and most answers must have been something other than a 401.

Needs FLOWORK_BIN, and schemathesis in the Python that runs this. Started by `cargo xtask schemathesis`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

FLOWORK = os.environ["FLOWORK_BIN"]
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli"]
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# The owner reaches the most code, so it gets the most time.
SHARES = {"owner": 6, "operator": 2, "member": 2, "engine": 2}
# Less is over before every operation was asked once.
SECONDS_MIN = 6
# Operations that may end the token they are called with, for those who may call them. Asked one by one, each with a new one.
ENDING = {"owner": ["rotate_keys", "set_guests", "reset"], "admin": ["rotate_keys", "set_guests"]}
# Tokens of these live for 15 minutes at most.
SECONDS_MAX = {"admin": 800, "guest": 800}
# A call that each class may make, whatever happened on the node before.
PROOFS = {"nobody": ("GET", "/health"), "engine": ("POST", "/v1/engine/renew"), "admin": ("GET", "/v1/members")}
CLASSES = ["nobody", "owner", "operator", "member", "viewer", "guest", "engine", "admin"]
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

    def token(self, role: str, hours: int = 2) -> str:
        """A token of a role, signed with the node's own key."""
        command = [FLOWORK, "token", "create", "--role", role, "--ttl", f"{hours}h"]
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


def credentials(node: Node, caller: str, seconds: int) -> str | None:
    """What a class of caller sends, new with each call and good for as long as the class is asked."""
    hours = min(24, seconds // 3600 + 2)
    match caller:
        case "nobody":
            return None
        case "guest":
            return f"Authorization: Bearer {node.post('/v1/auth/guest', {})['access_token']}"
        case "engine":
            return f"X-Engine-Token: {node.post('/v1/engines', {'name': 'elsewhere'}, node.token('owner'))['token']}"
        case "admin":
            wanted = {"scopes": SCOPES, "ttl_seconds": 900}
            return f"Authorization: Bearer {node.post('/v1/admin-tokens', wanted, node.token('owner'))['token']}"
        case role:
            return f"Authorization: Bearer {node.token(role, hours)}"


def still_counts(node: Node, caller: str, header: str | None) -> bool:
    """Says whether these same credentials are good for a call that the class may make."""
    method, path = PROOFS.get(caller, ("GET", "/v1/auth/me"))
    headers = {"Content-Type": "application/json"}
    if header is not None:
        name, value = header.split(": ", 1)
        headers[name] = value
    body = b'{"jobs": []}' if method == "POST" else None
    for _ in range(3):
        request = urllib.request.Request(node.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as refusal:
            if refusal.code != 429:
                print(f"{caller}: {method} {path} came to {refusal.code}: {refusal.read()[:500]!r}")
                return False
            # It has asked more often than it may, which is no word about its credentials.
            time.sleep(int(refusal.headers.get("Retry-After", "1")))
    return False


def got_through(caller: str, answers: Counter[int]) -> bool:
    """Says whether a class got further than the sign-in, where it has something to sign in with."""
    total = sum(answers.values())
    through, good = total - answers[401], sum(count for status, count in answers.items() if 200 <= status < 300)
    print(f"{caller}: {total} answers, {through} of them no 401, {good} of them good")
    # Nobody has nothing to sign in with, and is refused nearly everywhere as it should.
    return total > 0 and (caller == "nobody" or through > total / 2)


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


def control(home: Path, options: argparse.Namespace) -> bool:
    """Says whether what must be seen is: a document that the node does not keep to, and a token that has ended."""
    node = Node(home)
    try:
        document = document_of(node, home)
        wrong = json.loads(document.read_text())
        del wrong["paths"]["/v1/jobs"]["get"]["responses"]["401"]
        wrong["paths"] = {"/v1/jobs": {"get": wrong["paths"]["/v1/jobs"]["get"]}}
        path = document.with_name("wrong.json")
        path.write_text(json.dumps(wrong))
        kept, answers = run(node, path, "nobody, by a document that is wrong", None, SECONDS_MIN, options)
        if kept or got_through("the control as member", answers):
            print("the control: refusals that the document does not name were taken for good answers")
            return False
        owner = credentials(node, "owner", 0)
        if not still_counts(node, "owner", owner):
            print("the control: a new token does not count")
            return False
        node.post("/v1/keys/rotate", {"set": "user", "end_old": True}, owner.rsplit(" ", 1)[1])
        if still_counts(node, "owner", owner):
            print("the control: a token that has ended was taken for a good one")
            return False
        return still_counts(node, "owner", credentials(node, "owner", 0))
    finally:
        node.stop()


def document_of(node: Node, home: Path) -> Path:
    """Keeps the node's document as a file."""
    document = home / "openapi.json"
    with urllib.request.urlopen(f"{node.url}/openapi.json", timeout=60) as answer:
        document.write_bytes(answer.read())
    return document


def hold(home: Path, caller: str, seconds: int, options: argparse.Namespace) -> list[str]:
    """Holds a new node to its document as one class of caller; names what went wrong."""
    node, wrong = Node(home), []
    try:
        document = document_of(node, home)
        ending = ENDING.get(caller, [])
        header = credentials(node, caller, seconds)
        kept, answers = run(node, document, caller, header, seconds, options, without=ending)
        if not kept:
            wrong.append("met answers that the document does not name")
        if not got_through(caller, answers):
            wrong.append("was refused by the sign-in nearly everywhere, or had no time to ask, so that this shows nothing")
        if not still_counts(node, caller, header):
            wrong.append("has credentials that ended on the way")
        for operation in ending:
            # What was asked before may have ended the last token, as it should.
            header = credentials(node, caller, SECONDS_MIN)
            kept, answers = run(node, document, f"{caller}, {operation}", header, SECONDS_MIN, options, only=operation)
            if not kept:
                wrong.append(f"met answers of {operation} that the document does not name")
            if sum(answers.values()) == answers[401]:
                wrong.append(f"never got through to {operation}")
        if ending and not still_counts(node, caller, credentials(node, caller, 0)):
            wrong.append("gets no credentials that count any more")
    finally:
        code = node.stop()
    if code != 0:
        print((home / "node.log").read_text()[-4000:])
        wrong.append(f"left a node that ended with {code}")
    return wrong


def run(
    node: Node,
    document: Path,
    caller: str,
    header: str | None,
    seconds: int,
    options: argparse.Namespace,
    *,
    without: list[str] | None = None,
    only: str | None = None,
) -> tuple[bool, Counter[int]]:
    """Lets schemathesis loose as one caller; says whether every answer was one of the document's, and counts them."""
    command = [*SCHEMATHESIS, "run", str(document), "--url", node.url, "--checks", CHECKS, "--no-color"]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", str(options.seed), "--generation-database", "none"]
    command += ["--max-examples", str(options.examples)]
    # One thread: Python 3.11 counts the depth of a syntax tree for all threads together, and so fails in a second one.
    command += ["--workers", "1"]
    command += ["--request-timeout", "35", "--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"]
    # A node that drains is not ready, and says so with the 503 that its document names.
    command += ["--exclude-path", "/ready"]
    if only is not None:
        command += ["--include-operation-id", only]
    # The endless ones answer at once where the caller is refused, which the permission matrix looks at.
    for operation in streams(json.loads(document.read_text())) + (without or []):
        command += ["--exclude-operation-id", operation]
    if header is not None:
        command += ["--header", header]
    print(f"\n-- as {caller}, for {seconds} s", flush=True)
    counted = document.with_name("answers.json")
    counted.unlink(missing_ok=True)
    environment = node.environment | {
        "SCHEMATHESIS_HOOKS": "answers",
        "PYTHONPATH": str(Path(__file__).parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "FLOWORK_ANSWERS": str(counted),
        "FLOWORK_WITHOUT": "authorization" if header is not None and header.startswith("X-Engine-Token") else "",
    }
    for patience in (1, 5):
        timed = [*command, "--max-time", str(seconds * patience)]
        kept = subprocess.run(timed, env=environment, cwd=document.parent, check=False).returncode == 0
        found = json.loads(counted.read_text()) if counted.exists() else {}
        if found:
            break
        # A machine that is busy had not read the document in that time.
    return kept, Counter({int(status): count for status, count in found.items()})


def main() -> int:
    """Runs every class of caller, each against a node of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=60, help="for all callers together")
    parser.add_argument("--examples", type=int, default=20, help="made-up requests for an operation")
    parser.add_argument("--seed", type=int, default=20261121)
    parser.add_argument("--caller", action="append", choices=CLASSES, help="only this class; may be given more than once")
    options = parser.parse_args()
    chosen = [name for name in CLASSES if name in (options.caller or CLASSES)]
    shares = {name: SHARES.get(name, 1) for name in chosen}
    failed = []
    with tempfile.TemporaryDirectory(prefix="flowork-schemathesis-") as folder:
        home = Path(folder)
        for name in ["control", *chosen]:
            (home / name).mkdir()
        if not control(home / "control", options):
            failed.append("the control")
        for name in chosen:
            seconds = max(SECONDS_MIN, options.seconds * shares[name] // sum(shares.values()))
            for wrong in hold(home / name, name, min(seconds, SECONDS_MAX.get(name, seconds)), options):
                print(f"{name} {wrong}")
                if name not in failed:
                    failed.append(name)
    # Each class of callers is a test, and so is the control.
    passed = len(chosen) + 1 - len(failed)
    print(f"schemathesis: {passed} passed, {len(failed)} failed {', '.join(failed)}".rstrip())
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

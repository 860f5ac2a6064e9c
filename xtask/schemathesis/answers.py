"""Counts the answers of a run by their status, for `run.py`, which names the file in FLOWORK_ANSWERS.

Takes out the header that FLOWORK_WITHOUT names: beside the credentials of an engine, schemathesis makes up those of a
person, and who sends both is refused before anything is looked at.
"""

import atexit
import json
import os
from collections import Counter
from pathlib import Path

import schemathesis

COUNTED: Counter[int] = Counter()
WITHOUT = os.environ.get("FLOWORK_WITHOUT", "").lower()


@schemathesis.hook
def before_call(context, case, kwargs):
    """Leaves out what the caller must not send."""
    if WITHOUT and case.headers:
        for name in [name for name in case.headers if name.lower() == WITHOUT]:
            del case.headers[name]


@schemathesis.hook
def after_call(context, case, response):
    """Notes one answer."""
    COUNTED[response.status_code] += 1


@atexit.register
def write():
    """Tells what was counted."""
    Path(os.environ["FLOWORK_ANSWERS"]).write_text(json.dumps(COUNTED))

import json
import sys


def send(**line):
    print(json.dumps(line), flush=True)


request = json.load(sys.stdin)
text = request["inputs"]["text"]

send(type="progress", fraction=0.5, message="counting")
words = len(text.split())
send(type="log", level="info", message=f"{words} words")
send(type="result", value={"words": words})

#!/bin/sh
set -eu

# A shell has no JSON parser. This takes the text out of a simple request; for more, use jq or another language.
request=$(cat)
text=$(printf '%s' "$request" | sed -n 's/.*"text":"\(\([^"\\]\|\\.\)*\)".*/\1/p' | sed 's/\\[nrt]/ /g')

printf '%s\n' '{"type":"progress","fraction":0.5,"message":"counting"}'
words=$(printf '%s' "$text" | wc -w | tr -d ' ')
printf '{"type":"log","level":"info","message":"%s words"}\n' "$words"
printf '{"type":"result","value":{"words":%s}}\n' "$words"

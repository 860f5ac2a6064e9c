import { readFileSync } from "node:fs";

const send = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const request = JSON.parse(readFileSync(0, "utf8"));
const { text } = request.inputs;

send({ type: "progress", fraction: 0.5, message: "counting" });
const words = text.split(/\s+/).filter((word) => word !== "").length;
send({ type: "log", level: "info", message: `${words} words` });
send({ type: "result", value: { words } });

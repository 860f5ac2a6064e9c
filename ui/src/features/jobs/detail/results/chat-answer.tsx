import { isRecord, number, text } from "~/json";
import { Facts } from "~/ui/facts";

export interface Answer {
  text: string;
  figures: (readonly [string, string])[];
}

/** Reads the answer of a language model; `undefined` where it is something else. */
export function readChatAnswer(result: Record<string, unknown>): Answer | undefined {
  const { message, usage } = result;
  const said =
    text(result["text"]) ?? text(result["content"]) ?? text(message) ?? (isRecord(message) ? text(message["content"]) : undefined);
  if (said === undefined) return undefined;
  const figures: [string, string][] = [];
  const model = text(result["model"]);
  if (model !== undefined) figures.push(["Model", model]);
  if (isRecord(usage)) {
    for (const [name, value] of Object.entries(usage)) {
      const count = number(value);
      if (count !== undefined) figures.push([name.replaceAll("_", " "), count.toLocaleString()]);
    }
  }
  return { text: said, figures };
}

export function ChatAnswer({ answer }: { answer: Answer }) {
  return (
    <div className="space-y-5">
      <p className="leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]">{answer.text}</p>
      {answer.figures.length > 0 && <Facts items={answer.figures} />}
    </div>
  );
}

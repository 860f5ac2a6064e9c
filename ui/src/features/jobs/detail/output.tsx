import { Section } from "~/ui/page";
import { useStickToEnd } from "~/ui/stick-to-end";

/** What a running job has written so far, such as the answer of a language model. */
export function Output({ text }: { text: string }) {
  const box = useStickToEnd<HTMLDivElement>(text.length);
  return (
    <Section title="Output so far">
      <div
        ref={box}
        role="region"
        aria-label="Output text"
        tabIndex={0}
        className="scroll-thin max-h-96 overflow-y-auto leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]"
      >
        {text}
        <span aria-hidden className="ml-0.5 inline-block h-4 w-1.5 translate-y-0.5 animate-breathe bg-run" />
      </div>
    </Section>
  );
}

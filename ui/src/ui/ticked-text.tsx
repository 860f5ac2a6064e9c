/** Text in which backticks mark code, as the node's hints and descriptions have it. */
export function TickedText({ children }: { children: string }) {
  return children.split("`").map((part, index) =>
    index % 2 === 0 ? (
      part
    ) : (
      <code key={index} className="rounded bg-hover px-1 font-mono text-[0.92em]">
        {part}
      </code>
    ),
  );
}

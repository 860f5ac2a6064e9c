import { TickedText } from "~/ui/ticked-text";

import type { Member } from "./document";

/** Members of an object or parameters of an operation, with what each one is. */
export function MemberList({ members }: { members: readonly Member[] }) {
  return (
    <dl className="space-y-2 text-[13px]">
      {members.map((member, index) => (
        <div key={`${index} ${member.name}`} className="grid gap-x-4 sm:grid-cols-[14rem_1fr]">
          <dt className="font-mono [overflow-wrap:anywhere]">
            {member.name}
            {!member.required && <span className="ml-1.5 font-sans text-xs text-ink-faint">optional</span>}
          </dt>
          <dd className="min-w-0 text-ink-soft [overflow-wrap:anywhere]">
            <span className="font-mono text-xs text-ink-faint">{member.type}</span>
            {member.description !== undefined && (
              <span className="block">
                <TickedText>{member.description}</TickedText>
              </span>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { UserPlus } from "lucide-react";
import { useState } from "react";

import type { Member } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { paths } from "~/paths";
import { Button } from "~/ui/button";
import { Modal } from "~/ui/dialog";
import { Page, Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { AddMemberForm } from "./add-form";
import { GuestsSection } from "./guests";
import { Invitation } from "./invitation";
import { memberQueries } from "./queries";
import { ROLE_WORDS } from "./roles";

/** Who belongs to this node, and what they may do. */
export function MembersPage() {
  const query = useQuery(memberQueries.list);
  const [adding, setAdding] = useState(false);
  const [added, setAdded] = useState<Member>();
  return (
    <Page
      title="Members"
      detail="Whoever is on this list can sign in, with a wallet whose address is here or a browser that was invited. Engines get the list too, and run nothing for people who are not on it."
      actions={
        query.data !== undefined && (
          <Button tone="primary" onClick={() => setAdding(true)}>
            <UserPlus aria-hidden className="size-4" />
            Add member
          </Button>
        )
      }
    >
      <div className="space-y-4">
        <Section title="All members" flush>
          <Loaded query={query} what="members">
            {({ items }) => (
              <ul>
                {items.map((member) => (
                  <Entry key={member.subject} member={member} />
                ))}
              </ul>
            )}
          </Loaded>
        </Section>
        <GuestsSection />
      </div>
      <Modal open={adding} onOpenChange={setAdding} title="Add a member">
        <AddMemberForm
          onAdded={(member, invite) => {
            setAdding(false);
            if (invite) setAdded(member);
          }}
        />
      </Modal>
      {added !== undefined && <Invitation member={added} onClose={() => setAdded(undefined)} />}
    </Page>
  );
}

function Entry({ member }: { member: Member }) {
  const lastUsed = member.keys
    .flatMap(({ last_used_at: at }) => (at ? [at] : []))
    .sort()
    .at(-1);
  return (
    <li
      aria-label={member.name}
      className="relative flex flex-wrap items-center justify-between gap-x-6 gap-y-2 border-b border-line px-4 py-3 last:border-0 hover:bg-hover/50"
    >
      <div className="min-w-0 flex-1 basis-64 space-y-0.5">
        <h3 className="text-[13px] font-medium [overflow-wrap:anywhere]">
          <Link to={paths.member} params={{ subject: member.subject }} className="after:absolute after:inset-0">
            {member.name}
          </Link>
        </h3>
        <p className="numeric text-xs text-ink-faint">
          {counted(member.keys.length, "key")} · {counted(member.sessions, "open session")} ·{" "}
          {lastUsed === undefined ? (
            <>
              added <Ago at={member.created_at} />
            </>
          ) : (
            <>
              signed in <Ago at={lastUsed} />
            </>
          )}
        </p>
      </div>
      <div className="flex items-center gap-2">
        {member.disabled_at && <Pill tone="bad">Disabled</Pill>}
        <Pill tone={member.role === "owner" ? "good" : "plain"}>{ROLE_WORDS[member.role].title}</Pill>
      </div>
    </li>
  );
}

function counted(count: number, what: string): string {
  return `${count === 0 ? "no" : count} ${what}${count === 1 ? "" : "s"}`;
}

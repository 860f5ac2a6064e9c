import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";

import { Loaded } from "~/features/app/loaded";
import { memberQueries } from "~/features/members/queries";
import { paths } from "~/paths";
import { Address } from "~/ui/address";
import { CopyButton } from "~/ui/copy-button";
import { Section } from "~/ui/page";

/** What the owner's subject is. */
const OWNER = "owner";

/** The key that is the owner, as far as mathematics can tell. */
export function OwnerSection() {
  const query = useQuery(memberQueries.one(OWNER));
  return (
    <Section title="Owner">
      <Loaded query={query} what="the owner's keys">
        {({ keys }) => (
          <div className="space-y-3 text-[13px] text-ink-soft">
            <p>The owner signs in as one of these, and signs the days of the audit log with the first that this node made.</p>
            <ul className="space-y-1">
              {keys.map(({ address, name }) => (
                <li key={address} className="flex flex-wrap items-center gap-x-2">
                  <Address address={address} copy />
                  <span className="text-ink-faint">{name}</span>
                </li>
              ))}
            </ul>
            <p>
              To keep the node's own key elsewhere too, export it on the machine, encrypted with a new passphrase:
            </p>
            <div className="flex items-center justify-between gap-2 rounded-lg border border-line bg-sunken py-1 pr-1 pl-3">
              <code className="font-mono">flowork key export --out owner-key.json</code>
              <CopyButton value="flowork key export --out owner-key.json" what="the command" />
            </div>
            <Link to={paths.member} params={{ subject: OWNER }} className="underline underline-offset-2 hover:text-accent">
              All about the owner
            </Link>
          </div>
        )}
      </Loaded>
    </Section>
  );
}

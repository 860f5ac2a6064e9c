import { useQuery } from "@tanstack/react-query";

import { Loaded } from "~/features/app/loaded";
import { statusQueries } from "~/features/status/queries";
import { vaultWords } from "~/features/status/vault";
import { Callout, Hint } from "~/ui/callout";
import { Section } from "~/ui/page";

/** What the codes of notices about the vault begin with. */
const VAULT_NOTICE = /^vault/i;

/** Where the secrets of this node are kept, and how to keep them better. */
export function VaultSection() {
  const query = useQuery(statusQueries.status);
  return (
    <Section title="Vault">
      <Loaded query={query} what="where keys are kept">
        {({ vault, notices }) => (
          <div className="space-y-3 text-[13px] text-ink-soft">
            <p>
              All secrets of this node are in <strong className="font-medium text-ink">{vaultWords(vault).title}</strong>.{" "}
              {vaultWords(vault).detail}
            </p>
            {notices
              .filter(({ code }) => VAULT_NOTICE.test(code))
              .map(({ code, message, hint }) => (
                <Callout key={code} tone="warn" title={message}>
                  {hint && <Hint>{hint}</Hint>}
                </Callout>
              ))}
          </div>
        )}
      </Loaded>
    </Section>
  );
}

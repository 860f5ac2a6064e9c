import { useMutation } from "@tanstack/react-query";
import { useId, useState } from "react";

import { createAdminToken } from "~/api/access";
import type { AdminToken, Scope } from "~/api/types";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { useNow } from "~/ui/clock";
import { ShownOnce } from "~/ui/dialog";
import { formatDuration } from "~/ui/duration";
import { FieldNotes, Select } from "~/ui/field";
import { Page, Section } from "~/ui/page";
import { SecretField } from "~/ui/secret-field";

const SCOPES: readonly { scope: Scope; title: string }[] = [
  { scope: "ops:drain", title: "Drain the node, and end the drain" },
  { scope: "engines:write", title: "Add engines, change and revoke their tokens" },
  { scope: "members:write", title: "Add, change and remove members and their keys" },
  { scope: "keys:rotate", title: "Rotate the keys that sign tokens" },
  { scope: "policies:write", title: "Decide what guests see, and who may enqueue which kind" },
  { scope: "audit:read", title: "Read the audit log" },
];

const LIVES_MINUTES = [1, 5, 15] as const;
/** The longest life that the node gives. */
const LIFE_MINUTES_MAX = 15;

/** Tokens for a script that does one thing of the owner's, soon. */
export function AdminTokensPage() {
  const [made, setMade] = useState<AdminToken>();
  return (
    <Page
      title="Admin tokens"
      detail="For a script that has to do something that only you may: it gets a token for just that, which ends by itself within a quarter of an hour. Nothing keeps it, so there is no list of them."
    >
      <Section title="New admin token" className="max-w-2xl">
        <TokenForm onMade={setMade} />
      </Section>
      {made !== undefined && (
        <ShownOnce
          title="The new admin token"
          detail="For the header Authorization: Bearer. It is not shown again."
          onSaved={() => setMade(undefined)}
        >
          <SecretField value={made.token} label="Admin token" />
          <p className="text-[13px] text-ink-soft">May: {made.scopes.join(", ")}</p>
          <Remaining until={made.expires_at} />
        </ShownOnce>
      )}
    </Page>
  );
}

function Remaining({ until }: { until: string }) {
  const leftMs = Date.parse(until) - useNow();
  return (
    <p className="numeric text-[13px] text-ink-soft">
      {leftMs <= 0 ? "It has ended." : `It lives for another ${formatDuration(leftMs)}.`}
    </p>
  );
}

function TokenForm({ onMade }: { onMade: (token: AdminToken) => void }) {
  const id = useId();
  const [scopes, setScopes] = useState<readonly Scope[]>([]);
  const [minutes, setMinutes] = useState<number>(LIFE_MINUTES_MAX);
  const [missing, setMissing] = useState(false);
  // Not kept by the cache of mutations once it is shown.
  const create = useMutation({ mutationFn: createAdminToken, gcTime: 0 });

  function send() {
    setMissing(scopes.length === 0);
    if (scopes.length === 0) return;
    create.mutate(
      { scopes: [...scopes], ttl_seconds: minutes * 60 },
      {
        onSuccess: (token) => {
          onMade(token);
          create.reset();
        },
      },
    );
  }

  return (
    <form
      aria-label="New admin token"
      className="space-y-4"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <fieldset className="space-y-2" aria-describedby={missing ? `${id}-scopes-errors` : undefined}>
        <legend className="mb-1.5 text-[13px] font-medium">What it may do</legend>
        {SCOPES.map(({ scope, title }) => (
          <div key={scope} className="flex items-start gap-2.5 text-[13px]">
            <input
              type="checkbox"
              id={`${id}-${scope}`}
              checked={scopes.includes(scope)}
              onChange={(event) => setScopes(event.target.checked ? [...scopes, scope] : scopes.filter((other) => other !== scope))}
              className="mt-0.5 size-4 shrink-0 accent-accent pointer-coarse:size-5"
            />
            <label htmlFor={`${id}-${scope}`}>
              {title} <code className="font-mono text-xs text-ink-faint">{scope}</code>
            </label>
          </div>
        ))}
        <FieldNotes id={`${id}-scopes`} errors={missing ? ["Choose at least one."] : []} />
      </fieldset>
      <div className="max-w-48 space-y-1.5">
        <label htmlFor={`${id}-life`} className="text-[13px] font-medium">
          Life
        </label>
        <Select id={`${id}-life`} value={minutes} onChange={(event) => setMinutes(Number(event.target.value))}>
          {LIVES_MINUTES.map((life) => (
            <option key={life} value={life}>
              {life === 1 ? "1 minute" : `${life} minutes`}
            </option>
          ))}
        </Select>
      </div>
      {create.isError && <ErrorCallout problem={complaint(create.error)} />}
      <div className="flex justify-end">
        <Button type="submit" tone="primary" busy={create.isPending}>
          Make token
        </Button>
      </div>
    </form>
  );
}

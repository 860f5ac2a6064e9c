import { useQuery } from "@tanstack/react-query";
import { RotateCw } from "lucide-react";
import { useState } from "react";

import type { SigningKey, SigningKeyList, TokenSet } from "~/api/types";
import { Loaded } from "~/features/app/loaded";
import { Button } from "~/ui/button";
import { DataTable } from "~/ui/data-table";
import { Page, Section } from "~/ui/page";
import { Pill } from "~/ui/pill";
import { Ago } from "~/ui/time";

import { OwnerSection } from "./owner";
import { keyQueries } from "./queries";
import { AskRotate } from "./rotate";
import { VaultSection } from "./vault";

const SETS: Record<TokenSet, { title: string; detail: string }> = {
  user: { title: "People", detail: "Sign the short tokens of everybody who is signed in." },
  engine: { title: "Engines", detail: "Sign the short tokens that engines get for their own." },
  admin: { title: "Admin tokens", detail: "Sign tokens with scopes, for scripts." },
};

const ORDER = ["user", "engine", "admin"] as const satisfies readonly TokenSet[];

/** The keys that sign tokens, the owner's own, and where all of them are kept. */
export function KeysPage() {
  const query = useQuery(keyQueries.list);
  const [rotating, setRotating] = useState<TokenSet | "all">();
  return (
    <Page
      title="Keys"
      detail="Every token that this node gives out is signed by one of these. A key that is replaced goes on to verify until the last token it signed has ended."
      actions={
        query.data !== undefined && (
          <Button onClick={() => setRotating("all")}>
            <RotateCw aria-hidden className="size-4" />
            Rotate all
          </Button>
        )
      }
    >
      <div className="space-y-4">
        <Loaded query={query} what="keys">
          {(keys) => (
            <>
              {ORDER.map((set) => (
                <KeySet key={set} set={set} keys={keys} onRotate={() => setRotating(set)} />
              ))}
            </>
          )}
        </Loaded>
        <div className="grid items-start gap-4 lg:grid-cols-2">
          <OwnerSection />
          <VaultSection />
        </div>
      </div>
      {rotating !== undefined && (
        <AskRotate
          set={rotating === "all" ? undefined : rotating}
          what={rotating === "all" ? "all keys" : `the keys of ${SETS[rotating].title.toLowerCase()}`}
          onClose={() => setRotating(undefined)}
        />
      )}
    </Page>
  );
}

interface KeySetProps {
  set: TokenSet;
  keys: SigningKeyList;
  onRotate: () => void;
}

function KeySet({ set, keys, onRotate }: KeySetProps) {
  const { title, detail } = SETS[set];
  const own = keys.items.filter((key) => key.set === set);
  return (
    <Section
      title={title}
      flush
      aside={
        own.length > 0 && (
          <Button aria-label={`Rotate the keys of ${title.toLowerCase()}`} onClick={onRotate}>
            Rotate
          </Button>
        )
      }
    >
      <p className="px-4 pt-3 text-[13px] text-ink-soft">
        {detail} {own.length === 0 ? "None was needed so far." : `A new one comes every ${keys.rotates_after_days} days by itself.`}
      </p>
      {own.length === 0 ? (
        <div className="pb-3" />
      ) : (
        <DataTable
          caption={`Keys of ${title.toLowerCase()}`}
          rows={own}
          rowKey={({ kid }) => kid}
          columns={[
            { title: "Key", cell: ({ kid }) => <code className="font-mono text-xs [overflow-wrap:anywhere]">{kid}</code> },
            { title: "State", cell: (key) => <State signingKey={key} /> },
            { title: "Made", cell: ({ created_at: at }) => <Ago at={at} /> },
            { title: "Next", cell: (key) => <Next signingKey={key} /> },
          ]}
        />
      )}
    </Section>
  );
}

function State({ signingKey }: { signingKey: SigningKey }) {
  return signingKey.retired_at ? <Pill tone="plain">Verifies</Pill> : <Pill tone="good">Signs</Pill>;
}

function Next({ signingKey }: { signingKey: SigningKey }) {
  return (
    <span className="whitespace-nowrap">
      {signingKey.retired_at ? "Goes" : "Is replaced"} <Ago at={signingKey.ends_at} />
    </span>
  );
}

import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";

import { paths } from "~/paths";
import { Callout } from "~/ui/callout";
import { Page, Section } from "~/ui/page";
import { Choice } from "~/ui/choice";
import { useMay } from "~/features/app/rights";

import { SyncForm } from "./form";
import { PRESETS, type PresetName } from "./presets";

/** Makes a session: a preset to begin with, and all its settings. */
export function NewSyncPage() {
  const navigate = useNavigate();
  const may = useMay("sessions_write");
  const [preset, setPreset] = useState<PresetName>("chess");
  const chosen = PRESETS.find(({ name }) => name === preset);
  if (!may) {
    return (
      <Page title="New live session">
        <Callout tone="note" title="You may look at live sessions, but not make any">
          <p>Ask the owner of this node for the role of a member.</p>
        </Callout>
      </Page>
    );
  }
  return (
    <Page title="New live session" detail="Everybody who opens it sees the same clock. Nothing runs until you start it.">
      <div className="grid max-w-4xl grid-cols-1 gap-4 lg:grid-cols-[18rem_1fr] lg:items-start">
        <Section title="What it is for">
          <Choice
            label="Begin with"
            value={preset}
            onChange={setPreset}
            options={PRESETS.map(({ name, title, detail }) => ({ value: name, title, detail }))}
          />
        </Section>
        {chosen !== undefined && (
          <SyncForm
            key={chosen.name}
            initial={chosen.draft}
            onMade={(state) => void navigate({ to: paths.syncSession, params: { sessionId: state.session_id } })}
          />
        )}
      </div>
    </Page>
  );
}

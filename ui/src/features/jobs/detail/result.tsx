import { useState } from "react";

import { isRecord } from "~/json";
import { JsonView } from "~/ui/json-view";
import { Section } from "~/ui/page";
import { TabPanel, Tabs } from "~/ui/tabs";

import { ChatAnswer, readChatAnswer } from "./results/chat-answer";
import { CsvProfile, readCsvProfile } from "./results/csv-profile";
import { ImageList, readImageList } from "./results/image-list";

type View = "readable" | "json";

const VIEWS = [
  { name: "readable", title: "Readable" },
  { name: "json", title: "JSON" },
] as const satisfies readonly { name: View; title: string }[];

interface ResultSectionProps {
  kind: string;
  result: unknown;
  className?: string;
}

/** What the job gave: by its shape where that is known, and as JSON always. */
export function ResultSection({ kind, result, className }: ResultSectionProps) {
  const [view, setView] = useState<View>("readable");
  const readable = renderReadable(kind, result);
  return (
    <Section title="Result" {...(className === undefined ? {} : { className })}>
      {readable === undefined ? (
        <JsonView value={result} what="the result" />
      ) : (
        <Tabs label="How to show the result" value={view} onChange={setView} tabs={VIEWS}>
          <TabPanel value="readable">{readable}</TabPanel>
          <TabPanel value="json">
            <JsonView value={result} what="the result" />
          </TabPanel>
        </Tabs>
      )}
    </Section>
  );
}

function renderReadable(kind: string, result: unknown) {
  if (!isRecord(result)) return undefined;
  const profile = readCsvProfile(result);
  if (profile !== undefined) return <CsvProfile profile={profile} />;
  const images = readImageList(result);
  if (images !== undefined) return <ImageList images={images} />;
  const answer = kind.startsWith("llm.") ? readChatAnswer(result) : undefined;
  if (answer !== undefined) return <ChatAnswer answer={answer} />;
  return undefined;
}

import { isList, text } from "~/json";
import type { Participant } from "~/sync/state";

/** What the GUI puts into `metadata`, which the node keeps as it is. */
export interface SyncNames {
  title: string;
  /** In the order of the participants. */
  names: readonly string[];
}

type Metadata = Record<string, unknown> | null;

/** Writes names as metadata. Those that say no more than the number are left out at the end, to stay within its bounds. */
export function metadataOf({ title, names }: SyncNames): Record<string, unknown> {
  const kept = names.map((name) => name.trim());
  while (kept.at(-1) === "") kept.pop();
  return { ...(title.trim() === "" ? {} : { title: title.trim() }), ...(kept.length === 0 ? {} : { names: kept }) };
}

/** What a session is called: what its maker wrote, or the beginning of its id. */
export function titleOf({ metadata, session_id: id }: { metadata: Metadata; session_id: string }): string {
  const title = metadata === null ? undefined : text(metadata["title"])?.trim();
  return title === undefined || title === "" ? `Session ${id.slice(0, 8)}` : title;
}

/** What a participant is called. */
export function nameOf(metadata: Metadata, participant: Pick<Participant, "participant_index">): string {
  const { participant_index: index } = participant;
  const names = metadata === null ? undefined : metadata["names"];
  const name = isList(names) ? text(names[index])?.trim() : undefined;
  return name === undefined || name === "" ? `Participant ${index + 1}` : name;
}

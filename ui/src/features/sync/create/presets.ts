import { newId } from "~/new-id";
import type { SyncMode } from "~/sync/state";

import type { Draft, DraftParticipant } from "./draft";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

interface Preset {
  name: PresetName;
  title: string;
  detail: string;
  draft: () => Draft;
}

export const PRESET_NAMES = ["chess", "quiz", "meeting", "auction", "stopwatch", "own"] as const;
export type PresetName = (typeof PRESET_NAMES)[number];

/** Makes participants of these names, each with the same time. */
function people(timeMs: number, ...names: string[]): DraftParticipant[] {
  return names.map((name) => ({ id: newId(), name, timeMs, group: 1 }));
}

function draftOf(mode: SyncMode, change: Partial<Draft>): Draft {
  return {
    title: "",
    mode,
    participants: people(5 * MINUTE_MS, "", ""),
    totalMs: 30 * MINUTE_MS,
    perCycleMs: 30 * SECOND_MS,
    incrementMs: undefined,
    maxMs: undefined,
    onTimeout: "none",
    ...change,
  };
}

/** What most sessions are, ready to be made. All of it can be changed before. */
export const PRESETS: readonly Preset[] = [
  {
    name: "chess",
    title: "Chess clock",
    detail: "Two players, 5 minutes each and 3 seconds more for every move.",
    draft: () =>
      draftOf("per_participant", {
        title: "Chess",
        participants: people(5 * MINUTE_MS, "White", "Black"),
        incrementMs: 3 * SECOND_MS,
        onTimeout: "end_session",
      }),
  },
  {
    name: "quiz",
    title: "Quiz",
    detail: "30 seconds for every answer, then it is the next one's turn.",
    draft: () =>
      draftOf("per_cycle", {
        title: "Quiz",
        participants: people(10 * MINUTE_MS, "Team 1", "Team 2", "Team 3"),
        perCycleMs: 30 * SECOND_MS,
        onTimeout: "auto_advance",
      }),
  },
  {
    name: "meeting",
    title: "Meeting",
    detail: "30 minutes for all together, and who used how much of them.",
    draft: () =>
      draftOf("global", {
        title: "Meeting",
        participants: people(30 * MINUTE_MS, "Speaker 1", "Speaker 2", "Speaker 3"),
        totalMs: 30 * MINUTE_MS,
      }),
  },
  {
    name: "auction",
    title: "Auction",
    detail: "Every bid begins 15 seconds anew; when they run out it is over.",
    draft: () =>
      draftOf("per_cycle", {
        title: "Auction",
        participants: people(60 * MINUTE_MS, "Bidder 1", "Bidder 2", "Bidder 3"),
        perCycleMs: 15 * SECOND_MS,
        onTimeout: "end_session",
      }),
  },
  {
    name: "stopwatch",
    title: "Stopwatch",
    detail: "Counts up until somebody stops it.",
    draft: () => draftOf("count_up", { title: "Stopwatch", participants: people(MINUTE_MS, "Time") }),
  },
  {
    name: "own",
    title: "Own settings",
    detail: "Begin with a session of two and change what you like.",
    draft: () => draftOf("per_group", { participants: people(5 * MINUTE_MS, "", "").map((one, index) => ({ ...one, group: index + 1 })) }),
  },
];

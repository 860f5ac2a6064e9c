import { isList, isRecord, number, parseJson, text } from "~/json";

import {
  type Computed,
  type Participant,
  SESSION_STATUSES,
  type Switched,
  SYNC_MODES,
  type SyncEvent,
  type SyncPage,
  type SyncState,
  type SyncSummary,
  TIMEOUT_ACTIONS,
} from "./state";

/** What the node says over a socket. */
export type Message =
  | { name: "connected" }
  | { name: "state"; state: SyncState }
  | { name: "deleted" }
  | { name: "pong" }
  | { name: "error"; code: string; message: string };

/** Reads a message of the node; `undefined` for what is none, or of a kind that is newer than this client. */
export function readMessage(source: string): Message | undefined {
  const json = parseJson(source);
  if (!json.ok || !isRecord(json.value)) return undefined;
  const said = json.value;
  switch (said["type"]) {
    case "CONNECTED":
      return { name: "connected" };
    case "STATE_SYNC":
    case "STATE_UPDATE":
      return isState(said["state"]) ? { name: "state", state: said["state"] } : undefined;
    case "SESSION_DELETED":
      return { name: "deleted" };
    case "PONG":
      return { name: "pong" };
    case "ERROR":
      return { name: "error", code: text(said["code"]) ?? "", message: text(said["message"]) ?? "" };
    default:
      return undefined;
  }
}

type Check = (value: unknown) => boolean;
/** One check for each member that the node's document names: a member that is new there is missing here, and shows. */
type Checks<Type> = Record<keyof Type, Check>;

const isText: Check = (value) => text(value) !== undefined;
const isNumber: Check = (value) => number(value) !== undefined;
const isFlag: Check = (value) => typeof value === "boolean";
const isAny: Check = (value) => value !== undefined;
const oneOf = (names: readonly string[]): Check => (value) => names.some((name) => name === value);
const listOf = (is: Check): Check => (value) => isList(value) && value.every(is);
const orNull = (is: Check): Check => (value) => value === null || is(value);

function matches<Type>(checks: Checks<Type>, value: unknown): value is Type {
  return isRecord(value) && Object.entries<Check>(checks).every(([name, is]) => is(value[name]));
}

const PARTICIPANT: Checks<Participant> = {
  participant_id: isText,
  participant_index: isNumber,
  total_time_ms: isNumber,
  time_remaining_ms: isNumber,
  time_used_ms: isNumber,
  cycle_count: isNumber,
  is_active: isFlag,
  has_expired: isFlag,
  group_id: orNull(isText),
};
const isParticipant: Check = (value) => matches(PARTICIPANT, value);

/** What a session and its entry in a list both tell. */
const TOLD = {
  session_id: isText,
  sync_mode: oneOf(SYNC_MODES),
  status: oneOf(SESSION_STATUSES),
  version: isNumber,
  cycle_started_at: orNull(isText),
  // Whoever made the session chose it.
  metadata: isAny,
  created_by: isText,
  created_at: isText,
  updated_at: isText,
  // An action that is newer than this client is offered nowhere.
  allowed_actions: listOf(isText),
};

const STATE: Checks<SyncState> = {
  ...TOLD,
  participants: listOf(isParticipant),
  active_participant_id: orNull(isText),
  total_time_ms: isNumber,
  time_per_cycle_ms: orNull(isNumber),
  cycle_elapsed_ms: isNumber,
  session_started_at: orNull(isText),
  session_completed_at: orNull(isText),
  increment_ms: orNull(isNumber),
  max_time_ms: orNull(isNumber),
  action_on_timeout: oneOf(TIMEOUT_ACTIONS),
};

const COMPUTED: Checks<Computed> = { now_ms: isNumber, active_remaining_ms: orNull(isNumber), active_elapsed_ms: orNull(isNumber) };

const SUMMARY: Checks<SyncSummary> = {
  ...TOLD,
  participant_count: isNumber,
  time_used_ms: isNumber,
  active_participant: orNull(isParticipant),
  computed: (value) => matches(COMPUTED, value),
};

const SWITCHED: Checks<Switched> = {
  session_id: isText,
  participants: listOf(isParticipant),
  status: oneOf(SESSION_STATUSES),
  version: isNumber,
  active_participant_id: orNull(isText),
  cycle_started_at: orNull(isText),
};

const EVENT: Checks<SyncEvent> = {
  session_id: isText,
  sequence: isNumber,
  version: isNumber,
  at: isText,
  // What is newer than this client is shown without words of its own.
  event: isAny,
  status: oneOf(SESSION_STATUSES),
  actor: orNull(isText),
  participant_id: orNull(isText),
  balances: listOf((balance) => isRecord(balance) && isText(balance["participant_id"])),
  cycles: isNumber,
};

/** Whether all is there that clocks need. */
export function isState(value: unknown): value is SyncState {
  return matches(STATE, value);
}

export function isSwitched(value: unknown): value is Switched {
  return matches(SWITCHED, value);
}

/** Whether it is a page of sessions, all of which can be read: half a list is a wrong list. */
export function isSummaryPage(value: unknown): value is SyncPage<SyncSummary> {
  return isPage(value, (item) => matches(SUMMARY, item));
}

export function isEventPage(value: unknown): value is SyncPage<SyncEvent> {
  return isPage(value, (item) => matches(EVENT, item));
}

function isPage(value: unknown, isItem: Check): boolean {
  return isRecord(value) && listOf(isItem)(value["items"]) && orNull(isText)(value["next_cursor"]);
}

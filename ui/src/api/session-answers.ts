import { isList, isRecord, parseJson, text } from "~/json";

import { ApiError } from "./error";
import type { GuestAnswer, TokenAnswer } from "./types";

/** Reads the answer to a sign-in that lasts. */
export function readTokens(response: Response): Promise<TokenAnswer> {
  return read(response, isTokenAnswer);
}

/** Reads the answer to a guest. */
export function readGuest(response: Response): Promise<GuestAnswer> {
  return read(response, isGuestAnswer);
}

/** Reads the message that is to be signed. */
export function readChallenge(response: Response): Promise<{ message: string }> {
  return read(response, (value): value is { message: string } => isRecord(value) && text(value["message"]) !== undefined);
}

async function read<T>(response: Response, isAnswer: (value: unknown) => value is T): Promise<T> {
  const body = parseJson(await response.text());
  if (body.ok && isAnswer(body.value)) return body.value;
  throw new ApiError(502, undefined, response.headers);
}

function isGuestAnswer(value: unknown): value is GuestAnswer {
  if (!isRecord(value) || !isRecord(value["me"])) return false;
  const texts = [value["access_token"], value["access_expires_at"], value["me"]["subject"], value["me"]["role"]];
  return texts.every((item) => text(item) !== undefined) && isList(value["me"]["permissions"]);
}

function isTokenAnswer(value: unknown): value is TokenAnswer {
  return isGuestAnswer(value) && "refresh_token" in value && text(value.refresh_token) !== undefined;
}

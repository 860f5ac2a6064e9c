import createClient from "openapi-fetch";

import { platform } from "~/platform";

import type { paths } from "./__generated__/schema";
import { authorizedFetch } from "./authorized-fetch";
import { ApiError } from "./error";
import { createSession } from "./session";

/** The one session of this window. */
export const session = createSession({
  platform,
  fetch: (...request) => fetch(...request),
  now: () => Date.now(),
});

/** `fetch` as the person who is signed in. */
export const fetchAsUser = authorizedFetch(session, (...request) => fetch(...request));

/** The node's HTTP surface, typed by its OpenAPI document. */
export const node = createClient<paths>({ baseUrl: platform.nodeUrl(), fetch: fetchAsUser });

/** Waits for a success that has no body, and throws an [`ApiError`] for everything else. */
export async function done(call: Promise<{ error?: unknown; response: Response }>): Promise<void> {
  const { error, response } = await call;
  if (!response.ok) throw new ApiError(response.status, error, response.headers);
}

/** Gives the body of a success and throws an [`ApiError`] for everything else. */
export async function body<T>(call: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await call;
  if (!response.ok || data === undefined) throw new ApiError(response.status, error, response.headers);
  return data;
}

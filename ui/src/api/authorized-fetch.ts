import { NodeUnreachable } from "./error";
import type { Session } from "./session";

/**
 * Wraps `fetch` so that each request carries an access token, and one that is refused is renewed once and sent again.
 * A node that gives no answer becomes [`NodeUnreachable`].
 */
export function authorizedFetch(session: Pick<Session, "accessToken" | "renew">, fetch: typeof globalThis.fetch) {
  async function send(request: Request, token: string): Promise<Response> {
    const authorized = new Request(request);
    authorized.headers.set("authorization", `Bearer ${token}`);
    try {
      return await fetch(authorized);
    } catch (error) {
      if (request.signal.aborted) throw error;
      throw new NodeUnreachable(error);
    }
  }

  return async (request: Request): Promise<Response> => {
    const token = await session.accessToken();
    // The body of a request can be read once, and a refused one has to be sent again.
    const again = request.clone();
    const response = await send(request, token);
    if (response.status !== 401) return response;
    return send(again, await session.renew(token));
  };
}

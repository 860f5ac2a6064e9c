import { vi } from "vitest";

import { session } from "~/api/client";

interface Sent {
  call: string;
  body: unknown;
}

/** Answers in place of a node. A call is `METHOD /path`; what is not listed is answered with 404. */
export function fakeNode(answers: Record<string, { status?: number; body: unknown }>) {
  const sent: Sent[] = [];
  const streams = new Map<string, Response>();
  vi.spyOn(session, "accessToken").mockResolvedValue("token");
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input) => {
    const request = input instanceof Request ? input : new Request(input);
    const call = `${request.method} ${decodeURIComponent(new URL(request.url).pathname)}`;
    const text = await request.text();
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    sent.push({ call, body });
    const stream = streams.get(call);
    if (stream !== undefined) return stream;
    const answer = answers[call];
    if (answer === undefined) return Response.json(refusal("NOT_FOUND", `no answer for ${call}`), { status: 404 });
    if (answer.status === 204) return new Response(null, { status: 204 });
    return Response.json(answer.body, { status: answer.status ?? 200 });
  });
  return {
    /** Answers a call otherwise from now on. */
    answer: (call: string, body: unknown, status = 200) => {
      answers[call] = { status, body };
    },
    /** Answers a call once with server-sent events. */
    stream: (call: string) => {
      let writer: ReadableStreamDefaultController<Uint8Array> | undefined;
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => {
          writer = controller;
        },
      });
      streams.set(call, new Response(body, { headers: { "content-type": "text/event-stream" } }));
      return {
        send: (name: string, data: unknown) => {
          writer?.enqueue(new TextEncoder().encode(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`));
        },
        end: () => writer?.close(),
      };
    },
    /** The bodies of a call so far. */
    bodies: (call: string) => sent.filter((request) => request.call === call).map(({ body }) => body),
  };
}

/** The envelope of an error. */
export function refusal(code: string, message: string, more: { hint?: string; details?: unknown } = {}) {
  return { error: { code, message, hint: more.hint ?? null, details: more.details ?? null, request_id: "req_1" } };
}

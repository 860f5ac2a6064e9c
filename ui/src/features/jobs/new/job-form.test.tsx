import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { createMemoryHistory, createRootRoute, createRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";

import { node } from "~/api/client";
import type { Kind } from "~/api/types";
import { isRecord } from "~/json";
import { paths } from "~/paths";

import { JobForm } from "./job-form";

let post = vi.spyOn(node, "POST");

let serial = 0;

/** A kind with one field of each sort. Each test has its own name, because drafts are kept by it. */
function kind(): Kind {
  serial += 1;
  return {
    name: `test.kind-${serial}`,
    title: "Test",
    description: "",
    timeout_ms: 1_000,
    engine_ids: [],
    roles: ["owner", "operator"],
    roles_decided: false,
    reaches_machine: true,
    allowed_actions: ["enqueue"],
    payload_schema: {
      type: "object",
      additionalProperties: false,
      required: ["path", "count"],
      properties: {
        path: { type: "string", title: "File", minLength: 1, description: "Full path." },
        count: { type: "integer", title: "Count", minimum: 1 },
        ratio: { type: "number", title: "Ratio" },
        prompt: { type: "string", title: "Prompt" },
        deep: { type: "boolean", title: "Deep" },
        mode: { enum: ["fast", "slow"], title: "Mode" },
        names: { type: "array", title: "Names", items: { type: "string", title: "Name" } },
        headers: { type: "object", title: "Headers", additionalProperties: { type: "string" } },
        range: { type: "object", title: "Range", properties: { from: { type: "integer", title: "From" } } },
        anything: { title: "Anything" },
        auth: {
          title: "Auth",
          oneOf: [
            { title: "None", type: "object", required: ["type"], properties: { type: { const: "none" } } },
            { title: "Token", type: "object", required: ["type", "token"], properties: { type: { const: "token" }, token: { type: "string", title: "Token" } } },
          ],
        },
      },
    },
  };
}

async function show(shown: Kind) {
  const root = createRootRoute();
  const form = createRoute({ getParentRoute: () => root, path: "/", component: () => <JobForm kind={shown} payload={undefined} /> });
  const job = createRoute({ getParentRoute: () => root, path: paths.job, component: () => <h1>The job</h1> });
  const router = createRouter({
    routeTree: root.addChildren([form, job]),
    history: createMemoryHistory({ initialEntries: ["/"] }),
  });
  const view = render(
    <QueryClientProvider client={new QueryClient()}>
      <RouterProvider router={router} />
    </QueryClientProvider>,
  );
  await screen.findByRole("button", { name: "Enqueue job" });
  return view;
}

function answer(status: number, body: unknown) {
  const response = Response.json(body, { status });
  post.mockResolvedValueOnce(status < 400 ? { data: body, response } : { error: body, response });
}

function refusal(code: string, details: unknown = null) {
  return { error: { code, message: "refused", details, hint: null, request_id: "req" } };
}

/** What each request was given, the body and the parameters. */
function sent(): Record<string, unknown>[] {
  const calls: readonly (readonly unknown[])[] = post.mock.calls;
  return calls.map(([, options]) => (isRecord(options) ? options : {}));
}

function keys(): unknown[] {
  return sent().map(({ params }) => params);
}

beforeEach(() => {
  post = vi.spyOn(node, "POST");
});

describe("the form for a job", () => {
  it("sends what was filled in, typed as the schema says", async () => {
    const user = userEvent.setup({ delay: null });
    const shown = kind();
    await show(shown);
    await user.type(screen.getByLabelText("File"), "/tmp/a.csv");
    await user.type(screen.getByLabelText("Count"), "12");
    await user.type(screen.getByLabelText("Ratio"), "0.5");
    await user.type(screen.getByLabelText("Prompt"), "a{Enter}b");
    await user.click(screen.getByLabelText("Deep"));
    await user.selectOptions(screen.getByLabelText("Mode"), "slow");
    await user.click(screen.getByRole("button", { name: "Add name" }));
    await user.type(screen.getByLabelText("Name"), "Ada");
    await user.click(screen.getByRole("button", { name: "Add entry" }));
    await user.type(screen.getByLabelText("Name of entry 1"), "accept");
    await user.type(screen.getByLabelText("Value of entry 1"), "text/html");
    await user.type(screen.getByLabelText("From"), "3");
    await user.type(screen.getByLabelText("Anything"), '[[1, null]');
    await user.selectOptions(screen.getByLabelText("Auth"), "Token");
    await user.type(screen.getAllByLabelText("Token").at(-1) ?? document.body, "t");
    answer(202, { id: "job_1" });
    await user.click(screen.getByRole("button", { name: "Enqueue job" }));
    await screen.findByRole("heading", { name: "The job" });
    expect(sent()[0]?.["body"]).toEqual({
      kind: shown.name,
      payload: {
        path: "/tmp/a.csv",
        count: 12,
        ratio: 0.5,
        prompt: "a\nb",
        deep: true,
        mode: "slow",
        names: ["Ada"],
        headers: { accept: "text/html" },
        range: { from: 3 },
        anything: [1, null],
        auth: { type: "token", token: "t" },
      },
    });
  });

  it("says beside each field what is wrong and sends nothing", async () => {
    const user = userEvent.setup({ delay: null });
    await show(kind());
    await user.type(screen.getByLabelText("Count"), "0");
    await user.click(screen.getByRole("button", { name: "Enqueue job" }));
    const file = screen.getByLabelText("File");
    expect(file).toBeInvalid();
    expect(file).toHaveAccessibleDescription(/Is required\./);
    expect(screen.getByLabelText("Count")).toHaveAccessibleDescription(/Must be at least 1\./);
    await waitFor(() => expect(file).toHaveFocus());
    expect(post).not.toHaveBeenCalled();
    await user.type(file, "x");
    expect(file, "a changed field gets another chance").toBeValid();
  });

  it("puts what the node refuses at its field, and keeps everything that was typed", async () => {
    const user = userEvent.setup({ delay: null });
    await show(kind());
    await user.type(screen.getByLabelText("File"), "/nowhere");
    await user.type(screen.getByLabelText("Count"), "2");
    await user.click(screen.getByText("Advanced options"));
    await user.type(screen.getByLabelText("Queue"), "fast");
    answer(400, refusal("VALIDATION_ERROR", [
      { field: "/payload/path", message: "does not exist" },
      { field: "/queue", message: "is paused" },
    ]));
    await user.click(screen.getByRole("button", { name: "Enqueue job" }));
    await waitFor(() => expect(screen.getByLabelText("File")).toHaveAccessibleDescription(/does not exist/));
    expect(screen.getByLabelText("Queue")).toHaveAccessibleDescription(/is paused/);
    expect(screen.getByLabelText("File")).toHaveValue("/nowhere");
    expect(screen.getByLabelText("Queue")).toHaveValue("fast");
  });

  it("uses one key for a double click and for every try", async () => {
    const user = userEvent.setup({ delay: null });
    await show(kind());
    await user.type(screen.getByLabelText("File"), "x");
    await user.type(screen.getByLabelText("Count"), "1");
    let refuse: () => void = () => undefined;
    post.mockReturnValueOnce(
      new Promise((resolve) => {
        refuse = () => resolve({ error: refusal("DRAINING"), response: new Response(null, { status: 503 }) });
      }),
    );
    await user.dblClick(screen.getByRole("button", { name: "Enqueue job" }));
    refuse();
    await screen.findByText("refused");
    expect(post).toHaveBeenCalledTimes(1);
    answer(202, { id: "job_1" });
    await user.click(screen.getByRole("button", { name: "Enqueue job" }));
    await screen.findByRole("heading", { name: "The job" });
    const [first, second] = keys();
    expect(second).toEqual(first);
  });

  it("offers a new key when an earlier try had arrived with other content", async () => {
    const user = userEvent.setup({ delay: null });
    await show(kind());
    await user.type(screen.getByLabelText("File"), "x");
    await user.type(screen.getByLabelText("Count"), "1");
    answer(422, refusal("IDEMPOTENCY_KEY_REUSED"));
    await user.click(screen.getByRole("button", { name: "Enqueue job" }));
    answer(202, { id: "job_2" });
    await user.click(await screen.findByRole("button", { name: "Enqueue as another job" }));
    await screen.findByRole("heading", { name: "The job" });
    const [first, second] = keys();
    expect(second).not.toEqual(first);
  });

  it("shows the same payload as JSON, and holds on to JSON that is not finished", async () => {
    const user = userEvent.setup({ delay: null });
    await show(kind());
    await user.type(screen.getByLabelText("File"), "x");
    await user.click(screen.getByRole("tab", { name: "JSON" }));
    const json = screen.getByLabelText("Payload (JSON)");
    expect(json).toHaveValue('{\n  "path": "x"\n}');
    await user.clear(json);
    await user.type(json, '{{"path": ');
    await user.click(screen.getByRole("tab", { name: "Form" }));
    expect(screen.getByLabelText("Payload (JSON)"), "there are no fields to show it in").toHaveValue('{"path": ');
    await user.type(screen.getByLabelText("Payload (JSON)"), '"y"}');
    await user.click(screen.getByRole("tab", { name: "Form" }));
    expect(screen.getByLabelText("File")).toHaveValue("y");
  });
});

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it, vi } from "vitest";

import { ApiError } from "~/api/error";
import type { Kind } from "~/api/types";
import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";

import { ScheduleForm } from "./form";

const KIND: Kind = {
  name: "sleep",
  title: "Sleep",
  description: "",
  timeout_ms: 1_000,
  engine_ids: [],
  roles: ["owner", "operator"],
  roles_decided: false,
  reaches_machine: true,
  allowed_actions: ["enqueue"],
  payload_schema: { type: "object", required: ["ms"], properties: { ms: { type: "integer", title: "Length" } } },
};

const RUNS = { runs: [{ at: "2030-01-01T08:00:00.000Z", local: "Tue 2030-01-01 09:00:00 CET" }] };

function open(error: unknown = null) {
  const node = fakeNode({ "POST /v1/schedules/preview": { body: RUNS } });
  const onSend = vi.fn();
  renderPart(
    <ScheduleForm kind={KIND} schedule={undefined} payload={undefined} busy={false} error={error} onSend={onSend} />,
  );
  return { node, onSend };
}

describe("the form for a schedule", () => {
  it("shows the next runs as they are typed, and the node's word on what makes no sense", async () => {
    const user = userEvent.setup({ delay: null });
    const { node } = open();
    const preview = await screen.findByRole("region", { name: "Next runs" });
    await within(preview).findByText("Tue 2030-01-01 09:00:00 CET");
    const details = [{ field: "/cron", message: "the minute is at most 59" }];
    node.answer("POST /v1/schedules/preview", refusal("VALIDATION_ERROR", "not valid", { details }), 400);
    await user.clear(screen.getByLabelText("Cron expression"));
    await user.type(screen.getByLabelText("Cron expression"), "61 9 * * *");
    await within(preview).findByText("the minute is at most 59");
    expect(node.bodies("POST /v1/schedules/preview").at(-1)).toMatchObject({ cron: "61 9 * * *" });
  });

  it("sends what was filled in, and nothing while something is missing", async () => {
    const user = userEvent.setup({ delay: null });
    const { onSend } = open();
    await user.click(await screen.findByRole("button", { name: "Create schedule" }));
    expect(onSend).not.toHaveBeenCalled();
    const name = screen.getByLabelText("Name");
    await waitFor(() => expect(name).toHaveFocus());
    await user.type(name, "Report");
    await user.click(screen.getByRole("radio", { name: "Every so often" }));
    await user.selectOptions(screen.getByLabelText("Unit of time between two runs"), "minutes");
    await user.clear(screen.getByLabelText("Time between two runs"));
    await user.type(screen.getByLabelText("Time between two runs"), "5");
    await user.type(screen.getByLabelText("Length"), "7");
    await user.click(screen.getByRole("radio", { name: "Leave them out" }));
    await user.click(screen.getByRole("radio", { name: "Leave that run out" }));
    await user.click(screen.getByRole("button", { name: "Create schedule" }));
    expect(onSend).toHaveBeenCalledOnce();
    expect(onSend.mock.calls[0]?.[0]).toMatchObject({
      name: "Report",
      times: { how: "interval", intervalMs: 300_000 },
      missed: "skip",
      overlap: "skip",
      payload: { ms: 7 },
    });
  });

  it("puts what the node refuses at its field", async () => {
    const details = [
      { field: "/cron", message: "has no sixth week" },
      { field: "/job/payload/ms", message: "is too long" },
    ];
    open(new ApiError(400, refusal("VALIDATION_ERROR", "the schedule is not valid", { details }), new Headers()));
    expect(await screen.findByLabelText("Cron expression")).toHaveAccessibleDescription(/has no sixth week/);
    expect(screen.getByLabelText("Length")).toHaveAccessibleDescription(/is too long/);
  });
});

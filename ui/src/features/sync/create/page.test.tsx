import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, it } from "vitest";

import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";
import { syncState } from "~/sync/test-world";

import { NewSyncPage } from "./page";

describe("the page that makes a live session", () => {
  it("makes what the preset says, with what was changed", async () => {
    const user = userEvent.setup({ delay: null });
    const node = fakeNode({ "POST /v1/sessions": { status: 201, body: { data: syncState() } } });
    renderPart(<NewSyncPage />);
    await user.click(await screen.findByRole("radio", { name: "Meeting" }));
    await user.clear(screen.getByLabelText("Name of participant 1"));
    await user.type(screen.getByLabelText("Name of participant 1"), "Ada");
    await user.click(screen.getByRole("button", { name: "Remove participant 3" }));
    await user.click(screen.getByRole("button", { name: "Create session" }));
    await screen.findByRole("heading", { name: "Another page" });
    expect(node.bodies("POST /v1/sessions")).toMatchObject([
      { sync_mode: "global", total_time_ms: 1_800_000, metadata: { title: "Meeting", names: ["Ada", "Speaker 2"] } },
    ]);
  });

  it("says at each field what the node refuses about it", async () => {
    const user = userEvent.setup({ delay: null });
    const details = [
      { field: "/time_per_cycle_ms", message: "must be between 1000 and 86400000", code: "out_of_range" },
      { field: "/participants/1/total_time_ms", message: "must be between 1000 and 86400000", code: "out_of_range" },
    ];
    fakeNode({ "POST /v1/sessions": { status: 400, body: refusal("VALIDATION_ERROR", "not valid", { details }) } });
    renderPart(<NewSyncPage />);
    await user.click(await screen.findByRole("radio", { name: "Quiz" }));
    await user.click(screen.getByRole("button", { name: "Create session" }));
    await screen.findByRole("alert");
    for (const label of ["Time for each turn", "Time of participant 2"]) {
      expect(screen.getByLabelText(label)).toHaveAccessibleDescription(/must be between/);
    }
    expect(screen.getByLabelText("Time of participant 1")).not.toHaveAccessibleDescription(/must be between/);
  });

  it("does not ask the node about what is missing", async () => {
    const user = userEvent.setup({ delay: null });
    const node = fakeNode({});
    renderPart(<NewSyncPage />);
    await user.clear(await screen.findByLabelText("Time of participant 1"));
    await user.click(screen.getByRole("button", { name: "Create session" }));
    await waitFor(() => expect(screen.getByLabelText("Time of participant 1")).toHaveAccessibleDescription("A length of time is needed."));
    expect(node.bodies("POST /v1/sessions")).toHaveLength(0);
  });
});

import { act, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, describe, expect, it, vi } from "vitest";

import { session } from "~/api/client";
import { ApiError } from "~/api/error";
import type { SessionState } from "~/api/session";
import { platform } from "~/platform";
import { fakeNode, refusal } from "~/test-node";
import { renderPart } from "~/test-render";
import { syncState } from "~/sync/test-world";

import { fakeSockets } from "../test-socket";
import { SpectatePage } from "./page";

const ID = "0f9b2c1e-5d53-4a6e-9d0c-3b1f6a7e8d90";

function open(state: SessionState) {
  vi.spyOn(session, "state").mockReturnValue(state);
  renderPart(<SpectatePage id={ID} />);
}

function guest(...permissions: string[]): SessionState {
  return { name: "signed_in", me: { subject: "guest", role: "guest", session_id: null, permissions: ["signed_in", "status", ...permissions] } };
}

afterEach(() => {
  vi.unstubAllGlobals();
  platform.desktop = undefined;
});

describe("the page of those who look on", () => {
  it("lets somebody in as a guest, and says when the node lets none in", async () => {
    const user = userEvent.setup({ delay: null });
    const enter = vi.spyOn(session, "signInAsGuest").mockRejectedValue(new ApiError(403, refusal("GUESTS_CLOSED", "no guests"), new Headers()));
    open({ name: "signed_out", reason: "no_link" });
    await user.click(await screen.findByRole("button", { name: "Look on as a guest" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("This node lets no guests in");
    expect(enter).toHaveBeenCalledOnce();
    await user.click(screen.getByRole("button", { name: "Sign in as a member" }));
    await screen.findByRole("heading", { name: "Sign in to this node" });
  });

  it("says that sessions are not open to guests", async () => {
    open(guest());
    expect(await screen.findByRole("alert")).toHaveTextContent("Sync sessions are not open to guests here");
  });

  it("shows the clock and who takes part, and nothing that changes anything", async () => {
    const sockets = fakeSockets();
    const state = syncState({ metadata: { title: "Final", names: ["White", "Black"] } });
    fakeNode({
      [`GET /v1/sessions/${ID}`]: { body: { data: state } },
      "POST /v1/auth/ticket": { status: 201, body: { ticket: "flt_1", expires_at: "2027-01-15T08:00:00.000Z" } },
    });
    open(guest("sessions_read"));
    await screen.findByRole("heading", { level: 1, name: "Final" });
    await waitFor(() => expect(sockets.opened).not.toHaveLength(0));
    act(() => sockets.open(state));
    expect(screen.getByRole("timer", { name: "Time to begin with" })).toHaveTextContent("1:00.0");
    expect(screen.getByRole("timer", { name: "Left for Black" })).toHaveTextContent("1:00.0");
    expect(screen.queryByRole("button")).not.toBeInTheDocument();
  });

  it("has a way back in the window of the app, which has no tabs and no button for it", async () => {
    const sockets = fakeSockets();
    const state = syncState();
    fakeNode({
      [`GET /v1/sessions/${ID}`]: { body: { data: state } },
      "POST /v1/auth/ticket": { status: 201, body: { ticket: "flt_1", expires_at: "2027-01-15T08:00:00.000Z" } },
    });
    platform.desktop = { version: "1", signIn: vi.fn(), openSettings: vi.fn() };
    open(guest("sessions_read"));
    expect(await screen.findByRole("link", { name: "Back to the session" })).toHaveAttribute("href", `/sync/${ID}`);
    await waitFor(() => expect(sockets.opened).not.toHaveLength(0));
    act(() => {
      sockets.open(state);
      sockets.tell("SESSION_DELETED");
      sockets.cut(1000, "the session was deleted");
    });
    await screen.findByRole("heading", { name: "This session is over" });
    expect(screen.getByRole("link", { name: "All live sessions" })).toHaveAttribute("href", "/sync");
  });

  it("says that there is no such session", async () => {
    fakeSockets();
    fakeNode({ [`GET /v1/sessions/${ID}`]: { status: 404, body: refusal("SESSION_NOT_FOUND", "there is no such session") } });
    open(guest("sessions_read"));
    await screen.findByRole("heading", { name: "There is no such session" });
  });
});

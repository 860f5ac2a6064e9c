import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiError, NodeUnreachable } from "~/api/error";
import { refusal } from "~/test-node";
import { ErrorCallout } from "~/ui/callout";

import { complaint } from "./complaint";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe("a complaint", () => {
  it("counts down to when the node takes the request again", () => {
    const error = new ApiError(429, refusal("RATE_LIMIT_EXCEEDED", "too many requests"), new Headers({ "retry-after": "3" }));
    render(<ErrorCallout problem={complaint(error)} />);
    expect(screen.getByRole("alert")).toHaveTextContent(/too many requests.*You can try again in 3 s/i);
    act(() => void vi.advanceTimersByTime(2_000));
    expect(screen.getByText("You can try again in 1 s.")).toBeInTheDocument();
    act(() => void vi.advanceTimersByTime(1_000));
    expect(screen.getByText("You can try again now.")).toBeInTheDocument();
  });

  it("says what to do where the node did not: about a role, a session, a flood", () => {
    const about = (status: number) => complaint(new ApiError(status, refusal("X", "no"), new Headers())).hint;
    expect(about(403)).toMatch(/owner/);
    expect(about(401)).toMatch(/Sign in again/);
    expect(about(429)).toMatch(/too much at once/);
    expect(about(404)).toBeUndefined();
  });

  it("leaves the node's own advice as it is", () => {
    const error = new ApiError(403, refusal("FORBIDDEN", "no", { hint: "ask Ada" }), new Headers());
    expect(complaint(error)).toMatchObject({ hint: "ask Ada", reference: "req_1", retryAtMs: undefined });
  });

  it("tells a node that is away from one that refuses", () => {
    expect(complaint(new NodeUnreachable(undefined)).hint).toMatch(/running/);
  });
});

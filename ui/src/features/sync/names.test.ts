import { describe, expect, it } from "vitest";

import { metadataOf, nameOf, titleOf } from "./names";

describe("names of a session", () => {
  it("come back from the metadata as they went in", () => {
    const metadata = metadataOf({ title: " Final ", names: ["Ada", "", " Bo "] });
    expect(titleOf({ metadata, session_id: "x" })).toBe("Final");
    expect([0, 1, 2].map((index) => nameOf(metadata, { participant_index: index }))).toEqual(["Ada", "Participant 2", "Bo"]);
    expect(metadataOf({ title: "", names: ["", ""] })).toEqual({});
  });

  it("are made up where the metadata is somebody else's", () => {
    for (const metadata of [null, {}, { title: 7, names: "Ada" }, { title: "", names: [7] }]) {
      expect(titleOf({ metadata, session_id: "0f9b2c1e-5d53" })).toBe("Session 0f9b2c1e");
      expect(nameOf(metadata, { participant_index: 0 })).toBe("Participant 1");
    }
  });
});

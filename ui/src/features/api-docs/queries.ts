import { queryOptions } from "@tanstack/react-query";

import { ApiError, NodeUnreachable } from "~/api/error";
import { parseJson } from "~/json";
import { nodePaths } from "~/paths";
import { platform } from "~/platform";

import { readDocument } from "./document";

export const apiDocsQueries = {
  document: queryOptions({
    queryKey: ["openapi"] as const,
    queryFn: async ({ signal }) => {
      const response = await fetch(platform.nodeUrl() + nodePaths.openApi, { signal }).catch((error: unknown) => {
        throw signal.aborted ? error : new NodeUnreachable(error);
      });
      if (!response.ok) throw await ApiError.from(response);
      const json = parseJson(await response.text());
      const document = json.ok ? readDocument(json.value) : undefined;
      if (document === undefined) throw new Error("The node's OpenAPI document can't be read.");
      return document;
    },
  }),
};

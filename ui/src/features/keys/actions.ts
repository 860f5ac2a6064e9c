import { useMutation, useQueryClient } from "@tanstack/react-query";

import { rotateKeys } from "~/api/access";
import type { RotateKeysRequest } from "~/api/types";

import { keyQueries } from "./queries";

/** Makes new signing keys now. */
export function useRotateKeys() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (request: RotateKeysRequest) => rotateKeys(request),
    onSettled: () => queries.invalidateQueries({ queryKey: keyQueries.list.queryKey }),
  });
}

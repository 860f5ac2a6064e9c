import { useMutation } from "@tanstack/react-query";
import { Eye } from "lucide-react";

import { session } from "~/api/client";
import { complaint } from "~/features/app/complaint";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";

import { Way } from "./way";

/** The way for those who have no key and only want to look. */
export function GuestWay() {
  const enter = useMutation({ mutationFn: () => session.signInAsGuest() });
  return (
    <Way title="As a guest" icon={Eye}>
      <p>See how the node is, and what else its owner has opened to guests. A guest changes nothing.</p>
      {enter.isError && <ErrorCallout problem={complaint(enter.error)} />}
      <Button busy={enter.isPending} onClick={() => enter.mutate()}>
        Look around as a guest
      </Button>
    </Way>
  );
}

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { KeyRound } from "lucide-react";

import { session } from "~/api/client";
import { complaint } from "~/features/app/complaint";
import { type DeviceKey, platform } from "~/platform";
import { Address } from "~/ui/address";
import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";

import { Way } from "./way";

const KEPT = ["device-key"] as const;

/** The way of a browser that was here before. Nothing, where it has no key. */
export function DeviceKeyWay() {
  // A browser that allows no storage has none.
  const kept = useQuery({ queryKey: KEPT, queryFn: () => platform.deviceKey.read().then((key) => key ?? null), retry: false, gcTime: 0 });
  return kept.data ? <Recognized deviceKey={kept.data} /> : null;
}

function Recognized({ deviceKey }: { deviceKey: DeviceKey }) {
  const queries = useQueryClient();
  const enter = useMutation({ mutationFn: () => session.signIn(deviceKey) });
  const forget = useMutation({
    mutationFn: () => platform.deviceKey.forget(),
    onSettled: () => queries.invalidateQueries({ queryKey: KEPT }),
  });
  return (
    <Way title="With the key of this browser" icon={KeyRound}>
      <p>
        This browser was signed in before and has kept its key, <Address address={deviceKey.address} />.
      </p>
      {enter.isError && <ErrorCallout problem={complaint(enter.error)} />}
      <div className="flex flex-wrap gap-2">
        <Button tone="primary" busy={enter.isPending} onClick={() => enter.mutate()}>
          Sign in again
        </Button>
        <Button busy={forget.isPending} onClick={() => forget.mutate()}>
          Forget this key
        </Button>
      </div>
    </Way>
  );
}

import type { ErrorComponentProps } from "@tanstack/react-router";

import { Button } from "~/ui/button";
import { ErrorCallout } from "~/ui/callout";
import { Page } from "~/ui/page";

import { complaint } from "./complaint";

/** A page that could not be shown, most often because the node was updated and its files have new names. */
export function PageCrash({ error }: ErrorComponentProps) {
  return (
    <Page title="This page can't be shown">
      <ErrorCallout problem={complaint(error)}>
        <p>Loading it anew mostly helps. Your jobs are not affected.</p>
        <Button onClick={() => location.reload()}>Load anew</Button>
      </ErrorCallout>
    </Page>
  );
}

import { Link } from "@tanstack/react-router";

import { paths } from "~/paths";
import { buttonClass } from "~/ui/button";
import { Page } from "~/ui/page";

export function NotFoundPage() {
  return (
    <Page title="There is no such page">
      <p className="mb-4 text-ink-soft">The address may be mistyped, or come from another version of Flowork.</p>
      <Link to={paths.overview} className={buttonClass("plain")}>
        Go to the overview
      </Link>
    </Page>
  );
}

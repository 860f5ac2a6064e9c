import { platform } from "~/platform";
import { Callout } from "~/ui/callout";

/** What is missing where a page comes over plain HTTP from another machine. Nothing, where it does not. */
export function PlainHttpNote() {
  if (platform.isSecure) return null;
  return (
    <Callout tone="warn" title="This browser can keep no key here">
      <p>
        This page comes over plain HTTP from another machine, where browsers give pages no cryptography. You can sign in with
        a link, and need another one when that sign-in ends. What travels here is not encrypted either: with HTTPS, or on the
        node&rsquo;s own machine, both are as they should be.
      </p>
    </Callout>
  );
}

/**
 * Puts text into the system's clipboard, and says whether that worked. `near` is where the field may stand for a moment
 * that the older way needs: inside of a dialog, because one that is open lets the focus go nowhere else.
 */
export async function copyText(text: string, near: Element): Promise<boolean> {
  // Missing where a page comes over plain HTTP from another machine, and refused by some webviews.
  if ("clipboard" in navigator) {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // The older way asks for less.
    }
  }
  return copySelected(text, near);
}

function copySelected(text: string, near: Element): boolean {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.readOnly = true;
  field.className = "fixed top-0 left-0 size-px opacity-0";
  near.append(field);
  try {
    field.focus({ preventScroll: true });
    field.select();
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- the only way there is without a secure context
    return document.execCommand("copy");
  } catch {
    return false;
  } finally {
    field.remove();
    if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  }
}

import { useLayoutEffect, useRef } from "react";

/** How far from its end a box may be and still count as read to the end. */
const SLACK_PX = 24;

/** Keeps the box that gets the returned ref scrolled to its end as it grows, unless the reader has scrolled up. */
export function useStickToEnd<Box extends HTMLElement>(size: number) {
  const box = useRef<Box>(null);
  const before = useRef(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const wasAtEnd = element.scrollTop + element.clientHeight >= before.current - SLACK_PX;
    if (wasAtEnd) element.scrollTop = element.scrollHeight;
    before.current = element.scrollHeight;
  }, [size]);
  return box;
}

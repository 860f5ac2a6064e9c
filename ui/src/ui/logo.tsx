/** The sign of Flowork: the same picture as the icon of the page and of the app. */
export function Logo({ className }: { className?: string }) {
  return <img src="/favicon.svg" alt="" className={className} />;
}

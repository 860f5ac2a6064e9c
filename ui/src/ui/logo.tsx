/** The sign of Flowork, in the color of the text around it. */
export function Logo({ className }: { className?: string }) {
  return (
    <svg viewBox="0 0 32 32" aria-hidden className={className}>
      <path d="M7 9h11a4.5 4.5 0 0 1 0 9h-5" fill="none" stroke="currentColor" strokeWidth="3" strokeLinecap="round" />
      <circle cx="8" cy="18" r="2.8" fill="currentColor" />
      <path d="M8 24.5h16" stroke="currentColor" strokeOpacity=".45" strokeWidth="3" strokeLinecap="round" />
      <circle cx="25" cy="9" r="2.2" fill="currentColor" opacity=".7" />
    </svg>
  );
}

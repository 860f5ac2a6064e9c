import type { ReactNode } from "react";

import { WayBack } from "./way-back";

/** A page with nothing but what keeps somebody from the clock. */
export function Door({ title, children }: { title: string; children: ReactNode }) {
  return (
    <main id="main" tabIndex={-1} className="mx-auto flex min-h-dvh w-full max-w-lg flex-col justify-center gap-5 px-5 py-10">
      <title>{`${title} · Flowork`}</title>
      <WayBack />
      <h1 className="text-2xl font-semibold">{title}</h1>
      {children}
    </main>
  );
}

import { Outlet } from "@tanstack/react-router";
import { Menu, X } from "lucide-react";
import { Dialog } from "radix-ui";
import { useState } from "react";

import type { Me } from "~/api/types";
import { SignInPage } from "~/features/sign-in/page";
import { IconButton } from "~/ui/button";
import { Logo } from "~/ui/logo";

import { Banners } from "./banners";
import { Brand, Navigation, NewJobLink } from "./navigation";
import { useSession } from "./session";

/** The frame around every page, for whoever is signed in; everybody else sees how to get in. */
export function Shell() {
  const session = useSession();
  switch (session.name) {
    case "starting":
      return (
        <main className="flex min-h-dvh items-center justify-center">
          <Logo className="size-8 animate-breathe text-accent" />
          <span className="sr-only">Signing in…</span>
        </main>
      );
    case "unreachable":
    case "signed_out":
      return <SignInPage session={session} />;
    case "signed_in":
      return <Frame me={session.me} />;
  }
}

function Frame({ me }: { me: Me }) {
  return (
    <div className="lg:grid lg:grid-cols-[15rem_1fr]">
      <a
        href="#main"
        className="sr-only rounded-lg bg-accent px-4 py-2 font-medium text-accent-ink focus:not-sr-only focus:fixed focus:top-3 focus:left-3 focus:z-50"
      >
        Skip to content
      </a>
      <aside className="sticky top-0 hidden h-dvh flex-col gap-4 border-r border-line bg-sunken px-3 py-4 lg:flex">
        <Brand />
        <NewJobLink me={me} className="w-full" />
        <Navigation me={me} />
      </aside>
      <header className="sticky top-0 z-30 flex items-center justify-between gap-2 border-b border-line bg-sunken px-3 py-2 lg:hidden">
        <Brand />
        <div className="flex items-center gap-1.5">
          <NewJobLink me={me} />
          <NavigationDrawer me={me} />
        </div>
      </header>
      <div className="min-w-0">
        <Banners />
        <main id="main" tabIndex={-1}>
          <Outlet />
        </main>
      </div>
    </div>
  );
}

function NavigationDrawer({ me }: { me: Me }) {
  const [open, setOpen] = useState(false);
  return (
    <Dialog.Root open={open} onOpenChange={setOpen}>
      <Dialog.Trigger asChild>
        <IconButton label="Open menu">
          <Menu aria-hidden className="size-5" />
        </IconButton>
      </Dialog.Trigger>
      <Dialog.Portal>
        <Dialog.Overlay className="fixed inset-0 z-40 bg-black/50" />
        <Dialog.Content
          aria-describedby={undefined}
          className="fixed inset-y-0 right-0 z-50 flex w-72 max-w-[85vw] flex-col gap-3 border-l border-line bg-panel p-3 pb-[max(0.75rem,env(safe-area-inset-bottom))]"
        >
          <div className="flex items-center justify-between">
            <Dialog.Title className="px-2.5 font-semibold">Menu</Dialog.Title>
            <Dialog.Close asChild>
              <IconButton label="Close menu">
                <X aria-hidden className="size-5" />
              </IconButton>
            </Dialog.Close>
          </div>
          <Navigation me={me} onLeave={() => setOpen(false)} />
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

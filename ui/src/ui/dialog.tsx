import { X } from "lucide-react";
import { AlertDialog, Dialog } from "radix-ui";
import type { ReactNode } from "react";

import { Button, type ButtonTone, IconButton } from "./button";
import { type Complaint, ErrorCallout } from "./callout";

const OVERLAY = "fixed inset-0 z-40 bg-black/50";
const BOX =
  "scroll-thin fixed inset-x-3 top-1/2 z-50 mx-auto max-h-[calc(100dvh-2rem)] max-w-lg -translate-y-1/2 overflow-y-auto " +
  "rounded-2xl border border-line-strong bg-panel p-5 shadow-raised outline-none";

interface ConfirmProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  /** What will happen, in words. */
  detail: ReactNode;
  /** What can be chosen about it. */
  children?: ReactNode;
  /** On the button that does it: a verb and its object. */
  confirm: string;
  tone?: ButtonTone;
  busy: boolean;
  problem: Complaint | undefined;
  onConfirm: () => void;
}

/** Asks before something that many others would notice. It stays until it is done, or says why it could not be. */
export function Confirm(props: ConfirmProps) {
  const { open, onOpenChange, title, detail, children, confirm, tone = "primary", busy, problem, onConfirm } = props;
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={OVERLAY} />
        <AlertDialog.Content className={BOX}>
          <AlertDialog.Title className="text-[15px] font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="mt-2 text-ink-soft">{detail}</div>
          </AlertDialog.Description>
          {children !== undefined && <div className="mt-4">{children}</div>}
          {problem !== undefined && (
            <div className="mt-4">
              <ErrorCallout problem={problem} />
            </div>
          )}
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <AlertDialog.Cancel asChild>
              <Button>Not now</Button>
            </AlertDialog.Cancel>
            <Button tone={tone} busy={busy} onClick={onConfirm}>
              {confirm}
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

interface ModalProps {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  detail?: ReactNode;
  children: ReactNode;
}

/** A small form over the page. */
export function Modal({ open, onOpenChange, title, detail, children }: ModalProps) {
  return (
    <Dialog.Root open={open} onOpenChange={onOpenChange}>
      <Dialog.Portal>
        <Dialog.Overlay className={OVERLAY} />
        <Dialog.Content className={BOX} {...(detail === undefined ? { "aria-describedby": undefined } : {})}>
          <div className="mb-4 flex items-start justify-between gap-3">
            <div className="min-w-0 space-y-1">
              <Dialog.Title className="text-[15px] font-semibold">{title}</Dialog.Title>
              {detail !== undefined && (
                <Dialog.Description asChild>
                  <div className="text-[13px] text-ink-soft">{detail}</div>
                </Dialog.Description>
              )}
            </div>
            <Dialog.Close asChild>
              <IconButton label="Close" className="-mt-1.5 -mr-1.5">
                <X aria-hidden className="size-4" />
              </IconButton>
            </Dialog.Close>
          </div>
          {children}
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}

interface ShownOnceProps {
  title: string;
  detail: ReactNode;
  children: ReactNode;
  onSaved: () => void;
}

/** Something that nobody can show again. It goes only when the person says that it is kept elsewhere. */
export function ShownOnce({ title, detail, children, onSaved }: ShownOnceProps) {
  return (
    <AlertDialog.Root open>
      <AlertDialog.Portal>
        <AlertDialog.Overlay className={OVERLAY} />
        <AlertDialog.Content className={BOX} onEscapeKeyDown={(event) => event.preventDefault()}>
          <AlertDialog.Title className="text-[15px] font-semibold">{title}</AlertDialog.Title>
          <AlertDialog.Description asChild>
            <div className="mt-2 text-ink-soft">{detail}</div>
          </AlertDialog.Description>
          <div className="mt-4 space-y-4">{children}</div>
          <div className="mt-5 flex justify-end">
            <Button tone="primary" onClick={onSaved}>
              I have saved it
            </Button>
          </div>
        </AlertDialog.Content>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

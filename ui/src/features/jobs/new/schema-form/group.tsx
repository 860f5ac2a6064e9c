import type { ReactNode } from "react";

import { describedBy, FieldNotes, RequiredMark } from "~/ui/field";

interface GroupProps {
  id: string;
  label: string;
  required: boolean;
  hint?: string | undefined;
  errors: readonly string[];
  children: ReactNode;
}

/** Fields that belong together, under one name. */
export function Group({ id, label, required, hint, errors, children }: GroupProps) {
  const has = { hint: hint !== undefined, errors: errors.length > 0 };
  return (
    <fieldset id={id} tabIndex={-1} aria-describedby={describedBy(id, has)} className="min-w-0">
      <legend className="mb-1.5 text-[13px] font-medium">
        {label}
        {required && <RequiredMark />}
      </legend>
      <div className="space-y-4 border-l-2 border-line pl-4">
        <FieldNotes id={id} hint={hint} errors={errors} />
        {children}
      </div>
    </fieldset>
  );
}

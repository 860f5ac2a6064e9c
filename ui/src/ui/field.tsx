import clsx from "clsx";
import type { ComponentProps, ReactNode } from "react";

/** The look of every control that takes text. */
export const controlClass = clsx(
  "w-full min-w-0 rounded-lg border border-line-strong bg-panel px-3 text-[13px] text-ink shadow-none min-h-9 pointer-coarse:min-h-11",
  "placeholder:text-ink-faint hover:border-ink-faint aria-invalid:border-bad disabled:opacity-60",
);

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input autoComplete="off" spellCheck={false} {...rest} className={clsx(controlClass, className)} />;
}

export function TextArea({ className, ...rest }: ComponentProps<"textarea">) {
  return (
    <textarea
      autoComplete="off"
      spellCheck={false}
      {...rest}
      className={clsx(controlClass, "scroll-thin py-2 leading-relaxed", className)}
    />
  );
}

export function Select({ className, children, ...rest }: ComponentProps<"select">) {
  return (
    <select {...rest} className={clsx(controlClass, "appearance-none bg-no-repeat pr-8", className)} style={CHEVRON}>
      {children}
    </select>
  );
}

// Drawn by two gradients, because the color has to follow the theme.
const CHEVRON = {
  backgroundImage:
    "linear-gradient(45deg, transparent 50%, var(--ink-faint) 50%), linear-gradient(135deg, var(--ink-faint) 50%, transparent 50%)",
  backgroundPosition: "calc(100% - 16px) 50%, calc(100% - 11.5px) 50%",
  backgroundSize: "4.5px 4.5px",
};

interface FieldProps {
  id: string;
  label: ReactNode;
  required?: boolean;
  hint?: ReactNode;
  errors?: readonly string[];
  children: ReactNode;
}

/** The ids that a control names in `aria-describedby`, for what its [`Field`] shows below it. */
export function describedBy(id: string, has: { hint: boolean; errors: boolean }): string | undefined {
  const ids = [has.hint ? `${id}-hint` : undefined, has.errors ? `${id}-errors` : undefined];
  return ids.filter((item) => item !== undefined).join(" ") || undefined;
}

/** A control with its label above, and its hint and errors below. */
export function Field({ id, label, required = false, hint, errors = [], children }: FieldProps) {
  return (
    <div className="space-y-1.5">
      <div className="text-[13px] font-medium">
        <label htmlFor={id}>{label}</label>
        {required && <RequiredMark />}
      </div>
      {children}
      <FieldNotes id={id} hint={hint} errors={errors} />
    </div>
  );
}

/** Beside the label and not in it, so that the label stays the field's plain name. */
export function RequiredMark() {
  return (
    <span aria-hidden title="required" className="ml-1 text-bad">
      *
    </span>
  );
}

export function FieldNotes({ id, hint, errors = [] }: { id: string; hint?: ReactNode; errors?: readonly string[] }) {
  return (
    <>
      {errors.length > 0 && (
        <ul id={`${id}-errors`} className="space-y-0.5 text-[13px] text-bad">
          {errors.map((error) => (
            <li key={error}>{error}</li>
          ))}
        </ul>
      )}
      {hint !== undefined && hint !== "" && (
        <p id={`${id}-hint`} className="text-[12.5px] leading-snug text-ink-faint [overflow-wrap:anywhere]">
          {hint}
        </p>
      )}
    </>
  );
}

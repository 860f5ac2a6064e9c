interface CheckboxProps {
  /** Its accessible name; what it stands beside shows the same. */
  label: string;
  checked: boolean;
  /** Some of what it stands for is checked. */
  mixed?: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

/** A box to check, in a row whose link covers everything else. */
export function Checkbox({ label, checked, mixed = false, disabled = false, onChange }: CheckboxProps) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      disabled={disabled}
      ref={(input) => {
        if (input !== null) input.indeterminate = mixed;
      }}
      onChange={(event) => onChange(event.target.checked)}
      className="relative z-10 mt-0.5 size-4 accent-accent pointer-coarse:size-5"
    />
  );
}

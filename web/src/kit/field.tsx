// A field says what it wants before, and what is wrong with it after; the summary on top leads to each.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { t } from '../i18n/shell';

export interface FieldProps {
  id: string;
  label: ComponentChildren;
  hint?: ComponentChildren;
  error?: string;
  children: ComponentChildren;
}

/** What the control inside must carry: `<input id={id} {...described(id, hint, error)}>`. */
export const described = (id: string, hint?: unknown, error?: unknown) => ({
  'aria-describedby': [hint ? `${id}-hint` : '', error ? `${id}-error` : ''].filter(Boolean).join(' ') || undefined,
  'aria-invalid': error ? ('true' as const) : undefined,
});

export const Field = ({ id, label, hint, error, children }: FieldProps) => (
  <div class={`field ${error ? 'err' : ''}`}>
    <label for={id}>{label}</label>
    {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
    {error && <span class="errtext" id={`${id}-error`}>{error}</span>}
    {children}
  </div>
);

interface TextFieldProps extends Omit<FieldProps, 'children'> {
  value: string;
  onValue: (value: string) => void;
  type?: 'text' | 'tel' | 'email' | 'number';
  inputMode?: 'text' | 'tel' | 'numeric' | 'decimal' | 'email';
  autocomplete?: string;
  maxLength?: number;
}

export function TextField({ id, label, hint, error, value, onValue, type = 'text', ...rest }: TextFieldProps) {
  const control = { id, value, type: type as 'text', ...described(id, hint, error), ...rest }; // Preact's types split inputs by their type; ours is any of a few.
  return (
    <Field id={id} label={label} hint={hint} error={error}>
      <input class="input" onInput={(event) => onValue(event.currentTarget.value)} {...control} />
    </Field>
  );
}

/** `errors` by the id of the control; takes the focus when it appears. */
export function ErrorSummary({ errors, title }: { errors: Record<string, string>; title?: string }) {
  const box = useRef<HTMLDivElement>(null);
  const all = Object.entries(errors);
  const said = JSON.stringify(errors);
  useEffect(() => {
    if (all.length) box.current?.focus();
  }, [said]);
  if (!all.length) return null;
  return (
    <div class="errsum" role="alert" tabIndex={-1} ref={box}>
      <h2>{title ?? t('error.title')}</h2>
      <ul>
        {all.map(([id, text]) => (
          <li key={id}>
            {id ? <a href={`#${id}`} onClick={(event) => { event.preventDefault(); document.getElementById(id)?.focus(); }}>{text}</a> : text}
          </li>
        ))}
      </ul>
    </div>
  );
}

// What is touched: a button that waits, a choice among few, a chip that filters.
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

/** Does something that takes time: busy meanwhile, and deaf to a second tap. */
export function ActButton({ act, children, kind = 'go', class: extra, disabled }: {
  act: () => Promise<unknown>; children: ComponentChildren; kind?: 'go' | 'bad' | 'quiet' | ''; class?: string; disabled?: boolean;
}) {
  const [busy, setBusy] = useState(false);
  const run = async () => {
    if (busy || disabled) return;
    setBusy(true);
    try {
      await act();
    } finally {
      setBusy(false);
    }
  };
  return <button type="button" class={`btn ${kind} ${busy ? 'busy' : ''} ${extra ?? ''}`} aria-disabled={busy || disabled ? 'true' : undefined} onClick={run}>{children}</button>;
}

/** One of few, as radio buttons are: arrows move, the chosen one takes the focus. */
export function Segmented<V extends string>({ label, value, options, onChange, small }: {
  label: string; value: V; options: { value: V; text: string }[]; onChange: (value: V) => void; small?: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const at = (options.findIndex((one) => one.value === value) + step + options.length) % options.length;
    onChange(options[at]!.value);
    (box.current!.children[at] as HTMLElement).focus();
  };
  return (
    <div class={`seg ${small ? 's' : ''}`} role="radiogroup" aria-label={label} ref={box} onKeyDown={move}>
      {options.map((one) => (
        <button key={one.value} type="button" role="radio" aria-checked={one.value === value} tabIndex={one.value === value ? 0 : -1} onClick={() => onChange(one.value)}>{one.text}</button>
      ))}
    </div>
  );
}

export const Chip = ({ pressed, onPress, children, class: extra }: { pressed: boolean; onPress: () => void; children: ComponentChildren; class?: string }) => (
  <button type="button" class={`chip ${extra ?? ''}`} aria-pressed={pressed} onClick={onPress}>{children}</button>
);

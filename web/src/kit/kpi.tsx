// A number that one looks at first: what it is, how old, how much, and one line of what stands behind it.
import type { ComponentChildren } from 'preact';

export const Kpis = ({ label, children }: { label: string; children: ComponentChildren }) => <section class="kpis" aria-label={label}>{children}</section>;

export const Kpi = ({ name, side, value, unit, foot }: { name: string; side?: ComponentChildren; value: ComponentChildren; unit?: ComponentChildren; foot?: ComponentChildren }) => (
  <div class="kpi">
    <div class="k"><span>{name}</span>{side}</div>
    <div class="v">{value} {unit && <small>{unit}</small>}</div>
    <div class="d">{foot}</div>
  </div>
);

/** A part of a dense page: its head, and a body that scrolls by itself and by the keyboard. */
export const Pane = ({ title, fine, end, area, scrolls, children }: {
  title: string; fine?: ComponentChildren; end?: ComponentChildren; area?: string; scrolls?: string; children: ComponentChildren;
}) => (
  <section class={`pane ${area ?? ''}`} aria-label={title}>
    <header><h2>{title}</h2>{fine && <span class="fine">{fine}</span>}{end}</header>
    {scrolls ? <div class="body" tabIndex={0} role="group" aria-label={scrolls}>{children}</div> : children}
  </section>
);

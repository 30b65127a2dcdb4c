// On a phone a sheet over the map that is dragged or tapped to three heights; on a desk the panel beside it. What scrolls is inside:
// Chromium takes a box that is rounded, cast in shadow and scrolls itself for one that hides the map behind and above it.
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';

export type Height = 'low' | 'half' | 'full';
const ORDER: Height[] = ['low', 'half', 'full'];
const DRAG_PX = 40;

export function Sheet({ height, onHeight, label, class: extra, children }: {
  height: Height; onHeight: (height: Height) => void; label: string; class?: string; children: ComponentChildren;
}) {
  const from = useRef<number | null>(null);
  const [dragged, setDragged] = useState(false);
  const step = (by: number) => onHeight(ORDER[Math.max(0, Math.min(2, ORDER.indexOf(height) + by))]!);
  const release = (event: PointerEvent) => {
    if (from.current === null) return;
    const moved = event.clientY - from.current;
    from.current = null;
    if (Math.abs(moved) < DRAG_PX) return;
    setDragged(true);
    step(moved < 0 ? 1 : -1);
  };
  const tap = () => {
    if (dragged) setDragged(false);
    else onHeight(height === 'full' ? 'half' : ORDER[ORDER.indexOf(height) + 1]!);
  };
  return (
    <main id="main" class={`sheet at-${height} ${extra ?? ''}`} tabIndex={-1}>
      <button type="button" class="grab phone-only" aria-label={label} aria-expanded={height === 'full'}
        onPointerDown={(event) => { from.current = event.clientY; event.currentTarget.setPointerCapture(event.pointerId); }}
        onPointerUp={release} onPointerCancel={() => (from.current = null)} onClick={tap} />
      <div class="scroll">{children}</div>
    </main>
  );
}

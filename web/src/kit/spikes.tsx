// The city as spikes: one a site, as high as it is large, its thick head what is free; dotted where nobody knows.
import type { ComponentChildren } from 'preact';

export interface SpikeOf {
  id: string;
  lon: number;
  lat: number;
  capacity: number;
  free: number;
  unknown: number;
}

export interface Named {
  lon: number;
  lat: number;
  text: string;
  dot?: boolean;
}

const TALL = 40; // Of the largest site, in units of the drawing; others by the root of their size, or the small could not be seen.

/** `label` says where the same numbers stand as words. */
export function Spikes({ sites, places = [], label, width = 760, height = 480, children }: {
  sites: readonly SpikeOf[]; places?: readonly Named[]; label: string; width?: number; height?: number; children?: ComponentChildren;
}) {
  const at = projection(sites, width, height);
  const most = Math.sqrt(Math.max(1, ...sites.map((one) => one.capacity)));
  const paths = { taken: '', free: '', unknown: '' };
  for (const one of [...sites].sort((a, b) => b.lat - a.lat)) {
    const [x, y] = at(one.lon, one.lat);
    const tall = Math.max(3, (TALL * Math.sqrt(one.capacity)) / most);
    const head = one.capacity ? (tall * one.free) / one.capacity : 0;
    const up = (from: number, by: number) => `M${x.toFixed(1)} ${from.toFixed(1)}v${(-by).toFixed(1)}`;
    if (one.unknown >= one.capacity) paths.unknown += up(y, tall);
    else {
      paths.taken += up(y, tall - head);
      if (head >= 0.3) paths.free += up(y - tall + head, head);
    }
  }
  return (
    <div class="mapbox" role="img" aria-label={label}>
      <svg viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="xMidYMid slice" aria-hidden="true" focusable="false">
        {children}
        <path class="spk-u" d={paths.unknown} /><path class="spk-t" d={paths.taken} /><path class="spk-f" d={paths.free} />
        {places.map((place) => {
          const [x, y] = at(place.lon, place.lat);
          return (
            <g key={place.text}>
              {place.dot && <circle cx={x} cy={y} r="2.5" fill="var(--map-label)" />}
              <text class={`m-label ${place.dot ? 'place' : 'area mid'}`} x={place.dot ? x + 6 : x} y={y + 4}>{place.text}</text>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

/** Degrees to the drawing, so that nine in ten sites have room: the far ones lie beyond its edge. */
function projection(sites: readonly SpikeOf[], width: number, height: number): (lon: number, lat: number) => [number, number] {
  const [w, e] = middle(sites.map((one) => one.lon)), [s, n] = middle(sites.map((one) => one.lat));
  const squeeze = Math.cos((((s + n) / 2) * Math.PI) / 180);
  const scale = Math.min((width * 0.86) / Math.max(0.004, (e - w) * squeeze), (height - 2 * TALL) / Math.max(0.004, n - s));
  return (lon, lat) => [width / 2 + (lon - (w + e) / 2) * squeeze * scale, height / 2 - (lat - (s + n) / 2) * scale + TALL / 2];
}

function middle(values: number[]): [number, number] {
  const sorted = [...values].sort((a, b) => a - b), cut = Math.floor(sorted.length / 20);
  return sorted.length ? [sorted[cut]!, sorted[sorted.length - 1 - cut]!] : [0, 0];
}

export const SpikeLegend = ({ text, unknown }: { text: string; unknown?: string }) => (
  <div class="legend end">
    <span><svg viewBox="0 0 12 18" aria-hidden="true"><path class="spk-t" d="M6 18V9" /><path class="spk-f" d="M6 9V1" /></svg>{text}</span>
    {unknown && <span><svg viewBox="0 0 12 18" aria-hidden="true"><path class="spk-u" d="M6 18V3" /></svg>{unknown}</span>}
  </div>
);

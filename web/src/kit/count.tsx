// How many, how old, how full: a number never goes without its age.
import { cityNow, tick } from '../api/city_clock';
import { liveState } from '../api/live';
import { ago, number } from '../i18n';
import { t } from '../i18n/shell';

export type Freshness = 'live' | 'late' | 'silent' | 'static';
const CONTRACT_S = 60; // What a feed promises; past it a number is old.
const UNHEARD_S = 15; // A page that nobody tells anything makes its numbers grey sooner: it cannot know what the feed said.

/** Which way a number is shown: by its feed, and by how long the page itself has heard nothing. */
export function certainty(freshness: Freshness, heard: Date | null = null): 'now' | 'old' | 'silent' {
  if (freshness === 'silent') return 'silent';
  const gone = heard !== null && cityNow().getTime() - heard.getTime() > UNHEARD_S * 1000;
  return freshness === 'late' || gone ? 'old' : 'now';
}

/** `at` is when this was last known to be true. Full at 0 s, empty at the feed's contract. */
export function Age({ at, freshness }: { at: string | Date | null; freshness: Freshness }) {
  tick.value;
  if (at === null) return <span class="age silent">{t('count.silent')}</span>;
  const now = cityNow(), date = new Date(at), seconds = (now.getTime() - date.getTime()) / 1000;
  if (freshness === 'silent') return <span class="age silent">{ago(date, now)}<span class="sr"> {t('count.silent')}</span></span>;
  if (freshness === 'late') return <span class="age old">{ago(date, now)}</span>;
  const { tried, open, at: heard } = liveState.value;
  if (freshness === 'live' && tried && !open && heard && heard > date) return <Aged at={heard} now={now} />;
  if (freshness === 'live' && open && seconds > CONTRACT_S) return <span class="age">{t('count.live')}</span>; // Nothing changed since, and all its devices keep their word.
  return <Aged at={date} now={now} />;
}

function Aged({ at, now }: { at: Date; now: Date }) {
  const left = Math.max(0, 1 - (now.getTime() - at.getTime()) / 1000 / CONTRACT_S);
  return <span class={`age ${left > 0 ? '' : 'old'}`} style={{ '--left': left.toFixed(2) }}>{ago(at, now)}</span>;
}

export function Count({ free, freshness, heard = null, big }: { free: number; freshness: Freshness; heard?: Date | null; big?: boolean }) {
  if (heard !== null) void tick.value; // Grey comes with time, when nothing else does.
  const how = certainty(freshness, heard);
  const size = big ? ' big' : '';
  if (how === 'silent') return <span class={`count silent${size}`}>—</span>;
  if (how === 'old') return <span class={`count old${size}`}><span class="about">{t('count.about')}</span>{number(free)}</span>;
  return <span class={`count${size}`}>{number(free)}</span>;
}

/** Ten teeth are ten tenths: free first, then unknown, then taken. */
export function Comb({ free, unknown, capacity, size }: { free: number; unknown: number; capacity: number; size?: 'wide' | 'thin' | 'full' }) {
  const f = capacity ? Math.round((10 * free) / capacity) : 0;
  const u = capacity ? Math.min(10 - f, Math.round((10 * unknown) / capacity)) : 0;
  return <span class={`comb ${size ?? ''}`} style={{ '--f': f, '--u': u }} aria-hidden="true" />;
}

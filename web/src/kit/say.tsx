// What the page says by itself: banners that stay, a toast that is never the only proof, empty places and what went wrong.
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { NetworkError, ProblemError } from '../api/client';
import { cityNow } from '../api/city_clock';
import { liveState } from '../api/live';
import { ago } from '../i18n';
import { t } from '../i18n/shell';
import { Icon, type IconName } from './icon';

export const Banner = ({ tone = 'warn', icon = 'warning', round, children }: { tone?: 'warn' | 'info' | 'off' | 'bad'; icon?: IconName; round?: boolean; children: ComponentChildren }) => (
  <div class={`banner ${tone === 'warn' ? '' : tone} ${round ? 'round' : ''}`} role="status"><Icon name={icon} /><div class="grow">{children}</div></div>
);

const LATE_MS = 3000; // A socket that is back by then was never missed.

/** Says that the numbers are old, since when, and that we are at it. */
export function LiveBanner() {
  const { open, tried, at } = liveState.value;
  const gone = tried && !open;
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (!gone) return;
    const timer = setTimeout(() => setLate(true), LATE_MS);
    return () => clearTimeout(timer);
  }, [gone]);
  if (!gone || !late) return null;
  return <Banner tone="off" round>{at ? t('live.gone', { when: ago(at, cityNow()) }) : t('live.never')}</Banner>;
}

/** A problem in words: what the server said of no field, or what is wrong with the way to it. */
export function wordsOf(error: unknown): string {
  if (error instanceof NetworkError) return t('error.network');
  if (error instanceof ProblemError) {
    if (error.status === 429) return t('error.busy', { n: error.retryAfter ?? 60 });
    if (error.status === 503) return t('error.away');
    if (error.status < 500) return error.problem.detail || error.problem.title;
  }
  return t('error.unknown');
}

export const Trouble = ({ error, again }: { error: unknown; again?: () => void }) => (
  <div class="banner bad round" role="alert">
    <Icon name="warning" />
    <div class="grow">{wordsOf(error)}</div>
    {again && <button type="button" class="btn s" onClick={again}>{t('retry')}</button>}
  </div>
);

export const Empty = ({ children }: { children: ComponentChildren }) => (
  <div class="empty">
    <svg viewBox="0 0 96 48" aria-hidden="true"><path d="M8 44V12M28 44V12M48 44V12M68 44V12M88 44V12M4 44h88" fill="none" stroke="var(--ctl)" stroke-width="2" stroke-dasharray="3 3" /></svg>
    <div class="meta">{children}</div>
  </div>
);

export const Waiting = ({ rows = 3 }: { rows?: number }) => (
  <div class="stack sec" role="status">
    <span class="sr">{t('loading')}</span>
    {Array.from({ length: rows }, (_, i) => <span key={i} class="stack"><span class="skel t" /><span class="skel l" /></span>)}
  </div>
);

const toast = signal<string | null>(null);
let toastTimer: ReturnType<typeof setTimeout> | undefined;

/** For what can be seen on the page as well; success that matters has a page of its own. */
export function say(text: string): void {
  toast.value = text;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => (toast.value = null), 5000);
}

export const Toasts = () => <div class="toasts" role="status" aria-live="polite">{toast.value && <span class="toast">{toast.value}</span>}</div>;

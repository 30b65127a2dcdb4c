// What a person chose for this browser: language, theme, type size. boot.js sets the same before the first paint.
import { effect, signal } from '@preact/signals';
import type { Lang } from './i18n';

export interface Choice {
  lang: Lang;
  theme: 'system' | 'light' | 'dark';
  type: 'normal' | 'large';
}

const KEY = 'onelot.choice';

function read(): Choice {
  let kept: Partial<Choice> = {};
  try {
    kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') ?? {};
  } catch {
    // Private mode, or somebody else's value: the defaults do.
  }
  const lang = kept.lang === 'zh' || kept.lang === 'en' ? kept.lang : /^zh/i.test(navigator.language) ? 'zh' : 'en';
  return { lang, theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'system', type: kept.type === 'large' ? 'large' : 'normal' };
}

export const choice = signal<Choice>(read());

export function choose(change: Partial<Choice>): void {
  choice.value = { ...choice.value, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(choice.value));
  } catch {
    // Then it lasts as long as the page.
  }
}

const systemDark = matchMedia('(prefers-color-scheme: dark)');
export const dark = signal(false);

const settle = () => (dark.value = choice.value.theme === 'dark' || (choice.value.theme === 'system' && systemDark.matches));
systemDark.addEventListener('change', settle);

effect(() => {
  const root = document.documentElement;
  const { lang, theme, type } = choice.value;
  root.lang = lang === 'en' ? 'en' : 'zh-CN';
  if (theme === 'system') delete root.dataset.theme;
  else root.dataset.theme = theme;
  if (type === 'large') root.dataset.type = 'large';
  else delete root.dataset.type;
  settle();
});

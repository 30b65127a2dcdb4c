// Two languages, chosen by the person; a key that one language lacks does not compile. Each area has its own two files.
import { choice } from '../choice';

export type Lang = 'zh' | 'en';
type Values = Record<string, string | number>;

export function fill(text: string, values?: Values): string {
  if (!values) return text;
  if (text.includes('||')) {
    const [one, many] = text.split('||') as [string, string];
    text = values.n === 1 ? one : many;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** `t(key, {n: 3})`. A text may be `{n} bay||{n} bays`: one, then many. Reading it in a component makes the component follow the language. */
export function words<Key extends string>(zh: Record<Key, string>, en: Record<Key, string>) {
  return (key: Key, values?: Values): string => fill((lang() === 'zh' ? zh : en)[key], values);
}

export const lang = (): Lang => choice.value.lang;

export interface Words {
  zh: string;
  en: string;
}

/** A name as the server tells it. */
export const named = (name: Words): string => (lang() === 'zh' ? name.zh || name.en : name.en || name.zh);

const locale = () => (lang() === 'zh' ? 'zh-CN' : 'en-GB');
const cached = new Map<string, Intl.DateTimeFormat>();
function format(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const name = locale() + key;
  if (!cached.has(name)) cached.set(name, new Intl.DateTimeFormat(locale(), { timeZone: 'Asia/Shanghai', ...options }));
  return cached.get(name)!;
}

export const number = (value: number): string => new Intl.NumberFormat(locale()).format(value);
export const clockTime = (at: Date | string): string => format('time', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(new Date(at));

/** 11 月 25 日（周三） / Wed 25 Nov */
export function day(at: Date | string): string {
  const date = new Date(at);
  if (lang() === 'en') return format('day', { weekday: 'short', day: 'numeric', month: 'short' }).format(date).replace(',', '');
  const parts = Object.fromEntries(format('day', { weekday: 'short', day: 'numeric', month: 'numeric' }).formatToParts(date).map((p) => [p.type, p.value]));
  return `${parts.month} 月 ${parts.day} 日（${parts.weekday}）`;
}

export const dayTime = (at: Date | string): string => `${day(at)} ${clockTime(at)}`;

/** 4 小时 28 分 / 4 h 28 min */
export function span(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const [h, m] = [Math.floor(minutes / 60), minutes % 60];
  if (lang() === 'zh') return [h ? `${h} 小时` : '', m || !h ? `${m} 分${h ? '' : '钟'}` : ''].filter(Boolean).join(' ');
  return [h ? `${h} h` : '', m || !h ? `${m} min` : ''].filter(Boolean).join(' ');
}

/** 2.5 小时 / 2.5 h: how long somebody means to stay. */
export function hours(seconds: number): string {
  const value = Math.round(seconds / 1800) / 2;
  return lang() === 'zh' ? `${value} 小时` : `${value} h`;
}

/** 12 秒前, 2 分钟前, then the clock time; what lies before today, with its day. */
export function ago(at: Date, now: Date): string {
  const seconds = Math.max(0, Math.round((now.getTime() - at.getTime()) / 1000));
  if (seconds < 60) return lang() === 'zh' ? `${seconds} 秒前` : `${seconds} s ago`;
  if (seconds < 3600) return lang() === 'zh' ? `${Math.floor(seconds / 60)} 分钟前` : `${Math.floor(seconds / 60)} min ago`;
  return seconds < 20 * 3600 ? clockTime(at) : dayTime(at);
}

const kilometres = (value: number): string => (value / 1000).toFixed(1).replace(/\.0$/, '');
export const metres = (value: number): string => {
  if (value < 950) return lang() === 'zh' ? `${Math.round(value / 10) * 10} 米` : `${Math.round(value / 10) * 10} m`;
  return lang() === 'zh' ? `${kilometres(value)} 公里` : `${kilometres(value)} km`;
};

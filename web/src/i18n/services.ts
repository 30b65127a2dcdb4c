import { clockTime, dayTime, lang, words } from '.';
import { cityNow } from '../api/city_clock';
import { services as en } from './services.en';
import { services as zh } from './services.zh';

export const t = words(zh, en);

/** Who asks and who answers, by the code that the city uses; a new department is called by its code until it has a name here. */
export function agency(code: string): string {
  const name = code.split(/[./]/)[0]!;
  return `agency.${name}` in zh ? t(`agency.${name}` as 'agency.police') : name;
}

const sameDay = (a: Date, b: Date) => new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(a) === new Intl.DateTimeFormat('en-CA', { timeZone: 'Asia/Shanghai' }).format(b);

/** 今天 09:12 / today 09:12; another day with its date. */
export function moment(at: string): string {
  const date = new Date(at);
  return sameDay(date, cityNow()) ? `${t('today')} ${clockTime(date)}` : dayTime(date);
}

/** 2027 年 3 月 2 日 / 2 March 2027: how long something holds. */
export const date = (at: string): string => new Intl.DateTimeFormat(lang() === 'zh' ? 'zh-CN' : 'en-GB', { timeZone: 'Asia/Shanghai', year: 'numeric', month: 'long', day: 'numeric' }).format(new Date(at)).replace(/(\d+)([年月日])/g, ' $1 $2').trim();

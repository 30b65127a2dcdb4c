import { words } from '.';
import { city as en } from './city.en';
import { city as zh } from './city.zh';

export const t = words(zh, en);

import { words } from '.';
import { driver as en } from './driver.en';
import { driver as zh } from './driver.zh';

export const t = words(zh, en);

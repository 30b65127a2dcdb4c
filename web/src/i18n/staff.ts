import { words } from '.';
import { staff as en } from './staff.en';
import { staff as zh } from './staff.zh';

export const t = words(zh, en);

import { words } from '.';
import { operator as en } from './operator.en';
import { operator as zh } from './operator.zh';

export const t = words(zh, en);

import { words } from '.';
import { shell as en } from './shell.en';
import { shell as zh } from './shell.zh';

export const t = words(zh, en);

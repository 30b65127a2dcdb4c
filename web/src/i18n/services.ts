import { words } from '.';
import { services as en } from './services.en';
import { services as zh } from './services.zh';

export const t = words(zh, en);
